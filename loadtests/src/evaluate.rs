//! Turns what was measured into claims: each objective of the plan, with its figure.

use crate::drift::trend;
use crate::judge::{Judge, Limits};
use crate::measure::outcome::Outcome;
use crate::measure::recorder::{Recorder, Span, Tally};
use crate::measure::timeline::Timeline;
use crate::plan::{Engine, Objective, Phase, Plan, Recovery};
use crate::sampling::ServerPoint;
use crate::slo::RATE_TOLERANCE;
use crate::verdict::Claim;

/// Share of a long run that is left out of its trends: what only warms up is no leak.
const WARM_UP_SHARE: f64 = 0.1;

/// Seconds at the end of a recovery that must be good for the service to count as recovered.
const SETTLED_S: u64 = 5;

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
pub(crate) fn us(ms: f64) -> u64 {
    (ms * 1000.0).round().max(0.0) as u64
}

fn ms(us: u64) -> String {
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

impl Evidence<'_> {
    /// Every claim of the plan.
    pub(crate) fn claims(&self) -> Vec<Claim> {
        let mut claims = Vec::new();
        if let Some(judge) = self.judge {
            self.interval(judge, &mut claims);
            self.rates(&mut claims);
        }
        for objective in &self.plan.objectives {
            let by_judge =
                self.judge.is_some() && objective.phase.is_none() && objective.request.is_none();
            self.objective(objective, by_judge, &mut claims);
        }
        if let Some(recovery) = &self.plan.recovery {
            claims.push(self.recovery(recovery));
            claims.push(Claim::new(
                "the process of the service is the same from start to end",
                format!("it changed {} times", self.server_changes),
                self.server_changes == 0,
            ));
        }
        self.linear(&mut claims);
        self.server(&mut claims);
        claims
    }

    fn interval(&self, judge: &Judge, claims: &mut Vec<Claim>) {
        let judgement = judge.judgement();
        let interval = judgement.interval_s;
        let what = format!("all groups at once, every slice, for {interval} s up to the end");
        if judgement.seconds < interval {
            claims.push(Claim::open(what, format!("only {} s were judged", judgement.seconds)));
        } else {
            let streaks: Vec<String> = self
                .plan
                .groups()
                .iter()
                .zip(&judgement.streaks)
                .map(|(group, s)| format!("{group} {} s (longest {})", s.now_s, s.longest_s))
                .collect();
            claims.push(Claim::new(
                what,
                format!("green for {}", streaks.join(", ")),
                judgement.holds,
            ));
        }
        for ((group, limits), second) in
            self.plan.groups().iter().zip(limits(self.plan)).zip(judge.newest())
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
                    let measured = format!(
                        "{:.4} % ({} of {})",
                        share * 100.0,
                        view.errors,
                        view.latency.count
                    );
                    Claim::new(what, measured, share <= limit)
                });
            }
        }
    }

    /// Achieved against target rate of each scenario that has one.
    fn rates(&self, claims: &mut Vec<Claim>) {
        let all: usize = self.plan.scenarios.iter().map(|s| s.users).sum();
        let whole = |p: &Phase| !p.judged || (p.engine == Engine::Users && p.users == all);
        if !self.plan.phases.iter().all(whole) {
            // The targets are those of all users; another load has none.
            return;
        }
        let judged = self.recorder.layout().judged;
        let seconds = (judged.to_s - judged.from_s) as f64;
        for (scenario, &answered) in self.plan.scenarios.iter().zip(self.recorder.answered()) {
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

    fn chosen(&self, objective: &Objective) -> (Tally<u32>, f64) {
        let groups = self.plan.groups();
        let wanted = |i: usize| {
            let (name, group) = &self.recorder.layout().requests[i];
            objective.group.as_ref().is_none_or(|g| *g == groups[*group])
                && objective.request.as_ref().is_none_or(|r| r == name)
        };
        let mut sum: Option<Tally<u32>> = None;
        let mut seconds = 0;
        for (i, (phase, span)) in self.plan.phases.iter().zip(self.phases).enumerate() {
            let this = objective.phase.as_ref().map_or(phase.judged, |name| *name == phase.name);
            if !this {
                continue;
            }
            seconds += span.to_s - span.from_s;
            let tally = self.recorder.merged(i, wanted);
            match &mut sum {
                Some(sum) => sum.absorb(&tally),
                None => sum = Some(tally),
            }
        }
        let sum = sum.unwrap_or_else(|| self.recorder.merged(usize::MAX, |_| false));
        (sum, seconds as f64)
    }

    fn objective(&self, objective: &Objective, by_judge: bool, claims: &mut Vec<Claim>) {
        let parts = [&objective.group, &objective.request, &objective.phase];
        let named: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        let name = if named.is_empty() { "everything".to_owned() } else { named.join(", ") };
        let (tally, seconds) = self.chosen(objective);
        let count = tally.count();
        let mut add = |what: String, measured: String, holds: bool| {
            let what = format!("{name}: {what}");
            claims.push(if count == 0 {
                Claim::open(what, "no samples")
            } else {
                Claim::new(what, measured, holds)
            });
        };
        let latency = crate::measure::histogram::Latency::of(&tally.due);
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
        let of = |wanted: &[Outcome]| -> u64 {
            wanted.iter().map(|&o| tally.outcomes[o as usize]).sum()
        };
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

    fn recovery(&self, recovery: &Recovery) -> Claim {
        let what = format!(
            "every group back at p95 {} ms within {} s of the start of {:?}",
            recovery.p95_ms, recovery.within_s, recovery.phase
        );
        let Some(span) = self
            .plan
            .phases
            .iter()
            .zip(self.phases)
            .find(|(p, _)| p.name == recovery.phase)
            .map(|(_, span)| *span)
        else {
            return Claim::open(what, "the phase is not there");
        };
        let limit = us(recovery.p95_ms);
        let mut last_bad: Option<u64> = None;
        let mut samples = 0;
        for group in self.recorder.groups() {
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
        let measured =
            if settled { format!("after {took} s") } else { "not back at the end".into() };
        Claim::new(what, measured, settled && took <= recovery.within_s)
    }

    fn linear(&self, claims: &mut Vec<Claim>) {
        let Some(linear) = &self.plan.linear else { return };
        let rate = |name: &str| {
            let place = self.plan.phases.iter().position(|p| p.name == name)?;
            let span = self.phases.get(place)?;
            let users = self.plan.phases[place].users;
            let tally = self.recorder.merged(place, |_| true);
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

    fn server(&self, claims: &mut Vec<Claim>) {
        let judged = self.recorder.layout().judged;
        let points: Vec<(f64, ServerPoint)> = self
            .server
            .iter()
            .filter(|(at, _)| (judged.from_s as f64..judged.to_s as f64).contains(at))
            .map(|(at, p)| (at, *p))
            .collect();
        if let Some(limit) = self.plan.server_cpu_percent {
            let what = format!("the service uses at most {limit} % of the machine");
            claims.push(if points.is_empty() {
                Claim::open(what, "its process cannot be seen")
            } else {
                let sum: f64 = points.iter().map(|(_, p)| p.cpu_percent).sum();
                let percent = sum / points.len() as f64 / self.cores.max(1) as f64;
                Claim::new(what, format!("{percent:.1} %"), percent <= limit)
            });
        }
        if let Some(limit) = self.plan.server_rss_mb {
            let what = format!("the service needs at most {limit} MB");
            claims.push(match points.iter().map(|(_, p)| p.rss_mb).max_by(f64::total_cmp) {
                Some(most) => Claim::new(what, format!("{most:.1} MB"), most <= limit),
                None => Claim::open(what, "its process cannot be seen"),
            });
        }
        let Some(drift) = self.plan.drift else { return };
        let from = judged.from_s as f64 + (judged.to_s - judged.from_s) as f64 * WARM_UP_SHARE;
        let course = |of: fn(&ServerPoint) -> f64| -> Vec<(f64, f64)> {
            points.iter().filter(|(at, _)| *at >= from).map(|(at, p)| (*at, of(p))).collect()
        };
        let mut latency: Vec<(f64, f64)> = Vec::new();
        for group in self.recorder.groups() {
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
}

/// Requests that each scenario is to send in the phases that are `chosen`; `None` where its users
/// send as fast as they can, or come or go.
fn promised(
    plan: &Plan,
    phases: &[Span],
    chosen: impl Fn(&Phase, Span) -> bool,
) -> Vec<Option<f64>> {
    let mut sums = vec![Some(0.0); plan.scenarios.len()];
    let mut before = 0;
    for (phase, &span) in plan.phases.iter().zip(phases) {
        let here = if phase.engine == Engine::Users { phase.users } else { 0 };
        if here > 0 && chosen(phase, span) {
            let split = crate::engine::users::split(plan, here);
            for ((sum, scenario), users) in sums.iter_mut().zip(&plan.scenarios).zip(split) {
                // Users who come or go offer what the shape of the ramp makes of it; only a steady
                // number is a promise.
                let rps = Plan::offered_rps(scenario, users).filter(|_| here == before);
                let seconds = (span.to_s - span.from_s) as f64;
                *sum = sum.zip(rps).map(|(sum, rps)| sum + rps * seconds);
            }
        }
        before = here;
    }
    sums
}

/// Requests that the judged phases offer; `None` where users send as fast as they can, come or go,
/// or where nothing is offered at a rate.
pub(crate) fn offered(plan: &Plan, phases: &[Span]) -> Option<f64> {
    let judged = plan.phases.iter().zip(phases).filter(|(p, _)| p.judged);
    let rates = judged.filter(|(p, _)| p.engine == Engine::Rate);
    let by_rates: f64 = rates.map(|(p, s)| p.rate * (s.to_s - s.from_s) as f64).sum();
    let by_users: Option<f64> = promised(plan, phases, |p, _| p.judged).into_iter().sum();
    Some(by_rates + by_users?).filter(|sum| *sum > 0.0)
}

/// Requests per second that each scenario is to send over the stretch that is judged, ramps within
/// it included; `None` as in [`offered`].
pub(crate) fn target_rps(plan: &Plan, phases: &[Span], judged: Span) -> Vec<Option<f64>> {
    let seconds = (judged.to_s - judged.from_s) as f64;
    promised(plan, phases, |_, s| s.from_s >= judged.from_s && s.to_s <= judged.to_s)
        .into_iter()
        .map(|sum| sum.map(|n| n / seconds))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{find, parse};

    fn targets(name: &str) -> Vec<Option<f64>> {
        let plan = parse(name, find(name).unwrap().text).unwrap();
        let (layout, phases) = crate::run::layout(&plan, false);
        target_rps(&plan, &phases, layout.judged)
    }

    #[test]
    fn a_scenario_has_a_target_only_while_the_number_of_its_users_stands() {
        let slo: Vec<f64> = targets("tve-slo").into_iter().flatten().collect();
        let table: Vec<f64> = crate::slo::SCENARIOS.iter().map(|s| s.rps).collect();
        assert!(slo.iter().zip(&table).all(|(is, should)| (is - should).abs() < 0.01), "{slo:?}");
        assert_eq!(slo.len(), table.len());
        // The ramp lies within the stretch that is judged.
        assert!(targets("spike").iter().all(Option::is_none));
    }
}
