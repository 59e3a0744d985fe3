//! A stop always arrives: whatever strangers hold, a client that has just come stops the machine.
//!
//! Each try heats the machine, opens a connection, asks for EMERGENCY_STOP and reads the state: every
//! output off, and answered in time. A try in which the host itself stood still for more than 10 ms
//! says nothing and is repeated, 2 % of them at most. `TVE_SIEGE_STOPS` is the number of tries under
//! each siege; 1000 is what the service is held to. `TVE_SIEGE_BINARY` names another binary.

use crate::child::{Service, is_active, is_off};
use crate::crowd::{Crowd, From, Siege, connect};
use crate::{Ticks, figure};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tve_testkit::{Answer, PATIENCE, exchange};

/// Tries under each siege, from each place, unless the environment says another number.
const STOPS: usize = 20;
/// Longest time from the first packet of a client to the answer to its stop.
const BOUND: Duration = Duration::from_millis(50);
/// The same where a password has to be checked on the way.
const PASSWORD_BOUND: Duration = Duration::from_secs(1);
/// A host that stands still for longer makes a try worthless.
const HOST_STILL: Duration = Duration::from_millis(10);
/// Tries that may be repeated, of a hundred.
const REPEATED_PERCENT: usize = 2;
/// Memory that the service may have, whatever strangers do, KiB.
pub(crate) const RESIDENT_KIB: u64 = 64 * 1024;
/// Where the operator sits, and a client that has nothing to do with any flood.
const OPERATOR: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 1);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 9, 2);

/// Notes how long the host stood still.
struct Host {
    longest_us: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Host {
    fn watched() -> Self {
        let host = Self { longest_us: Arc::default(), over: Arc::default() };
        let (longest, over) = (Arc::clone(&host.longest_us), Arc::clone(&host.over));
        std::thread::spawn(move || {
            const NAP: Duration = Duration::from_millis(1);
            // As the threads of the service that answer, where it has no real-time scheduling.
            let _ = rustix::process::setpriority_process(None, 10);
            while !over.load(Ordering::Relaxed) {
                let began = Instant::now();
                std::thread::sleep(NAP);
                let late = began.elapsed().saturating_sub(NAP);
                longest.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
            }
        });
        host
    }

    fn forget(&self) {
        self.longest_us.store(0, Ordering::Relaxed);
    }

    fn stood_still(&self) -> Duration {
        Duration::from_micros(self.longest_us.load(Ordering::Relaxed))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// A client from one address.
struct Client {
    runtime: Runtime,
    address: SocketAddr,
    from: Ipv4Addr,
    headers: String,
    kept: Option<TcpStream>,
}

impl Client {
    fn new(address: SocketAddr, from: Ipv4Addr, headers: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, address, from, headers: headers.to_owned(), kept: None }
    }

    /// One request on the connection that is kept, else on a new one; how long it took.
    fn ask(&mut self, line: &str, body: &str) -> std::io::Result<(Answer, Duration)> {
        let Self { runtime, address, from, headers, kept } = self;
        let request = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        runtime.block_on(async {
            let began = Instant::now();
            let asked = async {
                let mut stream = match kept.take() {
                    Some(stream) => stream,
                    None => connect(*from, *address).await?,
                };
                let answer = exchange(&mut stream, &request, b"").await?;
                let took = began.elapsed();
                *kept = Some(stream);
                Ok((answer, took))
            };
            tokio::time::timeout(PATIENCE, asked).await?
        })
    }

    /// The same on a connection that nobody has seen before.
    fn ask_anew(&mut self, line: &str, body: &str) -> std::io::Result<(Answer, Duration)> {
        self.kept = None;
        let answered = self.ask(line, body);
        self.kept = None;
        answered
    }

    fn command(&mut self, command: &str, value: &Value) -> u16 {
        let body = json!({ "command": command, "value": value }).to_string();
        let answered = self.ask("POST /api/control", &body);
        // A connection that was thrown out meanwhile is opened anew.
        let answered = answered.or_else(|_| self.ask("POST /api/control", &body));
        answered.map_or(0, |(answer, _)| answer.status)
    }
}

/// A service under siege, and those who mean well.
struct Scene {
    service: Service,
    operator: Client,
    host: Host,
    repeated: usize,
    tried: usize,
    resident_kib: u64,
}

/// How the stops of one kind went.
#[derive(Default)]
struct Stops(Vec<Duration>);

impl std::fmt::Display for Stops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort();
        let (middle, longest) = (sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
        write!(f, "{} stops, median {middle:.2?}, longest {longest:.2?}", sorted.len())
    }
}

impl Scene {
    fn new(service: Service, login: &str) -> Self {
        let operator = Client::new(service.address, OPERATOR, login);
        Self { service, operator, host: Host::watched(), repeated: 0, tried: 0, resident_kib: 0 }
    }

