//! Checking a chain: which line was changed, is missing or stands in another place.

use crate::chain::{Head, Link, sha256};
use crate::files::Chain;
use crate::ratchet::{self, InitialKey, Key};
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

/// Faults that a report lists; after so many the journal is no journal.
const MOST_FAULTS: usize = 20;

/// Something wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: u64,
    /// What is wrong: what was expected and what is there.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name that somebody else has chosen must not draw on a terminal.
        let file = self.file.display().to_string();
        write!(f, "{} line {}: {}", file.escape_debug(), self.line, self.what)
    }
}

/// What was found out about a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Lines that were read. Their numbers have gaps where lines of other classes were written.
    pub lines: u64,
    /// Number of the first line; above 1 when older files were not given.
    pub first_seq: u64,
    /// Number of the newest line.
    pub last_seq: u64,
    /// SHA-256 of the newest line: keep it elsewhere to be able to prove that nothing was cut off.
    pub head: String,
    /// The first faults, at most 20; none when the chain holds.
    pub faults: Vec<Fault>,
    /// Whether a line with the hash that was asked for is in the chain.
    pub has_head: bool,
    /// Index of the key of the newest line that was signed, where the key was given.
    pub signed_to: Option<u64>,
}

/// Checks `files`, oldest first, as one chain. With `kept_head` also whether the line with that
/// SHA-256 is still there.
///
/// # Errors
/// When a file cannot be read; the path is in the message.
pub fn verify(files: &[PathBuf], kept_head: Option<&str>) -> io::Result<Report> {
    check(files, kept_head, None)
}

/// A key to check signatures with.
struct Signed {
    /// That of the newest signed line, or the first of all.
    key: Key,
    /// Files have had to go, and the first keys with them.
    begins_late: bool,
}

/// Checks one chain of the journal in `folder`. With the key that the journal began with, also
/// whether its lines were signed when they say so, and none is missing at the end.
///
/// # Errors
/// As above.
pub fn verify_chain(
    folder: &Path,
    chain: &Chain,
    kept_head: Option<&str>,
    initial: Option<&InitialKey>,
) -> io::Result<Report> {
    // Before the lines: a service that runs goes on with both.
    let standing = initial.map(|initial| ratchet::standing(folder, initial, chain.class));
    // Only a room that is full loses its oldest file.
    let begins_late = chain.files.len() + 1 >= chain.class.room().files;
    let signed = initial.map(|initial| Signed { key: initial.of(chain.class), begins_late });
    let mut report = check(&chain.files, kept_head, signed)?;
    let what = match (standing, report.signed_to) {
        (None, _) | (Some(Ok(0)), None) => None,
        (Some(Err(error)), _) => Some(format!("nobody can say whether this is all: {error}")),
        (Some(Ok(_)), None) => Some("no line is signed, and the journal has a key".to_owned()),
        // It is hashed once after the newest line, or will be.
        (Some(Ok(standing)), Some(newest)) => (newest + 1 < standing).then(|| {
            let last = standing - 1;
            format!("lines are missing at the end: the newest is signed with key {newest}, and {last} was used")
        }),
    };
    let file = chain.files.last().map_or(folder, PathBuf::as_path).to_owned();
    report.faults.extend(what.map(|what| Fault { file, line: report.lines, what }));
    Ok(report)
}

fn check(files: &[PathBuf], kept_head: Option<&str>, signed: Option<Signed>) -> io::Result<Report> {
    let mut check = Check {
        expected: Head::origin(),
        begun: false,
        after_fault: false,
        kept_head,
        report: Report {
            lines: 0,
            first_seq: 0,
            last_seq: 0,
            head: Head::origin().hash,
            faults: Vec::new(),
            has_head: false,
            signed_to: None,
        },
        signed,
    };
    for path in files {
        check.file(path).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()))
        })?;
    }
    Ok(check.report)
}

struct Check<'a> {
    /// The line before, as it should be.
    expected: Head,
    begun: bool,
    /// The line before was at fault, so its hash says nothing.
    after_fault: bool,
    kept_head: Option<&'a str>,
    signed: Option<Signed>,
    report: Report,
}

