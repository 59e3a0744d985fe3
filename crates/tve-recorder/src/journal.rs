//! The alarm journal: one line of JSON for every change in the life of every alarm.
//!
//! Each line ends with the sum of what it says. A line that cannot be read may have been an alarm
//! that is still latched, so the controller is told of it as a TRIP; the writer then keeps the
//! journal as it was found in a file of its own, and goes on without the damage. Lines may repeat;
//! the fold over them does not mind.

use crate::disk::Disk;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tve_append::{Growing, is_sealed, seal};
use tve_control::{
    About, AlarmCode, AlarmEvent, AlarmRecord, Cause, Reaction, RestoredAlarm, UnreadName,
};
use tve_machine::Names;
use tve_units::WallMillis;

const JOURNAL_FILE: &str = "alarms.jsonl";
/// The newest journal that was found damaged, as it was.
const DAMAGED_FILE: &str = "alarms_damaged.jsonl";
/// The layout of a line; every process notes it before its first one. Lines from before it had a
/// number are of layout 1; from layout 3 on each has its sum.
const FORMAT: u32 = 3;
const SEALED_SINCE: u32 = 3;
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
    /// The alarm as the controller takes it over. What no row of today's table
    /// is comes back as a TRIP that names it: nobody here can tell what it would have to stop.
    /// An alarm of a zone or motor that the machine does not have any more is one of every one.
    fn restored(&self, names: &Names) -> RestoredAlarm {
        let known = REACTIONS
            .into_iter()
            .find(|r| r.name() == self.reaction)
            .and_then(|reaction| AlarmCode::from_name(&self.kind, reaction));
        let (code, cause) = match known {
            Some(code) => (code, Cause::Restored(self.about(names))),
            None => (AlarmCode::JournalUnreadable, Cause::Unread(UnreadName::new(&self.kind))),
        };
        RestoredAlarm {
            id: self.id,
            code,
            cause,
            wall: WallMillis::new((self.timestamp * 1000.0).round() as i64),
            acknowledged: self.acknowledged,
        }
    }

    /// The same, unless it is over.
    fn latched(&self, names: &Names) -> Option<RestoredAlarm> {
        (!self.cleared).then(|| self.restored(names))
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
    /// Everything that the journal holds, cleared or not, in the order of raising.
    pub past: Vec<RestoredAlarm>,
    /// The id for the next alarm, at least 1.
    pub next_id: u64,
    /// What of it could not be read, where that is so: any of it may have been a latched alarm.
    pub unread: Option<UnreadName>,
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

/// Every alarm of a journal by id, and how many lines could not be read: torn by a power cut,
/// damaged on the medium, or edited by hand.
fn fold(text: &[u8]) -> (BTreeMap<u64, JournalEntry>, usize) {
    let mut alarms = BTreeMap::new();
    let mut damaged = 0;
    let mut sealed = false;
    let lines = text.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    for bytes in lines {
        let sound = is_sealed(bytes);
        let Ok(line) = serde_json::from_slice(bytes) else {
            damaged += 1;
            continue;
        };
        if let Line::Format { number } = &line {
            if *number > FORMAT {
                tracing::warn!(number, reads = FORMAT, "the journal is of a newer version");
            }
            // An older version may have gone on, after a newer one too.
            sealed = *number >= SEALED_SINCE;
        }
        if !sound && (sealed || has_seal(bytes)) {
            damaged += 1;
            continue;
        }
        match line {
            Line::Raised(entry) => {
                // A line repeated after a fault must not undo what came between.
                alarms.entry(entry.id).or_insert(entry);
            }
            Line::Acknowledged { id } => {
                alarms.entry(id).and_modify(|e| e.acknowledged = true);
            }
            Line::Cleared { id } => {
                alarms.entry(id).and_modify(|e| e.cleared = true);
            }
            Line::Format { .. } => {}
        }
    }
    (alarms, damaged)
}

/// Whether a line claims to have a sum; within a text its quotes would be escaped.
fn has_seal(line: &[u8]) -> bool {
    line.windows(6).any(|window| window == b"\"sum\":")
}

/// Reads the journal of the last process; an absent one is an empty one. `names` are those of the
/// machine of today.
pub fn load_journal(data_dir: &Path, names: &Names) -> JournalState {
    let path = data_dir.join(JOURNAL_FILE);
    let (text, fault) = match std::fs::read(&path) {
        Ok(text) => (text, None),
        Err(e) if e.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let (alarms, damaged) = fold(&text);
    let mut next_id = alarms.last_key_value().map_or(1, |(id, _)| id.saturating_add(1));
    let unread = match &fault {
        Some(error) => {
            tracing::error!(%error, path = %path.display(), "the alarm journal cannot be read; mend its permissions, or move it away");
            // Numbers that no alarm in there has.
            next_id = wall_secs().max(1);
            Some(UnreadName::new("the whole file"))
        }
        None if damaged > 0 => {
            tracing::error!(damaged, path = %path.display(), "lines of the alarm journal cannot be read");
            Some(UnreadName::new(&format!("damaged lines: {damaged}")))
        }
        None => None,
    };
    JournalState {
        latched: alarms.values().filter_map(|alarm| alarm.latched(names)).collect(),
        past: alarms.values().map(|alarm| alarm.restored(names)).collect(),
        next_id,
        history: AlarmHistory(Arc::new(
            alarms.into_values().rev().take(SHOWN).collect::<Vec<_>>().into_iter().rev().collect(),
        )),
        unread,
    }
}

fn wall_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Appends events to the journal and keeps it bounded.
pub(crate) struct Journal {
    path: PathBuf,
    log: Growing,
    waiting: VecDeque<Line>,
    /// The layout of what follows stands in the file.
    noted: bool,
    /// What the last process has left was looked at.
    looked: bool,
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
            looked: false,
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
        if !self.looked {
            self.look(disk)?;
        }
        if self.log.size() > self.compact_above {
            self.compact(disk)?;
        }
        Ok(())
    }

    /// Looks once at what the last process has left: damage is kept aside and goes. Only now, as the
    /// alarm that speaks of it is on the medium.
    fn look(&mut self, disk: &mut dyn Disk) -> io::Result<()> {
        let text = disk.read(&self.path)?;
        if fold(&text).1 > 0 {
            let kept = self.path.with_file_name(DAMAGED_FILE);
            disk.replace(&kept, &text)?;
            self.compact(disk)?;
            tracing::warn!(kept = %kept.display(), "the damaged alarm journal was kept aside");
        }
        self.looked = true;
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
    let begin = into.len();
    serde_json::to_writer(&mut *into, line)?;
    // The sum goes in before the brace that ends the object.
    into.pop();
    seal(into, begin);
    into.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod layout;

#[cfg(test)]
mod tests;
