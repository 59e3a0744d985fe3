//! The machine of `config/machines/four-zone.json` under the controller: it boots, heats, turns and
//! stops, and no line of code knows it.

use serde_json::json;
use tve_config::Config;
use tve_control::{AlarmCode, Snapshot, Status};
use tve_hal::{Motor, Zone};
use tve_rig::Rig;
use tve_sim::{FaultKind, SimPowers};

const FOUR_ZONES: &str = include_str!("../../../config/machines/four-zone.json");
const TARGET: f64 = 200.0;

fn rig() -> Rig {
    Rig::new(&Config::parse(FOUR_ZONES).unwrap())
}

fn heat(rig: &mut Rig) {
    let targets = json!({"z1": TARGET, "z2": TARGET, "z3": TARGET, "z4": TARGET});
    rig.command("SET_TARGET", &targets).unwrap();
}

/// A machine that holds its targets.
fn holding() -> Rig {
    let mut rig = rig();
    rig.soak(TARGET);
    rig.run_for(2.0);
    heat(&mut rig);
    rig.run_for(60.0);
    rig
}

fn motor(rig: &Rig, name: &str) -> Motor {
    rig.names().motor(name).unwrap()
}

fn rpm(shown: &Snapshot, motor: Motor) -> f64 {
    shown.motors_actual[motor].get()
}

#[test]
fn it_heats_its_zones_to_their_targets_from_cold_without_an_alarm() {
    let mut rig = rig();
    rig.run_for(2.0);
    heat(&mut rig);
    let mut hottest = 0.0_f64;
    for second in 0..1740 {
        // Somebody is there: nobody has to be told that the heat is about to be turned down.
        if second == 900 {
            rig.command("SET_FILL_TARGET", &json!({"level": 10})).unwrap();
        }
        rig.run_for(1.0);
        let shown = rig.snapshot();
        let values = shown.readings.iter().filter_map(|reading| reading.value());
        hottest = values.fold(hottest, |hottest, t| hottest.max(t.get()));
    }
    let shown = rig.snapshot();
    for (zone, target) in shown.targets.entries() {
        let sensor = rig.controller.machine().zones[zone].sensor;
        let t = shown.readings[sensor].value().unwrap().get();
        assert!((t - target.get()).abs() <= 0.5, "{zone:?} stands at {t}");
        let truth = rig.machine.true_temperature(sensor);
        assert!((truth - TARGET).abs() <= 1.0, "{zone:?} reads {t} at {truth}");
    }
    assert_eq!(shown.targets.len(), 4);
    assert!(hottest <= TARGET + 5.0, "{hottest}");
    assert!(rig.raised.is_empty(), "{:?}", rig.raised);
}

#[test]
fn start_turns_screw_and_puller_and_stop_brings_both_to_rest() {
    let mut rig = holding();
    let (screw, puller) = (motor(&rig, "main"), motor(&rig, "puller"));
    assert_eq!(rig.snapshot().permissives.conditions.len(), 8);
    rig.command("START", &json!(null)).unwrap();
    rig.run_for(20.0);
    let shown = rig.snapshot();
    assert_eq!(shown.status, Status::Running);
    assert!(rpm(&shown, screw) > 0.0 && rpm(&shown, puller) > 0.0);
    assert!(rig.machine.steps_done(screw) > 0 && rig.machine.steps_done(puller) > 0);
    rig.command("STOP", &json!(null)).unwrap();
    rig.run_for(20.0);
    let shown = rig.snapshot();
    assert_eq!(shown.status, Status::Ready);
    assert_eq!((rpm(&shown, screw), rpm(&shown, puller)), (0.0, 0.0));
    assert!(rig.raised.is_empty(), "{:?}", rig.raised);
}

#[test]
fn a_stop_by_an_alarm_halts_the_screw_and_then_the_puller_within_two_seconds() {
    for speed in [5.0, 60.0, 120.0] {
        let mut rig = holding();
        let (screw, puller) = (motor(&rig, "main"), motor(&rig, "puller"));
        for name in ["main", "puller"] {
            rig.command("SET_MOTOR", &json!({"motor": name, "rpm": speed})).unwrap();
        }
        rig.run_for(20.0);
        rig.inject(FaultKind::DriveAlarm, None);
        let mut stood = [None; 2];
        for tick in 0..300 {
            rig.tick();
            let shown = rig.snapshot();
            for (at, motor) in stood.iter_mut().zip([screw, puller]) {
                if rpm(&shown, motor) == 0.0 {
                    at.get_or_insert(tick);
                }
            }
        }
        let [Some(screw), Some(puller)] = stood else { panic!("{stood:?} at {speed} rpm") };
        assert!(screw <= puller && puller <= 202, "{stood:?} ticks at {speed} rpm");
    }
}

