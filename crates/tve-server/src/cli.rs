//! The command line of `tve`: serving, simulating, proving, checking.

use crate::audit::{self, Audit};
use crate::incident::{self, Replay};
use crate::options::{Options, default_data_dir};
use crate::password;
use crate::pins::{self, SafeOff, Wiring};
use crate::proof::{self, Certify, FalseTrips, Orders, Walk};
use crate::realtime;
use crate::server::{Running, Server};
use crate::simulate::{self, Simulate};
use crate::systemd;
use crate::tokens::{self, Tokens};
use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tve_config::HardwareKind;

/// Threads that serve clients. The control thread is not among them.
const WORKERS: usize = 2;

/// Stack of a serving thread. The deepest call chain is a JSON document of 128 levels.
const STACK: usize = 512 * 1024;

/// Threads for files and histories; each is gone some seconds after its last task.
const BLOCKING_THREADS: usize = 8;

/// The controller of a small plastics extruder.
#[derive(Debug, Parser)]
#[command(name = "tve", version, about, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run the service (the default).
    Serve(Serve),
    /// Check a configuration file: prints errors and warnings, exits 1 on errors.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Hash a password for security.users: asks for it, or reads it from stdin.
    HashPassword,
    /// Make, list and revoke the tokens of scripts and panels.
    Token(Tokens),
    /// Play a scenario in virtual time: prints each expectation, exits 1 when one fails.
    Simulate(Simulate),
    /// Prove the fault table: every row from every state in virtual time, exits 1 when one falls short.
    Certify(Certify),
    /// Walk at random under commands, faults and restarts, exits 1 when an invariant is broken.
    Walk(Walk),
    /// Run healthy machine-hours, print the margin of each rule, exits 1 when one raised an alarm.
    FalseTrips(FalseTrips),
    /// Play every order of stop, clear, start, tune, jog and power-cycle, exits 1 when an invariant
    /// is broken.
    Orders(Orders),
    /// The audit journal.
    #[command(subcommand)]
    Audit(Audit),
    /// Replay an incident file: says whether every output is bit-equal, exits 1 when one is not.
    Replay(Replay),
    /// Turn every output of the Raspberry Pi off, from outside the service.
    SafeOff(SafeOff),
    /// Print the wiring of a configuration: pin, header position, signal, level at rest.
    Wiring(Wiring),
}

#[derive(Debug, Args)]
struct Serve {
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
    sim_speed: u32,
    /// Temperature of the simulated barrel at the start, °C.
    #[arg(long, value_name = "C", allow_negative_numbers = true)]
    sim_start_temp: Option<f64>,
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

/// Runs the command line of this process: 0 on success, 1 on failure with a sentence on stderr,
/// 2 on wrong usage.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to stdout; clap knows which is which.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()) * 2);
        }
    };
    let result = match cli.action {
        None => serve(cli.serve),
        Some(Action::Serve(args)) => serve(args),
        Some(Action::CheckConfig { file }) => check_config(&file),
        Some(Action::Openapi) => openapi(),
        Some(Action::HashPassword) => password::run(),
        Some(Action::Token(args)) => tokens::run(args),
        Some(Action::Simulate(args)) => simulate::run(&args),
        Some(Action::Audit(args)) => audit::run(&args),
        Some(Action::Replay(args)) => incident::run(&args),
        Some(Action::Certify(args)) => proof::certify(&args),
        Some(Action::Walk(args)) => proof::walk(&args),
        Some(Action::FalseTrips(args)) => proof::false_trips(&args),
        Some(Action::Orders(args)) => proof::orders(&args),
        Some(Action::SafeOff(args)) => pins::safe_off(&args),
        Some(Action::Wiring(args)) => pins::wiring(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tve: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn openapi() -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    out.write_all(&crate::openapi::document()).and_then(|()| out.write_all(b"\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn check_config(file: &Path) -> anyhow::Result<ExitCode> {
    use tve_config::store::{LoadError, load};
    let mut out = std::io::stdout().lock();
    match load(file) {
        Ok(config) => {
            for warning in config.warnings() {
                writeln!(out, "warning: {warning}")?;
            }
            for sentence in crate::auth::unusable(&config.security) {
                writeln!(out, "warning: {sentence}")?;
            }
            writeln!(out, "{}: valid", file.display())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(LoadError::Invalid { errors, .. }) => {
            writeln!(out, "{errors}")?;
            Ok(ExitCode::FAILURE)
        }
        Err(LoadError::Read { path, source }) => {
            anyhow::bail!("cannot read {}: {source}; give a file that exists", path.display())
        }
    }
}

fn serve(args: Serve) -> anyhow::Result<ExitCode> {
    crate::memory::give_large_blocks_back();
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
    runtime.block_on(run(args.into()))?;
    // Whatever is still open has had its time.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

async fn run(options: Options) -> anyhow::Result<()> {
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
    let mut out = std::io::stdout().lock();
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_command_means_serve() {
        let cli =
            Cli::try_parse_from(["tve", "--sim-speed", "10", "--sim-start-temp", "-5"]).unwrap();
        assert!(cli.action.is_none());
        assert_eq!((cli.serve.sim_speed, cli.serve.sim_start_temp), (10, Some(-5.0)));
    }
}
