//! The journal on disks that work, fail and come back.

use super::*;
use crate::LoginOutcome;
use crate::{InitialKey, chains, page, verify, verify_chain};
use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

/// A writer whose journal is open.
fn writer(folder: &Path, file_bytes: u64) -> (Writer, AuditHandle) {
    let handle = AuditHandle(Arc::new(Shared::new()));
    let medium = Box::new(RealMedium);
    let mut writer = Writer::new(handle.clone(), medium, folder.to_owned(), file_bytes);
    assert!(writer.open());
    (writer, handle)
}

/// The files of what was carried out, oldest first.
fn file_names(folder: &Path) -> Vec<PathBuf> {
    files_of(folder, Class::Commands)
}

fn files_of(folder: &Path, class: Class) -> Vec<PathBuf> {
    chains(folder).unwrap().remove(class as usize).files
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
    end(&mut writer, &handle);
}

/// Writes what waits and ends the journal.
fn end(writer: &mut Writer, handle: &AuditHandle) {
    handle.0.lock().ending = true;
    writer.go_on();
}

fn assert_whole(folder: &Path, lines: u64) {
    let report = verify(&file_names(folder), None).unwrap();
    assert_eq!((report.faults.as_slice(), report.lines), ([].as_slice(), lines));
}

#[test]
fn a_chain_goes_on_over_restarts_and_rotations() {
    let folder = tempfile::tempdir().unwrap();
    for begin in [0, 100, 200] {
        session(folder.path(), 2_000, (begin..begin + 100).map(gap));
    }
    assert_whole(folder.path(), 300);
    assert!(file_names(folder.path()).len() > 5);
}

#[test]
fn the_oldest_file_goes_when_there_are_too_many_and_the_journal_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let files = Class::Commands.room().files;
    session(folder.path(), 1, (0..files as u64 + 6).map(gap));
    let names = file_names(folder.path());
    assert_eq!(names.len(), files);
    let report = verify(&names, None).unwrap();
    assert_eq!(report.faults, []);
    assert!(report.first_seq > 1);
    let text = std::fs::read_to_string(&names[files - 1]).unwrap();
    assert!(text.contains("\"event\":\"removed\",\"file\":\"audit_"), "{text}");
}

#[test]
fn an_end_torn_at_any_byte_is_repaired_with_a_line_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    session(folder.path(), 1_000_000, (0..4).map(gap));
    let path = file_names(folder.path()).remove(0);
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
    let newest = file_names(folder.path()).remove(2);
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
    let room = Class::Commands.room().waiting as u64;
    let count = room + more;
    session(folder.path(), u64::MAX, (0..count).map(gap));
    assert_whole(folder.path(), room + 1);
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
    assert_eq!(handle.status(), AuditStatus { lines: 20, ..AuditStatus::default() });
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

fn refused(address: u8) -> Event {
    let address = std::net::IpAddr::from([10, 0, 0, address]);
    Event::command(None, address, "START", serde_json::Value::Null, 409, None)
}

fn stop(address: u32) -> Event {
    let address = std::net::IpAddr::from(address.to_be_bytes());
    let mut event =
        Event::command(None, address, "EMERGENCY_STOP", serde_json::Value::Null, 200, None);
    if let Event::Command { calms, .. } = &mut event {
        *calms = true;
    }
    event
}

/// Every line of a journal, newest first.
fn all_lines(folder: &Path) -> Vec<serde_json::Value> {
    let lines = page(folder, 0, 1_000_000).unwrap().lines;
    lines.iter().map(|line| serde_json::from_str(line.get()).unwrap()).collect()
}

#[test]
fn a_flood_from_one_address_is_a_line_and_a_count() {
    let folder = tempfile::tempdir().unwrap();
    session(folder.path(), 1_000_000, std::iter::repeat_n(stop(7), 128_128));
    let lines = all_lines(folder.path());
    let counts: Vec<_> = lines.iter().map(|line| line["repeated"].as_u64()).collect();
    assert_eq!(counts, [Some(128_127), None]);
    assert_eq!(lines[0]["command"], "EMERGENCY_STOP");
}

