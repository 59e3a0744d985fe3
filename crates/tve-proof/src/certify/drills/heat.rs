//! Drills of what gives heat: what locks a zone, and what carries its current.

use super::super::states::{State, WORKING, reach};
use crate::subject::{Subject, fit_contactor};
use State::{Alarm, Cold, Heating, Holding, Idle, Manual, Running, Stopping, Tuning};
use serde_json::{Value, json};
use tve_control::AlarmCode;
use tve_hal::{Signal, Zone};
use tve_sim::{FaultKind, SimPowers};
use tve_units::Micros;

pub(super) fn lock_and_release(subject: &Subject, state: State) -> Result<String, String> {
    /// The zone cools out of its band, and the alarm's own time.
    const FOUND_S: f64 = 400.0;
    let mut rig = reach(subject, state, false);
    let zone = Zone::at(0);
    let heat = subject.every_zone(WORKING);
    rig.inject(FaultKind::HeaterDead(zone), None);
    for locked in [false, true] {
        let _ = rig.command("SET_TARGET", &heat);
        rig.run_for(FOUND_S);
        let latched = |code| rig.journal().iter().any(|alarm| alarm.record.code == code);
        if !latched(AlarmCode::HeaterNotHeating) || latched(AlarmCode::ZoneLocked) != locked {
            return Err(format!("the {} time", if locked { "second" } else { "first" }));
        }
        let cleared = rig.command("CLEAR_ALARM", &Value::Null).is_ok();
        if cleared == locked {
            return Err("CLEAR_ALARM".to_owned());
        }
    }
    rig.restart(None, false);
    rig.run_for(2.0);
    if rig.command("SET_TARGET", &heat).is_ok() {
        return Err("the lock did not survive the restart".to_owned());
    }
    let name = subject.zone_names()[0];
    let release = json!({"zone": name, "reason": "heater band replaced"});
    rig.command("RELEASE_ZONE", &release).map_err(|refusal| refusal.to_string())?;
    rig.command("SET_TARGET", &heat).map_err(|refusal| refusal.to_string())?;
    Ok(String::new())
}

pub(super) fn contactor_welded(subject: &Subject, state: State) -> Result<String, String> {
    let mut config = subject.config().clone();
    fit_contactor(&mut config);
    let mut rig = reach(&subject.with(config), state, false);
    if rig.controller.machine().signals.pin(Signal::ContactorFeedback).is_none() {
        return Err("no pin is free for the auxiliary contact".to_owned());
    }
    rig.inject(FaultKind::ContactorWelded, None);
    rig.run_for(2.0);
    if rig.journal().iter().any(|alarm| alarm.record.code == AlarmCode::ContactorWelded) {
        return Err("raised while the contactor is closed anyway".to_owned());
    }
    let (name, value) = match state {
        Cold | Idle => ("SET_TARGET", subject.every_zone(WORKING)),
        Heating | Holding | Running | Tuning | Stopping | Manual | Alarm => {
            ("EMERGENCY_STOP", Value::Null)
        }
    };
    rig.command(name, &value).map_err(|refusal| refusal.to_string())?;
    let end = rig.now() + Micros::from_secs_f64(AlarmCode::ContactorWelded.row().within_s);
    while rig.now() < end {
        if rig.tick().heaters.iter().any(|on| *on) {
            return Err("heated through a contactor that is not proved".to_owned());
        }
    }
    if !rig.journal().iter().any(|alarm| alarm.record.code == AlarmCode::ContactorWelded) {
        return Err(format!("not raised within 1 s of {name}"));
    }
    if rig.command("CLEAR_ALARM", &Value::Null).is_ok() {
        return Err("cleared while it is closed".to_owned());
    }
    rig.machine.clear_faults();
    rig.run_for(1.0);
    rig.command("CLEAR_ALARM", &Value::Null).map_err(|refusal| refusal.to_string())?;
    let heat = subject.every_zone(WORKING);
    rig.command("SET_TARGET", &heat).map_err(|refusal| refusal.to_string())?;
    rig.run_for(60.0);
    if !rig.journal().is_empty() || rig.snapshot().heater_duty.iter().all(|duty| duty.is_zero()) {
        return Err("no heat through a contactor that follows".to_owned());
    }
    Ok(String::new())
}
