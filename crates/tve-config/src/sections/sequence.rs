//! What happens in which order at start, stop and emergency stop.

use crate::field::{Choice, Flag, Leniency, Named, Scalar, Shape, Spec, choice, num};
use crate::issue::{Issue, join, shown, unknown};
use crate::section::{object, section};
use serde_json::{Map, Value, json};

choice! {
    /// A device of a sequence.
    #[derive(serde::Serialize, serde::Deserialize)]
    pub enum Device {
        /// The extruder screw.
        MainMotor = "main_motor",
        /// The feeder.
        FeedMotor = "feed_motor",
        /// The fan relay.
        Fan = "fan",
        /// The pump relay.
        Pump = "pump",
    }
}

choice! {
    /// What a step does with its device.
    #[derive(serde::Serialize, serde::Deserialize)]
    pub enum Action {
        /// Switch on.
        On = "on",
        /// Switch off.
        Off = "off",
    }
}

/// One step of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SequenceStep {
    /// Which device.
    pub device: Device,
    /// On or off.
    pub action: Action,
    /// Delay of the step, 0 to 3600 s.
    pub delay: f64,
    /// Whether the step is executed.
    pub enabled: bool,
}

/// Changes to the step of one device: what is `None` stays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepPatch {
    /// Which device.
    pub device: Device,
    /// New action.
    pub action: Option<Action>,
    /// New delay, 0 to 3600 s.
    pub delay: Option<f64>,
    /// Whether the step is executed.
    pub enabled: Option<bool>,
}

/// Longest delay of a step in s.
const MAX_DELAY: f64 = 3600.0;
/// Longest list that a patch may hold: more entries than this are no sequence of four devices.
const MAX_STEPS: usize = 64;

/// The keys of old files that set one delay.
const START_DELAY_FEED: &str = "start_delay_feed";
const STOP_DELAY_MOTOR: &str = "stop_delay_motor";

section! {
    /// The start, stop and emergency sequences. The old keys `start_delay_feed` and
    /// `stop_delay_motor` set the delay of the feeder's start and of the screw's stop.
    pub struct ExtruderSequence / ExtruderSequencePatch,
        derived ["start_delay_feed", "stop_delay_motor"], then read_legacy {
        /// Steps of START, one a device.
        startup: Vec<SequenceStep> as Vec<StepPatch> = startup(), Steps(Action::On);
        /// Steps of STOP, one a device.
        shutdown: Vec<SequenceStep> as Vec<StepPatch> = shutdown(), Steps(Action::Off);
        /// Steps of an emergency stop, one a device; they may only stop motors and start cooling.
        emergency: Vec<SequenceStep> as Vec<StepPatch> = emergency(), Steps(Action::Off);
        /// Kept for old clients: whatever it says, the temperature is checked.
        check_temp_before_start: bool = true, Flag;
    }
}

/// Screw first, so that the feeder never fills a standing barrel.
fn startup() -> Vec<SequenceStep> {
    steps(
        Action::On,
        [
            (Device::MainMotor, 0.0, true),
            (Device::FeedMotor, 2.0, true),
            (Device::Fan, 0.0, false),
            (Device::Pump, 0.0, false),
        ],
    )
}

/// Feeder first, so that the screw can empty the barrel.
fn shutdown() -> Vec<SequenceStep> {
    steps(
        Action::Off,
        [
            (Device::FeedMotor, 0.0, true),
            (Device::MainMotor, 5.0, true),
            (Device::Fan, 0.0, false),
            (Device::Pump, 0.0, false),
        ],
    )
}

fn emergency() -> Vec<SequenceStep> {
    let devices = [Device::FeedMotor, Device::MainMotor, Device::Fan, Device::Pump];
    steps(Action::Off, devices.map(|device| (device, 0.0, true)))
}

/// Steps of `(device, delay in s, enabled)`.
fn steps(action: Action, rows: [(Device, f64, bool); 4]) -> Vec<SequenceStep> {
    rows.into_iter()
        .map(|(device, delay, enabled)| SequenceStep { device, action, delay, enabled })
        .collect()
}

