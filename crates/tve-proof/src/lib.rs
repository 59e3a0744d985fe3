//! The proof: what the controller survives, measured in virtual time.
//!
//! ```text
//!   certify ─────── every row of the fault table in every state ──┐
//!   walk ────────── random hands, faults, restarts: invariants ───┤   tve-rig: the closed loop;
//!   check_orders ── every order of up to n operations ────────────┼─▶ thermometer: what a code
//!   false_trips ─── healthy hours: not one alarm, margins ────────┤   means, not by the controller
//!   control_quality overshoot, settling, recovery by plant ───────┘
//! ```
//!
//! Each is a function of the [`Subject`], the machine under proof, that runs on every processor and
//! calls back with its progress. Nothing here reads a clock or a file: the same seeds give the same
//! results everywhere.

mod certify;
mod crew;
mod false_trips;
mod orders;
mod quality;
mod rig;
mod subject;
mod thermometer;
mod walk;

pub use certify::{
    Bound, Case, Certificate, Expected, Row, SURVIVED, Shown, Source, State, Survival, certify,
    fault_table,
};
pub use false_trips::{FalseTrip, FalseTripReport, Margin, false_trips};
pub use orders::{OrdersReport, check_orders};
pub use quality::{Law, QualityRow, control_quality, markdown as quality_markdown};
pub use subject::Subject;
pub use walk::{Finding, Violation, WalkReport, walk};
