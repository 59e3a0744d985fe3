//! TOML text to a [`Scenario`]: every key is known, every number in range, or the text is refused.

use crate::ScenarioError;
use crate::expectation::{Expectation, Kind, Span};
use crate::scenario::{Scenario, Timed};
use crate::what::What;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tve_config::Config;
use tve_control::{AlarmCode, RefusalCode, Status, TuneStatus, parse_named};
use tve_hal::Zone;
use tve_sim::Fault;
use tve_units::{Celsius, Micros};

/// Longest run, s: a day.
const MAX_DURATION: f64 = 86_400.0;
/// Room temperature, where a cold machine starts, °C.
const COLD_START: f64 = 23.0;
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
struct RawScenario {
    question: String,
    duration: f64,
    #[serde(default = "first_seed")]
    seed: u64,
    start_temp: Option<f64>,
    base: Option<String>,
    #[serde(default)]
    config: toml::Table,
    #[serde(default)]
    at: Vec<RawCommand>,
    #[serde(default)]
    fault: Vec<RawFault>,
    #[serde(default)]
    expect: Vec<toml::Table>,
}

const fn first_seed() -> u64 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommand {
    t: f64,
    command: String,
    value: Option<toml::Value>,
    refused: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFault {
    from: f64,
    until: Option<f64>,
    kind: String,
}

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

pub(crate) fn scenario(
    text: &str,
    base_text: impl FnOnce(&str) -> Result<String, ScenarioError>,
) -> Result<Scenario, ScenarioError> {
    let raw: RawScenario = toml::from_str(text).map_err(|error| {
        let place = error.span().map_or("scenario".to_owned(), |span| {
            let before = text.as_bytes().iter().take(span.start);
            format!("line {}", before.filter(|b| **b == b'\n').count() + 1)
        });
        ScenarioError::invalid(place, one_line(error.message()))
    })?;
    if raw.question.trim().is_empty() {
        let reason = "must say in one sentence what the scenario asks";
        return Err(ScenarioError::invalid("question", reason));
    }
    let duration = Clock(Micros::from_secs_f64(MAX_DURATION)).time("duration", raw.duration)?;
    if duration == Micros::ZERO {
        return Err(ScenarioError::invalid("duration", "must be above 0 s"));
    }
    let start = raw.start_temp.unwrap_or(COLD_START);
    let config = configuration(&raw, start, base_text)?;
    let clock = Clock(duration);
    let mut commands = raw
        .at
        .iter()
        .enumerate()
        .map(|(i, at)| command(&clock, &format!("at {}", i + 1), at))
        .collect::<Result<Vec<_>, _>>()?;
    commands.sort_by_key(|timed| timed.at);
    let faults = raw
        .fault
        .iter()
        .enumerate()
        .map(|(i, raw)| fault(&clock, &format!("fault {}", i + 1), raw))
        .collect::<Result<_, _>>()?;
    let expectations = raw
        .expect
        .into_iter()
        .enumerate()
        .map(|(i, table)| expectation(&clock, &format!("expect {}", i + 1), table))
        .collect::<Result<_, _>>()?;
    Ok(Scenario {
        question: raw.question.trim().to_owned(),
        duration,
        config,
        start_temp: Celsius::clamped(start),
        commands,
        faults,
        expectations,
    })
}

/// The configuration: a base, the scenario's own keys over it, seed and starting temperature.
fn configuration(
    raw: &RawScenario,
    start: f64,
    base_text: impl FnOnce(&str) -> Result<String, ScenarioError>,
) -> Result<Config, ScenarioError> {
    let mut value = match raw.base.as_deref() {
        None => Config::embedded().to_json(),
        Some(base) => {
            if base.is_empty() || base.contains(['/', '\\', '.']) {
                let reason = format!("must be the name of a file beside this one, not {base:?}");
                return Err(ScenarioError::invalid("base", reason));
            }
            serde_json::from_str(&base_text(base)?)
                .map_err(|error| ScenarioError::invalid("base", format!("{base}.json: {error}")))?
        }
    };
    let own = serde_json::to_value(&raw.config)
        .map_err(|error| ScenarioError::invalid("config", error.to_string()))?;
    merge(&mut value, own);
    merge(&mut value, json!({"plant": {"seed": raw.seed, "start_temp": start}}));
    Ok(Config::parse(&value.to_string())?)
}

/// Lays `over` upon `value`: objects key by key, everything else in place.
fn merge(value: &mut Value, over: Value) {
    match (value, over) {
        (Value::Object(map), Value::Object(over)) => {
            for (key, over) in over {
                merge(map.entry(key).or_insert(Value::Null), over);
            }
        }
        (value, over) => *value = over,
    }
}

/// Times of a run, which end with it.
struct Clock(Micros);

impl Clock {
    fn time(&self, place: &str, seconds: f64) -> Result<Micros, ScenarioError> {
        let end = self.0.secs();
        if (0.0..=end).contains(&seconds) {
            Ok(Micros::from_secs_f64(seconds))
        } else {
            let reason = format!("a time must be from 0 to {end} s, not {seconds}");
            Err(ScenarioError::invalid(place, reason))
        }
    }

    fn span(
        &self,
        place: &str,
        from: Option<f64>,
        until: Option<f64>,
    ) -> Result<Span, ScenarioError> {
        let span = Span {
            from: from.map_or(Ok(Micros::ZERO), |t| self.time(place, t))?,
            until: until.map_or(Ok(self.0), |t| self.time(place, t))?,
        };
        if span.from > span.until {
            let reason = format!("the span {span} ends before it begins");
            return Err(ScenarioError::invalid(place, reason));
        }
        Ok(span)
    }
}

fn command(clock: &Clock, place: &str, raw: &RawCommand) -> Result<Timed, ScenarioError> {
    let value = match &raw.value {
        None => Value::Null,
        Some(value) => serde_json::to_value(value)
            .map_err(|error| ScenarioError::invalid(place, error.to_string()))?,
    };
    let parsed = parse_named(&raw.command, &value);
    let refused = raw
        .refused
        .as_deref()
        .map(|name| {
            RefusalCode::ALL.iter().copied().find(|code| code.name() == name).ok_or_else(|| {
                ScenarioError::invalid(place, format!("no refusal is called {name:?}"))
            })
        })
        .transpose()?;
    // A command that can never be carried out is a slip of the author, unless they say so.
    if let (Err(refusal), None) = (&parsed, refused) {
        let reason = format!("{} is refused: {refusal}", raw.command);
        return Err(ScenarioError::invalid(place, reason));
    }
    let text = match &raw.value {
        None => raw.command.clone(),
        Some(_) => format!("{} {value}", raw.command),
    };
    Ok(Timed { at: clock.time(place, raw.t)?, text, command: parsed, refused })
}

fn fault(clock: &Clock, place: &str, raw: &RawFault) -> Result<Fault, ScenarioError> {
    let span = clock.span(place, Some(raw.from), raw.until)?;
    let kind = raw.kind.parse().map_err(|error: tve_sim::ParseFaultError| {
        ScenarioError::invalid(place, error.to_string())
    })?;
    Ok(Fault { kind, from: span.from, until: raw.until.map(|_| span.until) })
}

/// The table as a kind; an unknown or missing key is named.
fn read<T: DeserializeOwned>(place: &str, table: toml::Table) -> Result<T, ScenarioError> {
    table
        .try_into()
        .map_err(|error: toml::de::Error| ScenarioError::invalid(place, one_line(error.message())))
}

fn one_line(message: &str) -> String {
    message.trim().replace('\n', "; ")
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

fn expectation(
    clock: &Clock,
    place: &str,
    table: toml::Table,
) -> Result<Expectation, ScenarioError> {
    let what = |name: &str| {
        What::from_name(name).map_err(|sentence| ScenarioError::invalid(place, sentence))
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
            Zone::from_name(name)
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
    match value {
        toml::Value::Table(inner) => read(place, inner.clone()).map(Some),
        _ => Err(ScenarioError::invalid(place, format!("{key} must be a table"))),
    }
}
