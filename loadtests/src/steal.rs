//! Which moments of a run were quiet: the host of this machine gave none of it to others.

use crate::measure::recorder::MOMENT_US;
use std::time::Duration;

/// A look that comes later than this belongs to no moment.
const PUNCTUAL: Duration = Duration::from_micros(MOMENT_US / 4);

/// Compares what the host has taken from moment to moment.
///
/// The kernel counts steal in hundredths of a second, so less than one a processor may stay unseen.
#[derive(Debug, Default)]
pub(crate) struct StealTime {
    /// The moment at whose beginning was looked, and what had been taken until then, s.
    last: Option<(u64, f64)>,
}

impl StealTime {
    /// Looks at the beginning of `moment`, `late` by so much, when `steal_s` have been taken since
    /// the machine started. Returns the moment that is now known to have been quiet.
    pub(crate) fn look(&mut self, moment: u64, late: Duration, steal_s: f64) -> Option<u64> {
        let punctual = late < PUNCTUAL;
        let before = self.last.take();
        self.last = punctual.then_some((moment, steal_s));
        let (from, taken_s) = before?;
        (punctual && from + 1 == moment && taken_s >= steal_s).then_some(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_quiet_when_both_its_ends_were_looked_at_and_nothing_was_taken_between() {
        let (soon, late) = (Duration::from_millis(2), Duration::from_millis(60));
        let mut steal = StealTime::default();
        let looks = [
            (0, soon, 1.00, None),
            (1, soon, 1.00, Some(0)),
            (2, soon, 1.01, None),
            // What was taken up to a late look may lie in the next moment.
            (3, late, 1.01, None),
            (4, soon, 1.01, None),
            (5, soon, 1.01, Some(4)),
            (7, soon, 1.01, None),
            (8, soon, 1.01, Some(7)),
        ];
        for (moment, lateness, steal_s, quiet) in looks {
            assert_eq!(steal.look(moment, lateness, steal_s), quiet, "{moment}");
        }
    }
}
