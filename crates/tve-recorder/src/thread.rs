//! The recorder thread: turns ten times a second, woken early for what is urgent.

use crate::csv::RunText;
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::engine::{Engine, MachineNote};
use crate::handle::RecorderHandle;
use crate::history::History;
use crate::inbox::Batch;
use crate::layout::Layout;
use crate::local_time::LocalTime;
use crate::reload::reload;
use crate::shared::{Shared, lock};
use crate::{LoggingSettings, RecorderError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tve_config::MachineConfig;
use tve_control::LoggingHealth;
use tve_units::WallMillis;

/// Longest time that a row or a sample waits to be looked at.
const TURN: Duration = Duration::from_millis(100);

/// What the recorder needs to begin.
#[derive(Debug)]
pub struct RecorderConfig {
    /// Where everything goes; stays locked while the recorder runs.
    pub data_dir: DataDir,
    /// How runs are recorded.
    pub logging: LoggingSettings,
    /// Whose rows and samples they are; another layout needs another recorder.
    pub machine: Arc<MachineConfig>,
}

/// The running recorder; [`shutdown_within`](Self::shutdown_within) ends it in order.
pub struct Recorder {
    shared: Arc<Shared>,
    end: Arc<End>,
    thread: JoinHandle<()>,
}

/// How a shutdown is asked for and answered.
#[derive(Default)]
struct End {
    state: Mutex<EndState>,
    changed: Condvar,
}

#[derive(Default)]
struct EndState {
    wanted: bool,
    reached: bool,
}

/// Reports the end of the thread however it comes.
struct EndGuard {
    end: Arc<End>,
    shared: Arc<Shared>,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.set_busy(None);
            self.shared.set_health(LoggingHealth { failed: true, disk_low: false });
        }
        lock(&self.end.state).reached = true;
        self.end.changed.notify_all();
    }
}

impl Recorder {
    /// Starts the thread. The session record of this process begins here, so the one of the last
    /// process must have been read ([`load_previous_session`](crate::load_previous_session)).
    ///
    /// # Errors
    /// [`RecorderError::Thread`] when the system refuses one.
    pub fn start(config: RecorderConfig, disk: Box<dyn Disk>) -> Result<Self, RecorderError> {
        Self::start_at(config, disk, LocalTime::of_system())
    }

    fn start_at(
        config: RecorderConfig,
        disk: Box<dyn Disk>,
        local: LocalTime,
    ) -> Result<Self, RecorderError> {
        let layout = Arc::new(Layout::of(&config.machine));
        let shared = Arc::new(Shared::new(config.logging.interval, Arc::clone(&layout)));
        let end = Arc::new(End::default());
        let guard = EndGuard { end: Arc::clone(&end), shared: Arc::clone(&shared) };
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || {
                let text = RunText::new(layout, local);
                let engine = Engine::new(config.data_dir.path(), config.logging, disk, text);
                run(engine, &guard);
                // The lock of the folder outlives the last write.
                drop(config.data_dir);
            })
            .map_err(|source| RecorderError::Thread { source })?;
        // Empty before this line, so it is set here and nowhere else.
        let _: Result<(), _> = shared.thread.set(thread.thread().clone());
        Ok(Self { shared, end, thread })
    }

    /// An end for another thread.
    pub fn handle(&self) -> RecorderHandle {
        RecorderHandle::new(Arc::clone(&self.shared))
    }

    /// Writes what waits, notes the clean end of the session and ends the thread. Returns within
    /// `limit`, with `false` when the disk did not let it finish; the thread is then left behind,
    /// and the session counts as clean only if its record was already written.
    pub fn shutdown_within(self, limit: Duration) -> bool {
        let mut state = lock(&self.end.state);
        state.wanted = true;
        self.thread.thread().unpark();
        let (state, _) = self
            .end
            .changed
            .wait_timeout_while(state, limit, |state| !state.reached)
            .unwrap_or_else(PoisonError::into_inner);
        let reached = state.reached;
        drop(state);
        // The guard reports from within the thread, so joining takes no time worth bounding.
        reached && self.thread.join().is_ok()
    }
}

fn run(mut engine: Engine, guard: &EndGuard) {
    let shared = &guard.shared;
    let mut batch = Batch::new();
    let mut begun = false;
    loop {
        let last = lock(&guard.end.state).wanted;
        let now = shared.now();
        let mut inbox = shared.inbox();
        if last {
            inbox.stop_run();
        }
        inbox.swap_into(&mut batch);
        drop(inbox);
        shared.set_busy(Some(now));
        let wall = wall_clock();
        let machine =
            MachineNote { energised: shared.is_energised(), overrun: shared.is_overrun() };
        take_segments(&mut engine, shared);
        if last {
            engine.finish(now, wall, machine, &mut batch, &shared.history);
        } else {
            engine.turn(now, wall, machine, &mut batch, &shared.history);
        }
        publish(&engine, shared);
        shared.set_busy(None);
        if last {
            return;
        }
        if !begun {
            // After the first turn: the session record must not wait for a long file.
            begun = true;
            load_history(&engine, shared, wall);
        }
        std::thread::park_timeout(TURN);
    }
}

/// Moves what the control thread has recorded into the ring, and gives its buffers back.
fn take_segments(engine: &mut Engine, shared: &Shared) {
    loop {
        let Some(segment) = lock(&shared.handover).full.pop_front() else {
            return;
        };
        engine.ring().push(&segment);
        lock(&shared.handover).free.push(segment);
    }
}

fn publish(engine: &Engine, shared: &Shared) {
    let status = engine.status();
    shared.set_health(LoggingHealth { failed: status.failed, disk_low: status.disk_low });
    let mut shown = lock(&shared.status);
    if *shown != *status {
        shown.clone_from(status);
    }
}

/// Puts the last run in front of the samples that have come in since the start.
fn load_history(engine: &Engine, shared: &Shared, wall: WallMillis) {
    let layout = engine.layout();
    let mut loaded = History::new(Arc::clone(layout));
    if let Err(error) = reload(layout, &mut loaded, engine.folder(), wall) {
        tracing::warn!(%error, folder = %engine.folder().display(), "history not restored");
    }
    let mut current = shared.history.write().unwrap_or_else(PoisonError::into_inner);
    loaded.append(&current);
    *current = loaded;
}

fn wall_clock() -> WallMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallMillis::new(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
