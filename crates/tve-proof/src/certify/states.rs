//! The machine states in which a fault can strike, and the way into each.

use crate::rig::Rig;
use crate::subject::{Subject, is_screw};
use serde::Serialize;
use serde_json::{Value, json};
use tve_control::TuneStatus;

/// A state of the machine, reached by commands on a fresh controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// At room temperature, nothing on.
    Cold,
    /// A hot barrel, nothing on for a minute.
    Idle,
    /// On the way to the target.
    Heating,
    /// At the target.
    Holding,
    /// At the target, every motor turning.
    Running,
    /// The relay of an autotune swings the first zone; the others hold.
    Tuning,
    /// The stop sequence of a running machine has begun.
    Stopping,
    /// Heated by hand.
    Manual,
    /// Tripped by an emergency stop while hot.
    Alarm,
}

impl State {
    /// The states that a hot machine can be in.
    pub(crate) const HOT: &'static [Self] = &[
        Self::Idle,
        Self::Heating,
        Self::Holding,
        Self::Running,
        Self::Tuning,
        Self::Stopping,
        Self::Manual,
        Self::Alarm,
    ];

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Idle => "idle",
            Self::Heating => "heating",
            Self::Holding => "holding",
            Self::Running => "running",
            Self::Tuning => "tuning",
            Self::Stopping => "stopping",
            Self::Manual => "manual",
            Self::Alarm => "alarm",
        }
    }

    /// Temperature of the barrel at the start, °C.
    pub(crate) const fn start_temp(self) -> f64 {
        match self {
            Self::Cold => ROOM,
            Self::Heating => HALF_WAY,
            Self::Manual => HAND_HELD,
            Self::Idle
            | Self::Holding
            | Self::Running
            | Self::Tuning
            | Self::Stopping
            | Self::Alarm => WORKING,
        }
    }
}

const ROOM: f64 = 23.0;
const HALF_WAY: f64 = 100.0;
/// Where [`MANUAL_DUTY`] holds the default plant, °C.
const HAND_HELD: f64 = 195.0;
const MANUAL_DUTY: f64 = 40.0;
/// Working temperature and target of a holding machine, °C.
pub(crate) const WORKING: f64 = 200.0;
/// Target while heating up, °C.
pub(crate) const HIGH: f64 = 220.0;
/// Peltier duty in every state, %, so that a trip has something to switch off.
const PELTIER: f64 = 40.0;
/// Speed of the screw and of the other motors, rpm.
const SCREW_RPM: f64 = 120.0;
const OTHERS_RPM: f64 = 60.0;
/// Long enough for what a state needs to be true, s: zero duty for a minute, a target reached, the
/// warm-up pulse of the first of two zones over.
const SETTLE: f64 = 75.0;
/// The pulse of each further zone but the last, s.
pub(crate) const PULSE: f64 = 45.0;
/// Until a target that was set onto the reading counts as reached, s.
const REACHED: f64 = 150.0;
/// Longest wait for the relay of a tune, s.
const TUNE_PATIENCE: u32 = 1500;
/// Into the first swing of the relay, s.
const INTO_RELAY: f64 = 60.0;
/// Until both ramps have reached their speeds, s.
const RAMPS: f64 = 10.0;
/// Into the stop sequence, s: the feeder slows down, the screw still turns.
const INTO_STOP: f64 = 0.2;
/// After the emergency stop, s.
const INTO_ALARM: f64 = 3.0;

