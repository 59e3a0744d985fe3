//! The alarm journal: one line of JSON for every change in the life of every alarm.
//!
//! A line is whole or it is not there: the loader skips what a power cut has torn, and the writer
//! begins a new line after every fault. Lines may repeat; the fold over them does not mind.

use crate::RecorderError;
use crate::disk::{Disk, DiskFile};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tve_control::{AlarmCode, AlarmEvent, AlarmRecord, Cause, Reaction, RestoredAlarm, UnreadName};
use tve_hal::Zone;
use tve_units::WallMillis;

const JOURNAL_FILE: &str = "alarms.jsonl";
/// Alarms in `state.alarm_history`.
const SHOWN: usize = 200;
/// Alarms that a compacted journal keeps, beside those that are still latched.
const KEPT: usize = 2000;
/// Size beyond which the journal is compacted, bytes.
const COMPACT_ABOVE: u64 = 1_000_000;
/// Events that wait for a failing disk at most; beyond, the oldest are dropped and counted.
const MOST_WAITING: usize = 1000;

/// One alarm as the API shows it and the journal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Grows by one per alarm, also across restarts.
    pub id: u64,
    /// Name of the alarm code.
    #[serde(rename = "type")]
    pub kind: String,
    /// `WARNING` or `CRITICAL`.
    pub severity: String,
    /// `NOTE`, `STOP`, `ZONE TRIP` or `TRIP`.
    pub reaction: String,
    /// `z1` or `z2` when the alarm is about one zone.
    pub zone: Option<String>,
    /// The sentence for the operator.
    pub message: String,
    /// When it was raised, seconds since the Unix epoch.
    pub timestamp: f64,
    /// Somebody has seen it.
    pub acknowledged: bool,
    /// It is over.
    pub cleared: bool,
}

impl From<&AlarmRecord> for JournalEntry {
    fn from(record: &AlarmRecord) -> Self {
        let row = record.code.row();
        Self {
            id: record.id,
            kind: row.name.into(),
            severity: row.severity().name().into(),
            reaction: row.reaction.name().into(),
            zone: record.zone().map(|z| z.name().into()),
            message: record.to_string(),
            timestamp: record.wall.secs(),
            acknowledged: record.acknowledged,
            cleared: record.cleared,
        }
    }
}

/// What the `reaction` of an entry can name.
const REACTIONS: [Reaction; 4] =
    [Reaction::Note, Reaction::Stop, Reaction::ZoneTrip, Reaction::Trip];

impl JournalEntry {
    /// The alarm as the controller takes it over, unless it is over. What no row of today's table
    /// is comes back as a TRIP that names it: nobody here can tell what it would have to stop.
    fn latched(&self) -> Option<RestoredAlarm> {
        if self.cleared {
            return None;
        }
        let known = REACTIONS
            .into_iter()
            .find(|r| r.name() == self.reaction)
            .and_then(|reaction| AlarmCode::from_name(&self.kind, reaction));
        let (code, cause) = match known {
            Some(code) => (code, Cause::Restored(self.zone.as_deref().and_then(Zone::from_name))),
            None => (AlarmCode::JournalUnreadable, Cause::Unread(UnreadName::new(&self.kind))),
        };
        Some(RestoredAlarm {
            id: self.id,
            code,
            cause,
            wall: WallMillis::new((self.timestamp * 1000.0).round() as i64),
            acknowledged: self.acknowledged,
        })
    }
}

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line {
    Raised(JournalEntry),
    Acknowledged { id: u64 },
    Cleared { id: u64 },
}

impl From<&AlarmEvent> for Line {
    fn from(event: &AlarmEvent) -> Self {
        match event {
            AlarmEvent::Raised(record) => Self::Raised(record.into()),
            AlarmEvent::Acknowledged { id } => Self::Acknowledged { id: *id },
            AlarmEvent::Cleared { id } => Self::Cleared { id: *id },
        }
    }
}

/// What the journal says at start.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalState {
    /// The newest 200 alarms, oldest first.
    pub history: AlarmHistory,
    /// Everything that was not cleared, in the order of raising; notes too.
    pub latched: Vec<RestoredAlarm>,
    /// The id for the next alarm, at least 1.
    pub next_id: u64,
    /// Lines that could not be read: torn by a power cut, or edited by hand.
    pub damaged_lines: usize,
}

/// The newest 200 alarms, oldest first: `state.alarm_history`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlarmHistory(Arc<Vec<JournalEntry>>);

