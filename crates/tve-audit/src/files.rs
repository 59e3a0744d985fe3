//! The files of a journal: their names, the repair at start, and where each class goes on.

use crate::chain::{Hash, Head, Link, sha256};
use crate::class::{Class, PerClass};
use crate::event::Event;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tve_append::{Growing, Segment, last_sound, set_aside};

/// Owner writes, group reads, nobody else.
pub(crate) const MODE: u32 = 0o640;

/// The files of one class, oldest first: a chain of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// What the names of the files begin with.
    pub name: &'static str,
    /// The files.
    pub files: Vec<PathBuf>,
    pub(crate) class: Class,
}

/// The chains of the journal in `folder`, those without a file too.
///
/// # Errors
/// When the folder cannot be read.
pub fn chains(folder: &Path) -> io::Result<Vec<Chain>> {
    let mut chains = Vec::new();
    for class in Class::ALL {
        let series = class.room().series;
        let files: Vec<_> = series.list(folder)?.into_iter().map(|segment| segment.path).collect();
        chains.push(Chain { name: series.prefix.trim_end_matches('_'), files, class });
    }
    Ok(chains)
}

/// Where one class goes on.
pub(crate) struct Growth {
    /// Number and hash of its newest line.
    pub(crate) head: Head,
    /// The file that grows; `None` begins a new one.
    pub(crate) file: Option<Growing>,
    /// Files that it has.
    pub(crate) files: usize,
}

impl Growth {
    /// How many of its files are gone.
    pub(crate) fn missing(&self, class: Class, folder: &Path) -> usize {
        let found = class.room().series.list(folder).map_or(0, |segments| segments.len());
        self.files.saturating_sub(found)
    }
}

/// Where a journal goes on.
pub(crate) struct Resumed {
    pub(crate) growth: PerClass<Growth>,
    /// What had to be cut off.
    pub(crate) repaired: Vec<(Class, Event)>,
}

/// Finds the ends of the journal in `folder`, which is made where needed. Whatever follows the last
/// sound line of the newest file of a class is moved to a file of its own.
pub(crate) fn resume(folder: &Path) -> io::Result<Resumed> {
    fs::create_dir_all(folder)?;
    let mut repaired = Vec::new();
    let mut growth = Vec::new();
    for class in Class::ALL {
        let (found, event) = resume_class(class, folder)?;
        growth.push(found);
        repaired.extend(event.map(|event| (class, event)));
    }
    let mut growth = growth.into_iter();
    let none = || Growth { head: Head::origin(), file: None, files: 0 };
    let growth = PerClass::from_fn(|_| growth.next().unwrap_or_else(none));
    Ok(Resumed { growth, repaired })
}

fn resume_class(class: Class, folder: &Path) -> io::Result<(Growth, Option<Event>)> {
    let segments = class.room().series.list(folder)?;
    let Some(newest) = segments.last() else {
        return Ok((Growth { head: Head::origin(), file: None, files: 0 }, None));
    };
    let bytes = fs::read(&newest.path)?;
    let (end, head) = match last_sound(&bytes, sound) {
        Some(found) => found,
        None => (0, head_before(&segments)?),
    };
    let mut repaired = None;
    if end < bytes.len() {
        let tail = &bytes[end..];
        let prefix = class.room().series.prefix;
        // As all were called before there were classes.
        let kind = if class == Class::Commands { "" } else { prefix };
        let kept_in = format!("torn_{kind}{:012}_{end}.bin", newest.first);
        set_aside(&newest.path, end as u64, &folder.join(&kept_in), MODE)?;
        repaired =
            Some(Event::Repaired { bytes: tail.len() as u64, sha256: sha256(tail), kept_in });
    }
    let file = Some(Growing::after(newest.path.clone(), end as u64));
    Ok((Growth { head, file, files: segments.len() }, repaired))
}

/// A line that is as it was written, as the head of what follows it.
fn sound(line: &[u8]) -> Option<Head> {
    let link = Link::read(line).filter(Link::is_sound)?;
    let hash: Hash = sha256(line);
    Some(Head { seq: link.seq, hash })
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
