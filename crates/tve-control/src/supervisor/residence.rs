//! How long melt has stood hot in the barrel, and whether somebody has to be told.

use tve_config::Safety;
use tve_units::Micros;

/// A screw that turns takes out so many seconds of standing in one.
const FRESH: f64 = 10.0;
/// Seconds in a minute.
const MINUTE_S: f64 = 60.0;

/// The time that melt has stood, s. What is cold does not age, and is not made young by that.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Residence {
    stood: f64,
    told: bool,
    looked: Option<Micros>,
}

impl Residence {
    /// One look; the time that it has stood, s, once when that is too long. `hot`: a zone is as hot as
    /// the screw asks for; `turned`: the screw turns it out.
    pub(super) fn look(
        &mut self,
        now: Micros,
        hot: bool,
        turned: bool,
        safety: &Safety,
    ) -> Option<f64> {
        let dt = self.looked.map_or(0.0, |last| now.since(last).secs());
        self.looked = Some(now);
        if turned {
            self.stood = (self.stood - FRESH * dt).max(0.0);
        } else if hot {
            self.stood += dt;
        }
        let too_long = safety.residence_min > 0.0 && self.stood >= safety.residence_min * MINUTE_S;
        let news = too_long && !self.told;
        self.told = too_long;
        news.then_some(self.stood)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standing_adds_up_over_cold_spells_and_a_turning_screw_takes_it_away() {
        let safety = Safety { residence_min: 10.0, ..Safety::default() };
        let mut residence = Residence::default();
        let mut now = Micros::ZERO;
        let mut told = |minutes: u32, hot: bool, turned: bool| {
            (0..minutes * 60)
                .filter(|_| {
                    now = now + Micros::from_secs(1);
                    residence.look(now, hot, turned, &safety).is_some()
                })
                .count()
        };
        assert_eq!(told(9, true, false), 0);
        assert_eq!(told(100, false, false), 0, "what is cold does not age");
        assert_eq!(told(2, true, false), 1, "once");
        assert_eq!(told(60, true, false), 0);
        assert_eq!(told(8, true, true), 0);
        assert_eq!(told(9, true, false), 0, "turned out");
        assert_eq!(told(2, true, false), 1);
    }

    #[test]
    fn without_a_limit_nobody_is_told() {
        let mut residence = Residence::default();
        for second in 0..100_000 {
            let now = Micros::from_secs(second);
            assert_eq!(residence.look(now, true, false, &Safety::default()), None);
        }
    }
}
