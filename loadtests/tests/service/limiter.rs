//! The plan `limiter` against a service whose security is enabled.

use crate::rig::{QUICK, Rig};
use serde_json::json;
use tve_loadtests::plan::{find, parse};
use tve_loadtests::run::{Options, run};
use tve_loadtests::verdict::Standing;

fn options(rig: &Rig, login: &str) -> Options {
    let host = rig.host.replace("http://", &format!("http://{login}@")).parse().unwrap();
    Options { short: true, ..Options::to(host) }
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
