//! `tve simulate` as a person calls it: verdicts, files, exit codes; and faults in a live service.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn scenario(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/scenarios").join(name)
}

fn simulate(arguments: &[&std::ffi::OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tve"))
        .arg("simulate")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_scenario_that_holds_prints_its_verdicts_and_ends_with_its_trace() {
    let path = scenario("emergency-stop.toml");
    let output = simulate(&[path.as_ref()]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert_eq!(text(&output.stderr), "", "no progress bar without a terminal");
    assert!(printed.lines().any(|l| l.starts_with("ok ")), "{printed}");
    assert!(!printed.contains("FAILED"), "{printed}");
    let last = printed.lines().last().unwrap();
    let trace = last.strip_prefix("trace ").unwrap();
    assert!(trace.len() == 64 && trace.bytes().all(|b| b.is_ascii_hexdigit()), "{last}");

    let again = simulate(&[path.as_ref()]);
    assert_eq!(again.stdout, output.stdout);
    let other = simulate(&[path.as_ref(), "--seed".as_ref(), "7".as_ref()]);
    assert!(!text(&other.stdout).contains(trace));
}

#[test]
fn a_run_can_be_kept_as_rows() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("run.csv");
    let output = simulate(&[scenario("start-stop.toml").as_ref(), "--csv".as_ref(), csv.as_ref()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let rows = std::fs::read_to_string(csv).unwrap();
    let mut lines = rows.split_terminator("\r\n");
    assert_eq!(lines.next().map(|l| l.starts_with("Timestamp,Time_Str,Status,")), Some(true));
    assert_eq!(lines.clone().count(), 180 * 4, "one row each 0.25 s of 180 s");
    assert!(lines.any(|l| l.contains(",RUNNING,")));
}

#[test]
fn an_expectation_that_fails_is_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wrong.toml");
    let wrong = "question = 'Is a cold machine running?'\nduration = 5\n[[expect]]\nstatus = 'RUNNING'\nat = 3\n";
    std::fs::write(&path, wrong).unwrap();
    let output = simulate(&[path.as_ref()]);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    assert!(printed.contains("FAILED  status is RUNNING at 3 s (it is READY)"), "{printed}");
}

#[test]
fn a_file_that_is_missing_or_no_scenario_is_one_sentence_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.toml");
    std::fs::write(&bad, "question = 'q'\nduration = 5\nspeed = 3\n").unwrap();
    for (path, names) in [
        (Path::new("no-such.toml"), "no-such.toml cannot be read"),
        (&bad, "bad.toml: line 3: unknown field `speed`"),
    ] {
        let output = simulate(&[path.as_ref()]);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.contains(names), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
