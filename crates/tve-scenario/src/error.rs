//! Why a scenario could not be read.

use std::path::PathBuf;

/// A scenario that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file is missing or unreadable.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The text is not a scenario.
    #[error("{place}: {reason}")]
    Invalid {
        /// Where: a line, or the path of a key such as `expect 2`.
        place: String,
        /// What is wrong, with the value, and what belongs there.
        reason: String,
    },
    /// The configuration of the scenario is refused.
    #[error("config: {0}")]
    Config(#[from] tve_config::ConfigErrors),
}

impl ScenarioError {
    pub(crate) fn invalid(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { place: place.into(), reason: reason.into() }
    }
}

/// A message of the reader without its line breaks.
pub(crate) fn one_line(message: &str) -> String {
    message.trim().replace('\n', "; ")
}
