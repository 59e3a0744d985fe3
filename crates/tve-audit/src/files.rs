//! The files of a journal: their names, the repair at start, and reading pages newest first.

use crate::chain::{Head, Link, sha256};
use crate::event::Event;
use serde_json::value::RawValue;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use tve_append::{Growing, Segment, Series, last_sound, set_aside};

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file or the folder.
    #[error("the audit journal {} cannot be used: {source}; check the disk and the owner of the data folder", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The cause; part of the message.
        source: io::Error,
    },
    /// No thread for the writer.
    #[error("the system gave no thread for the audit journal: {0}")]
    Thread(io::Error),
}

/// Owner writes, group reads, nobody else.
pub(crate) const MODE: u32 = 0o640;

/// The files of the journal, numbered by their first line.
pub(crate) const SERIES: Series = Series { prefix: "audit_", suffix: ".jsonl" };

/// The files of the journal in `folder`, oldest first.
///
/// # Errors
/// When the folder cannot be read.
pub fn file_names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(SERIES.list(folder)?.into_iter().map(|segment| segment.path).collect())
}

/// Where a journal goes on.
pub(crate) struct Resumed {
    pub(crate) head: Head,
    /// The file that grows; `None` begins a new one.
    pub(crate) file: Option<Growing>,
    /// What had to be cut off.
    pub(crate) repaired: Option<Event>,
}

/// Finds the end of the journal in `folder`, which is made where needed. Whatever follows the last
/// sound line of the newest file is moved to a file of its own.
pub(crate) fn resume(folder: &Path) -> Result<Resumed, AuditError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |source| AuditError::Io { path, source }
    };
    fs::create_dir_all(folder).map_err(fault(folder))?;
    let segments = SERIES.list(folder).map_err(fault(folder))?;
    let Some(newest) = segments.last() else {
        return Ok(Resumed { head: Head::origin(), file: None, repaired: None });
    };
    let bytes = fs::read(&newest.path).map_err(fault(&newest.path))?;
    let (end, head) = match last_sound(&bytes, sound) {
        Some(found) => found,
        None => (0, head_before(&segments).map_err(fault(folder))?),
    };
    let mut repaired = None;
    if end < bytes.len() {
        let tail = &bytes[end..];
        let kept_in = format!("torn_{:012}_{end}.bin", newest.first);
        set_aside(&newest.path, end as u64, &folder.join(&kept_in), MODE)
            .map_err(fault(&newest.path))?;
        repaired =
            Some(Event::Repaired { bytes: tail.len() as u64, sha256: sha256(tail), kept_in });
    }
    let file = Some(Growing::after(newest.path.clone(), end as u64));
    Ok(Resumed { head, file, repaired })
}

/// A line that is as it was written, as the head of what follows it.
fn sound(line: &[u8]) -> Option<Head> {
    let link = Link::read(line).filter(Link::is_sound)?;
    Some(Head { seq: link.seq, hash: sha256(line) })
}

/// The newest sound line before the newest file.
fn head_before(segments: &[Segment]) -> io::Result<Head> {
    for segment in segments.iter().rev().skip(1) {
        if let Some((_, head)) = last_sound(&fs::read(&segment.path)?, sound) {
            return Ok(head);
        }
    }
    Ok(Head::origin())
}

/// One page of a journal.
#[derive(Debug)]
pub struct Page {
    /// Lines on all pages.
    pub total: u64,
    /// The lines of this page, newest first, each a JSON object. A line that is none, which only
    /// somebody else can have written, is left out; `tve audit verify` names it.
    pub lines: Vec<Box<RawValue>>,
}

/// Reads page `page` (from 0, newest first, `per_page` lines) of the journal in `folder`.
///
/// # Errors
/// When a file cannot be read. A journal that does not exist yet has no lines.
pub fn page(folder: &Path, page: u64, per_page: u64) -> io::Result<Page> {
    let segments = match SERIES.list(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    let Some(oldest) = segments.first() else {
        return Ok(Page { total: 0, lines: Vec::new() });
    };
    let mut lines = Vec::new();
    let mut total = 0;
    let mut skip = page.saturating_mul(per_page);
    let mut wanted = per_page;
    let mut next_first: Option<u64> = None;
    for segment in segments.iter().rev() {
        // Of a finished file the number of lines is known without reading it.
        let known = next_first.map(|next| next.saturating_sub(segment.first));
        let text = match known {
            Some(count) if skip >= count || wanted == 0 => None,
            _ => Some(read_text(&segment.path)?),
        };
        let whole = |text: &str| text.rfind('\n').map_or(0, |end| end + 1);
        let count = match (known, &text) {
            (Some(count), _) => count,
            (None, Some(text)) => text[..whole(text)].lines().count() as u64,
            (None, None) => 0,
        };
        if next_first.is_none() {
            total = (segment.first + count).saturating_sub(oldest.first);
        }
        if let Some(text) = text {
            let newest_first = text[..whole(&text)].lines().rev();
            for line in newest_first.skip(skip as usize).take(wanted as usize) {
                wanted -= 1;
                lines.extend(RawValue::from_string(line.to_owned()));
            }
        }
        skip = skip.saturating_sub(count);
        next_first = Some(segment.first);
        if wanted == 0 {
            break;
        }
    }
    Ok(Page { total, lines })
}

/// A file as text; damaged bytes become replacement characters, and their line no JSON.
fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
