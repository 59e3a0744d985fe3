//! Whatever accepted commands leave behind is a configuration that loads; refused ones leave none.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use tve_config::Config;
use tve_control::{CommandKind, Endpoint, random_value};
use tve_rig::{Dice, Rig};

/// Seeds of the walks.
const SEEDS: std::ops::Range<u64> = 1..21;
/// Commands in a walk.
const COMMANDS: usize = 400;

/// A value that may be anything a client has been seen to send.
fn value(dice: &mut Dice) -> Value {
    match dice.below(14) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(""),
        3 => json!("NaN"),
        4 => json!("4.7k"),
        5 => json!(-1),
        6 => json!(1e300),
        7 => json!([]),
        8 => json!("ключ\u{0}"),
        9 => json!(dice.below(30)),
        10 => json!(dice.below(28).to_string()),
        _ => json!(dice.between(0.0, 60.0)),
    }
}

/// Some of the keys with values of any kind.
fn params(dice: &mut Dice, keys: &[&str]) -> Value {
    let mut map = serde_json::Map::new();
    for _ in 0..=dice.below(2) {
        let key = *dice.pick(keys);
        map.insert(key.to_owned(), value(dice));
    }
    Value::Object(map)
}

fn steps(dice: &mut Dice) -> Value {
    let steps: Vec<_> = (0..=dice.below(2))
        .map(|_| {
            json!({
                "device": dice.pick(&["main_motor", "feed_motor", "fan", "pump", "lamp"]),
                "action": dice.pick(&["on", "off"]),
                "delay": dice.between(-1.0, 30.0),
                "enabled": dice.one_in(2),
            })
        })
        .collect();
    json!(steps)
}

fn calibration(dice: &mut Dice) -> Value {
    let points: Vec<_> = (0..dice.below(4))
        .map(|_| {
            let x = dice.between(0.0, 250.0);
            json!({"x": x, "y": x * dice.between(0.9, 1.1)})
        })
        .collect();
    let mut params = params(
        dice,
        &["enabled", "logical", "r_fixed", "r_25", "beta", "v_ref", "wiring", "decimals"],
    );
    params["channel"] = json!(dice.below(5));
    if dice.one_in(2) {
        params["cal_points"] = json!(points);
    }
    json!({ "params": params })
}

/// The commands that change the configuration.
fn configuring() -> Vec<CommandKind> {
    let configures = |kind: &CommandKind| {
        kind.row().effect.configures() && kind.row().endpoint == Endpoint::Control
    };
    CommandKind::ALL.iter().copied().filter(configures).collect()
}

fn command(dice: &mut Dice) -> (&'static str, Value) {
    if dice.one_in(2) {
        let kind = *dice.pick(&configuring());
        return (
            kind.row().name,
            random_value(kind, &Config::embedded().names(), &mut |n| dice.below(n)),
        );
    }
    let pins = [
        "ssr_z1",
        "ssr_z2",
        "ssr_fan",
        "step_main",
        "dir_main",
        "btn_emergency",
        "contactor",
        "led_status",
        "pca_oe",
        "my lamp",
        "x",
        "",
    ];
    match dice.below(12) {
        0 => (
            "UPDATE_PID",
            json!({"zone": dice.pick(&["z1", "z2", "z3"]), "params": params(dice, &["kp", "ki", "kd"])}),
        ),
        1 | 2 => ("UPDATE_PINS", json!({ "pins": params(dice, &pins) })),
        3 => ("SET_PIN_NAME", json!({"pin": dice.below(30), "name": dice.pick(&pins)})),
        4 => (
            "UPDATE_EXTRUDER_SEQ",
            json!({"sequence": {*dice.pick(&["startup", "shutdown", "emergency"]): steps(dice)}}),
        ),
        5 => (
            "UPDATE_EXTRUDER_SEQ",
            json!({"sequence": params(
                dice,
                &["check_temp_before_start", "start_delay_feed", "stop_delay_motor"],
            )}),
        ),
        6 => (
            "UPDATE_DM556",
            json!({"params": params(dice, &["microsteps", "current_peak", "idle_half"])}),
        ),
        7 => (
            "SET_TEMP_SETTINGS",
            json!({"params": params(
                dice,
                &["poll_interval", "avg_window", "use_average", "decimals_default"],
            )}),
        ),
        8 => (
            "SET_LOGGING_SETTINGS",
            json!({"params": params(dice, &["interval", "flush_interval", "keep_days", "min_free_mb"])}),
        ),
        9 => (
            "UPDATE_MOTION_CONFIG",
            json!({"params": params(dice, &["ramp_up", "ramp_down", "max_accel", "max_jerk"])}),
        ),
        10 => (
            "SET_HISTORY_SETTINGS",
            json!({"params": params(dice, &["y_left_min", "y_left_max", "y_right_min", "series_axis"])}),
        ),
        _ => ("SET_SENSOR_CALIBRATION", calibration(dice)),
    }
}

/// How often each command was accepted in the walks of `seeds`.
fn walk(seeds: impl Iterator<Item = u64>) -> BTreeMap<&'static str, usize> {
    let mut accepted = BTreeMap::new();
    for seed in seeds {
        let mut dice = Dice::new(seed);
        let mut rig = Rig::new(&Config::embedded());
        for _ in 0..COMMANDS {
            let (name, value) = command(&mut dice);
            let before = (**rig.config()).clone();
            let answer = rig.command(name, &value);
            if answer.is_err() {
                assert_eq!(**rig.config(), before, "seed {seed}: refused {name} {value}");
                continue;
            }
            *accepted.entry(name).or_insert(0) += 1;
            let text = rig.config().to_json().to_string();
            match Config::parse(&text) {
                Ok(again) => {
                    assert_eq!(again, **rig.config(), "seed {seed}: {name} {value}");
                }
                Err(errors) => panic!("seed {seed}: after {name} {value}:\n{errors}"),
            }
        }
    }
    accepted
}

#[test]
fn what_accepted_commands_leave_behind_loads_again() {
    // Two cores share the work.
    let (mut accepted, other) = std::thread::scope(|scope| {
        let odd = scope.spawn(|| walk(SEEDS.step_by(2)));
        (walk(SEEDS.skip(1).step_by(2)), odd.join().unwrap())
    });
    for (name, times) in other {
        *accepted.entry(name).or_insert(0) += times;
    }
    // A walk in which nothing is accepted would prove nothing.
    assert_eq!(accepted.len(), configuring().len(), "{accepted:?}");
    assert!(accepted.values().all(|n| *n >= 5), "{accepted:?}");
}