fn read_legacy(
    map: &Map<String, Value>,
    how: Leniency,
    path: &str,
    errors: &mut Vec<Issue>,
    patch: &mut ExtruderSequencePatch,
) {
    for (key, device, list) in [
        (START_DELAY_FEED, Device::FeedMotor, &mut patch.startup),
        (STOP_DELAY_MOTOR, Device::MainMotor, &mut patch.shutdown),
    ] {
        let Some(value) = map.get(key) else { continue };
        let path = join(path, key);
        let Some(delay) = delay_spec().read(value, how, &path, errors) else {
            continue;
        };
        let steps = list.get_or_insert_default();
        // First in the list: a delay in the list itself is the newer way to say it, and wins.
        let step = StepPatch { device, action: None, delay: Some(delay), enabled: None };
        steps.insert(0, step);
    }
}

fn delay_spec() -> crate::field::Num {
    num(0.0, MAX_DELAY, "s")
}

/// A list of steps, merged by device; the default action is that of a device not yet listed.
struct Steps(Action);

impl Steps {
    fn step(
        value: &Value,
        how: Leniency,
        list: &str,
        index: usize,
        errors: &mut Vec<Issue>,
    ) -> Option<StepPatch> {
        let at = format!("{list}[{index}]");
        let map = object(value, &at, errors)?;
        let Some(device) = map.get("device") else {
            errors.push(Issue::new(at, "a step needs a device"));
            return None;
        };
        let device: Device = Choice.read(device, how, &join(&at, "device"), errors)?;
        let at = join(list, device.name());
        let mut step = StepPatch { device, action: None, delay: None, enabled: None };
        let faults = errors.len();
        for (key, value) in map {
            let path = join(&at, key);
            match key.as_str() {
                "device" => {}
                "action" => step.action = Choice.read(value, how, &path, errors),
                "delay" => step.delay = delay_spec().read(value, how, &path, errors),
                "enabled" => step.enabled = Flag.read(value, how, &path, errors),
                _ => {
                    let known = ["device", "action", "delay", "enabled"];
                    errors.push(Issue::new(path, unknown("key", key, &known)));
                }
            }
        }
        (errors.len() == faults).then_some(step)
    }
}

impl Spec<Vec<SequenceStep>, Vec<StepPatch>> for Steps {
    fn read(
        &self,
        value: &Value,
        how: Leniency,
        path: &str,
        errors: &mut Vec<Issue>,
    ) -> Option<Vec<StepPatch>> {
        let Some(list) = value.as_array() else {
            errors.push(Issue::new(path, format!("must be a list of steps, not {}", shown(value))));
            return None;
        };
        if list.len() > MAX_STEPS {
            let reason = format!("must be at most {MAX_STEPS} steps, not {}", list.len());
            errors.push(Issue::new(path, reason));
            return None;
        }
        let steps = list
            .iter()
            .enumerate()
            .filter_map(|(i, step)| Self::step(step, how, path, i, errors))
            .collect();
        Some(steps)
    }

    fn merge(&self, current: &mut Vec<SequenceStep>, patch: &Vec<StepPatch>) {
        for change in patch {
            let known = current.iter().position(|step| step.device == change.device);
            let index = known.unwrap_or_else(|| {
                current.push(SequenceStep {
                    device: change.device,
                    action: self.0,
                    delay: 0.0,
                    enabled: true,
                });
                current.len() - 1
            });
            let step = &mut current[index];
            step.action = change.action.unwrap_or(step.action);
            step.delay = change.delay.unwrap_or(step.delay);
            step.enabled = change.enabled.unwrap_or(step.enabled);
        }
        // A list that names every device also says their order; a shorter one leaves it alone.
        let rank = |device| patch.iter().rposition(|change| change.device == device);
        if current.iter().all(|step| rank(step.device).is_some()) {
            current.sort_by_key(|step| rank(step.device));
        }
    }

    fn write(&self, value: &Vec<SequenceStep>) -> Value {
        value
            .iter()
            .map(|step| {
                json!({
                    "device": step.device.name(),
                    "action": step.action.name(),
                    "delay": step.delay,
                    "enabled": step.enabled,
                })
            })
            .collect()
    }

    fn shape(&self) -> Shape {
        let schema = json!({
            "type": "array",
            "maxItems": MAX_STEPS,
            "items": {
                "type": "object",
                "additionalProperties": false,
                "required": ["device"],
                "properties": {
                    "device": {"enum": Device::NAMES},
                    "action": {"enum": Action::NAMES},
                    "delay": delay_spec().describe().schema,
                    "enabled": {"type": "boolean"},
                },
            },
        });
        let range = format!("delay 0 to {MAX_DELAY} s; merged by device");
        Shape::new("list of {device, action, delay, enabled}", range, "", schema)
    }
}
