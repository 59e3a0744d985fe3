//! The files of one kind in a folder: their names, their list, and one of them for reading.

use rustix::fs::OFlags;
use serde::Serialize;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Run files on one page of the list.
const PAGE: usize = 200;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Naming {
    pub(crate) prefix: &'static str,
    pub(crate) suffix: &'static str,
}

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

/// The files of that kind in `folder`, newest first.
pub(crate) fn scan(folder: &Path, naming: Naming) -> io::Result<Vec<RunFile>> {
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

/// One page of `all`.
pub(crate) fn list_page(all: Vec<RunFile>, page: usize) -> RunList {
    let total = all.len();
    let runs = all.into_iter().skip(page.saturating_mul(PAGE)).take(PAGE).collect();
    RunList { runs, total }
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
