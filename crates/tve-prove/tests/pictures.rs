//! Pictures of runs, drawn by the real program.

use std::path::Path;
use std::process::Command;

#[test]
fn a_run_can_be_kept_as_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("run.svg");
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/scenarios");
    let status = Command::new(env!("CARGO_BIN_EXE_tve-prove"))
        .arg("plot-scenario")
        .args([scenarios.join("start-stop.toml"), svg.clone()])
        .args(["--seed", "7"])
        .status()
        .unwrap();
    assert!(status.success());
    let picture = std::fs::read_to_string(svg).unwrap();
    assert!(picture.contains("</svg>") && picture.contains("temperature, °C"));
}

#[test]
fn a_scenario_that_is_not_there_is_one_sentence_and_exit_code_1() {
    let output = Command::new(env!("CARGO_BIN_EXE_tve-prove"))
        .args(["plot-scenario", "no-such.toml", "no-such.svg"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no-such.toml cannot be read"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
