//! The session record: how the next process learns that this one died, and what was on.

use crate::disk::Disk;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use tve_control::Unclean;

const SESSION_FILE: &str = "session.json";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    energised: bool,
    clean: bool,
    /// The control loop stood still and no alarm says so yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    overrun: bool,
}

/// How the last process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Previous {
    /// It died; `None` after a clean shutdown and on the first start.
    pub unclean: Option<Unclean>,
    /// Its control loop stood still or fell over, and the journal does not have it.
    pub overrun: bool,
}

impl Previous {
    const DAMAGED: Self = Self { unclean: Some(Unclean { energised: true }), overrun: false };
}

/// What the record of the last process says.
///
/// To be read before [`Recorder::start`](crate::Recorder::start), which begins a new record. A
/// record that is there and cannot be read counts as the worse case: something was on.
pub fn load_previous_session(data_dir: &Path) -> Previous {
    let path = data_dir.join(SESSION_FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Previous::default(),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "session record unreadable");
            return Previous::DAMAGED;
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(Record { energised, clean, overrun }) => {
            Previous { unclean: (!clean).then_some(Unclean { energised }), overrun }
        }
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "session record damaged");
            Previous::DAMAGED
        }
    }
}

/// Keeps the record of this process true.
#[derive(Debug)]
pub(crate) struct Session {
    path: PathBuf,
    written: Option<Record>,
}

impl Session {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self { path: data_dir.join(SESSION_FILE), written: None }
    }

    /// Whether the record on disk says that the loop stood still.
    pub(crate) fn says_overrun(&self) -> bool {
        self.written.is_some_and(|record| record.overrun)
    }

    /// Writes the record when it differs from the one on disk.
    pub(crate) fn update(
        &mut self,
        disk: &mut dyn Disk,
        energised: bool,
        clean: bool,
        overrun: bool,
    ) -> io::Result<()> {
        let record = Record { energised, clean, overrun };
        if self.written == Some(record) {
            return Ok(());
        }
        let mut text = serde_json::to_vec(&record)?;
        text.push(b'\n');
        disk.replace(&self.path, &text)?;
        self.written = Some(record);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn only_a_clean_shutdown_or_a_first_start_leaves_nothing_to_report() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        assert_eq!(load_previous_session(dir).unclean, None);

        let mut session = Session::new(dir);
        session.update(&mut RealDisk, false, false, false).unwrap();
        assert_eq!(load_previous_session(dir).unclean, Some(Unclean { energised: false }));
        session.update(&mut RealDisk, true, false, false).unwrap();
        assert_eq!(load_previous_session(dir).unclean, Some(Unclean { energised: true }));
        session.update(&mut RealDisk, false, true, true).unwrap();
        assert_eq!(load_previous_session(dir).unclean, None);
        assert!(load_previous_session(dir).overrun, "also when it could still end in order");
    }

    #[test]
    fn a_record_damaged_at_any_byte_counts_as_energised() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SESSION_FILE);
        let whole = br#"{"energised":false,"clean":true}"#;
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let found = load_previous_session(folder.path()).unclean;
            assert_eq!(found, Some(Unclean { energised: true }), "cut after {end} bytes");
        }
    }
}
