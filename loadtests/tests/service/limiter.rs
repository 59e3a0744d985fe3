//! The plan `limiter` against a service whose security is enabled.

use crate::rig::Rig;
use serde_json::json;
use tve_loadtests::plan::{find, parse};
use tve_loadtests::run::{Options, run};
use tve_loadtests::verdict::Standing;

/// Password "right", one round: quick, for tests alone.
const QUICK: &str =
    "pbkdf2:sha256:1$salt$44ec8cfe2ba4d927331c58d8a2a0cc13d6f1f1bd9a55fd8826ebd9d2a2e751df";

fn options(rig: &Rig, login: &str) -> Options {
    Options {
        host: rig.host.replace("http://", &format!("http://{login}@")).parse().unwrap(),
        short: true,
        server_pid: None,
        real_is_known: false,
        progress: false,
    }
}

#[test]
fn the_limits_of_the_service_hold_and_the_report_holds_no_password() {
    let users = json!({"anna": {"hash": QUICK, "role": "operator"}});
    let rig = Rig::with(&json!({"security": {"enabled": true, "users": users}}));
    let plan = parse("limiter", find("limiter").unwrap().text).unwrap();
    let options = options(&rig, "anna:right");
    let finished = rig.runtime.block_on(Box::pin(run(&plan, &options))).unwrap();
    let summary = &finished.summary;
    assert!(summary.claims.iter().all(|c| c.standing == Standing::Held), "{:?}", summary.claims);
    assert_eq!(summary.claims.len(), 6);
    assert_eq!(summary.host, format!("{}/", rig.host));
    assert_eq!(rig.json("/api/status")["state"]["status"], "READY");
}

#[test]
fn a_service_without_limits_breaks_the_plan() {
    let rig = Rig::start();
    let plan = parse("limiter", find("limiter").unwrap().text).unwrap();
    let options = options(&rig, "anna:right");
    let finished = rig.runtime.block_on(Box::pin(run(&plan, &options))).unwrap();
    let broken = finished.summary.claims.iter().filter(|c| c.standing == Standing::Broken);
    assert_eq!(broken.count(), 2, "{:?}", finished.summary.claims);
}
