//! Figures of the service's process and of this one, once a second.

use crate::measure::timeline::Merge;
use procfs::CurrentSI as _;
use procfs::process::{FDTarget, Process, all_processes};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Longest that a look at /metrics may take; it must not disturb the next one.
const METRICS_PATIENCE: Duration = Duration::from_millis(800);

/// Bytes of a megabyte, as in every figure of memory here.
pub(crate) const MB: f64 = 1_000_000.0;

/// One look at the service.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ServerPoint {
    /// Processor time since the last look, % of one core.
    pub cpu_percent: f64,
    /// Resident memory, MB.
    pub rss_mb: f64,
    /// Open descriptors.
    pub descriptors: f64,
    /// Threads.
    pub threads: f64,
    /// Users of the generator.
    pub users: f64,
    /// Ticks of the control loop that came a period late or more, since its start.
    pub overruns: f64,
}

impl Merge for ServerPoint {
    fn merge(&mut self, later: &Self) {
        self.cpu_percent = self.cpu_percent.max(later.cpu_percent);
        self.users = self.users.max(later.users);
        self.rss_mb = later.rss_mb;
        self.descriptors = later.descriptors;
        self.threads = later.threads;
        self.overruns = later.overruns;
    }
}

/// Which process it is: its number and the instant of its start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Identity {
    /// Number; 0 where it is only known over the network.
    pub pid: i32,
    /// Start: clock ticks since boot of a local process, s since 1970 of a remote one.
    pub start: f64,
}

/// Where the figures come from.
#[derive(Debug)]
enum Source {
    Local(i32),
    Remote,
    Nothing,
}

/// Looks at the service.
#[derive(Debug)]
pub(crate) struct ResourceMonitor {
    source: Source,
    client: reqwest::Client,
    metrics: reqwest::Url,
    has_metrics: bool,
    last: Option<(Instant, f64)>,
    port: u16,
    first: Option<Identity>,
    changes: u32,
}

/// The process that listens on `port` of this machine, if we may see it.
pub(crate) fn listener(port: u16) -> Option<i32> {
    let mut sockets = procfs::net::tcp().unwrap_or_default();
    sockets.extend(procfs::net::tcp6().unwrap_or_default());
    let inode = sockets
        .iter()
        .find(|s| s.local_address.port() == port && s.state == procfs::net::TcpState::Listen)?
        .inode;
    all_processes().ok()?.flatten().find_map(|process| {
        let descriptors = process.fd().ok()?;
        descriptors
            .flatten()
            .any(|d| matches!(d.target, FDTarget::Socket(i) if i == inode))
            .then_some(process.pid)
    })
}

impl ResourceMonitor {
    /// Looks at process `pid` when it is given, else at the one that listens at `host` on this
    /// machine, else at what /metrics of `host` tells.
    pub(crate) async fn new(
        client: reqwest::Client,
        host: &reqwest::Url,
        pid: Option<i32>,
    ) -> Self {
        let port = host.port_or_known_default().unwrap_or(0);
        let here = host.host_str().is_some_and(|name| {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        });
        let found = pid.or_else(|| here.then(|| listener(port)).flatten());
        let metrics = host.join("/metrics").unwrap_or_else(|_| host.clone());
        let mut monitor = Self {
            source: Source::Nothing,
            client,
            metrics,
            has_metrics: false,
            last: None,
            port,
            first: None,
            changes: 0,
        };
        let text = monitor.fetch().await;
        monitor.has_metrics = text.as_deref().is_some_and(|t| value(t, START).is_some());
        monitor.source = match found {
            Some(pid) => Source::Local(pid),
            None if monitor.has_metrics => Source::Remote,
            None => Source::Nothing,
        };
        monitor
    }

    async fn fetch(&self) -> Option<String> {
        let reply =
            self.client.get(self.metrics.clone()).timeout(METRICS_PATIENCE).send().await.ok()?;
        if !reply.status().is_success() {
            return None;
        }
        reply.text().await.ok()
    }

