//! The table of commands by name.

use super::CommandKind;
use super::row::Endpoint;

impl CommandKind {
    /// The kind that comes in at `endpoint` under `name`.
    pub fn at(endpoint: Endpoint, name: &str) -> Option<Self> {
        let at = |kind: &Self| kind.row().endpoint == endpoint && kind.row().name == name;
        Self::ALL.iter().copied().find(at)
    }

    /// The kind with a name, wherever it comes in from outside.
    pub fn named(name: &str) -> Option<Self> {
        let known =
            |kind: &Self| kind.row().endpoint != Endpoint::Inside && kind.row().name == name;
        Self::ALL.iter().copied().find(known)
    }
}

#[cfg(test)]
mod tests;
