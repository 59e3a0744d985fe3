//! Logins over the wire: every route and command for every role, and what is refused meanwhile.

use crate::rig::{Answer, PATIENCE, Rig};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tve_access::{Need, PasswordHash, Role, TokenBook, table};
use tve_config::Security;
use tve_control::{CommandKind, Endpoint};

/// Password "right", one round: quick, for tests alone.
const QUICK: &str =
    "pbkdf2:sha256:1$salt$44ec8cfe2ba4d927331c58d8a2a0cc13d6f1f1bd9a55fd8826ebd9d2a2e751df";

/// Password "right", forty times the work that werkzeug asks for: a second and more.
const SLOW: &str = "scrypt:32768:8:40$salt$d80a9f8edb11c4d941a5268d372132f15629f81b8920a52f860031339\
                    c94231697e38134f62e4421286e67674077473cc014b7b3c4c811b4191df3a37f8c4dbd";

/// A user of each role by the role's name, with the password "right".
fn users() -> Value {
    Role::ALL.iter().map(|r| (r.name(), json!({"hash": QUICK, "role": r.name()}))).collect()
}

/// A rig with security enabled and `more` of the section; loopback is a trusted proxy, so that a
/// test can come from as many addresses as it likes.
async fn secured(more: Value) -> Rig {
    secured_with(more, |_| {}).await
}

