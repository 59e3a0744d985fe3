//! The journal on a disk and on one that fails.

use super::*;
use crate::disk::RealDisk;
use crate::fake_disk::FakeDisk;
use tve_config::Config;
use tve_control::{About, Cause, Subject};
use tve_hal::Sensor;
use tve_units::Micros;

fn names() -> Names {
    Config::embedded().names()
}

fn raised(id: u64, code: AlarmCode, cause: Cause) -> AlarmEvent {
    AlarmEvent::Raised(AlarmRecord {
        id,
        code,
        cause,
        subject: Subject::of(&cause, &Config::embedded().machine()),
        raised_at: Micros::ZERO,
        wall: WallMillis::new(1_700_000_000_000 + id.cast_signed()),
        acknowledged: false,
        cleared: false,
    })
}

fn hot(id: u64) -> AlarmEvent {
    let cause = Cause::Limit { sensor: Sensor::at(2), reading: 281.0, limit: 280.0 };
    raised(id, AlarmCode::HeaterOverTemperature, cause)
}

fn write(dir: &Path, events: &[AlarmEvent]) {
    let mut journal = Journal::new(dir);
    for event in events {
        journal.push(event);
    }
    journal.flush(&mut RealDisk).unwrap();
}

#[test]
fn latched_alarms_and_the_next_id_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(load_journal(dir.path(), &names()).next_id, 1);
    let idle = raised(3, AlarmCode::UncleanStopIdle, Cause::Plain);
    let energised = raised(4, AlarmCode::UncleanStop, Cause::Plain);
    write(dir.path(), &[hot(1), hot(2), AlarmEvent::Cleared { id: 1 }]);
    write(dir.path(), &[idle, energised, AlarmEvent::Acknowledged { id: 2 }]);

    let state = load_journal(dir.path(), &names());
    assert_eq!((state.next_id, state.unread), (5, None));
    let found: Vec<_> = state.latched.iter().map(|l| (l.id, l.code, l.acknowledged)).collect();
    assert_eq!(
        found,
        [
            (2, AlarmCode::HeaterOverTemperature, true),
            (3, AlarmCode::UncleanStopIdle, false),
            (4, AlarmCode::UncleanStop, false),
        ]
    );
    assert_eq!(state.latched[0].cause, Cause::Restored(About::Zone(tve_hal::Zone::at(1))));
    assert_eq!(state.latched[0].wall, WallMillis::new(1_700_000_000_002));
    assert!(state.history.entries()[0].cleared);
    assert!(state.history.entries()[0].message.starts_with("t3 reads 281.0 °C"));
}

#[test]
fn what_was_cleared_is_remembered_as_past() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[hot(1), AlarmEvent::Cleared { id: 1 }, hot(2)]);
    let state = load_journal(dir.path(), &names());
    assert_eq!(state.past.iter().map(|alarm| alarm.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(state.past[1..], state.latched[..]);
}

#[test]
fn a_latched_alarm_of_a_zone_that_is_called_otherwise_now_is_one_of_every_zone() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[hot(1)]);
    let state = load_journal(dir.path(), &Names::default());
    assert_eq!(state.latched[0].cause, Cause::Restored(About::Machine));
    assert_eq!(state.history.entries()[0].zone.as_deref(), Some("z2"));
}

#[test]
fn a_latched_alarm_that_no_row_of_the_table_is_comes_back_as_a_trip_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[hot(1), hot(2), hot(3), hot(4)]);
    let path = dir.path().join(JOURNAL_FILE);
    let known = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = known.lines().map(str::to_owned).collect();
    // Of another version: another name, a milder reaction, a reaction of that version alone.
    lines[2] = lines[2].replace("HEATER_OVER_TEMPERATURE", "BARREL_TOO_HOT");
    lines[3] = lines[3].replace("\"TRIP\"", "\"STOP\"");
    lines[4] = lines[4].replace("\"TRIP\"", "\"SHED\"");
    // Sealed as that version would have.
    for line in &mut lines {
        let mut sealed = line.as_bytes()[..line.rfind(",\"sum\"").unwrap()].to_vec();
        seal(&mut sealed, 0);
        *line = String::from_utf8(sealed).unwrap();
    }
    std::fs::write(&path, lines.join("\n")).unwrap();

    let state = load_journal(dir.path(), &names());
    assert_eq!((state.next_id, state.unread, state.latched.len()), (5, None, 4));
    assert_eq!(state.latched[0].code, AlarmCode::HeaterOverTemperature);
    let unread = ["BARREL_TOO_HOT", "HEATER_OVER_TEMPERATURE", "HEATER_OVER_TEMPERATURE"];
    for (alarm, name) in state.latched[1..].iter().zip(unread) {
        assert_eq!(alarm.code, AlarmCode::JournalUnreadable);
        assert_eq!(alarm.code.row().reaction, Reaction::Trip);
        assert_eq!(alarm.cause, Cause::Unread(UnreadName::new(name)));
    }
}

