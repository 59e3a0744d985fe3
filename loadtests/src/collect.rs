//! Puts a run's figures into its summary.

use crate::judge::Limits;
use crate::measure::histogram::Latency;
use crate::measure::layout::Span;
use crate::measure::outcome::Outcome;
use crate::measure::recorder::Recorder;
use crate::measure::timeline::Timeline;
use crate::plan::{Engine, Plan, Request};
use crate::summary::QUANTILES;
use crate::summary::{FORMAT, Failure, GroupSummary, RequestSummary, ScenarioSummary, Summary};
use crate::verdict::{Claim, Trust, Verdict};
use crate::watch::Watch;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;

/// What a summary is made of.
pub(crate) struct Parts<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Address of the service.
    pub host: &'a str,
    /// When the run began.
    pub started: &'a jiff::Zoned,
    /// Each phase's stretch.
    pub spans: &'a [Span],
    /// What was recorded.
    pub recorder: &'a Recorder,
    /// What was seen of both processes.
    pub watch: &'a Watch,
    /// Limits by group.
    pub limits: &'a [Limits],
    /// The claims.
    pub claims: Vec<Claim>,
    /// How far to trust it.
    pub trust: Trust,
    /// The verdict.
    pub verdict: Verdict,
}

/// Method and path.
pub(crate) fn target(request: &Request) -> String {
    match (&request.get, &request.post) {
        (Some(path), _) => format!("GET {path}"),
        (None, Some(path)) => format!("POST {path}"),
        (None, None) => String::new(),
    }
}

/// Steps of the curve in each power of ten of the share that is slower.
const CURVE_STEPS: u32 = 8;

/// The curve of a histogram, down to the slowest request.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let slowest = 1.0 / histogram.len().max(1) as f64;
    for step in 0.. {
        let slower = 10_f64.powf(-f64::from(step) / f64::from(CURVE_STEPS));
        if histogram.is_empty() || slower < slowest {
            break;
        }
        let share = 1.0 - slower;
        points.push((share, histogram.value_at_quantile(share) as f64 / 1000.0));
    }
    points
}

/// The summary of a run.
pub(crate) fn summary(parts: &Parts<'_>) -> Summary {
    let layout = parts.recorder.layout();
    let judged_s = layout.judged.to_s - layout.judged.from_s;
    let judgement = parts.plan.interval_s.map(|_| parts.watch.judge.judgement());
    let groups = layout.groups.iter().zip(parts.recorder.groups()).enumerate();
    let groups = groups.map(|(i, (name, group))| {
        let limits = parts.limits.get(i).copied().unwrap_or_default();
        let outcomes = Outcome::ALL.iter().map(|&o| (o, group.total.outcomes[o as usize]));
        GroupSummary {
            name: name.clone(),
            limits_ms: [limits.p95_us, limits.p99_us].map(|l| l.map(|us| us as f64 / 1000.0)),
            due: Latency::of(&group.total.due),
            quiet: Latency::of(&group.quiet),
            headers: Latency::of(&group.headers),
            body: Latency::of(&group.body),
            count: group.total.count(),
            errors: group.total.errors(),
            rps: group.total.count() as f64 / judged_s.max(1) as f64,
            outcomes: outcomes
                .filter(|(_, n)| *n > 0)
                .map(|(o, n)| (o.name().to_owned(), n))
                .collect(),
            longest_streak_s: judgement.as_ref().map(|j| j.streaks[i].longest_s),
            curve: curve(&group.total.due),
            timeline: group.timeline.clone(),
        }
    });
    let mut requests = Vec::new();
    for (i, (phase, span)) in parts.plan.phases.iter().zip(parts.spans).enumerate() {
        let rows = parts.plan.requests.iter().zip(parts.recorder.phase(i));
        for ((name, request), tally) in rows.filter(|(_, t)| t.count() > 0) {
            requests.push(RequestSummary {
                phase: phase.name.clone(),
                name: name.clone(),
                target: target(request),
                group: request.group.clone(),
                due: Latency::of(&tally.due),
                count: tally.count(),
                errors: tally.errors(),
                rps: tally.count() as f64 / (span.to_s - span.from_s) as f64,
                bytes: tally.bytes,
                quantiles_ms: QUANTILES
                    .iter()
                    .map(|&q| tally.due.value_at_quantile(q) as f64 / 1000.0)
                    .collect(),
            });
        }
    }
    let most = parts.plan.phases.iter().filter(|p| p.engine == Engine::Users).map(|p| p.users);
    let most = parts.plan.split(most.max().unwrap_or(0));
    let targets = parts.plan.target_rps(parts.spans, layout.judged);
    let rows = parts.plan.scenarios.iter().zip(most).zip(targets).zip(parts.recorder.answered());
    let scenarios = rows.filter(|(((_, users), _), _)| *users > 0);
    let scenarios = scenarios.map(|(((scenario, users), target_rps), &answered)| ScenarioSummary {
        name: scenario.name.clone(),
        users,
        target_rps,
        achieved_rps: answered as f64 / judged_s.max(1) as f64,
    });
    let failures = parts.recorder.failures().map(|(request, text, count)| Failure {
        request: request.to_owned(),
        text: text.to_owned(),
        count,
    });
    Summary {
        format: FORMAT,
        plan: parts.plan.name.clone(),
        question: parts.plan.question.clone(),
        host: parts.host.to_owned(),
        started: parts.started.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        judged_s,
        judged_from_s: layout.judged.from_s,
        quiet_s: parts.recorder.quiet_s(),
        verdict: parts.verdict.clone(),
        claims: parts.claims.clone(),
        trust: parts.trust,
        looser: judgement.as_ref().map(|j| j.looser),
        groups: groups.collect(),
        requests,
        scenarios: scenarios.collect(),
        server: parts.watch.server.clone(),
        server_pid: parts.watch.monitor.identity().map(|i| i.pid),
        server_changes: parts.watch.monitor.changes(),
        generator_rss_mb: parts.watch.rss_mb,
        failures: failures.collect(),
        extra: BTreeMap::new(),
    }
}

/// The summary of a run without requests of a plan.
pub(crate) fn bare(
    plan: &Plan,
    host: &str,
    started: &jiff::Zoned,
    claims: Vec<Claim>,
    verdict: Verdict,
) -> Summary {
    Summary {
        format: FORMAT,
        plan: plan.name.clone(),
        question: plan.question.clone(),
        host: host.to_owned(),
        started: started.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        judged_s: 0,
        judged_from_s: 0,
        quiet_s: 0.0,
        verdict,
        claims,
        trust: Trust::default(),
        looser: None,
        groups: Vec::new(),
        requests: Vec::new(),
        scenarios: Vec::new(),
        server: Timeline::default(),
        server_pid: None,
        server_changes: 0,
        generator_rss_mb: [crate::resources::own().1; 3],
        failures: Vec::new(),
        extra: BTreeMap::new(),
    }
}
