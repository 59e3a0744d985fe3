//! The files of a journal: their names, the repair at start, and reading pages newest first.

use crate::chain::{Head, Link, sha256};
use crate::event::Event;
use serde_json::value::RawValue;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

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
const MODE: u32 = 0o640;

const PREFIX: &str = "audit_";
const SUFFIX: &str = ".jsonl";

/// Name of the file whose first line has number `first_seq`; names sort like numbers.
pub(crate) fn file_name(first_seq: u64) -> String {
    format!("{PREFIX}{first_seq:012}{SUFFIX}")
}

/// A file of the journal and the number of its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) first_seq: u64,
    pub(crate) path: PathBuf,
}

/// The files of `folder`, oldest first.
pub(crate) fn parts(folder: &Path) -> io::Result<Vec<Part>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let number = name.strip_prefix(PREFIX).and_then(|n| n.strip_suffix(SUFFIX));
        if let Some(first_seq) = number.and_then(|n| n.parse().ok()) {
            parts.push(Part { first_seq, path });
        }
    }
    parts.sort_by_key(|part| part.first_seq);
    Ok(parts)
}

/// The files of the journal in `folder`, oldest first.
///
/// # Errors
/// When the folder cannot be read.
pub fn file_names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(parts(folder)?.into_iter().map(|part| part.path).collect())
}

/// Where a journal goes on.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) head: Head,
    /// The file that grows, and its size; `None` begins a new one.
    pub(crate) file: Option<(PathBuf, u64)>,
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
    let parts = parts(folder).map_err(fault(folder))?;
    let Some(newest) = parts.last() else {
        return Ok(Resumed { head: Head::origin(), file: None, repaired: None });
    };
    let bytes = fs::read(&newest.path).map_err(fault(&newest.path))?;
    let (end, head) = match sound_end(&bytes) {
        Some(found) => found,
        None => (0, head_before(&parts).map_err(fault(folder))?),
    };
    let mut repaired = None;
    if end < bytes.len() {
        let tail = &bytes[end..];
        let kept_in = format!("torn_{:012}_{end}.bin", newest.first_seq);
        keep(&folder.join(&kept_in), tail).map_err(fault(&folder.join(&kept_in)))?;
        cut(&newest.path, end as u64).map_err(fault(&newest.path))?;
        repaired =
            Some(Event::Repaired { bytes: tail.len() as u64, sha256: sha256(tail), kept_in });
    }
    Ok(Resumed { head, file: Some((newest.path.clone(), end as u64)), repaired })
}

/// Where the last sound line ends, newline included, and that line.
fn sound_end(bytes: &[u8]) -> Option<(usize, Head)> {
    let mut end = bytes.iter().rposition(|b| *b == b'\n')? + 1;
    loop {
        let begin = bytes[..end - 1].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let line = &bytes[begin..end - 1];
        if let Some(link) = Link::read(line).filter(Link::is_sound) {
            return Some((end, Head { seq: link.seq, hash: sha256(line) }));
        }
        if begin == 0 {
            return None;
        }
        end = begin;
    }
}

/// The newest sound line before the newest file.
fn head_before(parts: &[Part]) -> io::Result<Head> {
    for part in parts.iter().rev().skip(1) {
        if let Some((_, head)) = sound_end(&fs::read(&part.path)?) {
            return Ok(head);
        }
    }
    Ok(Head::origin())
}

fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_all()
}

/// Opens the growing file; a new name is on the medium when this returns.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
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
    let parts = match parts(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    let Some(oldest) = parts.first() else {
        return Ok(Page { total: 0, lines: Vec::new() });
    };
    let mut lines = Vec::new();
    let mut total = 0;
    let mut skip = page.saturating_mul(per_page);
    let mut wanted = per_page;
    let mut next_first: Option<u64> = None;
    for part in parts.iter().rev() {
        // Of a finished file the number of lines is known without reading it.
        let known = next_first.map(|next| next.saturating_sub(part.first_seq));
        let text = match known {
            Some(count) if skip >= count || wanted == 0 => None,
            _ => Some(read_text(&part.path)?),
        };
        let whole = |text: &str| text.rfind('\n').map_or(0, |end| end + 1);
        let count = match (known, &text) {
            (Some(count), _) => count,
            (None, Some(text)) => text[..whole(text)].lines().count() as u64,
            (None, None) => 0,
        };
        if next_first.is_none() {
            total = (part.first_seq + count).saturating_sub(oldest.first_seq);
        }
        if let Some(text) = text {
            let newest_first = text[..whole(&text)].lines().rev();
            for line in newest_first.skip(skip as usize).take(wanted as usize) {
                wanted -= 1;
                lines.extend(RawValue::from_string(line.to_owned()));
            }
        }
        skip = skip.saturating_sub(count);
        next_first = Some(part.first_seq);
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
