//! How hot could a zone be that nobody can see?
//!
//! A zone whose sensor failed is switched off, but a relay that sticks heats it all the same, and
//! its own contactor is the only thing that ends that. So the hottest that full duty could have
//! made of it is reckoned along the model of the configuration: a first-order lag of
//! the zone's time constant towards its gain above `safety.ambient`.

use super::zone::Model;
use tve_hal::Reading;

/// What is known of the zone otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// The judgement of its sensor.
    pub(crate) reading: Reading,
    /// The last temperature that was believed, or the highest target where none was, °C.
    pub(crate) believed: f64,
    /// For how long a frozen sensor has not been telling the truth, s.
    pub(crate) silent_for: f64,
}

/// Memory of one zone.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct UnseenZone {
    /// The hottest that the zone can be, °C; only while it cannot be seen.
    could_be: Option<f64>,
}

impl UnseenZone {
    /// The hottest that the zone can be by now, °C; `None` while its sensor can be believed. `dt`:
    /// the time since the last call, s.
    pub(super) fn advance(&mut self, seen: Seen, dt: f64, model: Model) -> Option<f64> {
        if seen.reading.value().is_some() {
            self.could_be = None;
            return None;
        }
        let full = model.ambient + model.zone.gain;
        let after = |t: f64, s: f64| {
            let left = libm::exp(-s / model.zone.time_constant);
            (full - (full - t) * left).max(t)
        };
        let now = match self.could_be {
            Some(before) => after(before, dt),
            None if seen.reading == Reading::Frozen => after(seen.believed, seen.silent_for),
            None => seen.believed,
        };
        self.could_be = Some(now);
        Some(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_config::{Safety, ZoneModel};

    fn model() -> Model {
        let safety = Safety::default();
        Model { ambient: safety.ambient, zone: ZoneModel::of(&safety) }
    }

    fn seen(reading: Reading, believed: Option<f64>) -> Seen {
        let safety = Safety::default();
        let believed = believed.unwrap_or(safety.max_target);
        Seen { reading, believed, silent_for: safety.frozen_after }
    }

    fn seconds_to_limit(reading: Reading, believed: Option<f64>) -> u32 {
        let safety = Safety::default();
        let mut zone = UnseenZone::default();
        (0..10_000)
            .find(|_| {
                let t = zone.advance(seen(reading, believed), 1.0, model()).unwrap();
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
    fn a_zone_that_trusted_again_starts_afresh() {
        let mut zone = UnseenZone::default();
        let good = Reading::Good(tve_units::Celsius::clamped(200.0));
        let mut after = |reading| zone.advance(seen(reading, Some(200.0)), 60.0, model());
        assert!(after(Reading::Open).is_some());
        assert_eq!(after(good), None);
        assert_eq!(after(Reading::Open), Some(200.0));
    }
}
