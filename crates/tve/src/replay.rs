//! `tve replay`: an incident file through the controller again, bit for bit.

use crate::handover;
use crate::terminal;
use anyhow::Context as _;
use clap::Args;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use tve_recorder::{Replayed, replay};

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// An incident file, such as incident_20260102_030405.tvebox.
    file: PathBuf,
    /// Draw temperatures, duties and speeds as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Exit code 0 when every output is bit-equal, 1 at the first that is not.
pub(crate) fn run(args: &Replay) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let bytes = std::fs::read(&args.file)
        .with_context(|| format!("cannot read {shown}; give an incident file that exists"))?;
    let replayed = replay(&bytes, &mut |_| {}).with_context(|| shown.to_string())?;
    if let Some(path) = &args.plot {
        handover::run("plot-incident", &[args.file.as_os_str(), path.as_os_str()])?;
    }
    print(&replayed).context("cannot print the report")?;
    Ok(if replayed.difference.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(replayed: &Replayed) -> std::io::Result<()> {
    let mut out = terminal::out();
    for (code, wall) in &replayed.alarms {
        writeln!(out, "alarm   {code} at {wall:.3} s since 1970")?;
    }
    if replayed.gaps > 0 {
        writeln!(
            out,
            "gaps    {}: the configuration was changed, or the recorder lost a segment",
            replayed.gaps
        )?;
    }
    match &replayed.difference {
        None => writeln!(
            out,
            "{} ticks replayed, outputs bit-equal ({} commands, {:.1} s)",
            replayed.ticks,
            replayed.commands,
            replayed.span.1.since(replayed.span.0).secs()
        ),
        Some(difference) => {
            writeln!(out, "{} ticks replayed, then a difference", replayed.ticks)?;
            writeln!(out, "{difference}")
        }
    }
}
