//! The end of a file of lines after a power cut.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Where the last sound line of `bytes` ends, newline included, and what `read` makes of it: `None`
/// from `read` is a line that is not sound.
pub fn last_sound<T>(bytes: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Option<(usize, T)> {
    let mut end = bytes.iter().rposition(|b| *b == b'\n')? + 1;
    loop {
        let begin = bytes[..end - 1].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if let Some(line) = read(&bytes[begin..end - 1]) {
            return Some((end, line));
        }
        if begin == 0 {
            return None;
        }
        end = begin;
    }
}

/// Moves what a file has after `end` bytes into the file `kept_in`, made anew with the permissions
/// `mode`; both are on the medium when this returns.
///
/// # Errors
/// Of the system; the file is then still as it was.
pub fn set_aside(path: &Path, end: u64, kept_in: &Path, mode: u32) -> io::Result<()> {
    let bytes = fs::read(path)?;
    let tail = bytes.get(usize::try_from(end).unwrap_or(usize::MAX)..).unwrap_or_default();
    let mut kept =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(kept_in)?;
    kept.write_all(tail)?;
    kept.sync_all()?;
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(end)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(line: &[u8]) -> Option<Vec<u8>> {
        line.starts_with(b"ok").then(|| line.to_vec())
    }

    #[test]
    fn the_last_sound_line_is_found_before_whatever_follows_it() {
        for (bytes, found) in [
            (&b"ok 1\nok 2\n"[..], Some((10, b"ok 2".to_vec()))),
            (b"ok 1\nok 2", Some((5, b"ok 1".to_vec()))),
            (b"ok 1\n\0\0\nbad\nbad\n", Some((5, b"ok 1".to_vec()))),
            (b"bad\nbad\n", None),
            (b"ok 1", None),
            (b"", None),
        ] {
            assert_eq!(last_sound(bytes, sound), found, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_set_aside_is_in_its_own_file_and_no_longer_in_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let (path, kept) = (folder.path().join("log"), folder.path().join("torn"));
        fs::write(&path, "sound\ntorn").unwrap();
        set_aside(&path, 6, &kept, 0o640).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"sound\n");
        assert_eq!(fs::read(&kept).unwrap(), b"torn");
    }
}
