//! Looks at a run once a second: closes seconds, feeds the judge, samples the service, shows where
//! the run stands.

use crate::engine::dispatch::Dispatch;
use crate::evaluate::limits;
use crate::judge::Judge;
use crate::measure::recorder::MOMENT_US;
use crate::measure::timeline::Timeline;
use crate::plan::Plan;
use crate::resources::{MachineTime, ResourceMonitor, ServerPoint, machine, own};
use crate::steal::StealTime;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::oneshot;

/// Seconds between two lines where stderr is a file.
const LINE_EVERY_S: u64 = 30;

/// Processor time up to an instant.
#[derive(Debug, Clone, Copy)]
struct Spent {
    at: Instant,
    own_s: f64,
    machine: MachineTime,
}

/// Who used this machine's processors over the judged stretch, %.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shares {
    /// This process, of the whole machine.
    pub generator: f64,
    /// What everybody wanted, of the whole machine.
    pub machine: f64,
    /// What the host gave to others, of that.
    pub steal: f64,
}

/// The watcher of a run.
#[derive(Debug)]
pub(crate) struct Watch {
    dispatch: Arc<Dispatch>,
    /// Judges the seconds that are closed.
    pub judge: Judge,
    /// Looks at the service.
    pub monitor: ResourceMonitor,
    /// The service's course.
    pub server: Timeline<ServerPoint>,
    /// Resident memory of this process at the start, at the end and at its highest, MB.
    pub rss_mb: [f64; 3],
    /// Processor time at the start and at the end of the judged stretch.
    spent: [Option<Spent>; 2],
    steal: StealTime,
    groups: Vec<String>,
    limits_us: Vec<Option<u64>>,
    continuous: bool,
    progress: bool,
    terminal: bool,
    end_s: u64,
}

impl Watch {
    /// A watcher of the run on `dispatch`.
    pub(crate) fn new(
        plan: &Plan,
        dispatch: &Arc<Dispatch>,
        monitor: ResourceMonitor,
        progress: bool,
    ) -> Self {
        let layout = dispatch.recorder().layout().clone();
        let limits = limits(plan);
        let limits_us = limits.iter().map(|l| l.p95_us).collect();
        let rss = own().1;
        Self {
            dispatch: Arc::clone(dispatch),
            judge: Judge::new(limits, layout.interval_s as u64, layout.slice_s as u64),
            monitor,
            server: Timeline::default(),
            rss_mb: [rss; 3],
            spent: [None; 2],
            steal: StealTime::default(),
            groups: layout.groups,
            limits_us,
            continuous: plan.interval_s.is_some(),
            progress,
            terminal: std::io::stderr().is_terminal(),
            end_s: layout.phases.last().map_or(0, |p| p.to_s),
        }
    }

    /// Looks once a second, and once a moment at what the host takes, until `ended`.
    pub(crate) async fn run(mut self, mut ended: oneshot::Receiver<()>) -> Self {
        for moment in 0.. {
            let next = self.dispatch.instant(moment * MOMENT_US);
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                _ = &mut ended => break,
            }
            let machine = machine();
            if let Some(quiet) = self.steal.look(moment, next.elapsed(), machine.steal_s) {
                self.dispatch.recorder().quiet(quiet);
            }
            if (moment * MOMENT_US).is_multiple_of(1_000_000) {
                self.look(moment * MOMENT_US / 1_000_000, machine).await;
            }
        }
        if self.progress && self.terminal {
            eprintln!();
        }
        self
    }

    async fn look(&mut self, second: u64, machine: MachineTime) {
        let (cpu_s, rss_mb) = own();
        self.rss_mb[1] = rss_mb;
        self.rss_mb[2] = self.rss_mb[2].max(rss_mb);
        let judged = {
            let mut recorder = self.dispatch.recorder();
            let judge = &mut self.judge;
            recorder.close(second, &mut |_, groups| judge.second(groups));
            recorder.layout().judged
        };
        let spent = Some(Spent { at: Instant::now(), own_s: cpu_s, machine });
        if second >= judged.from_s && self.spent[0].is_none() {
            self.spent[0] = spent;
        }
        if second <= judged.to_s {
            self.spent[1] = spent;
        }
        let users = self.dispatch.users.load(Ordering::Relaxed);
        let point = self.monitor.look(users).await;
        // A second without a look still takes its place on the axis.
        let gone = ServerPoint { users: users as f64, ..ServerPoint::default() };
        self.server.push(point.unwrap_or(gone));
        if self.progress && (self.terminal || second.is_multiple_of(LINE_EVERY_S)) {
            self.show(second, users);
        }
    }

    fn show(&self, second: u64, users: usize) {
        let left = self.end_s.saturating_sub(second);
        let mut line = format!("{:3}:{:02} left, {users} users", left / 60, left % 60);
        for ((group, second), limit) in
            self.groups.iter().zip(self.judge.newest()).zip(&self.limits_us)
        {
            let p95 = second.slice.latency.p95_us as f64 / 1000.0;
            let _ = write!(line, " | {group} p95 {p95:.1}");
            if let Some(limit) = limit {
                let _ = write!(line, "/{:.0}", *limit as f64 / 1000.0);
            }
            let _ = write!(line, " ms");
        }
        if self.continuous {
            let judgement = self.judge.judgement();
            let streak = judgement.streaks.iter().map(|s| s.now_s).min().unwrap_or(0);
            let _ = write!(line, " | green {streak}/{} s", judgement.interval_s);
        }
        let mut err = std::io::stderr().lock();
        // A terminal that is gone is no reason to end a run.
        let _ = if self.terminal {
            write!(err, "\r\x1b[K{line}").and_then(|()| err.flush())
        } else {
            writeln!(err, "{line}")
        };
    }

    /// Who used the processors of a machine with so many cores.
    pub(crate) fn shares(&self, cores: usize) -> Shares {
        let [Some(from), Some(to)] = self.spent else { return Shares::default() };
        let whole_s = to.at.saturating_duration_since(from.at).as_secs_f64() * cores as f64;
        let used_s = to.machine.used_s - from.machine.used_s;
        let steal_s = to.machine.steal_s - from.machine.steal_s;
        let percent = |part: f64, of: f64| if of > 0.0 { part / of * 100.0 } else { 0.0 };
        Shares {
            generator: percent(to.own_s - from.own_s, whole_s),
            machine: percent(used_s + steal_s, whole_s),
            steal: percent(steal_s, used_s + steal_s),
        }
    }
}
