//! A running service in this process, and a client that speaks to it over real HTTP.

use serde_json::{Value, json};
use tempfile::TempDir;
use tve::{Options, Running, Server};

/// What the service answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body as JSON; a body that is none as a text.
    pub body: Value,
}

impl Answer {
    /// `msg` of a refusal or reply; empty where there is none.
    pub fn msg(&self) -> &str {
        self.body["msg"].as_str().unwrap_or_default()
    }
}

/// A service with the simulated machine. [`Rig::stop`] ends it in order; dropping it just ends it.
#[derive(Debug)]
pub struct Rig {
    running: Running,
    client: reqwest::Client,
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
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
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
        self.call("GET", path, None).await
    }

    /// POST of a JSON value.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(body.to_string())).await
    }

    /// POST of a command.
    pub async fn command(&self, name: &str, value: Value) -> Answer {
        let body = json!({"command": name, "value": value});
        self.post("/api/control", &body).await
    }

    /// Any request; a body is sent as `application/json` whatever it holds.
    pub async fn call(&self, method: &str, path: &str, body: Option<String>) -> Answer {
        let method = method.parse().expect("an HTTP method");
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let reply = request.send().await.expect("an answer");
        let status = reply.status().as_u16();
        let text = reply.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer { status, body }
    }

    /// Ends the service in order.
    pub async fn stop(self) {
        self.running.stop().await.expect("the service stops in order");
    }
}
