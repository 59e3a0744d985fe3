//! Does a fault of heat come again? Once may be an accident; twice within an hour is a machine that
//! somebody has to look at.

use crate::alarm::HeatFault;
use tve_units::Micros;

/// How soon a second time counts.
const WITHIN: Micros = Micros::from_secs(3600);

/// When each fault came last.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Repeats {
    last: [Option<Micros>; HeatFault::COUNT],
}

impl Repeats {
    /// Notes a fault; whether it has come within the last hour before.
    pub(super) fn again(&mut self, now: Micros, fault: HeatFault) -> bool {
        let last = self.last[fault as usize].replace(now);
        last.is_some_and(|last| now.since(last) <= WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fault_counts_again_within_an_hour_and_another_does_not() {
        let mut repeats = Repeats::default();
        let at = Micros::from_secs;
        assert!(!repeats.again(at(10), HeatFault::StuckOn));
        assert!(!repeats.again(at(20), HeatFault::TooHot));
        assert!(repeats.again(at(3610), HeatFault::StuckOn));
        assert!(!repeats.again(at(3621), HeatFault::TooHot));
    }
}
