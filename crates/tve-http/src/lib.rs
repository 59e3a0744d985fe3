//! The HTTP front: routes, connections, Socket.IO, the metrics page, OpenAPI.
//!
//! ```text
//!  clients ──► accept loop ──► Connection ──► gate ──► cached reply           (no lock, no copy)
//!                                   │            └──► router ──► handler ──► Door::execute
//!                                   └──► Socket.IO ◄── broadcaster ◄── Door::changes
//! ```
//!
//! [`Front::start`] serves what the [`Door`](tve_runtime::Door) of the service offers; the rest of
//! the crate is private.

mod app;
mod ask;
mod audit;
mod body;
mod cache;
mod commands;
mod config;
mod connection;
#[cfg(test)]
mod drop_in;
mod error;
mod files;
mod front;
mod front_body;
mod gate;
mod handlers;
mod head;
mod in_flight;
mod listen;
mod metrics;
mod openapi;
mod pages;
mod past;
mod places;
mod reply;
mod routes;
mod serve;
mod sessions;
mod shares;
mod sockets;
mod stream;
mod tls;
mod view;

pub use cache::Cached;
pub use error::FrontError;
pub use front::{Front, Site};
pub use openapi::document as openapi_document;
pub use routes::routes;
pub use tls::TlsError;
pub use view::{data_text, status_text};
