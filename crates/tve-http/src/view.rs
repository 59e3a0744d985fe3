//! From the machine's own types to those of the wire.

use bytes::Bytes;
use serde::Serialize;
use std::collections::BTreeMap;
use tve_api as api;
use tve_config::Config;
use tve_control::{AlarmRecord, Mode, Permissives, Severity, Snapshot, Status};
use tve_hal::{Motor, Pull, Sensor, Zone};
use tve_recorder::{JournalEntry, Sample};
use tve_units::{Bcm, Celsius, Duty, Rpm};

/// Serialises `value`. The types of the API cannot fail to: they hold no maps with other keys than
/// strings and no numbers that are not finite.
pub(crate) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_else(|error| {
        tracing::error!(%error, "a reply could not be serialised");
        b"null".to_vec()
    })
}

/// A number that JSON can hold.
fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}

pub(crate) const fn status(status: Status) -> api::MachineStatus {
    match status {
        Status::Ready => api::MachineStatus::Ready,
        Status::Starting => api::MachineStatus::Starting,
        Status::Running => api::MachineStatus::Running,
        Status::Stopping => api::MachineStatus::Stopping,
        Status::Alarm => api::MachineStatus::Alarm,
    }
}

pub(crate) const fn mode(mode: Mode) -> api::ModeName {
    match mode {
        Mode::Auto => api::ModeName::Auto,
        Mode::Manual => api::ModeName::Manual,
    }
}

pub(crate) fn temps(temps: [Option<f64>; 4]) -> api::Temps {
    let [t1, t2, t3, motor] = temps.map(|t| t.and_then(finite));
    api::Temps { t1, t2, t3, motor }
}

fn motors([main, feed]: [Rpm; 2]) -> api::Motors {
    api::Motors { main: main.get(), feed: feed.get() }
}

fn relays([fan, pump]: [bool; 2], [ssr_z1, ssr_z2]: [bool; 2]) -> api::Relays {
    api::Relays { fan, pump, ssr_z1, ssr_z2 }
}

/// Wanted level: shown only where a level is measured.
fn target_fill(snapshot: &Snapshot) -> Option<f64> {
    snapshot.fill_level.and_then(|_| finite(snapshot.target_fill_level))
}

/// Duty by channel name, and the heater duties as `z1` and `z2`.
pub(crate) fn pwm(config: &Config, duties: &[f64], heaters: [f64; 2]) -> BTreeMap<String, f64> {
    let mut map: BTreeMap<String, f64> = config
        .pwm
        .channels
        .iter()
        .filter_map(|(name, &channel)| {
            duties.get(usize::from(channel)).map(|&duty| (name.clone(), duty))
        })
        .collect();
    for zone in Zone::ALL {
        map.insert(zone.name().to_owned(), heaters[zone.index()]);
    }
    map
}

/// The body of `GET /api/data`.
pub(crate) fn data(snapshot: &Snapshot) -> api::Data {
    api::Data {
        timestamp: snapshot.wall.secs(),
        temps: temps(snapshot.temps.to_array().map(|t| t.map(Celsius::get))),
        motors: motors(snapshot.motors.to_array()),
        relays: relays(snapshot.relays, snapshot.heater_on.to_array()),
        peltier_duty: snapshot.peltier.get(),
        fill_level: snapshot.fill_level.and_then(finite),
        target_fill_level: target_fill(snapshot),
        status: status(snapshot.status),
        mode: mode(snapshot.mode),
    }
}

fn active_alarm(record: &AlarmRecord) -> api::Alarm {
    api::Alarm {
        id: record.id,
        kind: record.code.name().to_owned(),
        severity: match record.code.row().severity() {
            Severity::Warning => api::AlarmSeverity::Warning,
            Severity::Critical => api::AlarmSeverity::Critical,
        },
        message: record.to_string(),
        timestamp: record.wall.secs(),
        acknowledged: record.acknowledged,
        cleared: record.cleared,
    }
}

/// A journal entry as the wire shows it.
#[derive(Serialize)]
struct PastAlarm<'a> {
    id: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    severity: &'a str,
    message: &'a str,
    timestamp: f64,
    acknowledged: bool,
    cleared: bool,
}

/// The body of `state.alarm_history`.
pub(crate) fn alarm_history(entries: &[JournalEntry]) -> Bytes {
    let past: Vec<_> = entries
        .iter()
        .map(|e| PastAlarm {
            id: e.id,
            kind: &e.kind,
            severity: &e.severity,
            message: &e.message,
            timestamp: e.timestamp,
            acknowledged: e.acknowledged,
            cleared: e.cleared,
        })
        .collect();
    json(&past).into()
}