    fn ticks(&mut self) -> Ticks {
        let metrics = self.operator.ask("GET /metrics", "");
        let metrics = metrics.or_else(|_| self.operator.ask("GET /metrics", "")).unwrap().0;
        Ticks::of(metrics.text())
    }

    /// Stops the machine once from `from`: how long it took, or what went wrong.
    fn stop(&mut self, from: Ipv4Addr, login: &str) -> Result<Duration, String> {
        assert_eq!(self.operator.command("CLEAR_ALARM", &json!({})), 200);
        assert_eq!(self.operator.command("SET_TARGET", &json!({ "z1": 230, "z2": 230 })), 200);
        let mut client = Client::new(self.service.address, from, login);
        let answered = client.ask_anew("POST /api/control", r#"{"command":"EMERGENCY_STOP"}"#);
        let (answer, took) = answered.map_err(|error| format!("no answer: {error}"))?;
        if answer.status != 200 {
            return Err(format!("{} {}", answer.status, answer.body));
        }
        let (status, _) = self.operator.ask("GET /api/status", "").map_err(|e| e.to_string())?;
        let state = &status.body["state"];
        if !is_active(state, "EMERGENCY_STOP") || !is_off(state) {
            return Err(format!("answered, but not off: {state}"));
        }
        Ok(took)
    }

    /// Stops `count` times, with the login of each try.
    fn stops(
        &mut self,
        count: usize,
        from: impl Fn(usize) -> Ipv4Addr,
        login: impl Fn(usize) -> String,
        bound: Duration,
    ) -> Stops {
        let mut stops = Stops::default();
        while stops.0.len() < count {
            let n = stops.0.len();
            self.host.forget();
            let outcome = self.stop(from(n), &login(n));
            self.tried += 1;
            self.resident_kib = self.resident_kib.max(self.service.resident_kib());
            match outcome {
                Ok(took) if took <= bound => stops.0.push(took),
                outcome => {
                    let still = self.host.stood_still();
                    assert!(still > HOST_STILL, "stop {n} from {}: {outcome:?}", from(n));
                    println!("    the host stood still for {still:?}: {outcome:?} is tried again");
                    self.repeated += 1;
                }
            }
            let allowed = (count * REPEATED_PERCENT).div_ceil(100).max(1);
            assert!(self.repeated <= allowed * 8, "the host is too busy for this test");
        }
        stops
    }
}

/// The binary that is besieged.
pub(crate) fn binary() -> Command {
    let binary = std::env::var_os("TVE_SIEGE_BINARY");
    Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_tve").into()))
}

fn tries() -> usize {
    std::env::var("TVE_SIEGE_STOPS").map_or(STOPS, |n| n.parse().unwrap())
}

/// A login of HTTP Basic.
fn basic(login: &str) -> String {
    use base64::Engine as _;
    let login = base64::engine::general_purpose::STANDARD.encode(login);
    format!("Authorization: Basic {login}\r\n")
}

fn tve(arguments: &[&str], input: &str) -> String {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut child = Command::new(env!("CARGO_BIN_EXE_tve"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Users enough that each of `count` passwords is checked for the first time, and the header of a
/// token.
fn secure(folder: &Path, count: usize) -> String {
    let hash = tve(&["hash-password"], "a long password");
    let users: serde_json::Map<_, _> = (0..count)
        .map(|n| (format!("user{n}"), json!({"hash": hash, "role": "operator"})))
        .collect();
    // The operator makes the machine ready for each stop, as fast as that goes.
    let limits = json!({"commands_per_second": 1000, "burst": 1000});
    let security =
        json!({"enabled": true, "stop_needs_login": true, "users": users, "limits": limits});
    let config = json!({ "security": security }).to_string();
    std::fs::write(folder.join("config.json"), config).unwrap();
    let data_dir = folder.to_str().unwrap();
    let create = ["token", "create", "--name", "panel", "--role", "operator"];
    let printed = tve(&[&create[..], &["--data-dir", data_dir]].concat(), "");
    let token = printed.split_whitespace().max_by_key(|word| word.len()).unwrap();
    format!("Authorization: Bearer {token}\r\n")
}

fn besiege(siege: Siege, from: From) {
    let folder = tempfile::tempdir().unwrap();
    let needs_login = siege == Siege::MadeUpLogins;
    let count = tries();
    // Every tenth stop shows a password, each that of another user: none is known yet.
    let passwords = count.div_ceil(10);
    let token = if needs_login { secure(folder.path(), passwords) } else { String::new() };
    let service = Service::start_by(binary(), folder.path(), &["--sim-start-temp", "215"]);
    let address = service.address;
    let mut scene = Scene::new(service, &token);
    println!("{siege:?} from {from:?}");

    let quiet = scene.stops(5, |_| ELSEWHERE, |_| token.clone(), BOUND);
    println!("  idle: {quiet}; {} KiB", scene.resident_kib);
    let crowd = Crowd::gather(siege, from, address);
    let began = Instant::now();
    // More than there are places, and those that were thrown out are back.
    let enough = || match siege {
        Siege::MadeUpLogins => crowd.asked() > 500,
        Siege::KeepAlives | Siege::Silence | Siege::EndlessBodies => crowd.open() > 2000,
    };
    while !enough() {
        assert!(began.elapsed() < PATIENCE, "{} open, {} asked", crowd.open(), crowd.asked());
        std::thread::sleep(Duration::from_millis(20));
    }
    let before = scene.ticks();
    // From the address of the flood, and from one that has nothing to do with it.
    let inside = scene.stops(count / 2, |n| from.address(n), |_| token.clone(), BOUND);
    let outside = scene.stops(count - count / 2, |_| ELSEWHERE, |_| token.clone(), BOUND);
    println!("  from the flood's own address: {inside}\n  from elsewhere: {outside}");
    if needs_login {
        let login = |n: usize| basic(&format!("user{n}:a long password"));
        let checked = scene.stops(passwords, |n| from.address(n), login, PASSWORD_BOUND);
        println!("  by password: {checked}");
    }
    let ticks = scene.ticks().since(&before);
    // Honest clients are answered, too, from wherever they come.
    let mut honest = Vec::new();
    for n in 0..count {
        let from = if n % 2 == 0 { from.address(n) } else { ELSEWHERE };
        let mut client = Client::new(address, from, &token);
        let (answer, took) = client.ask_anew("GET /api/status", "").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        honest.push(took);
    }
    println!("  reads: {}; {ticks}", Stops(honest));
    let metrics = scene.operator.ask("GET /metrics", "").unwrap().0;
    println!(
        "  {} open, {} asked, {} made room; at most {} KiB; {} of {} tries repeated",
        crowd.open(),
        crowd.asked(),
        figure(metrics.text(), "http_connections_refused_total "),
        scene.resident_kib,
        scene.repeated,
        scene.tried,
    );
    assert!(scene.resident_kib < RESIDENT_KIB, "{} KiB", scene.resident_kib);
    drop(crowd);
    assert_eq!(scene.service.terminate().0, Some(0));
}

#[test]
fn a_stop_arrives_however_many_connections_look_alive() {
    let _alone = crate::alone();
    for from in [From::One, From::Many] {
        besiege(Siege::KeepAlives, from);
    }
}

#[test]
fn a_stop_arrives_however_many_connections_are_silent() {
    let _alone = crate::alone();
    for from in [From::One, From::Many] {
        besiege(Siege::Silence, from);
    }
}

#[test]
fn a_stop_arrives_however_many_bodies_never_end() {
    let _alone = crate::alone();
    for from in [From::One, From::Many] {
        besiege(Siege::EndlessBodies, from);
    }
}

#[test]
fn a_stop_arrives_however_many_logins_are_made_up() {
    let _alone = crate::alone();
    for from in [From::One, From::Many] {
        besiege(Siege::MadeUpLogins, from);
    }
}
