//! Alarm events and presses of buttons on their way from the control thread to those who show them.
//!
//! The control thread leaves events (plain numbers) in a box that it only ever tries to open;
//! sentences are made by whoever reads. The journal on disk gets the same events by the recorder.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tve_audit::{AlarmChange, AuditHandle, Event};
use tve_control::{AlarmCode, AlarmEvent, Press, Pressed};
use tve_recorder::{AlarmHistory, JournalEntry, RecorderHandle};

/// Events that fit without allocation; more than the table of alarms has rows.
const ROOM: usize = 128;

/// What the machine itself has to say.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Happened {
    Alarm(AlarmEvent),
    Press(Press),
}

/// The past of the alarms as clients see it.
pub(crate) struct AlarmBook {
    inbox: Mutex<VecDeque<Happened>>,
    pages: Mutex<Pages>,
    audit: Option<AuditHandle>,
}

struct Pages {
    history: AlarmHistory,
    shown: AlarmPages,
    /// Something has happened since they were shown.
    stale: bool,
}

/// The newest 200 alarms, oldest first.
#[derive(Debug, Clone)]
pub struct AlarmPages {
    /// Grows with every change.
    pub version: u64,
    /// The alarms.
    pub entries: Arc<Vec<JournalEntry>>,
}

impl AlarmBook {
    /// Opens the book at the past that the journal holds. Everything new is also noted in `audit`.
    pub(crate) fn new(history: AlarmHistory, audit: Option<AuditHandle>) -> Self {
        Self {
            audit,
            inbox: Mutex::new(VecDeque::with_capacity(ROOM)),
            pages: Mutex::new(Pages {
                history,
                shown: AlarmPages { version: 0, entries: Arc::default() },
                stale: true,
            }),
        }
    }

    /// Takes over what the control thread has left, and shows the past; made once a change.
    pub(crate) fn pages(&self) -> AlarmPages {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        // The inbox is emptied under the lock of the pages, so that events keep their order.
        loop {
            let event = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let event = match event {
                Some(Happened::Alarm(event)) => event,
                Some(Happened::Press(press)) => {
                    self.note(&pressed(&press));
                    continue;
                }
                None => break,
            };
            pages.history.apply(&event);
            if let AlarmEvent::Raised(record) = &event
                && record.code == AlarmCode::EmergencyStopBtn
            {
                self.note(&Event::button("emergency", None));
            }
            self.note(&audited(&event));
            pages.stale = true;
        }
        if std::mem::take(&mut pages.stale) {
            let version = pages.shown.version + 1;
            pages.shown = AlarmPages { version, entries: pages.history.entries() };
        }
        pages.shown.clone()
    }
}

impl AlarmBook {
    fn note(&self, event: &Event) {
        if let Some(audit) = &self.audit {
            audit.record(event);
        }
    }
}

/// `press` as the audit journal has it.
fn pressed(press: &Press) -> Event {
    let button = match press.button {
        Pressed::Start => "start",
        Pressed::Stop => "stop",
    };
    Event::button(button, press.refused.map(|code| code.name().to_owned()))
}

/// `event` as the audit journal has it.
pub(crate) fn audited(event: &AlarmEvent) -> Event {
    let plain =
        |change, id| Event::Alarm { change, id, kind: None, message: None, raised_at: None };
    match event {
        AlarmEvent::Raised(record) => {
            let entry = JournalEntry::from(record);
            Event::Alarm {
                change: AlarmChange::Raised,
                id: entry.id,
                kind: Some(entry.kind),
                message: Some(entry.message),
                raised_at: Some(entry.timestamp),
            }
        }
        AlarmEvent::Acknowledged { id } => plain(AlarmChange::Acknowledged, *id),
        AlarmEvent::Cleared { id } => plain(AlarmChange::Cleared, *id),
    }
}

/// The control thread's side: the book and the journal, each served when it can be.
pub(crate) struct AlarmOutbox {
    book: Arc<AlarmBook>,
    recorder: RecorderHandle,
    for_book: VecDeque<Happened>,
    for_journal: VecDeque<AlarmEvent>,
}

impl AlarmOutbox {
    pub(crate) fn new(book: Arc<AlarmBook>, recorder: RecorderHandle) -> Self {
        let for_book = VecDeque::with_capacity(ROOM);
        Self { book, recorder, for_book, for_journal: VecDeque::with_capacity(ROOM) }
    }

    pub(crate) fn push(&mut self, event: AlarmEvent) {
        self.for_book.push_back(Happened::Alarm(event));
        self.for_journal.push_back(event);
    }

    pub(crate) fn pressed(&mut self, press: Press) {
        self.for_book.push_back(Happened::Press(press));
    }

    /// Whether the journal has been given everything.
    pub(crate) fn is_delivered(&self) -> bool {
        self.for_journal.is_empty()
    }

    /// Hands over what waits; what cannot be taken now stays for the next time.
    pub(crate) fn flush(&mut self) {
        if !self.for_book.is_empty()
            && let Ok(mut inbox) = self.book.inbox.try_lock()
        {
            inbox.append(&mut self.for_book);
        }
        while let Some(event) = self.for_journal.front() {
            if !self.recorder.alarm(event) {
                return;
            }
            self.for_journal.pop_front();
        }
    }
}
