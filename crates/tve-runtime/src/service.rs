//! Putting the service together, and taking it apart in the order that keeps the machine safe.

use crate::access::{self, Access};
use crate::clock::SystemClock;
use crate::confirm_file;
use crate::door::{Confirmations, Door, Kept, Service, StopsFromElsewhere, Veto};
use crate::error::StartError;
use crate::guard::{self, Guard};
use crate::identity::{self, Identity};
use crate::inheritance::Inheritance;
use crate::machine;
use crate::options::Options;
use crate::runner::{self, AlarmBook, CommandSender, LoopStats, Parts};
use crate::stop::stopped;
use crate::tokens::{self, TokenFile};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tve_audit::{Audit, Event, RealMedium};
use tve_config::Config;
use tve_config::store::LoadError;
use tve_control::Controller;
use tve_hal::MachineKind;
use tve_recorder::{DataDir, LoggingSettings, RealDisk, Recorder, RecorderConfig};

/// Longest time from the order to stop to the end: the machine has 2 s of it, open requests 0.3 s.
const STOP_LIMIT: Duration = Duration::from_millis(2900);

/// Time between two rounds of the housekeeping.
const HOUSEKEEPING: Duration = Duration::from_millis(100);

/// Period of a service manager's watchdog, and how to feed it.
pub type Watchdog = (Duration, fn());

/// The configuration that a start uses.
struct Loaded {
    config: Config,
    path: PathBuf,
    /// Why the file was refused; the embedded default then stands in with every output locked, and with
    /// the users that are known.
    errors: Vec<String>,
    identity: Identity,
}

/// What is to run, before it runs: the data folder is locked and the configuration read.
pub struct Prepared {
    data_dir: DataDir,
    loaded: Loaded,
    kind: MachineKind,
    options: Options,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Prepared {
    /// Locks the data folder, lets go of the pins of a Raspberry Pi that is asked for, and reads the
    /// configuration.
    ///
    /// A configuration file that is wrong is no error: the service then stays up in CONFIG_FAULT
    /// with every output locked and the faults in `state.config_errors`.
    ///
    /// # Errors
    /// [`StartError`], a sentence with the value and what to do.
    pub fn new(options: Options) -> Result<Self, StartError> {
        let data_dir = DataDir::open(&options.data_dir)?;
        if options.hardware == Some(tve_config::HardwareKind::Rpi) {
            // Everything off before a configuration is read; the lock says that nobody else is on.
            tve_rpi::release_pins()?;
        }
        let loaded = load(&options)?;
        let kind = machine::kind(&loaded.config, &options)?;
        Ok(Self { data_dir, loaded, kind, options })
    }

    /// The configuration that will be in force.
    pub fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// Boots recorder, control thread and guard, in that order. `veto` is asked before a
    /// configuration that changes what fronts read at their start is taken over.
    ///
    /// # Errors
    /// [`StartError`], a sentence with the value and what to do.
    pub async fn start(
        self,
        watchdog: Option<Watchdog>,
        veto: Veto,
    ) -> Result<Runtime, StartError> {
        let Self { data_dir, loaded, kind, options } = self;
        let config = &loaded.config;
        let (hardware, switch) = machine::open(kind, config, loaded.errors.is_empty(), &options)?;

        let folder = data_dir.path().to_owned();
        let (access, token_file) = open_access(&loaded.identity, &folder)?;
        if let Identity::Known(security) = &loaded.identity {
            identity::remember(&folder, security);
        }
        let inherited = Inheritance::read(&folder, !loaded.errors.is_empty(), &config.names());
        let audit = Audit::start(folder.join(tve_audit::FOLDER), Box::new(RealMedium))?;
        access.report_to(audit.handle());
        let recorder = Recorder::start(
            RecorderConfig {
                data_dir,
                logging: logging_settings(config),
                machine: config.machine(),
            },
            Box::new(RealDisk),
        )?;
        audit.handle().record(&Event::Started {
            version: env!("CARGO_PKG_VERSION").into(),
            format: tve_audit::FORMAT,
        });
        for event in inherited.events {
            audit.handle().record(&runner::audited(&event));
            while !recorder.handle().alarm(&event) {
                // The recorder holds its inbox for the time of a swap.
                tokio::task::yield_now().await;
            }
        }
        let alarms = Arc::new(AlarmBook::new(inherited.history, Some(audit.handle())));
        let (in_force, kept) = (config.clone().prepared(), Kept::default());
        kept.keep(&in_force);
        let control = runner::start(Parts {
            controller: Controller::new(Arc::clone(&in_force.machine), kind, inherited.restored),
            config: Arc::clone(&in_force.file),
            hardware,
            recorder: recorder.handle(),
            alarms: Arc::clone(&alarms),
            clock: Arc::new(SystemClock),
            realtime: options.realtime,
            speed: if kind == MachineKind::Simulator { options.sim_speed } else { 1 },
        })
        .map_err(StartError::Thread)?;

        let guard = Guard::start(guard::Parts {
            stats: Arc::clone(&control.stats),
            switch,
            recorder: recorder.handle(),
            realtime: options.realtime,
            watchdog,
        })
        .map_err(StartError::Thread)?;

        let mut warnings: Vec<String> = config.warnings().iter().map(ToString::to_string).collect();
        warnings.extend(access::unusable(&config.security));
        let service = Arc::new(Service {
            commands: control.commands.clone(),
            newest: Arc::clone(&control.newest),
            stats: Arc::clone(&control.stats),
            alarms,
            recorder: recorder.handle(),
            audit: audit.handle(),
            access: Arc::clone(&access),
            machine: kind.name(),
            config_errors: loaded.errors,
            data_dir: folder,
            config_path: loaded.path,
            veto,
            saving: std::sync::Mutex::new(()),
            configuring: tokio::sync::Mutex::new(()),
            kept,
            from_elsewhere: StopsFromElsewhere::default(),
            confirmations: Confirmations::default(),
        });
        let (stop, on_stop) = watch::channel(false);
        let tasks = vec![
            tokio::spawn(keep_house(Arc::clone(&service), on_stop.clone())),
            tokio::spawn(tokens::follow(access, token_file, on_stop.clone())),
            tokio::spawn(confirm_file::follow(Arc::clone(&service), on_stop)),
        ];
        Ok(Runtime { service, control, recorder, audit, guard, stop, tasks, warnings })
    }
}

/// The running service without its fronts. Dropping it turns every output off; [`Runtime::halt`]
/// does so in order.
pub struct Runtime {
    service: Arc<Service>,
    control: runner::Running,
    recorder: Recorder,
    audit: Audit,
    guard: Guard,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    warnings: Vec<String>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("machine", &self.service.machine).finish_non_exhaustive()
    }
}

