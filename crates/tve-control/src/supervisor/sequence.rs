//! The start and stop sequences: steps with delays, each done once.

use tve_config::{Device, Step};
use tve_hal::{Contact, Motor};
use tve_machine::MAX_MOTORS;
use tve_units::{Micros, WallMillis};

/// Steps of one device each: the motors, fan and pump.
const MAX_STEPS: usize = MAX_MOTORS + 2;

/// The steps of a sequence that are due at one tick.
pub(crate) type DueSteps = core::iter::Flatten<core::array::IntoIter<Option<Step>, MAX_STEPS>>;

/// A sequence under way. It keeps its own copy of the steps: a change of the configuration counts
/// from the next run.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Sequence {
    started: Micros,
    /// Wall-clock label of the start.
    wall: WallMillis,
    steps: [Option<Step>; MAX_STEPS],
}

impl Sequence {
    pub(crate) fn new(steps: &[Step], now: Micros, wall: WallMillis) -> Self {
        let mut slots = [None; MAX_STEPS];
        for (slot, step) in slots.iter_mut().zip(steps) {
            *slot = Some(*step);
        }
        Self { started: now, wall, steps: slots }
    }

    pub(crate) const fn wall(&self) -> WallMillis {
        self.wall
    }

    /// Takes out the steps that are due, in the order of the configuration; none comes later than
    /// `latest` after the begin, s, whatever its delay.
    pub(crate) fn take_due(&mut self, now: Micros, latest: f64) -> DueSteps {
        let elapsed = now.since(self.started);
        let mut due = [None; MAX_STEPS];
        for (out, slot) in due.iter_mut().zip(&mut self.steps) {
            if slot.is_some_and(|step| elapsed >= Micros::from_secs_f64(step.delay.min(latest))) {
                *out = slot.take();
            }
        }
        due.into_iter().flatten()
    }

    /// Forgets the steps of a motor that somebody has stopped by hand.
    pub(crate) fn drop_motor(&mut self, motor: Motor) {
        for slot in &mut self.steps {
            if slot.is_some_and(|step| step.device == Device::Motor(motor)) {
                *slot = None;
            }
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.steps.iter().all(Option::is_none)
    }
}

/// A push button: reports the press, once, after it has been stable.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Button {
    pressed: bool,
    changed_at: Option<Micros>,
    reported: bool,
}

/// Contacts bounce for a few milliseconds; a press is believed after this long.
const DEBOUNCE: Micros = Micros::from_millis(30);

impl Button {
    /// `true` once for each press. A button held down at start is no press.
    pub(crate) fn advance(&mut self, now: Micros, pressed: bool) -> bool {
        let Some(changed_at) = self.changed_at else {
            *self = Self { pressed, changed_at: Some(now), reported: pressed };
            return false;
        };
        if pressed != self.pressed {
            self.pressed = pressed;
            self.changed_at = Some(now);
            return false;
        }
        if now.since(changed_at) < DEBOUNCE {
            return false;
        }
        let press = pressed && !self.reported;
        self.reported = pressed;
        press
    }
}

/// Whether the emergency stop is asked for by its contact.
pub(crate) fn estop_pressed(contact: Contact, normally_closed: bool) -> bool {
    match contact {
        Contact::NotMapped => false,
        Contact::Closed => !normally_closed,
        Contact::Open => normally_closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_config::Action;

    #[test]
    fn each_step_comes_once_when_its_delay_is_over() {
        let (first, second) = (Device::Motor(Motor::at(0)), Device::Motor(Motor::at(1)));
        let step = |device, delay| Step { device, action: Action::On, delay };
        let steps = [step(first, 0.0), step(second, 2.0)];
        let mut sequence = Sequence::new(&steps, Micros::ZERO, WallMillis::default());
        let at = |s: &mut Sequence, t| {
            s.take_due(Micros::from_secs(t), f64::MAX).map(|s| s.device).collect::<Vec<_>>()
        };
        assert_eq!(at(&mut sequence, 0), [first]);
        assert_eq!(at(&mut sequence, 1), []);
        assert!(!sequence.is_done());
        assert_eq!(at(&mut sequence, 2), [second]);
        assert!(sequence.is_done());
    }

    #[test]
    fn a_step_comes_no_later_than_the_sequence_may_take() {
        let step = Step { device: Device::Fan, action: Action::Off, delay: 3600.0 };
        let mut sequence = Sequence::new(&[step], Micros::ZERO, WallMillis::default());
        assert_eq!(sequence.take_due(Micros::from_secs(57), 58.0).count(), 0);
        assert_eq!(sequence.take_due(Micros::from_secs(58), 58.0).count(), 1);
    }

    #[test]
    fn a_bouncing_press_is_one_press_and_a_held_button_none() {
        let mut button = Button::default();
        let mut presses = 0;
        let levels =
            [true, true, false, false, false, false, true, false, true, true, true, true, true];
        for (tick, level) in levels.into_iter().enumerate() {
            presses += u32::from(button.advance(Micros::from_millis(10 * tick as u64), level));
        }
        assert_eq!(presses, 1);
    }

    #[test]
    fn a_broken_wire_of_a_normally_closed_loop_stops_the_machine() {
        assert!(estop_pressed(Contact::Open, true));
        assert!(!estop_pressed(Contact::Closed, true));
        assert!(estop_pressed(Contact::Closed, false));
        assert!(!estop_pressed(Contact::NotMapped, true));
    }
}
