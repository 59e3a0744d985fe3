//! From the machine's own types to those of the wire.

use bytes::Bytes;
use serde::Serialize;
use tve_api as api;
use tve_config::Config;
use tve_control::{AlarmRecord, Mode, Severity, Snapshot, Status};
use tve_hal::Pull;
use tve_recorder::{JournalEntry, Layout, Sample, Samples};
use tve_tags::{Place, Tag, Tags, Value};
use tve_units::Bcm;

/// Bytes that what is polled takes without growing on the way: the state of a machine of two zones.
const USUAL_BODY: usize = 1536;

/// Serialises `value`. The types of the API cannot fail to: they hold no maps with other keys than
/// strings and no numbers that are not finite.
pub(crate) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut text = Vec::with_capacity(USUAL_BODY);
    match serde_json::to_writer(&mut text, value) {
        Ok(()) => text,
        Err(error) => {
            tracing::error!(%error, "a reply could not be serialised");
            b"null".to_vec()
        }
    }
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

/// The values of one place in a reply.
fn named<T>(
    tags: &Tags,
    place: Place,
    snapshot: &Snapshot,
    of: impl Fn(Value) -> T,
) -> api::Named<T> {
    let group = tags.group(place);
    api::Named::new(&group.keys, group.tags.iter().map(|tag| of(tags.read(*tag, snapshot))))
}

/// A number that is always known; zero for what the running machine does not have.
fn known(value: Value) -> f64 {
    value.number().unwrap_or_default()
}

/// Which setpoints wait for the screw, while one does.
fn held(snapshot: &Snapshot, tags: &Tags) -> Option<api::Named<bool>> {
    let some = snapshot.held.iter().any(|held| *held);
    some.then(|| named(tags, Place::MotorsHeld, snapshot, Value::is_on))
}

