//! [`Name`]: what the configuration calls a zone, motor or sensor.

use core::fmt;

/// Longest name in letters: what a metric label and a display line take.
const LONGEST: usize = 16;

/// A name of 1 to 16 lower-case letters, digits or `_` that begins with a letter.
///
/// Held in place, so that lists of names are copied without allocation. The default is empty and
/// stands for "no name yet".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name {
    letters: [u8; LONGEST],
    len: u8,
}

/// Why a text is no [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAName;

impl fmt::Display for NotAName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a name must be 1 to {LONGEST} of a to z, 0 to 9 and \"_\", a letter first")
    }
}

impl core::error::Error for NotAName {}

impl Name {
    /// Longest name in letters.
    pub const LONGEST: usize = LONGEST;

    /// The name that `text` is.
    ///
    /// # Errors
    /// [`NotAName`] with the rule.
    pub fn new(text: &str) -> Result<Self, NotAName> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let bytes = text.as_bytes();
        let begins = bytes.first().is_some_and(u8::is_ascii_lowercase);
        if !begins || bytes.len() > LONGEST || !bytes.iter().copied().all(legal) {
            return Err(NotAName);
        }
        let mut letters = [0; LONGEST];
        letters[..bytes.len()].copy_from_slice(bytes);
        Ok(Self { letters, len: bytes.len() as u8 })
    }

    /// The name as a text.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever stored.
        core::str::from_utf8(&self.letters[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, text: &str) -> bool {
        self.as_str() == text
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, text: &&str) -> bool {
        self.as_str() == *text
    }
}

#[cfg(feature = "state")]
impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

#[cfg(feature = "state")]
impl<'de> serde::Deserialize<'de> for Name {
    /// The empty name stands for "no name yet", and comes back as that.
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_lower_case_and_begins_with_a_letter() {
        for good in ["z1", "main", "a", "melt_pressure_16"] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "1z", "_a", "Z1", "melt pressure", "é", "seventeen_letters"] {
            assert_eq!(Name::new(bad), Err(NotAName), "{bad}");
        }
    }
}
