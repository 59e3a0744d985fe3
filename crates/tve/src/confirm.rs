//! `tve confirm`: the second confirmation of a change that can blind a trip, from the console.

use clap::Args;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use tve_runtime::default_data_dir;

/// `tve confirm`.
#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// The code that the refusal of the change has told.
    code: String,
    /// Data folder of the service [default: /var/lib/tve, else the user's].
    #[arg(long, value_name = "DIR", env = "TVE_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

/// Runs `tve confirm`.
pub(crate) fn run(args: Confirm) -> anyhow::Result<ExitCode> {
    let folder = args.data_dir.unwrap_or_else(default_data_dir);
    tve_runtime::confirm(&folder, &args.code)?;
    writeln!(io::stdout().lock(), "confirmed: the change is in force")?;
    Ok(ExitCode::SUCCESS)
}
