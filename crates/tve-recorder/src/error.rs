//! Why the recorder cannot begin, as sentences for the person who starts the service.

use std::io;
use std::path::PathBuf;

/// The recorder cannot start. While it runs, failures are counted in
/// [`RecorderStatus`](crate::RecorderStatus) and retried instead.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The data folder cannot be made, or not be written.
    #[error(
        "the data folder {} cannot be written ({source}); make it writable for this user or give another one with --data-dir",
        path.display()
    )]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Another process holds the data folder.
    #[error(
        "the data folder is in use by another instance, which holds {}; stop that one or give another folder with --data-dir",
        lock.display()
    )]
    Locked {
        /// The lock file.
        lock: PathBuf,
    },
    /// The system refuses another thread.
    #[error("the recorder thread cannot be started ({source}); raise the limit of tasks")]
    Thread {
        /// The cause.
        #[source]
        source: io::Error,
    },
}
