//! What the claims of a run are drawn from, and the limits that they are held against.

use crate::judge::{Judge, Limits};
use crate::measure::layout::Span;
use crate::measure::recorder::Recorder;
use crate::measure::timeline::Timeline;
use crate::plan::{Objective, Plan};
use crate::resources::ServerPoint;

/// What the claims of a run are drawn from.
pub(crate) struct Evidence<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Length of each phase.
    pub phases: &'a [Span],
    /// What was recorded.
    pub recorder: &'a Recorder,
    /// The judge, where the plan has an interval.
    pub judge: Option<&'a Judge>,
    /// The service's course.
    pub server: &'a Timeline<ServerPoint>,
    /// How often its process changed.
    pub server_changes: u32,
    /// Cores of the machine it runs on.
    pub cores: usize,
}

/// µs of so many ms.
pub(super) fn us(ms: f64) -> u64 {
    (ms * 1000.0).round().max(0.0) as u64
}

/// So many µs as text, in ms.
pub(super) fn ms(us: u64) -> String {
    format!("{:.2} ms", us as f64 / 1000.0)
}

/// The limits that the judge applies to each group, in the order of [`Plan::groups`].
pub(crate) fn limits(plan: &Plan) -> Vec<Limits> {
    plan.groups()
        .iter()
        .map(|group| {
            let whole = |o: &&Objective| o.phase.is_none() && o.request.is_none();
            let own = |o: &&Objective| o.group.as_ref().is_none_or(|g| g == group);
            let mut limits = Limits::default();
            for objective in plan.objectives.iter().filter(whole).filter(own) {
                limits.p95_us = objective.p95_ms.map(us).or(limits.p95_us);
                limits.p99_us = objective.p99_ms.map(us).or(limits.p99_us);
                limits.errors = objective.errors_percent.map(|p| p / 100.0).or(limits.errors);
            }
            limits
        })
        .collect()
}