#[test]
fn a_journal_torn_at_any_byte_keeps_its_whole_lines_and_takes_new_ones() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[hot(1), hot(2)]);
    let path = dir.path().join(JOURNAL_FILE);
    let whole = std::fs::read(&path).unwrap();
    // Behind the line of the format.
    let first = whole.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(1).unwrap().0;
    for end in 0..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        let torn = end > 0 && whole[end - 1] != b'\n' && whole[end] != b'\n';
        assert_eq!(load_journal(dir.path(), &names()).unread.is_some(), torn, "after {end} bytes");
        write(dir.path(), &[hot(9)]);
        let state = load_journal(dir.path(), &names());
        assert_eq!(state.unread, None, "the damage was seen once");
        let ids: Vec<u64> = state.latched.iter().map(|l| l.id).collect();
        let wanted: &[u64] = match end {
            e if e < first => &[9],
            e if e + 1 < whole.len() => &[1, 9],
            _ => &[1, 2, 9],
        };
        assert_eq!(ids, wanted, "torn after {end} bytes");
    }
}

#[test]
fn a_byte_damaged_anywhere_loses_no_latch_unseen() {
    let dir = tempfile::tempdir().unwrap();
    let stop = raised(3, AlarmCode::EmergencyStop, Cause::Plain);
    write(dir.path(), &[hot(1), stop, AlarmEvent::Cleared { id: 1 }]);
    let path = dir.path().join(JOURNAL_FILE);
    let whole = std::fs::read(&path).unwrap();
    let latched = load_journal(dir.path(), &names()).latched;
    assert_eq!(latched.len(), 1);
    let judge = |damaged: &[u8], what: &str| {
        std::fs::write(&path, damaged).unwrap();
        let state = load_journal(dir.path(), &names());
        assert!(state.unread.is_some() || state.latched == latched, "{what}");
    };
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            judge(&damaged, &format!("byte {at}, bit {bit}"));
        }
        let mut damaged = whole.clone();
        damaged[at] = b'\n';
        judge(&damaged, &format!("byte {at} is a line feed"));
        damaged.remove(at);
        judge(&damaged, &format!("byte {at} is missing"));
    }
}

#[test]
fn a_damaged_journal_is_kept_as_it_was_and_trips_once() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[hot(1), hot(2)]);
    let path = dir.path().join(JOURNAL_FILE);
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[200] ^= 4;
    std::fs::write(&path, &damaged).unwrap();
    let found = load_journal(dir.path(), &names());
    assert_eq!(found.unread, Some(UnreadName::new("damaged lines: 1")));
    assert_eq!(found.latched.len(), 1);
    let trip = raised(3, AlarmCode::JournalUnreadable, Cause::Unread(found.unread.unwrap()));
    write(dir.path(), &[trip]);
    let kept = std::fs::read(dir.path().join(DAMAGED_FILE)).unwrap();
    assert!(kept.starts_with(&damaged), "as it was, and the alarm about it");
    let after = load_journal(dir.path(), &names());
    assert_eq!(after.unread, None);
    let codes: Vec<_> = after.latched.iter().map(|alarm| alarm.code).collect();
    assert_eq!(codes, [AlarmCode::HeaterOverTemperature, AlarmCode::JournalUnreadable]);
}

#[test]
fn a_journal_that_is_no_file_is_said_and_its_numbers_are_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join(JOURNAL_FILE)).unwrap();
    let state = load_journal(dir.path(), &names());
    assert_eq!(state.unread, Some(UnreadName::new("the whole file")));
    assert!(state.next_id > 1_700_000_000, "{}", state.next_id);
}

#[test]
fn an_older_version_may_have_gone_on_after_a_newer_one() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[hot(1)]);
    let path = dir.path().join(JOURNAL_FILE);
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"event\":\"format\",\"number\":2}\n{\"event\":\"cleared\",\"id\":1}\n");
    std::fs::write(&path, &text).unwrap();
    let state = load_journal(dir.path(), &names());
    assert_eq!((state.unread, state.latched.len()), (None, 0));
    // Without that word of it, a line without a sum is none of ours.
    std::fs::write(&path, text.replace("2}", "3}")).unwrap();
    assert!(load_journal(dir.path(), &names()).unread.is_some());
}

