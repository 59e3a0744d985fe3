//! The service on a free port with its own folder, in this process.

use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;
use tve_server::{Options, Running, Server};

/// Runs that share two cores disturb each other, and goose can do one at a time in a process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(crate) struct Rig {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) host: String,
    running: Option<Running>,
    _folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl Rig {
    /// Starts a machine that is warm.
    pub(crate) fn start() -> Self {
        Self::with(&serde_json::json!({}))
    }

    /// Starts it with a configuration.
    pub(crate) fn with(config: &serde_json::Value) -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::in_folder(folder.path());
        std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
        options.sim_start_temp = Some(225.0);
        let running = runtime.block_on(Server::start(options)).unwrap();
        let host = format!("http://{}", running.addr());
        Self { runtime, host, running: Some(running), _folder: folder, _alone: alone }
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let url = format!("{}{path}", self.host);
        self.runtime.block_on(async { reqwest::get(url).await.unwrap().text().await.unwrap() })
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&self.get(path)).unwrap()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // A test that failed has said so already.
            let _ = self.runtime.block_on(running.stop());
        }
    }
}
