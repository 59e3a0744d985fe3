//! Control quality over a family of plants: the law in force beside the original's.
//!
//! One run: a cold machine is asked for 210 °C in every zone, holds it, gets shear heat from the
//! starting screw, then a draught. All temperatures are those of the metal of the first zone, °C.

mod original;

use crate::crew;
use crate::rig::{Rig, stops, temperature};
use crate::subject::{Subject, sensor_of, set_gains};
use core::fmt::Write;
use original::Original;
use serde::Serialize;
use serde_json::{Value, json};
use tve_config::{Config, PidGains};
use tve_control::TuneStatus;
use tve_hal::{Hardware, Inputs, Motor, MotorDrive, Outputs, PerZone, Zone};
use tve_sim::{FaultKind, SimHardware, SimPowers};
use tve_units::Micros;

/// Which law and gains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Law {
    /// The gains of the default configuration.
    Default,
    /// The gains of a tune on the plant itself.
    Tuned,
    /// The gains of the field, converted at start.
    Converted,
    /// The law of the original service with the gains of the field.
    Original,
}

impl Law {
    const ALL: [Self; 4] = [Self::Default, Self::Tuned, Self::Converted, Self::Original];

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Tuned => "tuned",
            Self::Converted => "converted",
            Self::Original => "original",
        }
    }
}

/// One plant under one law.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QualityRow {
    /// Gain of the plant as a share of the default's.
    pub gain: f64,
    /// Time constant as a share of the default's.
    pub time_constant: f64,
    /// Dead time, s.
    pub dead_time_s: f64,
    /// The law.
    pub law: Law,
    /// The first alarm that stopped the run, when one did.
    pub alarm: Option<&'static str>,
    /// Highest temperature above the target during the warm-up, °C.
    pub overshoot: f64,
    /// Until the zone stays within 0.5 °C of the target, s; none where it never does.
    pub settling_s: Option<f64>,
    /// Mean deviation from the target in the last five minutes before the disturbances, °C.
    pub steady_error: f64,
    /// Largest deviation while the screw starts, °C.
    pub screw_deviation: f64,
    /// Until it is back within 0.5 °C for good, s.
    pub screw_recovery_s: Option<f64>,
    /// Largest deviation in the draught, °C.
    pub draught_deviation: f64,
    /// Until it is back within 0.5 °C for good, s.
    pub draught_recovery_s: Option<f64>,
}

/// The field's gains, made for the original's law.
const FIELD: PidGains = PidGains { kp: 5.0, ki: 0.1, kd: 10.0 };
const TARGET: f64 = 210.0;
const BAND: f64 = 0.5;
/// The screw starts, s.
const SCREW_AT: usize = 3600;
/// The draught begins, s.
const DRAUGHT_AT: usize = SCREW_AT + 1800;
const END: usize = DRAUGHT_AT + 1800;
/// The steady error is the mean of this long, s.
const STEADY: usize = 300;
/// The zone that is looked at.
const FIRST: Zone = Zone::at(0);
const SCREW_RPM: f64 = 60.0;
/// The draught of an open door, see the simulator's fault of that name, °C.
const DRAUGHT: f64 = 15.0;
/// Longest tune, s.
const TUNE_PATIENCE: usize = 3 * 3600;

/// The family: gain and time constant as shares of the default's, dead time in s.
const GAINS: [f64; 3] = [0.7, 1.0, 2.0];
const TIME_CONSTANTS: [f64; 3] = [0.5, 1.0, 2.0];
const DEAD_TIMES: [f64; 3] = [5.0, 15.0, 40.0];

#[derive(Clone, Copy)]
struct Job {
    gain: f64,
    time_constant: f64,
    dead_time: f64,
    law: Law,
}

/// Measures every plant of the family of a machine under every law. `progress(done, total)` counts
/// runs.
pub fn control_quality(subject: &Subject, progress: impl FnMut(usize, usize)) -> Vec<QualityRow> {
    let mut jobs = Vec::new();
    for gain in GAINS {
        for time_constant in TIME_CONSTANTS {
            for dead_time in DEAD_TIMES {
                for law in Law::ALL {
                    jobs.push(Job { gain, time_constant, dead_time, law });
                }
            }
        }
    }
    crew::work(&jobs, progress, |job| measure(subject, job))
}

