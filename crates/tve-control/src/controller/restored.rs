//! What a controller takes over from the process before it.

use crate::alarm::{AlarmCode, Cause};
use tve_units::WallMillis;

/// A latched alarm found in the journal at start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RestoredAlarm {
    /// Its id then.
    pub id: u64,
    /// What.
    pub code: AlarmCode,
    /// What is left of its cause: [`AlarmRecord::restored_cause`](crate::AlarmRecord::restored_cause), or the name that could not be read.
    pub cause: Cause,
    /// When.
    pub wall: WallMillis,
    /// Whether somebody had seen it.
    pub acknowledged: bool,
}

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
