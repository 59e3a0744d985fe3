//! When to try again what has failed: after 1 s, then twice as long each time, at most 30 s.

use crate::Micros;

/// First pause: a passing fault costs little more, and a device in a brown-out is up again.
const FIRST: Micros = Micros::from_secs(1);
/// Longest pause: a disk that comes back or a board that is plugged in again is seen within it.
const LONGEST: Micros = Micros::from_secs(30);

/// The pauses of one thing that may fail.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Backoff {
    pause: Option<Micros>,
    retry_at: Micros,
}

impl Backoff {
    /// Of something that has not failed.
    pub const fn new() -> Self {
        Self { pause: None, retry_at: Micros::ZERO }
    }

    /// Whether a try is due.
    pub fn ready(&self, now: Micros) -> bool {
        self.pause.is_none() || now >= self.retry_at
    }

    /// Whether the last try failed.
    pub const fn is_failing(&self) -> bool {
        self.pause.is_some()
    }

    /// A try failed; returns when the next one is due.
    pub fn failed(&mut self, now: Micros) -> Micros {
        let pause = self.pause.map_or(FIRST, |p| (p + p).min(LONGEST));
        self.pause = Some(pause);
        self.retry_at = now + pause;
        self.retry_at
    }

    /// A try succeeded; `true` when the one before had not.
    pub fn succeeded(&mut self) -> bool {
        self.pause.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_one_second_to_thirty_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new();
        let mut now = Micros::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..7 {
            assert!(backoff.ready(now));
            let until = backoff.failed(now);
            assert!(backoff.is_failing() && !backoff.ready(until - Micros::new(1)));
            pauses.push(until.since(now).secs());
            now = until;
        }
        assert_eq!(pauses, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert!(backoff.succeeded());
        assert!(backoff.ready(Micros::ZERO) && !backoff.succeeded());
        assert_eq!(backoff.failed(now).since(now), FIRST);
    }
}
