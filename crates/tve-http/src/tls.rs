//! TLS on the listener: certificate and key from files, read again on SIGHUP.

use arc_swap::ArcSwap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tve_config::Tls as Files;

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the sentence of each variant says what its fields are")]
pub enum TlsError {
    #[error("server.tls.{key}: {} {reason}; give a PEM file that the service may read", path.display())]
    File { key: &'static str, path: PathBuf, reason: String },
    #[error("server.tls: {} and {} cannot be used together: {source}", cert.display(), key.display())]
    Pair { cert: PathBuf, key: PathBuf, source: tokio_rustls::rustls::Error },
}

/// What new connections are greeted with.
pub(crate) struct Tls {
    files: Files,
    current: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads the files. Blocks for the time of the disk.
    pub(crate) fn load(files: &Files) -> Result<Self, TlsError> {
        let config = read(files)?;
        Ok(Self { files: files.clone(), current: ArcSwap::from_pointee(config) })
    }

    /// Reads the files again, for connections from now on. What was in use stays when they are
    /// faulty. Blocks for the time of the disk.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        self.current.store(Arc::new(read(&self.files)?));
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.load_full())
    }
}

fn read(files: &Files) -> Result<ServerConfig, TlsError> {
    let fault = |key, path: &str, error: &pem::Error| TlsError::File {
        key,
        path: path.into(),
        #[expect(clippy::wildcard_enum_match_arm, reason = "the faults are of another crate")]
        reason: match error {
            pem::Error::Io(error) => format!("cannot be read: {error}"),
            pem::Error::NoItemsFound => format!("holds no {key}"),
            // What a damaged key file holds must not get into a log.
            _ => "is no PEM file".into(),
        },
    };
    let of_cert = |error| fault("cert", &files.cert, &error);
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(of_cert)?;
    if chain.is_empty() {
        return Err(of_cert(pem::Error::NoItemsFound));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| fault("key", &files.key, &error))?;
    let pair = |source| TlsError::Pair {
        cert: files.cert.clone().into(),
        key: files.key.clone().into(),
        source,
    };
    // The provider is named: with two of them in one build rustls would not choose.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
