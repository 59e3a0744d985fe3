//! The table of two machines: complete, with names of its own, and as long as each has zones.

use super::*;
use crate::subject::Subject;

fn four_zones() -> Vec<Row> {
    fault_table(Subject::four_zones().machine())
}

fn default() -> Vec<Row> {
    fault_table(Subject::embedded().machine())
}

#[test]
fn every_alarm_of_the_controller_has_a_row() {
    /// Drills play these: converted gains, a journal that cannot be read, one fault after the other,
    /// what only some configuration asks for, and what a person does.
    const ELSEWHERE: [A; 9] = [
        A::TuneNeeded,
        A::JournalUnreadable,
        A::ZoneLocked,
        A::LocalStop,
        A::Residence,
        A::SafetyChanged,
        A::ContactorWelded,
        A::SensorDoubted,
        A::SafetyWeak,
    ];
    for table in [default(), four_zones()] {
        for code in A::ALL.iter().filter(|code| !ELSEWHERE.contains(code)) {
            let named = |row: &&Row| matches!(row.expected, Alarm(codes) if codes.contains(code));
            assert!(table.iter().find(named).is_some(), "{} has no row", code.name());
        }
    }
}

#[test]
fn rows_have_names_of_their_own() {
    for table in [default(), four_zones()] {
        for (i, row) in table.iter().enumerate() {
            assert!(table[..i].iter().all(|other| other.id != row.id), "{}", row.id);
        }
    }
}

#[test]
fn what_is_not_the_bound_of_the_alarm_says_why_and_no_bound_is_below_zero() {
    for row in default() {
        if let Shifted(by, why) = row.bound {
            assert!(by != 0.0 && !why.is_empty(), "{}", row.id);
        }
        assert!(row.bound_s().is_none_or(|bound| bound >= 0.0), "{}", row.id);
    }
}

#[test]
fn what_befalls_a_zone_is_played_on_every_zone_and_exchanged_plugs_on_every_two_neighbours() {
    let (two, four) = (default(), four_zones());
    let count = |table: &[Row], family| table.iter().filter(|r| r.family == family).count();
    for row in &two {
        let expected = match (count(&two, row.family), row.family) {
            (_, "swapped") => 3,
            // It has a contactor, and each relay once more behind it.
            (_, "stuck-on-off") => 8,
            (2, _) => 4,
            (n, _) => n,
        };
        assert_eq!(count(&four, row.family), expected, "{}", row.family);
    }
    for id in ["open-t5", "stuck-on-off-z3", "heater-dead-z4", "swapped-z3-z4"] {
        assert!(four.iter().any(|row| row.id == id), "{id}");
    }
}
