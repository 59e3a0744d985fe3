//! What a run says about known faults.
//!
//! The claims are judged as if the generator were beyond doubt: whether it is late depends on what
//! else the machine does, and that part has its own test.

use crate::one_at_a_time;
use crate::toy::{Faults, Toy};
use std::time::Duration;
use tve_loadtests::options::Options;
use tve_loadtests::plan::{Engine, Plan, parse};
use tve_loadtests::run::run;
use tve_loadtests::summary::Finished;
use tve_loadtests::verdict::{Trust, Verdict, Word};

/// Runs that a service within its limits may take to be seen passing. What else the machine does
/// can only make replies later, so one run that passes shows that the harness adds nothing of its
/// own; a harness that does would not pass in any.
const TRIES: u32 = 5;

fn plan(phase: &str) -> Plan {
    let text = format!(
        r#"
name = "toy"
question = "?"
interval_s = 600
ready = "/"
timeout_ms = 3000
[requests.read]
group = "reads"
get = "/read"
[requests.write]
group = "writes"
post = "/write"
bodies = [{{ a = 1 }}]
[[scenarios]]
name = "Reader"
users = 5
period_ms = 100.0
flows = [{{ steps = ["read"] }}]
[[scenarios]]
name = "Writer"
users = 2
period_ms = 100.0
flows = [{{ steps = ["write", "read"] }}]
[[phases]]
name = "steady"
{phase}
seconds = 600
short_s = 4
[[objectives]]
p95_ms = 150.0
p99_ms = 1000.0
errors_percent = 1.0
"#
    );
    parse("toy", &text).unwrap()
}

const RATE: &str = "engine = \"rate\"\nrate = 100.0";
const USERS: &str = "engine = \"users\"\nusers = 7";

fn finished(plan: &Plan, faults: Faults) -> Finished {
    let _alone = one_at_a_time();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let toy = Toy::start(faults).await;
        let host = format!("http://{}", toy.addr).parse().unwrap();
        let options = Options { short: true, ..Options::to(host) };
        Box::pin(run(plan, &options)).await.unwrap()
    })
}

fn word(finished: &Finished) -> Word {
    Verdict::of(&finished.summary.claims, &Trust::default(), true, false).word
}

/// The first run that passes.
fn passing(plan: &Plan, faults: Faults) -> Finished {
    for _ in 1..TRIES {
        let finished = finished(plan, faults);
        if word(&finished) == Word::Pass {
            return finished;
        }
    }
    let last = finished(plan, faults);
    assert_eq!(word(&last), Word::Pass, "{faults:?}: {:?}", last.summary.claims);
    last
}

#[test]
fn a_fast_service_passes() {
    let finished = passing(&plan(RATE), Faults::default());
    let total: u64 = finished.summary.groups.iter().map(|g| g.count).sum();
    assert_eq!(total, 400, "every arrival is there, once");
}

#[test]
fn a_service_of_100_ms_passes_a_limit_of_150_and_one_of_154_does_not() {
    let slow = |ms| Faults { delay: Duration::from_millis(ms), ..Faults::default() };
    passing(&plan(RATE), slow(100));
    let too_slow = finished(&plan(RATE), slow(154));
    assert_eq!(word(&too_slow), Word::Fail, "{:?}", too_slow.summary.claims);
}

#[test]
fn one_slow_reply_in_ten_breaks_p95() {
    let slow = Some((10, Duration::from_millis(300)));
    let finished = finished(&plan(RATE), Faults { slow, ..Faults::default() });
    assert_eq!(word(&finished), Word::Fail, "{:?}", finished.summary.claims);
}

#[test]
fn errors_at_the_end_break_the_error_share() {
    let errors_from = Some(Duration::from_secs(3));
    let finished = finished(&plan(RATE), Faults { errors_from, ..Faults::default() });
    assert_eq!(word(&finished), Word::Fail);
    let failures = &finished.summary.failures;
    assert!(failures.iter().any(|f| f.text.contains("503")), "{failures:?}");
}

#[test]
fn users_keep_their_pace_and_their_numbers() {
    let finished = finished(&plan(USERS), Faults::default());
    let scenarios = &finished.summary.scenarios;
    assert_eq!(scenarios[0].users, 5);
    // The four seconds hold the users' ramp from none to all, half a full load on average.
    for scenario in scenarios {
        assert_eq!(scenario.target_rps, None, "a ramp promises no rate");
        let target = scenario.users as f64 * 10.0;
        assert!(scenario.achieved_rps <= target * 1.01, "{scenario:?}");
        assert!(scenario.achieved_rps > target * 0.3, "{scenario:?}");
    }
}

#[test]
fn users_who_leave_neither_send_into_the_next_phase_nor_hold_it_up() {
    let mut plan = plan(USERS);
    plan.phases[0].users = 700;
    let mut then = plan.phases[0].clone();
    then.name = "then".to_owned();
    then.engine = Engine::Rate;
    then.rate = 50.0;
    plan.phases.push(then);
    let in_time = |finished: &Finished| {
        let rows = finished.summary.requests.iter().filter(|r| r.phase == "then");
        let count: u64 = rows.map(|r| r.count).sum();
        assert!(count <= 200, "{count} of 50 a second for four seconds");
        count == 200 && finished.summary.trust.missed_percent == 0.0
    };
    // Only a machine that stands still for a second misses an arrival.
    assert!((0..TRIES).any(|_| in_time(&finished(&plan, Faults::default()))), "it began late");
}

#[test]
fn a_stall_is_charged_from_the_due_instant() {
    let stall = Some((Duration::from_secs(2), Duration::from_millis(3500)));
    let finished = finished(&plan(USERS), Faults { stall, ..Faults::default() });
    let reads = finished.summary.groups.iter().find(|g| g.name == "reads").unwrap();
    // Each user has one request that hangs, and more that it held up.
    assert!(reads.due.p95_us > 150_000, "{:?}", reads.due);
    let slow_by_service = reads.body.count - (reads.body.count * 95 / 100);
    assert!(slow_by_service > 7 || reads.body.p95_us < reads.due.p95_us, "{:?}", reads.body);
    assert_eq!(word(&finished), Word::Fail);
}

#[test]
fn a_generator_that_cannot_keep_up_makes_the_run_invalid() {
    let mut plan = plan("engine = \"rate\"\nrate = 100000.0");
    plan.phases[0].short_s = Some(1);
    let finished = finished(&plan, Faults::default());
    let verdict = &finished.summary.verdict;
    assert_eq!(verdict.word, Word::Invalid, "{verdict:?} {:?}", finished.summary.trust);
}
