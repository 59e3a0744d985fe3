//! The service-level objectives of this service: the one table that `plans/tve-slo.toml` repeats.

/// Seconds that all groups at once must hold without a break.
pub const INTERVAL_S: u64 = 600;

/// Seconds of a slice: p95 and p99 must hold in each, not only on average.
pub const SLICE_S: usize = 60;

/// What a scenario offers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScenarioTarget {
    /// Name, as in the plan.
    pub name: &'static str,
    /// Users, each an independent client.
    pub users: usize,
    /// Requests per second of all its users together.
    pub rps: f64,
}

/// The scenarios that run at once.
pub const SCENARIOS: [ScenarioTarget; 4] = [
    ScenarioTarget { name: "Monitoring", users: 20, rps: 40.0 },
    ScenarioTarget { name: "Operator", users: 10, rps: 20.0 },
    ScenarioTarget { name: "Logging", users: 4, rps: 4.0 },
    ScenarioTarget { name: "GPIO", users: 4, rps: 6.0 },
];

/// What a group must hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupObjective {
    /// Name, as in the plan.
    pub group: &'static str,
    /// 95 % of its requests are answered within this, ms.
    pub p95_ms: f64,
    /// 99 % of its requests are answered within this, ms.
    pub p99_ms: f64,
    /// Most requests that may end without a 2xx, %.
    pub errors_percent: f64,
}

/// The objectives.
pub const GROUPS: [GroupObjective; 4] = [
    GroupObjective { group: "telemetry", p95_ms: 150.0, p99_ms: 250.0, errors_percent: 0.1 },
    GroupObjective { group: "control", p95_ms: 250.0, p99_ms: 400.0, errors_percent: 0.2 },
    GroupObjective { group: "logging", p95_ms: 300.0, p99_ms: 500.0, errors_percent: 0.2 },
    GroupObjective { group: "gpio", p95_ms: 200.0, p99_ms: 300.0, errors_percent: 0.1 },
];

/// Largest deviation of the achieved from the target rate of a scenario.
pub const RATE_TOLERANCE: f64 = 0.05;