/// `state` without `alarm_history`.
fn state(snapshot: &Snapshot, config: &Config, machine: &str, errors: &[String]) -> api::State {
    let [target_z1, target_z2] = snapshot.targets.to_array().map(Celsius::get);
    let [manual_duty_z1, manual_duty_z2] = snapshot.manual_duty.to_array().map(Duty::get);
    let heaters = snapshot.heater_duty.to_array().map(Duty::get);
    // The age of the newest sample, taken off the wall clock of the tick.
    let age = snapshot.now.since(snapshot.temps_at).secs();
    api::State {
        machine: machine.to_owned(),
        status: status(snapshot.status),
        mode: mode(snapshot.mode),
        active_alarms: snapshot.alarms.iter().map(active_alarm).collect(),
        target_z1,
        target_z2,
        manual_duty_z1,
        manual_duty_z2,
        heater_duty_z1: heaters[0],
        heater_duty_z2: heaters[1],
        temps: temps(snapshot.temps.to_array().map(|t| t.map(Celsius::get))),
        temps_timestamp: snapshot.wall.secs() - age,
        motors: motors(snapshot.motors.to_array()),
        motors_actual: motors(snapshot.motors_actual.to_array()),
        relays: relays(snapshot.relays, snapshot.heater_on.to_array()),
        pwm: pwm(config, &snapshot.pwm.map(Duty::get), heaters),
        peltier_duty: snapshot.peltier.get(),
        fill_level: snapshot.fill_level.and_then(finite),
        target_fill_level: target_fill(snapshot),
        seq_start_time: snapshot.sequence_started.map(tve_units::WallMillis::secs),
        autotune_status: snapshot.tune.status.name().to_owned(),
        autotune_cycle: u32::from(snapshot.tune.cycle),
        autotune_result: snapshot.tune.result.map(|r| api::AutotuneResult {
            kp: r.kp,
            ki: r.ki,
            kd: r.kd,
            method: r.method.name().to_owned(),
            zone: r.zone.name().to_owned(),
        }),
        config_errors: errors.to_vec(),
        alarm_history: None,
    }
}

/// `state` as JSON text; the history is kept as text, because it changes rarely and is long.
pub(crate) fn state_json(
    snapshot: &Snapshot,
    config: &Config,
    machine: &str,
    errors: &[String],
    alarm_history: &[u8],
) -> Vec<u8> {
    let mut text = json(&state(snapshot, config, machine, errors));
    // An object that serde wrote ends in its closing brace.
    text.pop();
    text.extend_from_slice(b",\"alarm_history\":");
    text.extend_from_slice(alarm_history);
    text.push(b'}');
    text
}

/// The body of `GET /api/status` from its two halves.
pub(crate) fn status_json(state: &[u8], config: &[u8]) -> Bytes {
    [b"{\"state\":", state, b",\"config\":", config, b"}"].concat().into()
}

/// The body of `GET /api/gpio`.
pub(crate) fn gpio(snapshot: &Snapshot, config: &Config) -> api::GpioStatus {
    let pin = |bcm: Bcm| {
        let view = snapshot.pins[bcm.index()];
        let owner = config.pins.owner_of(bcm).map(str::to_owned);
        api::GpioPin {
            name: owner.or_else(|| config.gpio_labels.get(&bcm).cloned()),
            mode: if view.output { api::PinDirection::Out } else { api::PinDirection::In },
            value: u8::from(view.high),
            pull_up_down: match view.pull {
                Pull::Up => api::PullName::Up,
                Pull::Down => api::PullName::Down,
                Pull::Off => api::PullName::Off,
            },
        }
    };
    let mut i2c_buses: Vec<u32> = [
        config.adc.enabled.then_some(config.adc.bus),
        config.pwm.enabled.then_some(config.pwm.bus),
    ]
    .into_iter()
    .flatten()
    .map(u32::from)
    .collect();
    i2c_buses.dedup();
    api::GpioStatus {
        success: true,
        status: Bcm::all().map(|bcm| (bcm.get().to_string(), pin(bcm))).collect(),
        i2c_buses,
    }
}

/// The body of `GET /api/permissives`.
pub(crate) fn permissives(permissives: &Permissives) -> api::Permissives {
    let left = permissives.cold_jog_turns_left;
    api::Permissives {
        granted: permissives.granted(),
        conditions: permissives
            .conditions
            .iter()
            .map(|c| api::Condition {
                name: c.kind.name().to_owned(),
                ok: c.ok,
                value: c.value.and_then(finite),
                limit: c.limit.and_then(finite),
                time_left_s: c.time_left_s.and_then(finite),
                refusal: c.kind.refusal().name().to_owned(),
            })
            .collect(),
        cold_jog_turns_left: api::ColdJog {
            main: left[Motor::Main.index()].and_then(finite),
            feed: left[Motor::Feed.index()].and_then(finite),
        },
    }
}

