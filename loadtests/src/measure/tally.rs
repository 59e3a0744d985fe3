//! Totals of many requests: their latency, how they ended, how long their bodies were.

use super::histogram::empty;
use super::outcome::Outcome;
use hdrhistogram::Histogram;

/// What is known of one request in one phase, or of a whole group.
#[derive(Debug, Clone)]
pub struct Tally<C: hdrhistogram::Counter> {
    /// From the due instant to the whole body.
    pub due: Histogram<C>,
    /// Requests by [`Outcome`].
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Length of all bodies together.
    pub bytes: u64,
}

impl<C: hdrhistogram::Counter> Tally<C> {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self { due: empty(), outcomes: [0; Outcome::ALL.len()], bytes: 0 }
    }

    /// Requests.
    pub fn count(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Requests that did not end with a 2xx.
    pub fn errors(&self) -> u64 {
        Outcome::ALL.iter().filter(|o| o.is_error()).map(|&o| self.outcomes[o as usize]).sum()
    }

    /// Takes another one in.
    pub fn absorb(&mut self, other: &Self) {
        // Both have the same bounds, so nothing can fall outside.
        let _ = self.due.add(&other.due);
        self.bytes += other.bytes;
        for (mine, theirs) in self.outcomes.iter_mut().zip(other.outcomes) {
            *mine += theirs;
        }
    }
}
