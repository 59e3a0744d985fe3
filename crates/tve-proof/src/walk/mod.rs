//! Random walks: what nobody listed, found by machines under random hands and faults.

mod invariants;
mod script;
mod second_opinion;
mod shrink;

pub(crate) use invariants::Observer;
pub use invariants::Violation;

use crate::crew;
use crate::rig::{Rig, TICK};
use crate::subject::Subject;
use script::{Event, Script};
use serde::Serialize;
use tve_control::{Command, Refusal, Snapshot, Unclean, parse_named};
use tve_sim::FaultKind;
use tve_units::Micros;

/// Machine time of one walk.
const WALK: Micros = Micros::from_secs(3600);
/// A jittering loop's ticks, ms: early, late, and one far too late.
const JITTER_MS: [u64; 7] = [5, 15, 8, 12, 1, 30, 90];
/// One in so many commands is looked at to the last bit.
const DEEP: u64 = 4;
/// How long a loop jitters.
const JITTER_FOR: Micros = Micros::from_secs(2);

/// The outcome of many walks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WalkReport {
    /// Seed of the first walk; the others count on.
    pub first_seed: u64,
    /// Machine-hours walked.
    pub hours: f64,
    /// Ticks walked.
    pub ticks: u64,
    /// Commands sent, accepted or not.
    pub commands: u64,
    /// Commands refused.
    pub refused: u64,
    /// Alarms raised.
    pub alarms: u64,
    /// What did not hold.
    pub findings: Vec<Finding>,
}

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

/// What one walk counted.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    ticks: u64,
    commands: u64,
    refused: u64,
    alarms: u64,
}

/// Walks `hours` machine-hours of a machine, an hour a walk, from `seed` on, on every processor.
/// `progress(done, total)` counts walks.
pub fn walk(
    subject: &Subject,
    hours: u64,
    seed: u64,
    progress: impl FnMut(usize, usize),
) -> WalkReport {
    let seeds: Vec<u64> = (0..hours).map(|n| seed.wrapping_add(n)).collect();
    let walks = crew::work(&seeds, progress, |&seed| one(subject, seed, WALK));
    let mut report = WalkReport {
        first_seed: seed,
        hours: hours as f64,
        ticks: 0,
        commands: 0,
        refused: 0,
        alarms: 0,
        findings: Vec::new(),
    };
    for (count, finding) in walks {
        report.ticks += count.ticks;
        report.commands += count.commands;
        report.refused += count.refused;
        report.alarms += count.alarms;
        report.findings.extend(finding);
    }
    report
}

/// One walk; a violation is shrunk.
fn one(subject: &Subject, seed: u64, duration: Micros) -> (Count, Option<Finding>) {
    let script = Script::draw(subject, seed, duration);
    let (count, outcome) = play(&script);
    let finding = outcome.err().map(|violation| shrink::shrink(script, violation));
    (count, finding)
}

/// Plays a script until its end or the first violation.
fn play(script: &Script) -> (Count, Result<(), Violation>) {
    let mut rig = Rig::new(script.subject.config());
    rig.soak(script.start_temp);
    let mut observer = Observer::new(&rig);
    let mut count = Count::default();
    let mut events = script.events.iter().peekable();
    let mut jitter_until = Micros::ZERO;
    while rig.plant_time < script.duration {
        let mut dt = TICK;
        while let Some((_, event)) = events.next_if(|(at, _)| *at <= rig.plant_time) {
            let outcome = match event {
                Event::Command(name, value) => {
                    count.commands += 1;
                    if let Ok(command) = parse_named(name, value, &rig.names()) {
                        let deep = count.commands.is_multiple_of(DEEP);
                        let depth = if deep { Depth::Everything } else { Depth::Shown };
                        let answer = send(&mut rig, &mut observer, &command, depth);
                        count.refused += u64::from(matches!(answer, Ok(false)));
                        answer.map(|_| ())
                    } else {
                        count.refused += 1;
                        Ok(())
                    }
                }
                Event::Fault(kind, lasting) => {
                    if matches!(kind, FaultKind::SsrStuckOn(_)) {
                        observer.relay_sticks();
                    }
                    rig.inject(*kind, Some(*lasting));
                    Ok(())
                }
                Event::Restart(died) => {
                    let unclean = died
                        .then(|| Unclean { energised: rig.controller.outputs().is_energised() });
                    rig.restart(unclean, false);
                    observer.restarted(&rig)
                }
                Event::Stall(late) => {
                    dt = *late;
                    Ok(())
                }
                Event::Jitter => {
                    jitter_until = rig.plant_time + JITTER_FOR;
                    Ok(())
                }
                Event::WallClock(seconds) => {
                    rig.step_wall_clock(*seconds);
                    Ok(())
                }
            };
            if outcome.is_err() {
                return (count, outcome);
            }
        }
        if dt == TICK && rig.plant_time < jitter_until {
            let n = count.ticks as usize % JITTER_MS.len();
            dt = Micros::from_millis(JITTER_MS[n]);
        }
        rig.tick_after(dt);
        count.ticks += 1;
        count.alarms += rig.raised.len() as u64;
        let outcome = observer.ticked(&mut rig);
        if outcome.is_err() {
            return (count, outcome);
        }
    }
    (count, Ok(()))
}

