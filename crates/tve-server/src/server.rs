//! Putting the service together, and taking it apart in the order that keeps the machine safe.

use crate::app::{App, Cache};
use crate::auth::{self, Access};
use crate::clock::SystemClock;
use crate::error::StartError;
use crate::guard::{self, Guard, KillSwitch, SafeOff, Switched};
use crate::http::{self, Front, Gate, stopped};
use crate::inheritance::Inheritance;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::runner::{self, AlarmBook, CommandSender, LoopStats, Parts};
use crate::sockets;
use crate::systemd;
use crate::tls::Tls;
use crate::tokens::{self, TokenFile};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tve_audit::{Audit, Event, RealMedium};
use tve_config::store::LoadError;
use tve_config::{Config, HardwareKind};
use tve_control::Controller;
use tve_hal::{Hardware, MachineKind};
use tve_recorder::{DataDir, LoggingSettings, RealDisk, Recorder, RecorderConfig};
use tve_rpi::RpiHardware;
use tve_scenario::Scenario;
use tve_sim::{SimHardware, SimPowers};
use tve_units::Celsius;

/// Longest time from the order to stop to the end: the machine has 2 s of it, open requests 0.3 s.
const STOP_LIMIT: Duration = Duration::from_millis(2900);

/// Where the service listens unless it is told.
const DEFAULT_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 5000);

/// Connections that may wait to be accepted, as in the socket unit. The usual 128 are fewer than come
/// at once when every panel of a plant starts, and the next one is told nothing for a second.
const BACKLOG: u32 = 1024;

/// Time between two rounds of the housekeeping.
const HOUSEKEEPING: Duration = Duration::from_millis(100);

/// The service before it runs.
#[derive(Debug)]
pub struct Server;

/// A running service. Dropping it turns every output off; [`Running::stop`] does so in order.
pub struct Running {
    address: SocketAddr,
    app: Arc<App>,
    tls: Option<Arc<Tls>>,
    control: runner::Running,
    recorder: Recorder,
    audit: Audit,
    guard: Guard,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    warnings: Vec<String>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The configuration that a start uses.
struct Loaded {
    config: Config,
    path: PathBuf,
    /// Why the file was refused; the embedded default then stands in with every output locked.
    errors: Vec<String>,
}

impl Server {
    /// Boots recorder, control thread and HTTP, in that order. Returns when the service answers.
    ///
    /// A configuration file that is wrong does not stop the service: it stays up in CONFIG_FAULT
    /// with every output locked and the faults in `state.config_errors`.
    ///
    /// # Errors
    /// [`StartError`], a sentence with the value and what to do.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let data_dir = DataDir::open(&options.data_dir)?;
        if options.hardware == Some(HardwareKind::Rpi) {
            // Everything off before a configuration is read; the lock says that nobody else is on.
            tve_rpi::release_pins()?;
        }
        let loaded = load(&options)?;
        let config = &loaded.config;
        let insecure_open = options.insecure_open;
        let tls = check_access(config, &options)?;
        let kind = machine_kind(config, &options)?;
        let address =
            options.listen.or(config.server.listen).unwrap_or(SocketAddr::from(DEFAULT_LISTEN));
        let listener = listener(address, config, insecure_open)?;
        let address =
            listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
        let (hardware, switch) = machine(kind, &loaded, &options)?;

        let folder = data_dir.path().to_owned();
        let (access, token_file) = access(config, &folder)?;
        let inherited = Inheritance::read(&folder, !loaded.errors.is_empty())?;
        let recorder = Recorder::start(
            RecorderConfig { data_dir, logging: logging_settings(config) },
            Box::new(RealDisk),
        )?;
        let audit = Audit::start(folder.join(tve_audit::FOLDER), Box::new(RealMedium))?;
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
        let control = runner::start(Parts {
            controller: Controller::new(config.clone(), kind, inherited.restored),
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
            watchdog: systemd::watchdog_period()
                .map(|period| (period, systemd::feed_watchdog as fn())),
        })
        .map_err(StartError::Thread)?;

