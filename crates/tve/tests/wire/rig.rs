//! A service on a free port with its own folder; every request has a connection of its own.

use serde_json::Value;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tve::{Options, Running, Server};
use tve_testkit::exchange;
pub(crate) use tve_testkit::{Answer, PATIENCE};

pub(crate) struct Rig {
    pub(crate) running: Running,
    pub(crate) folder: TempDir,
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
        let answer = tokio::time::timeout(PATIENCE, exchange(&mut stream, head, body)).await;
        answer.unwrap().unwrap()
    }

    pub(crate) async fn state(&self) -> Value {
        self.get("/api/status").await.body["state"].clone()
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
