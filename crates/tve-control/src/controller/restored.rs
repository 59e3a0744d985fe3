//! What a controller takes over from the process before it.

use crate::alarm::RestoredAlarm;

/// How the last process ended when it did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclean {
    /// Something was energised at its last record.
    pub energised: bool,
}

/// What survives a restart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Restored {
    /// Alarms still latched.
    pub latched: Vec<RestoredAlarm>,
    /// First free alarm id.
    pub next_alarm_id: u64,
    /// The last process died.
    pub unclean: Option<Unclean>,
    /// The configuration was refused: outputs stay locked.
    pub config_fault: bool,
}