/// One element of `GET /api/history/sensors`.
pub(crate) fn history_sample(sample: &Sample, config: &Config) -> api::HistorySample {
    let temp = |sensor| sample.temp(sensor);
    let heaters = Zone::ALL.map(|zone| sample.heater_duty(zone));
    let [target_z1, target_z2] = Zone::ALL.map(|zone| sample.target(zone));
    api::HistorySample {
        t: sample.t_ms(),
        temps: temps(Sensor::ALL.map(temp)),
        relays: relays([sample.fan(), sample.pump()], Zone::ALL.map(|zone| sample.heater_on(zone))),
        motors: api::Motors { main: sample.rpm(Motor::Main), feed: sample.rpm(Motor::Feed) },
        pwm: pwm(config, &sample.pwm(), heaters),
        status: status(sample.status()),
        mode: mode(sample.mode()),
        target_z1,
        target_z2,
        heater_duty_z1: heaters[0],
        heater_duty_z2: heaters[1],
    }
}

/// The body of `GET /api/data` for a machine.
pub fn data_text(snapshot: &Snapshot) -> Vec<u8> {
    json(&data(snapshot))
}

/// The body of `GET /api/status` for a machine without alarm history; `config` is its public
/// configuration as JSON text.
pub fn status_text(
    snapshot: &Snapshot,
    settings: &Config,
    machine: &str,
    config: &[u8],
) -> Vec<u8> {
    status_json(&state_json(snapshot, settings, machine, &[], b"[]"), config).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use tve_units::{Micros, WallMillis};

    fn warm() -> Snapshot {
        let mut snapshot = Snapshot {
            now: Micros::from_secs(10),
            temps_at: Micros::from_millis(9_900),
            wall: WallMillis::new(1_700_000_000_250),
            temps: [23.5, 200.0, 210.25, 31.0].map(|t| Celsius::new(t).ok()).into(),
            targets: [200.0, 210.0].map(Celsius::clamped).into(),
            heater_duty: [40.0, 41.5].map(Duty::clamped).into(),
            heater_on: [true, false].into(),
            motors: [60.0, -5.0].map(Rpm::clamped).into(),
            relays: [true, false],
            fill_level: Some(42.0),
            target_fill_level: 50.0,
            ..Snapshot::default()
        };
        snapshot.pwm[2] = Duty::clamped(30.0);
        snapshot
    }

    #[test]
    fn data_has_the_fields_of_the_contract_and_no_others() {
        let body = serde_json::to_value(data(&warm())).unwrap();
        assert_eq!(
            body,
            json!({
                "timestamp": 1_700_000_000.25,
                "temps": {"t1": 23.5, "t2": 200.0, "t3": 210.25, "motor": 31.0},
                "motors": {"main": 60.0, "feed": -5.0},
                "relays": {"fan": true, "pump": false, "ssr_z1": true, "ssr_z2": false},
                "peltier_duty": 0.0,
                "fill_level": 42.0,
                "target_fill_level": 50.0,
                "status": "READY",
                "mode": "AUTO",
            })
        );
    }

    #[test]
    fn what_cannot_be_known_is_null() {
        let mut snapshot = warm();
        snapshot.temps[1] = None;
        snapshot.fill_level = None;
        let body = serde_json::to_value(data(&snapshot)).unwrap();
        assert_eq!(body["temps"]["t2"], Value::Null);
        assert_eq!(body["fill_level"], Value::Null);
        assert_eq!(body["target_fill_level"], Value::Null, "nothing to hold it against");
    }

    #[test]
    fn the_spliced_status_reads_back_as_its_type() {
        let config = Config::embedded();
        let history = br#"[{"id":7,"type":"COLD_ZONE","severity":"WARNING","message":"m",
            "timestamp":1.5,"acknowledged":true,"cleared":true}]"#;
        let errors = ["zz: unknown key".to_owned()];
        let state = state_json(&warm(), &config, "simulator", &errors, history);
        let text = status_json(&state, &json(&config.to_public_json()));
        let status: api::Status = serde_json::from_slice(&text).unwrap();
        assert_eq!(status.state.alarm_history.unwrap()[0].id, 7);
        assert_eq!(status.state.config_errors, errors);
        assert_eq!(status.state.pwm["pump"], 30.0);
        assert_eq!(status.state.pwm["z2"], 41.5);
        assert!((status.state.temps_timestamp - 1_700_000_000.15).abs() < 1e-6);
        assert_eq!(status.config["security"]["users"], Value::Null, "no secrets");
    }

    #[test]
    fn pins_show_their_owner_or_their_label() {
        let mut config = Config::embedded();
        let free = Bcm::all().find(|&p| !p.is_i2c() && config.pins.owner_of(p).is_none()).unwrap();
        config.gpio_labels.insert(free, "lamp".to_owned());
        let shown = gpio(&Snapshot::default(), &config);
        assert_eq!(shown.status.len(), Bcm::COUNT);
        assert_eq!(shown.status[&free.get().to_string()].name.as_deref(), Some("lamp"));
        let owned = config.pins.iter().find_map(|(name, pin)| pin.map(|p| (name, p))).unwrap();
        assert_eq!(shown.status[&owned.1.get().to_string()].name.as_deref(), Some(owned.0));
    }
}