    /// One look; `None` where nothing can be seen.
    pub(crate) async fn look(&mut self, users: usize) -> Option<ServerPoint> {
        let text = if self.has_metrics { self.fetch().await } else { None };
        let metric = |name: &str| text.as_deref().and_then(|t| value(t, name));
        let overruns = metric("tve_control_overruns_total").unwrap_or(0.0);
        let (mut point, cpu_s, identity) = match self.source {
            Source::Nothing => return None,
            Source::Local(pid) => {
                if let Some(seen) = local(pid) {
                    seen
                } else {
                    // It is gone; whoever listens now has taken its place.
                    let pid = listener(self.port)?;
                    self.source = Source::Local(pid);
                    self.last = None;
                    local(pid)?
                }
            }
            Source::Remote => (
                ServerPoint {
                    rss_mb: metric("process_resident_memory_bytes")? / MB,
                    descriptors: metric("process_open_fds").unwrap_or(0.0),
                    threads: metric("process_threads").unwrap_or(0.0),
                    ..ServerPoint::default()
                },
                metric("process_cpu_seconds_total").unwrap_or(0.0),
                Identity { pid: 0, start: metric(START)? },
            ),
        };
        let first = *self.first.get_or_insert(identity);
        if first != identity {
            self.changes += 1;
            self.first = Some(identity);
        }
        let now = Instant::now();
        if let Some((then, before)) = self.last {
            let wall = now.saturating_duration_since(then).as_secs_f64();
            if wall > 0.0 {
                point.cpu_percent = ((cpu_s - before) / wall * 100.0).max(0.0);
            }
        }
        self.last = Some((now, cpu_s));
        point.users = users as f64;
        point.overruns = overruns;
        Some(point)
    }

    /// How often the process was another one than before.
    pub(crate) fn changes(&self) -> u32 {
        self.changes
    }

    /// The process that was seen last.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.first
    }
}

const START: &str = "process_start_time_seconds";

/// The value of the metric `name` without labels.
pub(crate) fn value(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

fn local(pid: i32) -> Option<(ServerPoint, f64, Identity)> {
    let process = Process::new(pid).ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let point = ServerPoint {
        rss_mb: (stat.rss * procfs::page_size()) as f64 / MB,
        descriptors: process.fd_count().unwrap_or(0) as f64,
        threads: stat.num_threads as f64,
        ..ServerPoint::default()
    };
    let cpu_s = (stat.utime + stat.stime) as f64 / ticks;
    Some((point, cpu_s, Identity { pid, start: stat.starttime as f64 }))
}

/// Processor time (s) and resident memory (MB) of this process.
pub(crate) fn own() -> (f64, f64) {
    let Ok(stat) = Process::myself().and_then(|p| p.stat()) else { return (0.0, 0.0) };
    let ticks = procfs::ticks_per_second() as f64;
    ((stat.utime + stat.stime) as f64 / ticks, (stat.rss * procfs::page_size()) as f64 / MB)
}

/// Processor time of this machine since its boot, s, of all its processors together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct MachineTime {
    /// Used by anybody.
    pub used_s: f64,
    /// Wanted, and given to others by the host; 0 where there is none.
    pub steal_s: f64,
}

/// Processor time of this machine; zero where it cannot be seen.
pub(crate) fn machine() -> MachineTime {
    let Ok(stat) = procfs::KernelStats::current() else { return MachineTime::default() };
    let total = &stat.total;
    let interrupts = total.irq.unwrap_or(0) + total.softirq.unwrap_or(0);
    let used = total.user + total.nice + total.system + interrupts;
    let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
    MachineTime { used_s: seconds(used), steal_s: seconds(total.steal.unwrap_or(0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_by_its_whole_name() {
        let text = "# TYPE a gauge\na_b 1\na{x=\"1\"} 2\na 3.5\n";
        assert_eq!(value(text, "a"), Some(3.5));
        assert_eq!(value(text, "b"), None);
    }

    #[test]
    fn the_process_that_listens_is_found() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(listener(port), Some(std::process::id().cast_signed()));
        let (_, rss_mb) = own();
        assert!(rss_mb > 1.0);
    }
}
