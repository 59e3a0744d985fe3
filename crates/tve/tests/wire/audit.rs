//! The audit journal of a running service: complete, readable, whole.

use crate::rig::{PATIENCE, Rig};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// The lines of the journal, oldest first, once `holds` is true of them.
async fn lines(rig: &Rig, holds: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let page = rig.get("/api/audit").await.body;
        let mut lines = page["lines"].as_array().unwrap().clone();
        lines.reverse();
        if holds(&lines) {
            return lines;
        }
        assert!(began.elapsed() < PATIENCE, "{lines:#?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn of_command<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|l| l["command"] == name).collect()
}

#[tokio::test]
async fn commands_alarms_and_changes_are_noted_with_who_when_and_what() {
    let rig = Rig::start().await;
    rig.command("SET_TARGET", json!({"z1": 150})).await;
    rig.command("SET_TARGET", json!({"z1": 999})).await;
    rig.command("NONSENSE", json!({"password": "hunter2"})).await;
    rig.command("UPDATE_PID", json!({"zone": "z1", "params": {"kp": 9}})).await;
    rig.post("/api/log/start", "").await;
    rig.post("/api/control", "{").await;
    rig.command("EMERGENCY_STOP", Value::Null).await;
    rig.command("START", Value::Null).await;
    let found = lines(&rig, |lines| {
        lines.iter().any(|l| l["event"] == "alarm") && !of_command(lines, "START").is_empty()
    })
    .await;
    assert_eq!((&found[0]["event"], &found[0]["seq"]), (&json!("started"), &json!(1)));

    let targets = of_command(&found, "SET_TARGET");
    assert_eq!(targets[0]["value"], json!({"z1": 150}));
    assert_eq!((&targets[0]["outcome"], &targets[0]["status"]), (&json!("accepted"), &json!(200)));
    assert_eq!((&targets[0]["address"], &targets[0]["user"]), (&json!("127.0.0.1"), &Value::Null));
    assert!(targets[0]["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!((&targets[1]["outcome"], &targets[1]["status"]), (&json!("refused"), &json!(400)));
    assert!(!found.iter().any(|l| l.to_string().contains("hunter2")));
    let change = &of_command(&found, "UPDATE_PID")[0]["changes"];
    assert!(change.as_array().unwrap().iter().any(|c| c["path"] == "z1.kp" && c["new"] == 9.0));
    assert_eq!(of_command(&found, "POST /api/log/start").len(), 1);
    assert_eq!(of_command(&found, "POST /api/control")[0]["status"], 400);
    assert_eq!(of_command(&found, "START")[0]["msg"], "ALARM_ACTIVE");
    let alarm = found.iter().find(|l| l["event"] == "alarm").unwrap();
    assert_eq!((&alarm["change"], &alarm["type"]), (&json!("raised"), &json!("EMERGENCY_STOP")));

    let folder = rig.folder.path().join("audit");
    rig.running.stop().await.unwrap();
    let files = tve_audit::file_names(&folder).unwrap();
    let report = tve_audit::verify(&files, None).unwrap();
    assert_eq!(report.faults, []);
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(text.lines().last().unwrap().contains("\"event\":\"stopped\""), "{text}");
}

#[tokio::test]
async fn a_client_that_goes_away_before_the_answer_is_noted_all_the_same() {
    let rig = Rig::start().await;
    let count = 30;
    for z1 in 0..count {
        let body = json!({"command": "SET_TARGET", "value": {"z1": z1}}).to_string();
        let mut stream = TcpStream::connect(rig.addr()).await.unwrap();
        let head = format!(
            "POST /api/control HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // Reset rather than closed: nobody is there any more.
        stream.set_zero_linger().unwrap();
        if z1 % 2 == 0 {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    // Whatever changed the machine has a line.
    rig.command("SET_TARGET", json!({"z2": 1})).await;
    let target = rig.state().await["target_z1"].clone();
    lines(&rig, |lines| {
        let noted = of_command(lines, "SET_TARGET");
        target == 0.0 || noted.iter().any(|l| l["value"]["z1"].as_f64() == target.as_f64())
    })
    .await;
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_change_of_the_configuration_is_noted_with_old_and_new_and_without_secrets() {
    let rig = Rig::start().await;
    let (mut config, tag) = rig.config().await;
    config["z1"]["kp"] = json!(8);
    config["security"]["users"] = json!({"ann": "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA"});
    assert_eq!(rig.put_config(&config, Some(&tag)).await.status, 200);
    let found = lines(&rig, |l| !of_command(l, "PUT /api/config").is_empty()).await;
    let changes = of_command(&found, "PUT /api/config")[0]["changes"].as_array().unwrap().clone();
    assert!(changes.iter().any(|c| c["path"] == "z1.kp" && c["new"] == 8.0), "{changes:?}");
    assert!(changes.iter().any(|c| c["path"] == "security.users.ann"), "{changes:?}");
    assert!(!json!(changes).to_string().contains("argon2id"), "{changes:?}");
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn pages_beyond_the_end_are_empty_and_pages_that_are_no_numbers_are_refused() {
    let rig = Rig::start().await;
    let page = rig.get("/api/audit?page=18446744073709551615").await;
    assert_eq!((page.status, &page.body["lines"]), (200, &json!([])));
    assert_eq!(rig.get("/api/audit?page=-1").await.status, 400);
    rig.running.stop().await.unwrap();
}
