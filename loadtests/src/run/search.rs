//! The search for the highest rate that the service stands: doubling, then bisecting, then a longer
//! probe that confirms what was found.
//!
//! What else a machine does can break a probe and can mend none, so a rate is broken when it was
//! broken twice.

use super::phases;
use crate::options::Options;
use crate::plan::{Engine, Objective, Phase, Plan, Search};
use crate::summary::{Finished, Summary};
use crate::verdict::{Claim, MOST_CPU_PERCENT, MOST_LAG_MS, Trust, Verdict};
use std::fmt::Write as _;

/// How often a rate that did not stand the confirmation is lowered and tried again.
const CONFIRMATIONS: u32 = 4;

/// Share of the machine above which the service's process is what limits, %. It shares the machine
/// with the generator, so it never gets all of it.
const BUSY_PERCENT: f64 = 40.0;

/// Share of the machine above which there is nothing left of it, %.
const FULL_PERCENT: f64 = 90.0;

/// What one probe showed.
#[derive(Debug, Clone, PartialEq)]
struct Probe {
    rate: f64,
    errors_percent: f64,
    p95_ms: f64,
    achieved_percent: f64,
    limiter: String,
}

/// What gave in first, with the shares of the machine that tell so, %.
fn limiter(service: f64, trust: &Trust) -> String {
    let Trust { cpu_percent, machine_percent, steal_percent, lag_p99_ms, .. } = *trust;
    let full = machine_percent >= FULL_PERCENT;
    let name = if service >= BUSY_PERCENT {
        "the processor of the service"
    } else if full && cpu_percent <= MOST_CPU_PERCENT {
        "the processors, which service and generator share"
    } else if cpu_percent > MOST_CPU_PERCENT || lag_p99_ms > MOST_LAG_MS {
        "the generator"
    } else {
        "neither the processor of the service nor the generator"
    };
    format!(
        "{name} (of the machine: service {service:.0} %, generator {cpu_percent:.0} %, all \
         {machine_percent:.0} %; its host gave {steal_percent:.0} % of that to others)"
    )
}

impl Probe {
    fn of(rate: f64, summary: &Summary, cores: usize) -> Self {
        let count: u64 = summary.groups.iter().map(|g| g.count).sum();
        let errors: u64 = summary.groups.iter().map(|g| g.errors).sum();
        // The slowest group decides.
        let p95_us = summary.groups.iter().map(|g| g.due.p95_us).max().unwrap_or(0);
        let looks = summary.server.points.len().max(1) as f64;
        let server: f64 = summary.server.points.iter().map(|p| p.cpu_percent).sum::<f64>() / looks;
        let trust = &summary.trust;
        Self {
            rate,
            errors_percent: errors as f64 * 100.0 / count.max(1) as f64,
            p95_ms: p95_us as f64 / 1000.0,
            achieved_percent: trust.achieved_percent.unwrap_or(0.0),
            limiter: limiter(server / cores as f64, trust),
        }
    }

    /// Why the service did not stand it; `None` when it did.
    fn broken(&self, search: &Search) -> Option<String> {
        if self.errors_percent > search.errors_percent {
            Some(format!("{:.1} % errors", self.errors_percent))
        } else if self.p95_ms > search.p95_ms {
            Some(format!("p95 {:.0} ms", self.p95_ms))
        } else if self.achieved_percent < search.achieved_percent {
            Some(format!("{:.1} % answered", self.achieved_percent))
        } else {
            None
        }
    }
}

/// The bracket of the search: where it stands and what to try next.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bracket {
    good: f64,
    bad: Option<f64>,
}

impl Bracket {
    /// The next rate to try; `None` when the bracket is narrow enough or nothing breaks.
    fn next(&self, search: &Search) -> Option<f64> {
        match self.bad {
            None if self.good >= search.max_rps => None,
            None if self.good == 0.0 => Some(search.start_rps.min(search.max_rps)),
            None => Some((self.good * 2.0).min(search.max_rps)),
            Some(bad) => {
                let narrow = (bad - self.good) <= bad * search.resolution_percent / 100.0;
                // A service that stands nothing ends the search as well.
                (!narrow && bad > 1.0).then_some(f64::midpoint(self.good, bad))
            }
        }
    }

    fn take(&mut self, rate: f64, stood: bool) {
        if stood {
            self.good = rate;
        } else {
            self.bad = Some(rate);
        }
    }
}

fn probe_plan(plan: &Plan, search: &Search, rate: f64, seconds: u64) -> Plan {
    Plan {
        phases: vec![Phase {
            name: format!("{rate:.0}/s"),
            engine: Engine::Rate,
            users: 0,
            rate,
            seconds,
            short_s: Some(seconds),
            judged: true,
        }],
        objectives: vec![Objective {
            p95_ms: Some(search.p95_ms),
            errors_percent: Some(search.errors_percent),
            ..Objective::default()
        }],
        search: None,
        ..plan.clone()
    }
}

