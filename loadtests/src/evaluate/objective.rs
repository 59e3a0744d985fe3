//! Claims of one objective over the requests that it chooses.

use super::evidence::{Evidence, ms, us};
use crate::measure::histogram::Latency;
use crate::measure::outcome::Outcome;
use crate::measure::tally::Tally;
use crate::plan::Objective;
use crate::verdict::Claim;

fn chosen(evidence: &Evidence<'_>, objective: &Objective) -> (Tally<u32>, f64) {
    let groups = evidence.plan.groups();
    let wanted = |i: usize| {
        let (name, group) = &evidence.recorder.layout().requests[i];
        objective.group.as_ref().is_none_or(|g| *g == groups[*group])
            && objective.request.as_ref().is_none_or(|r| r == name)
    };
    let mut sum: Option<Tally<u32>> = None;
    let mut seconds = 0;
    for (i, (phase, span)) in evidence.plan.phases.iter().zip(evidence.phases).enumerate() {
        let this = objective.phase.as_ref().map_or(phase.judged, |name| *name == phase.name);
        if !this {
            continue;
        }
        seconds += span.to_s - span.from_s;
        let tally = evidence.recorder.merged(i, wanted);
        match &mut sum {
            Some(sum) => sum.absorb(&tally),
            None => sum = Some(tally),
        }
    }
    let sum = sum.unwrap_or_else(|| evidence.recorder.merged(usize::MAX, |_| false));
    (sum, seconds as f64)
}

/// Adds what `objective` claims; `by_judge` when its percentiles and errors are judged over the
/// interval already.
pub(super) fn objective(
    evidence: &Evidence<'_>,
    objective: &Objective,
    by_judge: bool,
    claims: &mut Vec<Claim>,
) {
    let parts = [&objective.group, &objective.request, &objective.phase];
    let named: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    let name = if named.is_empty() { "everything".to_owned() } else { named.join(", ") };
    let (tally, seconds) = chosen(evidence, objective);
    let count = tally.count();
    let mut add = |what: String, measured: String, holds: bool| {
        let what = format!("{name}: {what}");
        claims.push(if count == 0 {
            Claim::open(what, "no samples")
        } else {
            Claim::new(what, measured, holds)
        });
    };
    let latency = Latency::of(&tally.due);
    let judged_elsewhere = |is: bool| by_judge && is;
    for (kind, limit, is, elsewhere) in [
        ("mean", objective.mean_ms, latency.mean_us.ceil() as u64, false),
        ("p50", objective.p50_ms, latency.p50_us, false),
        ("p95", objective.p95_ms, latency.p95_us, true),
        ("p99", objective.p99_ms, latency.p99_us, true),
    ] {
        if let Some(limit) = limit.filter(|_| !judged_elsewhere(elsewhere)) {
            add(format!("{kind} at most {limit} ms"), ms(is), is <= us(limit));
        }
    }
    let of =
        |wanted: &[Outcome]| -> u64 { wanted.iter().map(|&o| tally.outcomes[o as usize]).sum() };
    for (kind, limit, n, elsewhere) in [
        ("errors", objective.errors_percent, tally.errors(), true),
        ("5xx", objective.server_errors_percent, of(&[Outcome::ServerError]), false),
        (
            "4xx",
            objective.client_errors_percent,
            of(&[Outcome::ClientError, Outcome::TooMany]),
            false,
        ),
        ("timeouts", objective.timeouts_percent, of(&[Outcome::Timeout]), false),
    ] {
        if let Some(limit) = limit.filter(|_| !judged_elsewhere(elsewhere)) {
            let percent = n as f64 * 100.0 / count.max(1) as f64;
            add(
                format!("{kind} at most {limit} %"),
                format!("{percent:.4} % ({n} of {count})"),
                percent <= limit,
            );
        }
    }
    if let (Some(least), Some(limit)) = (objective.within_p95_percent, objective.p95_ms) {
        let share = tally.due.quantile_below(us(limit)) * 100.0;
        add(
            format!("{least} % of the requests within {limit} ms"),
            format!("{share:.2} %"),
            share >= least,
        );
    }
    if let Some(least) = objective.rps {
        let answered = count - tally.outcomes[Outcome::Overdue as usize];
        let rps = answered as f64 / seconds.max(1.0);
        add(format!("at least {least} requests/s"), format!("{rps:.1}/s"), rps >= least);
    }
}
