//! Two builds of the service, run in turns on this machine, so that its noise falls on both.

use crate::options::Options;
use crate::run::run;
use crate::{plan::Plan, summary::Summary};
use anyhow::{Context as _, bail};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Who runs in each turn: each build is first as often as it is last.
const TURNS: [usize; 4] = [0, 1, 1, 0];

/// A service that was started here; it ends with this value.
struct Service {
    child: Child,
    host: reqwest::Url,
    data: PathBuf,
    /// Its output, kept open: a service that greets a closed pipe ends.
    out: BufReader<ChildStdout>,
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself, and its folder is a temporary one.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

fn start(binary: &Path, turn: usize) -> anyhow::Result<Service> {
    let data = std::env::temp_dir().join(format!("tve-load-ab-{}-{turn}", std::process::id()));
    let mut child = Command::new(binary)
        .args(["serve", "--hardware", "sim", "--sim-start-temp", "225"])
        .args(["--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let out = BufReader::new(child.stdout.take().context("its output is gone")?);
    let placeholder = reqwest::Url::parse("http://127.0.0.1").context("no address")?;
    // From here on the child is ended whatever happens.
    let mut service = Service { child, host: placeholder, data, out };
    let mut line = String::new();
    while service.out.read_line(&mut line)? > 0 {
        if let Some(at) = line.find("http://") {
            service.host = line[at..].trim().parse()?;
            return Ok(service);
        }
        line.clear();
    }
    bail!("{} ended without naming its address", binary.display())
}

/// Runs `plan` against both builds in turns: the summaries of the old and of the new one.
///
/// # Errors
/// A build does not start, or a run cannot be made.
pub(crate) async fn run_both(
    plan: &Plan,
    old: &Path,
    new: &Path,
    short: bool,
) -> anyhow::Result<[Vec<Summary>; 2]> {
    let mut both = [Vec::new(), Vec::new()];
    for (turn, side) in TURNS.into_iter().enumerate() {
        let service = start([old, new][side], turn)?;
        let options = Options {
            short,
            server_pid: i32::try_from(service.child.id()).ok(),
            ..Options::to(service.host.clone())
        };
        eprintln!("turn {} of {}: {}", turn + 1, TURNS.len(), [old, new][side].display());
        both[side].push(Box::pin(run(plan, &options)).await?.summary);
        if crate::interrupt::is_set() {
            bail!("interrupted");
        }
    }
    Ok(both)
}
