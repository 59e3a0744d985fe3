//! One file that grows.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// An open file as an append needs it; the seam for a disk that fails.
pub trait AppendFile: Send {
    /// Appends a part of `bytes` from its beginning and says how many bytes that was.
    ///
    /// # Errors
    /// Of the system; nothing of `bytes` is then in the file.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Returns when everything appended is on the medium.
    ///
    /// # Errors
    /// Of the system.
    fn sync(&mut self) -> io::Result<()>;

    /// Bytes in the file.
    ///
    /// # Errors
    /// Of the system.
    fn size(&self) -> io::Result<u64>;

    /// Cuts the file off after `length` bytes.
    ///
    /// # Errors
    /// Of the system.
    fn cut(&mut self, length: u64) -> io::Result<()>;

    /// Whether `path` still leads to it; a file that was removed can be written to unseen.
    fn is_at(&self, path: &Path) -> bool {
        let _ = path;
        true
    }
}

impl AppendFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(self, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn is_at(&self, path: &Path) -> bool {
        let same = |path: std::fs::Metadata, file: std::fs::Metadata| {
            (path.dev(), path.ino()) == (file.dev(), file.ino())
        };
        std::fs::metadata(path).is_ok_and(|path| self.metadata().is_ok_and(|file| same(path, file)))
    }
}

/// Opens a file to append to, or makes it with the permissions `mode`, and its folder where that is
/// gone; its name is on the medium when this returns.
///
/// # Errors
/// Of the system.
pub fn open(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(mode);
    let file = in_its_folder(path, || options.open(path))?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// Does what makes `path`, once more with its folder where that is not there.
///
/// # Errors
/// Of the system.
pub fn in_its_folder<T>(path: &Path, mut make: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    match (make(), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            std::fs::create_dir_all(folder)?;
            make()
        }
        (made, _) => made,
    }
}

/// A file with its sound end.
pub struct Growing {
    path: PathBuf,
    /// `None` until the file has been looked at: then all that is there counts as sound.
    sound: Option<u64>,
    /// What is there may end in the middle of a line.
    torn: bool,
    /// Open as long as it has shown no fault.
    file: Option<Box<dyn AppendFile>>,
}

impl Growing {
    /// Goes on, on a new line, at the end of whatever is there.
    pub const fn at_the_end_of(path: PathBuf) -> Self {
        Self { path, sound: None, torn: true, file: None }
    }

    /// Goes on after `sound` bytes, which end with a line; what is beyond them is cut off.
    pub const fn after(path: PathBuf, sound: u64) -> Self {
        Self { path, sound: Some(sound), torn: false, file: None }
    }

    /// Bytes that are known to be whole; 0 before the first look at the file.
    pub fn size(&self) -> u64 {
        self.sound.unwrap_or_default()
    }

    /// Whether what was appended is still where it was: nobody has removed, replaced or shortened it.
    pub fn is_in_place(&self) -> bool {
        let Some(sound) = self.sound.filter(|sound| *sound > 0) else {
            return true;
        };
        std::fs::metadata(&self.path).is_ok_and(|found| found.len() >= sound)
            && self.file.as_ref().is_none_or(|file| file.is_at(&self.path))
    }

    /// Appends all of `lines` and returns when they are on the medium. After an error none of them
    /// counts, and what is there of them is cut off, by the next call where not by this one. `open` is asked for the file where
    /// it is not open.
    ///
    /// # Errors
    /// Of the system.
    pub fn append(
        &mut self,
        open: impl FnOnce(&Path) -> io::Result<Box<dyn AppendFile>>,
        lines: &[u8],
    ) -> io::Result<()> {
        // Only a file without a fault stays open, and one that its name leads to.
        let mut file = match self.file.take() {
            Some(file) if file.is_at(&self.path) => file,
            Some(_) | None => open(&self.path)?,
        };
        let size = file.size()?;
        let sound = *self.sound.get_or_insert(size);
        if size > sound {
            file.cut(sound)?;
        }
        // Somebody else has shortened it, who knows where.
        self.torn |= size < sound;
        let sound = sound.min(size);
        self.sound = Some(sound);
        let new_line: &[u8] = if self.torn && sound > 0 { b"\n" } else { b"" };
        let written = write_all(&mut *file, new_line)
            .and_then(|()| write_all(&mut *file, lines))
            .and_then(|()| file.sync());
        if let Err(error) = written {
            // Half a line must not be what the next process finds; if this fails too, the next
            // append cuts it off.
            let _ = file.cut(sound);
            return Err(error);
        }
        self.sound = Some(sound + (new_line.len() + lines.len()) as u64);
        self.torn = false;
        self.file = Some(file);
        Ok(())
    }
}

