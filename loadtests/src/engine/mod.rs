//! What sends: user scenarios, open rates, single clients, all at once, Socket.IO clients,
//! one who does not keep to the limits.

mod alarm;
pub(crate) mod dispatch;
pub(crate) mod limiter;
pub(crate) mod rate;
pub(crate) mod single;
pub(crate) mod sockets;
pub(crate) mod users;
mod wire;
