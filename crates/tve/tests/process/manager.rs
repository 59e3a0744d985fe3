//! The service under a service manager: readiness, watchdog, an inherited socket.

use crate::child::{PATIENCE, Service, Signal};
use rustix::io::{FdFlags, fcntl_setfd};
use serde_json::json;
use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

/// The next message.
fn message(manager: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let len = manager.recv(&mut buffer).expect("a message in time");
    String::from_utf8_lossy(&buffer[..len]).trim().to_owned()
}

#[test]
fn a_service_manager_hears_of_readiness_of_every_tick_and_of_an_orderly_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tve"));
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000").env_remove("WATCHDOG_PID");
    let mut service = Service::start_by(command, &folder.path().join("data"), &[]);
    let mut heard = Vec::new();
    while heard.iter().filter(|m| *m == "WATCHDOG=1").count() < 10 {
        heard.push(message(&manager));
    }
    assert!(heard.contains(&"READY=1".to_owned()), "{heard:?}");
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(message(&manager), "WATCHDOG=1");
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    service.signal(Signal::TERM);
    while message(&manager) != "STOPPING=1" {
        assert!(began.elapsed() < PATIENCE);
    }
    assert_eq!(service.wait().code(), Some(0));
}

#[test]
fn a_machine_runs_on_when_nobody_can_take_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    fcntl_setfd(&listener, FdFlags::empty()).unwrap();
    let script = format!(
        "export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\" 3<&{} >/dev/full 2>/dev/full",
        listener.as_raw_fd()
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_tve"), "--hardware", "sim", "--data-dir"]);
    let child = command.arg(folder.path()).env("RUST_LOG", "trace").spawn().unwrap();
    let mut service = Service::at(child, listener.local_addr().unwrap());
    assert_eq!(service.state()["machine"], "simulator");
    assert_eq!(service.command("SET_TARGET", &json!({ "z1": 100 })), 200);
    assert_eq!(service.terminate().0, Some(0));
}

#[test]
fn an_inherited_socket_is_served_instead_of_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    fcntl_setfd(&listener, FdFlags::empty()).unwrap();
    let inherited = listener.as_raw_fd();
    let mut command = Command::new("bash");
    let script = format!("export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\" 3<&{inherited}");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_tve")]);
    let mut service = Service::start_by(command, folder.path(), &[]);
    assert_eq!(service.address, address);
    assert_eq!(service.state()["machine"], "simulator");
    assert_eq!(service.terminate().0, Some(0));
}
