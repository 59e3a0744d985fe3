//! One line of the chain: how it is written, and how it is read back.

use crate::ratchet::Key;
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// SHA-256 as it stands in a line, lower-case hexadecimal.
pub(crate) type Hash = String;

pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    hex::encode(Sha256::digest(bytes))
}

/// Number and hash of the newest line of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
}

impl Head {
    /// Before the first line.
    pub(crate) fn origin() -> Self {
        Self { seq: 0, hash: "0".repeat(64) }
    }

    /// Appends the line with number `seq`, newline included, to `out`. `members` are the members of
    /// its object as JSON text, without braces; `at_ms` is its time, Unix milliseconds. `key` signs
    /// it.
    pub(crate) fn append(
        &mut self,
        out: &mut Vec<u8>,
        seq: u64,
        at_ms: i64,
        members: &str,
        key: Option<&Key>,
    ) {
        let begin = out.len();
        let time = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let text =
            format!("{{\"seq\":{seq},\"time\":\"{time:.3}\",\"prev\":\"{}\",{members}", self.hash);
        out.extend_from_slice(text.as_bytes());
        if let Some(key) = key {
            key.sign(out, begin);
        }
        tve_append::seal(out, begin);
        self.seq = seq;
        self.hash = sha256(&out[begin..]);
        out.push(b'\n');
    }
}

/// The number of a line, as far as it has one.
pub(crate) fn number(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(b"{\"seq\":")?;
    let end = digits.iter().position(|b| !b.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// What the chain needs of a line.
#[derive(Debug, Deserialize)]
pub(crate) struct Link {
    pub(crate) seq: u64,
    pub(crate) prev: String,
    /// Index of the key that it was signed with.
    pub(crate) key: Option<u64>,
    /// As the line says.
    pub(crate) sum: String,
    /// As its content says.
    #[serde(skip)]
    pub(crate) true_sum: String,
}

impl Link {
    /// Reads a line without its newline; `None` when it is no line of a journal at all.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        let mut link: Self = serde_json::from_slice(line).ok()?;
        link.true_sum = tve_append::true_sum(line)?;
        Some(link)
    }

    /// Whether the line is as it was written.
    pub(crate) fn is_sound(&self) -> bool {
        self.sum == self.true_sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_carries_the_hash_of_the_line_before_and_its_own_sum() {
        let mut head = Head::origin();
        let mut out = Vec::new();
        head.append(&mut out, 1, 0, "\"event\":\"stopped\"", None);
        let first = out[..out.len() - 1].to_vec();
        head.append(&mut out, 2, 1_795_262_400_123, "\"event\":\"stopped\"", None);
        let text = String::from_utf8(out).unwrap();
        let second = text.lines().nth(1).unwrap();
        let value: serde_json::Value = serde_json::from_str(second).unwrap();
        assert_eq!(value["seq"], 2);
        assert_eq!(value["time"], "2026-11-21T12:00:00.123Z");
        assert_eq!(value["prev"], sha256(&first));
        assert!(Link::read(second.as_bytes()).unwrap().is_sound());
        assert_eq!(
            (number(second.as_bytes()), number(b"{\"seq\":x"), number(b"")),
            (Some(2), None, None)
        );
        let changed = second.replace("stopped", "started");
        assert!(!Link::read(changed.as_bytes()).unwrap().is_sound());
    }

    #[test]
    fn the_hash_is_sha_256() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), known);
    }
}
