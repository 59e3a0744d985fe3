//! The layout of the alarm journal has a number, and nobody changes it without noticing.

use super::{AlarmHistory, FORMAT, JOURNAL_FILE, JournalEntry, Line, load_journal, put_line};
use std::path::Path;
use tve_config::Config;

/// The lines that layout [`FORMAT`] makes of one of each change in the life of an alarm.
const LINES: (u32, &str) = (1, include_str!("../../data/journal-1.jsonl"));

fn entry(id: u64, zone: Option<&str>) -> JournalEntry {
    JournalEntry {
        id,
        kind: "HEATER_OVER_TEMPERATURE".into(),
        severity: "CRITICAL".into(),
        reaction: "TRIP".into(),
        zone: zone.map(Into::into),
        message: "t3 reads 281.0 °C".into(),
        timestamp: 1_700_000_000.007,
        acknowledged: false,
        cleared: false,
    }
}

#[test]
fn a_changed_line_has_another_number() {
    let mut lines = Vec::new();
    for line in [
        Line::Format { number: FORMAT },
        Line::Raised(entry(1, Some("z2"))),
        Line::Acknowledged { id: 1 },
        Line::Cleared { id: 1 },
        Line::Raised(entry(2, None)),
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
        let state = load_journal(folder.path(), &Config::embedded().names()).unwrap();
        assert_eq!((state.damaged_lines, state.next_id), (0, 3), "{format}");
        let first = JournalEntry { acknowledged: true, cleared: true, ..entry(1, Some("z2")) };
        let history: AlarmHistory = state.history;
        assert_eq!(*history.entries(), [first, entry(2, None)], "{format}");
        assert_eq!(state.latched.iter().map(|alarm| alarm.id).collect::<Vec<_>>(), [2]);
    }
}
