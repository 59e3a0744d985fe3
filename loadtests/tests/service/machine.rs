//! A run with the extruder's clean-up: whatever it did, the machine is cold and still afterwards.

use crate::service::Service;
use tve_loadtests::options::Options;
use tve_loadtests::plan::{find, parse};
use tve_loadtests::run::run;
use tve_loadtests::summary::Finished;
use tve_loadtests::verdict::Standing;

/// Runs that the service may take to be seen within its limits: what else this machine does can
/// only make replies later.
const TRIES: u32 = 3;

fn broken(finished: &Finished) -> Vec<String> {
    let claims = finished.summary.claims.iter();
    claims.filter(|c| c.standing == Standing::Broken).map(|c| format!("{c:?}")).collect()
}

#[test]
fn the_objectives_hold_and_the_machine_is_left_safe() {
    let service = Service::start();
    let mut plan = parse("tve-slo", find("tve-slo").unwrap().text).unwrap();
    plan.phases[0].short_s = Some(3);
    plan.phases[1].short_s = Some(8);
    let options = Options { short: true, ..Options::to(service.host.parse().unwrap()) };
    let once = || {
        let finished = service.runtime.block_on(Box::pin(run(&plan, &options))).unwrap();
        let errors: u64 = finished.summary.groups.iter().map(|g| g.errors).sum();
        assert_eq!(errors, 0, "in no run: {:?}", finished.summary.failures);
        broken(&finished)
    };
    let mut left = Vec::new();
    for _ in 0..TRIES {
        left = once();
        if left.is_empty() {
            break;
        }
    }
    assert!(left.is_empty(), "{left:?}");

    let state = &service.json("/api/status")["state"];
    for zero in ["target_z1", "target_z2", "manual_duty_z1", "manual_duty_z2"] {
        assert_eq!(state[zero], 0.0, "{zero}");
    }
    assert_eq!(state["motors"], serde_json::json!({"main": 0.0, "feed": 0.0}));
    assert_eq!(service.json("/api/log")["recording"], false);
}

#[test]
fn a_machine_that_is_no_simulator_is_not_touched() {
    // The service of this test says what a real machine says, and notes that nothing else came.
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for body in ["{}", r#"{"state": {"machine": "raspberry-pi", "status": "READY"}}"#] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 2048];
            let n = stream.read(&mut head).unwrap();
            let line = String::from_utf8_lossy(&head[..n]).lines().next().unwrap().to_owned();
            asked.push(line);
            let length = body.len();
            let reply = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            );
            stream.write_all(reply.as_bytes()).unwrap();
        }
        asked
    });
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tve-load"))
        .args(["run", "tve-slo", "--host", &host, "--short", "--report"])
        .arg(tempfile::tempdir().unwrap().path())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("--i-know-this-is-a-machine"), "{error}");
    let asked = served.join().unwrap();
    assert!(asked.iter().all(|line| line.starts_with("GET ")), "{asked:?}");
}
