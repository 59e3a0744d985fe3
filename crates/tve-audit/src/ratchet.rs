//! Keys that only go forward: whoever takes the computer over finds the key of the lines to come, and
//! none with which he could write a line of before.
//!
//! Each class has a key of its own, made of the one that `tve audit key` shows once. Its *index* says
//! how often it has been hashed since. It stands in each line beside the MAC; after a line was
//! written the key is hashed forward, at most once a second, and the one before is gone.

use crate::class::{Class, PerClass};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const FILE: &str = "ratchet.json";
/// The layout of that file.
const FORMAT: u32 = 1;
/// Of its owner alone.
const MODE: u32 = 0o600;
/// Furthest that a key is hashed to check a line: three years of a line each second.
const FURTHEST: u64 = 100_000_000;

/// `,"mac":"` and what follows it up to where the sum of the line begins.
const MARK: &str = ",\"mac\":\"";
const TAIL: usize = MARK.len() + 64 + 1;

/// A key at one point of its way.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct Key {
    /// How often it was hashed.
    pub(crate) index: u64,
    bytes: [u8; 32],
}

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ratchet {
    format: u32,
    /// In the order of the classes.
    keys: Vec<Key>,
}

/// A key as the file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    index: u64,
    key: String,
}

impl TryFrom<Stored> for Key {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let bytes = from_hex(&stored.key).ok_or("a key has 64 hexadecimal digits")?;
        Ok(Self { index: stored.index, bytes })
    }
}

impl From<Key> for Stored {
    fn from(key: Key) -> Self {
        Self { index: key.index, key: hex::encode(key.bytes) }
    }
}

impl Key {
    /// The first key of `class`.
    pub(crate) fn first(initial: &[u8; 32], class: Class) -> Self {
        let bytes = mac(initial, class.room().series.prefix.as_bytes());
        Self { index: 0, bytes }
    }

    /// Goes one step on; nothing leads back.
    pub(crate) fn advance(&mut self) {
        self.bytes = Sha256::digest(self.bytes).into();
        self.index += 1;
    }

    /// The key at `index`; `None` where that lies behind, or too far off.
    pub(crate) fn at(mut self, index: u64) -> Option<Self> {
        let steps = index.checked_sub(self.index).filter(|steps| *steps <= FURTHEST)?;
        (0..steps).for_each(|_| self.advance());
        Some(self)
    }

    /// Appends index and MAC to the line that begins at `begin` of `out`, its object still open.
    pub(crate) fn sign(&self, out: &mut Vec<u8>, begin: usize) {
        out.extend_from_slice(format!(",\"key\":{}", self.index).as_bytes());
        let mac = hex::encode(mac(&self.bytes, &out[begin..]));
        out.extend_from_slice(format!("{MARK}{mac}\"").as_bytes());
    }

    /// Whether a line was signed with this key.
    pub(crate) fn has_signed(&self, line: &[u8]) -> bool {
        let Some(signed) = tve_append::content(line) else { return false };
        let Some(end) = signed.len().checked_sub(TAIL) else { return false };
        let said = signed[end..].strip_prefix(MARK.as_bytes()).and_then(|s| s.strip_suffix(b"\""));
        said == Some(hex::encode(mac(&self.bytes, &signed[..end])).as_bytes())
    }
}

fn mac(key: &[u8; 32], content: &[u8]) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes any key")
    };
    mac.update(content);
    mac.finalize().into_bytes().into()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    hex::decode(text).ok()?.try_into().ok()
}

/// The key that a journal began with, which only somebody elsewhere has.
#[derive(Clone, Copy)]
pub struct InitialKey([u8; 32]);

impl std::fmt::Debug for InitialKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InitialKey").finish_non_exhaustive()
    }
}

