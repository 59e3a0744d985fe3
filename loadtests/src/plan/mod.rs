//! Plans: what is sent, in which shape over time, and what must hold. A plan is a TOML file.

mod catalog;
mod check;
mod offer;
mod schema;

pub use catalog::{CATALOG, Entry, find};
pub use check::{PlanError, parse};
pub use schema::{
    Drift, Engine, Flow, Limiter, Linear, Machine, Objective, Phase, Plan, Recovery, Request,
    Scenario, Search, Sockets,
};
