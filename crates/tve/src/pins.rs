//! `tve safe-off` and `tve wiring`: the header pins without a running service.

use crate::terminal;
use anyhow::Context as _;
use clap::Args;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tve_config::{Config, store};

#[derive(Debug, Args)]
pub(crate) struct SafeOff {
    /// The configuration of the machine [default: the embedded one].
    #[arg(long, value_name = "FILE", env = "TVE_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Wiring {
    /// The configuration file.
    config: PathBuf,
    /// Draw the 40-pin header as SVG instead of a Markdown table.
    #[arg(long)]
    svg: bool,
}

/// Turns the Raspberry Pi's outputs off from outside. A configuration that cannot be read does not
/// keep the pins from being released.
pub(crate) fn safe_off(args: &SafeOff) -> anyhow::Result<ExitCode> {
    let config = match &args.config {
        None => Ok(Config::embedded()),
        Some(path) => load(path),
    };
    match config {
        Ok(config) => tve_rpi::safe_off(&config).context("not every output could be reached")?,
        Err(error) => {
            tve_rpi::release_pins().context("the header pins could not be released")?;
            return Err(error.context("the pins are released, the PWM board is unknown"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what is wired where, from the configuration itself.
pub(crate) fn wiring(args: &Wiring) -> anyhow::Result<ExitCode> {
    let config = load(&args.config)?;
    let text =
        if args.svg { tve_rpi::wiring::svg(&config) } else { tve_rpi::wiring::markdown(&config) };
    terminal::out().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn load(path: &Path) -> anyhow::Result<Config> {
    store::load(path).with_context(|| format!("{} cannot be used", path.display()))
}
