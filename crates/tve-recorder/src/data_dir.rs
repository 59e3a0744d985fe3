//! The data folder: made, checked and locked against a second instance.

use crate::RecorderError;
use crate::blackbox::incident_folder;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "tve.lock";
const RUN_FOLDER: &str = "logs";

/// Where run files live under the data folder.
pub(crate) fn run_folder(data_dir: &Path) -> PathBuf {
    data_dir.join(RUN_FOLDER)
}

/// A writable data folder that belongs to this process until the value is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // The lock ends when the descriptor is closed, also when the process dies.
    _lock: File,
}

impl DataDir {
    /// Makes the folder where needed, locks `tve.lock` in it and checks that files can be made.
    ///
    /// # Errors
    /// [`RecorderError::Locked`] while another process holds it, else [`RecorderError::DataDir`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RecorderError> {
        let path = path.into();
        let lock_path = path.join(LOCK_FILE);
        let fault = |source| RecorderError::DataDir { path: path.clone(), source };

        for folder in [run_folder(&path), incident_folder(&path)] {
            fs::create_dir_all(folder).map_err(fault)?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(fault)?;
        if let Err(errno) = flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            return Err(if errno == rustix::io::Errno::WOULDBLOCK {
                RecorderError::Locked { lock: lock_path }
            } else {
                fault(io::Error::from(errno))
            });
        }
        // Both folders are probed: the lock file may be older than a loss of permission.
        for folder in [path.clone(), run_folder(&path)] {
            let probe = folder.join(".tve-probe");
            File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(fault)?;
        }
        Ok(Self { path, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_instance_is_refused_and_told_which_file_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path()).unwrap();
        let refusal = DataDir::open(folder.path()).unwrap_err().to_string();
        assert!(refusal.contains("tve.lock") && refusal.contains("--data-dir"), "{refusal}");
        drop(first);
        DataDir::open(folder.path()).expect("the lock ends with its owner");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_one_sentence_with_its_path() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().join("data");
        let sentence = DataDir::open(&path).unwrap_err().to_string();
        assert!(sentence.contains(&*path.to_string_lossy()), "{sentence}");
        assert!(sentence.contains("--data-dir") && !sentence.contains('\n'), "{sentence}");
    }
}
