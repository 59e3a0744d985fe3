//! The past: one element of the reply of `GET /api/history/sensors`.

use crate::state::{MachineStatus, ModeName, Motors, Relays, Temps};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The machine at one second of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistorySample {
    /// Milliseconds since the Unix epoch.
    pub t: i64,
    /// Temperatures.
    pub temps: Temps,
    /// Relays.
    pub relays: Relays,
    /// Speeds as set.
    pub motors: Motors,
    /// Duty by channel name, %.
    pub pwm: BTreeMap<String, f64>,
    /// What the machine was doing.
    pub status: MachineStatus,
    /// Who decided the duty.
    pub mode: ModeName,
    /// Target of zone 1, °C.
    pub target_z1: f64,
    /// Target of zone 2, °C.
    pub target_z2: f64,
    /// Duty of zone 1, %.
    pub heater_duty_z1: f64,
    /// Duty of zone 2, %.
    pub heater_duty_z2: f64,
}