#[test]
fn each_event_is_synced_and_waits_while_the_disk_fails() {
    let disk = FakeDisk::new();
    let mut journal = Journal::new(Path::new("/data"));
    journal.push(&hot(1));
    journal.push(&hot(2));
    disk.set_room(Some(40));
    assert!(journal.flush(&mut disk.clone()).is_err());
    assert!(journal.is_waiting());
    disk.set_room(None);
    journal.flush(&mut disk.clone()).unwrap();
    assert!(!journal.is_waiting());
    assert_eq!(disk.syncs(), 2);
    let (alarms, damaged) = fold(disk.text("/data/alarms.jsonl").as_bytes());
    assert_eq!((alarms.len(), damaged), (2, 0), "the torn start was cut off");
}

#[test]
fn a_line_repeated_after_a_fault_does_not_undo_a_clear() {
    let disk = FakeDisk::new();
    let mut journal = Journal::new(Path::new("/data"));
    for event in [hot(1), AlarmEvent::Cleared { id: 1 }, hot(1)] {
        journal.push(&event);
    }
    journal.flush(&mut disk.clone()).unwrap();
    let (alarms, _) = fold(disk.text("/data/alarms.jsonl").as_bytes());
    assert!(alarms[&1].cleared);
}

#[test]
fn waiting_events_are_bounded_and_drops_counted() {
    let mut journal = Journal::new(Path::new("/data"));
    let dropped: u64 = (0..MOST_WAITING as u64 + 3).map(|id| journal.push(&hot(id))).sum();
    assert_eq!(dropped, 3);
}

#[test]
fn a_large_journal_is_compacted_to_the_newest_2000_and_all_latched() {
    let disk = FakeDisk::new();
    let mut journal = Journal::new(Path::new("/data"));
    let mut largest = 0;
    for id in 1..=6000 {
        journal.push(&hot(id));
        if id != 7 {
            journal.push(&AlarmEvent::Cleared { id });
        }
        journal.flush(&mut disk.clone()).unwrap();
        largest = largest.max(journal.log.size());
    }
    assert!(largest < COMPACT_ABOVE + 1000, "{largest}");
    let (alarms, damaged) = fold(disk.text("/data/alarms.jsonl").as_bytes());
    assert_eq!(damaged, 0);
    assert!(!alarms[&7].cleared, "the latched one is still there");
    assert!((4001..=6000).all(|id| alarms.contains_key(&id)));
    assert!(alarms.len() < 4000, "{}", alarms.len());
}

#[test]
fn the_history_shows_the_newest_200_oldest_first() {
    let mut history = AlarmHistory::default();
    for id in 1..=205 {
        history.apply(&hot(id));
    }
    let before = history.entries();
    history.apply(&AlarmEvent::Acknowledged { id: 205 });
    history.apply(&AlarmEvent::Cleared { id: 6 });
    history.apply(&AlarmEvent::Cleared { id: 5 });
    let after = history.entries();
    assert_eq!((after.len(), after[0].id, after[199].id), (200, 6, 205));
    assert!(after[0].cleared && after[199].acknowledged && !after[1].cleared);
    assert!(!before[0].cleared, "what was handed out does not change");

    let dir = tempfile::tempdir().unwrap();
    let events: Vec<_> = (1..=205).map(hot).collect();
    write(dir.path(), &events);
    let loaded = load_journal(dir.path(), &names()).history.entries();
    assert_eq!((loaded.len(), loaded[0].id, loaded[199].id), (200, 6, 205));
}

#[test]
fn an_entry_has_the_fields_of_the_contract() {
    let AlarmEvent::Raised(record) = hot(7) else { unreachable!("hot raises") };
    let json = serde_json::to_value(JournalEntry::from(&record)).unwrap();
    assert_eq!(json["id"], 7);
    assert_eq!(json["type"], "HEATER_OVER_TEMPERATURE");
    assert_eq!(json["severity"], "CRITICAL");
    assert_eq!(json["reaction"], "TRIP");
    assert_eq!(json["zone"], "z2");
    assert_eq!(json["timestamp"], 1_700_000_000.007);
    assert_eq!((&json["acknowledged"], &json["cleared"]), (&false.into(), &false.into()));
}