fn configuration(subject: &Subject, job: &Job) -> Config {
    let mut config = subject.config().clone();
    config.plant.gain *= job.gain;
    config.plant.time_constant *= job.time_constant;
    config.plant.dead_time = job.dead_time;
    // Nobody moves the screw of a machine that is only looked at.
    config.safety.idle_setback_min = 0.0;
    config.safety.idle_off_min = 0.0;
    match job.law {
        Law::Default => {}
        Law::Tuned => {
            if let Some(gains) = tuned(&subject.with(config.clone())) {
                set_gains(&mut config, gains);
            }
        }
        Law::Converted | Law::Original => {
            set_gains(&mut config, FIELD);
            config.control.law = 1;
        }
    }
    config
}

/// The gains that a tune of the first zone finds; the zones of a plant are alike.
fn tuned(subject: &Subject) -> Option<PidGains> {
    let mut rig = Rig::new(subject.config());
    rig.run_for(1.0);
    let mut others = subject.every_zone(TARGET);
    others.as_object_mut()?.remove(subject.first());
    if subject.zones().count() > 1 {
        rig.command("SET_TARGET", &others).ok()?;
    }
    rig.command("TUNE_START", &json!({"zone": subject.first(), "setpoint": TARGET})).ok()?;
    for _ in 0..TUNE_PATIENCE {
        rig.run_for(1.0);
        let tune = rig.snapshot().tune;
        match tune.status {
            TuneStatus::Done => {
                return tune.result.map(|r| PidGains { kp: r.kp, ki: r.ki, kd: r.kd });
            }
            TuneStatus::Failed => return None,
            TuneStatus::Idle | TuneStatus::Starting | TuneStatus::Heating | TuneStatus::Cooling => {
            }
        }
    }
    None
}

fn measure(subject: &Subject, job: &Job) -> QualityRow {
    let subject = subject.with(configuration(subject, job));
    let (trace, alarm) = match job.law {
        Law::Original => (original_run(&subject), None),
        Law::Default | Law::Tuned | Law::Converted => run(&subject),
    };
    let worst = |span: &[f64]| span.iter().map(|t| (t - TARGET).abs()).fold(0.0, f64::max);
    let highest = trace[..SCREW_AT].iter().copied().fold(f64::MIN, f64::max);
    let steady = &trace[SCREW_AT - STEADY..SCREW_AT];
    QualityRow {
        gain: job.gain,
        time_constant: job.time_constant,
        dead_time_s: job.dead_time,
        law: job.law,
        alarm,
        overshoot: (highest - TARGET).max(0.0),
        settling_s: settled(&trace[..SCREW_AT]),
        steady_error: steady.iter().sum::<f64>() / steady.len() as f64 - TARGET,
        screw_deviation: worst(&trace[SCREW_AT..DRAUGHT_AT]),
        screw_recovery_s: settled(&trace[SCREW_AT..DRAUGHT_AT]),
        draught_deviation: worst(&trace[DRAUGHT_AT..END]),
        draught_recovery_s: settled(&trace[DRAUGHT_AT..END]),
    }
}

/// Seconds until the trace stays in the band for good.
fn settled(trace: &[f64]) -> Option<f64> {
    let outside = trace.iter().rposition(|t| (t - TARGET).abs() > BAND);
    match outside {
        None => Some(0.0),
        Some(last) if last + 1 < trace.len() => Some((last + 1) as f64),
        Some(_) => None,
    }
}

/// Metal of the first zone once a second under the controller, and the first alarm that stopped something.
fn run(subject: &Subject) -> (Vec<f64>, Option<&'static str>) {
    let mut rig = Rig::new(subject.config());
    let sensor = sensor_of(subject.machine(), FIRST);
    rig.run_for(1.0);
    // The machine is fresh and idle: nothing there to refuse a target.
    let _ = rig.command("SET_TARGET", &subject.every_zone(TARGET));
    let trace = (0..END)
        .map(|second| {
            if second == SCREW_AT {
                let _ =
                    rig.command("SET_MOTOR", &json!({"motor": subject.screw(), "rpm": SCREW_RPM}));
            }
            if second == DRAUGHT_AT {
                let _ = rig.command("STOP", &Value::Null);
                rig.inject(FaultKind::DoorDraught { celsius: DRAUGHT }, None);
            }
            rig.run_for(1.0);
            rig.machine.true_temperature(sensor)
        })
        .collect();
    (trace, rig.raised.iter().find(|alarm| stops(alarm)).map(|alarm| alarm.code.name()))
}

