//! Who is who when the configuration cannot be read, and when it changes while the service runs.

use crate::rig::{Answer, PATIENCE, Rig};
use crate::secured::{QUICK, basic, command, get, put, secured};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tve::{Options, Server};

const MODE: &str = r#"{"mode": "AUTO"}"#;

async fn start(folder: TempDir) -> Rig {
    let running = Server::start(Options::in_folder(folder.path())).await.unwrap();
    Rig { running, folder }
}

async fn stop(rig: Rig) -> TempDir {
    rig.running.stop().await.unwrap();
    rig.folder
}

async fn mode(rig: &Rig, headers: &str) -> Answer {
    command(rig, "SET_MODE", serde_json::from_str(MODE).unwrap(), headers).await
}

fn tear(config: &Path, share: f64) {
    let text = std::fs::read(config).unwrap();
    let rest = (text.len() as f64 * share) as usize;
    std::fs::write(config, &text[..rest]).unwrap();
}

/// Whether the service answers nobody but stops, probes and who asks what is wrong.
async fn is_locked(rig: &Rig) {
    for headers in [String::new(), basic("admin", "right"), "Authorization: Bearer x\r\n".into()] {
        for path in ["/api/data", "/api/config", "/metrics", "/", "/api/log", "/api/audit"] {
            let answer = get(rig, path, &headers).await;
            assert_eq!((answer.status, answer.msg()), (403, "SECURITY_UNREADABLE"), "{path}");
        }
        let answer = get(rig, "/socket.io/?EIO=4&transport=polling", &headers).await;
        assert_eq!(answer.status, 403);
        for name in ["SET_MODE", "SAVE_CONFIG", "CLEAR_ALARM", "NONSENSE"] {
            let answer = command(rig, name, json!({}), &headers).await;
            assert_eq!((answer.status, answer.msg()), (403, "SECURITY_UNREADABLE"), "{name}");
        }
        for name in ["EMERGENCY_STOP", "STOP"] {
            assert_eq!(command(rig, name, json!({}), &headers).await.status, 200, "{name}");
        }
        assert_eq!(get(rig, "/health", &headers).await.status, 200);
        let status = get(rig, "/api/status", &headers).await;
        let errors = status.body["state"]["config_errors"].as_array().unwrap().clone();
        assert!(errors.iter().any(|e| e.to_string().contains("security")), "{errors:?}");
        assert_eq!(status.body, json!({"state": {"config_errors": errors}}));
    }
}

#[tokio::test]
async fn a_torn_configuration_keeps_the_users_of_the_last_good_one() {
    for share in [0.0, 0.5, 0.9] {
        let folder = stop(secured(json!({"protect_reads": true})).await).await;
        tear(&folder.path().join("config.json"), share);
        let rig = start(folder).await;
        assert!(!rig.running.config_errors().is_empty());
        for path in ["/api/status", "/api/data", "/api/config", "/metrics"] {
            assert_eq!(get(&rig, path, "").await.status, 401, "{path}");
        }
        assert_eq!(mode(&rig, "").await.status, 401);
        assert_eq!(mode(&rig, &basic("operator", "wrong")).await.status, 401);
        let answer = mode(&rig, &basic("operator", "right")).await;
        assert_eq!((answer.status, answer.msg()), (409, "ALARM_ACTIVE"));
        assert_eq!(get(&rig, "/api/config", &basic("operator", "right")).await.status, 403);
        let status = get(&rig, "/api/status", &basic("viewer", "right")).await;
        assert_ne!(status.body["state"]["config_errors"], json!([]));
        assert_eq!(command(&rig, "EMERGENCY_STOP", json!({}), "").await.status, 200);
        stop(rig).await;
    }
}

