//! Scenarios: timed commands, faults and expectations as text, run in virtual time.
//!
//! A *scenario* is a TOML file that asks one question of the machine and says what it expects.
//! [`Scenario::load`] reads it, a [`Run`] plays controller and simulated machine against each
//! other at 100 Hz, as fast as they go, and a [`Report`] tells which expectations held.
//!
//! ```toml
//! question = "Does an open sensor of zone 1 trip its zone?"
//! duration = 60          # s
//! seed = 1               # noise of the converter
//! start_temp = 200       # °C, the barrel as after being held there for long
//!
//! [config]               # merged over config/default.json, or over BASE.json with `base`,
//!                        # beside the file or in a folder `machines` above it
//! safety.idle_setback_min = 0
//!
//! [[at]]
//! t = 1.0
//! command = "SET_TARGET" # as POST /api/control; and TUNE_START, TUNE_APPLY, TUNE_STOP
//! value = { z1 = 200, z2 = 200 }
//!
//! [[fault]]
//! from = 20.0
//! kind = "sensor_open t2"
//!
//! [[expect]]
//! alarm = "HEATER_SENSOR_FAILURE"
//! after = 20.0
//! within = 1.0
//! ```
//!
//! Zones, motors and sensors are called what the configuration calls them. The kinds of expectations are listed at [`Expectation`].

mod error;
mod expectation;
mod parse;
mod report;
mod run;
mod scenario;
mod trace;
mod what;

pub use error::ScenarioError;
pub use expectation::Expectation;
pub use report::{Outcome, Report, Sample};
pub use run::Run;
pub use scenario::Scenario;
