//! The black box of the running service, from the alarm to the replay.

use crate::child::{PATIENCE, Service};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn replay(file: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tve"));
    command.arg("replay").arg(file).args(more).output().unwrap()
}

fn incidents(service: &Service) -> Value {
    service.get("/api/incidents")
}

/// The bytes of an incident as a client fetches them.
fn fetch(service: &Service, name: &str) -> Vec<u8> {
    let answer = service.try_request(&format!("GET /api/incidents/{name}"), "").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.head);
    answer.bytes
}

#[test]
fn an_alarm_of_the_running_service_is_fetched_and_replayed_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let mut service =
        Service::start(folder.path(), &["--sim-start-temp", "215", "--sim-speed", "20"]);
    assert_eq!(incidents(&service)["total"], 0);
    service.heat_and_run();
    assert_eq!(
        service.command("UPDATE_PID", &json!({ "zone": "z1", "params": { "kp": 3.7 } })),
        200
    );
    assert_eq!(service.command("SET_MOTOR", &json!({ "motor": "main", "rpm": 27.3 })), 200);
    assert_eq!(service.command("EMERGENCY_STOP", &json!({})), 200);
    let began = Instant::now();
    let name = loop {
        let list = incidents(&service);
        if let Some(name) = list["files"][0]["name"].as_str() {
            break name.to_owned();
        }
        assert!(began.elapsed() < PATIENCE, "{list}");
        std::thread::sleep(Duration::from_millis(5));
    };
    for elsewhere in ["session.json", "..%2Fsession.json", "incident_1.tvebox"] {
        let head = format!("GET /api/incidents/{elsewhere}");
        assert_eq!(service.try_request(&head, "").unwrap().status, 404, "{elsewhere}");
    }
    // The file is there a moment before the turn that has written it tells so.
    service.until("counted", |_| service.metrics().contains("\ntve_black_box_incidents_total 1\n"));
    assert_eq!(service.terminate().0, Some(0));

    // The file of the service that has ended is the longer one.
    let path = folder.path().join("incidents").join(&name);
    let plot = folder.path().join("plot.svg");
    let output = replay(&path, &["--plot", plot.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("ticks replayed, outputs bit-equal"), "{text}");
    assert!(text.contains("EMERGENCY_STOP"), "{text}");
    assert!(std::fs::read_to_string(&plot).unwrap().starts_with("<svg"));

    let service = Service::start(folder.path(), &[]);
    let bytes = fetch(&service, &name);
    assert_eq!(bytes, std::fs::read(&path).unwrap());
    let changed = folder.path().join("changed.tvebox");
    let mut wrong = bytes.clone();
    let middle = wrong.len() / 2;
    wrong[middle] ^= 1;
    std::fs::write(&changed, wrong).unwrap();
    let output = replay(&changed, &[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("checksum") && error.lines().count() == 1, "{error}");
}
