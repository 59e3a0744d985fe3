//! Random walks: what nobody listed, found by machines under random hands and faults.

mod invariants;
mod play;
mod script;
mod second_opinion;
mod shrink;

pub(crate) use invariants::Observer;
pub use invariants::Violation;
pub use shrink::Finding;

use crate::crew;
use crate::subject::Subject;
use play::{Count, play};
use script::Script;
use serde::Serialize;
use tve_units::Micros;

/// Machine time of one walk.
const WALK: Micros = Micros::from_secs(3600);
/// The outcome of many walks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WalkReport {
    /// Seed of the first walk; the others count on.
    pub first_seed: u64,
    /// Machine-hours walked.
    pub hours: f64,
    /// Ticks walked.
    pub ticks: u64,
    /// Commands sent, accepted or not.
    pub commands: u64,
    /// Commands refused.
    pub refused: u64,
    /// Alarms raised.
    pub alarms: u64,
    /// What did not hold.
    pub findings: Vec<Finding>,
}

/// Walks `hours` machine-hours of a machine, an hour a walk, from `seed` on, on every processor.
/// `progress(done, total)` counts walks.
pub fn walk(
    subject: &Subject,
    hours: u64,
    seed: u64,
    progress: impl FnMut(usize, usize),
) -> WalkReport {
    let seeds: Vec<u64> = (0..hours).map(|n| seed.wrapping_add(n)).collect();
    let walks = crew::work(&seeds, progress, |&seed| one(subject, seed, WALK));
    let mut report = WalkReport {
        first_seed: seed,
        hours: hours as f64,
        ticks: 0,
        commands: 0,
        refused: 0,
        alarms: 0,
        findings: Vec::new(),
    };
    for (count, finding) in walks {
        report.ticks += count.ticks;
        report.commands += count.commands;
        report.refused += count.refused;
        report.alarms += count.alarms;
        report.findings.extend(finding);
    }
    report
}

/// One walk; a violation is shrunk.
fn one(subject: &Subject, seed: u64, duration: Micros) -> (Count, Option<Finding>) {
    let script = Script::draw(subject, seed, duration);
    let (count, outcome) = play(&script);
    let finding = outcome.err().map(|violation| shrink::shrink(script, violation));
    (count, finding)
}

#[cfg(test)]
mod tests {
    use super::script::Event;
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn four_hours_of_random_walks_break_nothing() {
        let report = walk(&Subject::embedded(), 4, 1, |_, _| {});
        assert_eq!(report.findings, Vec::new());
        assert!(report.alarms > 20 && report.commands > 500, "{report:?}");
        assert!(report.refused < report.commands, "{report:?}");
    }

    #[test]
    fn the_same_seed_is_the_same_walk() {
        let count = || {
            let script = Script::draw(&Subject::embedded(), 7, Micros::from_secs(600));
            let (count, outcome) = play(&script);
            (count.ticks, count.commands, count.refused, count.alarms, outcome)
        };
        assert_eq!(count(), count());
    }

    /// A machine that is hotter than its alarms can help: manual heat on a plant of twice the gain.
    fn hopeless() -> Script {
        let mut script = Script::draw(&Subject::embedded(), 3, Micros::from_secs(900));
        let mut config = script.subject.config().clone();
        config.plant.gain = 2000.0;
        config.plant.time_constant = 300.0;
        script.subject = script.subject.with(config);
        script.start_temp = 200.0;
        let command = |name, value| Event::Command(name, value);
        script.events = vec![
            (Micros::from_secs(1), command("SET_FILL_TARGET", json!({"level": 10}))),
            (Micros::from_secs(2), command("SET_MODE", json!({"mode": "MANUAL"}))),
            (Micros::from_secs(3), command("STOP", Value::Null)),
            (Micros::from_secs(4), command("SET_HEATER", json!({"zone": "z1", "duty": 100}))),
            (Micros::from_secs(500), command("STOP", Value::Null)),
        ];
        script
    }

    #[test]
    fn a_long_jog_in_a_barrel_that_cools_ends_before_anybody_has_to_complain() {
        let mut script = Script::draw(&Subject::embedded(), 3, Micros::from_secs(600));
        script.subject = Subject::embedded();
        script.start_temp = 200.0;
        let jog = json!({"motor": "main", "steps": 10_000_000, "speed": 1000});
        script.events = vec![(Micros::from_secs(2), Event::Command("MOVE_MOTOR_STEPS", jog))];
        let (count, outcome) = play(&script);
        assert_eq!((outcome, count.refused, count.alarms), (Ok(()), 0, 1));
    }

    #[test]
    fn a_violation_is_found_and_shrunk_to_what_it_needs() {
        let script = hopeless();
        let violation = play(&script).1.unwrap_err();
        assert_eq!(violation.invariant, "too-hot");
        let finding = shrink::shrink(script, violation);
        assert_eq!(finding.events, (2, 5), "{}", finding.scenario);
        assert!(finding.scenario.contains("SET_HEATER"), "{}", finding.scenario);
    }
}
