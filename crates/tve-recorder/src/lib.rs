//! What the machine remembers: run logs (CSV), history, the alarm journal, the session record and
//! the black box, written by a thread of their own that can never slow the control thread.
//!
//! *Run*: the rows between a start and a stop of logging, one CSV file. *History*: one compact
//! sample a second of the last 24 hours, in memory. *Journal*: every change in the life of every
//! alarm, on disk. *Session record*: whether the last process said good-bye, and what was on.
//!
//! ```text
//! control thread --try_lock--> Inbox --swap--> recorder thread: Engine::tick --> Disk
//! HTTP threads   ------------>   |                    |--> History (RwLock) --> readers
//!                                |                    '--> RecorderStatus, LoggingHealth
//! ```
//!
//! The order at start is: [`DataDir::open`] (locks), [`load_previous_session`] and
//! [`load_journal`] for the controller, then [`Recorder::start`].

mod blackbox;
mod csv;
mod data_dir;
mod disk;
mod engine;
mod error;
mod folder;
mod handle;
mod history;
mod inbox;
mod journal;
mod layout;
mod local_time;
mod reload;
mod row;
mod run;
mod run_files;
mod session;
mod shared;
mod thread;

#[cfg(test)]
mod fake_disk;
#[cfg(test)]
mod testing;

pub use blackbox::{
    Difference, IncidentError, Moment, Replayed, Tape, list_incidents, open_incident, replay,
};
pub use csv::RunText;
pub use data_dir::DataDir;
pub use disk::{Disk, RealDisk};
pub use error::RecorderError;
pub use folder::{Naming, RunFile, RunList};
pub use handle::RecorderHandle;
pub use history::{Sample, Samples, Selection};
pub use journal::{AlarmHistory, JournalEntry, JournalState, load_journal};
pub use layout::Layout;
pub use row::Row;
pub use run_files::{list_runs, open_run};
pub use session::{Previous, load_previous_session};
pub use shared::RecorderStatus;
pub use thread::{Recorder, RecorderConfig};

use tve_units::Micros;

/// How runs are recorded; the `logging` section of the configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoggingSettings {
    /// Time between two rows; at least one tick.
    pub interval: Micros,
    /// Longest time that a row waits in memory for the disk.
    pub flush_interval: Micros,
    /// Age in days beyond which run files are removed.
    pub keep_days: u32,
    /// Free space in MB (10^6 bytes) below which the oldest run files are removed and
    /// `LOGGING_DISK_FULL` is reported.
    pub min_free_mb: u32,
}

impl LoggingSettings {
    /// Settings from the numbers of the configuration: `interval` and `flush_interval` in seconds.
    pub fn from_config(
        interval: f64,
        flush_interval: f64,
        keep_days: u32,
        min_free_mb: u32,
    ) -> Self {
        Self {
            interval: Micros::from_secs_f64(interval),
            flush_interval: Micros::from_secs_f64(flush_interval),
            keep_days,
            min_free_mb,
        }
    }
}

impl Default for LoggingSettings {
    /// The defaults of the configuration.
    fn default() -> Self {
        Self::from_config(0.25, 60.0, 30, 500)
    }
}
