//! Drills: what must hold and is no single fault with a time bound.

mod heat;
mod motion;

use super::case::{Case, tripped};
use super::states::{State, WORKING, reach};
use crate::rig::Rig;
use crate::subject::Subject;
use serde_json::{Value, json};
use tve_control::{
    AlarmCode, Cause, Controller, RefusalCode, Restored, RestoredAlarm, Unclean, UnreadName,
    lenient_json, parse_control, parse_gpio, parse_tune_start,
};
use tve_hal::{MachineKind, Names, Outputs, Signal};
use tve_sim::FaultKind;
use tve_units::{Micros, WallMillis};

/// One drill.
pub(crate) struct Drill {
    pub(crate) id: &'static str,
    pub(crate) fault: &'static str,
    pub(crate) expected: &'static str,
    pub(crate) states: &'static [State],
    run: fn(&Subject, State) -> Result<String, String>,
}

use State::{Alarm, Cold, Heating, Holding, Idle, Manual, Running, Stopping, Tuning};

const EVERY: &[State] = &[Cold, Idle, Heating, Holding, Running, Tuning, Stopping, Manual, Alarm];
const ENERGISED: &[State] = &[Heating, Holding, Running, Tuning, Stopping, Manual];

/// All of them.
pub(crate) static DRILLS: &[Drill] = &[
    Drill {
        id: "lost-samples",
        fault: "converter gone for n samples and back, n = 1 to 1000",
        expected: "within 1 s nothing; beyond it a trip that nothing but a command ends",
        states: ENERGISED,
        run: lost_samples,
    },
    Drill {
        id: "wall-clock",
        fault: "wall clock steps an hour either way",
        expected: "outputs bit for bit as without it",
        states: EVERY,
        run: wall_clock,
    },
    Drill {
        id: "hostile-commands",
        fault: "commands with NaN, huge numbers, null, lists, duplicate keys, unicode",
        expected: "refused, and not a bit of the controller's state changes",
        states: EVERY,
        run: hostile_commands,
    },
    Drill {
        id: "latch-survives",
        fault: "three restarts in ten minutes with a trip latched",
        expected: "latched and off after each",
        states: EVERY,
        run: restarts_with_latch,
    },
    Drill {
        id: "unread-latch",
        fault: "restart on a journal whose latched alarm this version does not know",
        expected: "JOURNAL_UNREADABLE, TRIP, at once, until somebody has acknowledged it",
        states: EVERY,
        run: restart_with_unread_latch,
    },
    Drill {
        id: "restarts",
        fault: "three clean restarts in ten minutes",
        expected: "off after each until somebody asks for heat or motion",
        states: EVERY,
        run: clean_restarts,
    },
    Drill {
        id: "estop-any-tick",
        fault: "emergency stop at each of 300 ticks after a clear, a start, a tune, a jog",
        expected: "off at the next tick, for good",
        states: &[Holding],
        run: emergency_at_any_tick,
    },
    Drill {
        id: "locked",
        fault: "a dead heater, cleared and asked for again",
        expected: "HEATER_NOT_HEATING, then with ZONE_LOCKED, until RELEASE_ZONE, across a restart",
        states: &[Holding],
        run: heat::lock_and_release,
    },
    Drill {
        id: "contactor-welded",
        fault: "a contactor with an auxiliary contact welds",
        expected: "CONTACTOR_WELDED, TRIP, in 1 s from the next start of heat or trip on, no heat before",
        states: &[Cold, Idle, Holding],
        run: heat::contactor_welded,
    },
    Drill {
        id: "feed-first",
        fault: "the screw of a running machine is set to 0, reversed, stopped in three ways",
        expected: "the feed rests before the screw does",
        states: &[Running],
        run: motion::feed_first,
    },
    Drill {
        id: "stop-in-time",
        fault: "a stop sequence of an hour, and commands to the motors meanwhile",
        expected: "at rest within safety.stop_max_s, and nothing revives it",
        states: &[Running],
        run: motion::stop_in_time,
    },
    Drill {
        id: "local-stop",
        fault: "a stop button that locks is pressed, then everything is tried from afar, restarts too",
        expected: "at rest and refused until the start button of the panel",
        states: &[Running],
        run: motion::local_stop,
    },
    Drill {
        id: "residence",
        fault: "melt stands hot for longer than safety.residence_min",
        expected: "RESIDENCE, NOTE, and heat goes on",
        states: &[Holding],
        run: residence,
    },
    Drill {
        id: "converted-gains",
        fault: "gains made for the original's control law",
        expected: "TUNE_NEEDED, NOTE, when heat is first asked for",
        states: &[Holding],
        run: converted_gains,
    },
];