#[test]
fn the_sensor_of_a_zone_that_breaks_trips_that_zone_alone() {
    for zone in (0..4).map(Zone::at) {
        let mut rig = holding();
        let sensor = rig.controller.machine().zones[zone].sensor;
        rig.inject(FaultKind::SensorOpen(sensor), None);
        rig.run_for(3.0);
        let raised: Vec<_> = rig.raised.iter().map(|alarm| (alarm.code, alarm.zone())).collect();
        assert_eq!(raised, [(AlarmCode::HeaterSensorFailure, Some(zone))]);
        let name = rig.controller.machine().sensors[sensor].name;
        let sentence = rig.raised[0].to_string();
        assert!(sentence.starts_with(&format!("Sensor {name} is open")), "{sentence}");
        for (other, target) in rig.snapshot().targets.entries() {
            assert_eq!(target.get(), if other == zone { 0.0 } else { TARGET }, "{other:?}");
        }
        let names = rig.names();
        let again = |zone: Zone| json!({names.zones[zone].as_str(): 150.0});
        let (refused, allowed) = (again(zone), again(Zone::at((zone.index() + 1) % 4)));
        assert!(rig.command("SET_TARGET", &refused).is_err());
        assert!(rig.command("SET_TARGET", &allowed).is_ok());
    }
}

#[test]
fn the_first_warm_up_heats_each_zone_but_the_last_alone() {
    let mut rig = rig();
    rig.run_for(2.0);
    heat(&mut rig);
    for alone in 0..3 {
        rig.run_for(40.0);
        let duties = rig.snapshot().heater_duty;
        let heated = duties.entries().filter(|(_, duty)| !duty.is_zero());
        assert_eq!(heated.map(|(zone, _)| zone.index()).collect::<Vec<_>>(), [alone]);
        rig.run_for(5.0);
    }
    rig.run_for(5.0);
    assert!(rig.snapshot().heater_duty.iter().all(|duty| !duty.is_zero()));
}

#[test]
fn what_it_does_not_have_is_refused_as_ever() {
    let mut rig = holding();
    for (name, value, msg) in [
        ("SET_HEATER", json!({"zone": "z5", "duty": 10}), "INVALID_VALUE:zone"),
        ("SET_MOTOR", json!({"motor": "feed", "rpm": 10}), "INVALID_VALUE:motor"),
        ("SET_MOTOR", json!({"motor": "puller", "rpm": 121}), "INVALID_VALUE:rpm"),
        ("STOP_MANUAL_MOVE", json!({"motor": "feed"}), "INVALID_MOTOR"),
        ("SET_TARGET", json!({"z4": 261}), "INVALID_VALUE:z4"),
        ("TUNE_START", json!({"zone": "z4", "setpoint": 246}), "INVALID_SETPOINT"),
        ("UPDATE_PID", json!({"zone": "z9", "params": {}}), "INVALID_ZONE_OR_PARAMS"),
        (
            "SET_SENSOR_CALIBRATION",
            json!({"params": {"channel": 9, "decimals": 1}}),
            "INVALID_SENSOR_CHANNEL",
        ),
        (
            "UPDATE_EXTRUDER_SEQ",
            json!({"sequence": {"startup": [{"device": "feed_motor"}]}}),
            "INVALID_VALUE:extruder_sequence.startup[4].device",
        ),
    ] {
        let refusal = rig.command(name, &value).expect_err(name);
        assert_eq!(refusal.msg(), msg, "{name} {value}");
    }
    rig.command("SET_TARGET", &json!({"z4": 260})).unwrap();
    let gains = json!({"zone": "z4", "params": {"kp": 2.5}});
    rig.command("UPDATE_PID", &gains).unwrap();
    assert_eq!(rig.config().gains(Zone::at(3)).unwrap().kp, 2.5);
}
