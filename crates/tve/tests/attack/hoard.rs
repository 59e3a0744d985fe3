//! Memory has a ceiling: whatever strangers make the service keep, it stays under it, answers honest
//! clients meanwhile and gives everything back afterwards.
//!
//! `TVE_SIEGE_BINARY` names another binary to be besieged, as a release build, which is what the
//! ceiling is for; `TVE_SIEGE_SECONDS` is the time that each hoard goes on.

use crate::child::Service;
use crate::crowd::{Crowd, From, connect};
use crate::figure;
use crate::siege::{RESIDENT_KIB, binary};
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Seconds for each hoard unless the environment says another number.
const SECONDS: f64 = 4.0;
/// What may be left a minute after the last stranger, above the idle machine, KiB. Each thread has an
/// arena of the allocator, so that the control thread waits for nobody's; all hoards leave some 7 MiB in
/// the gaps of them, 2.7 MiB where all threads share one.
const LEFT_KIB: u64 = 10 * 1024;
/// What the program itself takes more while it is not optimised, KiB.
const LARGER_KIB: u64 = 8 * 1024;
const MINUTE: Duration = Duration::from_mins(1);
/// Time in which an honest client is answered, and by a build whose libraries are not optimised.
const HONEST: Duration = Duration::from_secs(1);
const HONEST_UNOPTIMISED: Duration = Duration::from_secs(8);

/// What strangers make the service keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hoard {
    /// Sessions by polling, as many as they can open.
    Sessions,
    /// Sockets over a WebSocket whose events nobody reads.
    Sockets,
    /// A day of history that nobody reads.
    Histories,
    /// Heads that do not end.
    Heads,
    /// Bodies that lack their last byte.
    Bodies,
    /// Replies that nobody reads.
    Replies,
}

impl Hoard {
    const ALL: [Self; 6] =
        [Self::Sessions, Self::Sockets, Self::Histories, Self::Heads, Self::Bodies, Self::Replies];

    const fn clients(self) -> usize {
        match self {
            Self::Sessions => 16,
            Self::Histories => 300,
            Self::Sockets | Self::Heads | Self::Bodies | Self::Replies => 2300,
        }
    }

    async fn keep(self, stream: &mut TcpStream, asked: &AtomicUsize) -> io::Result<()> {
        let count = || asked.fetch_add(1, Ordering::Relaxed);
        match self {
            Self::Sessions => loop {
                let open =
                    "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n";
                stream.write_all(open.as_bytes()).await?;
                tve_testkit::read_raw(stream, true).await?;
                count();
            },
            Self::Sockets => {
                let upgrade = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
                    Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
                stream.write_all(upgrade.as_bytes()).await?;
                let mut head = [0; 12];
                stream.read_exact(&mut head).await?;
                count();
                // A text frame "40", masked with zeros: join the default namespace.
                stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'4', b'0']).await?;
                until_closed(stream).await
            }
            Self::Histories => {
                let past = "GET /api/history/sensors?since=0&points=86400 HTTP/1.1\r\n\
                    Host: localhost\r\n\r\n";
                stream.write_all(past.as_bytes()).await?;
                count();
                until_closed(stream).await
            }
            Self::Heads => {
                let head = format!("GET /health HTTP/1.1\r\nX-Long: {}", "x".repeat(15_000));
                stream.write_all(head.as_bytes()).await?;
                count();
                until_closed(stream).await
            }
            Self::Bodies => {
                let post = "POST /api/control HTTP/1.1\r\nHost: localhost\r\n\
                    Content-Type: application/json\r\nContent-Length: 65000\r\n\r\n";
                stream.write_all(post.as_bytes()).await?;
                stream.write_all(&vec![b' '; 64_999]).await?;
                count();
                until_closed(stream).await
            }
            Self::Replies => {
                let ask = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20);
                stream.write_all(ask.as_bytes()).await?;
                count();
                until_closed(stream).await
            }
        }
    }
}

/// Waits without taking a byte until the service gives up.
async fn until_closed(stream: &TcpStream) -> io::Result<()> {
    let mut byte = [0];
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // Bytes that are there say nothing of the end behind them; a write does, once it is refused.
        if stream.peek(&mut byte).await? == 0 || stream.try_write(b"").is_err() {
            return Ok(());
        }
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
    }
}

