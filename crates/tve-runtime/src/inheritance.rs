//! What the last process left behind, and what it means for this one.

use crate::clock::{SystemClock, WallClock as _};
use std::path::Path;
use tve_control::{
    About, AlarmCode, AlarmEvent, AlarmRecord, Cause, Restored, RestoredAlarm, Subject,
};
use tve_machine::Names;
use tve_recorder::{AlarmHistory, JournalState, load_journal, load_previous_session};
use tve_units::Micros;

/// Read from the data directory before the controller starts.
pub(crate) struct Inheritance {
    /// For the controller.
    pub(crate) restored: Restored,
    /// Every alarm that the journal holds.
    pub(crate) history: AlarmHistory,
    /// What happened between the two processes and the journal still has to be told.
    pub(crate) events: Vec<AlarmEvent>,
}

impl Inheritance {
    /// Reads journal and session record of `data_dir`; `config_fault`: this start's configuration
    /// was refused; `names`: those of the machine.
    pub(crate) fn read(data_dir: &Path, config_fault: bool, names: &Names) -> Self {
        let mut journal = load_journal(data_dir, names);
        let previous = load_previous_session(data_dir);
        let mut events = Vec::new();
        if let Some(unread) = journal.unread {
            events.push(latch(&mut journal, AlarmCode::JournalUnreadable, Cause::Unread(unread)));
        }
        let code = AlarmCode::ControlOverrun;
        if previous.overrun && !journal.latched.iter().any(|alarm| alarm.code == code) {
            // The control loop of the last process stood still, and no alarm says so.
            events.push(latch(&mut journal, code, Cause::Restored(About::Machine)));
        }
        if !config_fault {
            events.extend(mended_config(&mut journal));
        }
        let restored = Restored {
            latched: journal.latched,
            past: journal.past,
            wall: SystemClock.now(),
            next_alarm_id: journal.next_id,
            unclean: previous.unclean,
            config_fault,
        };
        Self { restored, history: journal.history, events }
    }
}

/// A valid configuration and a restart are what ends CONFIG_FAULT, and here they are.
fn mended_config(journal: &mut JournalState) -> Vec<AlarmEvent> {
    let (faults, others) =
        journal.latched.drain(..).partition(|alarm| alarm.code == AlarmCode::ConfigFault);
    journal.latched = others;
    let faults: Vec<RestoredAlarm> = faults;
    let events: Vec<_> = faults.iter().map(|f| AlarmEvent::Cleared { id: f.id }).collect();
    for event in &events {
        journal.history.apply(event);
    }
    events
}

/// Latches an alarm that belongs to the time before this start.
fn latch(journal: &mut JournalState, code: AlarmCode, cause: Cause) -> AlarmEvent {
    let (id, wall) = (journal.next_id, SystemClock.now());
    journal.next_id += 1;
    journal.latched.push(RestoredAlarm { id, code, cause, wall, acknowledged: false });
    let event = AlarmEvent::Raised(AlarmRecord {
        id,
        code,
        cause,
        subject: Subject::default(),
        raised_at: Micros::ZERO,
        wall,
        acknowledged: false,
        cleared: false,
    });
    journal.history.apply(&event);
    event
}
