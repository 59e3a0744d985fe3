//! The clients that speak to a service: whom they trust, how long they wait.

use anyhow::Context as _;
use reqwest::{Certificate, Client, ClientBuilder};
use std::path::Path;
use std::time::Duration;

/// How long an idle connection is kept: shorter than services do, so that none is used in the very
/// moment in which its service closes it.
const IDLE: Duration = Duration::from_secs(4);

/// The certificates of a PEM file.
///
/// # Errors
/// The file cannot be read, or holds none.
pub fn authorities(file: &Path) -> anyhow::Result<Vec<Certificate>> {
    let read = || format!("cannot read {}; --ca takes a PEM file of certificates", file.display());
    let pem = std::fs::read(file).with_context(read)?;
    let found = Certificate::from_pem_bundle(&pem).with_context(read)?;
    anyhow::ensure!(!found.is_empty(), "{} holds no certificate", file.display());
    Ok(found)
}

/// A client that follows no redirect and uses no proxy: what is measured is the service alone. It
/// trusts `authorities` alone, or those of the system where there are none.
fn builder(timeout: Duration, authorities: &[Certificate]) -> ClientBuilder {
    let builder = Client::builder()
        .timeout(timeout)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(IDLE);
    if authorities.is_empty() {
        builder
    } else {
        builder.tls_certs_only(authorities.iter().cloned())
    }
}

/// A client with a pool of connections.
///
/// # Errors
/// The system gives none, or a certificate is damaged.
pub(crate) fn pooled(timeout: Duration, authorities: &[Certificate]) -> reqwest::Result<Client> {
    builder(timeout, authorities).build()
}

/// A client that opens a connection for each request, to be upgraded to another protocol.
///
/// # Errors
/// The system gives none, or a certificate is damaged.
pub(crate) fn upgrading(timeout: Duration, authorities: &[Certificate]) -> reqwest::Result<Client> {
    builder(timeout, authorities).http1_only().pool_max_idle_per_host(0).build()
}

/// The innermost cause, which is what the system said.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        assert!(authorities(&file).unwrap_err().to_string().contains("ca.pem"), "there is none");
        for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n"] {
            std::fs::write(&file, text).unwrap();
            let error = authorities(&file).unwrap_err();
            assert!(error.to_string().contains("ca.pem"), "{text:?}: {error:#}");
        }
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&file, made.cert.pem()).unwrap();
        assert_eq!(authorities(&file).unwrap().len(), 1);
    }
}
