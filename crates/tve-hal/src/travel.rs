//! How a counted move goes: up by an acceleration, along at a speed, down again, exactly so many steps.
//!
//! ```text
//!  steps/s            rate
//!            ┌──────────────┐
//!           ╱                ╲      a short move turns round before it reaches its rate
//!          ╱                  ╲
//!   ──────╱                    ╲──────▶ s
//!         climb   cruise    climb
//! ```

use tve_units::Micros;

/// A counted move, without its direction.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Travel {
    steps: f64,
    /// Highest rate reached, steps/s.
    peak: f64,
    /// steps/s².
    accel: f64,
    /// Time up, and time down, s.
    climb: f64,
    /// Time at the highest rate, s.
    cruise: f64,
}

impl Travel {
    /// Over `steps` at up to `rate` steps/s, above zero, with at most `accel` steps/s², above zero;
    /// infinite is no ramp.
    pub fn new(steps: u32, rate: f64, accel: f64) -> Self {
        let steps = f64::from(steps);
        let peak = rate.min(libm::sqrt(accel * steps));
        let climb = peak / accel;
        let cruise = (steps - peak * climb).max(0.0) / peak;
        Self { steps, peak, accel, climb, cruise }
    }

    /// How long it takes, s.
    pub fn duration(&self) -> f64 {
        2.0 * self.climb + self.cruise
    }

    /// Steps made after so long; all of them once it is over.
    pub fn steps_after(&self, elapsed: Micros) -> u32 {
        let t = elapsed.secs();
        let left = self.duration() - t;
        let made = if left <= 0.0 {
            self.steps
        } else if t < self.climb {
            self.accel * t * t / 2.0
        } else if left < self.climb {
            self.steps - self.accel * left * left / 2.0
        } else {
            self.peak * (t - self.climb / 2.0)
        };
        made.clamp(0.0, self.steps) as u32
    }

    /// Its rate after so long, steps/s; zero once it is over.
    pub fn rate_after(&self, elapsed: Micros) -> f64 {
        let t = elapsed.secs();
        let left = self.duration() - t;
        if left <= 0.0 {
            0.0
        } else if t < self.climb {
            self.accel * t
        } else if left < self.climb {
            self.accel * left
        } else {
            self.peak
        }
    }

    /// The rate at which the next step follows so many that were made, steps/s: what a generator of
    /// single pulses needs.
    pub fn rate_at(&self, made: u32) -> f64 {
        let made = f64::from(made);
        let from_an_end = made.min(self.steps - made).max(1.0);
        self.peak.min(libm::sqrt(2.0 * self.accel * from_an_end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVES: [(u32, f64, f64); 6] = [
        (1, 1.0, 3200.0),
        (800, 333.3, 3200.0),
        (12_345, 20_000.0, 3200.0),
        (7, 5000.0, 100.0),
        (10_000_000, 1000.0, 50.0),
        (500, 1000.0, f64::INFINITY),
    ];

    #[test]
    fn a_move_makes_all_its_steps_in_its_time_and_not_before() {
        for (steps, rate, accel) in MOVES {
            let travel = Travel::new(steps, rate, accel);
            let end = travel.duration();
            assert_eq!(travel.steps_after(Micros::from_secs_f64(end + 1e-6)), steps);
            assert!(travel.steps_after(Micros::from_secs_f64(end * 0.999)) < steps, "{steps}");
            assert!(end >= f64::from(steps) / rate, "no faster than its rate");
        }
    }

    #[test]
    fn neither_rate_nor_acceleration_are_exceeded_and_no_step_is_taken_back() {
        for (steps, rate, accel) in MOVES.into_iter().filter(|(_, _, accel)| accel.is_finite()) {
            let travel = Travel::new(steps, rate, accel);
            let dt = travel.duration() / 1000.0;
            let at = |i: u32| Micros::from_secs_f64(f64::from(i) * dt);
            for i in 0..1000 {
                let (now, next) = (travel.rate_after(at(i)), travel.rate_after(at(i + 1)));
                assert!(now <= rate * 1.000_001, "{now} above {rate}");
                let change = (next - now).abs() / dt;
                assert!(change <= accel * 1.01 + 1.0, "{change} above {accel}");
                assert!(travel.steps_after(at(i)) <= travel.steps_after(at(i + 1)));
            }
        }
    }

    #[test]
    fn single_pulses_keep_the_acceleration_too() {
        let travel = Travel::new(4000, 5000.0, 3200.0);
        let rates: Vec<f64> = (1..4000).map(|made| travel.rate_at(made)).collect();
        for pair in rates.windows(2) {
            let gained = (pair[1] * pair[1] - pair[0] * pair[0]).abs() / 2.0;
            assert!(gained <= 3200.0 * 1.001, "{gained} steps/s²");
        }
        assert!(rates[0] < 100.0 && rates[3998] < 100.0, "it begins and ends slowly");
        assert!(rates.iter().copied().fold(0.0, f64::max) > 3500.0);
    }
}