impl Drill {
    pub(crate) fn play(&'static self, subject: &Subject, state: State) -> Case {
        let outcome = (self.run)(subject, state);
        Case {
            family: self.id,
            row: self.id.to_owned(),
            fault: self.fault.to_owned(),
            state,
            expected: self.expected.to_owned(),
            measured_s: None,
            bound_s: None,
            counted_from: String::new(),
            rest_s: None,
            held: outcome.is_ok(),
            note: outcome.unwrap_or_else(|complaint| complaint),
        }
    }
}

/// Interval of a sensor's samples, s.
const SAMPLE_S: f64 = 0.2;
/// Longest outage that cannot make any sensor stale, in samples: 4 intervals and the phase of the
/// channel stay under 1 s.
const HARMLESS: u32 = 3;
/// Shortest outage that must trip, in samples.
const FATAL: u32 = 6;
/// How long a recovered machine is watched, s.
const RECOVERED_S: f64 = 4.0;

fn lost_samples(subject: &Subject, state: State) -> Result<String, String> {
    // Reaching a tune takes ten minutes of machine time, other states one: the tune is spared the
    // lengths that differ from their neighbours by nothing.
    let lengths: Vec<u32> = match state {
        Tuning | Running | Stopping | Manual | Heating => {
            (1..=20).chain([50, 100, 200, 500, 1000]).collect()
        }
        Cold | Idle | Holding | Alarm => (1..=1000).collect(),
    };
    let mut trips = 0;
    for n in &lengths {
        let mut rig = reach(subject, state, false);
        let gone = Micros::from_secs_f64(SAMPLE_S * f64::from(*n));
        rig.inject(FaultKind::AdcGone, Some(gone));
        rig.run_for(gone.secs());
        let tripped_now = rig.journal().iter().any(|a| a.record.code == AlarmCode::TempDataStale);
        if *n >= FATAL && !tripped_now || *n <= HARMLESS && tripped_now {
            return Err(format!("{n} samples lost: tripped is {tripped_now}"));
        }
        if !tripped_now {
            continue;
        }
        trips += 1;
        let end = rig.now() + Micros::from_secs_f64(RECOVERED_S);
        while rig.now() < end {
            if let Some(what) = tripped(rig.tick()) {
                return Err(format!("{n} samples lost: {what} by itself after the trip"));
            }
        }
        // Heat asked for before the trip is forgotten, also once the alarm is cleared.
        rig.command("CLEAR_ALARM", &Value::Null)
            .map_err(|r| format!("{n} samples lost: not cleared once they are back, {r}"))?;
        stays_off(&mut rig, RECOVERED_S).map_err(|e| format!("{n} samples lost, cleared: {e}"))?;
    }
    Ok(format!("{} lengths, {trips} trips", lengths.len()))
}

/// Watches that nothing heats or moves.
fn stays_off(rig: &mut Rig, seconds: f64) -> Result<(), String> {
    let end = rig.now() + Micros::from_secs_f64(seconds);
    while rig.now() < end {
        let out = rig.tick();
        if out.heaters.iter().any(|on| *on) || out.motors.iter().any(|m| m.is_enabled()) {
            return Err(format!("energised at {:.2} s without a command", rig.now().secs()));
        }
    }
    Ok(())
}

fn wall_clock(subject: &Subject, state: State) -> Result<String, String> {
    const HOUR_S: i64 = 3600;
    const WATCHED_S: f64 = 60.0;
    for step in [HOUR_S, -HOUR_S] {
        let (mut plain, mut stepped) = (reach(subject, state, false), reach(subject, state, false));
        stepped.step_wall_clock(step);
        let end = plain.now() + Micros::from_secs_f64(WATCHED_S);
        while plain.now() < end {
            let expected: Outputs = *plain.tick();
            if *stepped.tick() != expected {
                return Err(format!("{step} s: outputs differ at {:.2} s", plain.now().secs()));
            }
        }
        if plain.journal().len() != stepped.journal().len() {
            return Err(format!("{step} s: alarms differ"));
        }
    }
    Ok("both ways, 60 s watched".to_owned())
}

