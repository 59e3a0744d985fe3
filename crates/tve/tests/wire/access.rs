//! Roles over the wire: every route and command for every role and kind of credentials, and tokens.

use crate::rig::PATIENCE;
use crate::secured::{basic, bearer, command, from, get, post, put, secured, secured_with};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tve_access::{Need, Role, TokenBook, table};
use tve_config::Security;
use tve_control::{CommandKind, Endpoint};

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
