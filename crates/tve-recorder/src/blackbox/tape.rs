//! The control thread's end of the black box: records into preallocated segments, hands full ones
//! over without waiting.

use super::codec::{CommandImage, LONGEST_COMMAND, LONGEST_TICK, Writer};
use super::handover::{SEGMENT_BYTES, SEGMENTS, Segment, TRIGGERS};
use super::{Trigger, makes_incident};
use crate::shared::{Shared, lock};
use std::sync::Arc;
use tve_config::Config;
use tve_control::{AlarmCode, AlarmEvent, Command, Controller};
use tve_hal::{Inputs, Outputs};
use tve_units::{Micros, WallMillis};

/// Longest time in one segment. Short segments lose less when one is lost, long ones spare the
/// state at their beginning (some 8 kB).
const LONGEST: Micros = Micros::from_secs(10);
/// Room for the state at the beginning of a segment; it takes some 8 kB.
const STATE_BYTES: usize = 32 * 1024;
/// Time between two segments that an alarm ends early, so that a storm of alarms makes no storm of
/// segments.
const EARLY_PERIOD: Micros = Micros::from_secs(5);

/// Records what the control thread does. No method waits, and none allocates.
pub struct Tape {
    shared: Arc<Shared>,
    current: Segment,
    writer: Writer,
    config: Arc<Config>,
    revision: u64,
    /// The next tick needs a new segment: nothing is recorded before it.
    broken: bool,
    /// What was recorded before leads to the state at the next checkpoint.
    continues: bool,
    end_early: bool,
    next_early: Micros,
}

/// A command that is being carried out.
pub struct Carrying {
    image: CommandImage,
    now: Micros,
}

impl Tape {
    pub(crate) fn new(shared: Arc<Shared>, controller: &Controller, config: &Arc<Config>) -> Self {
        let mut handover = lock(&shared.handover);
        while handover.free.len() + 1 < SEGMENTS {
            handover.free.push(Segment::new());
        }
        drop(handover);
        Self {
            shared,
            current: Segment::new(),
            writer: Writer::new(Micros::ZERO),
            config: Arc::clone(config),
            revision: controller.config_revision(),
            broken: true,
            continues: false,
            end_early: false,
            next_early: Micros::ZERO,
        }
    }

    /// To be called before every [`Controller::step`]: begins a new segment when one is due.
    /// `config` is what the controller runs with.
    pub fn begin(
        &mut self,
        now: Micros,
        wall: WallMillis,
        controller: &Controller,
        config: &Arc<Config>,
    ) {
        if controller.config_revision() != self.revision {
            self.revision = controller.config_revision();
            self.config = Arc::clone(config);
            self.interrupt();
        }
        let full = self.current.bytes.len() + LONGEST_TICK > SEGMENT_BYTES;
        let old = now.since(self.current.began) >= LONGEST;
        if self.broken || full || old || self.end_early {
            self.checkpoint(now, wall, controller);
        }
    }

    fn checkpoint(&mut self, now: Micros, wall: WallMillis, controller: &Controller) {
        if !self.current.is_empty() && !self.hand_over() {
            // Nobody takes it and nothing is free: it makes room, and a gap.
            self.continues = false;
        }
        self.end_early = false;
        let segment = &mut self.current;
        segment.triggers = [None; TRIGGERS];
        segment.config = Some(Arc::clone(&self.config));
        (segment.began, segment.ended, segment.wall) = (now, now, wall);
        segment.continues = self.continues;
        segment.bytes.clear();
        segment.bytes.resize(STATE_BYTES, 0);
        let written = postcard::to_slice(controller, &mut segment.bytes).map(|bytes| bytes.len());
        segment.state_len = written.unwrap_or(0);
        segment.bytes.truncate(segment.state_len);
        self.broken = segment.state_len == 0;
        self.continues = !self.broken;
        self.writer = Writer::new(now);
    }

    /// Exchanges the current segment for an empty one. `false` when that was not possible.
    fn hand_over(&mut self) -> bool {
        let Ok(mut handover) = self.shared.handover.try_lock() else {
            return false;
        };
        let handover = &mut *handover;
        let Some(free) = handover.free.pop().or_else(|| {
            handover.lost += 1;
            handover.full.pop_front()
        }) else {
            return false;
        };
        let full = std::mem::replace(&mut self.current, free);
        self.current.bytes.clear();
        handover.full.push_back(full);
        self.shared.wake();
        true
    }

    /// What follows cannot be derived from what was recorded.
    fn interrupt(&mut self) {
        self.broken = true;
        self.continues = false;
    }

    /// One tick, after it.
    pub fn tick(&mut self, now: Micros, inputs: &Inputs, outputs: &Outputs) {
        if self.broken {
            return;
        }
        self.current.ended = now;
        if !self.writer.tick(&mut self.current.bytes, now, inputs, outputs) {
            self.interrupt();
        }
    }

    /// A command before it is carried out; [`Self::carried_out`] completes it.
    #[must_use = "a command is recorded when it has been carried out"]
    pub fn carry(&self, now: Micros, command: &Command) -> Carrying {
        Carrying { image: CommandImage::of(command), now }
    }

    /// The command has been carried out or refused.
    pub fn carried_out(&mut self, carrying: &Carrying, accepted: bool) {
        if self.broken {
            return;
        }
        let room = self.current.bytes.len() + LONGEST_COMMAND + LONGEST_TICK <= SEGMENT_BYTES;
        let Carrying { image, now } = carrying;
        let kept = room && self.writer.command(&mut self.current.bytes, *now, image, accepted);
        // A refusal changes nothing, so nothing is missing without it.
        if !kept && (accepted || !room) {
            self.interrupt();
        }
    }

    /// [`Controller::shut_down`] was called.
    pub fn shut_down(&mut self, now: Micros) {
        if !self.broken {
            self.writer.shut_down(&mut self.current.bytes, now);
        }
    }

    /// An event of the alarm journal.
    pub fn event(&mut self, event: &AlarmEvent) {
        if let AlarmEvent::Raised(record) = event
            && makes_incident(record.code.row().reaction)
        {
            self.trigger(Trigger { code: record.code, at: record.raised_at, wall: record.wall });
        }
    }

    /// The control loop has fallen over.
    pub fn fell_over(&mut self) {
        let (at, wall) = (self.current.ended, self.current.wall);
        self.trigger(Trigger { code: AlarmCode::ControlOverrun, at, wall });
    }

    fn trigger(&mut self, trigger: Trigger) {
        if let Some(free) = self.current.triggers.iter_mut().find(|t| t.is_none()) {
            *free = Some(trigger);
        }
        // What led to the alarm goes to the disk at once: the process may not live for the rest.
        if trigger.at >= self.next_early {
            self.next_early = trigger.at + EARLY_PERIOD;
            self.end_early = true;
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        // The control thread is ending: what it has recorded last is still wanted.
        let current = std::mem::replace(&mut self.current, Segment::new());
        if !current.is_empty() {
            lock(&self.shared.handover).full.push_back(current);
        }
    }
}
