//! The shape of a plan file.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// A plan.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name; the file is called the same.
    pub name: String,
    /// The question that a run of it answers.
    pub question: String,
    /// Seed of everything that is chosen at random.
    #[serde(default = "one")]
    pub seed: u64,
    /// Seconds that all groups at once must hold; absent where only totals are judged.
    #[serde(default)]
    pub interval_s: Option<u64>,
    /// What stands behind the address, and so what has to be made safe.
    #[serde(default)]
    pub machine: Machine,
    /// A path that answers 2xx when the service is up.
    #[serde(default = "health")]
    pub ready: String,
    /// Time after which a client gives a request up, ms.
    #[serde(default = "ten_seconds")]
    pub timeout_ms: u64,
    /// Whether the process of the service may change during the run.
    #[serde(default)]
    pub restart: bool,
    /// Largest share of one whole machine that the service may use, %.
    #[serde(default)]
    pub server_cpu_percent: Option<f64>,
    /// Largest resident memory of the service, MB.
    #[serde(default)]
    pub server_rss_mb: Option<f64>,
    /// What can be sent, by name.
    #[serde(default)]
    pub requests: BTreeMap<String, Request>,
    /// Who sends it.
    #[serde(default)]
    pub scenarios: Vec<Scenario>,
    /// The shape over time.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// What must hold.
    #[serde(default)]
    pub objectives: Vec<Objective>,
    /// How the service must get over the load.
    #[serde(default)]
    pub recovery: Option<Recovery>,
    /// What must not grow.
    #[serde(default)]
    pub drift: Option<Drift>,
    /// How throughput must follow the users.
    #[serde(default)]
    pub linear: Option<Linear>,
    /// The search for the highest rate; the plan then has no phases.
    #[serde(default)]
    pub search: Option<Search>,
    /// Socket.IO clients; the plan then has no phases.
    #[serde(default)]
    pub sockets: Option<Sockets>,
    /// Logins and commands beyond the limits; the plan then has no phases.
    #[serde(default)]
    pub limiter: Option<Limiter>,
}

impl Plan {
    /// The groups, in alphabetical order.
    pub fn groups(&self) -> Vec<String> {
        let groups: BTreeSet<&String> = self.requests.values().map(|r| &r.group).collect();
        groups.into_iter().cloned().collect()
    }

    /// Length of a phase, s.
    pub fn length_s(phase: &Phase, short: bool) -> u64 {
        if short { phase.short_s.unwrap_or((phase.seconds / 10).max(5)) } else { phase.seconds }
    }
}

fn one() -> u64 {
    1
}

fn health() -> String {
    "/health".to_owned()
}

fn ten_seconds() -> u64 {
    10_000
}

/// What stands behind the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Machine {
    /// Some HTTP service.
    #[default]
    None,
    /// This project's extruder: must be the simulator and warm; made safe afterwards.
    Extruder,
}

/// One request that can be sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The group whose objective it counts for.
    pub group: String,
    /// Path of a GET.
    #[serde(default)]
    pub get: Option<String>,
    /// Path of a POST.
    #[serde(default)]
    pub post: Option<String>,
    /// Bodies of the POST, taken at random; none means an empty one.
    #[serde(default)]
    pub bodies: Vec<serde_json::Value>,
    /// Fields that the JSON reply must have at its top.
    #[serde(default)]
    pub fields: Vec<String>,
}

/// A kind of user.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name.
    pub name: String,
    /// How many of the plan's users are of this kind, by weight.
    pub users: usize,
    /// Time between two requests of one user, ms; 0 sends the next as soon as the reply is there.
    pub period_ms: f64,
    /// What a user does, one after another, chosen by weight.
    pub flows: Vec<Flow>,
}

/// Requests that belong together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// How often it is chosen.
    #[serde(default = "weight_one")]
    pub weight: u32,
    /// Names of its requests, in order; each takes one period.
    pub steps: Vec<String>,
}

fn weight_one() -> u32 {
    1
}

/// Who sends in a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Users that wait for their replies.
    Users,
    /// A rate that nothing holds up.
    Rate,
    /// One client, one request after another, each request of the plan in turn.
    Each,
    /// Several copies of every request at the same instant.
    Together,
}

