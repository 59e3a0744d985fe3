//! Making a failing walk short, and writing it down as a scenario file.

use super::invariants::Violation;
use super::play::play;
use super::script::{Event, Script};
use core::fmt::Write;
use serde::Serialize;
use serde_json::Value;
use tve_config::{EstopContact, PidGains};
use tve_control::parse_named;
use tve_hal::Signal;
use tve_units::Micros;

/// Plays at most this often while shrinking.
const PLAYS: usize = 400;
/// Machine time kept after the violation, s.
const TAIL_S: f64 = 1.0;

/// A walk that broke an invariant, made as short as it goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Its seed.
    pub seed: u64,
    /// Which invariant.
    pub invariant: &'static str,
    /// When, in the shortened walk, s.
    pub at_s: f64,
    /// What was seen.
    pub what: String,
    /// Events left of how many.
    pub events: (usize, usize),
    /// The shortened walk as a scenario file.
    pub scenario: String,
}

/// The shortest walk that was found to break the same invariant.
pub(super) fn shrink(mut script: Script, mut violation: Violation) -> Finding {
    let drawn = script.events.len();
    cut(&mut script, &violation);
    let mut plays = 0;
    let mut chunk = script.events.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        while from < script.events.len() && plays < PLAYS {
            let mut shorter = script.clone();
            let until = (from + chunk).min(shorter.events.len());
            shorter.events.drain(from..until);
            plays += 1;
            match play(&shorter).1 {
                Err(found) if found.invariant == violation.invariant => {
                    cut(&mut shorter, &found);
                    script = shorter;
                    violation = found;
                }
                _ => from = until,
            }
        }
        if chunk == 1 || plays >= PLAYS {
            break;
        }
        chunk = chunk.div_ceil(2);
    }
    tighten(&mut script, &mut violation);
    Finding {
        seed: script.seed,
        invariant: violation.invariant,
        at_s: violation.at_s,
        what: violation.what.clone(),
        events: (script.events.len(), drawn),
        scenario: scenario(&script, &violation),
    }
}

/// Ends the script shortly after its violation.
fn cut(script: &mut Script, violation: &Violation) {
    let at = Micros::from_secs_f64(violation.at_s);
    script.duration = script.duration.min(at + Micros::from_secs_f64(TAIL_S));
    script.events.retain(|(t, _)| *t <= at);
}

/// Halves the pauses between events while the violation stays.
fn tighten(script: &mut Script, violation: &mut Violation) {
    for index in 0..script.events.len() {
        loop {
            let before = index.checked_sub(1).map_or(Micros::ZERO, |i| script.events[i].0);
            let pause = script.events[index].0.since(before);
            if pause <= Micros::from_secs(1) {
                break;
            }
            let saved = Micros::new(pause.get() / 2);
            let mut shorter = script.clone();
            for (t, _) in &mut shorter.events[index..] {
                *t = *t - saved;
            }
            match play(&shorter).1 {
                Err(found) if found.invariant == violation.invariant => {
                    cut(&mut shorter, &found);
                    *script = shorter;
                    *violation = found;
                    if index >= script.events.len() {
                        return;
                    }
                }
                _ => break,
            }
        }
    }
}

