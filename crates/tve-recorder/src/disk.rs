//! The seam to the file system: small enough to be replaced by one that fails, fills or blocks.

use crate::folder::{self, Naming, RunFile};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use tve_append::{AppendFile, in_its_folder};

/// What the recorder needs of a file system.
pub trait Disk: Send {
    /// A new file.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when the name is taken; else of the system.
    fn create_new(&mut self, path: &Path) -> io::Result<Box<dyn AppendFile>>;

    /// An old file, or a new one, to append to.
    ///
    /// # Errors
    /// Of the system.
    fn append_to(&mut self, path: &Path) -> io::Result<Box<dyn AppendFile>>;

    /// Puts `bytes` in the place of a file such that a reader, or a power cut, finds either the
    /// old or the new content, never a mixture.
    ///
    /// # Errors
    /// Of the system; the old content is then still there.
    fn replace(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// The whole content of a file.
    ///
    /// # Errors
    /// Of the system.
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files of one kind in a folder, newest first.
    ///
    /// # Errors
    /// Of the system.
    fn list(&mut self, folder: &Path, naming: Naming) -> io::Result<Vec<RunFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// Of the system.
    fn remove(&mut self, path: &Path) -> io::Result<()>;

    /// Bytes that this user may still write to the file system of `folder`.
    ///
    /// # Errors
    /// Of the system.
    fn free_bytes(&mut self, folder: &Path) -> io::Result<u64>;
}

/// As the process's mask leaves it.
const MODE: u32 = 0o666;

/// The file system of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

/// A new name survives a power cut only once its folder is on the medium.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

impl Disk for RealDisk {
    fn create_new(&mut self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        let file = in_its_folder(path, || options.open(path))?;
        sync_folder_of(path)?;
        Ok(Box::new(file))
    }

    fn append_to(&mut self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        Ok(Box::new(tve_append::open(path, MODE)?))
    }

    fn replace(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let draft = path.with_extension("tmp");
        let mut file = in_its_folder(&draft, || File::create(&draft))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        sync_folder_of(path)
    }

    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn list(&mut self, folder: &Path, naming: Naming) -> io::Result<Vec<RunFile>> {
        match folder::scan(folder, naming) {
            // It is made with its first file.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other,
        }
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn free_bytes(&mut self, folder: &Path) -> io::Result<u64> {
        let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(folder);
        let found = rustix::fs::statvfs(there)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_a_file_leaves_the_new_content_and_no_draft() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        RealDisk.replace(&path, b"old").unwrap();
        RealDisk.replace(&path, b"new").unwrap();
        assert_eq!(RealDisk.read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_gone_has_no_files_and_is_made_with_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        assert_eq!(RealDisk.list(&logs, crate::run_files::RUNS).unwrap(), []);
        assert!(RealDisk.free_bytes(&logs).unwrap() > 0);
        RealDisk.create_new(&logs.join("run.csv")).unwrap();
        fs::remove_dir_all(&logs).unwrap();
        RealDisk.append_to(&logs.join("run.csv")).unwrap();
        fs::remove_dir_all(&logs).unwrap();
        RealDisk.replace(&logs.join("session.json"), b"x").unwrap();
    }

    #[test]
    fn a_taken_name_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.csv");
        RealDisk.create_new(&path).unwrap();
        let refused = RealDisk.create_new(&path).err().map(|e| e.kind());
        assert_eq!(refused, Some(io::ErrorKind::AlreadyExists));
    }

    #[test]
    fn the_free_space_of_a_folder_is_a_number_above_zero() {
        let folder = tempfile::tempdir().unwrap();
        assert!(RealDisk.free_bytes(folder.path()).unwrap() > 0);
    }
}
