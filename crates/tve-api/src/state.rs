//! What the machine is and does: the replies of `/api/status` and `/api/data`.

use crate::named::{self, Named};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the machine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum MachineStatus {
    /// Nothing moves.
    Ready,
    /// The start sequence runs.
    Starting,
    /// A motor turns.
    Running,
    /// The stop sequence runs.
    Stopping,
    /// A trip or stop alarm is latched.
    Alarm,
}

impl MachineStatus {
    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Stopping => "STOPPING",
            Self::Alarm => "ALARM",
        }
    }
}

/// Who decides the heater duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ModeName {
    /// The PID.
    Auto,
    /// The operator.
    Manual,
}

impl ModeName {
    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "AUTO",
            Self::Manual => "MANUAL",
        }
    }
}

/// Reply of `GET /api/data`: what a dashboard polls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Data {
    /// Seconds since the Unix epoch.
    pub timestamp: f64,
    /// Temperatures by sensor, °C; `null` where the sensor is bad.
    #[schema(value_type = BTreeMap<String, Option<f64>>)]
    pub temps: Named<Option<f64>>,
    /// Speeds as set by motor, rpm; the sign is the direction.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub motors: Named<f64>,
    /// What is switched on: `fan`, `pump`, and `ssr_{zone}` for the heater of each zone.
    #[schema(value_type = BTreeMap<String, bool>)]
    pub relays: Named<bool>,
    /// Peltier of the feed throat, %.
    pub peltier_duty: f64,
    /// Hopper level, cm; `null` without a level sensor.
    pub fill_level: Option<f64>,
    /// Wanted hopper level, cm; `null` without a level sensor.
    pub target_fill_level: Option<f64>,
    /// What the machine is doing.
    pub status: MachineStatus,
    /// Who decides the duty.
    pub mode: ModeName,
}

/// How loudly an alarm speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AlarmSeverity {
    /// Production may suffer.
    Warning,
    /// Someone must act.
    Critical,
}

/// One alarm, active or past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alarm {
    /// Grows by one per alarm, also across restarts.
    pub id: u64,
    /// Code, for example `HEATER_OVER_TEMPERATURE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Severity.
    pub severity: AlarmSeverity,
    /// A sentence with the numbers in it and what to do.
    pub message: String,
    /// When it was raised, seconds since the Unix epoch.
    pub timestamp: f64,
    /// Somebody has seen it.
    pub acknowledged: bool,
    /// It is over.
    pub cleared: bool,
}

/// Gains that an autotune proposes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AutotuneResult {
    /// Proportional gain, %/°C.
    pub kp: f64,
    /// Integral gain, %/(°C s).
    pub ki: f64,
    /// Derivative gain, % s/°C.
    pub kd: f64,
    /// Tuning rule.
    pub method: String,
    /// Name of the zone.
    pub zone: String,
}

/// Everything about the machine: `state` in `GET /api/status`.
///
/// `alarm_history` stands last so that a server can keep it as JSON text and append it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct State {
    /// `simulator` or `raspberry-pi`.
    pub machine: String,
    /// What the machine is doing.
    pub status: MachineStatus,
    /// Who decides the duty.
    pub mode: ModeName,
    /// Alarms in force, in the order in which they were raised.
    pub active_alarms: Vec<Alarm>,
    /// `target_{zone}`: target of each zone, °C; 0 is off.
    #[serde(flatten, deserialize_with = "named::targets")]
    #[schema(ignore)]
    pub targets: Named<f64>,
    /// `manual_duty_{zone}`: duty of each zone in MANUAL, %.
    #[serde(flatten, deserialize_with = "named::manual_duties")]
    #[schema(ignore)]
    pub manual_duties: Named<f64>,
    /// `heater_duty_{zone}`: duty of each zone in force, %.
    #[serde(flatten, deserialize_with = "named::heater_duties")]
    #[schema(ignore)]
    pub heater_duties: Named<f64>,
    /// Temperatures by sensor, °C; `null` where the sensor is bad.
    #[schema(value_type = BTreeMap<String, Option<f64>>)]
    pub temps: Named<Option<f64>>,
    /// When the newest temperature was sampled, seconds since the Unix epoch.
    pub temps_timestamp: f64,
    /// Speeds as set by motor, rpm; the sign is the direction.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub motors: Named<f64>,
    /// Speeds that the ramp has reached by motor, rpm.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub motors_actual: Named<f64>,
    /// Whether the setpoint of a motor waits for the screw to turn; there while one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = BTreeMap<String, bool>, required = false)]
    pub motors_held: Option<Named<bool>>,
    /// What is switched on: `fan`, `pump`, and `ssr_{zone}` for the heater of each zone.
    #[schema(value_type = BTreeMap<String, bool>)]
    pub relays: Named<bool>,
    /// Duty by channel name, %; the name of a zone has its heater duty.
    #[schema(value_type = BTreeMap<String, f64>)]
    pub pwm: Named<f64>,
    /// Peltier of the feed throat, %.
    pub peltier_duty: f64,
    /// Hopper level, cm; `null` without a level sensor.
    pub fill_level: Option<f64>,
    /// Wanted hopper level, cm; `null` without a level sensor.
    pub target_fill_level: Option<f64>,
    /// Start of the running sequence, seconds since the Unix epoch.
    pub seq_start_time: Option<f64>,
    /// IDLE, STARTING, HEATING, COOLING, DONE or FAILED.
    pub autotune_status: String,
    /// Finished relay cycles.
    pub autotune_cycle: u32,
    /// Gains of the newest finished tune.
    pub autotune_result: Option<AutotuneResult>,
    /// Why the configuration file was refused, one line a fault.
    pub config_errors: Vec<String>,
    /// The newest 200 alarms, oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Vec<Alarm>)]
    pub alarm_history: Option<Vec<Alarm>>,
}

/// Reply of `GET /api/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The machine.
    pub state: State,
    /// The whole validated configuration without secrets.
    pub config: serde_json::Value,
}

/// Payload of the Socket.IO event `io_update`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IoUpdate {
    /// `temps`, `motors`, `relays`, `pwm` or `misc`.
    pub category: String,
    /// What changed.
    pub key: String,
    /// Its new value.
    pub val: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_serde_writes() {
        use MachineStatus::{Alarm, Ready, Running, Starting, Stopping};
        for status in [Ready, Starting, Running, Stopping, Alarm] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        for mode in [ModeName::Auto, ModeName::Manual] {
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.name());
        }
    }

    #[test]
    fn an_alarm_calls_its_code_type() {
        let text = r#"{"id":1,"type":"COLD_ZONE","severity":"WARNING","message":"m","timestamp":1.0,
            "acknowledged":false,"cleared":false}"#;
        let alarm: Alarm = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&alarm).unwrap()["type"], "COLD_ZONE");
        assert_eq!(alarm.severity, AlarmSeverity::Warning);
    }
}
