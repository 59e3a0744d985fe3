//! The plan `limiter` against a service whose security is enabled.

use crate::service::{QUICK, Service};
use serde_json::json;
use tve_loadtests::options::Options;
use tve_loadtests::plan::{find, parse};
use tve_loadtests::run::run;
use tve_loadtests::verdict::Standing;

fn options(service: &Service, login: &str) -> Options {
    let host = service.host.replace("http://", &format!("http://{login}@")).parse().unwrap();
    Options { short: true, ..Options::to(host) }
}

#[test]
fn the_limits_of_the_service_hold_and_the_report_holds_no_password() {
    let users = json!({"anna": {"hash": QUICK, "role": "operator"}});
    let service = Service::with(&json!({"security": {"enabled": true, "users": users}}));
    let plan = parse("limiter", find("limiter").unwrap().text).unwrap();
    let options = options(&service, "anna:right");
    let finished = service.runtime.block_on(Box::pin(run(&plan, &options))).unwrap();
    let summary = &finished.summary;
    assert!(summary.claims.iter().all(|c| c.standing == Standing::Held), "{:?}", summary.claims);
    assert_eq!(summary.claims.len(), 6);
    assert_eq!(summary.host, format!("{}/", service.host));
    assert_eq!(service.json("/api/status")["state"]["status"], "READY");
}

#[test]
fn a_service_without_limits_breaks_the_plan() {
    let service = Service::start();
    let plan = parse("limiter", find("limiter").unwrap().text).unwrap();
    let options = options(&service, "anna:right");
    let finished = service.runtime.block_on(Box::pin(run(&plan, &options))).unwrap();
    let broken = finished.summary.claims.iter().filter(|c| c.standing == Standing::Broken);
    assert_eq!(broken.count(), 2, "{:?}", finished.summary.claims);
}