impl Runtime {
    /// The way in, for a front.
    pub fn door(&self) -> Door {
        Door::new(Arc::clone(&self.service))
    }

    /// `simulator` or `raspberry-pi`.
    pub fn machine(&self) -> &'static str {
        self.service.machine
    }

    /// The configuration file, whether or not it exists.
    pub fn config_path(&self) -> &Path {
        &self.service.config_path
    }

    /// The folder of run files and journal.
    pub fn data_dir(&self) -> &Path {
        &self.service.data_dir
    }

    /// Why the configuration file was refused, one line a fault.
    pub fn config_errors(&self) -> &[String] {
        &self.service.config_errors
    }

    /// What is doubtful about the configuration, one line each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The command queue itself, past the door: neither audited nor limited. For tests that flood it.
    pub fn commands(&self) -> &CommandSender {
        &self.service.commands
    }

    /// The counters of the control loop.
    pub fn loop_stats(&self) -> &LoopStats {
        &self.service.stats
    }

    /// Waits until the control thread has ended by itself, which only a fault makes it do.
    pub async fn failed(&mut self) -> StartError {
        let ended = (&mut self.control.ended).await;
        let sentence = match ended {
            Ok(Err(sentence)) => sentence,
            _ => "the control thread has ended; every output is off".into(),
        };
        StartError::ControlEnded(sentence)
    }

    /// Stops the machine: motors ramp down and outputs go off, within 2 s. What is left has to be
    /// ended by [`Stopping::finish`], after the fronts have let their clients go.
    pub async fn halt(mut self) -> Stopping {
        let begun = Instant::now();
        self.control.stop();
        let joined = match self.control.take_join() {
            Some(join) => {
                matches!(tokio::task::spawn_blocking(move || join.join()).await, Ok(Ok(())))
            }
            None => true,
        };
        let Self { service, control, recorder, audit, guard, stop, tasks, .. } = self;
        // Nothing ticks any more, and that is meant.
        drop(guard);
        Stopping { begun, joined, service, control, recorder, audit, stop, tasks }
    }
}

/// A service whose machine is off.
#[must_use = "files are not written yet"]
pub struct Stopping {
    begun: Instant,
    /// The control thread ended in order.
    joined: bool,
    service: Arc<Service>,
    control: runner::Running,
    recorder: Recorder,
    audit: Audit,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Stopping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stopping").field("joined", &self.joined).finish_non_exhaustive()
    }
}

