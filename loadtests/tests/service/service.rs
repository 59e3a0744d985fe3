//! The service on a free port with its own folder, in this process.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;
use tve::{Options, Running, Server};

/// Runs that share two cores disturb each other, and goose can do one at a time in a process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Password "right", one round: quick, for tests alone.
pub(crate) const QUICK: &str =
    "pbkdf2:sha256:1$salt$44ec8cfe2ba4d927331c58d8a2a0cc13d6f1f1bd9a55fd8826ebd9d2a2e751df";

pub(crate) struct Service {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) host: String,
    running: Option<Running>,
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Service {
    /// Starts a machine that is warm.
    pub(crate) fn start() -> Self {
        Self::with(&serde_json::json!({}))
    }

    /// Starts it with a configuration.
    pub(crate) fn with(config: &serde_json::Value) -> Self {
        Self::with_folder(|_| config.clone())
    }

    /// Starts it with a configuration that names files of the service's folder.
    pub(crate) fn with_folder(config: impl FnOnce(&Path) -> serde_json::Value) -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::in_folder(folder.path());
        let config = config(folder.path()).to_string();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        options.sim_start_temp = Some(225.0);
        let running = runtime.block_on(Server::start(options)).unwrap();
        let host = if running.is_tls() {
            format!("https://localhost:{}", running.addr().port())
        } else {
            format!("http://{}", running.addr())
        };
        Self { runtime, host, running: Some(running), folder, _alone: alone }
    }

    /// Where the service keeps its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let url = format!("{}{path}", self.host);
        self.runtime.block_on(async { reqwest::get(url).await.unwrap().text().await.unwrap() })
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.get(path)).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // A test that failed has said so already.
            let _ = self.runtime.block_on(running.stop());
        }
    }
}
