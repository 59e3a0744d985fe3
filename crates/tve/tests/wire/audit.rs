//! The audit journal of a running service: complete, readable, whole.

use crate::rig::{PATIENCE, Rig};
use crate::secured::{basic, bearer, command, from, get, secured};
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tve_access::Role;
use tve_runtime::tokens::edit;

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
    let chains = tve_audit::chains(&folder).unwrap();
    for chain in &chains {
        assert_eq!(tve_audit::verify(&chain.files, None).unwrap().faults, [], "{}", chain.name);
    }
    let text = std::fs::read_to_string(&chains[0].files[0]).unwrap();
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

/// Everything that the journal of a service that has ended holds, oldest first.
fn kept(folder: &std::path::Path) -> Vec<Value> {
    let page = tve_audit::page(&folder.join("audit"), 0, 1_000_000).unwrap();
    page.lines.iter().rev().map(|line| serde_json::from_str(line.get()).unwrap()).collect()
}

#[tokio::test]
async fn a_flood_of_stops_by_nobody_in_particular_leaves_a_line_and_its_count() {
    let rig = secured(json!({})).await;
    let engineer = basic("engineer", "right");
    let target = json!({"z1": 150});
    assert_eq!(command(&rig, "SET_TARGET", target, &engineer).await.status, 200);
    let body = r#"{"command":"EMERGENCY_STOP"}"#;
    let head = format!(
        "POST /api/control HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(rig.addr()).await.unwrap();
    let floods = 3000;
    for _ in 0..floods {
        let answer = tve_testkit::exchange(&mut stream, &head, b"").await.unwrap();
        assert_eq!(answer.status, 200);
    }
    let status = rig.get("/metrics").await;
    assert!(status.text().contains("\ntve_audit_lines_lost_total 0\n"));
    let folder = rig.folder;
    rig.running.stop().await.unwrap();
    let lines = kept(folder.path());
    let stops = of_command(&lines, "EMERGENCY_STOP");
    let counted: u64 = stops.iter().map(|line| line["repeated"].as_u64().unwrap_or(1)).sum();
    assert_eq!(counted, floods);
    // One, and a count every ten seconds.
    assert!(stops.len() <= 12, "{}", stops.len());
    assert_eq!(of_command(&lines, "SET_TARGET").len(), 1);
}

#[tokio::test]
async fn logins_lock_outs_and_tokens_are_lines() {
    let rig = secured(json!({})).await;
    let data = rig.folder.path().to_owned();
    let mode = json!({"mode": "AUTO"});
    let wrong = from("10.0.0.9") + &basic("operator", "wrong");
    for _ in 0..6 {
        command(&rig, "SET_MODE", mode.clone(), &wrong).await;
    }
    assert_eq!(command(&rig, "SET_MODE", mode, &basic("operator", "right")).await.status, 200);
    get(&rig, "/api/audit", &bearer("tve_made_up")).await;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    edit(&data, |book| book.create("panel", Role::Viewer, 1, now, [1; 32])).unwrap();
    let has = |lines: &[Value], change: &str| {
        lines.iter().any(|line| line["change"] == change && line["name"] == "panel")
    };
    until_kept(&data, |lines| has(lines, "created")).await;
    edit(&data, |book| book.revoke("panel")).unwrap();
    until_kept(&data, |lines| has(lines, "revoked")).await;
    std::fs::write(data.join("tokens.json"), "{").unwrap();
    until_kept(&data, |lines| lines.iter().any(|line| line["change"] == "unreadable")).await;
    let folder = rig.folder;
    rig.running.stop().await.unwrap();
    let lines = kept(folder.path());
    let logins: Vec<_> = lines.iter().filter(|line| line["event"] == "login").collect();
    let count = |user: Value, outcome: &str| -> u64 {
        let of = logins.iter().filter(|l| l["user"] == user && l["outcome"] == outcome);
        of.map(|line| line["repeated"].as_u64().unwrap_or(1)).sum()
    };
    assert_eq!(count("operator".into(), "failed"), 4, "{logins:#?}");
    assert_eq!(count("operator".into(), "locked_out"), 1);
    assert_eq!(count("operator".into(), "locked"), 1);
    assert_eq!(count("operator".into(), "ok"), 1);
    assert_eq!(count(Value::Null, "failed"), 1, "the token that nobody has made");
    assert!(logins.iter().any(|line| line["address"] == "10.0.0.9"));
    assert!(!json!(lines).to_string().contains("wrong"), "no password is in the journal");
}

/// Waits until the journal on the disk has what `holds` looks for.
async fn until_kept(folder: &std::path::Path, holds: impl Fn(&[Value]) -> bool) {
    let began = Instant::now();
    while !holds(&kept(folder)) {
        assert!(began.elapsed() < PATIENCE, "{:#?}", kept(folder));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_journal_that_is_deleted_under_the_service_raises_its_metric_and_is_made_again() {
    let rig = Rig::start().await;
    rig.command("SET_TARGET", json!({"z1": 150})).await;
    lines(&rig, |lines| !of_command(lines, "SET_TARGET").is_empty()).await;
    assert!(rig.get("/metrics").await.text().contains("\ntve_audit_failed 0\n"));
    std::fs::remove_dir_all(rig.folder.path().join("audit")).unwrap();
    let began = Instant::now();
    while !rig.get("/metrics").await.text().contains("\ntve_audit_failed 1\n") {
        assert!(began.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    rig.command("SET_TARGET", json!({"z1": 160})).await;
    let found = lines(&rig, |lines| !of_command(lines, "SET_TARGET").is_empty()).await;
    assert!(found.iter().any(|line| line["event"] == "damaged"), "{found:#?}");
    rig.running.stop().await.unwrap();
}

const BUTTONS: &str = r#"
question = "What does the journal say of buttons?"
duration = 60

[[fault]]
from = 0.5
until = 0.8
kind = "button_start"

[[fault]]
from = 1.2
until = 1.5
kind = "button_stop"

[[fault]]
from = 2
until = 60
kind = "estop_open"
"#;

#[tokio::test]
async fn buttons_at_the_machine_are_lines_with_what_came_of_them() {
    let rig = Rig::with(|options| {
        let path = options.data_dir.join("buttons.toml");
        std::fs::write(&path, BUTTONS).unwrap();
        options.sim_scenario = Some(path);
    })
    .await;
    let found = lines(&rig, |lines| {
        let pressed: Vec<_> = lines.iter().filter(|line| line["event"] == "button").collect();
        pressed.len() >= 3
    })
    .await;
    let pressed: Vec<_> = found.iter().filter(|line| line["event"] == "button").collect();
    let told = |line: &Value| {
        ["source", "button", "outcome"].map(|key| line[key].as_str().unwrap().to_owned())
    };
    assert_eq!(told(pressed[0]), ["button", "start", "refused"], "the barrel is cold");
    assert!(pressed[0]["msg"].is_string());
    assert_eq!(told(pressed[1]), ["button", "stop", "accepted"]);
    assert_eq!(told(pressed[2]), ["button", "emergency", "accepted"]);
    rig.running.stop().await.unwrap();
}
