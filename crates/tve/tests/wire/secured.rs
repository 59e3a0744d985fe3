//! A service with security enabled: who can log in, and requests that show who sends them.

use crate::rig::{Answer, Rig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::Path;
use tve_access::Role;

/// Password "right", one round: quick, for tests alone.
pub(crate) const QUICK: &str =
    "pbkdf2:sha256:1$salt$44ec8cfe2ba4d927331c58d8a2a0cc13d6f1f1bd9a55fd8826ebd9d2a2e751df";

/// A user of each role by the role's name, with the password "right".
pub(crate) fn users() -> Value {
    Role::ALL.iter().map(|r| (r.name(), json!({"hash": QUICK, "role": r.name()}))).collect()
}

/// A rig with security enabled and `more` of the section; loopback is a trusted proxy, so that a
/// test can come from as many addresses as it likes.
pub(crate) async fn secured(more: Value) -> Rig {
    secured_with(more, |_| {}).await
}

pub(crate) async fn secured_with(more: Value, prepare: impl FnOnce(&Path)) -> Rig {
    let mut security = json!({
        "enabled": true,
        "users": users(),
        "trusted_proxies": ["127.0.0.1"],
    });
    for (key, value) in more.as_object().unwrap() {
        security[key] = value.clone();
    }
    let rig = Rig::with(|options| {
        let www = options.data_dir.join("www");
        std::fs::create_dir(&www).unwrap();
        std::fs::write(www.join("index.html"), "panel").unwrap();
        let config = json!({"security": security, "server": {"www": www}});
        std::fs::write(options.data_dir.join("config.json"), config.to_string()).unwrap();
        prepare(&options.data_dir);
    })
    .await;
    assert!(rig.running.config_errors().is_empty(), "{:?}", rig.running.config_errors());
    rig
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

pub(crate) fn from(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

pub(crate) async fn get(rig: &Rig, path: &str, headers: &str) -> Answer {
    rig.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"), b"").await
}

pub(crate) async fn post(rig: &Rig, path: &str, body: &Value, headers: &str) -> Answer {
    let headers = format!("Content-Type: application/json\r\n{headers}");
    rig.post_as(path, body.to_string().as_bytes(), &headers).await
}

pub(crate) async fn put(rig: &Rig, path: &str, body: &Value, headers: &str) -> Answer {
    let body = body.to_string();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    rig.send(&head, body.as_bytes()).await
}

pub(crate) async fn command(rig: &Rig, name: &str, value: Value, headers: &str) -> Answer {
    post(rig, "/api/control", &json!({"command": name, "value": value}), headers).await
}

pub(crate) async fn metric(rig: &Rig, line: &str) -> u64 {
    let metrics = rig.get("/metrics").await;
    let text = metrics.text();
    let found = text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("{line} in {text}"))
}
