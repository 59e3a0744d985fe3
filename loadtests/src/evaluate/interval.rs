//! Claims of an interval without a break, and of the rate that users kept meanwhile.

use super::evidence::{Evidence, limits, ms};
use crate::judge::Judge;
use crate::plan::{Engine, Phase, Plan};
use crate::slo::RATE_TOLERANCE;
use crate::verdict::Claim;

/// Adds the claims of the interval: without a break, and each group over all of it.
pub(super) fn interval(evidence: &Evidence<'_>, judge: &Judge, claims: &mut Vec<Claim>) {
    let judgement = judge.judgement();
    let interval = judgement.interval_s;
    let what = format!("all groups at once, every slice, for {interval} s up to the end");
    if judgement.seconds < interval {
        claims.push(Claim::open(what, format!("only {} s were judged", judgement.seconds)));
    } else {
        let streaks: Vec<String> = evidence
            .plan
            .groups()
            .iter()
            .zip(&judgement.streaks)
            .map(|(group, s)| format!("{group} {} s (longest {})", s.now_s, s.longest_s))
            .collect();
        claims.push(Claim::new(what, format!("green for {}", streaks.join(", ")), judgement.holds));
    }
    for ((group, limits), second) in
        evidence.plan.groups().iter().zip(limits(evidence.plan)).zip(judge.newest())
    {
        let view = second.long;
        let over = format!("over the last {} s", view.seconds);
        for (name, limit, is) in [
            ("p95", limits.p95_us, view.latency.p95_us),
            ("p99", limits.p99_us, view.latency.p99_us),
        ] {
            let Some(limit) = limit else { continue };
            let what = format!("{group}: {name} at most {} {over}", ms(limit));
            claims.push(if view.latency.count == 0 {
                Claim::open(what, "no samples")
            } else {
                Claim::new(what, ms(is), is <= limit)
            });
        }
        if let Some(limit) = limits.errors {
            let what = format!("{group}: errors at most {} % {over}", limit * 100.0);
            let share = view.error_share();
            claims.push(if view.latency.count == 0 {
                Claim::open(what, "no samples")
            } else {
                let measured =
                    format!("{:.4} % ({} of {})", share * 100.0, view.errors, view.latency.count);
                Claim::new(what, measured, share <= limit)
            });
        }
    }
}

/// Adds the claims of the rate: achieved against target rate of each scenario that has one.
pub(super) fn rates(evidence: &Evidence<'_>, claims: &mut Vec<Claim>) {
    let all: usize = evidence.plan.scenarios.iter().map(|s| s.users).sum();
    let whole = |p: &Phase| !p.judged || (p.engine == Engine::Users && p.users == all);
    if !evidence.plan.phases.iter().all(whole) {
        // The targets are those of all users; another load has none.
        return;
    }
    let judged = evidence.recorder.layout().judged;
    let seconds = (judged.to_s - judged.from_s) as f64;
    for (scenario, &answered) in evidence.plan.scenarios.iter().zip(evidence.recorder.answered()) {
        let Some(target) = Plan::offered_rps(scenario, scenario.users) else { continue };
        let achieved = answered as f64 / seconds;
        claims.push(Claim::new(
            format!(
                "{}: {target:.1} requests/s within {:.0} %",
                scenario.name,
                RATE_TOLERANCE * 100.0
            ),
            format!("{achieved:.2} requests/s"),
            (achieved / target - 1.0).abs() <= RATE_TOLERANCE,
        ));
    }
}