/// Runs the search of `plan`.
///
/// # Errors
/// A probe cannot be run.
pub(super) async fn run(
    plan: &Plan,
    search: &Search,
    options: &Options,
) -> anyhow::Result<Finished> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // A short search confirms for as long as it probes.
    let confirm_s = if options.short { search.probe_s } else { search.confirm_s };
    let mut log = String::new();
    let mut bracket = Bracket { good: 0.0, bad: None };
    let mut limits: Option<(Probe, String)> = None;
    while let Some(rate) = bracket.next(search) {
        let probe = twice(plan, search, options, rate, search.probe_s, cores, &mut log).await?.0;
        let broken = probe.broken(search);
        bracket.take(rate, broken.is_none());
        if let Some(why) = broken {
            limits = Some((probe, why));
        }
        if crate::interrupt::is_set() {
            break;
        }
    }
    let mut rate = bracket.good.max(1.0);
    let mut confirmed = None;
    let mut last = None;
    for _ in 0..CONFIRMATIONS {
        let (probe, finished) =
            twice(plan, search, options, rate, confirm_s, cores, &mut log).await?;
        last = Some(finished);
        match probe.broken(search) {
            None => {
                confirmed = Some(rate);
                break;
            }
            Some(why) => limits = Some((probe, why)),
        }
        rate *= 1.0 - search.resolution_percent / 100.0;
        if crate::interrupt::is_set() {
            break;
        }
    }
    let mut finished = last.ok_or_else(|| anyhow::anyhow!("no probe was run"))?;
    let summary = &mut finished.summary;
    let what = format!("a rate is found and stood for {confirm_s} s");
    let claim = match (confirmed, &limits) {
        (Some(rate), Some((probe, why))) => {
            summary.extra.insert("rate that is stood".into(), format!("{rate:.0}/s"));
            summary.extra.insert("rate that is not".into(), format!("{:.0}/s: {why}", probe.rate));
            summary.extra.insert("limited by".into(), probe.limiter.clone());
            Claim::new(what, format!("{rate:.0}/s, limited by {}", probe.limiter), true)
        }
        (Some(rate), None) => Claim::open(what, format!("{rate:.0}/s did not break it")),
        (None, _) => Claim::new(what, "no rate was stood for that long", false),
    };
    summary.extra.insert("probes".into(), log);
    summary.claims = vec![claim];
    // The generator may be what limits here; the claim says so, and that is no fault of the run.
    let trust = Trust { server_changed: summary.trust.server_changed, ..Trust::default() };
    summary.verdict =
        Verdict::of(&summary.claims, &trust, options.short, crate::interrupt::is_set());
    summary.plan.clone_from(&plan.name);
    Ok(finished)
}

/// A probe, and another one where it was broken: the last.
async fn twice(
    plan: &Plan,
    search: &Search,
    options: &Options,
    rate: f64,
    seconds: u64,
    cores: usize,
    log: &mut String,
) -> anyhow::Result<(Probe, Finished)> {
    let probing = probe_plan(plan, search, rate, seconds);
    let mut is_second = false;
    loop {
        let finished = Box::pin(phases::run(&probing, options)).await?;
        let probe = Probe::of(rate, &finished.summary, cores);
        let broken = probe.broken(search);
        let word = broken.as_deref().unwrap_or("stood");
        // Writing to a string cannot fail.
        let _ = write!(log, "{rate:.0}/s {word}; ");
        if options.progress {
            eprintln!("\n{rate:.0}/s for {seconds} s: {word}");
        }
        if broken.is_none() || is_second || crate::interrupt::is_set() {
            return Ok((probe, finished));
        }
        is_second = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH: Search = Search {
        start_rps: 250.0,
        max_rps: 20_000.0,
        probe_s: 10,
        confirm_s: 60,
        errors_percent: 5.0,
        p95_ms: 500.0,
        achieved_percent: 95.0,
        resolution_percent: 5.0,
    };

    fn found(breaks_at: f64) -> (f64, u32) {
        let mut bracket = Bracket { good: 0.0, bad: None };
        let mut probes = 0;
        while let Some(rate) = bracket.next(&SEARCH) {
            bracket.take(rate, rate < breaks_at);
            probes += 1;
            assert!(probes < 50, "the search does not end");
        }
        (bracket.good, probes)
    }

    #[test]
    fn the_search_ends_just_below_the_breaking_point() {
        for breaks_at in [260.0, 999.0, 5300.0, 15_000.0] {
            let (good, probes) = found(breaks_at);
            assert!(good < breaks_at && good > breaks_at * 0.9, "{breaks_at}: {good}");
            assert!(probes <= 14, "{breaks_at}: {probes}");
        }
    }

    #[test]
    fn a_service_that_stands_everything_or_nothing_ends_the_search_too() {
        assert_eq!(found(f64::INFINITY).0, SEARCH.max_rps);
        assert_eq!(found(0.0).0, 0.0);
    }

    #[test]
    fn what_limits_is_named_by_the_shares_of_the_machine() {
        let shares = |generator: f64, machine: f64, steal: f64, lag: f64| Trust {
            cpu_percent: generator,
            machine_percent: machine,
            steal_percent: steal,
            lag_p99_ms: lag,
            ..Trust::default()
        };
        for (service, trust, name) in [
            (45.0, shares(50.0, 97.0, 0.0, 40.0), "the processor of the service ("),
            (35.0, shares(60.0, 97.0, 0.0, 40.0), "the processors, which"),
            (10.0, shares(85.0, 97.0, 0.0, 0.1), "the generator"),
            (10.0, shares(20.0, 40.0, 0.0, 40.0), "the generator"),
            (10.0, shares(20.0, 40.0, 0.0, 0.1), "neither"),
        ] {
            let said = limiter(service, &trust);
            assert!(said.starts_with(name), "{said}");
        }
    }

    #[test]
    fn each_of_the_three_limits_breaks_a_probe() {
        let good = Probe {
            rate: 100.0,
            errors_percent: 5.0,
            p95_ms: 500.0,
            achieved_percent: 95.0,
            limiter: String::new(),
        };
        assert_eq!(good.broken(&SEARCH), None);
        assert!(Probe { errors_percent: 5.1, ..good.clone() }.broken(&SEARCH).is_some());
        assert!(Probe { p95_ms: 501.0, ..good.clone() }.broken(&SEARCH).is_some());
        assert!(Probe { achieved_percent: 94.9, ..good }.broken(&SEARCH).is_some());
    }
}
