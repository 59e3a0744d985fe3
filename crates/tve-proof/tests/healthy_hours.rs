//! Ten healthy machine-hours under the hands of a busy operator: not one alarm. `TVE_SEED` and
//! `TVE_HOURS` choose another and a longer run.

use tve_proof::{Subject, false_trips};

/// Seed of the first hour; the next ones count on.
const FIRST_SEED: u64 = 20_260_101;
const HOURS: u64 = 10;

fn environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, not {text:?}"))
    })
}

#[test]
fn healthy_hours_raise_no_alarm() {
    let first = environment("TVE_SEED", FIRST_SEED);
    let hours = environment("TVE_HOURS", HOURS);
    println!("{hours} hours from seed {first}");
    let report = false_trips(&Subject::embedded(), hours, first, |_, _| {});
    let fallen: Vec<_> = report
        .alarms
        .iter()
        .map(|a| {
            format!(
                "{}\nseed {}: {} at {:.2} s: {}",
                a.log.join("\n"),
                a.seed,
                a.code,
                a.at_s,
                a.message
            )
        })
        .collect();
    assert!(
        fallen.is_empty(),
        "{} of {hours} hours raised an alarm\n{}",
        fallen.len(),
        fallen.join("\n\n")
    );
    // An hour in which nothing was near any rule would prove nothing.
    assert!(report.margins.iter().all(|margin| margin.nearest.is_some()), "{:?}", report.margins);
}
