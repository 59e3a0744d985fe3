//! How hot could a zone be that nobody can see?
//!
//! A zone whose sensor failed is switched off, but a relay that sticks heats it all the same, and
//! its own contactor is the only thing that ends that. So the hottest that full duty could have
//! made of it is reckoned along the model of the configuration: a first-order lag of
//! `safety.zone_time_constant` towards `safety.zone_gain` above `safety.ambient`.

use crate::sensors::is_bad;
use tve_config::Safety;
use tve_hal::Reading;

/// Memory of one zone.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct UnseenZone {
    /// The hottest that the zone can be, °C; only while it cannot be seen.
    could_be: Option<f64>,
}

impl UnseenZone {
    /// The hottest that the zone can be by now, °C; `None` while its sensor, whose judgement is
    /// `reading`, can be believed. `believed` is the last temperature that was, °C, and `dt` the
    /// time since the last call, s.
    pub(crate) fn advance(
        &mut self,
        reading: Reading,
        believed: Option<f64>,
        dt: f64,
        safety: &Safety,
    ) -> Option<f64> {
        if !is_bad(reading) {
            self.could_be = None;
            return None;
        }
        let full = safety.ambient + safety.zone_gain;
        let after = |t: f64, s: f64| {
            let left = libm::exp(-s / safety.zone_time_constant);
            (full - (full - t) * left).max(t)
        };
        let now = match self.could_be {
            Some(before) => after(before, dt),
            // A frozen sensor has not been telling the truth for a while.
            None if reading == Reading::Frozen => {
                after(believed.unwrap_or(safety.max_target), safety.frozen_after)
            }
            None => believed.unwrap_or(safety.max_target),
        };
        self.could_be = Some(now);
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds_to_limit(reading: Reading, believed: Option<f64>) -> u32 {
        let safety = Safety::default();
        let mut zone = UnseenZone::default();
        (0..10_000)
            .find(|_| {
                let t = zone.advance(reading, believed, 1.0, &safety).unwrap();
                t > safety.over_temperature
            })
            .unwrap()
    }

    #[test]
    fn a_hot_zone_that_is_lost_has_minutes_and_a_frozen_one_half_a_minute_less() {
        // 600 s * ln((453 - 230) / (453 - 280)) = 152 s.
        assert_eq!(seconds_to_limit(Reading::Open, Some(230.0)), 153);
        assert_eq!(seconds_to_limit(Reading::Frozen, Some(230.0)), 123);
        // Nobody knows: as hot as a target may be. 600 s * ln(188 / 173) = 50 s.
        assert_eq!(seconds_to_limit(Reading::Shorted, None), 50);
    }

    #[test]
    fn a_zone_that_is_seen_again_starts_afresh() {
        let safety = Safety::default();
        let mut zone = UnseenZone::default();
        let seen = Reading::Good(tve_units::Celsius::clamped(200.0));
        assert!(zone.advance(Reading::Open, Some(200.0), 60.0, &safety).is_some());
        assert_eq!(zone.advance(seen, Some(200.0), 60.0, &safety), None);
        assert_eq!(zone.advance(Reading::Open, Some(200.0), 60.0, &safety), Some(200.0));
    }
}
