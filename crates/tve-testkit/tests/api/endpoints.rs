//! The JSON of every endpoint, pinned by its shape: keys and kinds, without the live values.
//!
//! The pinned shapes lie in `tests/api/snapshots`. After a wanted change of the API,
//! `INSTA_UPDATE=always cargo test -p tve-testkit --test api` writes them anew.

use serde_json::{Map, Value, json};
use tve_testkit::Rig;

/// Keys and kinds of a reply. Texts that are names on the wire stay; the rest become their kind.
fn shape(value: &Value) -> Value {
    const NAMES: [&str; 4] = ["status", "mode", "machine", "severity"];
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("bool"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("string"),
        Value::Array(items) => Value::Array(items.first().map(shape).into_iter().collect()),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let named = NAMES.contains(&key.as_str()) && value.is_string();
                (key.clone(), if named { value.clone() } else { shape(value) })
            })
            .collect::<Map<_, _>>()
            .into(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_endpoint_keeps_its_shape() {
    let rig = Rig::start().await;
    // Until the first samples of all four sensors are in, temperatures are null.
    while rig.get("/api/data").await.body["temps"]["motor"].is_null() {
        tokio::task::yield_now().await;
    }
    for (name, path) in [
        ("data", "/api/data"),
        ("status", "/api/status"),
        ("log", "/api/log"),
        ("permissives", "/api/permissives"),
        ("health", "/health"),
        ("ready", "/ready"),
    ] {
        let answer = rig.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        insta::assert_json_snapshot!(name, shape(&answer.body));
    }
    // Twenty-eight pins of one shape.
    let gpio = rig.get("/api/gpio").await.body;
    assert_eq!(gpio["status"].as_object().map(Map::len), Some(28));
    insta::assert_json_snapshot!(
        "gpio",
        json!({"success": shape(&gpio["success"]), "pin": shape(&gpio["status"]["17"]),
               "i2c_buses": shape(&gpio["i2c_buses"])})
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_and_a_refusal_keep_their_shape() {
    let rig = Rig::start().await;
    assert_eq!(rig.command("EMERGENCY_STOP", Value::Null).await.status, 200);
    let state = &rig.get("/api/status").await.body["state"];
    insta::assert_json_snapshot!("alarm", shape(&state["active_alarms"]));
    assert_eq!(state["status"], "ALARM");
    let refused = rig.command("SET_TARGET", json!({"z1": 100})).await;
    assert_eq!(refused.status, 409);
    insta::assert_json_snapshot!("refusal", refused.body);
    rig.stop().await;
}
