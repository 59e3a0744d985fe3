//! The service behind its own TLS: requests, sockets, a certificate that changes under way.

use crate::rig::{Answer, PATIENCE, Rig};
use std::path::Path;
use std::sync::Arc;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tve::{Options, Server, StartError};
use tve_http::FrontError;
use tve_testkit::exchange;

/// Writes a fresh certificate for localhost and its key; returns what a client has to trust.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn configure(options: &Options) {
    let file = |name: &str| options.data_dir.join(name).display().to_string();
    let tls = serde_json::json!({"cert": file("cert.pem"), "key": file("key.pem")});
    let config = serde_json::json!({"server": {"tls": tls}}).to_string();
    std::fs::write(options.data_dir.join("config.json"), config).unwrap();
}

async fn secured() -> (Rig, CertificateDer<'static>) {
    let mut trusted = None;
    let rig = Rig::with(|options| {
        trusted = Some(certify(&options.data_dir));
        configure(options);
    })
    .await;
    (rig, trusted.unwrap())
}

async fn connect(
    rig: &Rig,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(rig.addr()).await?;
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await
}

async fn send(rig: &Rig, trusted: &CertificateDer<'static>, request: &str) -> Answer {
    let mut stream = connect(rig, trusted).await.unwrap();
    tokio::time::timeout(PATIENCE, exchange(&mut stream, request, b"")).await.unwrap().unwrap()
}

const DATA: &str = "GET /api/data HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn requests_and_sockets_work_over_tls_and_browsers_are_told_to_stay() {
    let (rig, trusted) = secured().await;
    let answer = send(&rig, &trusted, DATA).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body["temps"].is_object());
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=86400"));

    let polling = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = send(&rig, &trusted, polling).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("0{\"sid\""), "{answer:?}");
    let socket = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
        Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let answer = send(&rig, &trusted, socket).await;
    assert_eq!(answer.status, 101, "{answer:?}");
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_used_after_a_reload_and_a_bad_one_is_not() {
    let (rig, old) = secured().await;
    let folder = rig.folder.path().to_owned();
    let new = certify(&folder);
    assert!(connect(&rig, &new).await.is_err(), "not yet");
    rig.running.reload_tls().await;
    assert_eq!(send(&rig, &new, DATA).await.status, 200);
    assert!(connect(&rig, &old).await.is_err(), "no more");

    std::fs::write(folder.join("cert.pem"), "garbage").unwrap();
    rig.running.reload_tls().await;
    assert_eq!(send(&rig, &new, DATA).await.status, 200);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_speaks_plain_http_gets_nothing() {
    let (rig, _) = secured().await;
    let mut stream = TcpStream::connect(rig.addr()).await.unwrap();
    stream.write_all(DATA.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes);
    // The end may come as a reset.
    let _ = tokio::time::timeout(PATIENCE, read).await.unwrap();
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn certificates_that_cannot_be_used_are_a_sentence_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::in_folder(folder.path());
    configure(&options);
    let start = async || match Server::start(options.clone()).await {
        Err(StartError::Front(FrontError::Tls(error))) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let missing = start().await;
    assert!(missing.starts_with("server.tls.cert: "), "{missing}");
    assert!(missing.contains("cert.pem cannot be read"), "{missing}");

    certify(folder.path());
    std::fs::write(folder.path().join("key.pem"), "secret garbage").unwrap();
    let damaged = start().await;
    assert!(damaged.contains("server.tls.key") && damaged.contains("holds no key"), "{damaged}");
    assert!(!damaged.contains("secret"), "{damaged}");

    let key = folder.path().join("key.pem");
    certify(folder.path());
    let other = std::fs::read(&key).unwrap();
    certify(folder.path());
    std::fs::write(&key, other).unwrap();
    let pair = start().await;
    assert!(pair.contains("cannot be used together"), "{pair}");
}

#[tokio::test]
async fn a_configuration_that_the_next_start_would_refuse_is_refused_today() {
    let rig = Rig::start().await;
    let (config, tag) = rig.config().await;
    for (key, value) in [
        ("tls", serde_json::json!({"cert": "/nowhere/c.pem", "key": "/nowhere/k.pem"})),
        ("www", serde_json::json!("/nowhere/www")),
        ("listen", serde_json::json!("0.0.0.0:5000")),
    ] {
        let mut config = config.clone();
        config["server"][key] = value;
        let answer = rig.put_config(&config, Some(&tag)).await;
        assert_eq!((answer.status, answer.msg()), (400, "INVALID_CONFIG"), "{key}");
    }
    rig.running.stop().await.unwrap();
}
