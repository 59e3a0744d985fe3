//! `tve audit`: whether the journal is as it was written, and the key that signs it.

use crate::terminal;
use anyhow::Context as _;
use clap::Subcommand;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tve_audit::{InitialKey, Report};
use tve_runtime::default_data_dir;

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Check the chains of hashes: names changed, missing and moved lines, exits 1 when there is one.
    Verify {
        /// Files of one chain, oldest first [default: every chain of the data folder].
        files: Vec<PathBuf>,
        /// Data folder to look in when no file is given [default: as of `tve serve`].
        #[arg(long, value_name = "DIR", env = "TVE_DATA_DIR", conflicts_with = "files")]
        data_dir: Option<PathBuf>,
        /// SHA-256 of a line that was noted elsewhere and must still be there.
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
        /// File with the key that `tve audit key` has printed, - for stdin: checks the signatures, too.
        #[arg(long, value_name = "FILE", conflicts_with = "files")]
        key: Option<PathBuf>,
    },
    /// Make a key that signs the journal from the next start on, and print it; it is shown this once.
    Key {
        /// Data folder of the service [default: as of `tve serve`].
        #[arg(long, value_name = "DIR", env = "TVE_DATA_DIR")]
        data_dir: Option<PathBuf>,
    },
}

/// Exit code 0 when every chain holds.
pub(crate) fn run(args: Audit) -> anyhow::Result<ExitCode> {
    match args {
        Audit::Verify { files, data_dir, head, key } => {
            let head = head.map(|hash| hash.trim().to_lowercase());
            let reports = if files.is_empty() {
                let folder = folder(data_dir);
                reports(&folder, head.as_deref(), key.as_deref())?
            } else {
                vec![("given", tve_audit::verify(&files, head.as_deref())?)]
            };
            print(&reports, head.as_deref())
        }
        Audit::Key { data_dir } => make_key(&folder(data_dir)),
    }
}

fn folder(data_dir: Option<PathBuf>) -> PathBuf {
    data_dir.unwrap_or_else(default_data_dir).join(tve_audit::FOLDER)
}

fn reports(
    folder: &Path,
    head: Option<&str>,
    key: Option<&Path>,
) -> anyhow::Result<Vec<(&'static str, Report)>> {
    let key = key.map(read_key).transpose()?;
    let chains = tve_audit::chains(folder)
        .with_context(|| format!("cannot read {}; give the files", folder.display()))?;
    let some = chains.iter().any(|chain| !chain.files.is_empty());
    anyhow::ensure!(some, "{} holds no journal; give the files", folder.display());
    let reports = chains.iter().map(|chain| {
        let report = tve_audit::verify_chain(folder, chain, head, key.as_ref())?;
        Ok((chain.name, report))
    });
    reports.collect()
}

fn read_key(file: &Path) -> anyhow::Result<InitialKey> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().take(1024).read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.with_context(|| format!("cannot read the key in {}", file.display()))?;
    InitialKey::from_hex(&text)
        .with_context(|| format!("{} holds no key of 64 hexadecimal digits", file.display()))
}

fn print(reports: &[(&'static str, Report)], head: Option<&str>) -> anyhow::Result<ExitCode> {
    let mut out = terminal::out();
    for fault in reports.iter().flat_map(|(_, report)| &report.faults) {
        writeln!(out, "{fault}")?;
    }
    let missing = head.filter(|_| !reports.iter().any(|(_, report)| report.has_head));
    if let Some(hash) = missing {
        writeln!(out, "no line has the hash {hash}: it was changed or cut off")?;
    }
    for (name, report) in reports.iter().filter(|(_, report)| report.lines > 0) {
        let Report { lines, first_seq, last_seq, head, .. } = report;
        writeln!(out, "{name}: {lines} lines, {first_seq} to {last_seq}, head {head}")?;
    }
    let whole = missing.is_none() && reports.iter().all(|(_, report)| report.faults.is_empty());
    writeln!(out, "{}", if whole { "the chain holds" } else { "THE CHAIN IS BROKEN" })?;
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn make_key(folder: &Path) -> anyhow::Result<ExitCode> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the system gave no random bytes")?;
    let key = InitialKey::new(random);
    key.install(folder).with_context(|| format!("no key was made in {}", folder.display()))?;
    writeln!(terminal::out(), "{}", key.to_hex())?;
    eprintln!(
        "This is shown once: keep it on another computer. The journal is signed from the next start \
         of the service on; `tve audit verify --key FILE` checks it."
    );
    Ok(ExitCode::SUCCESS)
}
