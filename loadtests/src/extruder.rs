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

/// The names of what is driven of a machine, as its service says them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Driven {
    zones: Vec<String>,
    motors: Vec<String>,
}

impl Driven {
    /// Of a reply of `/api/data`.
    fn of(data: &Value) -> anyhow::Result<Self> {
        let relays: Named<bool> = part(data, "/relays")?;
        let motors: Named<f64> = part(data, "/motors")?;
        // A relay by itself is called by what it switches; a zone's is its solid-state relay.
        let zone = |(relay, _): (&str, _)| relay.strip_prefix("ssr_").map(str::to_owned);
        Ok(Self {
            zones: relays.iter().filter_map(zone).collect(),
            motors: motors.iter().map(|(motor, _)| motor.to_owned()).collect(),
        })
    }

    /// The value of SET_TARGET that has every zone at `celsius`.
    pub(crate) fn targets(&self, celsius: f64) -> Value {
        self.zones.iter().map(|zone| (zone.clone(), json!(celsius))).collect()
    }

    /// The values of SET_MOTOR that have each motor stand still.
    pub(crate) fn at_rest(&self) -> impl Iterator<Item = Value> {
        self.motors.iter().map(|motor| json!({"motor": motor, "rpm": 0}))
    }

    /// The values of SET_HEATER that have each zone off.
    fn unheated(&self) -> impl Iterator<Item = Value> {
        self.zones.iter().map(|zone| json!({"zone": zone, "duty": 0}))
    }
}

/// The coldest zone that the screw waits for, °C, as far as the conditions say it.
fn coldest(conditions: &[Condition]) -> Option<f64> {
    let zones = conditions.iter().filter(|c| c.name.starts_with("zone"));
    zones.filter_map(|c| c.value).min_by(f64::total_cmp)
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

    /// Makes sure that `plan` may be run here, and says what there is to be driven; commands
    /// nothing.
    ///
    /// # Errors
    /// The service does not answer, the machine is a real one and `real_is_known` is false, or it
    /// is in alarm.
    pub(crate) async fn check(&self, plan: &Plan, real_is_known: bool) -> anyhow::Result<Driven> {
        self.get(&plan.ready).await?;
        if plan.machine == Machine::None {
            return Ok(Driven::default());
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
        Driven::of(&self.get("/api/data").await?)
    }

    /// Heats the barrel until the screw may turn.
    ///
    /// # Errors
    /// It refuses, does not get ready in time, or the run is interrupted.
    pub(crate) async fn warm_up(&self, plan: &Plan, driven: &Driven) -> anyhow::Result<()> {
        if plan.machine == Machine::None {
            return Ok(());
        }
        self.command("SET_MODE", json!({"mode": "AUTO"})).await?;
        self.command("SET_TARGET", driven.targets(WARM_C)).await?;
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
            let conditions: Vec<Condition> = part(&permissives, "/conditions")?;
            let coldest = coldest(&conditions).unwrap_or_default();
            bar.set_position(coldest.clamp(0.0, WARM_ENOUGH_C) as u64);
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
    pub(crate) async fn make_safe(&self, plan: &Plan, driven: &Driven) -> Vec<String> {
        if plan.machine == Machine::None {
            return Vec::new();
        }
        let mut refused = Vec::new();
        let mut note = |result: anyhow::Result<()>| {
            if let Err(error) = result {
                refused.push(format!("{error:#}"));
            }
        };
        for value in driven.at_rest() {
            note(self.command("SET_MOTOR", value).await);
        }
        note(self.command("SET_TARGET", driven.targets(0.0)).await);
        note(self.command("SET_MODE", json!({"mode": "MANUAL"})).await);
        for value in driven.unheated() {
            note(self.command("SET_HEATER", value).await);
        }
        note(self.command("SET_MODE", json!({"mode": "AUTO"})).await);
        note(self.post("/api/log/stop", &json!({})).await);
        note(self.post("/api/tune/stop", &json!({})).await);
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_driven_is_called_what_the_service_calls_it() {
        let data = json!({
            "relays": {"fan": false, "pump": true, "ssr_b1": true, "ssr_die": false},
            "motors": {"extruder": 0.0, "puller": 12.5},
        });
        let driven = Driven::of(&data).unwrap();
        assert_eq!(driven.targets(225.0), json!({"b1": 225.0, "die": 225.0}));
        let motors: Vec<Value> = driven.at_rest().collect();
        assert_eq!(
            motors,
            [json!({"motor": "extruder", "rpm": 0}), json!({"motor": "puller", "rpm": 0})]
        );
        let zones: Vec<Value> = driven.unheated().collect();
        assert_eq!(zones, [json!({"zone": "b1", "duty": 0}), json!({"zone": "die", "duty": 0})]);
        assert!(Driven::of(&json!({"motors": {}})).is_err(), "the wrong service");
    }

    #[test]
    fn the_coldest_zone_is_that_of_the_conditions() {
        let condition = |name: &str, value| Condition {
            name: name.to_owned(),
            ok: false,
            value,
            limit: None,
            time_left_s: None,
            refusal: String::new(),
        };
        let conditions = [
            condition("no_alarm", Some(0.0)),
            condition("zone1_warm", Some(201.0)),
            condition("zone2_warm", Some(35.5)),
            condition("zone3_warm", None),
        ];
        assert_eq!(coldest(&conditions), Some(35.5));
        assert_eq!(coldest(&conditions[..1]), None);
    }
}