impl InitialKey {
    /// The key that 256 random bits are.
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// Reads what [`Self::to_hex`] has written; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        from_hex(text.trim()).map(Self)
    }

    /// 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    pub(crate) fn of(&self, class: Class) -> Key {
        Key::first(&self.0, class)
    }

    /// Has the journal in `folder` signed from the next start of the service on.
    ///
    /// # Errors
    /// When it has a key already, or the folder cannot be written.
    pub fn install(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        if let Some(parent) = folder.parent() {
            give(parent, folder);
        }
        if fs::exists(path(folder))? {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the journal has a key already; move the folder away to begin a journal with another",
            ));
        }
        store(folder, &PerClass::from_fn(|class| self.of(class)))
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// The keys of the lines to come; `None` where the journal is not signed.
pub(crate) fn load(folder: &Path) -> io::Result<Option<PerClass<Key>>> {
    let text = match fs::read_to_string(path(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    let Ratchet { format, keys } = serde_json::from_str(&text)?;
    if format != FORMAT {
        return Err(wrong(format!("it has format {format}, and this version reads {FORMAT}")));
    }
    let count = keys.len();
    let keys: Result<[Key; Class::COUNT], _> = keys.try_into();
    let damaged = |_| wrong(format!("it has {count} keys and not {}", Class::COUNT));
    keys.map(|keys| Some(PerClass::from(keys))).map_err(damaged)
}

/// Puts `keys` in the place of those before.
pub(crate) fn store(folder: &Path, keys: &PerClass<Key>) -> io::Result<()> {
    let keys = keys.iter().map(|(_, key)| key.clone()).collect();
    let text = serde_json::to_string(&Ratchet { format: FORMAT, keys })?;
    let draft = folder.join("ratchet.tmp");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(&draft)?;
    file.write_all(text.as_bytes())?;
    give(folder, &draft);
    file.sync_all()?;
    fs::rename(&draft, path(folder))?;
    File::open(folder)?.sync_all()
}

/// Has `path` belong to whom `folder` belongs: `sudo tve audit key` must leave what the user of the
/// service can read. Whoever is not root can give nothing away, and has no need to.
fn give(folder: &Path, path: &Path) {
    if let Ok(owner) = fs::metadata(folder) {
        let _ = std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid()));
    }
}

/// How far the key in `folder` has gone, where it is one of those that `initial` leads to.
pub(crate) fn standing(folder: &Path, initial: &InitialKey, class: Class) -> io::Result<u64> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let keys = load(folder)?.ok_or_else(|| wrong("its key is gone"))?;
    let found = &keys[class];
    match initial.of(class).at(found.index) {
        Some(key) if key == *found => Ok(found.index),
        _ => Err(wrong("its key is none that the given one leads to")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INITIAL: InitialKey = InitialKey::new([7; 32]);

    #[test]
    fn a_key_leads_forward_and_signs_what_no_other_does() {
        let first = INITIAL.of(Class::Commands);
        let third = first.clone().at(2).unwrap();
        assert!(third.index == 2 && third.clone().at(1).is_none());
        let mut line = b"{\"seq\":1".to_vec();
        third.sign(&mut line, 0);
        tve_append::seal(&mut line, 0);
        assert!(third.has_signed(&line));
        assert!(!first.has_signed(&line));
        assert!(!INITIAL.of(Class::Access).at(2).unwrap().has_signed(&line));
        let changed = String::from_utf8(line).unwrap().replace("\"seq\":1", "\"seq\":2");
        assert!(!third.has_signed(changed.as_bytes()));
    }

    /// The file that layout [`FORMAT`] makes of the first keys.
    const STORED: (u32, &str) = (1, include_str!("../data/ratchet-1.json"));

    #[test]
    fn a_changed_file_of_keys_has_another_number_and_every_number_is_read() {
        let folder = tempfile::tempdir().unwrap();
        INITIAL.install(folder.path()).unwrap();
        let text = fs::read_to_string(path(folder.path())).unwrap();
        assert_eq!((FORMAT, text.as_str()), STORED, "raise FORMAT, and see that load reads both");
        fs::write(path(folder.path()), text.replace("\"format\":1", "\"format\":2")).unwrap();
        assert!(load(folder.path()).is_err());
        fs::write(path(folder.path()), STORED.1).unwrap();
        assert!(load(folder.path()).unwrap().unwrap()[Class::Alarms] == INITIAL.of(Class::Alarms));
    }

    #[test]
    fn what_is_stored_is_the_key_of_its_index_and_neither_an_older_one_nor_made_up() {
        let folder = tempfile::tempdir().unwrap();
        INITIAL.install(folder.path()).unwrap();
        assert!(INITIAL.install(folder.path()).is_err(), "one key for one journal");
        let mut keys = load(folder.path()).unwrap().unwrap();
        let first = keys[Class::Access].clone();
        for _ in 0..5 {
            keys[Class::Access].advance();
        }
        store(folder.path(), &keys).unwrap();
        let text = fs::read_to_string(path(folder.path())).unwrap();
        assert!(!text.contains(&hex::encode(first.bytes)) && !text.contains(&INITIAL.to_hex()));
        assert_eq!(standing(folder.path(), &INITIAL, Class::Access).unwrap(), 5);
        let other = InitialKey::new([8; 32]);
        assert!(standing(folder.path(), &other, Class::Access).is_err());
        keys[Class::Access].index = 3;
        store(folder.path(), &keys).unwrap();
        assert!(standing(folder.path(), &INITIAL, Class::Access).is_err());
        let mode = fs::metadata(path(folder.path())).unwrap().mode();
        assert_eq!(mode & 0o777, MODE);
    }
}
