//! The vocabulary of a machine: its zones, motors and sensors by id, and lists that follow them;
//! roles, and the codes of refusals.
//!
//! *Id*: the position of a zone, motor or sensor in the lists of the configuration. *Bounded list*:
//! as long as the configuration says, as large as [`MAX_ZONES`], [`MAX_MOTORS`] or [`MAX_SENSORS`]
//! allow, in place, so that copying one never allocates.

mod ids;
mod per;
mod refusal;
mod role;

pub use ids::{Id, MAX_MOTORS, MAX_SENSORS, MAX_ZONES, Motor, Sensor, Zone};
pub use per::{Per, PerMotor, PerSensor, PerZone};
pub use refusal::{RefusalClass, RefusalCode};
pub use role::{Right, Role};