fn write_all(file: &mut dyn AppendFile, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => bytes = &bytes[taken..],
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn real(path: &Path) -> io::Result<Box<dyn AppendFile>> {
        Ok(Box::new(open(path, 0o640)?))
    }

    /// Takes one byte at a time, and no more than it has room for.
    struct Small(File, Arc<AtomicUsize>);

    impl AppendFile for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.1.load(Ordering::Relaxed);
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.1.store(room - 1, Ordering::Relaxed);
            self.0.write_all(&bytes[..1])?;
            Ok(1)
        }

        fn sync(&mut self) -> io::Result<()> {
            self.0.sync()
        }

        fn size(&self) -> io::Result<u64> {
            self.0.size()
        }

        fn cut(&mut self, length: u64) -> io::Result<()> {
            match self.1.load(Ordering::Relaxed) {
                0 => Err(io::ErrorKind::Other.into()),
                _ => self.0.cut(length),
            }
        }
    }

    #[test]
    fn a_failed_append_leaves_nothing_behind_where_the_disk_lets_it_cut() {
        struct Full(File);
        impl AppendFile for Full {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                match bytes {
                    [first, _, ..] => self.0.write_all(&[*first]).map(|()| 1),
                    _ => Err(io::ErrorKind::StorageFull.into()),
                }
            }
            fn sync(&mut self) -> io::Result<()> {
                self.0.sync()
            }
            fn size(&self) -> io::Result<u64> {
                self.0.size()
            }
            fn cut(&mut self, length: u64) -> io::Result<()> {
                self.0.cut(length)
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "old\n").unwrap();
        let mut log = Growing::after(path.clone(), 4);
        let full = |path: &Path| -> io::Result<Box<dyn AppendFile>> {
            Ok(Box::new(Full(open(path, 0o640)?)))
        };
        assert!(log.append(full, b"first\n").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old\n");
    }

    #[test]
    fn what_a_failed_append_left_is_cut_off_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let whole = b"old\nsecond\n".to_vec();
        // Room for a part of the line, or for nothing at all.
        for bytes in 0..6 {
            fs::write(&path, "old\n").unwrap();
            let room = Arc::new(AtomicUsize::new(bytes));
            let small = |path: &Path| -> io::Result<Box<dyn AppendFile>> {
                Ok(Box::new(Small(open(path, 0o640)?, Arc::clone(&room))))
            };
            let mut log = Growing::after(path.clone(), 4);
            assert!(log.append(small, b"first\n").is_err());
            assert_eq!((fs::read(&path).unwrap().len(), log.size()), (4 + bytes, 4));
            room.store(100, Ordering::Relaxed);
            log.append(small, b"second\n").unwrap();
            assert_eq!((fs::read(&path).unwrap(), log.size()), (whole.clone(), 11));
        }
    }

    #[test]
    fn a_file_of_unknown_end_is_gone_on_with_on_a_new_line_also_after_a_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "torn").unwrap();
        let room = Arc::new(AtomicUsize::new(3));
        let small = |path: &Path| -> io::Result<Box<dyn AppendFile>> {
            Ok(Box::new(Small(open(path, 0o640)?, Arc::clone(&room))))
        };
        let mut log = Growing::at_the_end_of(path.clone());
        assert!(log.append(small, b"next\n").is_err());
        room.store(100, Ordering::Relaxed);
        log.append(small, b"next\n").unwrap();
        log.append(small, b"last\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"torn\nnext\nlast\n");
        let empty = folder.path().join("empty");
        Growing::at_the_end_of(empty.clone()).append(real, b"first\n").unwrap();
        assert_eq!(fs::read(&empty).unwrap(), b"first\n");
    }

    #[test]
    fn a_file_that_somebody_has_removed_with_its_folder_is_missed_and_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let path = inner.join("log");
        let mut log = Growing::after(path.clone(), 0);
        assert!(log.is_in_place(), "nothing is there yet");
        log.append(real, b"first\n").unwrap();
        assert!(log.is_in_place());
        fs::remove_dir_all(&inner).unwrap();
        assert!(!log.is_in_place());
        log.append(real, b"second\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second\n");
        fs::write(&path, "sec").unwrap();
        assert!(!log.is_in_place(), "shortened");
        fs::rename(&path, inner.join("other")).unwrap();
        fs::write(&path, "somebody else's\n").unwrap();
        assert!(!log.is_in_place(), "replaced");
    }

    #[test]
    fn what_is_beyond_a_given_end_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "sound\ntorn").unwrap();
        let mut log = Growing::after(path.clone(), 6);
        log.append(real, b"next\n").unwrap();
        assert_eq!((fs::read(&path).unwrap(), log.size()), (b"sound\nnext\n".to_vec(), 11));
    }

    #[test]
    fn a_file_that_somebody_has_shortened_gets_no_hole_and_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut log = Growing::after(path.clone(), 0);
        log.append(real, b"first\nsecond\n").unwrap();
        fs::write(&path, "fir").unwrap();
        log.append(real, b"third\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"fir\nthird\n");
        fs::write(&path, "").unwrap();
        log.append(real, b"fourth\n").unwrap();
        assert_eq!((fs::read(&path).unwrap(), log.size()), (b"fourth\n".to_vec(), 7));
    }
}
