//! Claims of the service's process: its share of the machine, its memory, what must not grow.

use super::evidence::Evidence;
use crate::drift::trend;
use crate::resources::ServerPoint;
use crate::verdict::Claim;

/// Share of a long run that is left out of its trends: what only warms up is no leak.
const WARM_UP_SHARE: f64 = 0.1;

/// Adds the claims of the process, as far as the plan makes them.
pub(super) fn server(evidence: &Evidence<'_>, claims: &mut Vec<Claim>) {
    let judged = evidence.recorder.layout().judged;
    let points: Vec<(f64, ServerPoint)> = evidence
        .server
        .iter()
        .filter(|(at, _)| (judged.from_s as f64..judged.to_s as f64).contains(at))
        .map(|(at, p)| (at, *p))
        .collect();
    if let Some(limit) = evidence.plan.server_cpu_percent {
        let what = format!("the service uses at most {limit} % of the machine");
        claims.push(if points.is_empty() {
            Claim::open(what, "its process cannot be seen")
        } else {
            let sum: f64 = points.iter().map(|(_, p)| p.cpu_percent).sum();
            let percent = sum / points.len() as f64 / evidence.cores.max(1) as f64;
            Claim::new(what, format!("{percent:.1} %"), percent <= limit)
        });
    }
    if let Some(limit) = evidence.plan.server_rss_mb {
        let what = format!("the service needs at most {limit} MB");
        claims.push(match points.iter().map(|(_, p)| p.rss_mb).max_by(f64::total_cmp) {
            Some(most) => Claim::new(what, format!("{most:.1} MB"), most <= limit),
            None => Claim::open(what, "its process cannot be seen"),
        });
    }
    let Some(drift) = evidence.plan.drift else { return };
    let from = judged.from_s as f64 + (judged.to_s - judged.from_s) as f64 * WARM_UP_SHARE;
    let course = |of: fn(&ServerPoint) -> f64| -> Vec<(f64, f64)> {
        points.iter().filter(|(at, _)| *at >= from).map(|(at, p)| (*at, of(p))).collect()
    };
    let mut latency: Vec<(f64, f64)> = Vec::new();
    for group in evidence.recorder.groups() {
        let all = group.timeline.iter().filter(|(at, p)| *at >= from && p.count > 0);
        latency.extend(all.map(|(at, p)| (at, f64::from(p.p95_us) / 1000.0)));
    }
    latency.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (name, unit, limit, points) in [
        ("resident memory", "MB", drift.rss_mb_per_hour, course(|p| p.rss_mb)),
        ("descriptors", "", drift.descriptors_per_hour, course(|p| p.descriptors)),
        ("threads", "", drift.threads_per_hour, course(|p| p.threads)),
        ("p95", "ms", drift.p95_ms_per_hour, latency),
    ] {
        let what = format!("{name} grow by at most {limit} {unit}/h");
        claims.push(match trend(&points) {
            Some(t) => Claim::new(
                what,
                format!("{:+.3} {unit}/h (p = {:.4})", t.per_hour, t.p),
                !t.grows(limit),
            ),
            None => Claim::open(what, "too few points"),
        });
    }
}
