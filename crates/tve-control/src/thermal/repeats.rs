//! Does a fault of heat come again? Once may be an accident; twice within an hour is a machine that
//! somebody has to look at.

use crate::alarm::HeatFault;
use tve_units::Micros;

/// How soon a second time counts.
const WITHIN: Micros = Micros::from_secs(3600);

/// Until when each fault counts when it comes again.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Repeats {
    until: [Option<Micros>; HeatFault::COUNT],
}

impl Repeats {
    /// Notes a fault; whether it has come within the last hour before.
    pub(super) fn again(&mut self, now: Micros, fault: HeatFault) -> bool {
        let until = self.until[fault as usize].replace(now + WITHIN);
        until.is_some_and(|until| now <= until)
    }

    /// Notes a fault of the process before this one, which came so long `ago`.
    pub(super) fn recall(&mut self, fault: HeatFault, ago: Micros) {
        if ago <= WITHIN {
            self.until[fault as usize] = Some(WITHIN.since(ago));
        }
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

    #[test]
    fn a_fault_of_the_process_before_counts_for_what_is_left_of_the_hour() {
        let at = Micros::from_secs;
        for (ago, now, counts) in [(10, 3590, true), (10, 3591, false), (3601, 0, false)] {
            let mut repeats = Repeats::default();
            repeats.recall(HeatFault::StuckOn, at(ago));
            assert_eq!(repeats.again(at(now), HeatFault::StuckOn), counts, "{ago} s, {now} s");
        }
    }
}
