//! The wall clock behind a seam, so that tests can step it.

use std::time::{SystemTime, UNIX_EPOCH};
use tve_units::WallMillis;

/// Tells the time of day. It labels records and decides nothing.
pub(crate) trait WallClock: Send + Sync {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> WallMillis;
}

/// The clock of the system.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

impl WallClock for SystemClock {
    fn now(&self) -> WallMillis {
        // A clock before 1970 has lost its battery; zero says so as well as any other number.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallMillis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
