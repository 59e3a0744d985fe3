//! The command line: `tve-load list`, `run`, `compare`, `trend`.

use crate::address::shown;
use crate::client::authorities;
use crate::options::Options;
use crate::plan::{self, Plan};
use crate::resources::listener;
use crate::run::run;
use crate::summary::Summary;
use crate::{ab, compare, flame, interrupt, report, trend};
use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Threads of the users and of everything else. Those that send an open rate are not among them.
const WORKERS: usize = 2;

/// Exit code of wrong usage: also of a service that is not there and a plan that cannot be read.
const USAGE: u8 = 2;

/// Did this service keep its objectives, and can the run be trusted?
#[derive(Debug, Parser)]
#[command(name = "tve-load", version, about)]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the plans that come with the harness.
    List,
    /// Compare two runs, or two builds in turns: exit 1 when the new one is worse.
    Compare(Compare),
    /// Show the course of stored runs; writes trend.svg beside them.
    Trend {
        /// A folder of report folders.
        folder: PathBuf,
    },
    /// Run a plan: exit 0 PASS, 1 FAIL, 2 usage, 3 INVALID, 4 INCONCLUSIVE.
    Run(Run),
}

#[derive(Debug, Args)]
struct Run {
    /// Name of a plan of `tve-load list`, or a file.
    plan: String,
    /// Address of the service.
    #[arg(long, value_name = "URL")]
    host: reqwest::Url,
    /// Certificates to trust instead of those of the system, for a service with one of its own.
    #[arg(long, value_name = "PEM")]
    ca: Option<PathBuf>,
    /// Minutes instead of hours, by the same rules; the verdict says SHORT.
    #[arg(long)]
    short: bool,
    /// Process of the service [default: the one that listens at the host on this machine].
    #[arg(long, value_name = "N")]
    server_pid: Option<i32>,
    /// Folder of the report [default: target/load-reports/PLAN-TIME].
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Sample the service with perf and draw where it spends its time.
    #[arg(long)]
    flamegraph: bool,
    /// Run against a machine that is not the simulator: it turns motors and heats.
    #[arg(long = "i-know-this-is-a-machine")]
    real: bool,
}

#[derive(Debug, Args)]
struct Compare {
    /// Report folder of the run to compare with; with --ab the old binary of the service.
    base: PathBuf,
    /// Report folder of the new run; with --ab the new binary.
    new: PathBuf,
    /// The two are binaries of `tve`: start them in turns and run the plan against each.
    #[arg(long)]
    ab: bool,
    /// The plan for --ab.
    #[arg(long, default_value = "tve-slo")]
    plan: String,
    /// Short runs for --ab.
    #[arg(long)]
    short: bool,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to stdout; clap knows which is which.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()) * USAGE);
        }
    };
    raise_descriptor_limit();
    let result = match cli.action {
        Action::List => list(),
        Action::Compare(args) => compare_runs(&args),
        Action::Trend { folder } => show_trend(&folder),
        Action::Run(args) => run_plan(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("tve-load: {error:#}");
        ExitCode::from(USAGE)
    })
}

fn list() -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    for entry in plan::CATALOG {
        let plan = plan::parse(entry.name, entry.text)?;
        writeln!(out, "{:<16} {}", plan.name, plan.question)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The plan of that name, or of that file.
fn load(name: &str) -> anyhow::Result<Plan> {
    if let Some(entry) = plan::find(name) {
        return Ok(plan::parse(entry.name, entry.text)?);
    }
    let text = std::fs::read_to_string(Path::new(name)).map_err(|error| {
        anyhow::anyhow!("no plan is called {name:?} and as a file: {error}; see tve-load list")
    })?;
    Ok(plan::parse(name, &text)?)
}

/// Takes as many descriptors as the system allows: each user has a connection and a timer, and the
/// usual 1024 would be counted as errors of the service.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, the failures say what was missing.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .context("the system gave no threads")
}

fn run_plan(args: &Run) -> anyhow::Result<ExitCode> {
    let plan = load(&args.plan)?;
    anyhow::ensure!(
        ["http", "https"].contains(&args.host.scheme()) && args.host.host().is_some(),
        "--host {} is no address of a service; give http://HOST:PORT or https://HOST:PORT",
        shown(&args.host)
    );
    let authorities = args.ca.as_deref().map(authorities).transpose()?.unwrap_or_default();
    let folder = args.report.clone().unwrap_or_else(|| {
        let now = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
        Path::new("target/load-reports").join(format!("{}-{now}", plan.name))
    });
    report::prepare(&folder)?;
    interrupt::listen().context("no handler for Ctrl-C")?;
    let options = Options {
        host: args.host.clone(),
        authorities,
        short: args.short,
        server_pid: args.server_pid,
        real_is_known: args.real,
        progress: true,
    };
    let recording = if args.flamegraph {
        let port = args.host.port_or_known_default().unwrap_or(0);
        let pid = args
            .server_pid
            .or_else(|| listener(port))
            .context("--flamegraph cannot find the service's process; give it with --server-pid")?;
        let seconds: u64 = plan.phases.iter().map(|p| Plan::length_s(p, args.short)).sum();
        anyhow::ensure!(seconds > 0, "--flamegraph needs a plan with phases");
        Some(flame::record(pid, seconds, &folder)?)
    } else {
        None
    };
    let finished = runtime()?.block_on(run(&plan, &options))?;
    report::write(&folder, &finished)?;
    // The verdict stands also where the picture could not be made.
    if let Some(Err(error)) = recording.map(|r| r.finish(&folder)) {
        eprintln!("tve-load: no flame graph: {error:#}");
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}report: {}", report::text(&finished.summary), folder.display())?;
    Ok(ExitCode::from(finished.summary.verdict.word.exit_code()))
}

fn compare_runs(args: &Compare) -> anyhow::Result<ExitCode> {
    let [base, new] = if args.ab {
        let plan = load(&args.plan)?;
        interrupt::listen().context("no handler for Ctrl-C")?;
        runtime()?.block_on(Box::pin(ab::run_both(&plan, &args.base, &args.new, args.short)))?
    } else {
        [vec![Summary::read(&args.base)?], vec![Summary::read(&args.new)?]]
    };
    if let (Some(a), Some(b)) = (base.first(), new.first()) {
        anyhow::ensure!(
            a.plan == b.plan,
            "the runs are of different plans, {} and {}; compare runs of one plan",
            a.plan,
            b.plan
        );
    }
    let rows = compare::compare(&base, &new);
    write!(std::io::stdout().lock(), "{}", compare::text(&rows))?;
    let worse = rows.iter().any(|r| r.change == compare::Change::Worse);
    Ok(ExitCode::from(u8::from(worse)))
}

fn show_trend(folder: &Path) -> anyhow::Result<ExitCode> {
    let runs = trend::runs(folder)?;
    let file = folder.join("trend.svg");
    std::fs::write(&file, trend::svg(&runs)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}plot: {}", trend::text(&runs), file.display())?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
