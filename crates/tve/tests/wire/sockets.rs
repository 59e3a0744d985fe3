//! Socket.IO over the polling transport: what a client is told, and what a slow one costs.

use crate::rig::{PATIENCE, Rig};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// One Socket.IO client.
struct Client<'a> {
    rig: &'a Rig,
    path: String,
}

impl<'a> Client<'a> {
    async fn connect(rig: &'a Rig) -> Self {
        let path = "/socket.io/?EIO=4&transport=polling";
        let open = rig.get(path).await;
        assert_eq!(open.status, 200);
        let hello: Value = serde_json::from_str(&open.text()[1..]).unwrap();
        let path = format!("{path}&sid={}", hello["sid"].as_str().unwrap());
        let joined = rig.post_as(&path, b"40", "Content-Type: text/plain\r\n").await;
        assert_eq!(joined.status, 200);
        Self { rig, path }
    }

    /// The events of one poll, as `[name, payload]`.
    async fn poll(&self) -> Vec<Value> {
        let answer = self.rig.get(&self.path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        // Packets are separated by the character 30.
        let text = answer.text();
        text.split('\u{1e}')
            .filter_map(|packet| packet.strip_prefix("42"))
            .map(|event| serde_json::from_str(event).unwrap())
            .collect()
    }

    /// Polls until an event fits.
    async fn until(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            if let Some(event) = self.poll().await.into_iter().find(&fits) {
                return event;
            }
            assert!(began.elapsed() < PATIENCE);
        }
    }
}

#[tokio::test]
async fn a_client_gets_one_snapshot_and_then_the_changes() {
    let rig = Rig::start().await;
    let client = Client::connect(&rig).await;
    let snapshot = client.until(|event| event[0] == "snapshot").await;
    assert_eq!(snapshot[1]["state"]["machine"], "simulator");

    assert_eq!(rig.command("SET_PELTIER", json!({ "duty": 40 })).await.status, 200);
    let update = client.until(|event| event[1]["key"] == "peltier_duty").await;
    assert_eq!(
        update,
        json!(["io_update", { "category": "misc", "key": "peltier_duty", "val": 40.0 }])
    );
    rig.running.stop().await.unwrap();
}

#[tokio::test]
async fn a_client_that_never_reads_is_dropped_and_delays_nobody() {
    let rig = Rig::start().await;
    let _slow = Client::connect(&rig).await;
    let quick = Client::connect(&rig).await;
    quick.until(|event| event[0] == "snapshot").await;
    let began = Instant::now();
    let mut on = true;
    loop {
        // Every round changes several values, so that the buffer of the slow client fills.
        for (command, value) in [
            ("SET_PELTIER", json!({ "duty": if on { 40 } else { 20 } })),
            ("SET_TARGET", json!({ "z1": if on { 50 } else { 0 }, "z2": if on { 50 } else { 0 } })),
            ("SET_PWM_OUTPUT", json!({ "name": "fan_nozzle", "duty": if on { 9 } else { 3 } })),
            ("SET_FILL_TARGET", json!({ "level": if on { 10 } else { 20 } })),
        ] {
            assert_eq!(rig.command(command, value).await.status, 200);
        }
        on = !on;
        let asked = Instant::now();
        quick.until(|event| event[1]["key"] == "peltier_duty").await;
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        let metrics = rig.get("/metrics").await;
        let metrics = metrics.text();
        if metrics.contains("socketio_slow_clients_dropped_total 1") {
            break;
        }
        assert!(began.elapsed() < 3 * PATIENCE, "{metrics}");
    }
    rig.running.stop().await.unwrap();
}