/// A machine in `state`; with a healthy twin when asked for.
pub(crate) fn reach(subject: &Subject, state: State, twin: bool) -> Rig {
    let mut rig = Rig::new(subject.config());
    if twin {
        rig = rig.with_twin();
    }
    rig.soak(state.start_temp());
    rig.run_for(1.0);
    order(&mut rig, "SET_PELTIER", &json!({"duty": PELTIER}));
    match state {
        State::Cold | State::Idle => rig.run_for(SETTLE),
        State::Heating => {
            order(&mut rig, "SET_TARGET", &subject.every_zone(HIGH));
            let further = subject.zones().count().saturating_sub(2);
            rig.run_for(SETTLE + PULSE * further as f64);
        }
        State::Manual => {
            order(&mut rig, "SET_MODE", &json!({"mode": "MANUAL"}));
            for zone in subject.zone_names() {
                order(&mut rig, "SET_HEATER", &json!({"zone": zone, "duty": MANUAL_DUTY}));
            }
            rig.run_for(SETTLE);
        }
        State::Holding | State::Running | State::Stopping | State::Alarm | State::Tuning => {
            order(&mut rig, "SET_TARGET", &subject.every_zone(WORKING));
            rig.run_for(REACHED);
        }
    }
    match state {
        State::Running | State::Stopping => {
            let machine = subject.machine();
            for (motor, config) in machine.motors.entries() {
                let rpm = if is_screw(machine, motor) { SCREW_RPM } else { OTHERS_RPM };
                order(&mut rig, "SET_MOTOR", &json!({"motor": config.name.as_str(), "rpm": rpm}));
            }
            rig.run_for(RAMPS);
        }
        State::Tuning => {
            order(&mut rig, "TUNE_START", &json!({"zone": subject.first(), "setpoint": WORKING}));
            for _ in 0..TUNE_PATIENCE {
                rig.run_for(1.0);
                if matches!(rig.snapshot().tune.status, TuneStatus::Heating | TuneStatus::Cooling) {
                    break;
                }
            }
            rig.run_for(INTO_RELAY);
            // With the relay high: what a heater does shows while it is asked for.
            for _ in 0..TUNE_PATIENCE {
                if rig.snapshot().tune.status == TuneStatus::Heating {
                    break;
                }
                rig.run_for(1.0);
            }
        }
        State::Cold
        | State::Idle
        | State::Heating
        | State::Holding
        | State::Manual
        | State::Alarm => {}
    }
    match state {
        State::Stopping => {
            order(&mut rig, "STOP", &Value::Null);
            rig.run_for(INTO_STOP);
        }
        State::Alarm => {
            order(&mut rig, "EMERGENCY_STOP", &Value::Null);
            rig.run_for(INTO_ALARM);
        }
        State::Cold
        | State::Idle
        | State::Heating
        | State::Holding
        | State::Running
        | State::Tuning
        | State::Manual => {}
    }
    rig.raised.clear();
    rig
}

/// A command that brings the machine to its state. A refusal leaves the machine in another state,
/// which the tests of this file would see.
fn order(rig: &mut Rig, name: &str, value: &Value) {
    let _ = rig.command(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_control::{Mode, Status};
    use tve_hal::Reading;

    #[test]
    fn every_state_is_what_its_name_says() {
        reaches_every_state(&Subject::embedded());
    }

    #[test]
    fn a_machine_of_four_zones_gets_into_every_state_too() {
        reaches_every_state(&Subject::four_zones());
    }

    fn reaches_every_state(subject: &Subject) {
        for &state in State::HOT.iter().chain([&State::Cold]) {
            let rig = reach(subject, state, false);
            let s = rig.snapshot();
            let heated = s.targets.iter().all(|t| !t.is_zero());
            let holds = match state {
                State::Cold => !s.energised_by_heat() && s.status == Status::Ready,
                State::Idle => !s.energised_by_heat() && s.status == Status::Ready,
                State::Heating => heated && s.heater_duty.iter().all(|d| d.get() > 90.0),
                State::Holding => heated && s.status == Status::Ready,
                State::Running => heated && s.status == Status::Running,
                State::Tuning => {
                    matches!(s.tune.status, TuneStatus::Heating | TuneStatus::Cooling)
                }
                State::Stopping => {
                    s.status == Status::Stopping && s.motors_actual.as_slice()[0].get() > 100.0
                }
                State::Manual => {
                    s.mode == Mode::Manual && s.heater_duty.iter().all(|d| d.get() == MANUAL_DUTY)
                }
                State::Alarm => s.status == Status::Alarm,
            };
            assert!(holds, "{state:?}: {s:?}");
            assert!(s.readings.iter().all(|r| matches!(r, Reading::Good(_))), "{state:?}");
            assert_eq!(rig.journal().len(), usize::from(state == State::Alarm), "{state:?}");
        }
    }

    trait Heat {
        fn energised_by_heat(&self) -> bool;
    }

    impl Heat for tve_control::Snapshot {
        fn energised_by_heat(&self) -> bool {
            self.heater_duty.iter().any(|d| !d.is_zero())
                || self.targets.iter().any(|t| t.get() > 0.0)
        }
    }
}