/// The script as text in the format of scenario files. Restarts and late ticks, which that format
/// does not have, stand in it as comments.
fn scenario(script: &Script, violation: &Violation) -> String {
    let mut text = String::new();
    let (config, machine) = (script.subject.config(), script.subject.machine());
    let base = script.subject.base().map(|base| format!("\nbase = \"{base}\""));
    let _ = writeln!(
        text,
        "# Seed {}, invariant {}.\nquestion = \"Why: {} at {:.2} s?\"\nduration = {:.2}\nseed = \
         {}\nstart_temp = {}{}\n\n[config]",
        script.seed,
        violation.invariant,
        violation.what.replace('"', "'"),
        violation.at_s,
        violation.at_s + TAIL_S,
        config.plant.seed,
        script.start_temp,
        base.unwrap_or_default()
    );
    let plant = &config.plant;
    let _ = writeln!(
        text,
        "plant.noise_lsb = {:?}\nplant.gain = {:?}\nplant.time_constant = {:?}\n\
         plant.dead_time = {:?}\nsafety.idle_setback_min = {:?}\nsafety.idle_off_min = {:?}\n\
         safety.stop_max_s = {:?}\nsafety.local_stop = {}\nextruder_sequence = {}\nsafety.estop_contact = \"{}\"\n\
         control.law = {}\ncontrol.mains_hz = {}",
        plant.noise_lsb,
        plant.gain,
        plant.time_constant,
        plant.dead_time,
        config.safety.idle_setback_min,
        config.safety.idle_off_min,
        config.safety.stop_max_s,
        config.safety.local_stop,
        toml_value(&config.to_json()["extruder_sequence"]),
        if config.safety.estop_contact() == EstopContact::No { "no" } else { "nc" },
        config.control.law,
        config.control.mains_hz
    );
    if config.is_classic() {
        for (zone, name) in config.names().zones.entries() {
            let PidGains { kp, ki, kd } = config.gains(zone).unwrap_or_default();
            let _ = writeln!(text, "{name} = {{ kp = {kp:?}, ki = {ki:?}, kd = {kd:?} }}");
        }
    } else {
        // A list takes the place of the base's whole list.
        let _ = writeln!(text, "zones = {}", toml_value(&config.to_json()["zones"]));
    }
    for signal in [Signal::Contactor, Signal::ContactorFeedback] {
        let name = signal.row().pattern;
        if let Some(pin) = config.pins.get(name) {
            let _ = writeln!(text, "pins.{name} = {}", pin.get());
        }
    }
    for (at, event) in &script.events {
        let t = at.secs();
        let _ = match event {
            Event::Command(name, value) => {
                let mut lines = format!("\n[[at]]\nt = {t:.3}\ncommand = \"{name}\"");
                if *value != Value::Null {
                    lines = format!("{lines}\nvalue = {}", toml_value(value));
                }
                // What no moment could make right must be said to be refused.
                if let Err(refusal) = parse_named(name, value, &config.names()) {
                    lines = format!("{lines}\nrefused = \"{}\"", refusal.code.name());
                }
                writeln!(text, "{lines}")
            }
            Event::Fault(kind, lasting) => writeln!(
                text,
                "\n[[fault]]\nfrom = {t:.3}\nuntil = {:.3}\nkind = \"{}\"",
                (t + lasting.secs()).min(violation.at_s + TAIL_S),
                kind.text_on(machine)
            ),
            Event::Restart(_) | Event::Stall(_) | Event::Jitter | Event::WallClock(_) => {
                writeln!(text, "\n# at {t:.3} s: {event:?}")
            }
        };
    }
    let expectation = if violation.invariant.starts_with("heat") {
        "heaters_off = true"
    } else {
        "motors_stopped = true"
    };
    let _ = writeln!(
        text,
        "\n[[expect]]\n{expectation}\nfrom = {:.2}\nuntil = {:.2}",
        violation.at_s, violation.at_s
    );
    text
}

fn toml_value(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            // The format has no null: what is null is left out.
            let pairs: Vec<String> = map
                .iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, v)| format!("{k} = {}", toml_value(v)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(list) => {
            let items: Vec<String> = list.iter().map(toml_value).collect();
            format!("[{}]", items.join(", "))
        }
        // Numbers, texts and truth values are written alike in both formats.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Subject;
    use tve_config::Config;
    use tve_scenario::Scenario;

    #[test]
    fn a_walk_written_down_is_a_scenario_file() {
        let four = include_str!("../../../../config/machines/four-zone.json");
        let four_zones = Subject::of(Config::parse(four).unwrap(), "four-zone");
        for seed in 1..=20 {
            let subject = if seed % 2 == 0 { Subject::embedded() } else { four_zones.clone() };
            let script = Script::draw(&subject, seed, Micros::from_secs(600));
            let violation = Violation {
                invariant: "heat-unasked",
                at_s: 599.0,
                what: "z1 \"heats\"".to_owned(),
            };
            let text = scenario(&script, &violation);
            let read = Scenario::parse(&text, |base| {
                assert_eq!((base, seed % 2), ("four-zone", 1));
                Ok(four.to_owned())
            });
            let read = read.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
            assert_eq!(
                read.config().machine().zones,
                script.subject.machine().zones,
                "seed {seed}"
            );
        }
    }
}
