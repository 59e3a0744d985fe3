//! What a controller takes over from the process before it.

use crate::alarm::RestoredAlarm;
use tve_units::WallMillis;

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
    /// Every alarm of the last hour at least, cleared or not, oldest first: what comes twice is
    /// counted across a restart.
    pub past: Vec<RestoredAlarm>,
    /// Wall clock of this start, by which the past is that long ago.
    pub wall: WallMillis,
    /// The last process died.
    pub unclean: Option<Unclean>,
    /// The configuration was refused: outputs stay locked.
    pub config_fault: bool,
}
