//! The folder of run files: listing it, reading one, and making room in it.

use crate::data_dir::run_folder;
use crate::disk::Disk;
use crate::folder::{self, Naming, RunFile, RunList};
use std::fs::File;
use std::io;
use std::path::Path;
use tve_units::WallMillis;

/// Seconds in a day, for `keep_days`.
const DAY_S: f64 = 86_400.0;
/// How run files are called.
pub(crate) const RUNS: Naming = Naming { prefix: "run_", suffix: ".csv" };

/// The run files of `folder`, newest first.
pub(crate) fn scan(folder: &Path) -> io::Result<Vec<RunFile>> {
    folder::scan(folder, RUNS)
}

/// One page of 200 run files, newest first; page 0 is the newest, a page beyond the end is empty.
///
/// # Errors
/// When the folder cannot be read.
pub fn list_runs(data_dir: &Path, page: usize) -> io::Result<RunList> {
    Ok(folder::list_page(scan(&run_folder(data_dir))?, page))
}

/// A run file for reading, with its size in bytes at this moment (it may still grow).
///
/// # Errors
/// [`io::ErrorKind::NotFound`] for every name that is not a run file of the folder: paths, links
/// and other files are as absent as a name that does not exist.
pub fn open_run(data_dir: &Path, name: &str) -> io::Result<(File, u64)> {
    folder::open_file(&run_folder(data_dir), name, RUNS)
}

/// How far the folder is to be cleaned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention<'a> {
    /// Files that are being written; never removed.
    pub(crate) open: [Option<&'a str>; 2],
    /// Age beyond which a file goes, days.
    pub(crate) keep_days: u32,
    /// Free space below which the oldest files go, bytes.
    pub(crate) min_free: u64,
    /// The time now.
    pub(crate) wall: WallMillis,
}

/// Removes what is too old, then the oldest while space is short; returns the free bytes left.
pub(crate) fn make_room(
    disk: &mut dyn Disk,
    folder: &Path,
    rule: &Retention<'_>,
) -> io::Result<u64> {
    let mut runs = disk.list(folder, RUNS)?;
    runs.retain(|run| !rule.open.contains(&Some(run.name.as_str())));
    let oldest_kept = rule.wall.secs() - f64::from(rule.keep_days) * DAY_S;
    let mut free = disk.free_bytes(folder)?;
    while let Some(run) = runs.pop() {
        if run.modified >= oldest_kept && free >= rule.min_free {
            break;
        }
        if let Err(error) = disk.remove(&folder.join(&run.name)) {
            tracing::warn!(%error, file = run.name, "old run file cannot be removed");
            break;
        }
        tracing::info!(file = run.name, size_bytes = run.size, "run file removed");
        free = disk.free_bytes(folder)?;
    }
    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake_disk::FakeDisk;
    use std::fs;
    use std::io::Read;
    use std::path::PathBuf;
    use std::time::UNIX_EPOCH;

    fn rig() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let folder = run_folder(dir.path());
        fs::create_dir(&folder).unwrap();
        (dir, folder)
    }

    #[test]
    fn only_run_files_are_listed_newest_first_by_pages_of_200() {
        let (dir, folder) = rig();
        for i in 0..201 {
            let path = folder.join(format!("run_20260101_{i:06}.csv"));
            let file = File::create(path).unwrap();
            file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(1000 + i)).unwrap();
        }
        for other in ["run_.csv", "notes.txt", "run_a.csv.tmp", ".run_a.csv"] {
            File::create(folder.join(other)).unwrap();
        }
        fs::create_dir(folder.join("run_folder.csv")).unwrap();

        let first = list_runs(dir.path(), 0).unwrap();
        assert_eq!((first.total, first.runs.len()), (201, 200));
        assert_eq!(first.runs[0].name, "run_20260101_000200.csv");
        assert_eq!(first.runs[0].modified, 1200.0);
        let second = list_runs(dir.path(), 1).unwrap();
        assert_eq!(second.runs[0].name, "run_20260101_000000.csv");
        assert!(list_runs(dir.path(), usize::MAX).unwrap().runs.is_empty());
    }

    #[test]
    fn names_that_lead_elsewhere_do_not_exist() {
        let (dir, folder) = rig();
        fs::write(dir.path().join("secret.csv"), "x").unwrap();
        fs::write(folder.join("run_1.csv"), "rows").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret.csv"), folder.join("run_2.csv"))
            .unwrap();
        fs::create_dir(folder.join("run_3.csv")).unwrap();

        let (mut file, size) = open_run(dir.path(), "run_1.csv").unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), size), ("rows", 4));

        for name in [
            "run_2.csv",
            "run_3.csv",
            "run_4.csv",
            "run_/../../secret.csv",
            "../secret.csv",
            "run_..csv",
            "run_%2e.csv",
            "run_1.csv\0",
            "/etc/passwd",
            "",
            "session.json",
        ] {
            let kind = open_run(dir.path(), name).unwrap_err().kind();
            assert_eq!(kind, io::ErrorKind::NotFound, "{name:?}");
        }
        assert_eq!(list_runs(dir.path(), 0).unwrap().total, 1, "links are not listed");
    }

    const NOW: WallMillis = WallMillis::new(1_800_000_000_000);

    fn aged(disk: &FakeDisk, days: &[f64]) {
        for (i, age) in days.iter().enumerate() {
            disk.put_run(&format!("run_{i}.csv"), 1000, NOW.secs() - age * DAY_S);
        }
    }

    #[test]
    fn files_older_than_keep_days_go_and_the_current_one_stays() {
        let disk = FakeDisk::new();
        aged(&disk, &[40.0, 31.0, 29.0, 0.0]);
        let rule =
            Retention { open: [Some("run_0.csv"), None], keep_days: 30, min_free: 0, wall: NOW };
        make_room(&mut disk.clone(), Path::new("/logs"), &rule).unwrap();
        assert_eq!(disk.run_names(), ["run_3.csv", "run_2.csv", "run_0.csv"]);
    }

    #[test]
    fn the_oldest_go_first_and_only_until_there_is_room() {
        let disk = FakeDisk::new();
        aged(&disk, &[3.0, 2.0, 1.0, 0.0]);
        disk.set_free(5_000);
        let rule = Retention { open: [None; 2], keep_days: 30, min_free: 6_500, wall: NOW };
        let free = make_room(&mut disk.clone(), Path::new("/logs"), &rule).unwrap();
        assert_eq!((free, disk.run_names()), (7_000, vec!["run_3.csv".into(), "run_2.csv".into()]));
    }
}
