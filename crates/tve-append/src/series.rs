//! The files of one log in a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files that are called `<prefix><12 digits><suffix>`; names sort like numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Series {
    /// Before the number.
    pub prefix: &'static str,
    /// After it.
    pub suffix: &'static str,
}

/// One file of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Number of what it begins with.
    pub first: u64,
    /// Where it is.
    pub path: PathBuf,
}

impl Series {
    /// Name of the file that begins with number `first`.
    pub fn name(&self, first: u64) -> String {
        format!("{}{first:012}{}", self.prefix, self.suffix)
    }

    /// The files of `folder`, oldest first; what is called otherwise is none of them.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self, folder: &Path) -> io::Result<Vec<Segment>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let number = name.strip_prefix(self.prefix).and_then(|n| n.strip_suffix(self.suffix));
            if let Some(first) = number.and_then(|n| n.parse().ok()) {
                segments.push(Segment { first, path });
            }
        }
        segments.sort_by_key(|segment| segment.first);
        Ok(segments)
    }

    /// The oldest files, which have to go so that with a new one there are `most` at most.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn outlived(&self, folder: &Path, most: usize) -> io::Result<Vec<Segment>> {
        let mut segments = self.list(folder)?;
        let excess = (segments.len() + 1).saturating_sub(most);
        segments.truncate(excess);
        Ok(segments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERIES: Series = Series { prefix: "log_", suffix: ".jsonl" };

    #[test]
    fn files_come_in_the_order_of_their_numbers_and_foreign_ones_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        for first in [900, 1, 20_000_000_000_000] {
            fs::write(folder.path().join(SERIES.name(first)), "").unwrap();
        }
        for other in ["log_.jsonl", "log_x.jsonl", "log_000000000001.bin", "torn_1.jsonl"] {
            fs::write(folder.path().join(other), "").unwrap();
        }
        let firsts = |segments: Vec<Segment>| -> Vec<u64> {
            segments.iter().map(|segment| segment.first).collect()
        };
        let found = SERIES.list(folder.path()).unwrap();
        assert!(found[0].path.ends_with("log_000000000001.jsonl"));
        assert_eq!(firsts(found), [1, 900, 20_000_000_000_000]);
        assert_eq!(firsts(SERIES.outlived(folder.path(), 2).unwrap()), [1, 900]);
        assert_eq!(firsts(SERIES.outlived(folder.path(), 4).unwrap()), [] as [u64; 0]);
    }
}
