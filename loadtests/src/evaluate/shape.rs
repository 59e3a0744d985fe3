//! Claims of the shape of a run: how it got over a load, how throughput followed the users.

use super::evidence::{Evidence, us};
use crate::measure::outcome::Outcome;
use crate::plan::Recovery;
use crate::verdict::Claim;

/// Seconds at the end of a recovery that must be good for the service to count as recovered.
const SETTLED_S: u64 = 5;

/// The claim that the service got over the load.
pub(super) fn recovery(evidence: &Evidence<'_>, recovery: &Recovery) -> Claim {
    let what = format!(
        "every group back at p95 {} ms within {} s of the start of {:?}",
        recovery.p95_ms, recovery.within_s, recovery.phase
    );
    let Some(span) = evidence
        .plan
        .phases
        .iter()
        .zip(evidence.phases)
        .find(|(p, _)| p.name == recovery.phase)
        .map(|(_, span)| *span)
    else {
        return Claim::open(what, "the phase is not there");
    };
    let limit = us(recovery.p95_ms);
    let mut last_bad: Option<u64> = None;
    let mut samples = 0;
    for group in evidence.recorder.groups() {
        for (at_s, point) in group.timeline.iter() {
            let at_s = at_s as u64;
            if !(span.from_s..span.to_s).contains(&at_s) {
                continue;
            }
            samples += u64::from(point.count);
            if u64::from(point.p95_us) > limit || point.errors > 0 {
                last_bad = last_bad.max(Some(at_s - span.from_s));
            }
        }
    }
    if samples == 0 {
        return Claim::open(what, "no samples after the load");
    }
    let took = last_bad.map_or(0, |s| s + 1);
    let settled = took + SETTLED_S <= span.to_s - span.from_s;
    let measured = if settled { format!("after {took} s") } else { "not back at the end".into() };
    Claim::new(what, measured, settled && took <= recovery.within_s)
}

/// Adds the claim that throughput follows the users, where the plan makes it.
pub(super) fn linear(evidence: &Evidence<'_>, claims: &mut Vec<Claim>) {
    let Some(linear) = &evidence.plan.linear else { return };
    let rate = |name: &str| {
        let place = evidence.plan.phases.iter().position(|p| p.name == name)?;
        let span = evidence.phases.get(place)?;
        let users = evidence.plan.phases[place].users;
        let tally = evidence.recorder.merged(place, |_| true);
        let answered = tally.count() - tally.outcomes[Outcome::Overdue as usize];
        (users > 0 && answered > 0)
            .then(|| answered as f64 / (span.to_s - span.from_s) as f64 / users as f64)
    };
    let what = format!(
        "throughput per user of {} within {} % of {}",
        linear.to, linear.within_percent, linear.base
    );
    claims.push(match (rate(&linear.base), rate(&linear.to)) {
        (Some(base), Some(to)) => {
            let percent = (to / base - 1.0) * 100.0;
            Claim::new(
                what,
                format!("{to:.2}/s against {base:.2}/s, {percent:+.1} %"),
                percent.abs() <= linear.within_percent,
            )
        }
        _ => Claim::open(what, "no samples"),
    });
}
