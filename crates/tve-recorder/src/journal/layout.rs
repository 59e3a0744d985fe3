//! The layout of the alarm journal has a number, and nobody changes it without noticing.

use super::{AlarmHistory, FORMAT, JOURNAL_FILE, JournalEntry, Line, load_journal, put_line};
use std::path::Path;
use tve_config::Config;
use tve_control::{About, Cause};
use tve_machine::Motor;

/// The lines that layout [`FORMAT`] makes of one of each change in the life of an alarm.
const LINES: (u32, &str) = (3, include_str!("../../data/journal-3.jsonl"));

fn hot_zone(id: u64, zone: Option<&str>) -> JournalEntry {
    JournalEntry {
        id,
        kind: "HEATER_OVER_TEMPERATURE".into(),
        severity: "CRITICAL".into(),
        reaction: "TRIP".into(),
        zone: zone.map(Into::into),
        motor: None,
        message: "t3 reads 281.0 °C".into(),
        timestamp: 1_700_000_000.007,
        acknowledged: false,
        cleared: false,
    }
}

fn hot_motor(id: u64, motor: &str) -> JournalEntry {
    JournalEntry {
        kind: "MOTOR_OVERHEAT".into(),
        severity: "WARNING".into(),
        reaction: "STOP".into(),
        motor: Some(motor.into()),
        message: "motor reads 66.0 °C".into(),
        ..hot_zone(id, None)
    }
}

#[test]
fn a_changed_line_has_another_number() {
    let mut lines = Vec::new();
    for line in [
        Line::Format { number: FORMAT },
        Line::Raised(hot_zone(1, Some("z2"))),
        Line::Acknowledged { id: 1 },
        Line::Cleared { id: 1 },
        Line::Raised(hot_zone(2, None)),
        Line::Raised(hot_motor(3, "main")),
    ] {
        put_line(&mut lines, &line).unwrap();
    }
    assert_eq!(
        (FORMAT, String::from_utf8(lines).unwrap().as_str()),
        LINES,
        "the layout of the alarm journal has changed: raise FORMAT in journal.rs, see that \
         load_journal still reads what is in the field, then put the lines into a file of that \
         number, beside the others, and name it in LINES"
    );
}

#[test]
fn a_journal_of_every_layout_can_be_read() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    for format in 1..=FORMAT {
        let folder = tempfile::tempdir().unwrap();
        let golden = data.join(format!("journal-{format}.jsonl"));
        std::fs::copy(golden, folder.path().join(JOURNAL_FILE)).unwrap();
        let state = load_journal(folder.path(), &Config::embedded().names());
        let first = JournalEntry { acknowledged: true, cleared: true, ..hot_zone(1, Some("z2")) };
        let mut entries = vec![first, hot_zone(2, None)];
        let mut latched = vec![(2, Cause::Restored(About::Machine))];
        if format >= 2 {
            entries.push(hot_motor(3, "main"));
            latched.push((3, Cause::Restored(About::Motor(Motor::at(0)))));
        }
        let next = entries.len() as u64 + 1;
        assert_eq!((state.unread, state.next_id), (None, next), "{format}");
        let history: AlarmHistory = state.history;
        assert_eq!(*history.entries(), entries, "{format}");
        let found = state.latched.iter().map(|alarm| (alarm.id, alarm.cause));
        assert_eq!(found.collect::<Vec<_>>(), latched, "{format}");
    }
}