        let app = Arc::new(App {
            commands: control.commands.clone(),
            newest: Arc::clone(&control.newest),
            stats: Arc::clone(&control.stats),
            alarms,
            recorder: recorder.handle(),
            audit: audit.handle(),
            metrics: Metrics::new(),
            access: Arc::clone(&access),
            machine: kind.name(),
            config_errors: loaded.errors,
            data_dir: folder,
            config_path: loaded.path,
            insecure_open,
            saving: Mutex::new(()),
            configuring: tokio::sync::Mutex::new(()),
            cache: Cache::default(),
        });
        let (stop, on_stop) = watch::channel(false);
        let (socket_service, io) = sockets::service(Arc::clone(&app));
        let front = Arc::new(Front {
            router: http::router(Arc::clone(&app), config.server.www.as_deref()),
            gate: Gate::new(&config.server),
            sockets: socket_service,
            has_files: config.server.www.is_some(),
            app: Arc::clone(&app),
        });
        let mut tasks = vec![
            tokio::spawn(http::serve(listener, tls.clone(), front, on_stop.clone())),
            tokio::spawn(sockets::broadcast(Arc::clone(&app), io, on_stop.clone())),
            tokio::spawn(keep_house(Arc::clone(&app), on_stop.clone())),
        ];
        if access.is_enabled() {
            tasks.push(tokio::spawn(tokens::follow(access, token_file, on_stop)));
        }
        let mut warnings: Vec<String> = config.warnings().iter().map(ToString::to_string).collect();
        warnings.extend(auth::unusable(&config.security));
        Ok(Running { address, app, tls, control, recorder, audit, guard, stop, tasks, warnings })
    }
}

impl Running {
    /// Where the service listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether clients must speak TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads certificate and key again. A connection that is open keeps what it has; so does
    /// everybody when the new files are faulty, which is logged.
    pub async fn reload_tls(&self) {
        let Some(tls) = self.tls.clone() else {
            tracing::info!("there is nothing to read again: server.tls is not set");
            return;
        };
        match tokio::task::spawn_blocking(move || tls.reload()).await {
            Ok(Ok(())) => tracing::info!("new connections use the certificate as it is now"),
            Ok(Err(error)) => tracing::error!(%error, "the old certificate stays in use"),
            Err(error) => tracing::error!(%error, "the old certificate stays in use"),
        }
    }

    /// `simulator` or `raspberry-pi`.
    pub fn machine(&self) -> &'static str {
        self.app.machine
    }

    /// The configuration file, whether or not it exists.
    pub fn config_path(&self) -> &Path {
        &self.app.config_path
    }

    /// The folder of run files and journal.
    pub fn data_dir(&self) -> &Path {
        &self.app.data_dir
    }

    /// Why the configuration file was refused, one line a fault.
    pub fn config_errors(&self) -> &[String] {
        &self.app.config_errors
    }

    /// What is doubtful about the configuration, one line each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The way to the controller that the handlers use.
    pub fn commands(&self) -> &CommandSender {
        &self.app.commands
    }

    /// The counters of the control loop.
    pub fn loop_stats(&self) -> &LoopStats {
        &self.app.stats
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

    /// Stops in order: motors ramp down and outputs go off, clients are let go, files are written.
    /// The machine takes 2 s at most; a disk that does not answer gets what is left of 2.9 s in all.
    ///
    /// # Errors
    /// When the control thread had panicked.
    pub async fn stop(mut self) -> Result<(), StartError> {
        let begun = Instant::now();
        systemd::stopping();
        self.control.stop();
        let outcome = match self.control.take_join() {
            Some(join) => tokio::task::spawn_blocking(move || join.join()).await,
            None => Ok(Ok(())),
        };
        // Nothing ticks any more, and that is meant.
        drop(self.guard);
        // True for every receiver, also for one that looks later.
        self.stop.send_replace(true);
        for task in std::mem::take(&mut self.tasks) {
            // A task that was cut off has nothing left to do.
            let _ = task.await;
        }
        // What the machine has said last belongs into the audit journal, too.
        let _ = self.app.alarms.json(crate::view::alarm_history);
        self.app.audit.record(&Event::Stopped);
        let Self { recorder, audit, control, .. } = self;
        // The machine comes first; what is left of the time belongs to the disk.
        let left = move || STOP_LIMIT.saturating_sub(begun.elapsed());
        let written = tokio::task::spawn_blocking(move || {
            recorder.shutdown_within(left()) & audit.shutdown_within(left())
        })
        .await;
        if !written.unwrap_or(false) {
            tracing::warn!("the disk did not answer in time; the last rows may be missing");
        }
        match (outcome, control.ended_with()) {
            (Ok(Ok(())), None) => Ok(()),
            (_, reason) => Err(StartError::ControlEnded(
                reason.unwrap_or_else(|| "the control thread did not end in order".into()),
            )),
        }
    }
}

