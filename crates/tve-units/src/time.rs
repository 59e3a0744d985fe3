//! Monotonic time, and the wall clock that only labels records.

use core::ops::{Add, Sub};

/// Monotonic time, or a span of it, in microseconds.
///
/// Zero is the start of the process (or of the simulation). Differences saturate at zero, so a
/// sample "from the future" has age zero instead of a huge one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Micros(u64);

impl Micros {
    /// The start of time.
    pub const ZERO: Self = Self(0);
    /// A time that no run reaches.
    pub const MAX: Self = Self(u64::MAX);

    /// From microseconds.
    pub const fn new(us: u64) -> Self {
        Self(us)
    }

    /// From milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1000)
    }

    /// From whole seconds.
    pub const fn from_secs(s: u64) -> Self {
        Self(s * 1_000_000)
    }

    /// From seconds, rounded to the microsecond; negative and non-finite spans become zero.
    pub fn from_secs_f64(s: f64) -> Self {
        if s.is_finite() && s > 0.0 { Self((s * 1e6 + 0.5) as u64) } else { Self::ZERO }
    }

    /// Microseconds.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Seconds.
    #[inline]
    pub fn secs(self) -> f64 {
        self.0 as f64 * 1e-6
    }

    /// The span from `earlier` to `self`, zero when `earlier` is later.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Micros {
    type Output = Self;
    #[inline]
    fn add(self, span: Self) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub for Micros {
    type Output = Self;
    #[inline]
    fn sub(self, span: Self) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

/// Wall-clock time in milliseconds since the Unix epoch: a label on records, never an input to a
/// decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct WallMillis(i64);

impl WallMillis {
    /// From milliseconds since the Unix epoch.
    pub const fn new(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Seconds since the Unix epoch.
    pub fn secs(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_from_the_future_has_age_zero() {
        assert_eq!(Micros::from_secs(1).since(Micros::from_secs(2)), Micros::ZERO);
    }

    #[test]
    fn seconds_round_to_the_microsecond() {
        assert_eq!(Micros::from_secs_f64(0.25).get(), 250_000);
        assert_eq!(Micros::from_secs_f64(f64::NAN), Micros::ZERO);
        assert_eq!(Micros::from_secs_f64(-1.0), Micros::ZERO);
    }
}
