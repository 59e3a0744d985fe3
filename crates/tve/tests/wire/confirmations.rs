//! Changes that can blind a trip: who has to confirm them, and where they are shown.

use crate::rig::{Answer, PATIENCE, Rig};
use crate::secured::{QUICK, basic, bearer, command, get, post, put, secured_with, users};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};
use tve_access::{Role, TokenBook};
use tve_config::Config;

const CONFIRM: &str = "/api/config/confirm";

/// A service with two engineers by password and one by token.
async fn rig() -> (Rig, String) {
    let mut users = users();
    users["other"] = json!({"hash": QUICK, "role": "engineer"});
    let mut token = String::new();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let rig = secured_with(json!({"users": users}), |folder| {
        let mut book = TokenBook::default();
        token = book.create("panel", Role::Engineer, 9, now, [7; 32]).unwrap();
        std::fs::write(folder.join("tokens.json"), book.to_text()).unwrap();
    })
    .await;
    (rig, token)
}

async fn beta(rig: &Rig, beta: f64, login: &str) -> Answer {
    let params = json!({"params": {"channel": 1, "beta": beta}});
    command(rig, "SET_SENSOR_CALIBRATION", params, login).await
}

/// What channel 1 is in force with.
async fn beta_now(rig: &Rig) -> f64 {
    rig.get("/api/status").await.body["config"]["sensors"]["1"]["beta"].as_f64().unwrap()
}

/// The code of a refusal.
fn code(refused: &Answer) -> String {
    assert_eq!((refused.status, refused.msg()), (409, "CONFIRMATION_NEEDED"), "{}", refused.body);
    let reason = refused.body["reason"].as_str().unwrap();
    let (_, rest) = reason.split_once("tve confirm ").unwrap();
    rest.split('`').next().unwrap().to_owned()
}

async fn confirm(rig: &Rig, code: &str, login: &str) -> Answer {
    post(rig, CONFIRM, &json!({"code": code}), login).await
}

async fn notes(rig: &Rig) -> Vec<Value> {
    let alarms = rig.state().await["active_alarms"].as_array().unwrap().clone();
    alarms.into_iter().filter(|alarm| alarm["type"] == "SAFETY_CHANGED").collect()
}

