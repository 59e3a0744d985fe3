//! The course of stored runs: a table and a plot.

use crate::report::course;
use crate::summary::{FILE, Summary};
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Reads every run in the folders of `folder`, oldest first.
///
/// # Errors
/// The folder cannot be read or holds no run.
pub(crate) fn runs(folder: &Path) -> anyhow::Result<Vec<Summary>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut runs = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.join(FILE).is_file() {
            runs.push(Summary::read(&path)?);
        }
    }
    anyhow::ensure!(!runs.is_empty(), "no folder in {} holds a {FILE}", folder.display());
    runs.sort_by(|a, b| a.started.cmp(&b.started));
    Ok(runs)
}

/// A line for each run.
pub(crate) fn text(runs: &[Summary]) -> String {
    let mut out = String::new();
    for run in runs {
        // Writing to a string cannot fail.
        let _ = write!(out, "{} {:<16} {:<12}", run.started, run.plan, run.verdict.word.name());
        for group in &run.groups {
            let p95 = group.due.p95_us as f64 / 1000.0;
            let _ = write!(out, " {} p95 {p95:.2} ms", group.name);
        }
        out.push('\n');
    }
    out
}

/// p95 of every plan's groups over the runs, as SVG.
///
/// # Errors
/// It cannot be drawn.
pub(crate) fn svg(runs: &[Summary]) -> anyhow::Result<String> {
    let mut lines: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for (number, run) in runs.iter().enumerate() {
        for group in &run.groups {
            let line = lines.entry(format!("{}: {}", run.plan, group.name)).or_default();
            line.push((number as f64, group.due.p95_us as f64 / 1000.0));
        }
    }
    course("p95, ms", lines.into_iter().collect())
}
