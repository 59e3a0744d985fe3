//! The acceptance checklist of a run, filled in.

use crate::summary::Summary;
use crate::verdict::{
    LEAST_ACHIEVED_PERCENT, MOST_CPU_PERCENT, MOST_LAG_MS, MOST_MISSED_PERCENT, Standing,
};
use std::fmt::Write as _;

/// The checklist as Markdown: `[x]` held, `[ ]` did not or cannot be said.
pub(super) fn markdown(summary: &Summary) -> String {
    let mut out = String::new();
    let mark = |holds: bool| if holds { 'x' } else { ' ' };
    let t = &summary.trust;
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "# Acceptance: {}\n\n{}\n\n{} from {}: **{}**{}\n\n## Can the run be trusted\n",
        summary.plan,
        summary.question,
        summary.host,
        summary.started,
        summary.verdict.word.name(),
        if summary.verdict.short { " (SHORT)" } else { "" }
    );
    let rows = [
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
    ];
    for (holds, what) in rows {
        let _ = writeln!(out, "- [{}] {what}", mark(holds));
    }
    let _ = writeln!(out, "\n## What had to hold\n");
    for claim in &summary.claims {
        let open = if claim.standing == Standing::Open { " (cannot be said)" } else { "" };
        let held = mark(claim.standing == Standing::Held);
        let _ = writeln!(out, "- [{held}] {}: {}{open}", claim.what, claim.measured);
    }
    out
}
