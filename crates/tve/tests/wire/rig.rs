//! A service on a free port with its own folder, and a client that speaks raw HTTP to it.

use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tve::{Options, Running, Server};

/// Longest wait for anything; only a broken build gets there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Rig {
    pub(crate) running: Running,
    pub(crate) folder: TempDir,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn msg(&self) -> String {
        self.json()["msg"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts with options that `adjust` has changed; the data folder is there already.
    pub(crate) async fn with(adjust: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::in_folder(folder.path());
        adjust(&mut options);
        let running = Server::start(options).await.unwrap();
        Self { running, folder }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.running.addr()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"), b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.post_as(path, body.as_bytes(), "Content-Type: application/json\r\n").await
    }

    /// A POST with extra header lines.
    pub(crate) async fn post_as(&self, path: &str, body: &[u8], headers: &str) -> Answer {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        self.send(&head, body).await
    }

    pub(crate) async fn command(&self, command: &str, value: Value) -> Answer {
        let body = serde_json::json!({ "command": command, "value": value });
        self.post("/api/control", &body.to_string()).await
    }

    pub(crate) async fn send(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.addr()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // The service may have answered and closed before it has read everything.
        let _ = stream.write_all(body).await;
        let has_body = !head.starts_with("HEAD");
        tokio::time::timeout(PATIENCE, read_answer(&mut stream, has_body)).await.unwrap()
    }

    pub(crate) async fn state(&self) -> Value {
        self.get("/api/status").await.json()["state"].clone()
    }

    /// Reads the state until `holds`.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let state = self.state().await;
            if holds(&state) {
                return state;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: {state}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Reads one answer by its Content-Length.
pub(crate) async fn read_answer(
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
    has_body: bool,
) -> Answer {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).await.unwrap();
        assert!(n > 0, "closed within the head: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&piece[..n]);
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut body = bytes.split_off(head_end + 4);
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let answer = Answer { status, head, body: Vec::new() };
    let length = answer.header("content-length").map_or(0, |l| l.parse().unwrap());
    if has_body {
        while body.len() < length {
            let mut piece = [0; 4096];
            let n = stream.read(&mut piece).await.unwrap();
            assert!(n > 0, "closed within the body");
            body.extend_from_slice(&piece[..n]);
        }
    }
    Answer { body, ..answer }
}
