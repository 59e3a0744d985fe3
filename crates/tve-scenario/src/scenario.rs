//! A scenario as it was read: configuration, commands, faults, expectations.

use crate::expectation::Expectation;
use tve_config::Config;
use tve_control::{Command, Refusal, RefusalCode};
use tve_sim::Fault;
use tve_units::{Celsius, Micros};

/// A command with its time.
#[derive(Debug, Clone)]
pub(crate) struct Timed {
    pub(crate) at: Micros,
    /// Its JSON text, for the trace and for messages.
    pub(crate) text: String,
    pub(crate) command: Result<Command, Refusal>,
    /// The code with which it must be refused.
    pub(crate) refused: Option<RefusalCode>,
}

/// A question to the machine, ready to be played.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(crate) question: String,
    pub(crate) duration: Micros,
    pub(crate) config: Config,
    pub(crate) start_temp: Celsius,
    /// In order of time.
    pub(crate) commands: Vec<Timed>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) expectations: Vec<Expectation>,
}

impl Scenario {
    /// What the scenario asks, one sentence.
    pub fn question(&self) -> &str {
        &self.question
    }

    /// Machine time that it takes.
    pub fn duration(&self) -> Micros {
        self.duration
    }

    /// The configuration that it plays with, the seed in `plant.seed`.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What breaks, by machine time.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}