/// The socket that the service manager has opened, else one on `address`.
fn listener(
    address: SocketAddr,
    config: &Config,
    insecure_open: bool,
) -> Result<TcpListener, StartError> {
    let fault = |source| StartError::Listen { address, source };
    let Some(inherited) = systemd::inherited_listener().map_err(fault)? else {
        return listen(address).map_err(fault);
    };
    let address = inherited.local_addr().map_err(fault)?;
    check_reach(address, config, insecure_open)?;
    TcpListener::from_std(inherited).map_err(fault)
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // The connections of the last service may still be closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn load(options: &Options) -> Result<Loaded, StartError> {
    let default_path = options.data_dir.join("config.json");
    let (path, given) = match &options.config {
        Some(path) => (path.clone(), true),
        None => (default_path, false),
    };
    match tve_config::store::load(&path) {
        Ok(config) => Ok(Loaded { config, path, errors: Vec::new() }),
        Err(LoadError::Read { source, .. })
            if !given && source.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(Loaded { config: Config::embedded(), path, errors: Vec::new() })
        }
        Err(LoadError::Read { path, source }) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(StartError::ConfigUnreadable { path, source })
        }
        Err(LoadError::Read { path, source }) => {
            let errors = vec![format!("{} cannot be read: {source}", path.display())];
            Ok(Loaded { config: Config::embedded(), path, errors })
        }
        Err(LoadError::Invalid { path, errors }) => {
            let errors = errors.0.iter().map(ToString::to_string).collect();
            Ok(Loaded { config: Config::embedded(), path, errors })
        }
    }
}

/// The policy, and the token file to follow.
fn access(config: &Config, folder: &Path) -> Result<(Arc<Access>, TokenFile), StartError> {
    let (file, tokens) = TokenFile::open(folder)?;
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(StartError::Random)?;
    Ok((Arc::new(Access::new(&config.security, key, tokens)), file))
}

/// Refuses what would be less safe than it looks, and reads the certificate.
fn check_access(config: &Config, options: &Options) -> Result<Option<Arc<Tls>>, StartError> {
    if let Some(address) = options.listen.or(config.server.listen) {
        check_reach(address, config, options.insecure_open)?;
    }
    check_files(config)
}

/// Beyond loopback there must be both a login and TLS, or somebody who has said that the network
/// is trusted.
pub(crate) fn check_reach(
    address: SocketAddr,
    config: &Config,
    insecure_open: bool,
) -> Result<(), StartError> {
    if address.ip().is_loopback() || insecure_open {
        return Ok(());
    }
    if !config.security.enabled {
        return Err(StartError::Open { address });
    }
    if config.server.tls.is_none() {
        return Err(StartError::Plain { address });
    }
    Ok(())
}

/// What the `server` section names must be there.
pub(crate) fn check_files(config: &Config) -> Result<Option<Arc<Tls>>, StartError> {
    if let Some(path) = &config.server.www
        && !Path::new(path).is_dir()
    {
        return Err(StartError::Www { path: path.clone() });
    }
    let tls = config.server.tls.as_ref().map(Tls::load).transpose()?;
    Ok(tls.map(Arc::new))
}

