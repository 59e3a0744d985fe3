//! The header pins: the reply of `GET /api/gpio`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Direction of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum PinDirection {
    /// Input.
    In,
    /// Output.
    Out,
}

/// Pull resistor of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PullName {
    /// To 3.3 V.
    Up,
    /// To ground.
    Down,
    /// None.
    Off,
}

/// One header pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GpioPin {
    /// The function that owns the pin, else its label, else `null`.
    pub name: Option<String>,
    /// Direction.
    pub mode: PinDirection,
    /// Level, 0 or 1.
    pub value: u8,
    /// Pull resistor.
    pub pull_up_down: PullName,
}

/// Reply of `GET /api/gpio`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GpioStatus {
    /// Always `true`.
    pub success: bool,
    /// By Broadcom number, `"0"` to `"27"`.
    pub status: BTreeMap<String, GpioPin>,
    /// Numbers of the I2C buses that the configuration uses.
    pub i2c_buses: Vec<u32>,
}