/// The same under the original's law, without any controller of ours.
fn original_run(subject: &Subject) -> Vec<f64> {
    const TICK: Micros = Micros::from_millis(10);
    const TICKS_A_SECOND: usize = 100;
    let config = subject.machine();
    let mut machine = SimHardware::new(subject.config());
    let mut inputs = Inputs::unread(config.motors.len(), config.sensors.len());
    let mut laws: PerZone<Option<Original>> =
        config.zones.map(|_, _| Some(Original::new(FIELD, TARGET)));
    let screw = config.screw().unwrap_or(Motor::at(0));
    let mut now = Micros::ZERO;
    let mut steps_per_second = 0.0;
    (0..END)
        .map(|second| {
            if second == SCREW_AT {
                steps_per_second = SCREW_RPM * f64::from(config.motors[screw].microsteps) / 60.0;
            }
            if second == DRAUGHT_AT {
                steps_per_second = 0.0;
                let from = machine.elapsed();
                let kind = FaultKind::DoorDraught { celsius: DRAUGHT };
                machine.inject(tve_sim::Fault { kind, from, until: None });
            }
            for _ in 0..TICKS_A_SECOND {
                now = now + TICK;
                // A simulated machine is never lost.
                let _ = machine.read(now, &mut inputs);
                let off = Outputs::off(config.zones.len(), config.motors.len());
                let mut outputs = Outputs { contactor: true, ..off };
                for zone in config.zones.ids() {
                    let Some(law) = &mut laws[zone] else { continue };
                    let reading = temperature(&inputs, config, sensor_of(config, zone));
                    outputs.heaters[zone] = law.tick(now, reading);
                }
                if steps_per_second > 0.0 {
                    let rate = tve_units::StepRate::clamped(steps_per_second);
                    outputs.motors[screw] = MotorDrive::Run(rate);
                }
                let _ = machine.apply(now, &outputs);
            }
            machine.true_temperature(sensor_of(config, FIRST))
        })
        .collect()
}

/// The table as Markdown.
pub fn markdown(rows: &[QualityRow]) -> String {
    let mut text = String::from(
        "Cold to 210 °C, then screw start at 60 rpm, then a draught of 15 °C. Gain and time \
         constant as shares of the default plant's. Settled and recovered: within 0.5 °C for \
         good.\n\n\
         | Gain | Time constant | Dead time | Law | Overshoot | Settling | Steady error | Screw \
         start | recovered | Draught | recovered | Alarm |\n\
         | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    let time = |s: Option<f64>| s.map_or_else(|| "never".to_owned(), |s| format!("{s:.0} s"));
    for row in rows {
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} s | {} | {:.2} °C | {} | {:+.2} °C | {:.2} °C | {} | {:.2} °C | {} | {} |",
            row.gain,
            row.time_constant,
            row.dead_time_s,
            row.law.name(),
            row.overshoot,
            time(row.settling_s),
            row.steady_error,
            row.screw_deviation,
            time(row.screw_recovery_s),
            row.draught_deviation,
            time(row.draught_recovery_s),
            row.alarm.unwrap_or_default()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT_PLANT: Job =
        Job { gain: 1.0, time_constant: 1.0, dead_time: 15.0, law: Law::Default };

    #[test]
    fn on_the_default_plant_the_default_gains_keep_what_is_promised() {
        let row = measure(&Subject::embedded(), &DEFAULT_PLANT);
        assert!(row.overshoot <= 2.0, "{row:?}");
        assert!(row.settling_s.is_some_and(|s| s <= 1200.0), "{row:?}");
        assert!(row.steady_error.abs() <= 0.1, "{row:?}");
    }

    #[test]
    fn the_law_of_the_original_overshoots_or_stays_off_its_target() {
        let row = measure(&Subject::embedded(), &Job { law: Law::Original, ..DEFAULT_PLANT });
        assert!(row.settling_s.is_none(), "{row:?}");
        assert!(row.overshoot >= 5.0 || row.steady_error.abs() >= 2.0, "{row:?}");
    }
}
