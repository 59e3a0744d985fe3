//! Where the service spends its time: samples by `perf`, folded and drawn.

use anyhow::{Context as _, ensure};
use inferno::collapse::Collapse as _;
use inferno::collapse::perf::Folder;
use inferno::flamegraph;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Samples a second: not a divisor of the control loop's rate, so that they do not march in step.
const SAMPLES_PER_S: &str = "99";

/// A recording that goes on.
pub(crate) struct Recording {
    perf: Child,
    data: PathBuf,
}

/// Samples process `pid` for `seconds`.
///
/// # Errors
/// There is no `perf`.
pub(crate) fn record(pid: i32, seconds: u64, folder: &Path) -> anyhow::Result<Recording> {
    let data = folder.join("perf.data");
    let perf = Command::new("perf")
        .args(["record", "-q", "-F", SAMPLES_PER_S, "-g", "-p", &pid.to_string(), "-o"])
        .arg(&data)
        .args(["--", "sleep", &seconds.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("--flamegraph needs perf, which cannot be started; install linux-perf")?;
    Ok(Recording { perf, data })
}

impl Drop for Recording {
    fn drop(&mut self) {
        // It has usually ended by itself; a run that could not begin must leave nothing behind.
        let _ = self.perf.kill();
        let _ = self.perf.wait();
    }
}

impl Recording {
    /// Waits for its end and writes `server.folded` and `flamegraph.svg` into `folder`.
    ///
    /// # Errors
    /// perf recorded nothing, or a file cannot be written.
    pub(crate) fn finish(mut self, folder: &Path) -> anyhow::Result<()> {
        if crate::interrupt::is_set() {
            self.perf.kill().context("perf is gone")?;
        }
        self.perf.wait().context("perf is gone")?;
        let script = Command::new("perf").arg("script").arg("-i").arg(&self.data).output()?;
        let folded = fold(&script.stdout)?;
        ensure!(
            !folded.is_empty(),
            "perf recorded no samples; allow it with sysctl kernel.perf_event_paranoid=1"
        );
        std::fs::write(folder.join("flamegraph.svg"), draw(&folded)?)?;
        std::fs::write(folder.join("server.folded"), folded)?;
        Ok(())
    }
}

/// Stacks, outermost call first and separated by `;`, with how often each was seen, from
/// `perf script`.
fn fold(script: &[u8]) -> io::Result<Vec<u8>> {
    let mut folded = Vec::new();
    Folder::default().collapse(script, &mut folded)?;
    Ok(folded)
}

/// The flame graph of folded stacks: one file that opens offline.
fn draw(folded: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut options = flamegraph::Options::default();
    "Where the service spends its time".clone_into(&mut options.title);
    // The hue follows the name, so that a function looks the same in every picture.
    options.hash = true;
    let mut svg = Vec::new();
    flamegraph::from_reader(&mut options, folded, &mut svg).context("no flame graph")?;
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "serve 12 1.5: cpu-clock:\n\tffff tve::answer+0x12 (/bin/tve)\n\taaaa \
                          tve::main+0x1 (/bin/tve)\n\nserve 12 1.6: cpu-clock:\n\tffff \
                          tve::answer+0x99 (/bin/tve)\n\taaaa tve::main+0x1 (/bin/tve)\n\n";

    #[test]
    fn samples_of_one_stack_are_folded_together() {
        let folded = String::from_utf8(fold(SCRIPT.as_bytes()).unwrap()).unwrap();
        assert_eq!(folded, "serve;tve::main;tve::answer 2\n");
    }

    #[test]
    fn the_picture_names_each_call_once_and_fetches_nothing() {
        let svg = String::from_utf8(draw(&fold(SCRIPT.as_bytes()).unwrap()).unwrap()).unwrap();
        for name in ["all", "serve", "tve::main", "tve::answer"] {
            assert_eq!(svg.matches(&format!("<title>{name} (2 samples, 100")).count(), 1, "{svg}");
        }
        assert!(!svg.contains("src=") && !svg.contains("href=\"http"), "{svg}");
    }

    #[test]
    fn a_recording_without_samples_has_no_stacks() {
        assert!(fold(b"").unwrap().is_empty());
    }
}