/// Bodies of /api/control that nobody should carry out. `$zone`, `$last`, `$motor`, `$pin` and
/// `$beyond` stand for the first and the last zone, a motor, the pin of a heater and what is just
/// above the highest target of the first zone.
const HOSTILE: &[&str] = &[
    r#"{"command": "SET_TARGET", "value": {"$zone": NaN}}"#,
    r#"{"command": "SET_TARGET", "value": {"$zone": Infinity, "$last": 100}}"#,
    r#"{"command": "SET_TARGET", "value": {"$zone": 1e308}}"#,
    r#"{"command": "SET_TARGET", "value": {"$zone": $beyond}}"#,
    r#"{"command": "SET_TARGET", "value": {"$zone": null}}"#,
    r#"{"command": "SET_TARGET", "value": {"$zone": [200]}}"#,
    r#"{"command": "SET_TARGET", "value": {"$last": -1}}"#,
    r#"{"command": "SET_TARGET", "value": [200, 200]}"#,
    r#"{"command": "SET_TARGET", "value": {"$zone": "２００"}}"#,
    r#"{"command": "SET_TARGET", "value": {"$zone": {"$zone": 200}}}"#,
    r#"{"command": "SET_HEATER", "value": {"zone": "$zone", "duty": NaN}}"#,
    r#"{"command": "SET_HEATER", "value": {"zone": "$zone", "duty": 100.1}}"#,
    r#"{"command": "SET_HEATER", "value": {"zone": "no_such", "duty": 10}}"#,
    r#"{"command": "SET_HEATER", "value": {"zone": ["$zone"], "duty": 10}}"#,
    r#"{"command": "SET_MOTOR", "value": {"motor": "$motor", "rpm": NaN}}"#,
    r#"{"command": "SET_MOTOR", "value": {"motor": "$motor", "rpm": 1e9}}"#,
    r#"{"command": "SET_MOTOR", "value": {"motor": "màin", "rpm": 10}}"#,
    r#"{"command": "MOVE_MOTOR_STEPS", "value": {"motor": "$motor", "steps": 0.5}}"#,
    r#"{"command": "MOVE_MOTOR_STEPS", "value": {"motor": "$motor", "steps": 9e99}}"#,
    r#"{"command": "MOVE_MOTOR_STEPS", "value": {"motor": "$motor", "steps": 10, "speed": NaN}}"#,
    r#"{"command": "SET_PELTIER", "value": {"duty": -Infinity}}"#,
    r#"{"command": "SET_MODE", "value": {"mode": "auto"}}"#,
    r#"{"command": "SET_RELAY", "value": {"relay": "fan", "state": 2}}"#,
    r#"{"command": "SET_RELAY", "value": null}"#,
    r#"{"command": "UPDATE_PID", "value": {"zone": "$zone", "params": {"kp": NaN}}}"#,
    r#"{"command": "UPDATE_PID", "value": {"zone": "$zone", "params": {"kp": -1}}}"#,
    r#"{"command": "UPDATE_MOTION_CONFIG", "value": {"params": {"max_accel": "fast"}}}"#,
    r#"{"command": "SET_TEMP_SETTINGS", "value": {"params": {"poll_interval": 1e-300}}}"#,
    r#"{"command": "GPIO_WRITE", "value": {"pin": 99, "state": true}}"#,
    r#"{"command": "GPIO_WRITE", "value": {"pin": $pin, "state": true}}"#,
    r#"{"command": "SET_PIN_NAME", "value": {"pin": 4, "name": ["ssr_$zone"]}}"#,
    r#"{"command": "ACKNOWLEDGE_ALARM", "value": {"alarm_id": 18446744073709551616}}"#,
    r#"{"command": "START\u0000"}"#,
    r#"{"command": null}"#,
    r#"{"command": ["START"]}"#,
    r#"{"command": "start"}"#,
    r#"{"value": {}}"#,
    r#"[{"command": "START"}]"#,
    r#""START""#,
    "{",
    "",
    "nul",
];

