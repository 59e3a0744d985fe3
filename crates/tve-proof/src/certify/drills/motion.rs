//! Drills of what turns: in which order it stops, and by when.

use super::super::case::POLLING_S;
use super::super::states::{State, reach};
use crate::rig::{Rig, is_moving};
use crate::subject::{Subject, has_feeder};
use serde_json::{Value, json};
use tve_config::MotorRole;
use tve_control::AlarmCode;
use tve_hal::{MotorDrive, Outputs};
use tve_sim::FaultKind;
use tve_units::Micros;

/// Longer than any stop of a running machine takes by its own sequence, s.
const WATCHED_S: f64 = 12.0;
/// Speed after a reversal, rpm.
const REVERSED: f64 = -60.0;

/// Rate of what turns something of a role, steps/s; zero where nothing does.
fn running(outputs: &Outputs, subject: &Subject, role: MotorRole) -> f64 {
    let motors = subject.machine().motors.entries().filter(|(_, motor)| motor.role == role);
    let rates = motors.map(|(id, _)| match outputs.motors[id] {
        MotorDrive::Run(rate) => rate.get(),
        MotorDrive::Disabled | MotorDrive::Jog { .. } => 0.0,
    });
    rates.sum()
}

/// Whatever brings the screw to rest, the feed rests first.
pub(super) fn feed_first(subject: &Subject, state: State) -> Result<String, String> {
    type Order = fn(&Subject, &mut Rig);
    let orders: [(&str, Order); 5] = [
        ("the screw set to 0", |subject, rig| {
            let _ = rig.command("SET_MOTOR", &json!({"motor": subject.screw(), "rpm": 0}));
        }),
        ("the screw reversed", |subject, rig| {
            let _ = rig.command("SET_MOTOR", &json!({"motor": subject.screw(), "rpm": REVERSED}));
        }),
        ("a stop", |_, rig| {
            let _ = rig.command("STOP", &Value::Null);
        }),
        ("a stop whose sequence takes the screw off first", |subject, rig| {
            let first = format!("{}_motor", subject.screw());
            let shutdown = json!([{"device": first, "action": "off", "delay": 0}]);
            let sequence = json!({"sequence": {"shutdown": shutdown}});
            let _ = rig.command("UPDATE_EXTRUDER_SEQ", &sequence);
            let _ = rig.command("STOP", &Value::Null);
        }),
        ("a drive alarm", |_, rig| {
            rig.inject(FaultKind::DriveAlarm, Some(Micros::from_millis(20)));
        }),
    ];
    if !has_feeder(subject.machine()) {
        return Ok("no feeder".to_owned());
    }
    for (name, order) in orders {
        let turned_round = name == orders[1].0;
        let mut rig = reach(subject, state, false);
        order(subject, &mut rig);
        let end = rig.now() + Micros::from_secs_f64(WATCHED_S);
        let before = running(rig.controller.outputs(), subject, MotorRole::Screw);
        while rig.now() < end {
            let outputs: Outputs = *rig.tick();
            let feed = running(&outputs, subject, MotorRole::Feeder);
            let screw = running(&outputs, subject, MotorRole::Screw);
            let reversed = screw < 0.0 && turned_round;
            if feed != 0.0 && screw < before && !reversed {
                let at = rig.now().secs();
                return Err(format!("{name}: the feed turns at {at:.2} s, the screw slows down"));
            }
        }
        if is_moving(rig.controller.outputs()) != turned_round {
            return Err(format!("{name}: not what was asked for after {WATCHED_S} s"));
        }
    }
    Ok(format!("{} ways to stop", orders.len()))
}

/// A stop sequence that nobody would wait for, s.
const FOR_EVER_S: f64 = 3600.0;
/// Somebody presses about while the machine stops, this often, s.
const NAGGING_S: f64 = 0.5;

/// STOP ends in its time, whatever its sequence says and whoever touches the feeder meanwhile.
pub(super) fn stop_in_time(subject: &Subject, state: State) -> Result<String, String> {
    let mut rig = reach(subject, state, false);
    let machine = subject.machine();
    let limit = machine.safety.stop_max_s;
    let names = subject.motor_names();
    let late = |name: &&str| json!({"device": format!("{name}_motor"), "action": "off", "delay": FOR_EVER_S});
    let shutdown: Vec<Value> = names.iter().map(late).collect();
    let sequence = json!({"sequence": {"shutdown": shutdown}});
    rig.command("UPDATE_EXTRUDER_SEQ", &sequence).map_err(|r| r.to_string())?;
    rig.command("STOP", &Value::Null).map_err(|r| r.to_string())?;
    let end = rig.now() + Micros::from_secs_f64(limit);
    let last_step = rig.now() + Micros::from_secs_f64(machine.safety.last_stop_step_s());
    while rig.now() < last_step {
        for name in &names {
            let revived = rig.command("SET_MOTOR", &json!({"motor": name, "rpm": 30}));
            if revived.is_ok() {
                return Err(format!("{name} was set while the machine stopped"));
            }
        }
        rig.run_for(NAGGING_S);
    }
    rig.run_for(end.since(rig.now()).secs());
    rig.run_for(POLLING_S);
    if is_moving(rig.controller.outputs()) {
        return Err(format!("a motor turns {limit} s after a stop"));
    }
    Ok(format!("{limit} s"))
}

/// A press of a button, s.
const PRESS_S: f64 = 0.1;
/// After a stop everything stands, s.
const AT_REST_S: f64 = 2.0;

/// A stop button that locks: nothing from afar turns a motor until somebody releases it there.
pub(super) fn local_stop(subject: &Subject, state: State) -> Result<String, String> {
    let mut config = subject.config().clone();
    config.safety.local_stop = true;
    let mut rig = reach(&subject.with(config), state, false);
    let press = |rig: &mut Rig, button: FaultKind| {
        rig.inject(button, Some(Micros::from_secs_f64(PRESS_S)));
        rig.run_for(2.0 * PRESS_S);
    };
    press(&mut rig, FaultKind::ButtonStop);
    if !rig.journal().iter().any(|alarm| alarm.record.code == AlarmCode::LocalStop) {
        return Err("no alarm".to_owned());
    }
    rig.run_for(AT_REST_S);
    for restarts in 0..2 {
        let turn = json!({"motor": subject.screw(), "rpm": 30});
        let jog = json!({"motor": subject.screw(), "steps": 10});
        for (name, value) in [
            ("CLEAR_ALARM", &Value::Null),
            ("START", &Value::Null),
            ("SET_MOTOR", &turn),
            ("MOVE_MOTOR_STEPS", &jog),
        ] {
            if rig.command(name, value).is_ok() {
                return Err(format!("{name} was taken after {restarts} restarts"));
            }
        }
        if is_moving(rig.controller.outputs()) {
            return Err(format!("a motor turns after {restarts} restarts"));
        }
        rig.restart(None, false);
        rig.run_for(AT_REST_S);
    }
    press(&mut rig, FaultKind::ButtonStart);
    rig.run_for(AT_REST_S);
    if is_moving(rig.controller.outputs()) {
        return Err("the release has started a motor".to_owned());
    }
    rig.command("START", &Value::Null).map_err(|r| format!("released, and START refused: {r}"))?;
    Ok(String::new())
}
