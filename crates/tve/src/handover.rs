//! The verbs of `tve-prove`: what proves and draws is a program of its own, so that the service
//! carries neither plotters nor progress bars.

use anyhow::Context as _;
use clap::Args;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

const PROGRAM: &str = "tve-prove";

/// Arguments that are not ours to understand.
#[derive(Debug, Args)]
pub(crate) struct Handed {
    /// Options of `tve-prove`; `--help` lists them.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    arguments: Vec<OsString>,
}

/// Becomes `tve-prove` with `verb`. Returns only when that is not there.
///
/// # Errors
/// A sentence that says what to do.
pub(crate) fn exec(verb: &str, handed: &Handed) -> anyhow::Result<ExitCode> {
    let error = Command::new(program()).arg(verb).args(&handed.arguments).exec();
    Err(error).with_context(missing)
}

/// Runs `tve-prove` to its end.
///
/// # Errors
/// When it is not there or has failed, which it has said itself.
pub(crate) fn run(verb: &str, arguments: &[&OsStr]) -> anyhow::Result<()> {
    let status =
        Command::new(program()).arg(verb).args(arguments).status().with_context(missing)?;
    anyhow::ensure!(status.success(), "{PROGRAM} {verb} has failed");
    Ok(())
}

/// The program beside this one, else that of the path.
fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|this| this.with_file_name(PROGRAM));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PROGRAM.into())
}

fn missing() -> String {
    format!(
        "{PROGRAM} cannot be run; build it with `cargo build --release`, or put it beside this \
         program or on the path"
    )
}
