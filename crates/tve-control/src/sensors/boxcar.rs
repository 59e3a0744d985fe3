//! A running mean over time, of samples that come at their own pace.

use tve_units::Micros;

/// Mean over a window, by samples in a small ring.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Boxcar {
    ring: [(Micros, f64); Boxcar::CAPACITY],
    next: usize,
    len: usize,
    /// Samples closer together than this share a place, so that a long window fits the ring.
    spacing: Micros,
}

impl Boxcar {
    const CAPACITY: usize = 32;

    pub(super) const fn new() -> Self {
        Self { ring: [(Micros::ZERO, 0.0); Self::CAPACITY], next: 0, len: 0, spacing: Micros::ZERO }
    }

    /// The same without samples.
    pub(super) const fn emptied(&self) -> Self {
        Self { spacing: self.spacing, ..Self::new() }
    }

    pub(super) fn set_window(&mut self, window: Micros) {
        let spacing = Micros::new(window.get() / Self::CAPACITY as u64);
        if spacing != self.spacing {
            *self = Self { spacing, ..Self::new() };
        }
    }

    pub(super) fn push(&mut self, at: Micros, value: f64) {
        let newest = (self.next + Self::CAPACITY - 1) % Self::CAPACITY;
        if self.len > 0 && at.since(self.ring[newest].0) < self.spacing {
            return;
        }
        self.ring[self.next] = (at, value);
        self.next = (self.next + 1) % Self::CAPACITY;
        self.len = (self.len + 1).min(Self::CAPACITY);
    }

    pub(super) fn mean(&self, now: Micros, window: Micros) -> Option<f64> {
        let (mut sum, mut n) = (0.0, 0u32);
        for back in 1..=self.len {
            let (at, value) = self.ring[(self.next + Self::CAPACITY - back) % Self::CAPACITY];
            if n > 0 && now.since(at) > window {
                break;
            }
            sum += value;
            n += 1;
        }
        (n > 0).then(|| sum / f64::from(n))
    }
}
