//! TOML text to a [`Scenario`]: every key is known, every number in range, or the text is refused.

mod clock;
mod expectation;

use crate::ScenarioError;
use crate::error::one_line;
use crate::scenario::{Scenario, Timed};
use clock::Clock;
use expectation::expectation;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tve_config::{Config, MachineConfig};
use tve_control::RefusalCode;
use tve_hal::Names;
use tve_sim::{Fault, FaultKind};
use tve_units::{Celsius, Micros};

/// Longest run, s: a day.
const MAX_DURATION: f64 = 86_400.0;
/// Room temperature, where a cold machine starts, °C.
const COLD_START: f64 = 23.0;
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

impl Scenario {
    /// Reads a scenario file. `base = "NAME"` means `NAME.json` in the same folder, or else in the
    /// folder `machines` beside a folder that it is in.
    ///
    /// # Errors
    /// When the file (or its base) cannot be read or is not a scenario; nothing is guessed.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = read(path)?;
        Self::parse(&text, |base| read(&base_file(path, base)))
    }

    /// Reads a scenario from its text; `base_text` gives the text of a named base configuration.
    ///
    /// # Errors
    /// When the text is not a scenario, or whatever `base_text` answers.
    pub fn parse(
        text: &str,
        base_text: impl FnOnce(&str) -> Result<String, ScenarioError>,
    ) -> Result<Self, ScenarioError> {
        scenario(text, base_text)
    }
}

/// Where the base of the scenario in the file `path` is.
fn base_file(path: &Path, base: &str) -> PathBuf {
    let name = format!("{base}.json");
    let beside = path.with_file_name(&name);
    if beside.is_file() {
        return beside;
    }
    // Without a current folder there is only the path as it was given.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let machine = |folder: &Path| folder.join("machines").join(&name);
    path.ancestors().skip(1).map(machine).find(|file| file.is_file()).unwrap_or(beside)
}

fn read(path: &Path) -> Result<String, ScenarioError> {
    std::fs::read_to_string(path)
        .map_err(|source| ScenarioError::Read { path: path.to_owned(), source })
}

fn scenario(
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
    let (clock, machine) = (Clock(duration), config.machine());
    let mut commands = raw
        .at
        .iter()
        .enumerate()
        .map(|(i, at)| command(&clock, &format!("at {}", i + 1), at, &machine.names))
        .collect::<Result<Vec<_>, _>>()?;
    commands.sort_by_key(|timed| timed.at);
    let faults = raw
        .fault
        .iter()
        .enumerate()
        .map(|(i, raw)| fault(&clock, &machine, &format!("fault {}", i + 1), raw))
        .collect::<Result<_, _>>()?;
    let expectations = raw
        .expect
        .into_iter()
        .enumerate()
        .map(|(i, table)| expectation(&clock, &machine, &format!("expect {}", i + 1), table))
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

fn command(
    clock: &Clock,
    place: &str,
    raw: &RawCommand,
    names: &Names,
) -> Result<Timed, ScenarioError> {
    let value = match &raw.value {
        None => Value::Null,
        Some(value) => serde_json::to_value(value)
            .map_err(|error| ScenarioError::invalid(place, error.to_string()))?,
    };
    let parsed = tve_control::parse_named(&raw.command, &value, names);
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

fn fault(
    clock: &Clock,
    machine: &MachineConfig,
    place: &str,
    raw: &RawFault,
) -> Result<Fault, ScenarioError> {
    let span = clock.span(place, Some(raw.from), raw.until)?;
    let kind = FaultKind::parse_on(&raw.kind, machine)
        .map_err(|error| ScenarioError::invalid(place, error.to_string()))?;
    Ok(Fault { kind, from: span.from, until: raw.until.map(|_| span.until) })
}