#[test]
fn a_flood_from_many_addresses_pushes_out_no_line_of_another_class_and_keeps_its_room() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, handle) = writer(folder.path(), 50_000);
    let events = [
        gap(77),
        refused(1),
        Event::login(Some("ann"), [10, 0, 0, 1].into(), LoginOutcome::LockedOut),
    ];
    for event in &events {
        handle.record(event);
    }
    for round in 0..40 {
        for n in 0..2_000 {
            handle.record(&stop(round * 2_000 + n));
        }
        let batch = writer.wait();
        assert!(writer.write(&batch));
    }
    handle.record(&gap(78));
    end(&mut writer, &handle);
    let calming = files_of(folder.path(), Class::Calming);
    assert_eq!(calming.len(), Class::Calming.room().files, "it has washed itself out");
    let lines = all_lines(folder.path());
    let has = |key: &str, value: serde_json::Value| lines.iter().any(|line| line[key] == value);
    assert!(has("lost", 77.into()) && has("lost", 78.into()));
    assert!(has("outcome", "refused".into()) && has("outcome", "locked_out".into()));
    assert!(has("lost", (2_000 - Class::Calming.room().waiting).into()), "and says what it lost");
    for chain in chains(folder.path()).unwrap() {
        assert_eq!(verify(&chain.files, None).unwrap().faults, [], "{}", chain.name);
    }
}

#[test]
fn numbers_go_over_all_classes_and_so_do_pages() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        session(
            folder.path(),
            1_500,
            (0..20).map(|n| {
                if n % 2 == 0 { gap(round * 100 + n) } else { refused((round * 100 + n) as u8) }
            }),
        );
    }
    let mut seen = Vec::new();
    for number in 0..6 {
        let page = page(folder.path(), number, 10).unwrap();
        assert_eq!((page.total, page.lines.len()), (60, 10));
        seen.extend(page.lines.iter().map(|line| number_of(line.get())));
    }
    assert_eq!(seen, (1..=60).rev().collect::<Vec<_>>());
    assert!(page(folder.path(), 6, 10).unwrap().lines.is_empty());
    assert!(page(folder.path(), u64::MAX, 10).unwrap().lines.is_empty());
}

fn number_of(line: &str) -> u64 {
    serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap()
}

#[test]
fn a_journal_from_before_there_were_classes_goes_on_as_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("audit_000000000001.jsonl");
    std::fs::write(&old, include_str!("../../data/layout-1.jsonl")).unwrap();
    session(folder.path(), 1_000_000, [refused(1), gap(77)]);
    assert_eq!(file_names(folder.path()), [old]);
    assert_whole(folder.path(), 11);
    let lines = all_lines(folder.path());
    let numbers: Vec<_> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=12).rev().collect::<Vec<_>>());
}

/// Waits until the journal has noticed.
fn until(handle: &AuditHandle, holds: impl Fn(AuditStatus) -> bool) {
    let began = Instant::now();
    while !holds(handle.status()) {
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", handle.status());
        std::thread::yield_now();
    }
}

#[test]
fn a_folder_that_is_deleted_under_the_service_is_noticed_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("audit");
    let audit = Audit::start(journal.clone(), Box::new(RealMedium)).unwrap();
    let handle = audit.handle();
    handle.record(&gap(1));
    until(&handle, |status| status.lines == 1);
    assert!(!handle.status().damaged);
    std::fs::remove_dir_all(&journal).unwrap();
    until(&handle, |status| status.damaged);
    handle.record(&gap(2));
    assert!(audit.shutdown_within(Duration::from_secs(10)));
    let text = std::fs::read_to_string(&file_names(&journal)[0]).unwrap();
    assert!(text.starts_with("{\"seq\":2,"), "the chain goes on: {text}");
    assert!(text.contains("\"event\":\"damaged\",\"files\":1") && text.contains("\"lost\":2"));
    assert!(handle.status().damaged, "until the service starts anew");
}

#[test]
fn a_file_that_is_cut_replaced_or_taken_away_under_the_service_is_noticed() {
    for (what, harm) in [
        (
            "cut",
            (|path| File::options().write(true).open(path).unwrap().set_len(9).unwrap())
                as fn(&Path),
        ),
        ("replaced", |path| {
            std::fs::rename(path, path.with_extension("old")).unwrap();
            std::fs::write(path, "x".repeat(100_000)).unwrap();
        }),
        ("taken away", |path| std::fs::remove_file(path).unwrap()),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, handle) = writer(folder.path(), 100);
        for lost in 0..3 {
            handle.record(&gap(lost));
        }
        let batch = writer.wait();
        assert!(writer.write(&batch));
        assert_eq!(file_names(folder.path()).len(), 3);
        writer.look_after(Class::Commands, true);
        assert!(!handle.status().damaged, "{what}");
        let oldest = file_names(folder.path()).remove(0);
        if what == "taken away" {
            harm(&oldest);
            writer.look_after(Class::Commands, true);
            assert!(handle.status().damaged, "also of a file that has its end");
        }
        let newest = file_names(folder.path()).pop().unwrap();
        harm(&newest);
        handle.record(&gap(9));
        end(&mut writer, &handle);
        assert!(handle.status().damaged, "{what}");
        let newest = file_names(folder.path()).pop().unwrap();
        let text = std::fs::read_to_string(newest).unwrap();
        assert!(text.contains("damaged") || text.contains("\"lost\":9"), "{what}: {text}");
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_said_and_tried_again_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("audit");
    std::fs::write(&journal, "no folder").unwrap();
    let audit = Audit::start(journal.clone(), Box::new(RealMedium)).unwrap();
    let handle = audit.handle();
    handle.record(&gap(1));
    until(&handle, |status| status.failing);
    std::fs::remove_file(&journal).unwrap();
    until(&handle, |status| status.lines == 1 && !status.failing);
    assert!(audit.shutdown_within(Duration::from_secs(10)));
    assert_whole(&journal, 1);
}

