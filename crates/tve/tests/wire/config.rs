//! The configuration over HTTP: under If-Match, whole or not at all, with its secrets kept.

use crate::rig::{Answer, Rig};
use serde_json::{Value, json};

impl Rig {
    pub(crate) async fn put_config(&self, config: &Value, if_match: Option<&str>) -> Answer {
        let condition = if_match.map(|tag| format!("If-Match: {tag}\r\n")).unwrap_or_default();
        let body = config.to_string();
        let head = format!(
            "PUT /api/config HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             {condition}Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.send(&head, body.as_bytes()).await
    }

    pub(crate) async fn config(&self) -> (Value, String) {
        let answer = self.get("/api/config").await;
        let tag = answer.header("etag").unwrap().to_owned();
        (answer.body, tag)
    }
}

/// With users and a private key, which nobody may see.
const SECRETS: &str = r#"{"z1": {"kp": 5}, "security": {"enabled": false, "users": {"ann":
    {"hash": "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA", "role": "engineer"}}}}"#;

async fn with_secrets() -> Rig {
    Rig::with(|options| {
        std::fs::write(options.data_dir.join("config.json"), SECRETS).unwrap();
    })
    .await
}

#[tokio::test]
async fn a_change_needs_the_tag_of_what_it_was_made_on() {
    let rig = Rig::start().await;
    let (mut config, tag) = rig.config().await;
    config["z1"]["kp"] = json!(7.5);
    assert_eq!(rig.put_config(&config, None).await.status, 428);
    let stale = rig.put_config(&config, Some("\"0123\"")).await;
    assert_eq!((stale.status, stale.msg()), (412, "CONFIG_CHANGED"));

    let answer = rig.put_config(&config, Some(&tag)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.body["changed"], json!(["z1.kp"]));
    assert_eq!(answer.body["restart_needed"], json!([]));
    let (now, new_tag) = rig.config().await;
    assert_eq!(now["z1"]["kp"], json!(7.5));
    assert_eq!(answer.header("etag"), Some(new_tag.as_str()));
    assert_eq!(rig.get("/api/status").await.body["config"]["z1"]["kp"], json!(7.5));
    // The second of two who read the same is told so.
    assert_eq!(rig.put_config(&config, Some(&tag)).await.status, 412);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_wrong_document_is_refused_whole_with_every_fault() {
    let rig = Rig::start().await;
    let (before, tag) = rig.config().await;
    let mut config = before.clone();
    config["z1"]["kp"] = json!(7.5);
    config["z2"]["kp"] = json!(-1);
    config["safety"]["max_tarhet"] = json!(1);
    let answer = rig.put_config(&config, Some(&tag)).await;
    assert_eq!((answer.status, answer.msg()), (400, "INVALID_CONFIG"));
    let errors = answer.body["errors"].clone();
    let errors: Vec<&str> = errors.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].contains("safety.max_tarhet: unknown key"), "{errors:?}");
    assert!(errors[1].starts_with("z2.kp: must be between"), "{errors:?}");
    assert_eq!(rig.config().await.0, before);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn secrets_are_never_shown_and_never_lost() {
    let rig = with_secrets().await;
    let (mut config, tag) = rig.config().await;
    assert!(!config.to_string().contains("argon2id"));
    config["z1"]["kp"] = json!(6);
    config.as_object_mut().unwrap().remove("security");
    assert_eq!(rig.put_config(&config, Some(&tag)).await.status, 200);
    let path = rig.folder.path().join("config.json");
    let saved: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(saved["security"]["users"]["ann"]["role"], "engineer");
    assert_eq!(saved["z1"]["kp"], json!(6.0));
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn wiring_changes_only_while_idle_and_nothing_while_a_trip_is_latched() {
    let rig = Rig::start().await;
    rig.command("SET_TARGET", json!({"z1": 100})).await;
    let (mut config, tag) = rig.config().await;
    config["safety"]["over_temperature"] = json!(281);
    let busy = rig.put_config(&config, Some(&tag)).await;
    assert_eq!((busy.status, busy.msg()), (409, "MACHINE_BUSY"));
    let (mut gains, _) = rig.config().await;
    gains["z1"]["kp"] = json!(7.5);
    let live = rig.put_config(&gains, Some(&tag)).await;
    assert_eq!(live.status, 200, "gains change while the machine works: {:?}", live.body);
    rig.command("SET_TARGET", json!({"z1": 0})).await;
    assert_eq!(rig.put_config(&config, Some("*")).await.status, 200);
    rig.command("EMERGENCY_STOP", Value::Null).await;
    let tripped = rig.put_config(&gains, Some("*")).await;
    assert_eq!((tripped.status, tripped.msg()), (409, "ALARM_ACTIVE"));
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn what_takes_effect_at_the_next_start_is_named() {
    let rig = Rig::start().await;
    let (mut config, tag) = rig.config().await;
    config["server"]["listen"] = json!("127.0.0.1:5999");
    config["plant"]["seed"] = json!(99);
    config["motion"]["start_rpm"] = json!(11);
    let answer = rig.put_config(&config, Some(&tag)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.body["restart_needed"], json!(["plant.seed", "server.listen"]));
    assert_eq!(answer.body["changed"].as_array().unwrap().len(), 3);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn an_older_configuration_is_shown_and_restored_but_not_its_users() {
    let rig = with_secrets().await;
    for kp in [6.0, 7.0] {
        let (mut config, tag) = rig.config().await;
        config["z1"]["kp"] = json!(kp);
        if kp == 7.0 {
            config["security"]["users"] = json!({});
        }
        assert_eq!(rig.put_config(&config, Some(&tag)).await.status, 200);
    }
    let listed = rig.get("/api/config/generations").await.body;
    assert_eq!(listed["generations"][1]["generation"], json!(2));
    let shown = rig.get("/api/config/generations/2").await.body;
    assert_eq!(shown["z1"]["kp"], json!(5.0));
    assert!(!shown.to_string().contains("argon2id"));
    for (path, status) in [("0", 404), ("11", 404), ("3", 404), ("x", 404)] {
        let answer = rig.get(&format!("/api/config/generations/{path}")).await;
        assert_eq!(answer.status, status, "{path}");
    }
    assert_eq!(rig.post("/api/config/restore", r#"{"generation": 9}"#).await.status, 404);
    assert_eq!(rig.post("/api/config/restore", r#"{"generation": "x"}"#).await.status, 400);
    let answer = rig.post("/api/config/restore", r#"{"generation": 2}"#).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.body["changed"], json!(["z1.kp"]));
    let path = rig.folder.path().join("config.json");
    let saved: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!((&saved["z1"]["kp"], &saved["security"]["users"]), (&json!(5.0), &json!({})));
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_page_of_elsewhere_cannot_change_the_configuration() {
    let rig = Rig::start().await;
    for (header, status) in [("Origin: https://evil.example\r\n", 403), ("", 415)] {
        let head = format!(
            "PUT /api/config HTTP/1.1\r\nHost: localhost\r\nIf-Match: *\r\n{header}\
             Content-Type: {}\r\nContent-Length: 2\r\n\r\n",
            if header.is_empty() { "text/plain" } else { "application/json" }
        );
        assert_eq!(rig.send(&head, b"{}").await.status, status);
    }
    rig.running.stop().await.unwrap();
}
