//! `tve-prove certify`, `walk`, `false-trips` and `orders`: the proofs, on this machine, now.

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use tve_config::Config;
use tve_proof::Subject;

/// The machine under proof.
#[derive(Debug, Args)]
pub(crate) struct Machine {
    /// Configuration of the machine, such as config/machines/four-zone.json; the embedded one without.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Machine {
    fn subject(&self) -> anyhow::Result<Subject> {
        let Some(path) = &self.config else { return Ok(Subject::embedded()) };
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {shown}; give a configuration that exists"))?;
        let config = Config::parse(&text)
            .map_err(|errors| anyhow::anyhow!("{}", errors.to_string().replace('\n', "; ")))
            .with_context(|| format!("{shown} is refused"))?;
        let name = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        Ok(Subject::of(config, name))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Certify {
    #[command(flatten)]
    machine: Machine,
    /// Write certificate.md, certificate.json and certificate.svg into this folder.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Walk {
    #[command(flatten)]
    machine: Machine,
    /// Machine-hours to walk.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    hours: u64,
    /// Seed of the first walk; each further hour counts on by one.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct FalseTrips {
    #[command(flatten)]
    machine: Machine,
    /// Healthy machine-hours to run.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    hours: u64,
    /// Seed of the first hour; each further one counts on by one.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Orders {
    #[command(flatten)]
    machine: Machine,
    /// Operations in the longest order.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u8).range(2..=8))]
    longest: u8,
}

fn bar() -> ProgressBar {
    // Hidden by itself where stderr is no terminal.
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len}  {eta} left") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar) -> impl FnMut(usize, usize) + '_ {
    |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    }
}

/// Exit code 0 when every row of the fault table held in every state, 1 otherwise.
pub(crate) fn certify(args: &Certify) -> anyhow::Result<ExitCode> {
    let subject = args.machine.subject()?;
    let bar = bar();
    let certificate = tve_proof::certify(&subject, show(&bar));
    let certificate = certificate.with_quality(tve_proof::control_quality(&subject, show(&bar)));
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    out.write_all(certificate.markdown().as_bytes())?;
    if let Some(folder) = &args.report {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        for (name, text) in [
            ("certificate.md", certificate.markdown()),
            ("certificate.json", certificate.json()),
            ("certificate.svg", certificate.svg()),
        ] {
            let path = folder.join(name);
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(verdict(certificate.held))
}

/// Exit code 0 when no invariant was broken, 1 otherwise; broken walks are printed as scenarios.
pub(crate) fn walk(args: &Walk) -> anyhow::Result<ExitCode> {
    let subject = args.machine.subject()?;
    let bar = bar();
    let report = tve_proof::walk(&subject, args.hours, args.seed, show(&bar));
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} machine-hours from seed {}: {} ticks, {} commands ({} refused), {} alarms, {} violations",
        report.hours,
        report.first_seed,
        report.ticks,
        report.commands,
        report.refused,
        report.alarms,
        report.findings.len()
    )?;
    for finding in &report.findings {
        writeln!(
            out,
            "\nseed {}: {} at {:.2} s: {}\n{}",
            finding.seed, finding.invariant, finding.at_s, finding.what, finding.scenario
        )?;
    }
    Ok(verdict(report.findings.is_empty()))
}

/// Exit code 0 when no healthy hour raised an alarm, 1 otherwise; prints how near each rule came.
pub(crate) fn false_trips(args: &FalseTrips) -> anyhow::Result<ExitCode> {
    let subject = args.machine.subject()?;
    let bar = bar();
    let report = tve_proof::false_trips(&subject, args.hours, args.seed, show(&bar));
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} healthy machine-hours from seed {}: {} alarms",
        report.hours,
        report.first_seed,
        report.alarms.len()
    )?;
    for margin in &report.margins {
        let nearest = margin.nearest.map_or_else(|| "never near".to_owned(), |x| format!("{x:.2}"));
        writeln!(out, "{:34} {nearest} of {} {}", margin.rule, margin.limit, margin.unit)?;
    }
    for alarm in &report.alarms {
        let (seed, at) = (alarm.seed, alarm.at_s);
        writeln!(out, "\nseed {seed}: {} at {at:.2} s: {}", alarm.code, alarm.message)?;
        writeln!(out, "{}", alarm.log.join("\n"))?;
    }
    Ok(verdict(report.alarms.is_empty()))
}

/// Exit code 0 when every order of operations kept the invariants, 1 otherwise.
pub(crate) fn orders(args: &Orders) -> anyhow::Result<ExitCode> {
    let subject = args.machine.subject()?;
    let bar = bar();
    let report = tve_proof::check_orders(&subject, usize::from(args.longest), show(&bar));
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} orders of up to {} operations: {} violations",
        report.orders,
        report.longest,
        report.violations.len()
    )?;
    for violation in &report.violations {
        writeln!(out, "{violation}")?;
    }
    Ok(verdict(report.violations.is_empty()))
}

fn verdict(held: bool) -> ExitCode {
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