impl Stopping {
    /// Writes the files. A disk that does not answer gets what is left of 2.9 s since the order to
    /// stop.
    ///
    /// # Errors
    /// When the control thread had panicked.
    pub async fn finish(self) -> Result<(), StartError> {
        let Self { begun, joined, service, control, recorder, audit, stop, tasks } = self;
        // True for every receiver, also for one that looks later.
        stop.send_replace(true);
        for task in tasks {
            // A task that was cut off has nothing left to do.
            let _ = task.await;
        }
        // What the machine has said last belongs into the audit journal, too.
        let _ = service.alarms.pages();
        service.note_stops_from_elsewhere(true);
        service.audit.record(&Event::Stopped);
        // The machine comes first; what is left of the time belongs to the disk.
        let left = move || STOP_LIMIT.saturating_sub(begun.elapsed());
        let written = tokio::task::spawn_blocking(move || {
            recorder.shutdown_within(left()) & audit.shutdown_within(left())
        })
        .await;
        if !written.unwrap_or(false) {
            tracing::warn!("the disk did not answer in time; the last rows may be missing");
        }
        match (joined, control.ended_with()) {
            (true, None) => Ok(()),
            (_, reason) => Err(StartError::ControlEnded(
                reason.unwrap_or_else(|| "the control thread did not end in order".into()),
            )),
        }
    }
}

fn load(options: &Options) -> Result<Loaded, StartError> {
    let default_path = options.data_dir.join("config.json");
    let (path, given) = match &options.config {
        Some(path) => (path.clone(), true),
        None => (default_path, false),
    };
    let torn = |path: PathBuf, mut errors: Vec<String>| {
        let text = tve_config::store::read(&path).ok();
        let identity = Identity::without(text.as_deref(), &options.data_dir);
        Ok(Loaded { config: stand_in(&identity, &mut errors), path, errors, identity })
    };
    match tve_config::store::load(&path) {
        Ok(config) => {
            let identity = Identity::Known(config.security.clone());
            Ok(Loaded { config, path, errors: Vec::new(), identity })
        }
        Err(LoadError::Read { source, .. })
            if !given && source.kind() == std::io::ErrorKind::NotFound =>
        {
            let (identity, mut errors) = (Identity::of_folder(&options.data_dir), Vec::new());
            Ok(Loaded { config: stand_in(&identity, &mut errors), path, errors, identity })
        }
        Err(LoadError::Read { path, source }) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(StartError::ConfigUnreadable { path, source })
        }
        Err(LoadError::Read { path, source }) => {
            let sentence = format!("{} cannot be read: {source}", path.display());
            torn(path, vec![sentence])
        }
        Err(LoadError::Invalid { path, errors }) => {
            torn(path, errors.0.iter().map(ToString::to_string).collect())
        }
    }
}

/// The embedded configuration with the users that are known; says so where none are.
fn stand_in(identity: &Identity, errors: &mut Vec<String>) -> Config {
    match identity {
        Identity::Known(security) if security.enabled => {
            tracing::warn!("the configuration cannot be used; its last good users stay in force");
        }
        Identity::Known(_) => {}
        Identity::Lost => {
            let sentence = "security: cannot be read, neither here nor in security.json, so nobody \
                            can log in and only stops are taken; mend the file and restart";
            tracing::error!("{sentence}");
            errors.push(sentence.to_owned());
        }
    }
    Config { security: identity.security(), ..Config::embedded() }
}

/// The policy, and the token file to follow.
fn open_access(identity: &Identity, folder: &Path) -> Result<(Arc<Access>, TokenFile), StartError> {
    let (file, tokens) = TokenFile::open(folder)?;
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(StartError::Random)?;
    Ok((Arc::new(Access::new(identity, key, tokens)), file))
}

/// The recorder's settings in `config`.
fn logging_settings(config: &Config) -> LoggingSettings {
    let logging = &config.logging;
    LoggingSettings::from_config(
        logging.interval,
        logging.flush_interval,
        logging.keep_days,
        logging.min_free_mb,
    )
}

/// What must be done soon and by nobody in particular: tells the recorder its new settings, logs
/// what the control thread has reported, empties the box of alarm events.
async fn keep_house(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut settings = logging_settings(&service.newest.load().config);
    let mut timer = tokio::time::interval(HOUSEKEEPING);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = stopped(&mut stop) => return,
        }
        let wanted = logging_settings(&service.newest.load().config);
        if wanted != settings {
            settings = wanted;
            service.recorder.configure(wanted);
        }
        if let Some(sentence) = service.stats.take_report() {
            tracing::error!(sentence, "control");
        }
        let _ = service.alarms.pages();
        service.note_stops_from_elsewhere(false);
        service.watch_button();
        service.recorder.neighbour_failed(service.audit.status().failing);
    }
}
