//! The certificate: every row of the fault table in every state where it can strike.

mod case;
mod drills;
mod report;
mod rows;
mod states;
mod survival;
mod table;

pub use case::Case;
pub(crate) use case::tripped;
pub use report::Certificate;
pub use rows::fault_table;
pub use states::State;
pub(crate) use states::WORKING;
#[cfg(test)]
pub(crate) use states::reach;
pub use survival::{SURVIVED, Shown, Survival};
pub use table::{Bound, Expected, Row, Source};

use crate::crew;
use crate::subject::Subject;

/// One piece of work.
#[derive(Clone, Copy)]
enum Job<'t> {
    Row(&'t Row, State),
    Drill(&'static drills::Drill, State),
}

/// Plays every row and drill in every state of a machine, on every processor.
/// `progress(done, total)` is called after each case.
pub fn certify(subject: &Subject, progress: impl FnMut(usize, usize)) -> Certificate {
    let table = fault_table(subject.machine());
    let rows = table.iter().flat_map(|row| row.states.iter().map(|s| Job::Row(row, *s)));
    let drills =
        drills::DRILLS.iter().flat_map(|drill| drill.states.iter().map(|s| Job::Drill(drill, *s)));
    // Drills are long; what is long comes first, so that no processor idles at the end.
    let jobs: Vec<Job<'_>> = drills.chain(rows).collect();
    let mut cases = crew::work(&jobs, progress, |job| match job {
        Job::Row(row, state) => case::play(subject, row, *state),
        Job::Drill(drill, state) => drill.play(subject, *state),
    });
    let drilled = jobs.iter().filter(|job| matches!(job, Job::Drill(..))).count();
    cases.rotate_left(drilled);
    Certificate::new(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_holds_in_its_first_state() {
        holds_in_first_states(&Subject::embedded());
    }

    #[test]
    fn every_row_of_a_machine_of_four_zones_holds_in_its_first_state() {
        holds_in_first_states(&Subject::four_zones());
    }

    fn holds_in_first_states(subject: &Subject) {
        for row in fault_table(subject.machine()) {
            let case = case::play(subject, &row, row.states[0]);
            assert!(case.held, "{case:?}");
        }
    }

    #[test]
    fn short_drills_hold_in_their_first_state() {
        /// They play a machine a thousand times over; the whole certificate does.
        const LONG: [&str; 2] = ["lost-samples", "estop-any-tick"];
        for drill in drills::DRILLS.iter().filter(|d| !LONG.contains(&d.id)) {
            let case = drill.play(&Subject::embedded(), drill.states[0]);
            assert!(case.held, "{case:?}");
        }
    }

    #[test]
    fn the_table_has_the_cases_that_the_certificate_promises() {
        let table = fault_table(Subject::embedded().machine());
        let rows: usize = table.iter().map(|row| row.states.len()).sum();
        assert!(rows >= 120, "{rows} cases");
    }

    #[test]
    fn a_bound_that_is_too_tight_is_reported_as_not_held() {
        let subject = Subject::embedded();
        let open = fault_table(subject.machine()).into_iter().find(|row| row.family == "open");
        let bound = Bound::Shifted(-0.7, "tighter than a sensor can be judged");
        let tight = Row { bound, ..open.unwrap() };
        let case = case::play(&subject, &tight, State::Holding);
        assert!(!case.held && case.note.contains("took"), "{case:?}");
        let certificate = Certificate::new(vec![case]);
        assert!(!certificate.held);
        assert!(certificate.markdown().contains("**NO**"));
        assert!(certificate.svg().contains("NOT HELD"));
        assert!(certificate.json().contains("\"held\": false"));
    }
}