/// A stretch of the shape.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Name.
    pub name: String,
    /// Who sends.
    pub engine: Engine,
    /// Users at its end (users), or copies of each request (together).
    #[serde(default)]
    pub users: usize,
    /// Requests per second (rate).
    #[serde(default)]
    pub rate: f64,
    /// Length, s.
    pub seconds: u64,
    /// Length with `--short`, s; a tenth, and at least 5, where it is absent.
    #[serde(default)]
    pub short_s: Option<u64>,
    /// Whether the continuous objectives look at it.
    #[serde(default = "yes")]
    pub judged: bool,
}

fn yes() -> bool {
    true
}

/// What must hold, for the requests that `group`, `request` and `phase` choose; absent is all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Only this group.
    #[serde(default)]
    pub group: Option<String>,
    /// Only this request.
    #[serde(default)]
    pub request: Option<String>,
    /// Only this phase; absent is every judged phase.
    #[serde(default)]
    pub phase: Option<String>,
    /// Mean latency, ms.
    #[serde(default)]
    pub mean_ms: Option<f64>,
    /// Median, ms.
    #[serde(default)]
    pub p50_ms: Option<f64>,
    /// 95th percentile, ms.
    #[serde(default)]
    pub p95_ms: Option<f64>,
    /// 99th percentile, ms.
    #[serde(default)]
    pub p99_ms: Option<f64>,
    /// Most requests without a 2xx, %.
    #[serde(default)]
    pub errors_percent: Option<f64>,
    /// Most 5xx, %.
    #[serde(default)]
    pub server_errors_percent: Option<f64>,
    /// Most 4xx (429 among them), %.
    #[serde(default)]
    pub client_errors_percent: Option<f64>,
    /// Most timeouts, %.
    #[serde(default)]
    pub timeouts_percent: Option<f64>,
    /// Least share of requests that are within the limit of p95, %.
    #[serde(default)]
    pub within_p95_percent: Option<f64>,
    /// Least requests per second.
    #[serde(default)]
    pub rps: Option<f64>,
}

/// How the service must get over a load.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    /// The phase after the load.
    pub phase: String,
    /// Within so many seconds of its start, ...
    pub within_s: u64,
    /// ... every group is back inside this p95, ms.
    pub p95_ms: f64,
}

/// What must not grow over a long run.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Growth of the service's resident memory that is a leak when it is significant, MB/h.
    pub rss_mb_per_hour: f64,
    /// Growth of its descriptors, 1/h.
    pub descriptors_per_hour: f64,
    /// Growth of its threads, 1/h.
    pub threads_per_hour: f64,
    /// Growth of p95 over all groups, ms/h.
    pub p95_ms_per_hour: f64,
}

/// Throughput of a later phase must be that of an earlier one times their users.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// The phase that sets the measure.
    pub base: String,
    /// The phase that is measured.
    pub to: String,
    /// Largest deviation, %.
    pub within_percent: f64,
}

/// The search for the highest rate that the service stands.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// First rate, requests per second.
    pub start_rps: f64,
    /// Never more than this.
    pub max_rps: f64,
    /// Length of a probe, s.
    pub probe_s: u64,
    /// Length of the probe that confirms the rate found, s.
    pub confirm_s: u64,
    /// Errors above this end the search, %.
    pub errors_percent: f64,
    /// p95 above this ends the search, ms.
    pub p95_ms: f64,
    /// Less than this share of the offered rate ends the search, %.
    pub achieved_percent: f64,
    /// The search ends when the bracket is this narrow, % of the rate.
    pub resolution_percent: f64,
}

/// Socket.IO clients and what they must see.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sockets {
    /// Clients that connect.
    pub clients: usize,
    /// How many of them listen for events.
    pub listeners: usize,
    /// Events that are caused and looked for.
    pub events: usize,
    /// Time between two of them, ms.
    pub event_period_ms: u64,
    /// Clients that drop and come back at once.
    pub storm: usize,
    /// Clients that connect and vanish without a word.
    pub vanish: usize,
    /// Mean connect time, ms.
    pub connect_mean_ms: f64,
    /// p95 of the time from the command to the event, ms.
    pub event_p95_ms: f64,
    /// Least share of (event, listener) pairs that arrive, %.
    pub reach_percent: f64,
}

/// What is sent beyond the limits of a service, and what these are.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limiter {
    /// Wrong logins that are sent.
    pub wrong_logins: usize,
    /// How many of them are told that they are wrong; the next ones are locked out.
    pub logins_allowed: usize,
    /// Commands that are sent, each as soon as the one before it is answered.
    pub commands: usize,
    /// How many of them may pass at once.
    pub burst: usize,
    /// How many a second may pass after these.
    pub commands_per_second: f64,
}
