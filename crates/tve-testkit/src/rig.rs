//! A running service in this process, and a client that speaks to it over real HTTP.

use crate::client::{Answer, Client};
use serde_json::Value;
use tempfile::TempDir;
use tve::{Options, Running, Server};

/// A service with the simulated machine. [`Rig::stop`] ends it in order; dropping it just ends it.
#[derive(Debug)]
pub struct Rig {
    running: Running,
    client: Client,
    base: String,
    folder: TempDir,
}

impl Rig {
    /// Boots with the embedded configuration.
    pub async fn start() -> Self {
        Self::start_with(|_, options| options).await
    }

    /// Boots with options of the test's choice; `choose` also gets the rig's private folder, in
    /// which it may put files.
    pub async fn start_with(choose: impl FnOnce(&std::path::Path, Options) -> Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = choose(folder.path(), Options::in_folder(folder.path().join("data")));
        let running = Server::start(options).await.expect("the service starts");
        let client = Client::new(running.addr());
        Self { base: format!("http://{}", running.addr()), running, client, folder }
    }

    /// `http://host:port`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The rig's private folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The service itself.
    pub fn service(&self) -> &Running {
        &self.running
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.client.get(path).await
    }

    /// POST of a JSON value.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.client.post(path, body).await
    }

    /// POST of a command.
    pub async fn command(&self, name: &str, value: Value) -> Answer {
        self.client.command(name, value).await
    }

    /// Any request; a body is sent as `application/json` whatever it holds.
    pub async fn call(&self, method: &str, path: &str, body: Option<String>) -> Answer {
        self.client.call(method, path, body.as_deref()).await
    }

    /// Ends the service in order.
    pub async fn stop(self) {
        self.running.stop().await.expect("the service stops in order");
    }
}
