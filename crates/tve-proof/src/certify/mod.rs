//! The certificate: every row of the fault table in every state where it can strike.

mod case;
mod drills;
mod report;
mod states;
mod table;

pub use case::Case;
pub(crate) use case::tripped;
pub use report::Certificate;
pub use states::State;
pub(crate) use states::configuration;
#[cfg(test)]
pub(crate) use states::reach;
pub use table::{Bound, Expected, FAULT_TABLE, Row, Source};

use crate::crew;

/// One piece of work.
#[derive(Clone, Copy)]
enum Job {
    Row(&'static Row, State),
    Drill(&'static drills::Drill, State),
}

/// Plays every row and drill in every state, on every processor. `progress(done, total)` is called
/// after each case.
pub fn certify(progress: impl FnMut(usize, usize)) -> Certificate {
    let rows = FAULT_TABLE.iter().flat_map(|row| row.states.iter().map(|s| Job::Row(row, *s)));
    let drills =
        drills::DRILLS.iter().flat_map(|drill| drill.states.iter().map(|s| Job::Drill(drill, *s)));
    // Drills are long; what is long comes first, so that no processor idles at the end.
    let jobs: Vec<Job> = drills.chain(rows).collect();
    let mut cases = crew::work(&jobs, progress, |job| match job {
        Job::Row(row, state) => case::play(row, *state),
        Job::Drill(drill, state) => drill.play(*state),
    });
    let drilled = jobs.iter().filter(|job| matches!(job, Job::Drill(..))).count();
    cases.rotate_left(drilled);
    Certificate::new(cases)
}

/// The names of every row and drill.
#[cfg(test)]
pub(crate) fn case_names() -> impl Iterator<Item = &'static str> {
    FAULT_TABLE.iter().map(|row| row.id).chain(drills::DRILLS.iter().map(|drill| drill.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_holds_in_its_first_state() {
        for row in FAULT_TABLE {
            let case = case::play(row, row.states[0]);
            assert!(case.held, "{case:?}");
        }
    }

    #[test]
    fn short_drills_hold_in_their_first_state() {
        /// They play a machine a thousand times over; the whole certificate does.
        const LONG: [&str; 2] = ["lost-samples", "estop-any-tick"];
        for drill in drills::DRILLS.iter().filter(|d| !LONG.contains(&d.id)) {
            let case = drill.play(drill.states[0]);
            assert!(case.held, "{case:?}");
        }
    }

    #[test]
    fn the_table_has_the_cases_that_the_certificate_promises() {
        let rows: usize = FAULT_TABLE.iter().map(|row| row.states.len()).sum();
        assert!(rows >= 120, "{rows} cases");
    }

    #[test]
    fn a_bound_that_is_too_tight_is_reported_as_not_held() {
        static TIGHT: Row = Row {
            bound: Bound::Shifted(-0.7, "tighter than a sensor can be judged"),
            ..FAULT_TABLE_FIRST
        };
        let case = case::play(&TIGHT, State::Holding);
        assert!(!case.held && case.note.contains("took"), "{case:?}");
        let certificate = Certificate::new(vec![case]);
        assert!(!certificate.held);
        assert!(certificate.markdown().contains("**NO**"));
        assert!(certificate.svg().contains("NOT HELD"));
        assert!(certificate.json().contains("\"held\": false"));
    }

    /// The open sensor of zone 1.
    const FAULT_TABLE_FIRST: Row = Row {
        id: "tight",
        fault: "zone 1 sensor open",
        states: &[State::Holding],
        expected: Expected::Alarm(&[tve_control::AlarmCode::HeaterSensorFailure]),
        zone: None,
        bound: Bound::Own,
        source: Source::Sample(tve_hal::Sensor::T2),
        watch_s: 5.0,
        stimulus: table::Stimulus::Breaks(tve_sim::FaultKind::SensorOpen(tve_hal::Sensor::T2)),
    };
}
