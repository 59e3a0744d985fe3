//! How long to wait before a device that failed is tried again.

use tve_units::Micros;

/// First wait: long enough that a device in a brown-out is up again.
const FIRST: Micros = Micros::from_secs(1);
/// Longest wait: a person who plugs a board back in sees it within this time.
const LONGEST: Micros = Micros::from_secs(30);

/// Waits of 1, 2, 4 ... 30 s, for ever.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backoff {
    next: Micros,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// The wait after another failure.
    pub(crate) fn failed(&mut self) -> Micros {
        let wait = self.next;
        self.next = Micros::new(wait.get() * 2).min(LONGEST);
        wait
    }

    /// The device answers again.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_one_second_and_stay_at_thirty() {
        let mut backoff = Backoff::new();
        let waits: Vec<u64> = (0..7).map(|_| backoff.failed().get() / 1_000_000).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        backoff.succeeded();
        assert_eq!(backoff.failed(), FIRST);
    }
}
