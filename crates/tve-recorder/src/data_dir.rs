//! The data folder: made, checked and locked against a second instance.

use crate::RecorderError;
use crate::blackbox::incident_folder;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "tve.lock";
const RUN_FOLDER: &str = "logs";

/// Where run files live under the data folder.
pub(crate) fn run_folder(data_dir: &Path) -> PathBuf {
    data_dir.join(RUN_FOLDER)
}

/// A data folder that belongs to this process until the value is dropped. It can be written, unless
/// its disk is full: then everything that writes says so and tries again.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // The locks end when the descriptors are closed, also when the process dies.
    _locks: Vec<File>,
}

/// A full disk is no reason not to start: the machine needs none.
fn unless_full(done: io::Result<()>, path: &Path) -> io::Result<()> {
    match done {
        Err(error) if is_full(&error) => {
            tracing::warn!(%error, path = %path.display(), "the disk of the data folder is full; nothing is recorded until there is room");
            Ok(())
        }
        other => other,
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl DataDir {
    /// Makes the folder where needed, locks it and `tve.lock` in it, and checks that files can be
    /// made. A full disk is logged.
    ///
    /// # Errors
    /// [`RecorderError::Locked`] while another process holds it, else [`RecorderError::DataDir`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RecorderError> {
        let path = path.into();
        let lock_path = path.join(LOCK_FILE);
        let fault = |source| RecorderError::DataDir { path: path.clone(), source };

        for folder in [run_folder(&path), incident_folder(&path)] {
            unless_full(fs::create_dir_all(&folder), &folder).map_err(fault)?;
        }
        // Not every file system locks folders; where the disk is full there may be nothing else.
        let mut locks = vec![File::open(&path).map_err(fault)?];
        match OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path) {
            Ok(lock) => locks.push(lock),
            Err(error) => unless_full(Err(error), &lock_path).map_err(fault)?,
        }
        for (at, lock) in locks.iter().enumerate() {
            match flock(lock, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => return Err(RecorderError::Locked { lock: lock_path }),
                Err(errno) if at > 0 => return Err(fault(io::Error::from(errno))),
                Ok(()) | Err(_) => {}
            }
        }
        // Both folders are probed: the lock file may be older than a loss of permission.
        for folder in [path.clone(), run_folder(&path)].into_iter().filter(|f| f.is_dir()) {
            let probe = folder.join(".tve-probe");
            let probed = File::create(&probe).and_then(|_| fs::remove_file(&probe));
            unless_full(probed, &folder).map_err(fault)?;
        }
        Ok(Self { path, _locks: locks })
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
        // Also one that could not make the file while the disk was full.
        fs::remove_file(folder.path().join(LOCK_FILE)).unwrap();
        assert!(matches!(DataDir::open(folder.path()), Err(RecorderError::Locked { .. })));
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
