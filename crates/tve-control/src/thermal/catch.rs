//! How hot does a zone become when its heater sticks at a target? What may be asked of it follows.
//!
//! ```text
//!  target ─► the stuck heater is seen ─► the contactor is open ─► what is under way has arrived
//!            └── `until_seen` ───────┘  └── `under_way` ──────────────────────┘
//! ```
//!
//! Along the model of the zone, at the rate with which full power raises it from the target. Where
//! the balance of heat is quicker than the rules that are counted on here, it ends cooler.

use super::zone::Model;
use core::fmt;
use tve_config::MachineConfig;
use tve_hal::Zone;
use tve_units::Celsius;

/// What no zone may become, °C: 300 °C less what a model is wrong by.
const MOST: f64 = 295.0;
/// A heater that sticks is seen this long after the zone has passed the margin above its target, s.
const SEEN_AFTER_S: f64 = 10.0;
/// How far the reading and its judgement are behind the metal, s.
const READING_LAG_S: f64 = 6.0;
/// Time constant with which a heater band gives what is stored in it, s.
const BAND_LAG_S: f64 = 25.0;

/// The sum, °C.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Catch {
    target: f64,
    until_seen: f64,
    under_way: f64,
}

impl Catch {
    /// Of a zone whose heater sticks at `target`.
    pub(crate) fn of(target: Celsius, zone: Zone, config: &MachineConfig) -> Self {
        let (target, model) = (target.get(), Model::of(config, zone));
        let gain = model.zone.gain;
        let lift = (target - model.ambient).max(0.0);
        let rate = (gain - lift).max(0.0) / model.zone.time_constant;
        let margin = config.safety.stuck_on_margin + SEEN_AFTER_S * rate;
        let left = (config.zones[zone].limits.over_temperature - target).max(0.0);
        // After the cut the band gives off `gain e^(-t / lag)` and the zone goes on losing `lift`:
        // it rises until the two are equal.
        let stored = match (rate > 0.0, lift > 0.0) {
            (false, _) => 0.0,
            (true, false) => gain,
            (true, true) => gain - lift - lift * libm::log(gain / lift),
        };
        Self {
            target,
            until_seen: margin.min(left) + READING_LAG_S * rate,
            under_way: model.zone.dead_time * rate + BAND_LAG_S * stored / model.zone.time_constant,
        }
    }

    /// The hottest that the zone becomes, °C.
    fn hottest(&self) -> f64 {
        self.target + self.until_seen + self.under_way
    }

    pub(crate) fn is_safe(&self) -> bool {
        self.hottest() <= MOST
    }
}

impl fmt::Display for Catch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} °C + {:.1} until a stuck heater is seen + {:.1} under way = {:.1} °C, more than {MOST}",
            self.target,
            self.until_seen,
            self.under_way,
            self.hottest()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_config::Config;

    fn catch(target: f64, gain: f64, time_constant: f64, dead_time: f64) -> Catch {
        let mut config = Config::embedded();
        let safety = &mut config.safety;
        (safety.zone_gain, safety.zone_time_constant) = (gain, time_constant);
        safety.zone_dead_time = dead_time;
        Catch::of(Celsius::clamped(target), Zone::at(0), &config.machine())
    }

    #[test]
    fn the_default_zone_may_be_asked_for_every_target_and_quicker_ones_for_less() {
        assert!(catch(265.0, 430.0, 600.0, 15.0).is_safe());
        assert!(catch(210.0, 860.0, 600.0, 15.0).is_safe());
        assert!(!catch(240.0, 860.0, 600.0, 15.0).is_safe());
        assert!(!catch(265.0, 1500.0, 2100.0, 40.0).is_safe());
        // It cannot get there at all.
        assert!(catch(265.0, 200.0, 600.0, 15.0).is_safe());
    }

    #[test]
    fn the_sum_is_said() {
        // 257 of 430 °C of lift are lost at 280 °C; 188 °C above the lift raise it by 0.313 °C/s.
        let text = catch(265.0, 430.0, 600.0, 40.0).to_string();
        assert_eq!(
            text,
            "265 °C + 16.9 until a stuck heater is seen + 14.6 under way = 296.5 °C, more than 295"
        );
    }
}