const KEY: InitialKey = InitialKey::new([3; 32]);

/// What is wrong with the signed journal in `folder`.
fn signed_faults(folder: &Path) -> Vec<String> {
    let chains = chains(folder).unwrap();
    let reports = chains.iter().map(|chain| verify_chain(folder, chain, None, Some(&KEY)).unwrap());
    reports.flat_map(|report| report.faults).map(|fault| fault.what).collect()
}

/// A journal of three sessions that are signed, after one that is not.
fn signed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    session(folder.path(), 1_000_000, [gap(0), refused(0)]);
    KEY.install(folder.path()).unwrap();
    for n in 1..4 {
        session(folder.path(), 1_000_000, [gap(n), refused(n as u8)]);
    }
    folder
}

#[test]
fn a_signed_journal_holds_and_knows_its_key_from_another() {
    let folder = signed();
    assert_eq!(signed_faults(folder.path()), [] as [String; 0]);
    let chain = chains(folder.path()).unwrap().remove(0);
    let other = InitialKey::new([4; 32]);
    let report = verify_chain(folder.path(), &chain, None, Some(&other)).unwrap();
    assert!(!report.faults.is_empty());
    assert!(verify_chain(folder.path(), &chain, None, None).unwrap().faults.is_empty());
}

#[test]
fn whoever_has_the_files_and_the_key_of_today_cannot_rewrite_yesterday() {
    let folder = signed();
    let path = file_names(folder.path()).remove(0);
    let whole = std::fs::read_to_string(&path).unwrap();
    let todays = ratchet::load(folder.path()).unwrap().unwrap()[Class::Commands].clone();
    let lines: Vec<&str> = whole.lines().collect();
    // The whole chain anew with one line changed: as it was signed, unsigned, by the key of today.
    let members = |line: &str, end: &str| {
        let from = line.find("\"event\"").unwrap();
        line[from..line.find(end).unwrap()].replace("\"lost\":1", "\"lost\":8")
    };
    for forger in ["keeps the signatures", "takes them off", "signs with the key of today"] {
        let (mut head, mut out) = (Head::origin(), Vec::new());
        for line in &lines {
            let seq = number_of(line);
            let is_signed = line.contains("\"mac\"");
            let (members, key) = match forger {
                "keeps the signatures" => (members(line, ",\"sum\""), None),
                _ if !is_signed => (members(line, ",\"sum\""), None),
                "takes them off" => (members(line, ",\"key\""), None),
                _ => (members(line, ",\"key\""), Some(&todays)),
            };
            head.append(&mut out, seq, 0, &members, key);
        }
        std::fs::write(&path, &out).unwrap();
        assert!(verify(std::slice::from_ref(&path), None).unwrap().faults.is_empty(), "{forger}");
        assert!(!signed_faults(folder.path()).is_empty(), "{forger}");
    }
}

#[test]
fn lines_that_are_cut_off_and_files_that_are_gone_are_missed_by_the_key() {
    for what in ["the last lines", "the last session", "the chain", "the key"] {
        let folder = signed();
        let path = file_names(folder.path()).remove(0);
        let whole = std::fs::read_to_string(&path).unwrap();
        let mut kept: Vec<&str> = whole.lines().collect();
        match what {
            "the last lines" => kept.truncate(kept.len() - 1),
            "the last session" => kept.truncate(kept.len() - 2),
            _ => {}
        }
        std::fs::write(&path, kept.join("\n") + "\n").unwrap();
        match what {
            "the chain" => std::fs::remove_file(&path).unwrap(),
            "the key" => std::fs::remove_file(folder.path().join("ratchet.json")).unwrap(),
            _ => {}
        }
        assert!(!signed_faults(folder.path()).is_empty(), "{what}");
    }
}

#[test]
fn a_line_between_two_that_are_signed_is_missed() {
    let folder = signed();
    let path = file_names(folder.path()).remove(0);
    let whole = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<&str> = whole.lines().collect();
    lines.remove(lines.len() - 2);
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    assert!(!signed_faults(folder.path()).is_empty());
}
