//! Why the front does not open: sentences with the value and what to do.

use std::net::SocketAddr;

/// A front that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the sentence of each variant says what its fields are")]
pub enum FrontError {
    #[error(
        "cannot listen on {address}: {source}; stop the program that holds the port, or give --listen another one"
    )]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error(
        "{address} can be reached from other machines and security is disabled; listen on 127.0.0.1, set security.enabled with users, or give --insecure-open if the network is trusted"
    )]
    Open { address: SocketAddr },
    #[error(
        "{address} can be reached from other machines and passwords would travel in the clear; set server.tls, listen on 127.0.0.1 behind a TLS proxy, or give --insecure-open if the network is trusted"
    )]
    Plain { address: SocketAddr },
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    #[error("server.www is {path:?}, which is no folder; correct it or set it to null")]
    Www { path: String },
}
