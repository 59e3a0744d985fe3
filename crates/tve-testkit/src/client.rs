//! The HTTP client of the tests: it sends what it is told to, byte for byte, and reads one answer.
//!
//! A library would mend what a test wants broken, and would need another one for each of blocking,
//! asynchronous and encrypted streams. This one asks a stream for nothing but reading and writing.

use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

/// Longest wait for an answer; only a broken build gets there.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What the service answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body as JSON; a body that is none as a text.
    pub body: Value,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Answer {
    fn of(head: String, bytes: Vec<u8>) -> io::Result<Self> {
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| strange("no status"))?;
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text());
        Ok(Self { status, head, body, bytes })
    }

    /// `msg` of a refusal or reply; empty where there is none.
    pub fn msg(&self) -> &str {
        self.body["msg"].as_str().unwrap_or_default()
    }

    /// A body that is no JSON.
    pub fn text(&self) -> &str {
        self.body.as_str().unwrap_or_default()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        value_of(&self.head, name)
    }
}

fn value_of<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn strange(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Reads one answer by its Content-Length or in chunks, status line and headers apart from the body,
/// and makes nothing of either; one to HEAD has a length and no body.
///
/// # Errors
/// When the stream ends before the answer does, or the answer is none of HTTP/1.
pub async fn read_raw(
    stream: &mut (impl AsyncRead + Unpin),
    has_body: bool,
) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let mut body = bytes.split_off(end + 4);
    bytes.truncate(end);
    let head = String::from_utf8(bytes).map_err(|_| strange("a head that is no text"))?;
    let length = match value_of(&head, "content-length") {
        Some(length) => length.parse().map_err(|_| strange("no length"))?,
        None if has_body && value_of(&head, "transfer-encoding").is_some() => {
            let body = read_chunks(stream, body).await?;
            return Ok((head, body));
        }
        None => 0,
    };
    while has_body && body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok((head, body))
}

/// Reads a body in chunks, of which `bytes` have arrived.
async fn read_chunks(
    stream: &mut (impl AsyncRead + Unpin),
    mut bytes: Vec<u8>,
) -> io::Result<Vec<u8>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let end = bytes[at..].windows(2).position(|w| w == b"\r\n").map(|end| at + end);
        let length = match end {
            Some(end) => {
                let digits = std::str::from_utf8(&bytes[at..end]);
                let length = digits.ok().and_then(|d| usize::from_str_radix(d, 16).ok());
                Some((end + 2, length.ok_or_else(|| strange("a chunk without a length"))?))
            }
            None => None,
        };
        match length {
            Some((start, length)) if bytes.len() >= start + length + 2 => {
                body.extend_from_slice(&bytes[start..start + length]);
                at = start + length + 2;
                if length == 0 {
                    return Ok(body);
                }
            }
            Some(_) | None => {
                if stream.read_buf(&mut bytes).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
        }
    }
}

/// Reads one answer as [`read_raw`] does.
///
/// # Errors
/// Of [`read_raw`], or when there is no status in it.
pub async fn read_answer(
    stream: &mut (impl AsyncRead + Unpin),
    has_body: bool,
) -> io::Result<Answer> {
    let (head, bytes) = read_raw(stream, has_body).await?;
    Answer::of(head, bytes)
}

/// Sends `head`, with its empty line, and `body`, and reads one answer.
///
/// # Errors
/// Of [`read_answer`], or of the stream.
pub async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    head: &str,
    body: &[u8],
) -> io::Result<Answer> {
    stream.write_all(head.as_bytes()).await?;
    // The service may have answered and closed before it has read everything.
    let _ = stream.write_all(body).await;
    read_answer(stream, !head.starts_with("HEAD")).await
}

/// A connection that stays open for one request after another, for tests that are not asynchronous.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    runtime: Runtime,
}

impl Connection {
    /// To the service at `address`.
    ///
    /// # Errors
    /// When it does not accept.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stream = runtime.block_on(TcpStream::connect(address))?;
        // Head and body are two writes; the second must not wait for the first's receipt.
        stream.set_nodelay(true)?;
        Ok(Self { stream, runtime })
    }

    /// One request; `line` is method and path, `headers` are whole lines, and a body is JSON.
    ///
    /// # Errors
    /// When the service is gone or does not answer in time.
    pub fn ask(&mut self, line: &str, headers: &str, body: &str) -> io::Result<Answer> {
        let head = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        let asked = exchange(&mut self.stream, &head, body.as_bytes());
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await? })
    }
}

/// One request on a connection of its own, as [`Connection::ask`].
///
/// # Errors
/// As there.
pub fn ask(address: SocketAddr, line: &str, headers: &str, body: &str) -> io::Result<Answer> {
    Connection::open(address)?.ask(line, &format!("Connection: close\r\n{headers}"), body)
}

/// Speaks to one service over a connection that it keeps while the service does.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    kept: Mutex<Option<TcpStream>>,
}

impl Client {
    /// Of the service at `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, kept: Mutex::new(None) }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    /// POST of a JSON value.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(&body.to_string())).await
    }

    /// POST of a command.
    pub async fn command(&self, name: &str, value: Value) -> Answer {
        self.post("/api/control", &json!({"command": name, "value": value})).await
    }

    /// Any request; a body is sent as `application/json` whatever it holds.
    pub async fn call(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let described = body.map_or(String::new(), |body| {
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
        });
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{described}\r\n");
        self.send(&head, body.unwrap_or_default().as_bytes()).await
    }

    /// A request as it goes over the wire, on a new connection where the kept one has ended.
    ///
    /// # Panics
    /// When the service does not answer.
    pub async fn send(&self, head: &str, body: &[u8]) -> Answer {
        let mut kept = self.kept.lock().await;
        let patient = |stream| async move {
            let mut stream: TcpStream = stream;
            let answer = tokio::time::timeout(PATIENCE, exchange(&mut stream, head, body)).await;
            answer.expect("an answer in time").map(|answer| (answer, stream))
        };
        let again = match kept.take() {
            Some(stream) => patient(stream).await.ok(),
            None => None,
        };
        let (answer, stream) = if let Some(answered) = again {
            answered
        } else {
            let fresh = TcpStream::connect(self.address).await.expect("the service listens");
            // Head and body are two writes; the second must not wait for the first's receipt.
            fresh.set_nodelay(true).expect("an open connection");
            patient(fresh).await.expect("an answer")
        };
        let closes = |value: &str| value.eq_ignore_ascii_case("close");
        if !answer.header("connection").is_some_and(closes) {
            *kept = Some(stream);
        }
        answer
    }
}
