//! Logins over the wire: what is taken for one, how long guessing is suffered, who waits for whom.

use crate::secured::{QUICK, basic, command, from, get, metric, secured, users};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tve_access::PasswordHash;

/// Password "right", forty times the work that werkzeug asks for: a second and more.
const SLOW: &str = "scrypt:32768:8:40$salt$d80a9f8edb11c4d941a5268d372132f15629f81b8920a52f860031339\
                    c94231697e38134f62e4421286e67674077473cc014b7b3c4c811b4191df3a37f8c4dbd";

#[tokio::test]
async fn a_refused_login_says_how_to_log_in_and_comes_before_the_body_is_judged() {
    let rig = secured(json!({})).await;
    let answer = command(&rig, "NO_SUCH", json!([1]), "").await;
    assert_eq!((answer.status, answer.msg()), (401, "LOGIN_REQUIRED"));
    let challenges: Vec<&str> =
        answer.head.lines().filter(|l| l.to_lowercase().starts_with("www-authenticate:")).collect();
    assert_eq!(challenges.len(), 2, "{}", answer.head);
    assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"TVE-micro\""));

    // Each step mends the fault that was named.
    let json_type = "Content-Type: application/json\r\n";
    let origin = "Origin: https://evil.example\r\n";
    let large = vec![b' '; 64 * 1024 + 1];
    let wrong = from("10.0.0.1") + &basic("viewer", "wrong");
    assert_eq!(rig.post_as("/api/data", &large, &wrong).await.status, 405);
    assert_eq!(rig.post_as("/api/control", &large, &wrong).await.status, 413);
    assert_eq!(rig.post_as("/api/control", b"{", &wrong).await.status, 415);
    let foreign = format!("{origin}{json_type}{wrong}");
    let answer = rig.post_as("/api/control", b"{", &foreign).await;
    assert_eq!((answer.status, answer.msg()), (403, "FOREIGN_ORIGIN"));
    let answer = rig.post_as("/api/control", b"{", &format!("{json_type}{wrong}")).await;
    assert_eq!((answer.status, answer.msg()), (401, "LOGIN_FAILED"));
    let viewer = basic("viewer", "right");
    let answer = rig.post_as("/api/control", b"{", &format!("{json_type}{viewer}")).await;
    assert_eq!(answer.status, 400);
    assert_eq!(command(&rig, "NO_SUCH", json!({}), &viewer).await.msg(), "UNKNOWN_COMMAND");
    let answer = command(&rig, "SET_TARGET", json!([1]), &viewer).await;
    assert_eq!((answer.status, answer.msg()), (403, "ROLE_TOO_LOW"));
    let operator = basic("operator", "right");
    assert_eq!(command(&rig, "SET_TARGET", json!([1]), &operator).await.status, 400);
    assert_eq!(command(&rig, "SET_TARGET", json!({"z1": 200}), &operator).await.status, 200);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn every_kind_of_hash_logs_in() {
    // Made by werkzeug 3.1.9, but for the first.
    let users = json!({
        "argon": PasswordHash::make("extrude me", [5; 16]).unwrap(),
        "scrypt": "scrypt:1024:8:1$Sf63CYE8ThOz4i88$a177829dfa06bca7c2e750dc6d3b3bd48d2d5124bf784e0e\
                   d263c10230826cba809ed99e937097e9a61c6a3ee4c06c602712447f1075e3a471afd92fbdeeea5a",
        "pbkdf2": "pbkdf2:sha256:1000$fEEJ9KDqLE1setyh$33d8b5f8a351bee550eac2d6ddcba30fa9c5e011404a5\
                   ab7bf259a18a997c1ba",
    });
    let rig = secured(json!({"users": users})).await;
    for (user, password) in [("argon", "extrude me"), ("scrypt", "s"), ("pbkdf2", "extrude me")] {
        let mode = json!({"mode": "AUTO"});
        let answer = command(&rig, "SET_MODE", mode.clone(), &basic(user, password)).await;
        assert_eq!(answer.status, 200, "{user}");
        let answer = command(&rig, "SET_MODE", mode, &basic(user, "wrong")).await;
        assert_eq!(answer.status, 401, "{user}");
    }
    assert_eq!(metric(&rig, "tve_logins_total{outcome=\"ok\"}").await, 3);
    assert_eq!(metric(&rig, "tve_logins_total{outcome=\"failed\"}").await, 3);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn the_sixth_login_is_locked_for_its_user_and_address_alone() {
    let rig = secured(json!({})).await;
    let attempt = async |user: &str, password: &str, address: &str| {
        let headers = from(address) + &basic(user, password);
        command(&rig, "SET_MODE", json!({"mode": "AUTO"}), &headers).await
    };
    for i in 0..5 {
        assert_eq!(attempt("operator", "wrong", "10.0.0.1").await.status, 401, "{i}");
    }
    let answer = attempt("operator", "right", "10.0.0.1").await;
    assert_eq!((answer.status, answer.msg()), (429, "LOGIN_LOCKED"));
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((890..=900).contains(&wait), "{wait}");
    assert_eq!(attempt("operator", "right", "10.0.0.2").await.status, 200);
    assert_eq!(attempt("engineer", "right", "10.0.0.1").await.status, 200);
    // What the client itself claims to come from does not count.
    assert_eq!(attempt("operator", "right", "10.9.9.9, 10.0.0.1").await.status, 429);
    // The lock takes nobody the stop.
    let locked = from("10.0.0.1") + &basic("operator", "wrong");
    assert_eq!(command(&rig, "STOP", json!({}), &locked).await.status, 200);
    assert_eq!(metric(&rig, "tve_logins_total{outcome=\"locked\"}").await, 2);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn without_a_trusted_proxy_a_loopback_peer_is_locked_by_user_and_never_as_a_whole() {
    let rig = secured(json!({"trusted_proxies": []})).await;
    for i in 0..5 {
        let headers = from(&format!("10.0.0.{i}")) + &basic("operator", "wrong");
        assert_eq!(command(&rig, "START", json!({}), &headers).await.status, 401);
    }
    for (user, status) in [("operator", 429), ("engineer", 200)] {
        let headers = basic(user, "right");
        let answer = command(&rig, "SET_MODE", json!({"mode": "AUTO"}), &headers).await;
        assert_eq!(answer.status, status, "{user}");
    }
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_beyond_its_limit_waits_but_may_always_calm_the_machine() {
    let rig = secured(json!({"limits": {"commands_per_second": 1, "burst": 5}})).await;
    let operator = from("10.0.0.1") + &basic("operator", "right");
    let target = json!({"z1": 50});
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(command(&rig, "SET_TARGET", target.clone(), &operator).await.status);
    }
    assert_eq!(statuses[..5], [200; 5]);
    let limited = statuses.iter().filter(|s| **s == 429).count();
    assert!(limited >= 10, "{statuses:?}");
    assert_eq!(metric(&rig, "tve_commands_limited_total").await, limited as u64);
    for _ in 0..30 {
        for (name, value) in [
            ("SET_TARGET", json!({"z1": 0, "z2": 0})),
            ("SET_MOTOR", json!({"motor": "main", "rpm": 0})),
            ("SET_HEATER", json!({"zone": "z1", "duty": 0})),
            ("SET_PELTIER", json!({"duty": 0})),
            ("STOP_MANUAL_MOVE", json!({"motor": "feed"})),
            ("STOP", json!({})),
            ("EMERGENCY_STOP", json!({})),
        ] {
            let answer = command(&rig, name, value, &operator).await;
            assert_eq!(answer.status, 200, "{name} {}", answer.msg());
        }
    }
    let other = from("10.0.0.2") + &basic("operator", "right");
    let answer = command(&rig, "CLEAR_ALARM", json!({}), &other).await;
    assert_eq!(answer.status, 200, "another client has its own bucket: {}", answer.msg());
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn damaged_authorization_headers_are_401_and_never_a_fault_of_the_service() {
    let rig = secured(json!({"protect_reads": true, "stop_needs_login": true})).await;
    let colons = STANDARD.encode(":::::");
    let nothing = STANDARD.encode("");
    let zeros = STANDARD.encode([0; 300]);
    let long = "A".repeat(12_000);
    let values: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"Basic".to_vec(),
        b"Basic ====".to_vec(),
        b"Basic \xff\xfe\xfd".to_vec(),
        format!("Basic {colons}").into_bytes(),
        format!("Basic {nothing}").into_bytes(),
        format!("Basic {zeros}").into_bytes(),
        format!("Basic {long}").into_bytes(),
        b"Bearer".to_vec(),
        b"Bearer tve_".to_vec(),
        format!("Bearer {long}").into_bytes(),
        b"Digest username=\"x\"".to_vec(),
        b"\x80\x81".to_vec(),
        b"Basic dmlld2VyOnJpZ2h0\r\nAuthorization: Basic dmlld2VyOnJpZ2h0".to_vec(),
    ];
    for value in values {
        for (line, body) in [
            ("GET /api/data", ""),
            ("POST /api/control", r#"{"command":"START"}"#),
            ("POST /api/control", r#"{"command":"EMERGENCY_STOP"}"#),
        ] {
            let mut request = format!(
                "{line} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\nAuthorization: ",
                body.len()
            )
            .into_bytes();
            request.extend_from_slice(&value);
            request.extend_from_slice(b"\r\n\r\n");
            request.extend_from_slice(body.as_bytes());
            let answer = rig.send("", &request).await;
            assert_eq!(answer.status, 401, "{line} {}", String::from_utf8_lossy(&value));
        }
    }
    assert_eq!(get(&rig, "/health", "Authorization: nonsense\r\n").await.status, 200);
    rig.running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_calms_the_machine_never_waits_behind_a_password_check() {
    for stop_needs_login in [false, true] {
        let mut users = users();
        users["slow"] = json!({"hash": SLOW, "role": "operator"});
        let witnesses: Vec<String> = (0..10).map(|n| format!("witness {n}")).collect();
        for name in &witnesses {
            users[name] = json!({"hash": QUICK, "role": "engineer"});
        }
        let more = json!({"users": users, "stop_needs_login": stop_needs_login});
        let rig = std::sync::Arc::new(secured(more).await);
        let ask = async |user: &str, name: &str, value: Value| {
            command(&rig, name, value, &basic(user, "right")).await.status
        };
        assert_eq!(ask("operator", "SET_MODE", json!({"mode": "AUTO"})).await, 200);
        let slow = {
            let rig = std::sync::Arc::clone(&rig);
            tokio::spawn(async move {
                let headers = basic("slow", "right");
                let answer = command(&rig, "SET_TARGET", json!({"z1": 99}), &headers).await;
                (answer.status, Instant::now())
            })
        };
        // A login that is not known waits for its turn, which proves that the check has begun; one
        // that came before it is answered, and the next is asked for.
        let mut begun = false;
        for name in &witnesses {
            let waits = ask(name, "SET_MODE", json!({"mode": "AUTO"}));
            if tokio::time::timeout(Duration::from_millis(300), waits).await.is_err() {
                begun = true;
                break;
            }
        }
        assert!(begun && !slow.is_finished(), "the check is too quick for this test");

        let asked = Instant::now();
        // Known logins, strangers, and zero setpoints of a login that nobody knows yet.
        assert_eq!(ask("operator", "EMERGENCY_STOP", json!({})).await, 200);
        let stranger = command(&rig, "EMERGENCY_STOP", json!({}), "").await.status;
        assert_eq!(stranger, if stop_needs_login { 401 } else { 200 });
        let zero = json!({"motor": "main", "rpm": 0});
        assert_eq!(ask("admin", "SET_MOTOR", zero).await, 200);
        assert_eq!(get(&rig, "/api/data", "").await.status, 200);
        let calm = Instant::now();
        let (status, over) = slow.await.unwrap();
        assert_eq!(status, 409, "the alarm of the emergency stop");
        // Answers that had waited for their turn would come with the end of the check.
        let before = over.saturating_duration_since(calm);
        println!("answered {before:?} before the check was over, all in {:?}", calm - asked);
        assert!(before > calm - asked, "{before:?}");
        let rig = std::sync::Arc::into_inner(rig).unwrap();
        rig.running.stop().await.unwrap();
    }
}
