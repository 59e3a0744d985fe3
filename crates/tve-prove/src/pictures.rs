//! Pictures of runs: a scenario or an incident, played again and drawn.

use crate::plot;
use anyhow::Context as _;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use tve_config::Config;
use tve_recorder::{Replayed, replay};
use tve_scenario::{Run, Sample, Scenario};

/// Ticks between two points of an incident: four points a second.
const PLOT_EVERY: u64 = 25;

#[derive(Debug, Args)]
pub(crate) struct PlotScenario {
    /// The scenario, such as config/scenarios/warm-up.toml.
    scenario: PathBuf,
    /// The picture.
    svg: PathBuf,
    /// Seed of the converter's noise instead of the scenario's.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct PlotIncident {
    /// An incident file, such as incident_20260102_030405.tvebox.
    file: PathBuf,
    /// The picture.
    svg: PathBuf,
}

/// Draws a scenario, whether or not its expectations hold.
pub(crate) fn scenario(args: &PlotScenario) -> anyhow::Result<ExitCode> {
    let scenario = Scenario::load(&args.scenario)
        .with_context(|| format!("{} cannot be used", args.scenario.display()))?;
    let mut run = Run::new(&scenario, args.seed);
    run.advance(u64::MAX);
    let machine = scenario.config().machine();
    plot::write(&args.svg, scenario.question(), &machine, &run.finish().samples)
        .with_context(|| format!("cannot draw {}", args.svg.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Draws an incident, whether or not its outputs are bit-equal.
pub(crate) fn incident(args: &PlotIncident) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let bytes = std::fs::read(&args.file)
        .with_context(|| format!("cannot read {shown}; give an incident file that exists"))?;
    let mut samples = Vec::new();
    let mut ticks = 0;
    let replayed = replay(&bytes, &mut |snapshot| {
        if ticks % PLOT_EVERY == 0 {
            samples.push(Sample::of(snapshot));
        }
        ticks += 1;
    })
    .with_context(|| shown.to_string())?;
    let machine = replayed.machine.clone().unwrap_or_else(|| Config::embedded().machine());
    plot::write(&args.svg, &title(&replayed), &machine, &samples)
        .with_context(|| format!("cannot draw {}", args.svg.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn title(replayed: &Replayed) -> String {
    match replayed.alarms.first() {
        Some((code, _)) => format!("Incident: {code}"),
        None => "Incident".to_owned(),
    }
}
