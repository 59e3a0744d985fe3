//! Liveness, readiness and the conditions for turning the screw.

use crate::named::Named;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Reply of `GET /health`: the process answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    pub status: String,
    /// Version of the program.
    pub version: String,
    /// Seconds since the process started.
    pub uptime_s: f64,
}

/// Reply of `GET /ready`: the machine can be used (200) or not (503).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ready {
    /// Whether everything below holds.
    pub ready: bool,
    /// The control thread has ticked within the last half second.
    pub control_ticking: bool,
    /// The machine answers.
    pub hardware_present: bool,
    /// The configuration was accepted.
    pub config_valid: bool,
}

/// One condition for turning the screw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Condition {
    /// `no_alarm`, `sensors_fresh`, `zone1_warm`, `zone2_warm`, `soak` or `estop_declared`.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// Live value: °C for the zones and the soak, s for the sensors, a count for alarms.
    pub value: Option<f64>,
    /// What the value is held against, in the same unit.
    pub limit: Option<f64>,
    /// Seconds until it will hold if nothing changes, where that can be told.
    pub time_left_s: Option<f64>,
    /// The refusal that it causes while it does not hold.
    pub refusal: String,
}

/// Reply of `GET /api/permissives`: the same object that gates the commands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Permissives {
    /// Whether the screw may turn.
    pub granted: bool,
    /// Every condition, in the order in which a refusal names them.
    pub conditions: Vec<Condition>,
    /// Turns left for short moves while cold, by motor, 0 to 0.25; `null` while warm, when there is
    /// no limit.
    #[schema(value_type = BTreeMap<String, Option<f64>>)]
    pub cold_jog_turns_left: Named<Option<f64>>,
    /// Whether the setpoint of a motor waits for the screw to turn; there while one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = BTreeMap<String, bool>, required = false)]
    pub motors_held: Option<Named<bool>>,
}
