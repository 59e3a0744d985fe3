//! The folder of run files: listing it, reading one, and making room in it.

use crate::data_dir::run_folder;
use crate::disk::Disk;
use rustix::fs::OFlags;
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::UNIX_EPOCH;
use tve_units::WallMillis;

/// Run files on one page of the list.
const PAGE: usize = 200;
/// Seconds in a day, for `keep_days`.
const DAY_S: f64 = 86_400.0;
/// Longest accepted name; ours have 23 characters and a suffix.
const LONGEST_NAME: usize = 64;

/// One run file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunFile {
    /// File name, `run_YYYYMMDD_HHMMSS.csv` or with a suffix before the dot.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Time of the last write, seconds since the Unix epoch.
    pub modified: f64,
}

/// One page of the run files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunList {
    /// Newest first.
    pub runs: Vec<RunFile>,
    /// How many files there are on all pages.
    pub total: usize,
}

/// What the names of one kind of file have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Naming {
    pub(crate) prefix: &'static str,
    pub(crate) suffix: &'static str,
}

const RUNS: Naming = Naming { prefix: "run_", suffix: ".csv" };

/// Whether a name is one that such a file can have: no path, no hidden or temporary file.
fn is_named(name: &str, naming: Naming) -> bool {
    name.len() <= LONGEST_NAME
        && name
            .strip_prefix(naming.prefix)
            .and_then(|rest| rest.strip_suffix(naming.suffix))
            .is_some_and(|stem| {
                !stem.is_empty()
                    && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            })
}

/// The run files of `folder`, newest first.
pub(crate) fn scan(folder: &Path) -> io::Result<Vec<RunFile>> {
    scan_named(folder, RUNS)
}

/// The files of that kind in `folder`, newest first.
pub(crate) fn scan_named(folder: &Path, naming: Naming) -> io::Result<Vec<RunFile>> {
    let mut runs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !is_named(&name, naming) {
            continue;
        }
        // A file may vanish between the listing and the look at it.
        let Ok(meta) = entry.metadata() else { continue };
        if !meta.is_file() {
            continue;
        }
        let modified = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        runs.push(RunFile { name, size: meta.len(), modified: modified.as_secs_f64() });
    }
    // Names are dates, so they settle what a coarse file time leaves open.
    runs.sort_by(|a, b| b.modified.total_cmp(&a.modified).then_with(|| b.name.cmp(&a.name)));
    Ok(runs)
}

/// One page of 200 run files, newest first; page 0 is the newest, a page beyond the end is empty.
///
/// # Errors
/// When the folder cannot be read.
pub fn list_runs(data_dir: &Path, page: usize) -> io::Result<RunList> {
    Ok(list_page(scan(&run_folder(data_dir))?, page))
}

/// One page of `all`.
pub(crate) fn list_page(all: Vec<RunFile>, page: usize) -> RunList {
    let total = all.len();
    let runs = all.into_iter().skip(page.saturating_mul(PAGE)).take(PAGE).collect();
    RunList { runs, total }
}

/// A run file for reading, with its size in bytes at this moment (it may still grow).
///
/// # Errors
/// [`io::ErrorKind::NotFound`] for every name that is not a run file of the folder: paths, links
/// and other files are as absent as a name that does not exist.
pub fn open_run(data_dir: &Path, name: &str) -> io::Result<(File, u64)> {
    open_file(&run_folder(data_dir), name, RUNS)
}

/// A file of that kind in `folder`.
pub(crate) fn open_file(folder: &Path, name: &str, naming: Naming) -> io::Result<(File, u64)> {
    let absent = || io::Error::new(io::ErrorKind::NotFound, "no such file");
    if !is_named(name, naming) {
        return Err(absent());
    }
    // Not following links, and not waiting for the other end of a pipe.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(folder.join(name))
        .map_err(|e| match rustix::io::Errno::from_io_error(&e) {
            Some(rustix::io::Errno::LOOP) => absent(),
            _ => e,
        })?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(absent());
    }
    Ok((file, meta.len()))
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
    let mut runs = disk.runs(folder)?;
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
    use std::io::Read;
    use std::path::PathBuf;

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
