//! `tve audit`: whether the journal is as it was written.

use crate::terminal;
use anyhow::Context as _;
use clap::Subcommand;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use tve_runtime::default_data_dir;

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check the chain of hashes: names changed, missing and moved lines, exits 1 when there is one.
    Verify {
        /// Files, oldest first [default: all of the data folder].
        files: Vec<PathBuf>,
        /// Data folder to look in when no file is given [default: as of `tve serve`].
        #[arg(long, value_name = "DIR", env = "TVE_DATA_DIR", conflicts_with = "files")]
        data_dir: Option<PathBuf>,
        /// SHA-256 of a line that was noted elsewhere and must still be there.
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
}

/// Exit code 0 when the chain holds.
pub(crate) fn run(args: &Audit) -> anyhow::Result<ExitCode> {
    let Audit::Verify { files, data_dir, head } = args;
    let files = if files.is_empty() {
        let folder = data_dir.clone().unwrap_or_else(default_data_dir).join(tve_audit::FOLDER);
        let found = tve_audit::file_names(&folder)
            .with_context(|| format!("cannot read {}; give the files", folder.display()))?;
        anyhow::ensure!(!found.is_empty(), "{} holds no journal; give the files", folder.display());
        found
    } else {
        files.clone()
    };
    let head = head.as_ref().map(|hash| hash.trim().to_lowercase());
    let report = tve_audit::verify(&files, head.as_deref())?;
    let mut out = terminal::out();
    for fault in &report.faults {
        writeln!(out, "{fault}")?;
    }
    let missing = head.filter(|_| !report.has_head);
    if let Some(hash) = &missing {
        writeln!(out, "no line has the hash {hash}: it was changed or cut off")?;
    }
    writeln!(out, "{} lines, {} to {}", report.lines, report.first_seq, report.last_seq)?;
    writeln!(out, "head {}", report.head)?;
    let whole = report.faults.is_empty() && missing.is_none();
    writeln!(out, "{}", if whole { "the chain holds" } else { "THE CHAIN IS BROKEN" })?;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