impl AlarmHistory {
    /// The entries, shared; a later change leaves them as they are.
    pub fn entries(&self) -> Arc<Vec<JournalEntry>> {
        Arc::clone(&self.0)
    }

    /// Takes one event in. Events about alarms that are no longer among the newest 200 change
    /// nothing.
    pub fn apply(&mut self, event: &AlarmEvent) {
        let entries = Arc::make_mut(&mut self.0);
        let mark = |entries: &mut Vec<JournalEntry>, id: u64, set: fn(&mut JournalEntry)| {
            entries.iter_mut().rev().find(|e| e.id == id).map(set);
        };
        match event {
            AlarmEvent::Raised(record) => {
                if entries.len() >= SHOWN {
                    entries.drain(..=entries.len() - SHOWN);
                }
                entries.push(record.into());
            }
            AlarmEvent::Acknowledged { id } => mark(entries, *id, |e| e.acknowledged = true),
            AlarmEvent::Cleared { id } => mark(entries, *id, |e| e.cleared = true),
        }
    }
}

/// Every alarm of a journal by id, and how many lines could not be read.
fn fold(text: &[u8]) -> (BTreeMap<u64, JournalEntry>, usize) {
    let mut alarms = BTreeMap::new();
    let mut damaged = 0;
    let lines = text.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    for line in lines {
        match serde_json::from_slice(line) {
            Ok(Line::Raised(entry)) => {
                // A line repeated after a fault must not undo what came between.
                alarms.entry(entry.id).or_insert(entry);
            }
            Ok(Line::Acknowledged { id }) => {
                alarms.entry(id).and_modify(|e| e.acknowledged = true);
            }
            Ok(Line::Cleared { id }) => {
                alarms.entry(id).and_modify(|e| e.cleared = true);
            }
            Err(_) => damaged += 1,
        }
    }
    (alarms, damaged)
}

/// Reads the journal of the last process; an absent one is an empty one.
///
/// # Errors
/// [`RecorderError::Journal`] when it is there and cannot be read: starting without it could
/// forget a latched alarm.
pub fn load_journal(data_dir: &Path) -> Result<JournalState, RecorderError> {
    let path = data_dir.join(JOURNAL_FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(RecorderError::Journal { path, source }),
    };
    let (alarms, damaged_lines) = fold(&text);
    if damaged_lines > 0 {
        tracing::warn!(damaged_lines, path = %path.display(), "journal lines skipped");
    }
    Ok(JournalState {
        latched: alarms.values().filter_map(JournalEntry::latched).collect(),
        next_id: alarms.last_key_value().map_or(1, |(id, _)| id.saturating_add(1)),
        history: AlarmHistory(Arc::new(
            alarms.into_values().rev().take(SHOWN).collect::<Vec<_>>().into_iter().rev().collect(),
        )),
        damaged_lines,
    })
}

/// Appends events to the journal and keeps it bounded.
pub(crate) struct Journal {
    path: PathBuf,
    file: Option<Box<dyn DiskFile>>,
    waiting: VecDeque<Line>,
    /// The file may end in the middle of a line.
    torn: bool,
    size: u64,
    compact_above: u64,
}

