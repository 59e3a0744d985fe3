//! The command line of `tve`; each verb has a file of its own.

use crate::audit::{self, Audit};
use crate::confirm::{self, Confirm};
use crate::handover::{self, Handed};
use crate::password;
use crate::pins::{self, SafeOff, Wiring};
use crate::replay::{self, Replay};
use crate::serve::{self, Serve};
use crate::simulate::{self, Simulate};
use crate::terminal;
use crate::token::{self, Tokens};
use clap::{Parser, Subcommand};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tve_config::Config;
use tve_tags::Tags;

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
    /// Print the OpenAPI document of the default machine; a service has that of its own at
    /// /openapi.json.
    Openapi,
    /// Hash a password for security.users: asks for it, or reads it from stdin.
    HashPassword,
    /// Make, list and revoke the tokens of scripts and panels.
    Token(Tokens),
    /// Confirm at the console a change that can blind a trip; exits 1 where it is not made.
    Confirm(Confirm),
    /// Play a scenario in virtual time: prints each expectation, exits 1 when one fails.
    Simulate(Simulate),
    /// Prove the fault table: every row from every state in virtual time, exits 1 when one falls short.
    #[command(disable_help_flag = true)]
    Certify(Handed),
    /// Walk at random under commands, faults and restarts, exits 1 when an invariant is broken.
    #[command(disable_help_flag = true)]
    Walk(Handed),
    /// Run healthy machine-hours, print the margin of each rule, exits 1 when one raised an alarm.
    #[command(disable_help_flag = true)]
    FalseTrips(Handed),
    /// Play every order of stop, clear, start, tune, jog and power-cycle, exits 1 when an invariant
    /// is broken.
    #[command(disable_help_flag = true)]
    Orders(Handed),
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
        None => serve::run(cli.serve),
        Some(Action::Serve(args)) => serve::run(args),
        Some(Action::CheckConfig { file }) => check_config(&file),
        Some(Action::Openapi) => openapi(),
        Some(Action::HashPassword) => password::run(),
        Some(Action::Token(args)) => token::run(args),
        Some(Action::Confirm(args)) => confirm::run(args),
        Some(Action::Simulate(args)) => simulate::run(&args),
        Some(Action::Audit(args)) => audit::run(args),
        Some(Action::Replay(args)) => replay::run(&args),
        Some(Action::Certify(args)) => handover::exec("certify", &args),
        Some(Action::Walk(args)) => handover::exec("walk", &args),
        Some(Action::FalseTrips(args)) => handover::exec("false-trips", &args),
        Some(Action::Orders(args)) => handover::exec("orders", &args),
        Some(Action::SafeOff(args)) => pins::safe_off(&args),
        Some(Action::Wiring(args)) => pins::wiring(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            terminal::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn openapi() -> anyhow::Result<ExitCode> {
    let mut out = terminal::out();
    let machine = Tags::of(Config::embedded().machine());
    out.write_all(&tve_http::openapi_document(&machine)).and_then(|()| out.write_all(b"\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn check_config(file: &Path) -> anyhow::Result<ExitCode> {
    use tve_config::store::{LoadError, load};
    let mut out = terminal::out();
    match load(file) {
        Ok(config) => {
            for warning in config.warnings() {
                writeln!(out, "warning: {warning}")?;
            }
            for sentence in tve_runtime::access::unusable(&config.security) {
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
