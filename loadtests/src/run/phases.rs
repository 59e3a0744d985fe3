//! The phases of a plan on a machine that is ready: load, drain, verdict.

use crate::address::shown;
use crate::engine::dispatch::Dispatch;
use crate::engine::{rate, single, users};
use crate::evaluate::{Evidence, claims, limits};
use crate::interrupt;
use crate::layout::layout;
use crate::measure::layout::Span;
use crate::measure::outcome::Outcome;
use crate::measure::recorder::Recorder;
use crate::options::Options;
use crate::plan::{Engine, Phase, Plan};
use crate::resources::ResourceMonitor;
use crate::summary::Finished;
use crate::verdict::{Trust, Verdict};
use crate::watch::Watch;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Time between the last preparation and the first request.
const LEAD: Duration = Duration::from_millis(200);

/// One run on a machine that is ready.
pub(super) async fn run(plan: &Plan, options: &Options) -> anyhow::Result<Finished> {
    let (layout, spans) = layout(plan, options.short);
    let monitor =
        ResourceMonitor::new(options.client(plan)?, &options.host, options.server_pid).await;
    let started = jiff::Zoned::now();
    let origin = Instant::now() + LEAD;
    let recorder = Recorder::new(layout);
    let dispatch =
        Arc::new(Dispatch::new(plan, options.client(plan)?, &options.host, origin, recorder)?);
    let watch = Watch::new(plan, &dispatch, monitor, options.progress);
    let (end, ended) = tokio::sync::oneshot::channel();
    let watching = tokio::spawn(watch.run(ended));
    let outcome = Box::pin(phases(plan, options, &dispatch, &spans)).await;
    drain(plan, &dispatch).await;
    // The watcher only goes away by itself when it has panicked, which the join then tells.
    let _ = end.send(());
    let watch = watching.await?;
    outcome?;
    Ok(conclude(plan, options, &dispatch, &spans, watch, &started))
}

/// Runs the phases, or as many of them as an interruption leaves.
async fn phases(
    plan: &Plan,
    options: &Options,
    dispatch: &Arc<Dispatch>,
    spans: &[Span],
) -> anyhow::Result<()> {
    let interrupted = {
        let dispatch = Arc::clone(dispatch);
        tokio::spawn(async move {
            while !interrupt::is_set() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            dispatch.stop();
            goose::trigger_killswitch("interrupted");
        })
    };
    let result = Box::pin(load(plan, options, dispatch, spans)).await;
    interrupted.abort();
    result
}

/// Loads the service phase by phase; consecutive user phases are one continuous load.
async fn load(
    plan: &Plan,
    options: &Options,
    dispatch: &Arc<Dispatch>,
    spans: &[Span],
) -> anyhow::Result<()> {
    let rows: Vec<(&Phase, Span)> = plan.phases.iter().zip(spans.iter().copied()).collect();
    // Kept from phase to phase, with their connections.
    let mut senders = None;
    // Users who no longer send and have not all left.
    let mut leaving: Option<JoinHandle<anyhow::Result<()>>> = None;
    for chunk in rows.chunk_by(|a, b| a.0.engine == Engine::Users && b.0.engine == Engine::Users) {
        if dispatch.is_stopped() {
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
                tokio::time::sleep_until(dispatch.instant(from_us).into()).await;
                let mut users = users::start(plan, dispatch, options.host.as_str(), chunk)?;
                let end = chunk.last().map_or(span, |(_, last)| *last).to_s * 1_000_000;
                tokio::select! {
                    // Only when it is interrupted or has failed.
                    ended = &mut users => ended??,
                    () = tokio::time::sleep_until(dispatch.instant(end).into()) => {
                        leaving = Some(users);
                    }
                }
            }
            Engine::Rate => {
                let (mix, seed, rate) = (rate::Mix::of(plan)?, plan.seed, phase.rate);
                let senders = match &mut senders {
                    Some(senders) => senders,
                    none => none.insert(rate::Senders::start(dispatch, || options.client(plan))?),
                };
                let stretch = rate::Stretch { mix, seed, rate, from_us, seconds };
                senders.offer(&stretch).await;
            }
            Engine::Each => single::each(dispatch, plan.seed, from_us, seconds).await,
            Engine::Together => {
                single::together(dispatch, plan.seed, phase.users, from_us, seconds).await;
            }
        }
    }
    match leaving {
        Some(users) => users.await?,
        None => Ok(()),
    }
}

/// Waits for the replies that are still to come, as long as a client would.
async fn drain(plan: &Plan, dispatch: &Dispatch) {
    dispatch.stop();
    let until = Instant::now() + Duration::from_millis(plan.timeout_ms) + LEAD;
    while dispatch.in_flight() > 0 && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn conclude(
    plan: &Plan,
    options: &Options,
    dispatch: &Dispatch,
    spans: &[Span],
    mut watch: Watch,
    started: &jiff::Zoned,
) -> Finished {
    let mut recorder = dispatch.recorder();
    let judged = recorder.layout().judged;
    let judge = &mut watch.judge;
    recorder.close_all(judged.to_s, &mut |_, groups| judge.second(groups));
    let changes = watch.monitor.changes();
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
    let claims = claims(&evidence);
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
        steal_percent: shares.steal,
        achieved_percent: plan.offered(spans).map(|o| answered as f64 * 100.0 / o),
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
