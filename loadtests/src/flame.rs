//! Where the service spends its time: samples by `perf`, folded and drawn.

use anyhow::{Context as _, ensure};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Samples a second: not a divisor of the control loop's rate, so that they do not march in step.
const SAMPLES_PER_S: &str = "99";
/// Width of the picture, pixels.
const WIDTH: f64 = 1200.0;
/// Height of one call, pixels.
const ROW: usize = 17;
/// A narrower box is left out, pixels.
const NARROWEST: f64 = 0.4;
/// Width of a letter, pixels.
const LETTER: f64 = 7.0;

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
        let stacks = fold(&String::from_utf8_lossy(&script.stdout));
        ensure!(
            !stacks.is_empty(),
            "perf recorded no samples; allow it with sysctl kernel.perf_event_paranoid=1"
        );
        let mut folded = String::new();
        for (stack, samples) in &stacks {
            let _ = writeln!(folded, "{stack} {samples}");
        }
        std::fs::write(folder.join("server.folded"), folded)?;
        std::fs::write(folder.join("flamegraph.svg"), draw(&stacks))?;
        Ok(())
    }
}

/// Stacks, outermost call first and separated by `;`, with their samples, from `perf script`.
fn fold(script: &str) -> BTreeMap<String, u64> {
    let mut stacks = BTreeMap::new();
    for sample in script.split("\n\n") {
        let mut lines = sample.lines().filter(|l| !l.trim().is_empty());
        let Some(head) = lines.next() else { continue };
        let thread = head.split_whitespace().next().unwrap_or("?").to_owned();
        let mut calls: Vec<String> = lines
            .filter_map(|line| {
                let (_, call) = line.trim().split_once(' ')?;
                let name = call.rsplit_once(" (").map_or(call, |(name, _)| name);
                let name = name.rsplit_once("+0x").map_or(name, |(name, _)| name);
                Some(name.replace(';', ":"))
            })
            .collect();
        calls.push(thread);
        calls.reverse();
        *stacks.entry(calls.join(";")).or_default() += 1;
    }
    stacks
}

/// A call and what it called.
#[derive(Default)]
struct Call {
    samples: u64,
    called: BTreeMap<String, Call>,
}

impl Call {
    fn depth(&self) -> usize {
        1 + self.called.values().map(Self::depth).max().unwrap_or(0)
    }
}

fn draw(stacks: &BTreeMap<String, u64>) -> String {
    let mut root = Call::default();
    for (stack, &samples) in stacks {
        root.samples += samples;
        let mut call = &mut root;
        for name in stack.split(';') {
            call = call.called.entry(name.to_owned()).or_default();
            call.samples += samples;
        }
    }
    let height = root.depth() * ROW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"monospace\" font-size=\"12\">"
    );
    let scale = WIDTH / root.samples.max(1) as f64;
    boxes(&mut svg, "all", &root, 0.0, 0, scale);
    svg.push_str("</svg>\n");
    svg
}

fn boxes(svg: &mut String, name: &str, call: &Call, x: f64, row: usize, scale: f64) {
    let width = call.samples as f64 * scale;
    if width < NARROWEST {
        return;
    }
    let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let share = width / WIDTH * 100.0;
    let y = row * ROW;
    // The hue follows the name, so that a function looks the same everywhere.
    let hue = name.bytes().fold(0_u32, |h, b| h.wrapping_mul(31) + u32::from(b)) % 50;
    let fits = (width / LETTER) as usize;
    let label: String = if fits < 3 || name.contains('&') && fits < name.len() {
        String::new()
    } else {
        name.chars().take(fits).collect()
    };
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<g><title>{name} ({} samples, {share:.1} %)</title><rect x=\"{x:.1}\" y=\"{y}\" \
         width=\"{width:.1}\" height=\"{}\" fill=\"hsl({hue},80%,65%)\"/><text x=\"{:.1}\" \
         y=\"{}\">{label}</text></g>",
        call.samples,
        ROW - 1,
        x + 2.0,
        y + 12
    );
    let mut at = x;
    for (name, called) in &call.called {
        boxes(svg, name, called, at, row + 1, scale);
        at += called.samples as f64 * scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "serve 12 1.5: cpu-clock:\n\tffff tve::answer+0x12 (/bin/tve)\n\taaaa \
                          tve::main+0x1 (/bin/tve)\n\nserve 12 1.6: cpu-clock:\n\tffff \
                          tve::answer+0x99 (/bin/tve)\n\taaaa tve::main+0x1 (/bin/tve)\n\n";

    #[test]
    fn samples_of_one_stack_are_folded_together() {
        let stacks = fold(SCRIPT);
        assert_eq!(
            stacks.into_iter().collect::<Vec<_>>(),
            [("serve;tve::main;tve::answer".to_owned(), 2)]
        );
    }

    #[test]
    fn the_picture_names_each_call_once() {
        let svg = draw(&fold(SCRIPT));
        for name in ["all", "serve", "tve::main", "tve::answer"] {
            assert_eq!(svg.matches(&format!("<title>{name} (2 samples, 100.0 %)")).count(), 1);
        }
        assert_eq!(fold("\n\n"), BTreeMap::new());
    }
}
