//! The black box: every tick's inputs, commands and outputs of the last minute, kept on disk when an
//! alarm stops the machine, and replayed bit for bit.
//!
//! *Tape*: the control thread's end; it writes records into a preallocated segment. *Segment*: at
//! most 10 s of records behind the complete state of the controller at its beginning, so that each
//! replays by itself. *Ring*: the newest minute of segments, in the memory of the recorder.
//! *Incident*: the segments from 60 s before an alarm to 30 s after it, as one file.
//!
//! ```text
//! control thread: Tape --try_lock--> Handover --swap--> recorder thread: Ring --> incident file
//!                   ^------------- empty buffers <---------'                          |
//!                                                                         replay <----'
//! ```

mod codec;
mod file;
mod handover;
mod incidents;
mod kept;
#[cfg(test)]
mod layout;
mod replay;
mod ring;
mod tape;
#[cfg(test)]
mod tests;

pub use file::IncidentError;
pub use incidents::{list_incidents, open_incident};
pub use replay::{Difference, Moment, Replayed, replay};
pub use tape::Tape;

pub(crate) use handover::Handover;
pub(crate) use incidents::incident_folder;
pub(crate) use ring::Ring;

use tve_control::{AlarmCode, Reaction};
use tve_units::{Micros, WallMillis};

/// What is kept from before an alarm.
const BEFORE: Micros = Micros::from_secs(60);
/// What is kept from after it.
const AFTER: Micros = Micros::from_secs(30);

/// An alarm that makes an incident.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trigger {
    pub(crate) code: AlarmCode,
    pub(crate) at: Micros,
    pub(crate) wall: WallMillis,
}

/// Whether an alarm with that reaction is worth an incident: whatever stops something.
const fn makes_incident(reaction: Reaction) -> bool {
    match reaction {
        Reaction::Stop | Reaction::ZoneTrip | Reaction::Trip => true,
        Reaction::Note => false,
    }
}
