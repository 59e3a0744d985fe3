//! The guard thread: sees that ticks advance, and turns everything off by a way of its own when
//! they do not.
//!
//! It reads two atomics of the control loop and takes none of its locks. *Standing*: no tick has
//! begun for 500 ms.

use crate::realtime;
use crate::runner::{LoopStats, OVERRUN};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tve_config::MachineConfig;
use tve_hal::{Hardware, HardwareError, Inputs, MachineKind, Outputs};
use tve_recorder::RecorderHandle;
use tve_rpi::OffSwitch;
use tve_units::Micros;

/// Longest time between two looks; a watchdog may ask for shorter ones.
const LOOK: Duration = Duration::from_millis(490);
/// Shortest time between two looks, so that a clock at the limit makes no busy loop.
const SHORTEST_LOOK: Duration = Duration::from_millis(1);
/// The watchdog is fed this many times in its period.
const FEEDS: u32 = 4;

/// A way to "every output off" that needs nothing of the control thread.
pub(crate) trait SafeOff: Send {
    /// Turns every output off, now.
    ///
    /// # Errors
    /// When some of them could not be reached.
    fn off(&mut self) -> Result<(), HardwareError>;
}

impl SafeOff for OffSwitch {
    fn off(&mut self) -> Result<(), HardwareError> {
        OffSwitch::off(self)
    }
}

/// Cuts the power of a [`Switched`] machine.
#[derive(Clone, Default)]
pub(crate) struct KillSwitch(Arc<AtomicBool>);

impl SafeOff for KillSwitch {
    fn off(&mut self) -> Result<(), HardwareError> {
        self.0.store(true, Ordering::Release);
        Ok(())
    }
}

/// A simulator with a kill switch. Simulated time stands while nobody reads the machine, so the
/// cut takes effect before the next reading and with it before any heat of the time between.
pub(crate) struct Switched<H> {
    machine: H,
    switch: KillSwitch,
}

impl<H> Switched<H> {
    pub(crate) fn new(machine: H, switch: KillSwitch) -> Self {
        Self { machine, switch }
    }
}

impl<H: Hardware> Hardware for Switched<H> {
    fn kind(&self) -> MachineKind {
        self.machine.kind()
    }

    fn configure(&mut self, config: &Arc<MachineConfig>) -> Result<(), HardwareError> {
        self.machine.configure(config)
    }

    fn read(&mut self, now: Micros, inputs: &mut Inputs) -> Result<(), HardwareError> {
        if self.switch.0.swap(false, Ordering::AcqRel) {
            self.machine.safe();
        }
        self.machine.read(now, inputs)
    }

    fn apply(&mut self, now: Micros, outputs: &Outputs) -> Result<(), HardwareError> {
        self.machine.apply(now, outputs)
    }

    fn safe(&mut self) {
        self.machine.safe();
    }
}

/// What the guard is made of.
pub(crate) struct Parts {
    pub(crate) stats: Arc<LoopStats>,
    pub(crate) switch: Box<dyn SafeOff>,
    pub(crate) recorder: RecorderHandle,
    /// Ask for real-time scheduling, above the control thread.
    pub(crate) realtime: bool,
    /// Period of the watchdog, and how to feed it.
    pub(crate) watchdog: Option<(Duration, fn())>,
}

/// The running guard; it ends when this is dropped.
pub(crate) struct Guard {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Guard {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn start(parts: Parts) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread =
            std::thread::Builder::new().name("guard".into()).spawn(move || watch(parts, &told))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A guard that fell over has nothing more to say.
            let _ = thread.join();
        }
    }
}

fn watch(mut parts: Parts, stop: &AtomicBool) {
    // The control thread has reported the refusal; the guard then is an ordinary thread too.
    let _ = realtime::precede(realtime::GUARD, parts.realtime);
    let look = parts.watchdog.map_or(LOOK, |(period, _)| LOOK.min(period / FEEDS));
    let mut fed_at = 0;
    let mut cut = false;
    while !stop.load(Ordering::Acquire) {
        let standing = parts.stats.since_last_tick();
        if standing < OVERRUN {
            cut = false;
        } else if !cut {
            cut = true;
            // First, so that a loop that wakes up meanwhile knows what has happened to its machine.
            parts.stats.cut();
            let done = parts.switch.off();
            parts.recorder.overrun(true);
            let standing_ms = standing.as_millis() as u64;
            match done {
                Ok(()) => tracing::error!(standing_ms, "no tick: every output is off"),
                Err(error) => {
                    tracing::error!(standing_ms, %error, "no tick: some output stayed on");
                }
            }
        }
        let ticks = parts.stats.ticks();
        if let Some((_, feed)) = parts.watchdog
            && ticks != fed_at
        {
            fed_at = ticks;
            feed();
        }
        let left = OVERRUN.saturating_sub(standing);
        let pause = if cut { look } else { look.min(left).max(SHORTEST_LOOK) };
        std::thread::park_timeout(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use std::time::Instant;
    use tve_config::Config;
    use tve_recorder::{DataDir, LoggingSettings, RealDisk, Recorder, RecorderConfig};

    #[derive(Clone, Default)]
    struct Counted(Arc<AtomicU64>);

    impl SafeOff for Counted {
        fn off(&mut self) -> Result<(), HardwareError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    static FED: AtomicU64 = AtomicU64::new(0);

    fn feed() {
        FED.fetch_add(1, Ordering::SeqCst);
    }

    fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(20), "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
        began.elapsed()
    }

    #[test]
    fn ticks_that_stop_are_cut_once_noted_for_the_next_process_and_starve_the_watchdog() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = DataDir::open(folder.path()).unwrap();
        let config = RecorderConfig {
            data_dir,
            logging: LoggingSettings::default(),
            machine: Config::embedded().machine(),
        };
        let recorder = Recorder::start(config, Box::new(RealDisk)).unwrap();
        let stats = Arc::new(LoopStats::new());
        let switch = Counted::default();
        let guard = Guard::start(Parts {
            stats: Arc::clone(&stats),
            switch: Box::new(switch.clone()),
            recorder: recorder.handle(),
            realtime: false,
            watchdog: Some((Duration::from_millis(200), feed)),
        })
        .unwrap();
        // A second of ticks: fed, not cut.
        until("fed", || {
            stats.tick(Instant::now(), Duration::ZERO, Duration::ZERO);
            FED.load(Ordering::SeqCst) >= 20
        });
        assert_eq!(switch.0.load(Ordering::SeqCst), 0);
        stats.tick(Instant::now(), Duration::ZERO, Duration::ZERO);
        let after = until("cut", || switch.0.load(Ordering::SeqCst) == 1);
        assert!(after >= Duration::from_millis(495), "{after:?}");
        let fed = FED.load(Ordering::SeqCst);
        until("noted", || tve_recorder::load_previous_session(folder.path()).overrun);
        assert!(FED.load(Ordering::SeqCst) <= fed, "a standing loop feeds no watchdog");
        assert_eq!(switch.0.load(Ordering::SeqCst), 1);
        // It goes on and stands again.
        stats.tick(Instant::now(), Duration::ZERO, Duration::ZERO);
        until("cut again", || switch.0.load(Ordering::SeqCst) == 2);
        drop(guard);
        assert!(recorder.shutdown_within(Duration::from_secs(10)));
    }
}
