//! One run of a plan: preflight, phases, drain, clean-up, verdict.

use crate::client::pooled;
use crate::engine::field::Field;
use crate::engine::{rate, single, users};
use crate::evaluate::{Evidence, limits, offered};
use crate::interrupt;
use crate::machine::Access;
use crate::measure::outcome::Outcome;
use crate::measure::recorder::{Layout, Recorder, Span};
use crate::plan::{Engine, Phase, Plan};
use crate::sampling::Sampler;
use crate::slo::SLICE_S;
use crate::summary::Summary;
use crate::verdict::{Trust, Verdict};
use crate::watch::Watch;
use hdrhistogram::Histogram;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Time between the last preparation and the first request.
const LEAD: Duration = Duration::from_millis(200);

/// How a plan is to be run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of the service.
    pub host: reqwest::Url,
    /// Whom to trust for it; empty: whom the system trusts.
    pub authorities: Vec<reqwest::Certificate>,
    /// Minutes instead of hours.
    pub short: bool,
    /// Process of the service, where it cannot be found by its port.
    pub server_pid: Option<i32>,
    /// Whether a machine that is no simulator is meant.
    pub real_is_known: bool,
    /// Whether the state of the run is shown on stderr.
    pub progress: bool,
}

impl Options {
    /// A whole run, shown to nobody, against the simulator at `host`.
    pub fn to(host: reqwest::Url) -> Self {
        Self {
            host,
            authorities: Vec::new(),
            short: false,
            server_pid: None,
            real_is_known: false,
            progress: false,
        }
    }

    /// A client whose requests take as long as those of `plan` may.
    pub(crate) fn client(&self, plan: &Plan) -> reqwest::Result<reqwest::Client> {
        pooled(Duration::from_millis(plan.timeout_ms), &self.authorities)
    }
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// Its data.
    pub summary: Summary,
    /// Latencies from the due instant, by group.
    pub histograms: Vec<(String, Histogram<u64>)>,
}

/// The recorder's layout for `plan`, with each phase's stretch.
pub fn layout(plan: &Plan, short: bool) -> (Layout, Vec<Span>) {
    let groups = plan.groups();
    let mut at = 0;
    let mut phases = Vec::new();
    for phase in &plan.phases {
        let end = at + Plan::length_s(phase, short);
        phases.push(Span { from_s: at, to_s: end });
        at = end;
    }
    let judged = plan.phases.iter().zip(&phases).filter(|(p, _)| p.judged).map(|(_, s)| s);
    let from_s = judged.clone().map(|s| s.from_s).min().unwrap_or(0);
    let to_s = judged.map(|s| s.to_s).max().unwrap_or(at);
    let judged = Span { from_s, to_s };
    let requests = plan
        .requests
        .iter()
        .map(|(name, r)| (name.clone(), groups.iter().position(|g| *g == r.group).unwrap_or(0)))
        .collect();
    let wanted_s = plan.interval_s.unwrap_or(crate::slo::INTERVAL_S);
    let interval_s = if short { wanted_s.min(to_s - from_s) } else { wanted_s } as usize;
    let layout = Layout {
        groups,
        requests,
        scenarios: plan.scenarios.len(),
        phases: phases.clone(),
        judged,
        slice_s: SLICE_S.min(interval_s),
        interval_s,
        patience_s: plan.timeout_ms.div_ceil(1000) + 1,
    };
    (layout, phases)
}

/// `url` without the user and password that it may name.
pub(crate) fn without_login(url: &reqwest::Url) -> reqwest::Url {
    let mut bare = url.clone();
    // Neither can fail: an address with a host has been asked for.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare
}

/// The address as reports show it.
pub(crate) fn shown(host: &reqwest::Url) -> String {
    without_login(host).to_string()
}

/// Runs `plan`.
///
/// # Errors
/// The service is not there or must not be loaded, or the generator cannot work here.
pub async fn run(plan: &Plan, options: &Options) -> anyhow::Result<Finished> {
    let access = Access::new(options.client(plan)?, options.host.clone());
    // Before this has passed nothing may be commanded: it may be the wrong machine.
    access.check(plan, options.real_is_known).await?;
    let ready = match plan.limiter {
        // What is refused needs no warm barrel.
        Some(_) => Ok(()),
        None => access.warm_up(plan).await,
    };
    let result = match ready {
        // The run is a large value; it lives on the heap.
        Ok(()) => match (&plan.search, &plan.sockets, &plan.limiter) {
            (_, _, Some(limiter)) => {
                Box::pin(crate::engine::limiter::run(plan, limiter, options)).await
            }
            (Some(search), ..) => Box::pin(crate::search::run(plan, search, options)).await,
            (None, Some(sockets), _) => {
                Box::pin(crate::engine::sockets::run(plan, sockets, options)).await
            }
            (None, None, None) => Box::pin(prepared_run(plan, options)).await,
        },
        Err(error) => Err(error),
    };
    // Whatever came of the run, the machine is left cold and still.
    for refusal in access.make_safe(plan).await {
        eprintln!("clean-up: {refusal}");
    }
    result
}

/// One run on a machine that is ready.
pub(crate) async fn prepared_run(plan: &Plan, options: &Options) -> anyhow::Result<Finished> {
    let (layout, spans) = layout(plan, options.short);
    let sampler = Sampler::new(options.client(plan)?, &options.host, options.server_pid).await;
    let started = jiff::Zoned::now();
    let origin = Instant::now() + LEAD;
    let recorder = Recorder::new(layout);
    let field = Arc::new(Field::new(plan, options.client(plan)?, &options.host, origin, recorder)?);
    let watch = Watch::new(plan, &field, sampler, options.progress);
    let (end, ended) = tokio::sync::oneshot::channel();
    let watching = tokio::spawn(watch.run(ended));
    let outcome = Box::pin(phases(plan, options, &field, &spans)).await;
    drain(plan, &field).await;
    // The watcher only goes away by itself when it has panicked, which the join then tells.
    let _ = end.send(());
    let watch = watching.await?;
    outcome?;
    Ok(conclude(plan, options, &field, &spans, watch, &started))
}

