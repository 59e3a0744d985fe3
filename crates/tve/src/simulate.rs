//! `tve simulate`: plays a scenario in virtual time and prints what held.

use crate::handover;
use crate::terminal;
use anyhow::Context as _;
use clap::Args;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tve_config::MachineConfig;
use tve_control::{Snapshot, TuneMethod, TuneResult};
use tve_machine::Names;
use tve_recorder::{Layout, RunText};
use tve_scenario::{Report, Run, Sample, Scenario, ScenarioError};
use tve_units::{Celsius, Duty, Rpm};

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The scenario, such as config/scenarios/warm-up.toml.
    scenario: PathBuf,
    /// Write a run file: one row each 0.25 s of machine time.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw temperatures, duties and speeds as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Seed of the converter's noise instead of the scenario's.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Exit code 0 when every expectation held, 1 when one did not.
pub(crate) fn run(args: &Simulate) -> anyhow::Result<ExitCode> {
    let scenario = Scenario::load(&args.scenario).map_err(|error| match error {
        ScenarioError::Read { .. } => anyhow::Error::new(error),
        // These say where in the file, not in which.
        ScenarioError::Invalid { .. } | ScenarioError::Config(_) => {
            anyhow::Error::new(error).context(args.scenario.display().to_string())
        }
    })?;
    let report = play(&scenario, args.seed);
    if let Some(path) = &args.csv {
        write_csv(path, &scenario.config().machine(), &report.samples)?;
    }
    if let Some(path) = &args.plot {
        draw(args, path)?;
    }
    print(&scenario, &report).context("cannot print the report")?;
    Ok(if report.held() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn play(scenario: &Scenario, seed: Option<u64>) -> Report {
    let mut run = Run::new(scenario, seed);
    // An hour takes less than a tenth of a second.
    run.advance(u64::MAX);
    run.finish()
}

/// Has the run drawn; it is played again for that, and the same seed gives the same run.
fn draw(args: &Simulate, path: &Path) -> anyhow::Result<()> {
    let seed = args.seed.map(|seed| seed.to_string());
    let mut arguments = vec![args.scenario.as_os_str(), path.as_os_str()];
    if let Some(seed) = &seed {
        arguments.extend([OsStr::new("--seed"), OsStr::new(seed)]);
    }
    handover::run("plot-scenario", &arguments)
}

fn print(scenario: &Scenario, report: &Report) -> std::io::Result<()> {
    let names = scenario.config().names();
    let mut out = terminal::out();
    writeln!(out, "{}", scenario.question())?;
    for (at, sentence) in &report.alarms {
        writeln!(out, "alarm   {:.2} s  {sentence}", at.secs())?;
    }
    for (at, tune) in &report.tunes {
        writeln!(out, "tune    {:.2} s  {}", at.secs(), gains(tune, &names))?;
    }
    for outcome in &report.outcomes {
        let verdict = if outcome.held { "ok    " } else { "FAILED" };
        let detail = match outcome.detail.as_str() {
            "" => String::new(),
            detail => format!(" ({detail})"),
        };
        writeln!(out, "{verdict}  {}{detail}", outcome.text)?;
    }
    writeln!(out, "trace {}", report.trace_hex())
}

fn gains(tune: &TuneResult, names: &Names) -> String {
    let method: TuneMethod = tune.method;
    format!(
        "{} by {}: kp {:.3} %/°C, ki {:.5} %/(°C s), kd {:.1} % s/°C; Ku {:.2} %/°C, Pu {:.0} s",
        names.zones.get(tune.zone).map_or("", |name| name.as_str()),
        method.name(),
        tune.kp,
        tune.ki,
        tune.kd,
        tune.ku,
        tune.pu
    )
}

fn write_csv(path: &Path, machine: &Arc<MachineConfig>, samples: &[Sample]) -> anyhow::Result<()> {
    let layout = Arc::new(Layout::of(machine));
    let text = RunText::of_system(Arc::clone(&layout));
    let mut bytes = text.header().as_bytes().to_vec();
    for sample in samples {
        text.line(&layout.row(&snapshot(sample)), &mut bytes);
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// The machine as far as a run file shows it.
fn snapshot(sample: &Sample) -> Snapshot {
    Snapshot {
        now: sample.now,
        wall: sample.wall,
        status: sample.status,
        mode: sample.mode,
        temps: sample.temps.map(|_, t| t.and_then(|t| Celsius::new(t).ok())),
        targets: sample.targets.map(|_, t| Celsius::clamped(*t)),
        heater_duty: sample.heater_duty.map(|_, d| Duty::clamped(*d)),
        motors: sample.motors.map(|_, m| Rpm::clamped(*m)),
        ..Snapshot::default()
    }
}