#[tokio::test]
async fn the_last_good_users_are_for_the_service_alone_to_read() {
    let folder = stop(secured(json!({})).await).await;
    let file = folder.path().join("security.json").metadata().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_file_that_is_wrong_elsewhere_still_says_who_its_users_are() {
    let folder = stop(secured(json!({})).await).await;
    let config = json!({
        "z1": {"kp": "hot"},
        "security": {"enabled": true, "users": {"new": {"hash": QUICK, "role": "operator"}}},
    });
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let rig = start(folder).await;
    assert_eq!(mode(&rig, "").await.status, 401);
    assert_eq!(mode(&rig, &basic("operator", "right")).await.status, 401, "is gone");
    assert_eq!(mode(&rig, &basic("new", "right")).await.status, 409);
    stop(rig).await;
}

#[tokio::test]
async fn where_nobody_can_say_who_the_users_are_only_stops_are_taken() {
    // The last good users are damaged or gone too, and this folder has been used.
    for memory in [Some("{"), Some(r#"{"security": {"enabled": "x"}}"#), Some("{}"), None] {
        let folder = stop(secured(json!({})).await).await;
        tear(&folder.path().join("config.json"), 0.0);
        let file = folder.path().join("security.json");
        match memory {
            Some(text) => std::fs::write(file, text).unwrap(),
            None => std::fs::remove_file(file).unwrap(),
        }
        let rig = start(folder).await;
        is_locked(&rig).await;
        stop(rig).await;
    }
    // A new folder, whose torn file speaks of users.
    let folder = tempfile::tempdir().unwrap();
    let text = r#"{"security": {"enabled": true, "users": {"ann""#;
    std::fs::write(folder.path().join("config.json"), text).unwrap();
    let rig = start(folder).await;
    is_locked(&rig).await;
    stop(rig).await;
}

#[tokio::test]
async fn a_configuration_that_is_gone_takes_no_login_away() {
    let folder = stop(secured(json!({})).await).await;
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    let rig = start(folder).await;
    assert_eq!(mode(&rig, "").await.status, 401);
    assert_eq!(mode(&rig, &basic("operator", "right")).await.status, 200);
    stop(rig).await;
}

#[tokio::test]
async fn a_machine_without_logins_stays_one_when_its_configuration_is_torn() {
    for used in [false, true] {
        let mut folder = tempfile::tempdir().unwrap();
        if used {
            folder = stop(start(folder).await).await;
        }
        std::fs::write(folder.path().join("config.json"), r#"{"z1": {"kp": "#).unwrap();
        let rig = start(folder).await;
        let status = rig.get("/api/status").await;
        assert_eq!(status.body["state"]["status"], "ALARM", "{used}");
        assert!(status.body["config"]["z1"].is_object(), "{used}");
        assert_eq!(rig.get("/api/config").await.status, 200, "{used}");
        assert_eq!(mode(&rig, "").await.msg(), "ALARM_ACTIVE", "{used}");
        stop(rig).await;
    }
}

/// The configuration of the service and its tag, as the admin sees them.
async fn config(rig: &Rig) -> (Value, String) {
    let answer = get(rig, "/api/config", &basic("admin", "right")).await;
    let tag = answer.header("etag").unwrap().to_owned();
    (answer.body, tag)
}

/// The users of the rig but for those of `without`.
fn users_without(without: &[&str]) -> Value {
    let mut users = crate::secured::users();
    users.as_object_mut().unwrap().retain(|name, _| !without.contains(&name.as_str()));
    users
}

async fn put_users(rig: &Rig, users: Value, tag: &str) -> Answer {
    let (mut document, _) = config(rig).await;
    document["security"]["users"] = users;
    let headers = format!("If-Match: {tag}\r\n{}", basic("admin", "right"));
    put(rig, "/api/config", &document, &headers).await
}

/// Opens a socket by polling and joins; its path.
async fn open_socket(rig: &Rig, login: &str) -> String {
    let path = "/socket.io/?EIO=4&transport=polling";
    let open = get(rig, path, login).await;
    let hello: Value = serde_json::from_str(&open.text()[1..]).unwrap();
    let path = format!("{path}&sid={}", hello["sid"].as_str().unwrap());
    let post = format!("Content-Type: text/plain\r\n{login}");
    assert_eq!(rig.post_as(&path, b"40", &post).await.status, 200);
    path
}

#[tokio::test]
async fn a_removed_user_is_gone_at_once_with_his_sockets_and_the_tag_from_before_does_not_bring_him_back()
 {
    for protect_reads in [false, true] {
        let rig = secured(json!({"protect_reads": protect_reads})).await;
        let operator = basic("operator", "right");
        assert_eq!(mode(&rig, &operator).await.status, 200);
        let his = open_socket(&rig, &operator).await;
        let witness = basic("engineer", "right");
        let other = open_socket(&rig, &witness).await;

        let (_, before) = config(&rig).await;
        let answer = put_users(&rig, users_without(&["operator"]), &before).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        assert_eq!(answer.body["restart_needed"], json!([]));
        let answer = mode(&rig, &operator).await;
        assert_eq!((answer.status, answer.msg()), (401, "LOGIN_FAILED"));
        // His socket hears the good-bye; where reads are protected even that needs a login.
        let began = Instant::now();
        let end = loop {
            let answer = get(&rig, &his, &operator).await;
            if answer.status != 200 || answer.bytes.split(|b| *b == 0x1e).any(|p| p == b"41") {
                break answer.status;
            }
            assert!(began.elapsed() < PATIENCE, "his socket stays open");
        };
        assert_eq!(end, if protect_reads { 401 } else { 200 });
        assert_eq!(get(&rig, &other, &witness).await.status, 200, "that of another goes on");

        let answer = put_users(&rig, crate::secured::users(), &before).await;
        assert_eq!((answer.status, answer.msg()), (412, "CONFIG_CHANGED"));
        assert_eq!(mode(&rig, &operator).await.status, 401);
        // Nor does a torn file.
        let folder = stop(rig).await;
        tear(&folder.path().join("config.json"), 0.5);
        let rig = start(folder).await;
        assert_eq!(mode(&rig, &operator).await.status, 401);
        assert_eq!(mode(&rig, &basic("engineer", "right")).await.status, 409);
        stop(rig).await;
    }
}

#[tokio::test]
async fn a_new_password_role_or_login_is_in_force_at_once() {
    /// Password "other", one round.
    const OTHER: &str = "pbkdf2:sha256:1$salt$\
                         6b8d0a0f0b1f0e0d0c0b0a090807060504030201000102030405060708090a0b";
    let rig = secured(json!({})).await;
    let operator = basic("operator", "right");
    assert_eq!(mode(&rig, &operator).await.status, 200, "known for a minute from here on");
    let mut users = crate::secured::users();
    users["operator"]["hash"] = json!(OTHER);
    users["engineer"]["role"] = json!("viewer");
    users["new"] = json!({"hash": QUICK, "role": "operator"});
    let (_, tag) = config(&rig).await;
    assert_eq!(put_users(&rig, users, &tag).await.status, 200);
    assert_eq!(mode(&rig, &operator).await.status, 401);
    assert_eq!(mode(&rig, &basic("engineer", "right")).await.status, 403);
    assert_eq!(mode(&rig, &basic("new", "right")).await.status, 200);
    stop(rig).await;
}

#[tokio::test]
async fn the_last_admin_cannot_be_removed() {
    let rig = secured(json!({})).await;
    let mut worthless = crate::secured::users();
    worthless["admin"]["hash"] = json!("scrypt:nonsense");
    let mut lower = crate::secured::users();
    lower["admin"]["role"] = json!("engineer");
    for users in [users_without(&["admin"]), json!({}), lower, worthless] {
        let answer = put_users(&rig, users.clone(), "*").await;
        assert_eq!((answer.status, answer.msg()), (400, "INVALID_CONFIG"), "{users}");
        assert!(answer.body["reason"].as_str().unwrap().contains("admin"), "{}", answer.body);
    }
    let mut other = users_without(&["admin"]);
    other["boss"] = json!({"hash": QUICK, "role": "admin"});
    assert_eq!(put_users(&rig, other, "*").await.status, 200);
    assert_eq!(mode(&rig, &basic("admin", "right")).await.status, 401);
    stop(rig).await;
}

#[tokio::test]
async fn a_token_that_has_expired_is_expired_for_good() {
    use tve_access::{Role, TokenBook};
    let mut token = String::new();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let rig = crate::secured::secured_with(json!({}), |folder| {
        let mut book = TokenBook::default();
        token = book.create("panel", Role::Operator, 1, now - 100_000, [7; 32]).unwrap();
        book.create("other", Role::Operator, 9, now, [8; 32]).unwrap();
        std::fs::write(folder.join("tokens.json"), book.to_text()).unwrap();
    })
    .await;
    // Once the service has seen it, the file says so, and no clock that goes back changes that.
    let began = Instant::now();
    loop {
        let book = tve_runtime::tokens::stored(rig.folder.path()).unwrap();
        let ends: Vec<u64> = book.iter().map(|token| token.expires).collect();
        if ends[0] == 0 {
            assert!(ends[1] > now, "{ends:?}");
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{ends:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(mode(&rig, &crate::secured::bearer(&token)).await.status, 401);
    stop(rig).await;
}