/// Runs the phases, or as many of them as an interruption leaves.
async fn phases(
    plan: &Plan,
    options: &Options,
    field: &Arc<Field>,
    spans: &[Span],
) -> anyhow::Result<()> {
    let interrupted = {
        let field = Arc::clone(field);
        tokio::spawn(async move {
            while !interrupt::is_set() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            field.stop();
            goose::trigger_killswitch("interrupted");
        })
    };
    let result = Box::pin(load(plan, options, field, spans)).await;
    interrupted.abort();
    result
}

/// Loads the service phase by phase; consecutive user phases are one continuous load.
async fn load(
    plan: &Plan,
    options: &Options,
    field: &Arc<Field>,
    spans: &[Span],
) -> anyhow::Result<()> {
    let rows: Vec<(&Phase, Span)> = plan.phases.iter().zip(spans.iter().copied()).collect();
    // Kept from phase to phase, with their connections.
    let mut senders = None;
    // Users who no longer send and have not all left.
    let mut leaving: Option<JoinHandle<anyhow::Result<()>>> = None;
    for chunk in rows.chunk_by(|a, b| a.0.engine == Engine::Users && b.0.engine == Engine::Users) {
        if field.is_stopped() {
            break;
        }
        let (phase, span) = chunk[0];
        let (from_us, seconds) = (span.from_s * 1_000_000, span.to_s - span.from_s);
        match phase.engine {
            Engine::Users => {
                // goose runs one attack at a time.
                if let Some(before) = leaving.take() {
                    before.await??;
                }
                tokio::time::sleep_until(field.instant(from_us).into()).await;
                let mut users = users::start(plan, field, options.host.as_str(), chunk)?;
                let end = chunk.last().map_or(span, |(_, last)| *last).to_s * 1_000_000;
                tokio::select! {
                    // Only when it is interrupted or has failed.
                    ended = &mut users => ended??,
                    () = tokio::time::sleep_until(field.instant(end).into()) => {
                        leaving = Some(users);
                    }
                }
            }
            Engine::Rate => {
                let (mix, seed, rate) = (rate::Mix::of(plan), plan.seed, phase.rate);
                let senders = match &mut senders {
                    Some(senders) => senders,
                    none => none.insert(rate::Senders::start(field, || options.client(plan))?),
                };
                let stretch = rate::Stretch { mix, seed, rate, from_us, seconds };
                senders.offer(&stretch).await;
            }
            Engine::Each => single::each(field, plan.seed, from_us, seconds).await,
            Engine::Together => {
                single::together(field, plan.seed, phase.users, from_us, seconds).await;
            }
        }
    }
    match leaving {
        Some(users) => users.await?,
        None => Ok(()),
    }
}

/// Waits for the replies that are still to come, as long as a client would.
async fn drain(plan: &Plan, field: &Field) {
    field.stop();
    let until = Instant::now() + Duration::from_millis(plan.timeout_ms) + LEAD;
    while field.in_flight() > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn conclude(
    plan: &Plan,
    options: &Options,
    field: &Field,
    spans: &[Span],
    mut watch: Watch,
    started: &jiff::Zoned,
) -> Finished {
    let mut recorder = field.recorder();
    let judged = recorder.layout().judged;
    let judge = &mut watch.judge;
    recorder.close_all(judged.to_s, &mut |_, groups| judge.second(groups));
    let changes = watch.sampler.changes();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let evidence = Evidence {
        plan,
        phases: spans,
        recorder: &recorder,
        judge: plan.interval_s.is_some().then_some(&watch.judge),
        server: &watch.server,
        server_changes: changes,
        cores,
    };
    let claims = evidence.claims();
    let lateness = recorder.lateness();
    let lost = [Outcome::Timeout, Outcome::Transport, Outcome::Overdue];
    let answered: u64 = plan
        .phases
        .iter()
        .enumerate()
        .filter(|(_, phase)| phase.judged)
        .flat_map(|(place, _)| recorder.phase(place))
        .map(|t| t.count() - lost.iter().map(|&o| t.outcomes[o as usize]).sum::<u64>())
        .sum();
    let sent = lateness.lag.len() + lateness.missed;
    let shares = watch.shares(cores);
    let trust = Trust {
        lag_p99_ms: crate::measure::histogram::quantile(&lateness.lag, 0.99).unwrap_or(0) as f64
            / 1000.0,
        missed_percent: lateness.missed as f64 * 100.0 / sent.max(1) as f64,
        cpu_percent: shares.generator,
        machine_percent: shares.machine,
        stolen_percent: shares.stolen,
        achieved_percent: offered(plan, spans).map(|o| answered as f64 * 100.0 / o),
        server_changed: changes > 0 && !plan.restart,
    };
    let interrupted = interrupt::is_set();
    let verdict = Verdict::of(&claims, &trust, options.short, interrupted);
    let summary = crate::collect::summary(&crate::collect::Parts {
        plan,
        host: &shown(&options.host),
        started,
        spans,
        recorder: &recorder,
        watch: &watch,
        limits: &limits(plan),
        claims,
        trust,
        verdict,
    });
    let histograms = recorder
        .layout()
        .groups
        .iter()
        .cloned()
        .zip(recorder.groups().iter().map(|g| g.total.due.clone()))
        .collect();
    Finished { summary, histograms }
}
