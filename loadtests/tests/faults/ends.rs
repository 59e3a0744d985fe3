//! How the binary ends when it cannot do what it is asked: one sentence, the right exit code.

use crate::one_at_a_time;
use crate::toy::{Faults, Toy};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

const PLAN: &str = r#"
name = "toy"
question = "?"
ready = "/"
[requests.read]
group = "reads"
get = "/read"
[requests.never]
group = "never"
get = "/never"
[[scenarios]]
name = "Reader"
users = 1
period_ms = 50.0
flows = [{ steps = ["read"] }]
[[phases]]
name = "steady"
engine = "rate"
rate = 20.0
seconds = 2
[[objectives]]
group = "reads"
p95_ms = 5000.0
"#;

fn load(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tve-load")).args(arguments).output().unwrap()
}

fn toy() -> (tokio::runtime::Runtime, String) {
    toy_with(Faults::default())
}

fn toy_with(faults: Faults) -> (tokio::runtime::Runtime, String) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let toy = runtime.block_on(Toy::start(faults));
    (runtime, format!("http://{}", toy.addr))
}

fn write(folder: &Path, text: &str) -> String {
    let file = folder.join("toy.toml");
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn what_cannot_be_run_is_one_sentence_and_exit_code_2() {
    let _alone = one_at_a_time();
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let report = report.to_str().unwrap();
    let (_toy, host) = toy();
    let good = write(folder.path(), PLAN);
    let unknown_key = folder.path().join("bad.toml");
    std::fs::write(&unknown_key, PLAN.replace("rate = 20.0", "rait = 20.0")).unwrap();
    let unknown_key = unknown_key.to_str().unwrap();
    // A port that was free a moment ago and that nobody listens at.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = format!("http://{silent}");
    let in_file = format!("{good}/report");
    for (plan, host, report, says) in [
        (good.as_str(), silent.as_str(), report, "nothing answers"),
        (good.as_str(), "ftp://127.0.0.1", report, "no address of a service"),
        ("no-such-plan", host.as_str(), report, "no-such-plan"),
        (unknown_key, host.as_str(), report, "rait"),
        (good.as_str(), host.as_str(), in_file.as_str(), "cannot write the report folder"),
    ] {
        let output = load(&["run", plan, "--host", host, "--report", report]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{plan} {host}: {error}");
        assert!(error.contains(says), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert_eq!(load(&["run", "smoke"]).status.code(), Some(2));
    assert_eq!(load(&["--help"]).status.code(), Some(0));
}

#[test]
fn an_objective_without_samples_is_inconclusive() {
    let _alone = one_at_a_time();
    let folder = tempfile::tempdir().unwrap();
    let (_toy, host) = toy();
    let plan =
        write(folder.path(), &PLAN.replace("group = \"reads\"\np95", "group = \"never\"\np95"));
    let report = folder.path().join("report");
    let output = load(&["run", &plan, "--host", &host, "--report", report.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("no samples"), "{text}");
    // A machine busy enough to make the generator late makes the run INVALID instead.
    assert!(matches!(output.status.code(), Some(4 | 3)), "{text}");
}

#[test]
fn a_good_run_writes_its_report_and_says_so_in_the_last_lines() {
    let _alone = one_at_a_time();
    let folder = tempfile::tempdir().unwrap();
    let (_toy, host) = toy();
    let plan = write(folder.path(), PLAN);
    let report = folder.path().join("report");
    let output = load(&["run", &plan, "--host", &host, "--report", report.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{text}");
    assert!(text.contains("verdict: "), "{text}");
    let page = std::fs::read_to_string(report.join("report.html")).unwrap();
    assert!(page.matches("<svg").count() >= 5, "the plots are in the page itself");
    assert!(!page.contains("src=") && !page.contains("href="), "nothing is fetched");
    for file in ["report.txt", "acceptance.md", "latency.hlog", "toy_stats.csv"] {
        assert!(report.join(file).metadata().unwrap().len() > 0, "{file}");
    }
    let summary = tve_loadtests::summary::Summary::read(&report).unwrap();
    assert_eq!(summary.groups.iter().map(|g| g.count).sum::<u64>(), 40);
    assert!(output.status.code() == Some(i32::from(summary.verdict.word.exit_code())));
}

#[test]
fn users_are_not_limited_by_the_descriptors_that_a_shell_gives() {
    let _alone = one_at_a_time();
    let folder = tempfile::tempdir().unwrap();
    // Replies that take most of the period, so that each of the 40 users has a connection of his own.
    let (_toy, host) = toy_with(Faults { delay: Duration::from_millis(400), ..Faults::default() });
    let users = PLAN
        .replace("engine = \"rate\"\nrate = 20.0", "engine = \"users\"\nusers = 40")
        .replace("period_ms = 50.0", "period_ms = 500.0")
        .replace(
            "seconds = 2",
            "seconds = 2\n[[phases]]\nname = \"all\"\nengine = \"users\"\nusers = 40\nseconds = 1",
        );
    let plan = write(folder.path(), &users);
    let report = folder.path().join("report");
    let output = Command::new("sh")
        .args(["-c", "ulimit -Sn 48 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tve-load")])
        .args(["run", &plan, "--host", &host, "--report", report.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{output:?}");
    let summary = tve_loadtests::summary::Summary::read(&report).unwrap();
    let (count, errors) =
        summary.groups.iter().fold((0, 0), |sum, g| (sum.0 + g.count, sum.1 + g.errors));
    assert!(
        count >= 80 && errors == 0,
        "{count} requests, {errors} errors: {:?}",
        summary.failures
    );
}

#[test]
fn the_plans_are_listed_with_their_question() {
    let output = load(&["list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().any(|l| l.starts_with("tve-slo ") && l.ends_with('?')), "{text}");
}
