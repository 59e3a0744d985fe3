//! What a run leaves behind: the report folder and the text on the terminal.

mod checklist;
mod html;
mod locust;
mod plots;
mod text;

pub use html::html;
pub(crate) use plots::course;
pub use text::text;

use crate::summary::{FILE, Finished, Summary};
use anyhow::Context as _;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use std::path::Path;
use std::time::Duration;

/// Makes the folder and makes sure that it can be written, before the run and not after it.
///
/// # Errors
/// It cannot be made or written.
pub fn prepare(folder: &Path) -> anyhow::Result<()> {
    let probe = folder.join(".writable");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, b""))
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|error| {
            anyhow::anyhow!(
                "cannot write the report folder {}: {error}; give another one with --report",
                folder.display()
            )
        })
}

/// Writes every report of a run.
///
/// # Errors
/// A file cannot be written.
pub fn write(folder: &Path, finished: &Finished) -> anyhow::Result<()> {
    let summary = &finished.summary;
    let put = |name: &str, bytes: Vec<u8>| {
        let file = folder.join(name);
        std::fs::write(&file, bytes).with_context(|| format!("cannot write {}", file.display()))
    };
    put(FILE, serde_json::to_vec_pretty(summary)?)?;
    put("report.html", html(summary)?.into_bytes())?;
    put("report.txt", text(summary).into_bytes())?;
    put("acceptance.md", checklist::markdown(summary)?.into_bytes())?;
    put(&format!("{}_stats.csv", summary.plan), locust::stats(summary)?)?;
    put(&format!("{}_stats_history.csv", summary.plan), locust::history(summary)?)?;
    put(&format!("{}_failures.csv", summary.plan), locust::failures(summary)?)?;
    put("latency.hlog", hlog(summary, finished)?)
}

/// The histograms of the judged stretch as an HdrHistogram interval log: one tagged line a group,
/// µs from the due instant.
fn hlog(summary: &Summary, finished: &Finished) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment(&format!("{} from {}, microseconds", summary.plan, summary.started));
    let mut writer = builder.begin_log_with(&mut out, &mut serializer)?;
    for (group, histogram) in &finished.histograms {
        // Tags may hold neither commas nor blanks.
        let tag: String =
            group.chars().map(|c| if c == ',' || c.is_whitespace() { '_' } else { c }).collect();
        writer
            .write_histogram(
                histogram,
                Duration::from_secs(summary.judged_from_s),
                Duration::from_secs(summary.judged_s),
                Tag::new(&tag),
            )
            .map_err(|error| {
                anyhow::anyhow!("cannot encode the histogram of {group}: {error:?}")
            })?;
    }
    Ok(out)
}