impl Journal {
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self {
            path: data_dir.join(JOURNAL_FILE),
            file: None,
            waiting: VecDeque::new(),
            torn: true,
            size: 0,
            compact_above: COMPACT_ABOVE,
        }
    }

    /// Takes an event; returns how many old ones had to go for it.
    pub(crate) fn push(&mut self, event: &AlarmEvent) -> u64 {
        self.waiting.push_back(event.into());
        if self.waiting.len() <= MOST_WAITING {
            return 0;
        }
        self.waiting.pop_front();
        1
    }

    /// Whether events wait for the disk.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Writes what waits, each event safe on the medium before the next.
    ///
    /// # Errors
    /// Of the disk. The event at fault waits for the next call.
    pub(crate) fn flush(&mut self, disk: &mut dyn Disk) -> io::Result<()> {
        while let Some(line) = self.waiting.front() {
            let mut text = serde_json::to_vec(line)?;
            text.push(b'\n');
            self.append(disk, text)?;
            self.waiting.pop_front();
        }
        if self.size > self.compact_above {
            self.compact(disk)?;
        }
        Ok(())
    }

    fn append(&mut self, disk: &mut dyn Disk, mut text: Vec<u8>) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = disk.append_to(&self.path)?;
                self.size = file.size()?;
                none.insert(file)
            }
        };
        if self.torn && self.size > 0 {
            text.insert(0, b'\n');
        }
        self.torn = true;
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => {
                    rest = &rest[taken..];
                    self.size += taken as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        file.sync()?;
        self.torn = false;
        Ok(())
    }

    /// Rewrites the journal as one line an alarm: the newest 2000 and every latched one.
    fn compact(&mut self, disk: &mut dyn Disk) -> io::Result<()> {
        let (alarms, _) = fold(&disk.read(&self.path)?);
        let oldest_kept = alarms.len().saturating_sub(KEPT);
        let mut text = Vec::new();
        for (i, entry) in alarms.into_values().enumerate() {
            if i >= oldest_kept || !entry.cleared {
                serde_json::to_writer(&mut text, &Line::Raised(entry))?;
                text.push(b'\n');
            }
        }
        disk.replace(&self.path, &text)?;
        self.file = None;
        self.torn = false;
        self.size = text.len() as u64;
        // Latched alarms can fill a journal by themselves; then not every event is to compact it.
        self.compact_above = COMPACT_ABOVE.max(self.size + COMPACT_ABOVE / 4);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::fake_disk::FakeDisk;
    use tve_control::Cause;
    use tve_hal::Sensor;
    use tve_units::Micros;

    fn raised(id: u64, code: AlarmCode, cause: Cause) -> AlarmEvent {
        AlarmEvent::Raised(AlarmRecord {
            id,
            code,
            cause,
            raised_at: Micros::ZERO,
            wall: WallMillis::new(1_700_000_000_000 + id.cast_signed()),
            acknowledged: false,
            cleared: false,
        })
    }

    fn hot(id: u64) -> AlarmEvent {
        let cause = Cause::Limit { sensor: Sensor::T3, reading: 281.0, limit: 280.0 };
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
        assert_eq!(load_journal(dir.path()).unwrap().next_id, 1);
        let idle = raised(3, AlarmCode::UncleanStopIdle, Cause::Plain);
        let energised = raised(4, AlarmCode::UncleanStop, Cause::Plain);
        write(dir.path(), &[hot(1), hot(2), AlarmEvent::Cleared { id: 1 }]);
        write(dir.path(), &[idle, energised, AlarmEvent::Acknowledged { id: 2 }]);

        let state = load_journal(dir.path()).unwrap();
        assert_eq!((state.next_id, state.damaged_lines), (5, 0));
        let found: Vec<_> = state.latched.iter().map(|l| (l.id, l.code, l.acknowledged)).collect();
        assert_eq!(
            found,
            [
                (2, AlarmCode::HeaterOverTemperature, true),
                (3, AlarmCode::UncleanStopIdle, false),
                (4, AlarmCode::UncleanStop, false),
            ]
        );
        assert_eq!(state.latched[0].cause, Cause::Restored(Some(Zone::Z2)));
        assert_eq!(state.latched[0].wall, WallMillis::new(1_700_000_000_002));
        assert!(state.history.entries()[0].cleared);
        assert!(state.history.entries()[0].message.starts_with("t3 reads 281.0 °C"));
    }

    #[test]
    fn a_latched_alarm_that_no_row_of_the_table_is_comes_back_as_a_trip_with_its_name() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &[hot(1), hot(2), hot(3), hot(4)]);
        let path = dir.path().join(JOURNAL_FILE);
        let known = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = known.lines().map(str::to_owned).collect();
        // Of another version: another name, a milder reaction, a reaction of that version alone.
        lines[1] = lines[1].replace("HEATER_OVER_TEMPERATURE", "BARREL_TOO_HOT");
        lines[2] = lines[2].replace("\"TRIP\"", "\"STOP\"");
        lines[3] = lines[3].replace("\"TRIP\"", "\"SHED\"");
        std::fs::write(&path, lines.join("\n")).unwrap();

        let state = load_journal(dir.path()).unwrap();
        assert_eq!((state.next_id, state.damaged_lines, state.latched.len()), (5, 0, 4));
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
        let first = whole.iter().position(|b| *b == b'\n').unwrap();
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            write(dir.path(), &[hot(9)]);
            let ids: Vec<u64> =
                load_journal(dir.path()).unwrap().latched.iter().map(|l| l.id).collect();
            let wanted: &[u64] = match end {
                e if e < first => &[9],
                e if e + 1 < whole.len() => &[1, 9],
                _ => &[1, 2, 9],
            };
            assert_eq!(ids, wanted, "torn after {end} bytes");
        }
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
        assert_eq!((alarms.len(), damaged), (2, 1), "the torn start is a line of its own");
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
            largest = largest.max(journal.size);
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
        let loaded = load_journal(dir.path()).unwrap().history.entries();
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
}
