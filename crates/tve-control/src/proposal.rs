//! A change of the configuration on its way into the controller: made, and either ready or refused.

use crate::refusal::Refusal;
use tve_config::Prepared;

/// A change of the configuration, or what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub(crate) change: Change,
    /// The revision of the configuration that it was made on.
    pub(crate) revision: u64,
    pub(crate) outcome: Result<Prepared, Refusal>,
}

/// What a proposal is about, and with it which moments are right for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Gains, made for this controller's law.
    Gains,
    /// Signals of header pins, and labels.
    Pins,
    /// Stepper drives.
    Drives,
    /// How a sensor measures.
    Sensor,
    /// What may change at any moment.
    Settings,
    /// Everything.
    Whole,
}

impl Proposal {
    /// The configuration, where nothing is wrong with it.
    pub fn prepared(&self) -> Option<&Prepared> {
        self.outcome.as_ref().ok()
    }
}
