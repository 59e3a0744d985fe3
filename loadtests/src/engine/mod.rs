//! What sends: user scenarios, open rates, single clients, all at once.

mod deadline;
pub(crate) mod dispatch;
pub(crate) mod rate;
pub(crate) mod single;
pub(crate) mod users;
