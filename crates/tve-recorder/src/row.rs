//! One look at the machine as the recorder keeps it: plain, copied without allocation.

use tve_control::{Mode, Status};
use tve_tags::MAX_KEPT;
use tve_units::{Micros, WallMillis};

/// What one row of a run log, and one sample of the history, are made of.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Monotonic time.
    pub now: Micros,
    /// Wall-clock label.
    pub wall: WallMillis,
    /// What the machine is doing.
    pub status: Status,
    /// Who decides the duty.
    pub mode: Mode,
    /// By the places of the layout; not a number where unknown, zero where the layout has none.
    pub(crate) values: [f64; MAX_KEPT],
}

impl Default for Row {
    /// Everything zero.
    fn default() -> Self {
        Self {
            now: Micros::ZERO,
            wall: WallMillis::default(),
            status: Status::default(),
            mode: Mode::default(),
            values: [0.0; MAX_KEPT],
        }
    }
}

impl Row {
    /// A value by its place; `None` where it is not known.
    pub fn value(&self, index: usize) -> Option<f64> {
        self.values.get(index).copied().filter(|value| value.is_finite())
    }
}
