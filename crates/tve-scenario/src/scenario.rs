//! A scenario as it was read: configuration, commands, faults, expectations.

use crate::expectation::Expectation;
use crate::{ScenarioError, parse};
use std::path::Path;
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
    /// Reads a scenario file. `base = "NAME"` means `NAME.json` in the same folder.
    ///
    /// # Errors
    /// When the file (or its base) cannot be read or is not a scenario; nothing is guessed.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = read(path)?;
        Self::parse(&text, |base| read(&path.with_file_name(format!("{base}.json"))))
    }

    /// Reads a scenario from its text; `base_text` gives the text of a named base configuration.
    ///
    /// # Errors
    /// When the text is not a scenario, or whatever `base_text` answers.
    pub fn parse(
        text: &str,
        base_text: impl FnOnce(&str) -> Result<String, ScenarioError>,
    ) -> Result<Self, ScenarioError> {
        parse::scenario(text, base_text)
    }

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

fn read(path: &Path) -> Result<String, ScenarioError> {
    std::fs::read_to_string(path)
        .map_err(|source| ScenarioError::Read { path: path.to_owned(), source })
}