async fn secured_with(more: Value, prepare: impl FnOnce(&Path)) -> Rig {
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

fn basic(user: &str, password: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn from(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

async fn get(rig: &Rig, path: &str, headers: &str) -> Answer {
    rig.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"), b"").await
}

async fn post(rig: &Rig, path: &str, body: &Value, headers: &str) -> Answer {
    let headers = format!("Content-Type: application/json\r\n{headers}");
    rig.post_as(path, body.to_string().as_bytes(), &headers).await
}

async fn put(rig: &Rig, path: &str, body: &Value, headers: &str) -> Answer {
    let body = body.to_string();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    rig.send(&head, body.as_bytes()).await
}

async fn command(rig: &Rig, name: &str, value: Value, headers: &str) -> Answer {
    post(rig, "/api/control", &json!({"command": name, "value": value}), headers).await
}

async fn metric(rig: &Rig, line: &str) -> u64 {
    let metrics = rig.get("/metrics").await;
    let text = metrics.text();
    let found = text.lines().find_map(|l| l.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or_else(|| panic!("{line} in {text}"))
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// One thing that can be asked for, and what it needs.
struct Ask {
    method: &'static str,
    path: String,
    body: Value,
    need: Need,
}

/// Every route and every command of the table.
fn everything() -> Vec<Ask> {
    let mut all = Vec::new();
    for (method, path, need) in tve_http::routes() {
        let path = match path {
            "/socket.io/" => "/socket.io/?EIO=4&transport=polling".to_owned(),
            other => other.replace("{file}", "nothing").replace("{generation}", "1"),
        };
        if need != Need::Commands {
            all.push(Ask { method, path, body: json!({}), need });
        }
    }
    for kind in CommandKind::ALL.iter().filter(|kind| kind.row().endpoint == Endpoint::Control) {
        // A value that is wrong for most of them: the role is judged before it.
        let body = json!({"command": kind.row().name, "value": {}});
        let need = table::command(*kind).unwrap();
        all.push(Ask { method: "POST", path: "/api/control".into(), body, need });
    }
    all
}

/// What a sender shows.
struct Shown {
    what: &'static str,
    header: String,
    /// The role that it proves.
    proves: Option<Role>,
}

/// For one role: nothing, and each kind of credentials.
fn shown(role: Role, tokens: &[(Role, &'static str, String)]) -> Vec<Shown> {
    let name = role.name();
    let mut all = vec![
        Shown { what: "nothing", header: String::new(), proves: None },
        Shown { what: "a wrong password", header: basic(name, "wrong"), proves: None },
        Shown { what: "the password", header: basic(name, "right"), proves: Some(role) },
    ];
    for (_, what, token) in tokens.iter().filter(|(r, ..)| *r == role) {
        let proves = (*what == "a good token").then_some(role);
        all.push(Shown { what, header: bearer(token), proves });
    }
    all
}

/// Writes the token file: for each role a good, an expired and a revoked one.
fn write_tokens(folder: &Path) -> Vec<(Role, &'static str, String)> {
    let (mut book, mut made, now) = (TokenBook::default(), Vec::new(), seconds_now());
    for (i, role) in Role::ALL.iter().enumerate() {
        for (k, (what, created)) in
            [("a good token", now), ("an expired token", now - 200_000), ("a revoked token", now)]
                .into_iter()
                .enumerate()
        {
            let name = format!("{}-{k}", role.name());
            let token = book.create(&name, *role, 1, created, [(3 * i + k) as u8; 32]).unwrap();
            if what == "a revoked token" {
                book.revoke(&name).unwrap();
            }
            made.push((*role, what, token));
        }
    }
    std::fs::write(folder.join("tokens.json"), book.to_text()).unwrap();
    made
}

async fn matrix(protect_reads: bool, stop_needs_login: bool) {
    let security = Security { protect_reads, stop_needs_login, ..Security::default() };
    let more = json!({"protect_reads": protect_reads, "stop_needs_login": stop_needs_login});
    let mut tokens = Vec::new();
    let rig = secured_with(more, |folder| tokens = write_tokens(folder)).await;
    let mut asked: u32 = 0;
    for role in Role::ALL {
        for shown in shown(*role, &tokens) {
            for ask in everything() {
                // From another address each time: neither lock nor limit is the question here.
                asked += 1;
                let place =
                    format!("10.{}.{}.{}", asked >> 16 & 255, asked >> 8 & 255, asked & 255);
                let headers = from(&place) + &shown.header;
                let answer = match ask.method {
                    "GET" => get(&rig, &ask.path, &headers).await,
                    "PUT" => put(&rig, &ask.path, &ask.body, &headers).await,
                    _ => post(&rig, &ask.path, &ask.body, &headers).await,
                };
                let denied = matches!(answer.status, 401 | 403 | 429).then_some(answer.status);
                let expected = match (ask.need.role(&security), shown.proves) {
                    (None, _) => None,
                    (Some(_), None) => Some(401),
                    (Some(needed), Some(role)) => (role < needed).then_some(403),
                };
                let (method, path, body) = (ask.method, &ask.path, &ask.body);
                let what = shown.what;
                assert_eq!(denied, expected, "{role:?} with {what}: {method} {path} {body}");
            }
        }
    }
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn every_route_and_command_asks_for_the_role_of_the_table() {
    matrix(false, false).await;
}

#[tokio::test]
async fn reads_and_stops_ask_for_their_roles_where_they_are_protected() {
    matrix(true, true).await;
}

#[tokio::test]
async fn what_names_no_command_is_told_so_to_whoever_has_a_login_and_to_nobody_else() {
    let rig = secured(json!({})).await;
    // Names of the table that are not sent by this endpoint are as unknown as nonsense.
    for name in ["NONSENSE", "start", "", "REPORT_LOGGING", "REPLACE_CONFIG", "SET_GPIO_VALUE"] {
        let answer = command(&rig, name, json!({}), "").await;
        assert_eq!((answer.status, answer.msg()), (401, "LOGIN_REQUIRED"), "{name}");
        for role in Role::ALL {
            let answer = command(&rig, name, json!({}), &basic(role.name(), "right")).await;
            assert_eq!((answer.status, answer.msg()), (400, "UNKNOWN_COMMAND"), "{name}");
        }
    }
    rig.running.stop().await.unwrap();
}

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

#[tokio::test]
async fn a_running_service_sees_tokens_that_are_made_and_revoked() {
    let rig = secured(json!({"protect_reads": true})).await;
    let folder = rig.folder.path().to_str().unwrap();
    let tve = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tve"))
            .args(["token", "--data-dir", folder])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let until = async |token: &str, status: u16| {
        let began = Instant::now();
        while get(&rig, "/api/data", &bearer(token)).await.status != status {
            assert!(began.elapsed() < PATIENCE, "never {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let token = tve(&["create", "--name", "panel", "--role", "operator", "--days", "7"]);
    let token = token.trim();
    until(token, 200).await;
    let answer = command(&rig, "SET_TARGET", json!({"z1": 60}), &bearer(token)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(tve(&["list"]), "panel  operator  7 days left\n");

    let file = rig.folder.path().join("tokens.json");
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert!(!std::fs::read_to_string(&file).unwrap().contains(&token[4..]));

    tve(&["revoke", "panel"]);
    until(token, 401).await;

    // A file that cannot be read may have lost a revocation, so no token is good any more.
    let token = tve(&["create", "--name", "other", "--role", "viewer"]);
    until(token.trim(), 200).await;
    std::fs::write(&file, "[{").unwrap();
    until(token.trim(), 401).await;
    rig.running.stop().await.unwrap();
}

/// Reads frames of a WebSocket up to one whose text begins with `start`; none of ours is long.
async fn frame(stream: &mut TcpStream, start: &str) {
    let read = async {
        loop {
            let [_, length] = [stream.read_u8().await.unwrap(), stream.read_u8().await.unwrap()];
            let length = match length {
                126 => stream.read_u16().await.unwrap(),
                short => short.into(),
            };
            let mut text = vec![0; length.into()];
            stream.read_exact(&mut text).await.unwrap();
            if text.starts_with(start.as_bytes()) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("no frame {start}"));
}

/// Asks to join over a WebSocket: the text 40 under a mask of zeros.
async fn join(stream: &mut TcpStream) {
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'4', b'0']).await.unwrap();
}

#[tokio::test]
async fn an_open_socket_is_closed_with_its_token_and_cannot_join_again() {
    let mut token = None;
    let rig = secured_with(json!({"protect_reads": true}), |folder| {
        let (_, _, text) = write_tokens(folder).into_iter().find(|t| t.0 == Role::Viewer).unwrap();
        token = Some(text);
    })
    .await;
    let token = token.unwrap();
    let mut socket = TcpStream::connect(rig.addr()).await.unwrap();
    let head = format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n",
        bearer(&token)
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    join(&mut socket).await;
    frame(&mut socket, "42[\"snapshot\"").await;

    std::fs::write(rig.folder.path().join("tokens.json"), "[]\n").unwrap();
    frame(&mut socket, "41").await;
    join(&mut socket).await;
    frame(&mut socket, "44").await;
    rig.running.stop().await.unwrap();
}
