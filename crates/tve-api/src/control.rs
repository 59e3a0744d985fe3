//! Commands and the two shapes of an answer to them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /api/control` and `POST /api/gpio`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ControlRequest {
    /// Name of the command, for example `SET_TARGET`.
    pub command: String,
    /// Its arguments; missing or `null` counts as `{}`.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub value: serde_json::Value,
}

/// Body of `POST /api/tune/start`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TuneStartRequest {
    /// `z1` or `z2`.
    pub zone: String,
    /// Temperature to tune at, °C, from 50 to 15 under `safety.max_target`.
    pub setpoint: f64,
    /// `tyreus_luyben` (default), `ziegler_nichols` or `no_overshoot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// An accepted request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Success {
    /// Always `true`.
    pub success: bool,
    /// What else there is to say: `NO_CHANGE`, `AUTO_ACTIVE`, skipped devices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msg: Option<String>,
    /// Level of the pin, for GPIO_READ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<bool>,
}

/// A refused request; nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refused {
    /// Always `false`.
    pub success: bool,
    /// A code in capitals; `INVALID_VALUE` is followed by a colon and the offending key.
    pub msg: String,
    /// A sentence: values, limits and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every fault of a refused configuration, as `path: reason`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}