/// Sends a command under the eyes of the observer; whether it was accepted.
fn send(
    rig: &mut Rig,
    observer: &mut Observer,
    command: &Command,
    depth: Depth,
) -> Result<bool, Violation> {
    let before = depth.digest(rig);
    let answer: Result<_, Refusal> = rig.send(command.clone());
    let changed = answer.is_err() && depth.digest(rig) != before;
    observer.commanded(rig, command, answer.as_ref().map_err(|_| changed))?;
    Ok(answer.is_ok())
}

/// How closely a refusal is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// What the machine shows.
    Shown,
    /// Every bit of the controller's memory; a hundred times as long.
    Everything,
}

impl Depth {
    fn digest(self, rig: &mut Rig) -> (Option<Box<Snapshot>>, u64) {
        match self {
            Self::Shown => (Some(Box::new(rig.snapshot())), 0),
            Self::Everything => (None, rig.state_hash()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn four_hours_of_random_walks_break_nothing() {
        let report = walk(&Subject::embedded(), 4, 1, |_, _| {});
        assert_eq!(report.findings, Vec::new());
        assert!(report.alarms > 20 && report.commands > 500, "{report:?}");
        assert!(report.refused < report.commands, "{report:?}");
    }

    #[test]
    fn the_same_seed_is_the_same_walk() {
        let count = || {
            let script = Script::draw(&Subject::embedded(), 7, Micros::from_secs(600));
            let (count, outcome) = play(&script);
            (count.ticks, count.commands, count.refused, count.alarms, outcome)
        };
        assert_eq!(count(), count());
    }

    /// A machine that is hotter than its alarms can help: manual heat on a plant of twice the gain.
    fn hopeless() -> Script {
        let mut script = Script::draw(&Subject::embedded(), 3, Micros::from_secs(900));
        let mut config = script.subject.config().clone();
        config.plant.gain = 900.0;
        config.plant.time_constant = 300.0;
        script.subject = script.subject.with(config);
        script.start_temp = 200.0;
        let command = |name, value| Event::Command(name, value);
        script.events = vec![
            (Micros::from_secs(1), command("SET_FILL_TARGET", json!({"level": 10}))),
            (Micros::from_secs(2), command("SET_MODE", json!({"mode": "MANUAL"}))),
            (Micros::from_secs(3), command("STOP", Value::Null)),
            (Micros::from_secs(4), command("SET_HEATER", json!({"zone": "z1", "duty": 100}))),
            (Micros::from_secs(500), command("STOP", Value::Null)),
        ];
        script
    }

    #[test]
    fn a_long_jog_in_a_barrel_that_cools_ends_before_anybody_has_to_complain() {
        let mut script = Script::draw(&Subject::embedded(), 3, Micros::from_secs(600));
        script.subject = Subject::embedded();
        script.start_temp = 200.0;
        let jog = json!({"motor": "main", "steps": 10_000_000, "speed": 1000});
        script.events = vec![(Micros::from_secs(2), Event::Command("MOVE_MOTOR_STEPS", jog))];
        let (count, outcome) = play(&script);
        assert_eq!((outcome, count.refused, count.alarms), (Ok(()), 0, 1));
    }

    #[test]
    fn a_violation_is_found_and_shrunk_to_what_it_needs() {
        let script = hopeless();
        let violation = play(&script).1.unwrap_err();
        assert_eq!(violation.invariant, "too-hot");
        let finding = shrink::shrink(script, violation);
        assert_eq!(finding.events, (2, 5), "{}", finding.scenario);
        assert!(finding.scenario.contains("SET_HEATER"), "{}", finding.scenario);
    }
}
