//! Reading a journal newest first, all classes by the numbers that they share.

use crate::chain::number;
use crate::class::Class;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use tve_append::Segment;

/// Bytes at the end of a file that are read first; most pages need no more.
const FIRST_LOOK: u64 = 64 * 1024;

/// One page of a journal.
#[derive(Debug)]
pub struct Page {
    /// Numbers on all pages. One has no line where a class has lost its oldest, or somebody else has
    /// written there; `tve audit verify` tells the two apart.
    pub total: u64,
    /// The lines of this page, newest first, each a JSON object.
    pub lines: Vec<Box<RawValue>>,
}

/// Reads page `page` (from 0, newest first, `per_page` numbers) of the journal in `folder`.
///
/// # Errors
/// When a file cannot be read. A journal that does not exist yet has no lines.
pub fn page(folder: &Path, page: u64, per_page: u64) -> io::Result<Page> {
    let mut chains = Vec::new();
    for class in Class::ALL {
        match class.room().series.list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => chains.push(other?),
        }
    }
    let mut newest = 0;
    for segment in chains.iter().filter_map(|segments| segments.last()) {
        let bytes = tail(&segment.path, u64::MAX)?;
        let last = numbered(&bytes).next_back().map(|(number, _)| number);
        newest = newest.max(last.unwrap_or(segment.first.saturating_sub(1)));
    }
    let oldest = chains.iter().filter_map(|segments| Some(segments.first()?.first)).min();
    let total = oldest.map_or(0, |oldest| (newest + 1).saturating_sub(oldest));
    let skipped = page.saturating_mul(per_page);
    let mut lines = Vec::new();
    if let Some(high) = newest.checked_sub(skipped).filter(|_| skipped < total) {
        let low = (high + 1).saturating_sub(per_page);
        for segments in &chains {
            for (at, Segment { first, path }) in segments.iter().enumerate() {
                let ends_before = segments.get(at + 1).is_some_and(|next| next.first <= low);
                if *first <= high && !ends_before {
                    let bytes = tail(path, low)?;
                    let on_page = numbered(&bytes).filter(|(n, _)| (low..=high).contains(n));
                    lines.extend(on_page.filter_map(|(n, line)| {
                        let text = String::from_utf8(line.to_vec()).ok()?;
                        Some((n, RawValue::from_string(text).ok()?))
                    }));
                }
            }
        }
        lines.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    }
    Ok(Page { total, lines: lines.into_iter().map(|(_, line)| line).collect() })
}

/// The whole lines at the end of a file, from one with a number below `low` on, or all of them.
fn tail(path: &Path, low: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut look = FIRST_LOOK;
    loop {
        let begin = length.saturating_sub(look);
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        (&mut file).take(length - begin).read_to_end(&mut bytes)?;
        // What is not ended is being written, what is not begun was cut by this look.
        bytes.truncate(bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1));
        if begin > 0 {
            bytes.drain(..bytes.iter().position(|b| *b == b'\n').map_or(0, |end| end + 1));
        }
        if begin == 0 || numbered(&bytes).next().is_some_and(|(first, _)| first < low) {
            return Ok(bytes);
        }
        look = look.saturating_mul(2);
    }
}

/// The lines with their numbers; what has none is no line of ours.
fn numbered(bytes: &[u8]) -> impl DoubleEndedIterator<Item = (u64, &[u8])> {
    bytes.split(|b| *b == b'\n').filter_map(|line| Some((number(line)?, line)))
}
