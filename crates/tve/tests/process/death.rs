//! Ends of the process that nobody planned, and those that somebody did.

use crate::child::{Dice, PATIENCE, Service, Signal, is_active, is_off};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Kills in an ordinary run of the tests.
const ROUNDS: u64 = 20;
/// Set this to another number of kills.
const ROUNDS_VARIABLE: &str = "TVE_KILL_ROUNDS";
/// The machine is killed within this time after it heats and runs.
const WINDOW_MS: u64 = 250;
const SEED: u64 = 0x7EE1_2026;

/// Lines of the journal that are whole, and whether only the last one may be torn.
fn journal_is_intact(folder: &Path) -> bool {
    let text = std::fs::read(folder.join("alarms.jsonl")).unwrap_or_default();
    let lines: Vec<_> = text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).collect();
    let whole = lines.iter().filter(|l| serde_json::from_slice::<Value>(l).is_ok()).count();
    // A kill tears at most the line that is being written; the next process begins a new one.
    whole + 1 >= lines.len()
}

fn wait_for_energised_record(folder: &Path) {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(folder.join("session.json")).unwrap_or_default();
        if text.contains("\"energised\":true") {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{text}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_kill_at_any_moment_leaves_outputs_off_an_alarm_latched_and_every_file_intact() {
    let rounds = std::env::var(ROUNDS_VARIABLE).ok().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    println!("{rounds} kills from seed {SEED:#x}; {ROUNDS_VARIABLE}=200 makes more of them");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    let mut dice = Dice::new(SEED);
    let mut ids = Vec::new();
    let mut service = Service::start(folder.path(), &["--sim-start-temp", "215"]);
    for round in 0..rounds {
        service.heat_and_run();
        wait_for_energised_record(folder.path());
        let gone = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // The configuration is being saved and a run recorded while it happens.
            scope.spawn(|| {
                let body = json!({ "command": "SAVE_CONFIG", "value": {} }).to_string();
                while !gone.load(Ordering::SeqCst) {
                    let _ = service.try_request("POST /api/control", &body);
                    let _ = service.try_request("POST /api/log/start", "");
                    let _ = service.try_request("POST /api/log/stop", "");
                }
            });
            std::thread::sleep(Duration::from_millis(dice.below(WINDOW_MS)));
            service.signal(Signal::KILL);
            gone.store(true, Ordering::SeqCst);
        });
        service.wait();

        assert!(journal_is_intact(folder.path()), "round {round}");
        if config.exists() {
            tve_config::store::load(&config).unwrap_or_else(|e| panic!("round {round}: {e}"));
        }
        service = Service::start(folder.path(), &["--sim-start-temp", "215"]);
        let state = service.state();
        assert!(is_active(&state, "UNCLEAN_STOP"), "round {round}: {state}");
        assert_eq!(state["status"], "ALARM", "round {round}");
        assert!(is_off(&state), "round {round}: {state}");
        assert_eq!(state["config_errors"], json!([]), "round {round}");
        let alarms = state["active_alarms"].as_array().unwrap();
        let unclean = alarms.iter().find(|a| a["type"] == "UNCLEAN_STOP").unwrap();
        ids.push(unclean["id"].as_u64().unwrap());

        let heats = service.command("SET_TARGET", &json!({ "z1": 200, "z2": 200 }));
        assert_eq!(heats, 409, "round {round}: nothing heats before somebody has looked");
        assert_eq!(service.command("ACKNOWLEDGE_ALARM", &json!({ "alarm_id": "all" })), 200);
        assert_eq!(service.command("CLEAR_ALARM", &json!({})), 200);
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "alarm ids grow across restarts: {ids:?}");
    assert_eq!(service.terminate().0, Some(0));
}

#[test]
fn a_process_that_was_frozen_for_a_second_trips_with_control_overrun_and_stays_so_when_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = Service::start(folder.path(), &["--sim-start-temp", "215"]);
    service.heat_and_run();
    service.signal(Signal::STOP);
    std::thread::sleep(Duration::from_secs(1));
    service.signal(Signal::CONT);
    let state = service.until("tripped", |s| is_active(s, "CONTROL_OVERRUN"));
    assert_eq!(state["status"], "ALARM");
    let state = service.until("off", is_off);
    assert!(is_active(&state, "CONTROL_OVERRUN"));
    let began = Instant::now();
    let journal = folder.path().join("alarms.jsonl");
    while !std::fs::read_to_string(&journal).unwrap_or_default().contains("CONTROL_OVERRUN") {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    service.kill();
    let mut service = Service::start(folder.path(), &[]);
    assert!(is_active(&service.state(), "CONTROL_OVERRUN"), "latched across the restart");
    assert_eq!(service.terminate().0, Some(0));
}

#[test]
fn a_loop_that_never_came_back_is_an_alarm_of_the_next_process_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    // What the guard leaves when the process is killed while its loop stands.
    let record = r#"{"energised":true,"clean":false,"overrun":true}"#;
    std::fs::write(folder.path().join("session.json"), record).unwrap();
    for start in 0..3 {
        let mut service = Service::start(folder.path(), &[]);
        let state = service.until("latched", |s| is_active(s, "CONTROL_OVERRUN"));
        let history = state["alarm_history"].as_array().unwrap();
        let raised = history.iter().filter(|a| a["type"] == "CONTROL_OVERRUN").count();
        assert_eq!(raised, 1, "start {start}: {history:?}");
        assert!(is_off(&state));
        assert_eq!(service.terminate().0, Some(0));
    }
    let mut service = Service::start(folder.path(), &[]);
    assert_eq!(service.command("ACKNOWLEDGE_ALARM", &json!({ "alarm_id": "all" })), 200);
    assert_eq!(service.command("CLEAR_ALARM", &json!({})), 200);
    assert_eq!(service.terminate().0, Some(0));
    let service = Service::start(folder.path(), &[]);
    assert!(!is_active(&service.state(), "CONTROL_OVERRUN"), "cleared is cleared");
}

#[test]
fn a_sigterm_at_any_moment_ends_in_order_within_three_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice::new(SEED);
    let mut longest = Duration::ZERO;
    for round in 0..10 {
        let mut service = Service::start(folder.path(), &["--sim-start-temp", "215"]);
        assert!(!is_active(&service.state(), "UNCLEAN_STOP"), "round {round}");
        if round > 0 {
            service.heat_and_run();
        }
        std::thread::sleep(Duration::from_millis(dice.below(WINDOW_MS)));
        let (code, took) = service.terminate();
        assert_eq!(code, Some(0), "round {round}");
        assert!(took < Duration::from_secs(3), "round {round}: {took:?}");
        longest = longest.max(took);
    }
    println!("longest end: {longest:?}");
}