/// Writes a run file with a row for each second of the last day.
fn write_a_day(folder: &Path) {
    let header = "Timestamp,Time_Str,Status,T1_Feed,T2_Mid,T3_Nozzle,T_Motor,Target_Z1,Target_Z2,\
        Pwr_Z1_%,Pwr_Z2_%,RPM_Main,RPM_Feed\r\n";
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut text = header.to_owned();
    for t in now - 86_300..now - 10 {
        let z1 = 200.0 + (t % 60) as f64 / 10.0;
        write!(
            text,
            "{t}.000,12:00:00.000,RUNNING,23.50,{z1:.2},210.25,31.00,210.0,210.0,33.3,40.0,60.0,5.0\r\n"
        )
        .unwrap();
    }
    let runs = folder.join("logs");
    std::fs::create_dir_all(&runs).unwrap();
    // The newest there is.
    std::fs::write(runs.join("run_20991231_000000.csv"), text).unwrap();
}

/// Answers to honest clients, and the most memory meanwhile, KiB.
fn watch(service: &Service, for_how_long: Duration) -> (Vec<Duration>, u64) {
    let began = Instant::now();
    let (mut answers, mut most) = (Vec::new(), 0);
    while began.elapsed() < for_how_long {
        let asked = Instant::now();
        for line in ["GET /api/status", "GET /api/history/sensors?points=100"] {
            let answer = service.try_request(line, "").expect("an answer");
            assert!(answer.status == 200 || line.contains("history"), "{}", answer.body);
        }
        answers.push(asked.elapsed());
        most = most.max(service.resident_kib());
        std::thread::sleep(Duration::from_millis(50));
    }
    answers.sort();
    (answers, most)
}

fn hoard(what: Hoard, address: SocketAddr) -> Crowd {
    Crowd::of(what.clients(), move |n, asked: Arc<AtomicUsize>| async move {
        let mut stream = connect(From::Many.address(n), address).await?;
        what.keep(&mut stream, &asked).await
    })
}

#[test]
fn memory_stays_under_its_ceiling_and_goes_back_whatever_strangers_make_the_service_keep() {
    let _alone = crate::alone();
    let seconds = std::env::var("TVE_SIEGE_SECONDS").map_or(SECONDS, |s| s.parse().unwrap());
    let other = std::env::var_os("TVE_SIEGE_BINARY").is_some();
    let (honest, larger) = if other { (HONEST, 0) } else { (HONEST_UNOPTIMISED, LARGER_KIB) };
    let folder = tempfile::tempdir().unwrap();
    write_a_day(folder.path());
    let service = Service::start_by(binary(), folder.path(), &["--sim-start-temp", "215"]);
    let past = || service.get("/api/history/sensors?since=0&points=86400");
    let began = Instant::now();
    while past().as_array().unwrap().len() < 80_000 {
        assert!(began.elapsed() < crate::child::PATIENCE, "the day does not come back");
        std::thread::sleep(Duration::from_millis(100));
    }
    let idle = service.resident_kib();
    println!("idle: {idle} KiB, with a day of history");
    for what in Hoard::ALL {
        let crowd = hoard(what, service.address);
        let (answers, most) = watch(&service, Duration::from_secs_f64(seconds));
        let longest = answers[answers.len() - 1];
        println!(
            "  {what:?}: {} open, {} asked; at most {most} KiB; {} honest answers, longest {longest:.1?}",
            crowd.open(),
            crowd.asked(),
            answers.len(),
        );
        drop(crowd);
        assert!(most < RESIDENT_KIB + larger, "{what:?}: {most} KiB");
        assert!(longest < honest, "{what:?}: an honest client waited {longest:?}");
    }
    let most = idle + LEFT_KIB + larger;
    let began = Instant::now();
    while service.resident_kib() > most && began.elapsed() < MINUTE {
        std::thread::sleep(Duration::from_millis(500));
    }
    let left = service.resident_kib();
    println!("  {} made room", figure(&service.metrics(), "http_connections_refused_total "));
    println!("  {left} KiB {:.0?} after the last stranger", began.elapsed());
    assert!(left <= most, "{left} KiB, {idle} before");
}
