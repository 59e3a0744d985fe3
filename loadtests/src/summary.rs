//! What a run leaves behind as data: `summary.json`, from which every report is drawn.

use crate::measure::histogram::Latency;
use crate::measure::timeline::{GroupPoint, Timeline};
use crate::resources::ServerPoint;
use crate::verdict::{Claim, Trust, Verdict};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Version of the format; raised when a field changes its meaning.
pub const FORMAT: u32 = 1;

/// Shares of the requests whose latency is kept of every request.
pub const QUANTILES: [f64; 11] = [0.5, 0.66, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 1.0];

/// Name of the file in a report folder.
pub const FILE: &str = "summary.json";

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`FORMAT`].
    pub format: u32,
    /// Name of the plan.
    pub plan: String,
    /// Its question.
    pub question: String,
    /// Address of the service.
    pub host: String,
    /// Start, as in RFC 3339.
    pub started: String,
    /// Seconds that were judged.
    pub judged_s: u64,
    /// First judged second since the start.
    pub judged_from_s: u64,
    /// How long of that the host of the generator's machine gave none of it to others, s.
    #[serde(default)]
    pub quiet_s: f64,
    /// The verdict.
    pub verdict: Verdict,
    /// Its claims.
    pub claims: Vec<Claim>,
    /// How far the generator can be trusted.
    pub trust: Trust,
    /// The looser reading of the interval; `None` where the plan judges none.
    pub looser: Option<bool>,
    /// By group.
    pub groups: Vec<GroupSummary>,
    /// By phase and request.
    pub requests: Vec<RequestSummary>,
    /// By scenario.
    pub scenarios: Vec<ScenarioSummary>,
    /// The service over the whole run.
    pub server: Timeline<ServerPoint>,
    /// The service's process at the end: its number.
    pub server_pid: Option<i32>,
    /// How often it was another one than before.
    pub server_changes: u32,
    /// Resident memory of the generator at the start, at the end and at its highest, MB.
    pub generator_rss_mb: [f64; 3],
    /// What went wrong, by request and text.
    pub failures: Vec<Failure>,
    /// Figures of the plan's own kind (the rate found, trends, event latency), by name.
    pub extra: BTreeMap<String, String>,
}

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// Its data.
    pub summary: Summary,
    /// Latencies from the due instant, by group.
    pub histograms: Vec<(String, Histogram<u64>)>,
}

/// A group over the judged stretch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupSummary {
    /// Name.
    pub name: String,
    /// Limits of p95 and p99, ms, where there are any.
    pub limits_ms: [Option<f64>; 2],
    /// From the due instant to the whole body: what the verdict uses.
    pub due: Latency,
    /// The same of the quiet moments alone.
    #[serde(default)]
    pub quiet: Latency,
    /// From sending to the head of the reply.
    pub headers: Latency,
    /// From sending to the whole body.
    pub body: Latency,
    /// Requests.
    pub count: u64,
    /// Errors.
    pub errors: u64,
    /// Requests per second.
    pub rps: f64,
    /// Requests by class.
    pub outcomes: BTreeMap<String, u64>,
    /// Longest green streak, s; `None` where the plan judges no interval.
    pub longest_streak_s: Option<u64>,
    /// (share of the requests, latency in ms) from the due instant, ascending.
    pub curve: Vec<(f64, f64)>,
    /// Its course.
    pub timeline: Timeline<GroupPoint>,
}

/// A request in one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestSummary {
    /// The phase.
    pub phase: String,
    /// The request.
    pub name: String,
    /// Method and path.
    pub target: String,
    /// The group.
    pub group: String,
    /// From the due instant.
    pub due: Latency,
    /// Requests.
    pub count: u64,
    /// Errors.
    pub errors: u64,
    /// Requests per second.
    pub rps: f64,
    /// Bytes of all bodies together.
    pub bytes: u64,
    /// Latency in ms at each of [`QUANTILES`].
    pub quantiles_ms: Vec<f64>,
}

/// A scenario over the judged stretch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioSummary {
    /// Name.
    pub name: String,
    /// Users, when they were most.
    pub users: usize,
    /// Requests per second that it should send; `None` where it sends what it can, or where users
    /// come or go.
    pub target_rps: Option<f64>,
    /// Requests per second that were answered.
    pub achieved_rps: f64,
}

/// A kind of failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The request.
    pub request: String,
    /// What went wrong.
    pub text: String,
    /// How often.
    pub count: u64,
}

impl Summary {
    /// Reads the summary of a report folder, or the file itself.
    ///
    /// # Errors
    /// It is not there, or is not a summary of this format.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let file = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
        let text = std::fs::read_to_string(&file).map_err(|error| {
            anyhow::anyhow!("cannot read {}: {error}; give a report folder", file.display())
        })?;
        let summary: Self = serde_json::from_str(&text).map_err(|error| {
            anyhow::anyhow!("{} is no summary of a run: {error}", file.display())
        })?;
        anyhow::ensure!(
            summary.format == FORMAT,
            "{} has format {}, this version reads {FORMAT}",
            file.display(),
            summary.format
        );
        Ok(summary)
    }
}
