//! What the control loop counts about itself; written by one thread, read by /metrics and /ready.
//!
//! *Lateness*: how long after its deadline a tick began. *Overrun*: a tick that began a whole
//! period late or more. *Skipped*: ticks that never took place because the one before them ended
//! after the deadline of the next but one.

use super::OVERRUN;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Upper edges of the histograms, microseconds. The objectives of the loop are 150 and 300 µs.
pub const EDGES_US: [u64; 12] =
    [10, 25, 50, 100, 150, 300, 500, 1_000, 2_000, 5_000, 10_000, 100_000];

/// A histogram of durations with one writer.
#[derive(Debug, Default)]
pub struct DurationHistogram {
    buckets: [AtomicU64; EDGES_US.len() + 1],
    sum_ns: AtomicU64,
}

impl DurationHistogram {
    fn record(&self, duration: Duration) {
        let us = duration.as_micros() as u64;
        let index = EDGES_US.iter().position(|&edge| us <= edge).unwrap_or(EDGES_US.len());
        self.buckets[index].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Counts by bucket (the last is everything beyond the last edge), and the sum in seconds.
    pub fn read(&self) -> ([u64; EDGES_US.len() + 1], f64) {
        let counts = std::array::from_fn(|i| self.buckets[i].load(Ordering::Relaxed));
        (counts, self.sum_ns.load(Ordering::Relaxed) as f64 * 1e-9)
    }
}

/// The counters of the control loop.
#[derive(Debug)]
pub struct LoopStats {
    epoch: Instant,
    ticks: AtomicU64,
    last_tick_ms: AtomicU64,
    overruns: AtomicU64,
    skipped: AtomicU64,
    hardware_errors: AtomicU64,
    commands: AtomicU64,
    guard_cuts: AtomicU64,
    cut: AtomicBool,
    realtime: AtomicBool,
    hardware_present: AtomicBool,
    lateness: DurationHistogram,
    busy: DurationHistogram,
    fault: Mutex<Option<String>>,
}

impl LoopStats {
    pub(crate) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            ticks: AtomicU64::new(0),
            last_tick_ms: AtomicU64::new(0),
            overruns: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            hardware_errors: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            guard_cuts: AtomicU64::new(0),
            cut: AtomicBool::new(false),
            realtime: AtomicBool::new(false),
            hardware_present: AtomicBool::new(false),
            lateness: DurationHistogram::default(),
            busy: DurationHistogram::default(),
            fault: Mutex::new(None),
        }
    }

    pub(crate) fn tick(&self, began: Instant, lateness: Duration, busy: Duration) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        let ms = began.saturating_duration_since(self.epoch).as_millis() as u64;
        self.last_tick_ms.store(ms, Ordering::Relaxed);
        self.lateness.record(lateness);
        self.busy.record(busy);
    }

    pub(crate) fn overrun(&self) {
        self.overruns.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn skip(&self, ticks: u64) {
        self.skipped.fetch_add(ticks, Ordering::Relaxed);
    }

    pub(crate) fn hardware_error(&self) {
        self.hardware_errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn command(&self) {
        self.commands.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn set_realtime(&self) {
        self.realtime.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_hardware_present(&self, present: bool) {
        self.hardware_present.store(present, Ordering::Relaxed);
    }

    /// Keeps `sentence` for whoever logs; never waits for a reader.
    pub(crate) fn report(&self, sentence: String) {
        if let Ok(mut fault) = self.fault.try_lock() {
            *fault = Some(sentence);
        }
    }

    /// The newest sentence, once.
    pub(crate) fn take_report(&self) -> Option<String> {
        self.fault.lock().ok().and_then(|mut fault| fault.take())
    }

    /// Ticks since start.
    pub fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Ticks that began a period late or more.
    pub fn overruns(&self) -> u64 {
        self.overruns.load(Ordering::Relaxed)
    }

    /// Ticks that never took place.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// How long after their deadlines ticks began.
    pub fn lateness(&self) -> &DurationHistogram {
        &self.lateness
    }

    /// How long ticks took.
    pub fn busy(&self) -> &DurationHistogram {
        &self.busy
    }

    /// Transfers with the machine that failed.
    pub fn hardware_errors(&self) -> u64 {
        self.hardware_errors.load(Ordering::Relaxed)
    }

    /// The guard turns everything off.
    pub(crate) fn cut(&self) {
        self.guard_cuts.fetch_add(1, Ordering::Relaxed);
        self.cut.store(true, Ordering::Release);
    }

    /// Whether the guard has done so since the last call.
    pub(crate) fn take_cut(&self) -> bool {
        self.cut.swap(false, Ordering::AcqRel)
    }

    /// Times the guard has turned every output off.
    pub fn guard_cuts(&self) -> u64 {
        self.guard_cuts.load(Ordering::Relaxed)
    }

    /// Commands that reached the controller.
    pub fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// Whether the system granted real-time scheduling.
    pub fn is_realtime(&self) -> bool {
        self.realtime.load(Ordering::Relaxed)
    }

    /// Whether the machine answers.
    pub fn hardware_present(&self) -> bool {
        self.hardware_present.load(Ordering::Relaxed)
    }

    /// Time since the newest tick began.
    pub(crate) fn since_last_tick(&self) -> Duration {
        let last = Duration::from_millis(self.last_tick_ms.load(Ordering::Relaxed));
        self.epoch.elapsed().saturating_sub(last)
    }

    /// Whether a tick has begun within the bound of CONTROL_OVERRUN.
    pub fn is_ticking(&self) -> bool {
        self.since_last_tick() < OVERRUN
    }

    /// Time since the process made these counters.
    pub fn uptime(&self) -> Duration {
        self.epoch.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lands_in_the_first_bucket_that_holds_it() {
        let histogram = DurationHistogram::default();
        for us in [10, 11, 150, 200_000] {
            histogram.record(Duration::from_micros(us));
        }
        let (counts, sum) = histogram.read();
        assert_eq!(counts[0], 1);
        assert_eq!(counts[1], 1);
        assert_eq!(counts[4], 1);
        assert_eq!(counts[EDGES_US.len()], 1);
        assert!((sum - 0.200_171).abs() < 1e-9);
    }
}
