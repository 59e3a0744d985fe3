//! Duty to solid-state relay: whole mains cycles by first-order sigma-delta.
//!
//! A zero-cross relay passes whole half cycles, so a slot is a whole number of mains cycles: 20 ms
//! at 50 Hz, 50 ms at 60 Hz. Each slot adds the duty to an accumulator and conducts when it reaches
//! a full slot, so the mean over n slots is within 1/n of the duty: 1 % over 2 s at 50 Hz and over
//! 5 s at 60 Hz.

use tve_units::{Duty, Micros};

/// The modulator of one heater.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct SigmaDelta {
    accumulated: f64,
    slot_started: Option<Micros>,
    on: bool,
}

/// Length of a slot for a mains frequency in Hz.
pub(crate) const fn slot_length(mains_hz: u32) -> Micros {
    if mains_hz == 60 { Micros::from_millis(50) } else { Micros::from_millis(20) }
}

impl SigmaDelta {
    /// Whether the relay conducts from `now` on. Zero duty opens it at once.
    pub(crate) fn advance(&mut self, now: Micros, slot: Micros, duty: Duty) -> bool {
        if duty.is_zero() {
            *self = Self::default();
            return false;
        }
        if self.slot_started.is_none_or(|started| now.since(started) >= slot) {
            self.slot_started = Some(now);
            self.accumulated += duty.get();
            self.on = self.accumulated >= Duty::FULL.get();
            if self.on {
                self.accumulated -= Duty::FULL.get();
            }
        }
        self.on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_on(duty: f64, mains_hz: u32, window_s: u64) -> f64 {
        let tick = Micros::from_millis(10);
        let duty = Duty::new(duty).unwrap();
        let mut ssr = SigmaDelta::default();
        let mut now = Micros::ZERO;
        let mut on = 0u32;
        let ticks = window_s * 100;
        for _ in 0..ticks {
            on += u32::from(ssr.advance(now, slot_length(mains_hz), duty));
            now = now + tick;
        }
        100.0 * f64::from(on) / ticks as f64
    }

    #[test]
    fn the_mean_power_is_within_one_percent_over_the_window_of_each_mains() {
        for duty in [0.0, 1.0, 7.3, 33.3, 50.0, 66.7, 99.0, 100.0] {
            assert!((mean_on(duty, 50, 2) - duty).abs() <= 1.0, "50 Hz, {duty} %");
            assert!((mean_on(duty, 60, 5) - duty).abs() <= 1.0, "60 Hz, {duty} %");
        }
    }

    #[test]
    fn zero_duty_opens_the_relay_in_the_middle_of_a_slot() {
        let mut ssr = SigmaDelta::default();
        let slot = slot_length(60);
        assert!(ssr.advance(Micros::ZERO, slot, Duty::FULL));
        assert!(!ssr.advance(Micros::from_millis(10), slot, Duty::ZERO));
    }
}
