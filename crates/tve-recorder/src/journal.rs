//! The alarm journal: one line of JSON for every change in the life of every alarm.
//!
//! A line is whole or it is not there: the loader skips what a power cut has torn, and the writer
//! begins a new line after every start. Lines may repeat; the fold over them does not mind.

use crate::RecorderError;
use crate::disk::Disk;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tve_append::Growing;
use tve_control::{
    About, AlarmCode, AlarmEvent, AlarmRecord, Cause, Reaction, RestoredAlarm, UnreadName,
};
use tve_machine::Names;
use tve_units::WallMillis;

const JOURNAL_FILE: &str = "alarms.jsonl";
/// The layout of a line; every process notes it before its first one. Lines from before it had a
/// number are of layout 1.
const FORMAT: u32 = 2;
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
    /// Name of the zone when the alarm is about one.
    pub zone: Option<String>,
    /// Name of the motor when the alarm is about one; lines of layout 1 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub motor: Option<String>,
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
        let name = Some(record.subject.about_name.to_string());
        let (zone, motor) = match record.subject.about {
            About::Machine => (None, None),
            About::Zone(_) => (name, None),
            About::Motor(_) => (None, name),
        };
        Self {
            id: record.id,
            kind: row.name.into(),
            severity: row.severity().name().into(),
            reaction: row.reaction.name().into(),
            zone,
            motor,
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
    /// An alarm of a zone or motor that the machine does not have any more is one of every one.
    fn latched(&self, names: &Names) -> Option<RestoredAlarm> {
        if self.cleared {
            return None;
        }
        let known = REACTIONS
            .into_iter()
            .find(|r| r.name() == self.reaction)
            .and_then(|reaction| AlarmCode::from_name(&self.kind, reaction));
        let (code, cause) = match known {
            Some(code) => (code, Cause::Restored(self.about(names))),
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

impl JournalEntry {
    /// What it is about on a machine of these names.
    fn about(&self, names: &Names) -> About {
        let zone = self.zone.as_deref().and_then(|name| names.zone(name)).map(About::Zone);
        let motor = || self.motor.as_deref().and_then(|name| names.motor(name)).map(About::Motor);
        zone.or_else(motor).unwrap_or_default()
    }
}

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line {
    Format { number: u32 },
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
            Ok(Line::Format { number }) if number > FORMAT => {
                tracing::warn!(number, reads = FORMAT, "the journal is of a newer version");
            }
            Ok(Line::Format { .. }) => {}
            Err(_) => damaged += 1,
        }
    }
    (alarms, damaged)
}

/// Reads the journal of the last process; an absent one is an empty one. `names` are those of the
/// machine of today.
///
/// # Errors
/// [`RecorderError::Journal`] when it is there and cannot be read: starting without it could
/// forget a latched alarm.
pub fn load_journal(data_dir: &Path, names: &Names) -> Result<JournalState, RecorderError> {
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
        latched: alarms.values().filter_map(|alarm| alarm.latched(names)).collect(),
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
    log: Growing,
    waiting: VecDeque<Line>,
    /// The layout of what follows stands in the file.
    noted: bool,
    compact_above: u64,
}

impl Journal {
    pub(crate) fn new(data_dir: &Path) -> Self {
        let path = data_dir.join(JOURNAL_FILE);
        Self {
            log: Growing::at_the_end_of(path.clone()),
            path,
            waiting: VecDeque::new(),
            noted: false,
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
            let mut text = Vec::new();
            if !self.noted {
                put_line(&mut text, &Line::Format { number: FORMAT })?;
            }
            put_line(&mut text, line)?;
            self.log.append(|path| disk.append_to(path), &text)?;
            self.noted = true;
            self.waiting.pop_front();
        }
        if self.log.size() > self.compact_above {
            self.compact(disk)?;
        }
        Ok(())
    }

    /// Rewrites the journal as one line an alarm: the newest 2000 and every latched one.
    fn compact(&mut self, disk: &mut dyn Disk) -> io::Result<()> {
        let (alarms, _) = fold(&disk.read(&self.path)?);
        let oldest_kept = alarms.len().saturating_sub(KEPT);
        let mut text = Vec::new();
        put_line(&mut text, &Line::Format { number: FORMAT })?;
        for (i, entry) in alarms.into_values().enumerate() {
            if i >= oldest_kept || !entry.cleared {
                put_line(&mut text, &Line::Raised(entry))?;
            }
        }
        // Whatever becomes of it, the open file may no longer be the one with that name.
        self.log = Growing::at_the_end_of(self.path.clone());
        disk.replace(&self.path, &text)?;
        self.log = Growing::after(self.path.clone(), text.len() as u64);
        // Latched alarms can fill a journal by themselves; then not every event is to compact it.
        self.compact_above = COMPACT_ABOVE.max(self.log.size() + COMPACT_ABOVE / 4);
        Ok(())
    }
}

fn put_line(into: &mut Vec<u8>, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *into, line)?;
    into.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod layout;

#[cfg(test)]
mod tests;
