//! A reading that stands still: a quiet converter on a zone that is held well raises no alarm for as
//! long as anybody likes, and a converter that hangs is found as soon as the heat changes.

use serde_json::json;
use tve_config::Config;
use tve_control::{AlarmCode, AlarmRecord};
use tve_hal::Sensor;
use tve_rig::Rig;
use tve_sim::FaultKind;

const T2: Sensor = Sensor::at(1);
/// Barrels: rise at full duty, °C, and time constant, s. The configuration knows the second of them.
const BARRELS: [(f64, f64); 4] = [(344.0, 600.0), (430.0, 600.0), (700.0, 980.0), (1500.0, 2100.0)];
/// Fixed resistors of the divider, ohm: the field's, and the default one.
const DIVIDERS: [f64; 2] = [1000.0, 4700.0];

/// A machine whose controller knows the divider and nothing else of the plant.
fn machine((gain, time_constant): (f64, f64), r_fixed: f64, noise: f64) -> Rig {
    let mut config = Config::embedded();
    config.plant.gain = gain;
    config.plant.time_constant = time_constant;
    config.plant.noise_lsb = noise;
    config.plant.r_fixed = r_fixed;
    for channel in 0..4 {
        config.sensors[channel].r_fixed = r_fixed;
    }
    config.safety.idle_setback_min = 0.0;
    config.safety.idle_off_min = 0.0;
    Rig::new(&config)
}

fn hold(rig: &mut Rig, celsius: f64) {
    rig.command("SET_TARGET", &json!({"z1": celsius, "z2": celsius})).unwrap();
}

fn of_sensors(rig: &Rig) -> Vec<String> {
    let of_sensor = |alarm: &&AlarmRecord| {
        matches!(alarm.code, AlarmCode::SensorFrozen | AlarmCode::HeaterSensorFailure)
    };
    rig.raised.iter().filter(of_sensor).map(ToString::to_string).collect()
}

#[test]
fn a_zone_that_is_held_well_is_never_frozen_however_quiet_its_converter() {
    for barrel in BARRELS {
        for r_fixed in DIVIDERS {
            for noise in [0.0, 0.5, 3.0] {
                let mut rig = machine(barrel, r_fixed, noise);
                rig.soak(200.0);
                rig.run_for(2.0);
                for target in [205.0, 180.0, 0.0] {
                    hold(&mut rig, target);
                    rig.run_for(1200.0);
                    let raised = of_sensors(&rig);
                    assert!(
                        raised.is_empty(),
                        "{barrel:?}, {r_fixed} ohm, {noise} LSB, {target} °C: {raised:?}"
                    );
                }
            }
        }
    }
}

/// Seconds until the alarm, from the fault and a new target on; none within three minutes.
fn found_after(rig: &mut Rig, target: Option<f64>) -> Option<f64> {
    rig.inject(FaultKind::SensorFrozen(T2), None);
    let since = rig.now();
    if let Some(target) = target {
        hold(rig, target);
    }
    rig.run_for(180.0);
    let frozen = |alarm: &&AlarmRecord| alarm.code == AlarmCode::SensorFrozen;
    rig.raised.iter().find(frozen).map(|alarm| alarm.raised_at.since(since).secs())
}

#[test]
fn a_converter_that_hangs_is_found_while_the_zone_warms_up_and_when_its_target_changes() {
    for barrel in BARRELS {
        for r_fixed in DIVIDERS {
            for noise in [0.0, 3.0] {
                let what = format!("{barrel:?}, {r_fixed} ohm, {noise} LSB");
                let mut rig = machine(barrel, r_fixed, noise);
                rig.soak(100.0);
                rig.run_for(2.0);
                hold(&mut rig, 220.0);
                rig.run_for(75.0);
                let after = found_after(&mut rig, None);
                assert!(after.is_some_and(|s| s < 35.0), "{what}, warming up: {after:?}");
                for (target, within) in [(240.0, 60.0), (150.0, 75.0)] {
                    let mut rig = machine(barrel, r_fixed, noise);
                    rig.soak(200.0);
                    rig.run_for(2.0);
                    hold(&mut rig, 200.0);
                    rig.run_for(900.0);
                    let after = found_after(&mut rig, Some(target));
                    assert!(after.is_some_and(|s| s < within), "{what}, {target} °C: {after:?}");
                }
            }
        }
    }
}
