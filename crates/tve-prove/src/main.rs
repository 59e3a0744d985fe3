//! The binary `tve-prove`: the proofs, on this machine, now; and pictures of runs.
//!
//! `tve certify`, `walk`, `orders` and `false-trips` hand over to it, and so does `--plot` of
//! `tve simulate` and `tve replay`.

mod pictures;
mod plot;
mod proof;

use clap::{Parser, Subcommand};
use pictures::{PlotIncident, PlotScenario};
use proof::{Certify, FalseTrips, Orders, Walk};
use std::process::ExitCode;

/// The proofs of the extruder's controller, in virtual time.
#[derive(Debug, Parser)]
#[command(name = "tve-prove", version, about)]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Prove the fault table: every row from every state in virtual time, exits 1 when one falls short.
    Certify(Certify),
    /// Walk at random under commands, faults and restarts, exits 1 when an invariant is broken.
    Walk(Walk),
    /// Run healthy machine-hours, print the margin of each rule, exits 1 when one raised an alarm.
    FalseTrips(FalseTrips),
    /// Play every order of stop, clear, start, tune, jog and power-cycle, exits 1 when an invariant
    /// is broken.
    Orders(Orders),
    /// Play a scenario and draw temperatures, duties and speeds as SVG.
    PlotScenario(PlotScenario),
    /// Replay an incident file and draw temperatures, duties and speeds as SVG.
    PlotIncident(PlotIncident),
}

fn main() -> ExitCode {
    let result = match Cli::parse().action {
        Action::Certify(args) => proof::certify(&args),
        Action::Walk(args) => proof::walk(&args),
        Action::FalseTrips(args) => proof::false_trips(&args),
        Action::Orders(args) => proof::orders(&args),
        Action::PlotScenario(args) => pictures::scenario(&args),
        Action::PlotIncident(args) => pictures::incident(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("tve-prove: {error:#}");
        ExitCode::FAILURE
    })
}
