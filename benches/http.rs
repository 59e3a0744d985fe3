//! `/api/data` and `/api/status` of the real `tve` against a static axum reply of the same size.
//!
//! Both servers run as processes of their own, the same client asks them in turn (A B A B …), and
//! the medians of requests per second and of server CPU per request are compared. Build the service
//! first: `cargo build --release && cargo bench -p tve-benches --bench http`.

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Connections that ask at once.
const CONNECTIONS: usize = 8;
/// Pairs of rounds a path.
const PAIRS: usize = 9;
/// Length of a round.
const ROUND: Duration = Duration::from_secs(2);

/// A server process that ends with its handle.
struct Server {
    child: Child,
    addr: SocketAddr,
    _out: BufReader<ChildStdout>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What one round measured.
#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    cpu_us: f64,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    if let Some(size) = args.iter().position(|a| a == "--static-server").map(|i| i + 1) {
        return static_server(args[size].parse()?);
    }
    // `cargo bench -- --test` and `cargo test` ask for a quick look.
    let quick = args.iter().any(|a| a == "--test") || !args.iter().any(|a| a == "--bench");
    let exe = std::env::current_exe()?;
    let tve: PathBuf = exe
        .ancestors()
        .nth(2)
        .map(|dir| dir.join("tve"))
        .filter(|path| path.exists())
        .ok_or("no tve beside this bench; run `cargo build --release` first")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for path in ["/api/data", "/api/status"] {
        runtime.block_on(compare(&tve, &exe, path, if quick { 1 } else { PAIRS }))?;
    }
    Ok(())
}

async fn compare(tve: &PathBuf, exe: &PathBuf, path: &str, pairs: usize) -> Result<()> {
    let data = std::env::temp_dir().join(format!("tve-bench-{}", std::process::id()));
    let service = start(
        Command::new(tve)
            .args(["serve", "--hardware", "sim", "--listen", "127.0.0.1:0"])
            .args(["--data-dir".as_ref(), data.as_os_str()]),
    )?;
    let size = one(&mut TcpStream::connect(service.addr).await?, &request(path)).await?;
    let plain = start(Command::new(exe).args(["--static-server", &size.to_string()]))?;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        ours.push(round(&service, path).await?);
        theirs.push(round(&plain, path).await?);
    }
    let rate = |rounds: &[Round]| median(rounds.iter().map(|r| r.per_second));
    let cpu = |rounds: &[Round]| median(rounds.iter().map(|r| r.cpu_us));
    let pair = |f: fn(&Round) -> f64| median(ours.iter().zip(&theirs).map(|(a, b)| f(a) / f(b)));
    println!(
        "{path}: {size} bytes, {:.0} against {:.0} requests/s, ratio {:.3}; \
         server CPU {:.2} against {:.2} us a request, ratio {:.3} (medians of {pairs} pairs)",
        rate(&ours),
        rate(&theirs),
        pair(|r| r.per_second),
        cpu(&ours),
        cpu(&theirs),
        pair(|r| r.cpu_us),
    );
    drop(service);
    let _ = std::fs::remove_dir_all(data);
    Ok(())
}

fn start(command: &mut Command) -> Result<Server> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut out = BufReader::new(child.stdout.take().ok_or("the server has no output")?);
    for line in out.by_ref().lines() {
        if let Some((_, rest)) = line?.split_once("http://") {
            let addr = rest.split(['/', ' ']).next().unwrap_or(rest).parse()?;
            // Kept open: what it prints later must have somewhere to go.
            return Ok(Server { child, addr, _out: out });
        }
    }
    Err("the server printed no address".into())
}

fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// One request on a kept connection; the size of the body.
async fn one(stream: &mut TcpStream, request: &[u8]) -> Result<usize> {
    stream.write_all(request).await?;
    let (_, body) = tve_testkit::read_raw(stream, true).await?;
    Ok(body.len())
}

async fn round(server: &Server, path: &str) -> Result<Round> {
    let cpu = cpu_seconds(server.child.id())?;
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (addr, request) = (server.addr, request(path));
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            let mut done = 0_u64;
            while begun.elapsed() < ROUND {
                one(&mut stream, &request).await?;
                done += 1;
            }
            Ok::<u64, Box<dyn Error + Send + Sync>>(done)
        });
    }
    let mut done = 0;
    while let Some(task) = tasks.join_next().await {
        done += task??;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = cpu_seconds(server.child.id())? - cpu;
    Ok(Round { per_second: done as f64 / seconds, cpu_us: cpu * 1e6 / done as f64 })
}

/// User and system time of a process, s, at the 100 Hz that Linux accounts in.
fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let field = |n: usize| -> Result<f64> {
        Ok(after_name.split_whitespace().nth(n).ok_or("short stat")?.parse()?)
    };
    Ok((field(11)? + field(12)?) / 100.0)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The yardstick: axum with one handler that returns a static body.
fn static_server(size: usize) -> Result<()> {
    let body: &'static str = Box::leak("x".repeat(size).into_boxed_str());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let reply =
            move || async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], body) };
        let app = axum::Router::new()
            .route("/api/data", axum::routing::get(reply))
            .route("/api/status", axum::routing::get(reply));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}/", listener.local_addr()?);
        axum::serve(listener, app).await?;
        Ok(())
    })
}
