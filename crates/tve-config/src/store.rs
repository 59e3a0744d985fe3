//! Configuration files: loading, and saving so that a crash at any moment leaves a whole file.
//!
//! Saving writes a temporary file beside the target, syncs it, renames it over the target and
//! syncs the folder. Before that the old file becomes generation `.1`, `.1` becomes `.2`, and so
//! on to `.10`.

use crate::{Config, ConfigErrors};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// How many old files are kept.
pub const GENERATIONS: u32 = 10;
/// Longest file that is read, in bytes: some hundred times a complete configuration.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a file is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file can be read, and is wrong.
    #[error("{}:\n{errors}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Every fault; part of the message, hence no source.
        errors: ConfigErrors,
    },
}

/// What a save did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// The file is new, its predecessor is generation 1.
    Written,
    /// The file already held just this; nothing was touched.
    Unchanged,
}

/// Load and validate a file.
///
/// # Errors
/// [`LoadError::Read`] when it cannot be read (or is not text, or longer than 1 MiB),
/// [`LoadError::Invalid`] with every fault.
pub fn load(path: &Path) -> Result<Config, LoadError> {
    let text = read(path).map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    Config::parse(&text).map_err(|errors| LoadError::Invalid { path: path.to_owned(), errors })
}

/// The text of a file that may be anything.
///
/// # Errors
/// When it cannot be read, is not text, or longer than 1 MiB.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        let reason = format!("longer than {MAX_BYTES} bytes, which no configuration is");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(text)
}

/// Save `config` atomically and keep the last ten different files.
///
/// # Errors
/// What the file system says; the file at `path` is then the old or the new one, whole.
pub fn save(path: &Path, config: &Config) -> io::Result<Saved> {
    // A link stays a link: its target is what gets replaced.
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        other => other?,
    };
    let mut text = serde_json::to_string_pretty(&config.to_json())?;
    text.push('\n');
    let old = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        other => Some(other?),
    };
    if old.as_deref() == Some(text.as_bytes()) {
        return Ok(Saved::Unchanged);
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Readable by its owner alone: the file holds password hashes.
    let mut temporary = tempfile::Builder::new().prefix(".config-").tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    if old.is_some() {
        temporary.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
    }
    temporary.as_file().sync_all()?;
    if old.is_some() {
        rotate(&path)?;
    }
    temporary.persist(&path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()?;
    Ok(Saved::Written)
}

/// An old file that a save has replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// 1 for the newest, up to [`GENERATIONS`].
    pub number: u32,
    /// Size in bytes.
    pub size: u64,
    /// When it was written.
    pub modified: std::time::SystemTime,
}

/// The old files of `path`, newest first.
///
/// # Errors
/// When the file system cannot say.
pub fn generations(path: &Path) -> io::Result<Vec<Generation>> {
    let mut found = Vec::new();
    for number in 1..=GENERATIONS {
        match fs::metadata(old_file(path, number)) {
            Ok(old) => {
                found.push(Generation { number, size: old.len(), modified: old.modified()? });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Load generation `number` of `path`.
///
/// # Errors
/// As of [`load`].
pub fn load_generation(path: &Path, number: u32) -> Result<Config, LoadError> {
    load(&old_file(path, number))
}

/// Where [`save`] puts generation `number` of `path`, which may be a link.
fn old_file(path: &Path, number: u32) -> PathBuf {
    generation(&fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), number)
}

/// Generation `n` of a file.
fn generation(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}

/// Make the current file generation 1 without ever removing it from its own name.
fn rotate(path: &Path) -> io::Result<()> {
    for n in (1..GENERATIONS).rev() {
        match fs::rename(generation(path, n), generation(path, n + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let newest = generation(path, 1);
    if fs::hard_link(path, &newest).is_err() {
        // File systems such as a boot partition's FAT have no hard links.
        fs::copy(path, &newest)?;
        File::open(&newest)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_gain(kp: f64) -> Config {
        let mut config = Config::default();
        config.z1.kp = kp;
        config
    }

    #[test]
    fn what_is_saved_loads_as_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let config = Config::embedded();
        assert_eq!(save(&path, &config).unwrap(), Saved::Written);
        assert_eq!(load(&path).unwrap(), config);
    }

    #[test]
    fn only_a_different_content_makes_a_generation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        save(&path, &with_gain(1.0)).unwrap();
        assert_eq!(save(&path, &with_gain(1.0)).unwrap(), Saved::Unchanged);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(save(&path, &with_gain(2.0)).unwrap(), Saved::Written);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn the_newest_ten_generations_stay_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        for n in 0..13 {
            save(&path, &with_gain(f64::from(n))).unwrap();
        }
        assert_eq!(load(&path).unwrap().z1.kp, 12.0);
        for n in 1..=GENERATIONS {
            assert_eq!(load_generation(&path, n).unwrap().z1.kp, f64::from(12 - n));
        }
        let listed = generations(&path).unwrap();
        assert_eq!(
            listed.iter().map(|g| g.number).collect::<Vec<_>>(),
            (1..=10).collect::<Vec<_>>()
        );
        // The file, ten generations, and no temporary file.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 11);
    }

    #[test]
    fn a_linked_file_is_replaced_at_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.json"), folder.path().join("config.json"));
        save(&real, &with_gain(1.0)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        save(&link, &with_gain(2.0)).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(load(&real).unwrap().z1.kp, 2.0);
    }

    #[test]
    fn a_file_truncated_at_any_byte_is_refused() {
        let text = serde_json::to_string_pretty(&Config::embedded().to_json()).unwrap();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert!(Config::parse(&text[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_missing_and_an_endless_file_say_which_file_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let missing = load(&path).unwrap_err();
        assert!(matches!(&missing, LoadError::Read { source, .. }
            if source.kind() == io::ErrorKind::NotFound));
        assert!(missing.to_string().contains("config.json"));
        fs::write(&path, vec![b' '; MAX_BYTES as usize + 1]).unwrap();
        assert!(matches!(load(&path), Err(LoadError::Read { .. })));
        fs::write(&path, r#"{"z1": {"kp": -1}}"#).unwrap();
        let invalid = load(&path).unwrap_err().to_string();
        assert!(invalid.contains("z1.kp: must be between 0 and 1000"), "{invalid}");
    }
}
