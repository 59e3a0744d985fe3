//! Pages of elsewhere: what they cannot do, and the one thing that they can.

use crate::rig::{Answer, PATIENCE, Rig};
use crate::secured::secured;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const JSON: &str = "Content-Type: application/json\r\n";
const STOP: &[u8] = br#"{"command":"EMERGENCY_STOP"}"#;
const TARGET: &[u8] = br#"{"command":"SET_TARGET","value":{"z1":200}}"#;
const TUNE: &[u8] = br#"{"zone":"z1","setpoint":200}"#;

/// A request as a browser sends it: to `host`, with more header lines.
async fn ask(rig: &Rig, line: &str, host: &str, headers: &str, body: &[u8]) -> Answer {
    let head = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    rig.send(&head, body).await
}

/// Every stop of the audit journal, once `holds` is true of them.
async fn stops(rig: &Rig, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let page = rig.get("/api/audit").await.body;
        let mut lines = page["lines"].as_array().unwrap().clone();
        lines.retain(|line| line["command"] == "EMERGENCY_STOP");
        if holds(&lines) {
            return lines;
        }
        assert!(began.elapsed() < PATIENCE, "{lines:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_page_of_another_address_neither_commands_nor_tunes_nor_reads_the_socket() {
    let rig = Rig::start().await;
    let socket = "/socket.io/?EIO=4&transport=polling";
    for (host, origin) in [
        ("127.0.0.1:5000", "http://127.0.0.2:8000"),
        ("127.0.0.1:5000", "http://[::1]:5000"),
        ("127.0.0.1:5000", "http://10.0.0.7"),
        ("localhost", "http://127.0.0.1"),
        ("10.0.0.7:5000", "http://127.0.0.1:5000"),
    ] {
        let from = format!("Origin: {origin}\r\n");
        for (line, kind, body) in [
            ("POST /api/control", JSON, TARGET),
            ("POST /api/tune/start", JSON, TUNE),
            ("POST /api/gpio", JSON, b"{}".as_slice()),
            ("PUT /api/config", JSON, b"{}"),
            (&format!("POST {socket}&sid=x"), "", b"40"),
        ] {
            let answer = ask(&rig, line, host, &format!("{from}{kind}"), body).await;
            assert_eq!((answer.status, answer.msg()), (403, "FOREIGN_ORIGIN"), "{origin} {line}");
        }
        let answer = ask(&rig, &format!("GET {socket}"), host, &from, b"").await;
        assert_eq!((answer.status, answer.msg()), (403, "FOREIGN_ORIGIN"), "{origin} reads");
        let text = format!("{from}Content-Type: text/plain\r\n");
        assert_eq!(ask(&rig, "POST /api/tune/start", host, &text, TUNE).await.status, 415);
    }
    let state = rig.state().await;
    assert_eq!((&state["target_z1"], &state["autotune_status"]), (&json!(0.0), &json!("IDLE")));
    // A page of this host, whatever its port, is that of the panel.
    let own = format!("Origin: http://127.0.0.1:3000\r\n{JSON}");
    assert_eq!(ask(&rig, "POST /api/control", "127.0.0.1:5000", &own, TARGET).await.status, 200);
    let own = "Origin: http://127.0.0.1:3000\r\n";
    assert_eq!(ask(&rig, &format!("GET {socket}"), "127.0.0.1", own, b"").await.status, 200);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn what_a_browser_calls_cross_site_is_refused_but_for_allowed_origins() {
    let rig = Rig::with(|options| {
        let config = r#"{"server": {"allowed_origins": ["https://dash.example"]}}"#;
        std::fs::write(options.data_dir.join("config.json"), config).unwrap();
    })
    .await;
    let cross = "Sec-Fetch-Site: cross-site\r\n";
    let ours = "Origin: http://localhost\r\n";
    let dash = "Origin: https://dash.example\r\n";
    for (origin, status) in [("", 403), (ours, 403), (dash, 200)] {
        let headers = format!("{origin}{cross}{JSON}");
        let answer = ask(&rig, "POST /api/control", "localhost", &headers, TARGET).await;
        assert_eq!(answer.status, status, "{origin}");
        let line = "GET /socket.io/?EIO=4&transport=polling";
        let answer = ask(&rig, line, "localhost", &format!("{origin}{cross}"), b"").await;
        assert_eq!(answer.status, status, "{origin} reads the socket");
    }
    // A link to the panel on another page is followed.
    assert_eq!(ask(&rig, "GET /", "localhost", cross, b"").await.status, 200);
    let near = format!("{ours}Sec-Fetch-Site: same-origin\r\n{JSON}");
    assert_eq!(ask(&rig, "POST /api/control", "localhost", &near, TARGET).await.status, 200);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn text_is_taken_for_json_only_from_a_page_of_ours() {
    let rig = Rig::start().await;
    let text = "Content-Type: text/plain;charset=UTF-8\r\n";
    for (origin, answer) in [
        ("Origin: http://localhost:3000\r\n", (400, "INVALID_ZONE")),
        ("Origin: http://127.0.0.2\r\n", (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("", (415, "UNSUPPORTED_MEDIA_TYPE")),
    ] {
        let headers = format!("{origin}{text}");
        let got = rig.post_as("/api/tune/start", br#"{"zone":"z7"}"#, &headers).await;
        assert_eq!((got.status, got.msg()), answer, "{origin}");
    }
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_host_that_it_was_asked_is_the_one_that_counts() {
    for (proxies, forwarded, statuses) in [
        // Another address, and the one that the proxy was asked.
        (json!(["127.0.0.1"]), "10.0.0.7:443", [403, 200]),
        (json!([]), "10.0.0.7:443", [403, 403]),
        (json!(["127.0.0.1"]), "evil.example", [403, 403]),
    ] {
        let rig = Rig::with(|options| {
            let config = json!({"security": {"trusted_proxies": proxies}});
            std::fs::write(options.data_dir.join("config.json"), config.to_string()).unwrap();
        })
        .await;
        for (origin, status) in ["http://10.0.0.8", "https://10.0.0.7"].into_iter().zip(statuses) {
            let headers = format!("X-Forwarded-Host: {forwarded}\r\nOrigin: {origin}\r\n{JSON}");
            let answer = ask(&rig, "POST /api/control", "127.0.0.1:5000", &headers, TARGET).await;
            assert_eq!(answer.status, status, "{origin} for {forwarded}, proxies {proxies}");
        }
        rig.running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn an_emergency_stop_is_taken_from_any_page_and_stands_in_the_journal_with_its_origin() {
    for (line, expected) in [
        ("Origin: https://evil.example\r\n", json!("https://evil.example")),
        ("Origin: null\r\nContent-Type: text/plain\r\n", json!("null")),
        ("Sec-Fetch-Site: cross-site\r\n", Value::Null),
    ] {
        let rig = Rig::start().await;
        let answer = rig.post_as("/api/control", STOP, line).await;
        assert_eq!(answer.status, 200, "{line}: {}", answer.body);
        assert_eq!(rig.state().await["status"], "ALARM", "{line}");
        let found = stops(&rig, |stops| !stops.is_empty()).await;
        assert_eq!(found[0]["value"]["origin"], expected, "{found:?}");
        rig.running.stop().await.unwrap();
    }
    // So that a proxy which sends a wrong name swallows none either.
    let rig = Rig::start().await;
    let answer = ask(&rig, "POST /api/control", "wrong.example", JSON, STOP).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let found = stops(&rig, |stops| !stops.is_empty()).await;
    assert_eq!(found[0]["value"]["host"], "wrong.example");
    let answer = ask(&rig, "POST /api/control", "wrong.example", JSON, TARGET).await;
    assert_eq!((answer.status, answer.msg()), (403, "FOREIGN_HOST"));
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_flood_of_stops_by_a_page_is_one_line_and_what_is_refused_to_it_none() {
    let rig = Rig::start().await;
    let evil = format!("Origin: https://evil.example\r\n{JSON}");
    for _ in 0..50 {
        assert_eq!(rig.post_as("/api/control", STOP, &evil).await.status, 200);
        assert_eq!(rig.post_as("/api/control", TARGET, &evil).await.status, 403);
        assert_eq!(rig.post_as("/api/control", b"{", &evil).await.status, 403);
    }
    // A stop of this house has its line beside them.
    assert_eq!(rig.command("EMERGENCY_STOP", Value::Null).await.status, 200);
    let found = stops(&rig, |stops| stops.iter().any(|line| line["value"].is_null())).await;
    assert_eq!(found.len(), 2, "{found:#?}");
    let lines = rig.get("/api/audit").await.body["lines"].clone();
    assert!(!lines.to_string().contains("403"), "{lines}");
    // What was counted meanwhile is written at the latest when the service stops.
    let folder = rig.folder.path().join("audit");
    rig.running.stop().await.unwrap();
    let page = tve_audit::page(&folder, 0, 1_000_000).unwrap();
    let text: String = page.lines.iter().map(|line| line.get()).collect();
    assert_eq!(text.matches(r#""repeated":49"#).count(), 1, "{text}");
}

#[tokio::test]
async fn where_a_stop_needs_a_login_a_page_of_elsewhere_needs_it_too() {
    let rig = secured(json!({"stop_needs_login": true})).await;
    let evil = format!("Origin: https://evil.example\r\n{JSON}");
    let answer = rig.post_as("/api/control", STOP, &evil).await;
    assert_eq!((answer.status, answer.msg()), (401, "LOGIN_REQUIRED"));
    assert_ne!(rig.state().await["status"], "ALARM");
    rig.running.stop().await.unwrap();
}
