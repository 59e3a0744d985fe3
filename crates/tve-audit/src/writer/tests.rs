//! The journal on disks that work, fail and come back.

use super::*;
use crate::{file_names, page, verify};
use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

fn writer(folder: &Path, file_bytes: u64) -> (Writer, AuditHandle) {
    let shared = Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new() });
    let resumed = files::resume(folder).unwrap();
    let handle = AuditHandle(Arc::clone(&shared));
    if let Some(event) = &resumed.repaired {
        handle.record(event);
    }
    let writer = Writer {
        shared,
        medium: Box::new(RealMedium),
        head: resumed.head,
        file: resumed.file,
        folder: folder.to_owned(),
        file_bytes,
    };
    (writer, handle)
}

fn gap(lost: u64) -> Event {
    Event::Gap { lost }
}

/// Writes `events` with a writer of their own, as one process would.
fn session(folder: &Path, file_bytes: u64, events: impl IntoIterator<Item = Event>) {
    let (mut writer, handle) = writer(folder, file_bytes);
    for event in events {
        handle.record(&event);
    }
    handle.0.lock().ending = true;
    writer.run();
}

fn assert_whole(folder: &Path, lines: u64) {
    let report = verify(&file_names(folder).unwrap(), None).unwrap();
    assert_eq!((report.faults.as_slice(), report.lines), ([].as_slice(), lines));
}

#[test]
fn a_chain_goes_on_over_restarts_and_rotations() {
    let folder = tempfile::tempdir().unwrap();
    for begin in [0, 100, 200] {
        session(folder.path(), 2_000, (begin..begin + 100).map(gap));
    }
    assert_whole(folder.path(), 300);
    assert!(file_names(folder.path()).unwrap().len() > 5);
}

#[test]
fn the_oldest_file_goes_when_there_are_too_many_and_the_journal_says_so() {
    let folder = tempfile::tempdir().unwrap();
    session(folder.path(), 1, (0..FILES as u64 + 6).map(gap));
    let names = file_names(folder.path()).unwrap();
    assert_eq!(names.len(), FILES);
    let report = verify(&names, None).unwrap();
    assert_eq!(report.faults, []);
    assert!(report.first_seq > 1);
    let text = std::fs::read_to_string(&names[FILES - 1]).unwrap();
    assert!(text.contains("\"event\":\"removed\",\"file\":\"audit_"), "{text}");
}

#[test]
fn an_end_torn_at_any_byte_is_repaired_with_a_line_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    session(folder.path(), 1_000_000, (0..4).map(gap));
    let path = file_names(folder.path()).unwrap().remove(0);
    let bytes = std::fs::read(&path).unwrap();
    let third = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(2).unwrap().0 + 1;
    for cut in third + 1..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        session(folder.path(), 1_000_000, [gap(9)]);
        assert_whole(folder.path(), 5);
        let page = page(folder.path(), 0, 2).unwrap();
        assert!(page.lines[1].get().contains("repaired"), "cut at {cut}");
        assert!(page.lines[1].get().contains(&format!("\"bytes\":{}", cut - third)));
        let kept = std::fs::read(folder.path().join(format!("torn_000000000001_{third}.bin")));
        assert_eq!(kept.unwrap(), &bytes[third..cut]);
    }
}

#[test]
fn a_file_that_is_all_zeros_after_a_power_cut_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    session(folder.path(), 1, (0..3).map(gap));
    let newest = file_names(folder.path()).unwrap().remove(2);
    std::fs::write(&newest, [0; 512]).unwrap();
    session(folder.path(), 1_000_000, [gap(9)]);
    let page = page(folder.path(), 0, 10).unwrap();
    assert!(page.lines[1].get().contains("repaired"), "{page:?}");
    assert_whole(folder.path(), 4);
}

#[test]
fn pages_come_newest_first_over_all_files() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(page(&folder.path().join("none"), 0, 10).unwrap().total, 0);
    session(folder.path(), 3_000, (0..95).map(gap));
    let mut seen = Vec::new();
    for number in 0..11 {
        let page = page(folder.path(), number, 10).unwrap();
        assert_eq!(page.total, 95, "page {number}");
        for line in page.lines {
            let value: serde_json::Value = serde_json::from_str(line.get()).unwrap();
            seen.push(value["lost"].as_u64().unwrap());
        }
    }
    assert_eq!(seen, (0..95).rev().collect::<Vec<_>>());
}

#[test]
fn a_queue_that_is_full_loses_counts_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let more = 10;
    let count = QUEUE_LINES as u64 + more;
    session(folder.path(), u64::MAX, (0..count).map(gap));
    assert_whole(folder.path(), QUEUE_LINES as u64 + 1);
    let newest = page(folder.path(), 0, 1).unwrap().lines.remove(0);
    assert!(newest.get().contains(&format!("\"event\":\"gap\",\"lost\":{more}")), "{newest}");
}

/// A disk that takes half of what it is given and then fails, until it is mended.
struct Broken(Arc<AtomicBool>);

impl Medium for Broken {
    fn open(&mut self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let file = tve_append::open(path, MODE)?;
        Ok(Box::new(BrokenFile { file, mended: Arc::clone(&self.0), half: false }))
    }
}

struct BrokenFile {
    file: File,
    mended: Arc<AtomicBool>,
    half: bool,
}

impl AppendFile for BrokenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.mended.load(Ordering::Acquire) {
            return AppendFile::write(&mut self.file, bytes);
        }
        if std::mem::replace(&mut self.half, true) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all(&bytes[..bytes.len() / 2])?;
        Ok(bytes.len() / 2)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.cut(length)
    }
}

#[test]
fn a_disk_that_fails_and_comes_back_leaves_a_whole_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mended = Arc::new(AtomicBool::new(false));
    let medium = Broken(Arc::clone(&mended));
    let audit = Audit::start(folder.path().to_owned(), Box::new(medium)).unwrap();
    let handle = audit.handle();
    for lost in 0..20 {
        handle.record(&gap(lost));
    }
    while !handle.status().failing {
        std::thread::yield_now();
    }
    mended.store(true, Ordering::Release);
    assert!(audit.shutdown_within(Duration::from_secs(10)));
    assert_eq!(handle.status(), AuditStatus { lines: 20, lost: 0, failing: false });
    assert_whole(folder.path(), 20);
}

#[test]
fn a_disk_that_stays_dead_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let medium = Broken(Arc::default());
    let audit = Audit::start(folder.path().to_owned(), Box::new(medium)).unwrap();
    audit.handle().record(&Event::Stopped);
    assert!(audit.shutdown_within(Duration::from_secs(10)));
}
