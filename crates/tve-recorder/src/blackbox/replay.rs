//! Replaying an incident: the recorded inputs and commands through the controller, its outputs
//! against the recorded ones.

use super::codec::{Reader, Record};
use super::file::{self, IncidentError, Part};
use std::sync::Arc;
use tve_config::MachineConfig;
use tve_control::{Controller, Snapshot};
use tve_hal::Outputs;
use tve_units::{Micros, WallMillis};

/// A tick of the replay.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Number of the tick in the file, from 1.
    pub tick: u64,
    /// Machine time.
    pub now: Micros,
    /// Wall-clock label.
    pub wall: WallMillis,
}

/// Where the replay left the record.
#[derive(Debug, Clone)]
pub enum Difference {
    /// The outputs of a tick.
    Outputs {
        /// Which tick.
        at: Moment,
        /// As recorded.
        recorded: Box<Outputs>,
        /// As replayed.
        replayed: Box<Outputs>,
    },
    /// The answer to a command.
    Answer {
        /// The tick before it.
        at: Moment,
        /// The command.
        command: String,
        /// Whether it was accepted when it was recorded.
        recorded: bool,
    },
    /// The state at the end of a segment is not the one in which the next begins.
    State {
        /// The last tick of the segment.
        at: Moment,
    },
}

/// The outcome of a replay.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// Ticks that were replayed with equal outputs.
    pub ticks: u64,
    /// Commands that were answered alike.
    pub commands: u64,
    /// Machine time of the first and the last tick.
    pub span: (Micros, Micros),
    /// The version that recorded it; another one may decide otherwise.
    pub version: String,
    /// The machine as it was at the first tick; none in a file without any.
    pub machine: Option<Arc<MachineConfig>>,
    /// What raised the incident: name and wall-clock time, seconds since the Unix epoch.
    pub alarms: Vec<(String, f64)>,
    /// Places where the record has a gap: the configuration was changed, or the recorder did not
    /// come in time.
    pub gaps: u64,
    /// The first difference, at which the replay ended.
    pub difference: Option<Difference>,
}

/// Replays the file `bytes`; `watch` sees the machine after every tick.
///
/// # Errors
/// [`IncidentError`] when the file cannot be read.
pub fn replay(bytes: &[u8], watch: &mut dyn FnMut(&Snapshot)) -> Result<Replayed, IncidentError> {
    let (header, parts) = file::parse(bytes)?;
    let began = parts.first().map(|part| part.began).unwrap_or_default();
    let mut run = Run {
        result: Replayed {
            ticks: 0,
            commands: 0,
            span: (began, began),
            version: header.version,
            machine: parts.first().map(|part| part.config.machine()),
            alarms: header.alarms.into_iter().map(|a| (a.code, a.wall)).collect(),
            gaps: 0,
            difference: None,
        },
        wall: WallMillis::default(),
        snapshot: Snapshot::default(),
    };
    let mut last_state: Option<Vec<u8>> = None;
    for part in &parts {
        if let Some(state) = last_state {
            if !part.continues {
                run.result.gaps += 1;
            } else if state != part.state {
                run.result.difference = Some(Difference::State { at: run.moment() });
                break;
            }
        }
        last_state = Some(run.part(part, watch)?);
        if run.result.difference.is_some() {
            break;
        }
    }
    Ok(run.result)
}

struct Run {
    result: Replayed,
    wall: WallMillis,
    snapshot: Snapshot,
}

impl Run {
    fn moment(&self) -> Moment {
        Moment { tick: self.result.ticks, now: self.result.span.1, wall: self.wall }
    }

    /// Replays one segment; returns the state at its end.
    fn part(
        &mut self,
        part: &Part<'_>,
        watch: &mut dyn FnMut(&Snapshot),
    ) -> Result<Vec<u8>, IncidentError> {
        let state: Controller = postcard::from_bytes(part.state)
            .map_err(|_| IncidentError::Unreadable("the state has another shape"))?;
        let mut controller = state.resume(part.config.machine());
        let mut reader = Reader::new(part.records, part.began);
        while !reader.is_done() {
            let (now, record) =
                reader.next().ok_or(IncidentError::Unreadable("a record makes no sense"))?;
            self.result.span.1 = now;
            match record {
                Record::Tick { inputs, outputs } => {
                    self.wall = inputs.wall;
                    let replayed = controller.step(now, &inputs);
                    if !reader.matches(replayed) {
                        let replayed = Box::new(*replayed);
                        let recorded = Box::new(outputs);
                        let at = Moment { tick: self.result.ticks + 1, ..self.moment() };
                        self.result.difference =
                            Some(Difference::Outputs { at, recorded, replayed });
                        return Ok(Vec::new());
                    }
                    self.result.ticks += 1;
                    controller.snapshot(&mut self.snapshot);
                    watch(&self.snapshot);
                }
                Record::Command { command, accepted } => {
                    let name = format!("{command:?}");
                    if controller.command(now, command).is_ok() != accepted {
                        let at = self.moment();
                        let difference =
                            Difference::Answer { at, command: name, recorded: accepted };
                        self.result.difference = Some(difference);
                        return Ok(Vec::new());
                    }
                    self.result.commands += 1;
                }
                Record::ShutDown => controller.shut_down(now),
            }
            while controller.pop_event().is_some() {}
        }
        postcard::to_allocvec(&controller)
            .map_err(|_| IncidentError::Unreadable("its state cannot be compared"))
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = |at: &Moment| {
            format!(
                "tick {} at {:.3} s (wall clock {:.3} s)",
                at.tick,
                at.now.secs(),
                at.wall.secs()
            )
        };
        match self {
            Self::Outputs { at, recorded, replayed } => {
                writeln!(f, "{}: the outputs differ", place(at))?;
                writeln!(f, "recorded  {recorded:?}")?;
                write!(f, "replayed  {replayed:?}")
            }
            Self::Answer { at, command, recorded } => {
                let (was, is) =
                    if *recorded { ("accepted", "refused") } else { ("refused", "accepted") };
                write!(f, "after {}: {command} was {was}, and is {is} in the replay", place(at))
            }
            Self::State { at } => {
                write!(
                    f,
                    "after {}: the state is not the one that the record goes on with",
                    place(at)
                )
            }
        }
    }
}
