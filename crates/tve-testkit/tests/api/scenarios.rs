//! Every scenario of the library: what it expects holds, and a second run leaves the same trace.

use std::path::{Path, PathBuf};
use tve_scenario::{Report, Run, Scenario};

/// The scenarios of the default machine, and those of others in folders of their own.
fn library() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/scenarios")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "toml") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn play(path: &Path) -> Report {
    let scenario = Scenario::load(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut run = Run::new(&scenario, None);
    run.advance(u64::MAX);
    run.finish()
}

/// The library in two parts, so that two cores share the work.
fn check(part: impl Fn(usize) -> bool) {
    let mut fallen = Vec::new();
    for (i, path) in library().iter().enumerate() {
        if !part(i) {
            continue;
        }
        let name = path.display();
        let report = play(path);
        assert!(!report.outcomes.is_empty(), "{name} expects nothing");
        for outcome in report.outcomes.iter().filter(|o| !o.held) {
            fallen.push(format!("{name}: {} ({})", outcome.text, outcome.detail));
        }
        if report.trace != play(path).trace {
            fallen.push(format!("{name}: the second run left another trace"));
        }
    }
    assert!(fallen.is_empty(), "{}", fallen.join("\n"));
}

#[test]
fn the_even_scenarios_hold_and_repeat() {
    check(|i| i.is_multiple_of(2));
}

#[test]
fn the_odd_scenarios_hold_and_repeat() {
    check(|i| !i.is_multiple_of(2));
}

#[test]
fn the_library_is_complete() {
    let names: Vec<_> = library()
        .iter()
        .filter_map(|p| Some(p.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    for name in [
        "warm-up",
        "warm-up-field",
        "warm-up-tuned",
        "start-stop",
        "open-sensor",
        "heater-dead",
        "ssr-stuck",
        "emergency-stop",
        "stale-sensor",
        "sensors-swapped",
        "open-die-sensor",
    ] {
        assert!(names.iter().any(|n| n == name), "{name} is missing");
    }
}
