//! A small Socket.IO 4 client over WebSocket: just what a measurement needs.

use anyhow::{Context as _, bail, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::header;
use serde_json::Value;
use std::time::Duration;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// Longest that a client waits to be let in.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connected client.
pub(super) struct Client(WebSocketStream<reqwest::Upgraded>);

/// An event of the server.
#[derive(Debug, PartialEq)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) payload: Value,
}

/// What a packet asks for.
#[derive(Debug, PartialEq)]
enum Packet {
    /// Engine.IO is open: join the namespace.
    Open,
    /// The namespace is joined.
    Joined,
    /// Answer with a pong.
    Ping,
    Event(Event),
    /// The server ends it.
    Closed,
    Other,
}

fn packet(text: &str) -> Packet {
    if let Some(event) = text.strip_prefix("42") {
        let Ok(Value::Array(mut parts)) = serde_json::from_str(event) else {
            return Packet::Other;
        };
        let payload = if parts.len() > 1 { parts.swap_remove(1) } else { Value::Null };
        return match parts.first().and_then(Value::as_str) {
            Some(name) => Packet::Event(Event { name: name.to_owned(), payload }),
            None => Packet::Other,
        };
    }
    match text {
        "2" => Packet::Ping,
        "1" | "41" => Packet::Closed,
        _ if text.starts_with("40") => Packet::Joined,
        _ if text.starts_with('0') => Packet::Open,
        _ => Packet::Other,
    }
}

impl Client {
    /// Connects over `http` and joins the default namespace.
    ///
    /// # Errors
    /// The service refuses, or takes longer than [`PATIENCE`].
    pub(super) async fn connect(
        http: &reqwest::Client,
        host: &reqwest::Url,
    ) -> anyhow::Result<Self> {
        let url = host.join("/socket.io/?EIO=4&transport=websocket")?;
        let request = http
            .get(url)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, generate_key());
        let joining = async {
            let reply = request.send().await.context("no answer")?;
            let status = reply.status();
            ensure!(status == reqwest::StatusCode::SWITCHING_PROTOCOLS, "no WebSocket: {status}");
            let stream = reply.upgrade().await.context("no WebSocket")?;
            let mut client =
                Self(WebSocketStream::from_raw_socket(stream, Role::Client, None).await);
            loop {
                match client.packet().await? {
                    Packet::Open => client.send("40").await?,
                    Packet::Joined => return Ok(client),
                    Packet::Closed => bail!("the service closed the connection"),
                    Packet::Ping => client.send("3").await?,
                    Packet::Event(_) | Packet::Other => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, joining).await.context("it was not let in in time")?
    }

    async fn send(&mut self, text: &'static str) -> anyhow::Result<()> {
        Ok(self.0.send(Message::text(text)).await?)
    }

    async fn packet(&mut self) -> anyhow::Result<Packet> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Ok(packet(&text)),
                Some(Ok(Message::Close(_))) | None => return Ok(Packet::Closed),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    /// The next event; heartbeats are answered on the way. `None` when the connection has ended.
    pub(super) async fn event(&mut self) -> Option<Event> {
        loop {
            match self.packet().await {
                Ok(Packet::Event(event)) => return Some(event),
                Ok(Packet::Ping) => self.send("3").await.ok()?,
                Ok(Packet::Closed) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn packets_of_the_protocol_are_told_apart() {
        assert_eq!(packet("0{\"sid\":\"x\"}"), Packet::Open);
        assert_eq!(packet("40{\"sid\":\"y\"}"), Packet::Joined);
        assert_eq!(packet("2"), Packet::Ping);
        assert_eq!(packet("41"), Packet::Closed);
        assert_eq!(packet("42[not json"), Packet::Other);
        let event = Event { name: "io_update".to_owned(), payload: json!({"key": "a", "val": 1}) };
        assert_eq!(packet("42[\"io_update\",{\"key\":\"a\",\"val\":1}]"), Packet::Event(event));
    }
}
