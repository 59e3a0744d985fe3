//! `tve simulate`: plays a scenario in virtual time and prints what held.

use crate::handover;
use anyhow::Context as _;
use clap::Args;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tve_control::{TuneMethod, TuneResult};
use tve_recorder::{Row, RunText};
use tve_scenario::{Report, Run, Sample, Scenario, ScenarioError};

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
        write_csv(path, &report.samples)?;
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
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", scenario.question())?;
    for (at, sentence) in &report.alarms {
        writeln!(out, "alarm   {:.2} s  {sentence}", at.secs())?;
    }
    for (at, tune) in &report.tunes {
        writeln!(out, "tune    {:.2} s  {}", at.secs(), gains(tune))?;
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

fn gains(tune: &TuneResult) -> String {
    let method: TuneMethod = tune.method;
    format!(
        "{} by {}: kp {:.3} %/°C, ki {:.5} %/(°C s), kd {:.1} % s/°C; Ku {:.2} %/°C, Pu {:.0} s",
        tune.zone.name(),
        method.name(),
        tune.kp,
        tune.ki,
        tune.kd,
        tune.ku,
        tune.pu
    )
}

fn write_csv(path: &Path, samples: &[Sample]) -> anyhow::Result<()> {
    let text = RunText::of_system();
    let mut bytes = RunText::HEADER.as_bytes().to_vec();
    for sample in samples {
        text.line(&row(sample), &mut bytes);
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn row(sample: &Sample) -> Row {
    Row {
        now: sample.now,
        wall: sample.wall,
        status: sample.status,
        mode: sample.mode,
        temps: sample.temps.to_array(),
        targets: sample.targets.to_array(),
        heater_duty: sample.heater_duty.to_array(),
        motors: sample.motors.to_array(),
        ..Row::default()
    }
}
