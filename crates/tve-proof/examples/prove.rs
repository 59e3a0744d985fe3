//! The proofs from the command line: `cargo run --release -p tve-proof --example prove -- WHAT`.
//!
//! WHAT is `certify [DIR]`, `walk [HOURS] [SEED]`, `false-trips [HOURS] [SEED]`,
//! `orders [LONGEST]` or `quality`. Ends with 1 when something does not hold.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> std::io::Result<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u64| {
        words.get(index).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let started = Instant::now();
    let held = match words.first().map(String::as_str) {
        Some("certify") => certify(words.get(1).map(PathBuf::from))?,
        Some("walk") => walk(number(1, 200), number(2, 1)),
        Some("false-trips") => false_trips(number(1, 200), number(2, 20_260_101)),
        Some("orders") => orders(number(1, 6) as usize),
        Some("quality") => {
            println!("{}", tve_proof::quality_markdown(&tve_proof::control_quality(|_, _| {})));
            true
        }
        _ => {
            eprintln!("say certify, walk, false-trips, orders or quality");
            false
        }
    };
    println!("{:.1} s", started.elapsed().as_secs_f64());
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn certify(folder: Option<PathBuf>) -> std::io::Result<bool> {
    let certificate = tve_proof::certify(|_, _| {});
    println!("{} cases, {} failed", certificate.cases_total, certificate.cases_failed);
    for case in certificate.failures() {
        println!("{} in {}: {}", case.row, case.state.name(), case.note);
    }
    if let Some(folder) = folder {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("certificate.md"), certificate.markdown())?;
        std::fs::write(folder.join("certificate.json"), certificate.json())?;
        std::fs::write(folder.join("certificate.svg"), certificate.svg())?;
    }
    Ok(certificate.held)
}

fn walk(hours: u64, seed: u64) -> bool {
    let report = tve_proof::walk(hours, seed, |_, _| {});
    println!(
        "{hours} h from seed {seed}: {} ticks, {} commands ({} refused), {} alarms, {} findings",
        report.ticks,
        report.commands,
        report.refused,
        report.alarms,
        report.findings.len()
    );
    for finding in &report.findings {
        println!(
            "--- seed {} {} at {:.2} s: {} ({} of {} events)\n{}",
            finding.seed,
            finding.invariant,
            finding.at_s,
            finding.what,
            finding.events.0,
            finding.events.1,
            finding.scenario
        );
    }
    report.findings.is_empty()
}

fn false_trips(hours: u64, seed: u64) -> bool {
    let report = tve_proof::false_trips(hours, seed, |_, _| {});
    println!("{hours} healthy hours from seed {seed}: {} alarms", report.alarms.len());
    for margin in &report.margins {
        let nearest = margin.nearest.map_or_else(|| "never near".to_owned(), |x| format!("{x:.2}"));
        println!("{:34} {nearest} of {} {}", margin.rule, margin.limit, margin.unit);
    }
    for alarm in &report.alarms {
        println!(
            "--- seed {} {} at {:.2} s: {}",
            alarm.seed, alarm.code, alarm.at_s, alarm.message
        );
        println!("{}", alarm.log.join("\n"));
    }
    report.alarms.is_empty()
}

fn orders(longest: usize) -> bool {
    let report = tve_proof::check_orders(longest, |_, _| {});
    println!("{} orders, {} violations", report.orders, report.violations.len());
    for violation in &report.violations {
        println!("{violation}");
    }
    report.violations.is_empty()
}
