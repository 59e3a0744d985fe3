//! What the last process left behind, and what it means for this one.

use crate::clock::{SystemClock, WallClock as _};
use crate::error::StartError;
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
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn read(
        data_dir: &Path,
        config_fault: bool,
        names: &Names,
    ) -> Result<Self, StartError> {
        let mut journal = load_journal(data_dir, names)?;
        let previous = load_previous_session(data_dir);
        let mut events = Vec::new();
        if previous.overrun {
            events.extend(missed_overrun(&mut journal));
        }
        if !config_fault {
            events.extend(mended_config(&mut journal));
        }
        let restored = Restored {
            latched: journal.latched,
            next_alarm_id: journal.next_id,
            unclean: previous.unclean,
            config_fault,
        };
        Ok(Self { restored, history: journal.history, events })
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

/// The control loop of the last process stood still, and no alarm says so: latches one.
fn missed_overrun(journal: &mut JournalState) -> Option<AlarmEvent> {
    let code = AlarmCode::ControlOverrun;
    if journal.latched.iter().any(|alarm| alarm.code == code) {
        return None;
    }
    let (id, wall) = (journal.next_id, SystemClock.now());
    journal.next_id += 1;
    journal.latched.push(RestoredAlarm {
        id,
        code,
        cause: Cause::Restored(About::Machine),
        wall,
        acknowledged: false,
    });
    let event = AlarmEvent::Raised(AlarmRecord {
        id,
        code,
        cause: Cause::Restored(About::Machine),
        subject: Subject::default(),
        raised_at: Micros::ZERO,
        wall,
        acknowledged: false,
        cleared: false,
    });
    journal.history.apply(&event);
    Some(event)
}
