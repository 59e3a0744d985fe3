//! What the service takes for a moment it gives back.

use crate::child::Service;
use serde_json::json;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Growth that logins may leave: a connection's buffers and the record of who failed, KiB.
const LEFT_KIB: u64 = 4096;

/// The hash of a password, as `tve hash-password` prints it.
fn hashed(password: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tve"))
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Asks for the status with a login; the status of the answer.
fn login(service: &Service, user_and_password: &str) -> u16 {
    use base64::Engine as _;
    let login = base64::engine::general_purpose::STANDARD.encode(user_and_password);
    let header = format!("Authorization: Basic {login}\r\n");
    tve_testkit::ask(service.address, "GET /api/status", &header, "").unwrap().status
}

#[test]
fn the_memory_of_password_checks_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let users = json!({"anna": {"hash": hashed("a long password"), "role": "viewer"}});
    let security = json!({"enabled": true, "protect_reads": true, "users": users});
    let config = json!({ "security": security }).to_string();
    std::fs::write(folder.path().join("config.json"), config).unwrap();
    let service = Service::start(folder.path(), &[]);
    assert_eq!(login(&service, "anna:a long password"), 200);
    let before = service.resident_kib();
    for wrong in 0..4 {
        assert_eq!(login(&service, &format!("anna:wrong {wrong}")), 401);
    }
    let after = service.resident_kib();
    assert!(after < before + LEFT_KIB, "{before} KiB before, {after} KiB after");
}
