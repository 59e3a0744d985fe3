//! Playing a walk under the eyes of the invariants.

use super::invariants::{Observer, Violation};
use super::script::{Event, Script};
use crate::rig::{Rig, TICK};
use tve_control::{Command, Refusal, Snapshot, Unclean, parse_named};
use tve_sim::FaultKind;
use tve_units::Micros;

/// A jittering loop's ticks, ms: early, late, and one far too late.
const JITTER_MS: [u64; 7] = [5, 15, 8, 12, 1, 30, 90];
/// One in so many commands is looked at to the last bit.
const DEEP: u64 = 4;
/// How long a loop jitters.
const JITTER_FOR: Micros = Micros::from_secs(2);

/// What one walk counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    pub(super) ticks: u64,
    pub(super) commands: u64,
    pub(super) refused: u64,
    pub(super) alarms: u64,
}

/// Plays a script until its end or the first violation.
pub(super) fn play(script: &Script) -> (Count, Result<(), Violation>) {
    let mut rig = Rig::new(script.subject.config());
    rig.soak(script.start_temp);
    let mut observer = Observer::new(&rig);
    let mut count = Count::default();
    let mut events = script.events.iter().peekable();
    let mut jitter_until = Micros::ZERO;
    while rig.plant_time < script.duration {
        let mut dt = TICK;
        while let Some((_, event)) = events.next_if(|(at, _)| *at <= rig.plant_time) {
            let outcome = match event {
                Event::Command(name, value) => {
                    count.commands += 1;
                    if let Ok(command) = parse_named(name, value, &rig.names()) {
                        let deep = count.commands.is_multiple_of(DEEP);
                        let depth = if deep { Depth::Everything } else { Depth::Shown };
                        let answer = send(&mut rig, &mut observer, &command, depth);
                        count.refused += u64::from(matches!(answer, Ok(false)));
                        answer.map(|_| ())
                    } else {
                        count.refused += 1;
                        Ok(())
                    }
                }
                Event::Fault(kind, lasting) => {
                    if matches!(kind, FaultKind::SsrStuckOn(_) | FaultKind::SsrLeaks(..)) {
                        observer.relay_sticks();
                    }
                    if matches!(kind, FaultKind::ContactorWelded) {
                        observer.contactor_welds();
                    }
                    rig.inject(*kind, Some(*lasting));
                    Ok(())
                }
                Event::Restart(died) => {
                    let unclean = died
                        .then(|| Unclean { energised: rig.controller.outputs().is_energised() });
                    rig.restart(unclean, false);
                    observer.restarted(&rig)
                }
                Event::Stall(late) => {
                    dt = *late;
                    Ok(())
                }
                Event::Jitter => {
                    jitter_until = rig.plant_time + JITTER_FOR;
                    Ok(())
                }
                Event::WallClock(seconds) => {
                    rig.step_wall_clock(*seconds);
                    Ok(())
                }
            };
            if outcome.is_err() {
                return (count, outcome);
            }
        }
        if dt == TICK && rig.plant_time < jitter_until {
            let n = count.ticks as usize % JITTER_MS.len();
            dt = Micros::from_millis(JITTER_MS[n]);
        }
        rig.tick_after(dt);
        count.ticks += 1;
        count.alarms += rig.raised.len() as u64;
        let outcome = observer.ticked(&mut rig);
        if outcome.is_err() {
            return (count, outcome);
        }
    }
    (count, Ok(()))
}

/// Sends a command under the eyes of the observer; whether it was accepted.
fn send(
    rig: &mut Rig,
    observer: &mut Observer,
    command: &Command,
    depth: Depth,
) -> Result<bool, Violation> {
    let before = depth.digest(rig);
    let answer: Result<_, Refusal> = rig.send(command.clone());
    let changed = answer.is_err() && depth.digest(rig) != before;
    observer.commanded(rig, command, answer.as_ref().map_err(|_| changed))?;
    Ok(answer.is_ok())
}

/// How closely a refusal is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// What the machine shows.
    Shown,
    /// Every bit of the controller's memory; a hundred times as long.
    Everything,
}

impl Depth {
    fn digest(self, rig: &mut Rig) -> (Option<Box<Snapshot>>, u64) {
        match self {
            Self::Shown => (Some(Box::new(rig.snapshot())), 0),
            Self::Everything => (None, rig.state_hash()),
        }
    }
}
