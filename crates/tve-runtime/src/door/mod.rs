//! The one door of every front: what can be asked of the service, and nothing else of it.
//!
//! A front brings requests to [`Door::execute`], reads the machine by [`Door::newest`] and hears of
//! it by [`Door::changes`]. Who asks is found out by [`Door::access`].

mod changes;
mod configuration;
mod configure;
mod confirm;
mod elsewhere;
mod execute;
mod files;

pub use changes::Changes;
pub use configuration::{ConfigChange, Expected, Veto, tag};
pub(crate) use configure::Kept;
pub(crate) use confirm::{Confirmations, Second};
pub(crate) use elsewhere::StopsFromElsewhere;
pub use execute::Asked;

use crate::access::Access;
use crate::refused::ServiceError;
use crate::runner::{AlarmBook, AlarmPages, CommandSender, LoopStats, Newest, Published};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use tve_audit::{AuditHandle, AuditStatus};
use tve_recorder::{RecorderHandle, RecorderStatus, Samples, Selection};

/// The service behind its door.
pub(crate) struct Service {
    pub(crate) commands: CommandSender,
    pub(crate) newest: Newest,
    pub(crate) stats: Arc<LoopStats>,
    pub(crate) alarms: Arc<AlarmBook>,
    pub(crate) recorder: RecorderHandle,
    pub(crate) audit: AuditHandle,
    pub(crate) access: Arc<Access>,
    /// `state.machine`.
    pub(crate) machine: &'static str,
    /// Why the configuration file was refused, one line a fault.
    pub(crate) config_errors: Vec<String>,
    pub(crate) data_dir: PathBuf,
    /// Where SAVE_CONFIG writes.
    pub(crate) config_path: PathBuf,
    pub(crate) veto: Veto,
    /// One save at a time, so that generations do not mix.
    pub(crate) saving: Mutex<()>,
    /// One change of the configuration at a time, so that each knows what it has changed.
    pub(crate) configuring: tokio::sync::Mutex<()>,
    /// Configurations that the control thread may still hold.
    pub(crate) kept: Kept,
    /// Emergency stops by pages of elsewhere, on their way into the journal.
    pub(crate) from_elsewhere: StopsFromElsewhere,
    /// The change that waits for a second confirmation.
    pub(crate) confirmations: Confirmations,
}

/// The way in. Cheap to clone.
#[derive(Clone)]
pub struct Door(Arc<Service>);

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Door").field(&self.0.machine).finish()
    }
}

impl Door {
    pub(crate) fn new(service: Arc<Service>) -> Self {
        Self(service)
    }

    /// The newest machine, without a lock. It is immutable; hold it for microseconds.
    pub fn newest(&self) -> impl Deref<Target = Arc<Published>> + use<> {
        self.0.newest.load()
    }

    /// Tells a listener when to look at the machine again. Any number may listen, and one who is
    /// slow costs nobody anything: it misses what has changed back meanwhile.
    pub fn changes(&self) -> Changes {
        Changes::new(self.0.commands.carried_out(), Arc::clone(&self.0.newest))
    }

    /// Who may do what.
    pub fn access(&self) -> &Arc<Access> {
        &self.0.access
    }

    /// `simulator` or `raspberry-pi`.
    pub fn machine(&self) -> &'static str {
        self.0.machine
    }

    /// Why the configuration file was refused, one line a fault.
    pub fn config_errors(&self) -> &[String] {
        &self.0.config_errors
    }

    /// The counters of the control loop.
    pub fn loop_stats(&self) -> &LoopStats {
        &self.0.stats
    }

    /// The newest 200 alarms, oldest first.
    pub fn alarm_history(&self) -> AlarmPages {
        self.0.alarms.pages()
    }

    /// What the recorder does.
    pub fn recorder_status(&self) -> RecorderStatus {
        self.0.recorder.status()
    }

    /// What the audit journal does.
    pub fn audit_status(&self) -> AuditStatus {
        self.0.audit.status()
    }

    /// The newest `n` samples of the history, oldest first.
    pub fn history_newest(&self, n: usize) -> Selection {
        self.0.recorder.history_newest(n)
    }

    /// The samples since `since_ms` (milliseconds since 1970), oldest first, thinned to `points` so
    /// that extremes stay.
    ///
    /// # Errors
    /// 500 when the work was cut off.
    pub async fn history_since(
        &self,
        since_ms: i64,
        points: usize,
    ) -> Result<Selection, ServiceError> {
        let recorder = self.0.recorder.clone();
        read_on_thread(move || recorder.history_since(since_ms, points)).await
    }

    /// The samples of `selection` from its place `from` on, at most `most`; those that have left the
    /// history since are missing.
    pub fn samples(&self, selection: &Selection, from: usize, most: usize) -> Samples {
        self.0.recorder.samples(selection, from, most)
    }
}

/// Reads that run on threads at a time. The others are for passwords and changes, which must not wait
/// behind whatever can be read by anybody.
const READS: usize = 2;

static READ_TURNS: Semaphore = Semaphore::const_new(READS);

/// Runs what reads for long on a thread that may be held up, by turns.
///
/// # Errors
/// 500 when the work was cut off.
pub async fn read_on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ServiceError> {
    // Nobody closes the semaphore. The turn lasts as long as the work, also for a client that has gone.
    let turn = READ_TURNS.acquire().await;
    on_thread(move || {
        let _turn = turn;
        work()
    })
    .await
}

/// Runs what takes long on a thread that may be held up.
async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ServiceError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ServiceError::internal())
}
