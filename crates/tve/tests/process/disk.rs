//! Disks that are full, block, or hold half a configuration.

use crate::child::{PATIENCE, Service, is_active, is_off};
use serde_json::json;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

/// `tve` with a limit on the size of the files that it may write, in KiB.
fn with_file_limit(kib: u32) -> Command {
    let mut command = Command::new("bash");
    // The signal is ignored across the exec, so that a write fails as it does on a full disk.
    let script = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_tve")]);
    command
}

#[test]
fn a_disk_that_takes_no_more_is_a_note_and_never_stops_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--sim-start-temp", "215"];
    let mut service = Service::start_by(with_file_limit(1), folder.path(), &more);
    service.heat_and_run();
    // Rows of two seconds are more than the limit, and so is every incident.
    let status = service.try_request("POST /api/log/start", "").unwrap().status;
    assert_eq!(status, 200);
    assert_eq!(
        service.command(
            "SET_LOGGING_SETTINGS",
            &json!({ "params": { "interval": 0.05, "flush_interval": 1.0 } })
        ),
        200
    );
    let state = service.until("noted", |s| is_active(s, "LOGGING_FAILED"));
    assert!(state["heater_duty_z1"].as_f64() > Some(0.0), "it heats on: {state}");
    assert!(state["motors_actual"]["main"].as_f64() > Some(0.0), "it turns on: {state}");
    assert_ne!(state["status"], "ALARM");

    let began = Instant::now();
    assert_eq!(service.command("EMERGENCY_STOP", &json!({})), 200);
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    assert!(is_off(&service.state()));
    let (code, took) = service.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_disk_that_blocks_slows_neither_the_loop_nor_an_emergency_stop_and_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    // Opening a pipe that nobody reads blocks: the recorder hangs in its first write.
    let pipe = folder.path().join("session.tmp");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let service = Service::start(folder.path(), &["--sim-start-temp", "215"]);
    service.heat_and_run();
    let state = service.until("noted", |s| is_active(s, "LOGGING_FAILED"));
    assert!(state["heater_duty_z1"].as_f64() > Some(0.0), "it heats on: {state}");
    assert_eq!(service.command("EMERGENCY_STOP", &json!({})), 200);
    assert!(is_off(&service.state()));
    let metrics = service.metrics();
    assert!(metrics.contains("\ntve_guard_cuts_total 0\n"), "the loop ticked all the time");
}

#[test]
fn a_dead_disk_does_not_stretch_the_stop_of_a_running_machine() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("session.tmp");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut service = Service::start(folder.path(), &["--sim-start-temp", "215"]);
    service.heat_and_run();
    let (_, took) = service.terminate();
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_configuration_cut_off_at_any_byte_locks_every_output_and_names_the_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let mut service = Service::start(folder.path(), &[]);
    assert_eq!(service.command("SAVE_CONFIG", &json!({})), 200);
    assert_eq!(service.terminate().0, Some(0));
    let whole = fs::read(&path).unwrap();
    let full = tve_config::store::load(&path).unwrap();
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        // What is missing at the end may be a line feed and nothing else.
        if let Ok(config) = tve_config::store::load(&path) {
            assert_eq!(config, full, "cut to {cut} bytes");
        }
    }
    for cut in [0, 1, whole.len() / 3, whole.len() / 2, whole.len() - 10] {
        fs::write(&path, &whole[..cut]).unwrap();
        let mut service = Service::start(folder.path(), &["--sim-start-temp", "215"]);
        let state = service.state();
        assert!(is_active(&state, "CONFIG_FAULT"), "cut to {cut} bytes: {state}");
        assert_eq!(state["config_errors"].as_array().map(Vec::is_empty), Some(false));
        assert_eq!(service.command("SET_TARGET", &json!({ "z1": 200, "z2": 200 })), 409);
        assert_eq!(service.command("CLEAR_ALARM", &json!({})), 409);
        assert!(is_off(&service.state()));
        assert_eq!(service.terminate().0, Some(0));
        assert_eq!(
            fs::read(&path).unwrap(),
            whole[..cut],
            "the file is left for its owner to mend"
        );
    }
    fs::write(&path, &whole).unwrap();
    let service = Service::start(folder.path(), &[]);
    let began = Instant::now();
    while is_active(&service.state(), "CONFIG_FAULT") {
        assert!(began.elapsed() < PATIENCE, "a mended file and a restart end the fault");
    }
}
