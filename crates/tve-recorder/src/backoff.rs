//! When to try a failing disk again: after 1 s, then twice as long each time, at most 30 s.

use tve_units::Micros;

/// First pause; a passing fault costs little more than this.
const FIRST: Micros = Micros::from_secs(1);
/// Longest pause; a disk that comes back is noticed within it.
const LONGEST: Micros = Micros::from_secs(30);

/// The state of one thing that is written.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Backoff {
    pause: Option<Micros>,
    retry_at: Micros,
}

impl Backoff {
    /// Whether a try is due.
    pub(crate) fn ready(&self, now: Micros) -> bool {
        self.pause.is_none() || now >= self.retry_at
    }

    /// Whether the last try failed.
    pub(crate) const fn is_failing(&self) -> bool {
        self.pause.is_some()
    }

    /// A try failed; `true` when the one before had not.
    pub(crate) fn failed(&mut self, now: Micros) -> bool {
        let first = self.pause.is_none();
        let pause = self.pause.map_or(FIRST, |p| (p + p).min(LONGEST));
        self.pause = Some(pause);
        self.retry_at = now + pause;
        first
    }

    /// A try succeeded; `true` when the one before had not.
    pub(crate) fn succeeded(&mut self) -> bool {
        self.pause.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_one_second_to_thirty() {
        let mut backoff = Backoff::default();
        let mut now = Micros::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..7 {
            assert!(backoff.ready(now));
            backoff.failed(now);
            let until = backoff.retry_at;
            assert!(!backoff.ready(until - Micros::new(1)));
            pauses.push(until.since(now).secs());
            now = until;
        }
        assert_eq!(pauses, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert!(backoff.succeeded());
        assert!(backoff.ready(Micros::ZERO) && !backoff.succeeded());
    }
}