/// A pin that no header has, for a machine without a heater on one.
const UNOWNED: u8 = 99;

fn hostile_commands(subject: &Subject, state: State) -> Result<String, String> {
    let mut rig = reach(subject, state, false);
    let (before, names) = (rig.state_hash(), rig.names());
    let machine = subject.machine();
    let [zone, last] = [subject.first(), subject.zone_names().last().copied().unwrap_or_default()];
    let limit = machine.zones.as_slice()[0].limits.max_target;
    let heaters = machine.signals.iter().find(|(signal, _)| matches!(signal, Signal::Heater(_)));
    let pin = heaters.map_or(UNOWNED, |(_, pin)| pin.get());
    let filled = |body: &str| {
        body.replace("$zone", zone)
            .replace("$last", last)
            .replace("$motor", subject.screw())
            .replace("$pin", &pin.to_string())
            .replace("$beyond", &(limit + 0.01).to_string())
    };
    for body in HOSTILE.iter().map(|body| filled(body)) {
        let answer = lenient_json(body.as_bytes())
            .and_then(|value| parse_control(&value, &names))
            .and_then(|command| rig.send(command));
        if answer.is_ok() {
            return Err(format!("accepted: {body}"));
        }
        if rig.state_hash() != before {
            return Err(format!("refused but changed the state: {body}"));
        }
    }
    for (body, parse) in [
        (json!({"zone": zone, "setpoint": 1e12}), parse_tune_start as fn(&Value, &Names) -> _),
        (json!({"zone": zone, "setpoint": [200]}), parse_tune_start),
        (json!({"zone": null, "setpoint": 200}), parse_tune_start),
        (json!({"command": "SET_GPIO_VALUE", "value": {"pin": pin, "value": null}}), parse_gpio),
        (json!({"command": "SET_GPIO_VALUE", "value": {"pin": pin, "value": 1}}), parse_gpio),
    ] {
        let answer = parse(&body, &names).and_then(|command| rig.send(command));
        if answer.is_ok() {
            return Err(format!("accepted: {body}"));
        }
        if rig.state_hash() != before {
            return Err(format!("refused but changed the state: {body}"));
        }
    }
    // Which of the two is meant nobody knows, so a key that stands twice is refused in range too.
    let twice = filled(r#"{"command": "SET_TARGET", "value": {"$zone": 100, "$zone": 100}}"#);
    let answer = lenient_json(twice.as_bytes())
        .and_then(|value| parse_control(&value, &names))
        .and_then(|command| rig.send(command));
    if answer.is_ok() || rig.state_hash() != before {
        return Err(format!("accepted: {twice}"));
    }
    Ok(format!("{} bodies", HOSTILE.len() + 6))
}

fn restarts_with_latch(subject: &Subject, state: State) -> Result<String, String> {
    let mut rig = reach(subject, state, false);
    let _ = rig.command("EMERGENCY_STOP", &Value::Null);
    let latched = rig.journal().len();
    for _ in 0..3 {
        rig.run_for(100.0);
        rig.restart(Some(Unclean { energised: false }), false);
        let end = rig.now() + Micros::from_secs(100);
        while rig.now() < end {
            if let Some(what) = tripped(rig.tick()) {
                return Err(format!("{what} after a restart with a latched trip"));
            }
        }
        let refused = rig.command("SET_TARGET", &subject.every_zone(100.0));
        if !refused.is_err_and(|r| r.code == RefusalCode::AlarmActive) {
            return Err("heat was not refused after a restart with a latched trip".to_owned());
        }
    }
    if rig.snapshot().alarms.len() < latched {
        return Err("a latched alarm was lost in a restart".to_owned());
    }
    Ok(String::new())
}

fn restart_with_unread_latch(subject: &Subject, state: State) -> Result<String, String> {
    let mut rig = reach(subject, state, false);
    let config = rig.config().machine();
    let restored = Restored {
        latched: vec![RestoredAlarm {
            id: 1,
            code: AlarmCode::JournalUnreadable,
            cause: Cause::Unread(UnreadName::new("AN_ALARM_OF_TOMORROW")),
            wall: WallMillis::default(),
            acknowledged: false,
        }],
        next_alarm_id: 2,
        ..Restored::default()
    };
    rig.controller = Controller::new(config, MachineKind::Simulator, restored);
    for acknowledged in [false, true] {
        let end = rig.now() + Micros::from_secs(10);
        while rig.now() < end {
            if let Some(what) = tripped(rig.tick()) {
                return Err(format!("{what} with an alarm latched that nobody can read"));
            }
        }
        let heat = rig.command("SET_TARGET", &subject.every_zone(100.0));
        if !heat.is_err_and(|r| r.code == RefusalCode::AlarmActive) {
            return Err("heat was not refused".to_owned());
        }
        if rig.command("CLEAR_ALARM", &Value::Null).is_ok() != acknowledged {
            return Err(format!("clearing with acknowledged {acknowledged}"));
        }
        let _ = rig.command("ACKNOWLEDGE_ALARM", &json!({"alarm_id": "all"}));
    }
    Ok(String::new())
}

fn clean_restarts(subject: &Subject, state: State) -> Result<String, String> {
    let mut rig = reach(subject, state, false);
    for _ in 0..3 {
        rig.restart(None, false);
        stays_off(&mut rig, 190.0)?;
    }
    Ok(String::new())
}

fn emergency_at_any_tick(subject: &Subject, state: State) -> Result<String, String> {
    type Prelude = fn(&Subject, &mut Rig);
    const TICKS: u32 = 300;
    let preludes: [(&str, Prelude); 4] = [
        ("clear", |subject, rig| {
            let _ = rig.command("EMERGENCY_STOP", &Value::Null);
            rig.run_for(1.0);
            let _ = rig.command("CLEAR_ALARM", &Value::Null);
            let _ = rig.command("SET_TARGET", &subject.every_zone(WORKING));
        }),
        ("start", |_, rig| {
            let _ = rig.command("START", &Value::Null);
        }),
        ("tune", |subject, rig| {
            let tune = json!({"zone": subject.first(), "setpoint": WORKING});
            let _ = rig.command("TUNE_START", &tune);
        }),
        ("jog", |subject, rig| {
            let jog = json!({"motor": subject.screw(), "steps": 32000, "speed": 1000});
            let _ = rig.command("MOVE_MOTOR_STEPS", &jog);
        }),
    ];
    for (name, prelude) in preludes {
        for ticks in 0..TICKS {
            let mut rig = reach(subject, state, false);
            prelude(subject, &mut rig);
            for _ in 0..ticks {
                rig.tick();
            }
            let _ = rig.command("EMERGENCY_STOP", &Value::Null);
            let end = rig.now() + Micros::from_secs(3);
            while rig.now() < end {
                if let Some(what) = tripped(rig.tick()) {
                    return Err(format!("{what} after a stop {ticks} ticks into a {name}"));
                }
            }
        }
    }
    Ok(format!("{} moments", TICKS * 4))
}

fn converted_gains(subject: &Subject, state: State) -> Result<String, String> {
    let mut config = subject.config().clone();
    config.control.law = 1;
    let rig = reach(&subject.with(config), state, false);
    let note = rig.journal().iter().any(|a| a.record.code == AlarmCode::TuneNeeded);
    let heats = rig.snapshot().heater_duty.iter().all(|d| !d.is_zero());
    match (note, heats) {
        (true, true) => Ok(String::new()),
        (false, _) => Err("no note".to_owned()),
        (_, false) => Err("the note took the heat away".to_owned()),
    }
}

fn residence(subject: &Subject, state: State) -> Result<String, String> {
    const LIMIT_MIN: f64 = 5.0;
    let mut config = subject.config().clone();
    config.safety.residence_min = LIMIT_MIN;
    let mut rig = reach(&subject.with(config), state, false);
    let told = |rig: &Rig| rig.journal().iter().any(|a| a.record.code == AlarmCode::Residence);
    if told(&rig) {
        return Err("a note before its time".to_owned());
    }
    rig.run_for(LIMIT_MIN * 60.0);
    match (told(&rig), rig.snapshot().targets.iter().all(|t| !t.is_zero())) {
        (true, true) => Ok(String::new()),
        (false, _) => Err("no note".to_owned()),
        (_, false) => Err("the note took the heat away".to_owned()),
    }
}
