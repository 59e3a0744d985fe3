//! The table of commands by name.

use super::CommandKind;
use super::row::Door;

impl CommandKind {
    /// The kind that comes in at `door` under `name`.
    pub fn at(door: Door, name: &str) -> Option<Self> {
        let at = |kind: &Self| kind.row().door == door && kind.row().name == name;
        Self::ALL.iter().copied().find(at)
    }

    /// The kind with a name, wherever it comes in from outside.
    pub fn named(name: &str) -> Option<Self> {
        let known = |kind: &Self| kind.row().door != Door::Inside && kind.row().name == name;
        Self::ALL.iter().copied().find(known)
    }
}

#[cfg(test)]
mod tests;