/// The body of `GET /api/data`.
pub(crate) fn data(snapshot: &Snapshot, tags: &Tags) -> api::Data {
    let number = |tag| tags.read(tag, snapshot).number();
    api::Data {
        timestamp: snapshot.wall.secs(),
        temps: named(tags, Place::Temps, snapshot, Value::number),
        motors: named(tags, Place::Motors, snapshot, known),
        relays: named(tags, Place::Relays, snapshot, Value::is_on),
        peltier_duty: snapshot.peltier.get(),
        fill_level: number(Tag::HopperLevel),
        target_fill_level: number(Tag::HopperTarget),
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
fn state(snapshot: &Snapshot, tags: &Tags, machine: &str, errors: &[String]) -> api::State {
    let number = |tag| tags.read(tag, snapshot).number();
    let known = |place| named(tags, place, snapshot, known);
    // The age of the newest sample, taken off the wall clock of the tick.
    let age = snapshot.now.since(snapshot.temps_at).secs();
    let zone =
        |zone| tags.machine().zones.get(zone).map_or_else(String::new, |z| z.name.to_string());
    api::State {
        machine: machine.to_owned(),
        status: status(snapshot.status),
        mode: mode(snapshot.mode),
        active_alarms: snapshot.alarms.iter().map(active_alarm).collect(),
        targets: known(Place::Targets),
        manual_duties: known(Place::ManualDuties),
        heater_duties: known(Place::HeaterDuties),
        temps: named(tags, Place::Temps, snapshot, Value::number),
        temps_timestamp: snapshot.wall.secs() - age,
        motors: known(Place::Motors),
        motors_actual: known(Place::MotorsActual),
        motors_held: held(snapshot, tags),
        relays: named(tags, Place::Relays, snapshot, Value::is_on),
        pwm: known(Place::Pwm),
        peltier_duty: snapshot.peltier.get(),
        fill_level: number(Tag::HopperLevel),
        target_fill_level: number(Tag::HopperTarget),
        seq_start_time: snapshot.sequence_started.map(tve_units::WallMillis::secs),
        autotune_status: snapshot.tune.status.name().to_owned(),
        autotune_cycle: u32::from(snapshot.tune.cycle),
        autotune_result: snapshot.tune.result.map(|r| api::AutotuneResult {
            kp: r.kp,
            ki: r.ki,
            kd: r.kd,
            method: r.method.name().to_owned(),
            zone: zone(r.zone),
        }),
        config_errors: errors.to_vec(),
        alarm_history: None,
    }
}

/// `state` as JSON text; the history is kept as text, because it changes rarely and is long.
pub(crate) fn state_json(
    snapshot: &Snapshot,
    tags: &Tags,
    machine: &str,
    errors: &[String],
    alarm_history: &[u8],
) -> Vec<u8> {
    let mut text = json(&state(snapshot, tags, machine, errors));
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
pub(crate) fn permissives(snapshot: &Snapshot, tags: &Tags) -> api::Permissives {
    let permissives = &snapshot.permissives;
    let left = permissives.cold_jog_turns_left.iter();
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
        cold_jog_turns_left: api::Named::new(
            &tags.group(Place::Motors).keys,
            left.map(|turns| turns.and_then(finite)),
        ),
        motors_held: held(snapshot, tags),
    }
}

/// Where the values of each place stand in a sample.
pub(crate) struct Places(Vec<Vec<Option<usize>>>);

impl Places {
    pub(crate) fn of(layout: &Layout, tags: &Tags) -> Self {
        let of = |place| {
            let tags = tags.group(place).tags.iter();
            tags.map(|tag| layout.index(*tag)).collect::<Vec<_>>()
        };
        Self(Place::ALL.map(of).into())
    }
}

/// Appends the elements of `GET /api/history/sensors` that show `samples`, with commas between them.
pub(crate) fn history(samples: &Samples, tags: &Tags, places: &Places, text: &mut Vec<u8>) {
    for (i, sample) in samples.iter().enumerate() {
        if i > 0 {
            text.push(b',');
        }
        if let Err(error) =
            serde_json::to_writer(&mut *text, &history_sample(&sample, tags, &places.0))
        {
            tracing::error!(%error, "a sample could not be serialised");
            text.extend_from_slice(b"null");
        }
    }
}

/// The values of one place in a sample.
fn past<T>(
    tags: &Tags,
    place: Place,
    sample: &Sample<'_>,
    places: &[Vec<Option<usize>>],
    of: impl Fn(Option<f64>) -> T,
) -> api::Named<T> {
    let values = places.get(place as usize).into_iter().flatten();
    let values = values.map(|index| of(index.and_then(|index| sample.value(index))));
    api::Named::new(&tags.group(place).keys, values)
}

fn history_sample(
    sample: &Sample<'_>,
    tags: &Tags,
    places: &[Vec<Option<usize>>],
) -> api::HistorySample {
    let known = |place| past(tags, place, sample, places, Option::unwrap_or_default);
    api::HistorySample {
        t: sample.t_ms(),
        temps: past(tags, Place::Temps, sample, places, |value| value),
        relays: past(tags, Place::Relays, sample, places, |on| on.is_some_and(|on| on > 0.0)),
        motors: known(Place::Motors),
        pwm: known(Place::Pwm),
        status: status(sample.status()),
        mode: mode(sample.mode()),
        targets: known(Place::Targets),
        heater_duties: known(Place::HeaterDuties),
    }
}

/// The body of `GET /api/data` for a machine.
pub fn data_text(snapshot: &Snapshot, tags: &Tags) -> Vec<u8> {
    json(&data(snapshot, tags))
}

/// The body of `GET /api/status` for a machine without alarm history; `config` is its public
/// configuration as JSON text.
pub fn status_text(snapshot: &Snapshot, tags: &Tags, machine: &str, config: &[u8]) -> Vec<u8> {
    status_json(&state_json(snapshot, tags, machine, &[], b"[]"), config).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use tve_hal::Sensor;
    use tve_units::{Celsius, Duty, Micros, Rpm, WallMillis};

    fn tags() -> Tags {
        Tags::of(Config::embedded().machine())
    }

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
        let body = serde_json::to_value(data(&warm(), &tags())).unwrap();
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
    fn a_machine_of_four_zones_shows_each_of_them_by_its_name() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/machines/four-zone.json");
        let config = Config::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        let tags = Tags::of(config.machine());
        let machine = tags.machine();
        let snapshot = Snapshot {
            temps: machine.sensors.map(|id, _| Celsius::new(20.0 + id.index() as f64).ok()),
            targets: machine.zones.map(|id, _| Celsius::clamped(200.0 + id.index() as f64)),
            heater_duty: machine.zones.map(|id, _| Duty::clamped(10.0 + id.index() as f64)),
            heater_on: machine.zones.map(|id, _| id.index() == 3),
            motors: [60.0, 12.5].map(Rpm::clamped).into(),
            ..Snapshot::default()
        };
        let body: Value = serde_json::from_slice(&data_text(&snapshot, &tags)).unwrap();
        assert_eq!(body["motors"], json!({"main": 60.0, "puller": 12.5}));
        assert_eq!(body["relays"]["ssr_z4"], json!(true));
        assert_eq!(body["temps"]["cabinet"], json!(26.0));
        let text = state_json(&snapshot, &tags, "simulator", &[], b"[]");
        let state: api::State = serde_json::from_slice(&text).unwrap();
        assert_eq!(state.targets.get("target_z4"), Some(&203.0));
        assert_eq!(state.pwm.get("z3"), Some(&12.0));
        let figures = crate::metrics::machine_text(&snapshot, &tags);
        assert!(figures.contains("tve_target_celsius{zone=\"z4\"} 203\n"), "{figures}");
        assert!(figures.contains("tve_motor_setpoint_rpm{motor=\"puller\"} 12.5\n"), "{figures}");
    }

    #[test]
    fn what_cannot_be_known_is_null() {
        let mut snapshot = warm();
        snapshot.temps[Sensor::at(1)] = None;
        snapshot.fill_level = None;
        let body = serde_json::to_value(data(&snapshot, &tags())).unwrap();
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
        let state = state_json(&warm(), &tags(), "simulator", &errors, history);
        let text = status_json(&state, &json(&config.to_public_json()));
        let status: api::Status = serde_json::from_slice(&text).unwrap();
        assert_eq!(status.state.alarm_history.unwrap()[0].id, 7);
        assert_eq!(status.state.config_errors, errors);
        assert_eq!(status.state.pwm.get("pump"), Some(&30.0));
        assert_eq!(status.state.pwm.get("z2"), Some(&41.5));
        assert_eq!(status.state.targets.get("target_z2"), Some(&210.0));
        assert_eq!(status.state.targets.iter().count(), 2, "the level is no target of a zone");
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