impl Check<'_> {
    fn file(&mut self, path: &Path) -> io::Result<()> {
        let mut reader = BufReader::with_capacity(256 * 1024, File::open(path)?);
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            number += 1;
            let torn = line.last() != Some(&b'\n');
            if !torn {
                line.pop();
            }
            let fault = self.line(&line, torn);
            self.after_fault = fault.is_some();
            if let Some(what) = fault
                && self.report.faults.len() < MOST_FAULTS
            {
                self.report.faults.push(Fault { file: path.to_owned(), line: number, what });
            }
        }
    }

    /// Takes a line in and says what is wrong with it.
    fn line(&mut self, line: &[u8], torn: bool) -> Option<String> {
        self.report.lines += 1;
        let hash = sha256(line);
        self.report.has_head |= self.kept_head == Some(hash.as_str());
        let next = Head { seq: self.expected.seq + 1, hash: hash.clone() };
        let before = std::mem::replace(&mut self.expected, next);
        let expected = before.seq + 1;
        let Some(link) = Link::read(line) else {
            return Some(if torn {
                format!("is torn: line {expected} ends without a newline")
            } else {
                format!("is no line of an audit journal; line {expected} was expected")
            });
        };
        if !link.is_sound() {
            // Not even its number can be trusted; the line counts as the one that was expected.
            self.report.head = hash;
            return Some(format!(
                "was changed: its sum is {}, its content gives {}",
                link.sum.escape_debug(),
                link.true_sum
            ));
        }
        self.expected.seq = link.seq;
        self.report.last_seq = self.report.last_seq.max(link.seq);
        self.report.head = hash;
        if !self.begun {
            self.begun = true;
            self.report.first_seq = link.seq;
        } else if link.seq > expected && !self.after_fault && link.prev != before.hash {
            return Some(format!(
                "has number {} where {expected} was expected: {} missing before it, or out of order",
                link.seq,
                link.seq - expected
            ));
        } else if link.seq < expected {
            self.expected.seq = before.seq;
            return Some(format!(
                "has number {} where {expected} was expected: repeated, or out of order",
                link.seq
            ));
        } else if !self.after_fault && link.prev != before.hash {
            return Some(format!(
                "carries {} as the hash of the line before, which is {}: one of the two was replaced",
                link.prev.escape_debug(),
                before.hash
            ));
        }
        if link.seq == 1 && link.prev != Head::origin().hash {
            return Some("is the first line and carries the hash of another before it".into());
        }
        if let Some(what) = self.signature(line, &link) {
            return Some(what);
        }
        torn.then(|| "ends without a newline".into())
    }

    /// What is wrong with the signature of a line, where the key is known.
    fn signature(&mut self, line: &[u8], link: &Link) -> Option<String> {
        let Signed { key, begins_late } = self.signed.as_mut()?;
        let newest = self.report.signed_to;
        let Some(index) = link.key else {
            return newest.map(|_| "is not signed, and a line before it is".to_owned());
        };
        let most = match newest {
            Some(newest) if self.after_fault => index.max(newest),
            Some(newest) => newest + 1,
            None if *begins_late => index,
            None => 0,
        };
        let next = (index <= most).then(|| key.clone().at(index)).flatten();
        let Some(next) = next else {
            return Some(format!(
                "is signed with key {index}, and 0 to {most} could have been: lines are missing \
                 before it, or it was written anew"
            ));
        };
        *key = next;
        self.report.signed_to = Some(index);
        (!key.has_signed(line))
            .then(|| format!("was not signed with key {index}, as it says: it was written anew"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A journal of `n` lines in one file.
    fn journal(n: u64) -> (tempfile::TempDir, Vec<String>) {
        let mut head = Head::origin();
        let mut out = Vec::new();
        for i in 0..n {
            head.append(
                &mut out,
                i + 1,
                i.cast_signed(),
                &format!("\"event\":\"gap\",\"lost\":{i}"),
                None,
            );
        }
        let text = String::from_utf8(out).unwrap();
        (tempfile::tempdir().unwrap(), text.lines().map(ToOwned::to_owned).collect())
    }

    fn faults(folder: &tempfile::TempDir, lines: &[String]) -> Vec<(u64, String)> {
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let report = verify(&[path], None).unwrap();
        report.faults.into_iter().map(|f| (f.line, f.what)).collect()
    }

    #[test]
    fn an_untouched_journal_has_no_fault() {
        let (folder, lines) = journal(50);
        assert_eq!(faults(&folder, &lines), []);
    }

    #[test]
    fn a_change_of_any_one_letter_is_found_in_its_line() {
        let (folder, lines) = journal(3);
        for at in 0..3 {
            for letter in 0..lines[at].len() {
                let mut changed = lines.clone();
                let old = changed[at].as_bytes()[letter];
                let new = if old == b'7' { "8" } else { "7" };
                changed[at].replace_range(letter..=letter, new);
                let found = faults(&folder, &changed);
                assert!(
                    found.iter().any(|(line, _)| *line == at as u64 + 1),
                    "{at} {letter} {found:?}"
                );
            }
        }
    }

    #[test]
    fn a_line_that_was_written_anew_with_its_sum_is_found_by_its_successor() {
        let (folder, mut lines) = journal(5);
        let mut head = Head { seq: 2, hash: sha256(lines[1].as_bytes()) };
        let mut out = Vec::new();
        head.append(&mut out, 3, 2, "\"event\":\"gap\",\"lost\":99", None);
        lines[2] = String::from_utf8(out).unwrap().trim_end().to_owned();
        let found = faults(&folder, &lines);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, 4);
        assert!(found[0].1.contains("was replaced"), "{found:?}");
    }

    #[test]
    fn a_missing_a_repeated_and_a_moved_line_are_named() {
        let (folder, lines) = journal(9);
        let mut missing = lines.clone();
        missing.remove(4);
        let found = faults(&folder, &missing);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, 5);
        assert!(found[0].1.contains("number 6 where 5 was expected: 1 missing"), "{found:?}");

        let mut repeated = lines.clone();
        repeated.insert(4, lines[3].clone());
        let found = faults(&folder, &repeated);
        assert_eq!(found[0].0, 5);
        assert!(found[0].1.contains("repeated"), "{found:?}");

        let mut moved = lines;
        moved.swap(2, 3);
        let found = faults(&folder, &moved);
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [3, 4], "{found:?}");
        assert!(found[1].1.contains("out of order"), "{found:?}");
    }

    #[test]
    fn what_was_cut_off_at_the_end_is_missed_by_its_head() {
        let (folder, lines) = journal(9);
        let head = sha256(lines[8].as_bytes());
        let path = folder.path().join("a.jsonl");
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        assert!(verify(std::slice::from_ref(&path), Some(&head)).unwrap().has_head);
        std::fs::write(&path, lines[..8].join("\n") + "\n").unwrap();
        let report = verify(&[path], Some(&head)).unwrap();
        assert!(report.faults.is_empty() && !report.has_head);
    }

    #[test]
    fn a_chain_goes_on_in_the_next_file_and_may_begin_late() {
        let (folder, lines) = journal(9);
        let paths: Vec<PathBuf> = ["a", "b", "c"].iter().map(|n| folder.path().join(n)).collect();
        for (path, part) in paths.iter().zip(lines.chunks(3)) {
            std::fs::write(path, part.join("\n") + "\n").unwrap();
        }
        let whole = verify(&paths, None).unwrap();
        assert_eq!((whole.lines, whole.first_seq, whole.last_seq), (9, 1, 9));
        assert!(whole.faults.is_empty());
        let late = verify(&paths[1..], None).unwrap();
        assert_eq!((late.first_seq, late.faults.len()), (4, 0));
        let hole = [paths[0].clone(), paths[2].clone()];
        assert_eq!(verify(&hole, None).unwrap().faults.len(), 1);
    }

    #[test]
    fn a_hundred_thousand_lines_take_no_longer_than_somebody_waits() {
        let mut head = Head::origin();
        let mut out = Vec::new();
        let address = std::net::IpAddr::from([10, 0, 0, 7]);
        for i in 0..100_000_u64 {
            let value = serde_json::json!({"z1": i % 250, "z2": i % 240});
            let event = crate::Event::command(Some("ann"), address, "SET_TARGET", value, 200, None);
            head.append(
                &mut out,
                i + 1,
                1_795_262_400_000 + i.cast_signed(),
                &event.members(),
                None,
            );
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &out).unwrap();
        let began = std::time::Instant::now();
        let report = verify(&[file.path().to_owned()], None).unwrap();
        let took = began.elapsed();
        println!("{} lines, {} MB in {took:?}", report.lines, out.len() / 1_000_000);
        assert_eq!((report.lines, report.faults.len()), (100_000, 0));
        // A release build takes a third of a second; this bound is for slow builds on busy machines.
        assert!(took < std::time::Duration::from_secs(10), "{took:?}");
    }
}
