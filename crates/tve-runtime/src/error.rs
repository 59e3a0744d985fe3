//! Why the service does not start or ends early: sentences with the value and what to do.

use std::path::PathBuf;
use tve_hal::HardwareError;
use tve_recorder::RecorderError;

/// A start that failed, or a control thread that ended by itself.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the sentence of each variant says what its fields are")]
pub enum StartError {
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    #[error(transparent)]
    Audit(#[from] tve_audit::AuditError),
    #[error("cannot read {}: {source}; give --config a file that exists", path.display())]
    ConfigUnreadable { path: PathBuf, source: std::io::Error },
    #[error(
        "the token file {} cannot be read: {source}; correct it, or move it away and make new tokens", path.display()
    )]
    Tokens { path: PathBuf, source: std::io::Error },
    #[error("the system gave no random bytes: {0}")]
    Random(getrandom::Error),
    #[error(
        "this is a Raspberry Pi, so the machine must be named: give --hardware rpi or sim, or set hardware.kind"
    )]
    MachineNotNamed,
    #[error("the simulated start temperature must be -20 to 300 °C, not {value}")]
    StartTemperature { value: f64 },
    #[error(transparent)]
    Scenario(#[from] tve_scenario::ScenarioError),
    #[error("the machine cannot be used")]
    Hardware(#[from] HardwareError),
    #[error("the system gave no thread for the control loop: {0}")]
    Thread(std::io::Error),
    #[error("{0}")]
    ControlEnded(String),
}
