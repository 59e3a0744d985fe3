//! What a finished run has to say.

use tve_control::{Mode, Snapshot, Status, TuneResult};
use tve_hal::{PerMotor, PerSensor, PerZone};
use tve_units::{Celsius, Micros, WallMillis};

/// Whether one expectation held.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The expectation as a sentence.
    pub text: String,
    /// It held.
    pub held: bool,
    /// What was measured.
    pub detail: String,
}

/// The machine at one time, as a plot or a run log shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Machine time.
    pub now: Micros,
    /// Wall-clock label.
    pub wall: WallMillis,
    /// What the machine is doing.
    pub status: Status,
    /// Who decides the duty.
    pub mode: Mode,
    /// Published temperatures by sensor, °C; `None` when bad.
    pub temps: PerSensor<Option<f64>>,
    /// Targets by zone, °C; zero is off.
    pub targets: PerZone<f64>,
    /// Heater duties by zone, %.
    pub heater_duty: PerZone<f64>,
    /// Setpoints by motor, rpm.
    pub motors: PerMotor<f64>,
    /// Commanded speeds of the ramps by motor, rpm.
    pub motors_actual: PerMotor<f64>,
}

impl Sample {
    /// Of one tick.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self {
            now: snapshot.now,
            wall: snapshot.wall,
            status: snapshot.status,
            mode: snapshot.mode,
            temps: snapshot.temps.map(|_, t| t.map(Celsius::get)),
            targets: snapshot.targets.map(|_, t| t.get()),
            heater_duty: snapshot.heater_duty.map(|_, duty| duty.get()),
            motors: snapshot.motors.map(|_, rpm| rpm.get()),
            motors_actual: snapshot.motors_actual.map(|_, rpm| rpm.get()),
        }
    }
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// One for each expectation and for each command that was answered unlike expected.
    pub outcomes: Vec<Outcome>,
    /// Raised alarms in order: when, and the sentence.
    pub alarms: Vec<(Micros, String)>,
    /// Finished tunes in order: when, and the gains.
    pub tunes: Vec<(Micros, TuneResult)>,
    /// SHA-256 over the inputs, commands and outputs of every tick.
    pub trace: [u8; 32],
    /// One each 0.25 s.
    pub samples: Vec<Sample>,
}

impl Report {
    /// Whether everything held.
    pub fn held(&self) -> bool {
        self.outcomes.iter().all(|o| o.held)
    }

    /// The trace as 64 hexadecimal digits.
    pub fn trace_hex(&self) -> String {
        hex::encode(self.trace)
    }
}
