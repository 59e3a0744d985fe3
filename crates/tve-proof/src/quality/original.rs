//! The control law of the original service, re-stated as a baseline.
//!
//! `u = kp e + ki S - kd d(pv)/dt` with `S` the sum of `e dt` in °C s. `S` stays within 0 and 100
//! of its own unit, so that the integral contributes at most `100 ki` percent; it grows only while
//! the output is not saturated in the direction of the error. The derivative is not filtered. The
//! relay follows the output in a window.

use tve_config::PidGains;
use tve_units::Micros;

/// Both limits of the output, %, and of the sum, °C s.
const LIMITS: (f64, f64) = (0.0, 100.0);
/// Time between two computations.
const INTERVAL: Micros = Micros::from_millis(100);
/// The window of the relay: one computation a share of it.
const WINDOW: Micros = Micros::from_secs(1);

/// One zone.
#[derive(Debug, Clone)]
pub(super) struct Original {
    gains: PidGains,
    target: f64,
    sum: f64,
    last: Option<(Micros, f64)>,
    output: f64,
}

impl Original {
    pub(super) const fn new(gains: PidGains, target: f64) -> Self {
        Self { gains, target, sum: 0.0, last: None, output: 0.0 }
    }

    /// Whether the relay conducts from `now` on, at a reading in °C.
    pub(super) fn tick(&mut self, now: Micros, reading: Option<f64>) -> bool {
        if let Some(pv) = reading {
            match self.last {
                None => self.last = Some((now, pv)),
                Some((then, before)) if now.since(then) >= INTERVAL => {
                    self.compute(pv, before, now.since(then).secs());
                    self.last = Some((now, pv));
                }
                Some(_) => {}
            }
        }
        let into_window = now.get() % WINDOW.get();
        (into_window as f64) < self.output / LIMITS.1 * WINDOW.get() as f64
    }

    fn compute(&mut self, pv: f64, before: f64, dt: f64) {
        let (low, high) = LIMITS;
        let error = self.target - pv;
        let sum = self.sum + error * dt;
        let slope = (pv - before) / dt;
        let wanted = self.gains.kp * error + self.gains.ki * sum - self.gains.kd * slope;
        self.output = wanted.clamp(low, high);
        let winds_up = (wanted >= high && error > 0.0) || (wanted <= low && error < 0.0);
        if !winds_up {
            self.sum = sum.clamp(low, high);
        }
    }
}
