//! Disks that are full, block, or hold half a configuration.

use crate::child::{PATIENCE, Service, is_active, is_off};
use serde_json::json;
use std::fs;
use std::path::Path;
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

/// `tve` on a file system of 1 MiB of its own, mounted at `disk`, that holds what `from` holds and has
/// room for nothing more: no byte and no file. `None` where this user may mount none.
fn on_a_full_disk(disk: &Path, from: &Path) -> Option<Command> {
    let tried =
        Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none"]).arg(disk).status();
    if !tried.is_ok_and(|status| status.success()) {
        println!("SKIPPED: this user may mount no file system, so no disk was full");
        return None;
    }
    let script = r#"
        set -e; disk=$1; from=$2; shift 2
        mount -t tmpfs -o size=1m,nr_inodes=300 none "$disk"
        cp -a "$from/." "$disk"
        cat /dev/zero >"$disk/filler" 2>/dev/null || true
        i=0; while : 2>/dev/null >"$disk/filler-$i"; do i=$((i+1)); done
        exec "$0" "$@""#;
    let mut command = Command::new("unshare");
    command.args(["-rm", "bash", "-c", script, env!("CARGO_BIN_EXE_tve")]).args([disk, from]);
    Some(command)
}

#[test]
fn on_a_full_disk_the_service_starts_with_its_latches_and_the_machine_runs() {
    let [before, disk] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let mut service = Service::start(before.path(), &[]);
    assert_eq!(service.command("EMERGENCY_STOP", &json!({})), 200);
    let journal = before.path().join("audit/audit_000000000001.jsonl");
    service.until("noted", |_| {
        fs::read_to_string(before.path().join("alarms.jsonl")).is_ok_and(|t| t.contains("raised"))
    });
    service.kill();
    // What a disk leaves that became full within a line.
    let mut torn = fs::read(&journal).unwrap();
    torn.extend_from_slice(b"{\"seq\":9,\"ti");
    fs::write(&journal, torn).unwrap();

    let Some(command) = on_a_full_disk(disk.path(), before.path()) else { return };
    let mut service = Service::start_by(command, disk.path(), &["--sim-start-temp", "215"]);
    let state = service.state();
    assert!(is_active(&state, "EMERGENCY_STOP"), "{state}");
    assert!(!is_active(&state, "JOURNAL_UNREADABLE"), "{state}");
    let state = service.until("said", |s| is_active(s, "LOGGING_FAILED"));
    assert!(is_active(&state, "LOGGING_DISK_FULL"), "{state}");
    assert_eq!(service.try_request("POST /api/log/start", "").unwrap().status, 200);
    assert_eq!(service.get("/api/log")["suspended"], true);
    assert!(service.metrics().contains("\ntve_audit_failed 1\n"));
    assert_eq!(service.command("ACKNOWLEDGE_ALARM", &json!({ "alarm_id": "all" })), 200);
    // Not before every sensor has proved itself.
    service.until("cleared", |state| {
        // The notes about the disk stay while it is full.
        service.command("CLEAR_ALARM", &json!({}));
        !is_active(state, "EMERGENCY_STOP")
    });
    service.heat_and_run();
    assert_eq!(service.command("EMERGENCY_STOP", &json!({})), 200);
    assert!(is_off(&service.state()));
    let (code, took) = service.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn on_a_disk_that_is_full_from_the_first_start_on_the_service_starts_too() {
    let [nothing, disk] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let Some(command) = on_a_full_disk(disk.path(), nothing.path()) else { return };
    let mut service = Service::start_by(command, disk.path(), &["--sim-start-temp", "215"]);
    service.heat_and_run();
    service.until("said", |s| is_active(s, "LOGGING_FAILED"));
    assert_eq!(service.command("EMERGENCY_STOP", &json!({})), 200);
    assert!(is_off(&service.state()));
    assert_eq!(service.terminate().0, Some(0));
}

#[test]
fn a_damaged_byte_of_the_alarm_journal_is_a_trip_that_says_so_until_somebody_has_seen_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alarms.jsonl");
    let mut service = Service::start(folder.path(), &[]);
    assert_eq!(service.command("EMERGENCY_STOP", &json!({})), 200);
    assert_eq!(service.terminate().0, Some(0));
    let mut damaged = fs::read(&path).unwrap();
    let at = damaged.iter().rposition(|b| *b == b'\n').unwrap() - 100;
    damaged[at] ^= 0x10;
    fs::write(&path, &damaged).unwrap();

    for round in 0..2 {
        let mut service = Service::start(folder.path(), &["--sim-start-temp", "215"]);
        let state = service.state();
        assert_eq!(state["status"], "ALARM", "round {round}: {state}");
        let trips = state["active_alarms"].as_array().unwrap();
        let trips: Vec<_> = trips.iter().filter(|a| a["type"] == "JOURNAL_UNREADABLE").collect();
        assert_eq!(trips.len(), 1, "round {round}: {state}");
        if round == 0 {
            let message = trips[0]["message"].as_str().unwrap();
            assert!(message.contains("damaged lines: 1"), "{message}");
        }
        assert_eq!(service.command("SET_TARGET", &json!({ "z1": 200 })), 409);
        assert_eq!(service.command("CLEAR_ALARM", &json!({})), 409, "nobody has seen it");
        if round == 1 {
            assert_eq!(service.command("ACKNOWLEDGE_ALARM", &json!({ "alarm_id": "all" })), 200);
            assert_eq!(service.command("CLEAR_ALARM", &json!({})), 200);
            service.heat_and_run();
        }
        assert_eq!(service.terminate().0, Some(0));
    }
    let kept = fs::read(folder.path().join("alarms_damaged.jsonl")).unwrap();
    assert!(kept.starts_with(&damaged));
}

#[test]
fn an_alarm_journal_that_is_no_file_is_a_trip_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("alarms.jsonl")).unwrap();
    let service = Service::start(folder.path(), &[]);
    assert!(is_active(&service.state(), "JOURNAL_UNREADABLE"), "{}", service.state());
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