fn machine_kind(config: &Config, options: &Options) -> Result<MachineKind, StartError> {
    match options.hardware.or(config.hardware.kind) {
        Some(HardwareKind::Sim) => Ok(MachineKind::Simulator),
        Some(HardwareKind::Rpi) => Ok(MachineKind::RaspberryPi),
        None if is_raspberry_pi() => Err(StartError::MachineNotNamed),
        None => Ok(MachineKind::Simulator),
    }
}

fn is_raspberry_pi() -> bool {
    let model = std::fs::read("/proc/device-tree/model").unwrap_or_default();
    model.starts_with(b"Raspberry Pi")
}

/// A machine, and the guard's way to switch it off.
type Driven = (Box<dyn Hardware>, Box<dyn SafeOff>);

fn machine(kind: MachineKind, loaded: &Loaded, options: &Options) -> Result<Driven, StartError> {
    let config = &loaded.config;
    match kind {
        // What the pins of an unknown wiring do cannot be known either.
        MachineKind::RaspberryPi if !loaded.errors.is_empty() => {
            Ok(switchable(RpiHardware::locked()?))
        }
        MachineKind::RaspberryPi => Ok(switchable(RpiHardware::new(config)?)),
        MachineKind::Simulator => {
            let mut config = config.clone();
            if let Some(seed) = options.sim_seed {
                config.plant.seed = seed;
            }
            let mut machine = SimHardware::new(&config);
            if let Some(value) = options.sim_start_temp {
                let fits = (-20.0..=300.0).contains(&value);
                let temperature = Celsius::new(value).ok().filter(|_| fits);
                machine.set_temperature(temperature.ok_or(StartError::StartTemperature { value })?);
            }
            if let Some(path) = &options.sim_scenario {
                for fault in Scenario::load(path)?.faults() {
                    machine.inject(*fault);
                }
            }
            let switch = KillSwitch::default();
            Ok((Box::new(Switched::new(machine, switch.clone())), Box::new(switch)))
        }
    }
}

fn switchable(machine: RpiHardware) -> Driven {
    let switch = machine.off_switch();
    (Box::new(machine), Box::new(switch))
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
async fn keep_house(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut settings = logging_settings(&app.newest.load().config);
    let mut timer = tokio::time::interval(HOUSEKEEPING);
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            () = stopped(&mut stop) => return,
        }
        let wanted = logging_settings(&app.newest.load().config);
        if wanted != settings {
            settings = wanted;
            app.recorder.configure(wanted);
        }
        if let Some(sentence) = app.stats.take_report() {
            tracing::error!(sentence, "control");
        }
        let _ = app.alarms.json(crate::view::alarm_history);
        app.recorder.neighbour_failed(app.audit.status().failing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_there_must_be_a_login_and_tls_or_somebody_who_says_so() {
        let (plain, mut secure) = (Config::default(), Config::default());
        secure.security.enabled = true;
        let mut whole = secure.clone();
        whole.server.tls = Some(tve_config::Tls { cert: "c".into(), key: "k".into() });
        let mut only_tls = whole.clone();
        only_tls.security.enabled = false;
        let far: SocketAddr = "0.0.0.0:5000".parse().unwrap();
        let near: SocketAddr = "[::1]:5000".parse().unwrap();
        let judge = |address, config| check_reach(address, config, false);
        assert!(matches!(judge(far, &plain), Err(StartError::Open { .. })));
        assert!(matches!(judge(far, &only_tls), Err(StartError::Open { .. })));
        assert!(matches!(judge(far, &secure), Err(StartError::Plain { .. })));
        assert!(judge(far, &whole).is_ok());
        for config in [&plain, &secure, &whole, &only_tls] {
            assert!(judge(near, config).is_ok());
            assert!(check_reach(far, config, true).is_ok());
        }
    }

    #[tokio::test]
    async fn a_burst_of_connections_waits_to_be_accepted_and_is_not_lost() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        // Nobody accepts, so one that finds no room would be told nothing until its time is over.
        let limit = Duration::from_millis(800);
        let burst: Vec<_> = (0..600)
            .map_while(|_| std::net::TcpStream::connect_timeout(&address, limit).ok())
            .collect();
        assert_eq!(burst.len(), 600);
    }
}
