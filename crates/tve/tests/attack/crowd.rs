//! Strangers who besiege the service, from one loopback address or from many, in this process.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Runtime;

/// Connections that strangers try to hold: more than there are places.
const CONNECTIONS: usize = 2300;
/// Clients that send made-up logins one after another.
const GUESSERS: usize = 96;
/// Loopback addresses of a crowd that comes from many.
const ADDRESSES: usize = 200;
/// Time after which whoever has been thrown out comes again.
const PAUSE: Duration = Duration::from_secs(1);
/// Time between two requests of a connection that wants to look alive.
const ASKS_EVERY: Duration = Duration::from_secs(5);

/// What strangers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Siege {
    /// They ask /health every 5 s on each connection.
    KeepAlives,
    /// They say nothing.
    Silence,
    /// They begin a body on /socket.io/ and send a byte a second.
    EndlessBodies,
    /// They ask for what calms the machine with names that nobody has.
    MadeUpLogins,
}

/// Where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    One,
    Many,
}

impl From {
    /// The address of the client with that number.
    pub(crate) fn address(self, n: usize) -> Ipv4Addr {
        match self {
            Self::One => Ipv4Addr::LOCALHOST,
            Self::Many => Ipv4Addr::new(127, 0, 1, 1 + (n % ADDRESSES) as u8),
        }
    }
}

/// A connection from an address of this host.
pub(crate) async fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::V4(from), 0).into())?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Strangers at work; dropping it ends them.
pub(crate) struct Crowd {
    runtime: Option<Runtime>,
    /// Connections that are open, requests that were made.
    open: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Counts while it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Crowd {
    /// Lets a crowd loose.
    pub(crate) fn gather(siege: Siege, from: From, to: SocketAddr) -> Self {
        let size = if siege == Siege::MadeUpLogins { GUESSERS } else { CONNECTIONS };
        Self::of(size, move |n, asked| async move {
            let mut stream = connect(from.address(n), to).await?;
            match siege {
                Siege::KeepAlives => keep_alive(&mut stream, &asked).await,
                Siege::Silence => read_to_the_end(&mut stream).await,
                Siege::EndlessBodies => endless_body(&mut stream, &asked).await,
                Siege::MadeUpLogins => guess(&mut stream, n, &asked).await,
            }
        })
    }

    /// `size` strangers who do `what` again and again.
    pub(crate) fn of<F>(
        size: usize,
        what: impl Fn(usize, Arc<AtomicUsize>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = io::Result<()>> + Send,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("stranger")
            .enable_all()
            .build()
            .unwrap();
        let (open, asked) = (Arc::default(), Arc::default());
        for n in 0..size {
            let (what, open, asked) = (what.clone(), Arc::clone(&open), Arc::clone(&asked));
            runtime.spawn(async move {
                // Not all in the same millisecond: what matters is what they hold.
                tokio::time::sleep(Duration::from_micros(n as u64 * 300)).await;
                loop {
                    {
                        let _counted = Counted::new(&open);
                        // What the service does to strangers is what is being tested.
                        let _ = what(n, Arc::clone(&asked)).await;
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        Self { runtime: Some(runtime), open, asked }
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Requests that were sent.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn read_to_the_end(stream: &mut TcpStream) -> io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}

async fn keep_alive(stream: &mut TcpStream, asked: &AtomicUsize) -> io::Result<()> {
    loop {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
        asked.fetch_add(1, Ordering::Relaxed);
        tve_testkit::read_raw(stream, true).await?;
        tokio::time::sleep(ASKS_EVERY).await;
    }
}

async fn endless_body(stream: &mut TcpStream, asked: &AtomicUsize) -> io::Result<()> {
    let open = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(open.as_bytes()).await?;
    let (_, body) = tve_testkit::read_raw(stream, true).await?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let sid = body.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let post = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Length: 60000\r\n\r\n",
        sid.unwrap_or("AAAAAAAAAAAAAAAAAAAAAA")
    );
    stream.write_all(post.as_bytes()).await?;
    asked.fetch_add(1, Ordering::Relaxed);
    loop {
        stream.write_all(b"4").await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn guess(stream: &mut TcpStream, n: usize, asked: &AtomicUsize) -> io::Result<()> {
    use base64::Engine as _;
    for round in 0_usize.. {
        let login = format!("stranger{n}x{round}:password");
        let login = base64::engine::general_purpose::STANDARD.encode(login);
        let body = match round % 2 {
            0 => r#"{"command":"SET_MOTOR","value":{"motor":"main","rpm":0}}"#,
            _ => r#"{"command":"EMERGENCY_STOP"}"#,
        };
        let request = format!(
            "POST /api/control HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Authorization: Basic {login}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        asked.fetch_add(1, Ordering::Relaxed);
        let answer = tve_testkit::read_answer(stream, true).await?;
        if answer.status == 429 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(())
}
