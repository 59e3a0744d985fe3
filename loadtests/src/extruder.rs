//! Before and after a run: is the service there, is the machine the simulator and warm; and the
//! way back to a machine that is cold and still.

use crate::address::shown;
use crate::client::cause;
use crate::interrupt;
use crate::plan::{Machine, Plan};
use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tve_api::{Alarm, Condition, ControlRequest, MachineStatus, Named};

/// Target that the barrel is heated to before a run, °C: the middle of what operators set.
const WARM_C: f64 = 225.0;

/// Below this the screw may not be turned, °C: what the bar counts up to.
const WARM_ENOUGH_C: f64 = 200.0;

/// Longest warm-up. A cold barrel takes about twenty minutes, and soaks.
const WARM_UP: Duration = Duration::from_mins(45);

/// Time between two looks at a machine that warms up.
const LOOK: Duration = Duration::from_millis(500);

/// Longest that one call of the clean-up may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The part of `reply` at `place`, a JSON pointer. Parts and not whole replies, so that builds of the
/// service that know a field more or less can be compared.
fn part<T: DeserializeOwned>(reply: &Value, place: &str) -> anyhow::Result<T> {
    let value = reply.pointer(place).unwrap_or(&Value::Null);
    T::deserialize(value).with_context(|| {
        format!("the reply has no {place} that this build can read; is it the right service?")
    })
}

/// The extruder behind a host, or whatever else a plan finds there.
#[derive(Debug, Clone)]
pub(crate) struct Extruder {
    client: reqwest::Client,
    host: reqwest::Url,
}

impl Extruder {
    /// Access over `client`.
    pub(crate) fn new(client: reqwest::Client, host: reqwest::Url) -> Self {
        Self { client, host }
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = self.host.join(path)?;
        let reply = self.client.get(url).timeout(PATIENCE).send().await;
        let reply = reply.map_err(|error| {
            anyhow::anyhow!(
                "nothing answers at {} ({}); start the service, or correct --host or --ca",
                shown(&self.host),
                cause(&error)
            )
        })?;
        let status = reply.status();
        if !status.is_success() {
            bail!("GET {path} answers {status} at {}; is it the right service?", self.host);
        }
        let body = reply.bytes().await.context("the reply broke off")?;
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> anyhow::Result<()> {
        let url = self.host.join(path)?;
        let reply = self.client.post(url).timeout(PATIENCE).json(body).send().await?;
        let status = reply.status();
        if !status.is_success() {
            bail!("POST {path} {} answers {status}", serde_json::to_string(body)?);
        }
        Ok(())
    }

    async fn command(&self, name: &str, value: Value) -> anyhow::Result<()> {
        let request = ControlRequest { command: name.to_owned(), value };
        self.post("/api/control", &request).await
    }

    /// Makes sure that `plan` may be run here; commands nothing.
    ///
    /// # Errors
    /// The service does not answer, the machine is a real one and `real_is_known` is false, or it
    /// is in alarm.
    pub(crate) async fn check(&self, plan: &Plan, real_is_known: bool) -> anyhow::Result<()> {
        self.get(&plan.ready).await?;
        if plan.machine == Machine::None {
            return Ok(());
        }
        let status = self.get("/api/status").await?;
        let machine: String = part(&status, "/state/machine")?;
        if machine != "simulator" && !real_is_known {
            bail!(
                "the machine at {} is {machine:?}, not the simulator; a load test turns its motors \
                 and heats it: give --i-know-this-is-a-machine if that is meant",
                self.host
            );
        }
        if part::<MachineStatus>(&status, "/state/status")? == MachineStatus::Alarm {
            let alarms: Vec<Alarm> = part(&status, "/state/active_alarms")?;
            let alarms: Vec<String> = alarms.into_iter().map(|a| a.kind).collect();
            bail!("the machine is in ALARM ({}); clear it first", alarms.join(", "));
        }
        Ok(())
    }

    /// Heats the barrel until the screw may turn.
    ///
    /// # Errors
    /// It refuses, does not get ready in time, or the run is interrupted.
    pub(crate) async fn warm_up(&self, plan: &Plan) -> anyhow::Result<()> {
        if plan.machine == Machine::None {
            return Ok(());
        }
        self.command("SET_MODE", json!({"mode": "AUTO"})).await?;
        self.command("SET_TARGET", json!({"z1": WARM_C, "z2": WARM_C})).await?;
        let style = ProgressStyle::with_template("warming up {bar:30} {pos}/{len} °C  {msg}");
        let bar = ProgressBar::new(WARM_ENOUGH_C as u64)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let began = Instant::now();
        loop {
            let permissives = self.get("/api/permissives").await?;
            if part(&permissives, "/granted")? {
                bar.finish_and_clear();
                return Ok(());
            }
            let data = self.get("/api/data").await?;
            let temps: Named<Option<f64>> = part(&data, "/temps")?;
            let zones = ["t2", "t3"].into_iter().filter_map(|sensor| *temps.get(sensor)?);
            let coldest = zones.fold(WARM_ENOUGH_C, f64::min);
            bar.set_position(coldest.max(0.0) as u64);
            let conditions: Vec<Condition> = part(&permissives, "/conditions")?;
            let waits: Vec<String> =
                conditions.into_iter().filter(|c| !c.ok).map(|c| c.name).collect();
            bar.set_message(format!("waiting for {}", waits.join(", ")));
            if interrupt::is_set() {
                bail!("interrupted while warming up");
            }
            if began.elapsed() > WARM_UP {
                bail!(
                    "the machine did not get ready within {} min: {} still missing",
                    WARM_UP.as_secs() / 60,
                    waits.join(", ")
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Leaves the machine with logging off, motors at zero, heaters off; returns what it refused.
    pub(crate) async fn make_safe(&self, plan: &Plan) -> Vec<String> {
        if plan.machine == Machine::None {
            return Vec::new();
        }
        let mut refused = Vec::new();
        let mut note = |result: anyhow::Result<()>| {
            if let Err(error) = result {
                refused.push(format!("{error:#}"));
            }
        };
        for motor in ["main", "feed"] {
            note(self.command("SET_MOTOR", json!({"motor": motor, "rpm": 0})).await);
        }
        note(self.command("SET_TARGET", json!({"z1": 0, "z2": 0})).await);
        note(self.command("SET_MODE", json!({"mode": "MANUAL"})).await);
        for zone in ["z1", "z2"] {
            note(self.command("SET_HEATER", json!({"zone": zone, "duty": 0})).await);
        }
        note(self.command("SET_MODE", json!({"mode": "AUTO"})).await);
        note(self.post("/api/log/stop", &json!({})).await);
        note(self.post("/api/tune/stop", &json!({})).await);
        refused
    }
}
