//! An `[[expect]]` table to an [`Expectation`].

use super::clock::Clock;
use crate::ScenarioError;
use crate::error::one_line;
use crate::expectation::{Expectation, Kind};
use crate::what::What;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tve_config::MachineConfig;
use tve_control::{AlarmCode, Status, TuneStatus};

/// Half-width of the band of `settled`, °C.
const SETTLED_BAND: f64 = 0.5;
/// When a zone must have settled after the start, s: 20 minutes.
const SETTLED_BY: f64 = 1200.0;
/// Overshoot that is tolerated, °C.
const OVERSHOOT_MAX: f64 = 2.0;
/// Every status of a tune.
const TUNE_STATUSES: [TuneStatus; 6] = [
    TuneStatus::Idle,
    TuneStatus::Starting,
    TuneStatus::Heating,
    TuneStatus::Cooling,
    TuneStatus::Done,
    TuneStatus::Failed,
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRange {
    what: String,
    from: Option<f64>,
    until: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStatus {
    status: String,
    at: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTune {
    tune: String,
    at: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAlarm {
    alarm: String,
    zone: Option<String>,
    after: f64,
    within: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNoAlarm {
    no_alarm: bool,
    from: Option<f64>,
    until: Option<f64>,
    #[serde(default)]
    except: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHeatersOff {
    heaters_off: bool,
    from: Option<f64>,
    until: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMotorsStopped {
    motors_stopped: bool,
    from: Option<f64>,
    until: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettled {
    what: String,
    target: f64,
    band: Option<f64>,
    by: Option<f64>,
    until: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOvershoot {
    what: String,
    target: f64,
    max: Option<f64>,
    from: Option<f64>,
    until: Option<f64>,
}

/// The table as a kind; an unknown or missing key is named.
fn read<T: DeserializeOwned>(place: &str, table: toml::Table) -> Result<T, ScenarioError> {
    table
        .try_into()
        .map_err(|error: toml::de::Error| ScenarioError::invalid(place, one_line(error.message())))
}

fn must_be_true(place: &str, key: &str, value: bool) -> Result<(), ScenarioError> {
    if value {
        Ok(())
    } else {
        Err(ScenarioError::invalid(
            place,
            format!("{key} must be true; leave the table out to expect nothing"),
        ))
    }
}

fn alarm_name(place: &str, name: &str) -> Result<&'static str, ScenarioError> {
    AlarmCode::ALL
        .iter()
        .map(|code| code.name())
        .find(|known| *known == name)
        .ok_or_else(|| ScenarioError::invalid(place, format!("no alarm is called {name:?}")))
}

pub(super) fn expectation(
    clock: &Clock,
    machine: &MachineConfig,
    place: &str,
    table: toml::Table,
) -> Result<Expectation, ScenarioError> {
    let what = |name: &str| {
        What::from_name(name, machine).map_err(|sentence| ScenarioError::invalid(place, sentence))
    };
    let kind = if table.contains_key("what") {
        let raw: RawRange = read(place, table)?;
        Kind::Range {
            what: what(&raw.what)?,
            span: clock.span(place, raw.from, raw.until)?,
            min: raw.min,
            max: raw.max,
        }
    } else if table.contains_key("status") {
        let raw: RawStatus = read(place, table)?;
        let status = Status::ALL.into_iter().find(|s| s.name() == raw.status);
        Kind::Status {
            status: status.ok_or_else(|| {
                ScenarioError::invalid(place, format!("no status is called {:?}", raw.status))
            })?,
            at: clock.time(place, raw.at)?,
        }
    } else if table.contains_key("alarm") {
        let raw: RawAlarm = read(place, table)?;
        let zone = raw.zone.as_deref().map(|name| {
            machine
                .zone_named(name)
                .map(|zone| (zone, machine.zones[zone].name))
                .ok_or_else(|| ScenarioError::invalid(place, format!("no zone is called {name:?}")))
        });
        Kind::Alarm {
            code: alarm_name(place, &raw.alarm)?,
            zone: zone.transpose()?,
            after: clock.time(place, raw.after)?,
            within: clock.time(place, raw.within)?,
        }
    } else if table.contains_key("no_alarm") {
        let raw: RawNoAlarm = read(place, table)?;
        must_be_true(place, "no_alarm", raw.no_alarm)?;
        let except = raw.except.iter().map(|name| alarm_name(place, name));
        Kind::NoAlarm {
            span: clock.span(place, raw.from, raw.until)?,
            except: except.collect::<Result<_, _>>()?,
        }
    } else if table.contains_key("heaters_off") {
        let raw: RawHeatersOff = read(place, table)?;
        must_be_true(place, "heaters_off", raw.heaters_off)?;
        Kind::HeatersOff { span: clock.span(place, raw.from, raw.until)? }
    } else if table.contains_key("motors_stopped") {
        let raw: RawMotorsStopped = read(place, table)?;
        must_be_true(place, "motors_stopped", raw.motors_stopped)?;
        Kind::MotorsStopped { span: clock.span(place, raw.from, raw.until)? }
    } else if table.contains_key("tune") {
        let raw: RawTune = read(place, table)?;
        let status = TUNE_STATUSES.into_iter().find(|s| s.name() == raw.tune);
        Kind::Tune {
            status: status.ok_or_else(|| {
                ScenarioError::invalid(place, format!("no tune status is called {:?}", raw.tune))
            })?,
            at: clock.time(place, raw.at)?,
        }
    } else if let Some(raw) = nested::<RawSettled>(place, "settled", &table)? {
        let by = raw.by.unwrap_or(SETTLED_BY);
        Kind::Settled {
            what: what(&raw.what)?,
            target: raw.target,
            band: raw.band.unwrap_or(SETTLED_BAND),
            span: clock.span(place, Some(by), raw.until)?,
        }
    } else if let Some(raw) = nested::<RawOvershoot>(place, "overshoot", &table)? {
        Kind::Overshoot {
            what: what(&raw.what)?,
            target: raw.target,
            max: raw.max.unwrap_or(OVERSHOOT_MAX),
            span: clock.span(place, raw.from, raw.until)?,
        }
    } else {
        let keys: Vec<_> = table.keys().map(String::as_str).collect();
        return Err(ScenarioError::invalid(
            place,
            format!(
                "needs one of what, status, alarm, no_alarm, heaters_off, motors_stopped, \
                 settled, overshoot, tune; it has {}",
                keys.join(", ")
            ),
        ));
    };
    Ok(Expectation(kind))
}

/// The table under `key`, when there is one; nothing may stand beside it.
fn nested<T: DeserializeOwned>(
    place: &str,
    key: &str,
    table: &toml::Table,
) -> Result<Option<T>, ScenarioError> {
    let Some(value) = table.get(key) else {
        return Ok(None);
    };
    if let Some(other) = table.keys().find(|k| *k != key) {
        let reason = format!("unknown field `{other}`, {key} stands alone");
        return Err(ScenarioError::invalid(place, reason));
    }
    match value.as_table() {
        Some(inner) => read(place, inner.clone()).map(Some),
        None => Err(ScenarioError::invalid(place, format!("{key} must be a table"))),
    }
}