#[tokio::test]
async fn what_can_blind_a_trip_waits_for_a_second_person_with_the_role() {
    let (rig, token) = rig().await;
    let engineer = basic("engineer", "right");
    let code = code(&beta(&rig, 3974.0, &engineer).await);
    assert_eq!((beta_now(&rig).await, notes(&rig).await.len()), (3950.0, 0), "nothing yet");
    for (login, code, status) in [
        (&engineer, code.as_str(), 409),
        (&bearer(&token), &code, 409),
        (&basic("operator", "right"), &code, 403),
        (&basic("other", "right"), "AAAAAA", 404),
        (&basic("other", "right"), "", 404),
        (&String::new(), &code, 401),
    ] {
        assert_eq!(confirm(&rig, code, login).await.status, status, "{login} {code}");
    }
    assert_eq!(post(&rig, CONFIRM, &json!({}), &engineer).await.status, 400);
    assert_eq!(beta_now(&rig).await, 3950.0);
    let answer = confirm(&rig, &code, &basic("other", "right")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((beta_now(&rig).await, notes(&rig).await.len()), (3974.0, 1));
    assert_eq!(confirm(&rig, &code, &basic("other", "right")).await.status, 404, "once");

    // Until somebody has seen it, on every client.
    let operator = basic("operator", "right");
    assert_eq!(command(&rig, "EMERGENCY_STOP", json!({}), "").await.status, 200);
    let answer = beta(&rig, 3950.0, &engineer).await;
    assert_eq!((answer.status, answer.msg()), (409, "ALARM_ACTIVE"), "before all that");
    assert_eq!(command(&rig, "CLEAR_ALARM", json!({}), &operator).await.status, 200);
    assert_eq!(notes(&rig).await.len(), 1);
    let all = json!({"alarm_id": "all"});
    assert_eq!(command(&rig, "ACKNOWLEDGE_ALARM", all, &operator).await.status, 200);
    assert_eq!(command(&rig, "CLEAR_ALARM", json!({}), &operator).await.status, 200);
    assert_eq!(notes(&rig).await.len(), 0);

    // The journal knows both of them.
    let began = Instant::now();
    loop {
        let page = get(&rig, "/api/audit", &engineer).await.body;
        let made =
            |line: &&Value| line["command"] == format!("POST {CONFIRM}") && line["status"] == 200;
        if let Some(line) = page["lines"].as_array().unwrap().iter().find(made) {
            assert_eq!(
                (&line["user"], &line["value"]["by"]),
                (&json!("other"), &json!("engineer"))
            );
            assert!(line["changes"].to_string().contains("beta"), "{line}");
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{page}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_whole_configuration_waits_too_is_saved_then_and_void_when_another_came_first() {
    let (rig, _) = rig().await;
    let (engineer, other) = (basic("engineer", "right"), basic("other", "right"));
    let change = async |edit: fn(&mut Value)| {
        let mut config = get(&rig, "/api/config", &engineer).await.body;
        edit(&mut config);
        put(&rig, "/api/config", &config, &format!("If-Match: *\r\n{engineer}")).await
    };
    for blinding in [
        |config: &mut Value| config["safety"]["over_temperature"] = json!(290),
        |config: &mut Value| config["safety"]["min_temp_for_motor"] = json!(0),
        |config: &mut Value| config["hardware"] = json!({"kind": "sim"}),
        |config: &mut Value| config["safety"]["estop_contact"] = json!("no"),
        |config: &mut Value| config["pins"]["btn_emergency"] = json!(17),
        |config: &mut Value| config["sensors"]["0"]["r_25"] = json!(10_000),
    ] {
        code(&change(blinding).await);
    }
    let code = code(&change(|config| config["safety"]["over_temperature"] = json!(285)).await);
    assert_eq!(confirm(&rig, &code, &other).await.status, 200);
    let saved = tve_config::store::load(&rig.folder.path().join("config.json")).unwrap();
    assert_eq!(saved.safety.over_temperature, 285.0);

    let code =
        self::code(&change(|config| config["safety"]["over_temperature"] = json!(290)).await);
    assert_eq!(change(|config| config["z1"]["kp"] = json!(7)).await.status, 200, "blinds nothing");
    let answer = confirm(&rig, &code, &other).await;
    assert_eq!((answer.status, answer.msg()), (412, "CONFIG_CHANGED"));
    assert_eq!(
        change(|config| config["safety"]["over_temperature"] = json!(280)).await.status,
        200
    );
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn the_console_confirms_by_a_command_of_its_own() {
    let (rig, token) = rig().await;
    let folder = rig.folder.path().to_str().unwrap().to_owned();
    let tve = |code: String| {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || {
            let tve = Command::new(env!("CARGO_BIN_EXE_tve"))
                .args(["confirm", &code, "--data-dir", &folder])
                .output()
                .unwrap();
            (tve.status.success(), String::from_utf8(tve.stderr).unwrap())
        })
    };
    let (done, said) = tve("AAAAAA".into()).await.unwrap();
    assert!(!done && said.contains("NOT_FOUND"), "{said}");
    // A token may ask; the console is another one.
    let code = code(&beta(&rig, 3974.0, &bearer(&token)).await);
    let (done, said) = tve(code).await.unwrap();
    assert!(done, "{said}");
    assert_eq!((beta_now(&rig).await, notes(&rig).await.len()), (3974.0, 1));
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn the_stop_button_of_the_panel_confirms_when_it_is_pressed_anew_and_held() {
    /// Held over the start, then for a while in which the stop that it also is ends.
    const PRESSED: &str = r#"
        question = "Does the stop button confirm?"
        duration = 60
        [[fault]]
        from = 0
        until = 4
        kind = "button_stop"
        [[fault]]
        from = 6
        until = 12
        kind = "button_stop"
        [[expect]]
        status = "READY"
        at = 59
    "#;
    let rig = Rig::with(|options| {
        let config = json!({"security": {"enabled": true, "users": users()}});
        std::fs::write(options.data_dir.join("config.json"), config.to_string()).unwrap();
        let scenario = options.data_dir.join("pressed.toml");
        std::fs::write(&scenario, PRESSED).unwrap();
        options.sim_scenario = Some(scenario);
    })
    .await;
    code(&beta(&rig, 3974.0, &basic("engineer", "right")).await);
    let began = Instant::now();
    while beta_now(&rig).await != 3974.0 {
        assert!(began.elapsed() < PATIENCE, "never");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() > Duration::from_secs(4), "held since before it was asked for");
    assert_eq!(notes(&rig).await.len(), 1);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn without_logins_it_is_taken_and_stands_as_a_note_also_after_a_restart() {
    let rig = Rig::start().await;
    assert_eq!(beta(&rig, 3974.0, "").await.status, 200);
    assert_eq!(beta_now(&rig).await, 3974.0);
    let note = notes(&rig).await.remove(0);
    assert_eq!((&note["severity"], &note["acknowledged"]), (&json!("WARNING"), &json!(false)));
    assert_eq!(rig.state().await["status"], "READY");
    rig.command("EMERGENCY_STOP", Value::Null).await;
    assert_eq!(rig.command("CLEAR_ALARM", Value::Null).await.status, 200);
    assert_eq!(rig.command("SAVE_CONFIG", Value::Null).await.status, 200);
    let folder = rig.folder;
    rig.running.stop().await.unwrap();
    let running = tve::Server::start(tve::Options::in_folder(folder.path())).await.unwrap();
    let rig = Rig { running, folder };
    assert_eq!(notes(&rig).await.len(), 1);
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn nobody_is_asked_twice_for_what_blinds_nothing() {
    let (rig, _) = rig().await;
    let engineer = basic("engineer", "right");
    for (name, value) in [
        ("UPDATE_PID", json!({"zone": "z1", "params": {"kp": 7}})),
        ("SET_SENSOR_CALIBRATION", json!({"params": {"channel": 1, "decimals": 1}})),
        ("UPDATE_PINS", json!({"pins": {"led_red": 17}})),
        ("SET_TEMP_SETTINGS", json!({"params": {"decimals_default": 1}})),
        ("UPDATE_MOTION_CONFIG", json!({"params": {"ramp_up": 2}})),
    ] {
        let answer = command(&rig, name, value, &engineer).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.body);
    }
    assert_eq!(notes(&rig).await.len(), 0);
    assert_eq!(Config::embedded().safety.over_temperature, 280.0, "what these tests begin with");
    rig.running.stop().await.unwrap();
}
