//! The part that knows what the machine as a whole is about: which sequence runs, the buttons, when
//! anybody last attended to it.
//!
//! ```text
//!          ┌──enter_starting──▶ Starting(Sequence) ─┐
//!  Free ───┼──enter_stopping──▶ Stopping(Sequence) ─┼──leave──▶ Free
//!          └──enter_emergency─▶ Emergency(Sequence)─┘
//! ```
//!
//! A stop overtakes a start, and an emergency everything; a STOP alarm ends what is no emergency.

mod idle;
mod residence;
mod sequence;

pub(crate) use idle::Alone;
pub(crate) use sequence::{DueSteps, estop_pressed};

use crate::refusal::RefusalCode;
use crate::snapshot::Status;
use idle::Idle;
use residence::Residence;
use sequence::{Button, Sequence};
use tve_config::{Safety, Step};
use tve_hal::{Buttons, Motor};
use tve_units::{Micros, WallMillis};

/// What the machine is about.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
enum Activity {
    /// No sequence runs.
    Free,
    /// START.
    Starting(Sequence),
    /// STOP.
    Stopping(Sequence),
    /// What a TRIP does beside switching off.
    Emergency(Sequence),
}

/// Which sequence a step belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SequenceKind {
    Startup,
    Shutdown,
    Emergency,
}

/// A button of the panel that has just been pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Pressed {
    Start,
    Stop,
}

/// The press of a button of the panel, with what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Press {
    /// Which.
    pub button: Pressed,
    /// Why it did nothing.
    pub refused: Option<RefusalCode>,
}

/// What the machine as a whole is about.
#[derive(Debug)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Supervisor {
    activity: Activity,
    shutting_down: bool,
    start_button: Button,
    stop_button: Button,
    idle: Idle,
    residence: Residence,
    /// The screw has been turning in a cold zone since.
    cold_since: Option<Micros>,
}

impl Supervisor {
    pub(crate) fn new() -> Self {
        Self {
            activity: Activity::Free,
            shutting_down: false,
            start_button: Button::default(),
            stop_button: Button::default(),
            idle: Idle::default(),
            residence: Residence::default(),
            cold_since: None,
        }
    }

    /// What the machine is doing. `stopped`: an alarm keeps the screw from turning; `runs`: some
    /// motor turns or is about to.
    pub(crate) const fn status(&self, stopped: bool, runs: bool) -> Status {
        match self.activity {
            _ if stopped => Status::Alarm,
            Activity::Starting(_) => Status::Starting,
            Activity::Stopping(_) => Status::Stopping,
            Activity::Free | Activity::Emergency(_) if self.shutting_down => Status::Stopping,
            Activity::Free | Activity::Emergency(_) if runs => Status::Running,
            Activity::Free | Activity::Emergency(_) => Status::Ready,
        }
    }

    /// No sequence runs.
    pub(crate) const fn is_free(&self) -> bool {
        matches!(self.activity, Activity::Free)
    }

    pub(crate) const fn is_stopping(&self) -> bool {
        matches!(self.activity, Activity::Stopping(_))
    }

    /// The process is about to end.
    pub(crate) const fn is_shutting_down(&self) -> bool {
        self.shutting_down
    }

    /// Wall-clock start of the sequence that runs.
    pub(crate) const fn sequence_started(&self) -> Option<WallMillis> {
        match &self.activity {
            Activity::Free => None,
            Activity::Starting(s) | Activity::Stopping(s) | Activity::Emergency(s) => {
                Some(s.wall())
            }
        }
    }

    pub(crate) fn enter_starting(&mut self, steps: &[Step], now: Micros, wall: WallMillis) {
        self.activity = Activity::Starting(Sequence::new(steps, now, wall));
    }

    pub(crate) fn enter_stopping(&mut self, steps: &[Step], now: Micros, wall: WallMillis) {
        self.activity = Activity::Stopping(Sequence::new(steps, now, wall));
    }

    pub(crate) fn enter_emergency(&mut self, steps: &[Step], now: Micros, wall: WallMillis) {
        self.activity = Activity::Emergency(Sequence::new(steps, now, wall));
    }

    /// The sequence is over, or given up.
    pub(crate) fn leave(&mut self) {
        self.activity = Activity::Free;
    }

    /// A STOP: whatever is no emergency is given up.
    pub(crate) fn halt(&mut self) {
        if !matches!(self.activity, Activity::Emergency(_)) {
            self.leave();
        }
    }

    /// No TRIP is latched any more: what it began is given up.
    pub(crate) fn end_emergency(&mut self) {
        if matches!(self.activity, Activity::Emergency(_)) {
            self.leave();
        }
    }

    /// From now on everything goes to rest, for good.
    pub(crate) fn shut_down(&mut self) {
        self.shutting_down = true;
        self.leave();
    }

    /// Somebody has stopped a motor by hand: a start does not turn it on any more.
    pub(crate) fn drop_motor(&mut self, motor: Motor) {
        if let Activity::Starting(sequence) = &mut self.activity {
            sequence.drop_motor(motor);
        }
    }

    /// The steps of the running sequence that are due. A stop has an end, whatever its steps say.
    pub(crate) fn take_due(
        &mut self,
        now: Micros,
        safety: &Safety,
    ) -> Option<(SequenceKind, DueSteps)> {
        let (kind, sequence, latest) = match &mut self.activity {
            Activity::Free => return None,
            Activity::Starting(s) => (SequenceKind::Startup, s, f64::MAX),
            Activity::Stopping(s) => (SequenceKind::Shutdown, s, safety.last_stop_step_s()),
            Activity::Emergency(s) => (SequenceKind::Emergency, s, f64::MAX),
        };
        Some((kind, sequence.take_due(now, latest)))
    }

    /// Every step of the running sequence has been done.
    pub(crate) fn is_done(&self) -> bool {
        match &self.activity {
            Activity::Free => true,
            Activity::Starting(s) | Activity::Stopping(s) | Activity::Emergency(s) => s.is_done(),
        }
    }

    /// The button that is pressed at this tick; stop wins over start.
    pub(crate) fn pressed(&mut self, now: Micros, buttons: Buttons) -> Option<Pressed> {
        let start = self.start_button.advance(now, buttons.start);
        let stop = self.stop_button.advance(now, buttons.stop);
        match (stop, start) {
            (true, _) => Some(Pressed::Stop),
            (false, true) => Some(Pressed::Start),
            (false, false) => None,
        }
    }

    /// Something moves, or somebody is there.
    pub(crate) fn attended(&mut self, now: Micros) {
        self.idle = Idle::since(now);
    }

    /// What is to be done as nobody is there, once for each stage.
    pub(crate) fn alone(&mut self, now: Micros, safety: &Safety) -> Option<Alone> {
        self.idle.due(now, safety)
    }

    /// One look at the melt: how long it has stood hot, s, once when that is too long.
    pub(crate) fn melt_stands(
        &mut self,
        now: Micros,
        hot: bool,
        turned: bool,
        safety: &Safety,
    ) -> Option<f64> {
        self.residence.look(now, hot, turned, safety)
    }

    /// One evaluation of the screw: whether it has turned in a cold zone for too long. `period`: the
    /// time between two evaluations, as the cold was there up to one before it was seen.
    pub(crate) fn screw_is_cold(
        &mut self,
        now: Micros,
        cold: bool,
        period: Micros,
        safety: &Safety,
    ) -> bool {
        if !cold {
            self.cold_since = None;
            return false;
        }
        let since = *self.cold_since.get_or_insert(now);
        now.since(since) + period >= Micros::from_secs_f64(safety.cold_zone_delay)
    }
}
