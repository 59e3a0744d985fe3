//! `tve serve`: runs the service until it is told to stop.

use crate::memory;
use crate::server::{Running, Server};
use crate::systemd;
use crate::terminal;
use anyhow::Context as _;
use clap::{Args, ValueEnum};
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tve_config::HardwareKind;
use tve_runtime::{Options, default_data_dir, realtime};

/// Threads that serve clients. The control thread is not among them.
const WORKERS: usize = 2;

/// Stack of a serving thread. The deepest call chain is a JSON document of 128 levels.
const STACK: usize = 512 * 1024;

/// Threads for files and histories; each is gone some seconds after its last task.
const BLOCKING_THREADS: usize = 8;

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Configuration file [default: config.json in the data folder, else the embedded default].
    #[arg(long, value_name = "FILE", env = "TVE_CONFIG")]
    config: Option<PathBuf>,
    /// The machine [default: hardware.kind of the configuration, else sim].
    #[arg(long, value_enum, env = "TVE_HARDWARE")]
    hardware: Option<Machine>,
    /// Address and port [default: server.listen of the configuration, else 127.0.0.1:5000].
    #[arg(long, value_name = "ADDR", env = "TVE_LISTEN")]
    listen: Option<SocketAddr>,
    /// Folder of run files, journal and session record [default: /var/lib/tve, else the user's].
    #[arg(long, value_name = "DIR", env = "TVE_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Seed of the simulator.
    #[arg(long, value_name = "N")]
    sim_seed: Option<u64>,
    /// How many times faster than life the simulator runs, 1 to 1000.
    #[arg(long, value_name = "X", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) sim_speed: u32,
    /// Temperature of the simulated barrel at the start, °C.
    #[arg(long, value_name = "C", allow_negative_numbers = true)]
    pub(crate) sim_start_temp: Option<f64>,
    /// Break the simulated machine as this scenario's faults say, at their times after the start.
    #[arg(long, value_name = "FILE")]
    sim_scenario: Option<PathBuf>,
    /// Listen beyond loopback although security is disabled.
    #[arg(long)]
    insecure_open: bool,
    /// Real-time scheduling of the control thread: auto asks for it and goes on without.
    #[arg(long, value_enum, default_value_t = Realtime::Auto)]
    realtime: Realtime,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Machine {
    /// The simulator.
    Sim,
    /// The Raspberry Pi's pins.
    Rpi,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Realtime {
    Auto,
    Off,
}

impl From<Serve> for Options {
    fn from(args: Serve) -> Self {
        Self {
            config: args.config,
            hardware: args.hardware.map(|machine| match machine {
                Machine::Sim => HardwareKind::Sim,
                Machine::Rpi => HardwareKind::Rpi,
            }),
            listen: args.listen,
            data_dir: args.data_dir.unwrap_or_else(default_data_dir),
            sim_seed: args.sim_seed,
            sim_speed: args.sim_speed,
            sim_start_temp: args.sim_start_temp,
            sim_scenario: args.sim_scenario,
            insecure_open: args.insecure_open,
            realtime: args.realtime == Realtime::Auto,
        }
    }
}

/// Exit code 0 when it was told to stop.
pub(crate) fn run(args: Serve) -> anyhow::Result<ExitCode> {
    memory::give_large_blocks_back();
    memory::give_back_what_is_free();
    start_logging();
    raise_descriptor_limit();
    // Where the control thread cannot be real-time, those that serve requests wait for it.
    let gives_way = args.realtime == Realtime::Off || !realtime::is_granted();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .on_thread_start(move || {
            if gives_way {
                realtime::give_way();
            }
        })
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_stack_size(STACK)
        .thread_name("serve")
        .enable_all()
        .build()
        .context("the system gave no threads")?;
    runtime.block_on(until_stopped(args.into()))?;
    // Whatever is still open has had its time.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

async fn until_stopped(options: Options) -> anyhow::Result<()> {
    // Before the start: a signal during it must not kill a machine that is half on.
    let mut terminate = signal(SignalKind::terminate()).context("no handler for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("no handler for Ctrl-C")?;
    let mut hang_up = signal(SignalKind::hangup()).context("no handler for SIGHUP")?;
    let mut running = Server::start(options).await?;
    if let Err(error) = greet(&running) {
        // A closed pipe or a full disk behind stdout is no reason for a machine to stop.
        tracing::warn!(%error, "nobody takes what is printed");
    }
    systemd::ready();
    let failure = loop {
        tokio::select! {
            _ = terminate.recv() => break None,
            _ = interrupt.recv() => break None,
            _ = hang_up.recv() => running.reload_tls().await,
            failure = running.failed() => break Some(failure),
        }
    };
    let stopped = running.stop().await;
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    Ok(stopped?)
}

/// What somebody who starts the service needs to know.
fn greet(running: &Running) -> std::io::Result<()> {
    let mut out = terminal::out();
    writeln!(out, "machine  {}", running.machine().to_uppercase())?;
    let scheme = if running.is_tls() { "https" } else { "http" };
    writeln!(out, "address  {scheme}://{}", running.addr())?;
    let path = running.config_path();
    let origin = if path.exists() { "" } else { " (not there yet: embedded default)" };
    writeln!(out, "config   {}{origin}", path.display())?;
    writeln!(out, "data     {}", running.data_dir().display())?;
    for warning in running.warnings() {
        tracing::warn!("{warning}");
    }
    for error in running.config_errors() {
        tracing::error!("CONFIG_FAULT, every output is locked: {error}");
    }
    out.flush()
}

/// Logs to stderr; `RUST_LOG` chooses what (`info`, `warn,tve_http=debug`), `TVE_LOG_FORMAT=json` how.
fn start_logging() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let asked = std::env::var("RUST_LOG").ok().map(|text| text.parse::<Targets>());
    let filter = match &asked {
        Some(Ok(targets)) => targets.clone(),
        Some(Err(_)) | None => Targets::new().with_default(LevelFilter::INFO),
    };
    let builder = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(std::io::stderr().is_terminal())
        // A line that cannot be written is lost; to complain would be to write to stderr again.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    // A second subscriber can only be there in a test, which then keeps its own.
    let _ = if std::env::var_os("TVE_LOG_FORMAT").is_some_and(|f| f == "json") {
        builder.json().finish().with(filter).try_init()
    } else {
        builder.finish().with(filter).try_init()
    };
    if let Some(Err(fault)) = asked {
        tracing::warn!("RUST_LOG is not understood ({fault}), so it logs from info upwards");
    }
}

/// Takes as many descriptors as the system allows: the usual 1024 are fewer than the connections.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Without it the service still works, with fewer connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
