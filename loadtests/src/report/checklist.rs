//! The acceptance checklist of a run, filled in.

use crate::summary::Summary;
use crate::verdict::{
    LEAST_ACHIEVED_PERCENT, MOST_CPU_PERCENT, MOST_LAG_MS, MOST_MISSED_PERCENT, Standing, Trust,
};
use askama::Template as _;

/// What the checklist shows.
#[derive(askama::Template)]
#[template(path = "acceptance.md")]
struct Checklist<'a> {
    s: &'a Summary,
    /// (whether it holds, what).
    trust: [(bool, String); 5],
}

/// The checklist as Markdown: `[x]` held, `[ ]` did not or cannot be said.
///
/// # Errors
/// The text cannot be written, which a text in memory always can.
pub(super) fn markdown(summary: &Summary) -> askama::Result<String> {
    Checklist { s: summary, trust: trust(&summary.trust) }.render()
}

fn trust(t: &Trust) -> [(bool, String); 5] {
    [
        (
            t.lag_p99_ms <= MOST_LAG_MS,
            format!("generator late by at most {MOST_LAG_MS} ms at p99: {:.2} ms", t.lag_p99_ms),
        ),
        (
            t.missed_percent <= MOST_MISSED_PERCENT,
            format!("it missed at most {MOST_MISSED_PERCENT} %: {:.3} %", t.missed_percent),
        ),
        (
            t.cpu_percent <= MOST_CPU_PERCENT,
            format!("it used at most {MOST_CPU_PERCENT} % of the machine: {:.0} %", t.cpu_percent),
        ),
        (
            t.achieved_percent.is_none_or(|a| a >= LEAST_ACHIEVED_PERCENT),
            format!(
                "at least {LEAST_ACHIEVED_PERCENT} % of the offered requests answered: {}",
                t.achieved_percent.map_or("nothing offered".to_owned(), |a| format!("{a:.1} %"))
            ),
        ),
        (!t.server_changed, "the service's process changed only where the plan allows it".into()),
    ]
}
