//! The folder of incident files: listing it, reading one, keeping it small.

use crate::disk::Disk;
use crate::folder::{self, Naming, RunList};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

const FOLDER: &str = "incidents";
/// The files together take at most this many bytes.
pub(super) const LARGEST_TOTAL: u64 = 64_000_000;

/// How incident files are called.
pub(super) const NAMES: Naming = Naming { prefix: "incident_", suffix: ".tvebox" };

/// Where incident files live under the data folder.
pub(crate) fn incident_folder(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER)
}

/// One page of 200 incident files, newest first; page 0 is the newest.
///
/// # Errors
/// When the folder cannot be read.
pub fn list_incidents(data_dir: &Path, page: usize) -> io::Result<RunList> {
    let files = folder::scan(&incident_folder(data_dir), NAMES)?;
    Ok(folder::list_page(files, page))
}

/// An incident file for reading, with its size in bytes.
///
/// # Errors
/// [`io::ErrorKind::NotFound`] for every name that is not an incident file of the folder.
pub fn open_incident(data_dir: &Path, name: &str) -> io::Result<(File, u64)> {
    folder::open_file(&incident_folder(data_dir), name, NAMES)
}

/// Removes the oldest files until the rest fits into `most` bytes; the newest stays in any case.
pub(super) fn make_room(disk: &mut dyn Disk, folder: &Path, most: u64) -> io::Result<()> {
    let mut files = disk.list(folder, NAMES)?;
    let mut total: u64 = files.iter().map(|f| f.size).sum();
    while total > most && files.len() > 1 {
        let Some(oldest) = files.pop() else { break };
        disk.remove(&folder.join(&oldest.name))?;
        tracing::info!(file = oldest.name, size_bytes = oldest.size, "incident file removed");
        total -= oldest.size;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn the_oldest_incidents_go_until_the_rest_fits_and_foreign_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let folder = incident_folder(dir.path());
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("notes.txt"), [0; 500]).unwrap();
        for age in 0..5u64 {
            let path = folder.join(format!("incident_2026010{}_120000.tvebox", 5 - age));
            std::fs::write(&path, [0; 100]).unwrap();
            let modified = UNIX_EPOCH + Duration::from_secs(10_000 - age);
            File::open(&path).unwrap().set_modified(modified).unwrap();
        }
        make_room(&mut RealDisk, &folder, 250).unwrap();
        let list = list_incidents(dir.path(), 0).unwrap();
        let names: Vec<_> = list.runs.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["incident_20260105_120000.tvebox", "incident_20260104_120000.tvebox"]);
        assert!(folder.join("notes.txt").exists());
        make_room(&mut RealDisk, &folder, 0).unwrap();
        assert_eq!(list_incidents(dir.path(), 0).unwrap().total, 1, "the newest stays");
    }

    #[test]
    fn only_incident_files_can_be_opened() {
        let dir = tempfile::tempdir().unwrap();
        let folder = incident_folder(dir.path());
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(dir.path().join("session.json"), "{}").unwrap();
        std::fs::write(folder.join("incident_1.tvebox"), "box").unwrap();
        assert_eq!(open_incident(dir.path(), "incident_1.tvebox").unwrap().1, 3);
        for name in ["../session.json", "incident_/../../session.json", "incident_2.tvebox", ""] {
            let kind = open_incident(dir.path(), name).unwrap_err().kind();
            assert_eq!(kind, io::ErrorKind::NotFound, "{name:?}");
        }
    }
}
