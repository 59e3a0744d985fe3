//! The service as a process of its own.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tve_testkit::Answer;

pub(crate) use rustix::process::Signal;
pub(crate) use tve_testkit::PATIENCE;

/// A running service; dropping it kills it.
pub(crate) struct Service {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Service {
    /// Starts it with its data in `folder` and waits until it has named its address.
    pub(crate) fn start(folder: &Path, more: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_tve")), folder, more)
    }

    /// Starts it by a command that ends where the arguments of `tve` begin.
    pub(crate) fn start_by(mut command: Command, folder: &Path, more: &[&str]) -> Self {
        let folder = folder.to_str().unwrap();
        command.args(["--listen", "127.0.0.1:0", "--hardware", "sim", "--data-dir", folder]);
        command.args(more).env("RUST_LOG", "error");
        for name in ["TVE_CONFIG", "TVE_HARDWARE", "TVE_LISTEN", "TVE_DATA_DIR"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let mut printed = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        while !printed.contains("data ") {
            assert!(out.read_line(&mut printed).unwrap() > 0, "it ended: {printed}");
        }
        let address = printed.split("http://").nth(1).unwrap().split_whitespace().next().unwrap();
        Self { child, address: address.parse().unwrap() }
    }

    /// A process that already serves `address`.
    pub(crate) fn at(child: Child, address: SocketAddr) -> Self {
        Self { child, address }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Memory that it has at the moment, KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it by SIGTERM: exit code and time.
    pub(crate) fn terminate(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        self.signal(Signal::TERM);
        (self.wait().code(), began.elapsed())
    }

    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// One request on a connection of its own. `None` when the service is gone.
    pub(crate) fn try_request(&self, line: &str, body: &str) -> Option<Answer> {
        tve_testkit::ask(self.address, line, "", body).ok()
    }

    /// The body of what is at `path`.
    pub(crate) fn get(&self, path: &str) -> Value {
        let Answer { status, body, .. } = self.try_request(&format!("GET {path}"), "").unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) fn metrics(&self) -> String {
        self.get("/metrics").as_str().unwrap().to_owned()
    }

    /// A command; its status.
    pub(crate) fn command(&self, command: &str, value: &Value) -> u16 {
        let body = json!({ "command": command, "value": value }).to_string();
        self.try_request("POST /api/control", &body).unwrap().status
    }

    pub(crate) fn state(&self) -> Value {
        self.get("/api/status")["state"].clone()
    }

    /// Reads the state until `holds`.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let state = self.state();
            if holds(&state) {
                return state;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {state}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Heats both zones of a warm machine and turns the screw.
    pub(crate) fn heat_and_run(&self) {
        assert_eq!(self.command("SET_TARGET", &json!({ "z1": 220, "z2": 220 })), 200);
        // The screw is refused until every sensor has proved itself.
        let began = Instant::now();
        while self.command("SET_MOTOR", &json!({ "motor": "main", "rpm": 40 })) != 200 {
            assert!(began.elapsed() < PATIENCE, "{}", self.get("/api/permissives"));
            std::thread::sleep(Duration::from_millis(5));
        }
        self.until("heating and running", |s| {
            s["heater_duty_z1"].as_f64() > Some(0.0)
                && s["motors_actual"]["main"].as_f64() > Some(0.0)
        });
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Already gone in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether an alarm of that name is active.
pub(crate) fn is_active(state: &Value, name: &str) -> bool {
    let alarms = state["active_alarms"].as_array().unwrap();
    alarms.iter().any(|alarm| alarm["type"] == name)
}

/// Nothing heats, moves or wants to.
pub(crate) fn is_off(state: &Value) -> bool {
    let zero = |value: &Value| value.as_f64() == Some(0.0);
    ["heater_duty_z1", "heater_duty_z2", "target_z1", "target_z2", "peltier_duty"]
        .iter()
        .all(|key| zero(&state[*key]))
        && state["relays"]["ssr_z1"] == false
        && state["relays"]["ssr_z2"] == false
        && ["main", "feed"]
            .iter()
            .all(|m| zero(&state["motors"][*m]) && zero(&state["motors_actual"][*m]))
}

/// Numbers that look random and are the same in every run (xorshift, Marsaglia 2003).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
