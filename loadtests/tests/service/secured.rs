//! Against a service as it stands in a plant: with TLS and a login.

use crate::service::{QUICK, Service};
use serde_json::json;
use std::path::Path;
use tve_loadtests::client::authorities;
use tve_loadtests::options::Options;
use tve_loadtests::plan::parse;
use tve_loadtests::run::run;
use tve_loadtests::summary::Summary;
use tve_loadtests::verdict::Standing;

/// A few clients of each kind; the limits are those of no machine in particular.
const REQUESTS: &str = r#"
name = "secured"
question = "Do requests get through?"
machine = "extruder"
[requests.data]
group = "reads"
get = "/api/data"
[requests.target]
group = "writes"
post = "/api/control"
bodies = [{ command = "SET_TARGET", value = { z1 = 210, z2 = 220 } }]
[[scenarios]]
name = "Clients"
users = 2
period_ms = 500.0
flows = [{ steps = ["data", "target"] }]
[[phases]]
name = "steady"
engine = "users"
users = 2
seconds = 3
[[objectives]]
errors_percent = 0.0
"#;

const SOCKETS: &str = r#"
name = "secured"
question = "Do events get through?"
machine = "extruder"
[sockets]
clients = 6
listeners = 3
events = 6
event_period_ms = 217
storm = 2
vanish = 1
connect_mean_ms = 5000.0
event_p95_ms = 5000.0
reach_percent = 100.0
"#;

fn secured() -> Service {
    Service::with_folder(|folder| {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let users = json!({"anna": {"hash": QUICK, "role": "operator"}});
        json!({
            "server": {"tls": {"cert": folder.join("cert.pem"), "key": folder.join("key.pem")}},
            "security": {"enabled": true, "users": users},
        })
    })
}

fn finished(service: &Service, plan: &str, certificate: &Path) -> Summary {
    let host = service.host.replace("https://", "https://anna:right@").parse().unwrap();
    let authorities = authorities(certificate).unwrap();
    let options = Options { authorities, ..Options::to(host) };
    let plan = parse("secured", plan).unwrap();
    service.runtime.block_on(Box::pin(run(&plan, &options))).unwrap().summary
}

#[test]
fn requests_and_sockets_get_through_tls_with_the_login_of_the_address() {
    let service = secured();
    let certificate = service.folder().join("cert.pem");
    let summary = finished(&service, REQUESTS, &certificate);
    assert!(summary.groups.iter().all(|g| g.count > 0 && g.errors == 0), "{:?}", summary.failures);
    assert_eq!(summary.host, format!("{}/", service.host));
    let summary = finished(&service, SOCKETS, &certificate);
    assert!(summary.claims.iter().all(|c| c.standing == Standing::Held), "{:?}", summary.claims);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_with_the_way_out() {
    let service = secured();
    let report = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tve-load"))
        .args([
            "run",
            "smoke",
            "--host",
            &service.host.replace("://", "://anna:right@"),
            "--report",
        ])
        .arg(report.path())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("certificate") && error.contains("--ca"), "{error}");
    assert!(!error.contains("right"), "{error}");
}
