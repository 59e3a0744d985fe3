//! The sum at the end of a line of JSON, by which a line that has changed is known by itself.

use sha2::{Digest as _, Sha256};

/// Digits of a sum: 64 bits find every accident, and against intent no sum without a key counts.
const DIGITS: usize = 16;

/// `,"sum":"` and what follows it up to the end of a line.
const MARK: &str = ",\"sum\":\"";
const TAIL: usize = MARK.len() + DIGITS + 2;

/// Ends the object that begins at `begin` of `out`, whose brace is still open, with the sum of all
/// that stands there.
pub fn seal(out: &mut Vec<u8>, begin: usize) {
    let sum = sum(&out[begin..]);
    out.extend_from_slice(MARK.as_bytes());
    out.extend_from_slice(sum.as_bytes());
    out.extend_from_slice(b"\"}");
}

/// What a sealed line says before its sum; `None` for what is too short to have one.
pub fn content(line: &[u8]) -> Option<&[u8]> {
    Some(&line[..line.len().checked_sub(TAIL)?])
}

/// The sum that the content of a sealed line gives, whatever the line says; `None` for what is too
/// short to have one.
pub fn true_sum(line: &[u8]) -> Option<String> {
    content(line).map(sum)
}

/// Whether a line is as it was sealed.
pub fn is_sealed(line: &[u8]) -> bool {
    content(line).is_some_and(|content| {
        line[content.len()..] == *format!("{MARK}{}\"}}", sum(content)).as_bytes()
    })
}

fn sum(content: &[u8]) -> String {
    let mut sum = hex::encode(Sha256::digest(content));
    sum.truncate(DIGITS);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_any_bit_changed_is_sealed_no_more() {
        let mut line = b"before {\"id\":7".to_vec();
        seal(&mut line, 7);
        let line = line[7..].to_vec();
        assert!(is_sealed(&line) && line.starts_with(b"{\"id\":7,\"sum\":\""));
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut changed = line.clone();
                changed[at] ^= 1 << bit;
                assert!(!is_sealed(&changed), "{}", String::from_utf8_lossy(&changed));
            }
            assert!(!is_sealed(&line[..at]), "{at}");
        }
    }
}
