//! What happens in which order at start, stop and emergency stop.

use crate::classic::classic_names;
use crate::field::{Choice, Flag, Leniency, Named, Scalar, Shape, Spec, choice, num};
use crate::issue::{Issue, join, shown, unknown};
use crate::section::{object, section};
use crate::sections::layout::MotorRole;
use core::fmt;
use serde_json::{Map, Value, json};
use tve_machine::{Name, Names};

/// What a step switches, as the file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName {
    /// The motor of this name; in the file with `_motor` behind it.
    Motor(Name),
    /// The fan relay.
    Fan,
    /// The pump relay.
    Pump,
}

/// What stands behind the name of a motor.
const MOTOR: &str = "_motor";

impl DeviceName {
    /// The device that a text of the file names; whether the machine has that motor is known to
    /// [`Config::validate`](crate::Config::validate).
    fn parse(text: &str) -> Option<Self> {
        match text {
            "fan" => Some(Self::Fan),
            "pump" => Some(Self::Pump),
            _ => text.strip_suffix(MOTOR).and_then(|name| Name::new(name).ok()).map(Self::Motor),
        }
    }

    /// Every device of a machine of these names.
    pub(crate) fn all(names: &Names) -> Vec<Self> {
        names.motors.iter().copied().map(Self::Motor).chain([Self::Fan, Self::Pump]).collect()
    }
}

impl fmt::Display for DeviceName {
    /// As in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Motor(name) => write!(f, "{name}{MOTOR}"),
            Self::Fan => f.write_str("fan"),
            Self::Pump => f.write_str("pump"),
        }
    }
}

choice! {
    /// What a step does with its device.
    #[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
    pub enum Action {
        /// Switch on.
        On = "on",
        /// Switch off.
        Off = "off",
    }
}

/// One step of a sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceStep {
    /// Which device.
    pub device: DeviceName,
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
    pub device: DeviceName,
    /// New action.
    pub action: Option<Action>,
    /// New delay, 0 to 3600 s.
    pub delay: Option<f64>,
    /// Whether the step is executed.
    pub enabled: Option<bool>,
}

/// What names a device, in words.
const DEVICES: &str = "\"fan\", \"pump\", or the name of a motor with \"_motor\" behind it";
/// Longest delay of a step in s.
const MAX_DELAY: f64 = 3600.0;
/// Longest list that a patch may hold: more entries than this are no sequence of six devices.
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

fn startup() -> Vec<SequenceStep> {
    ExtruderSequence::of(&CLASSIC).startup
}

fn shutdown() -> Vec<SequenceStep> {
    ExtruderSequence::of(&CLASSIC).shutdown
}

fn emergency() -> Vec<SequenceStep> {
    ExtruderSequence::of(&CLASSIC).emergency
}

/// The motors of the machine of two.
const CLASSIC: [(&str, MotorRole); 2] = [("main", MotorRole::Screw), ("feed", MotorRole::Feeder)];

/// Time from the screw's start to the feeder's, s.
const FEED_AFTER_SCREW: f64 = 2.0;
/// Time from the feeder's stop to the screw's, in which the barrel runs empty, s.
const SCREW_AFTER_FEED: f64 = 5.0;
/// Time to the puller's, which takes away what the screw still brings, s.
const PULLER_AFTER_FEED: f64 = 6.0;

impl ExtruderSequence {
    /// What a file with a list of motors leaves unsaid of its sequences. START: whatever draws the
    /// melt, then what feeds it, so that no standing barrel is filled. STOP: the other way round.
    /// Motors that are none of these are for the file to switch.
    pub(crate) fn of<N: AsRef<str>>(motors: &[(N, MotorRole)]) -> Self {
        let device = |name: &N| DeviceName::Motor(Name::new(name.as_ref()).unwrap_or_default());
        let of_role = |wanted: &'static [MotorRole]| {
            motors.iter().filter(|(_, r)| wanted.contains(r)).map(|(name, _)| device(name))
        };
        let draws = || of_role(&[MotorRole::Screw, MotorRole::Puller]);
        let screws = || of_role(&[MotorRole::Screw]);
        let pullers = || of_role(&[MotorRole::Puller]);
        let feeds = || of_role(&[MotorRole::Feeder]);
        let others = || of_role(&[MotorRole::Other]);
        let relays = || [DeviceName::Fan, DeviceName::Pump].into_iter();
        let step =
            |action, delay, enabled| move |device| SequenceStep { device, action, delay, enabled };
        Self {
            startup: (draws().map(step(Action::On, 0.0, true)))
                .chain(feeds().map(step(Action::On, FEED_AFTER_SCREW, true)))
                .chain(others().chain(relays()).map(step(Action::On, 0.0, false)))
                .collect(),
            shutdown: (feeds().map(step(Action::Off, 0.0, true)))
                .chain(screws().map(step(Action::Off, SCREW_AFTER_FEED, true)))
                .chain(pullers().map(step(Action::Off, PULLER_AFTER_FEED, true)))
                .chain(others().chain(relays()).map(step(Action::Off, 0.0, false)))
                .collect(),
            emergency: (feeds().chain(draws()).chain(others()).chain(relays()))
                .map(step(Action::Off, 0.0, true))
                .collect(),
            check_temp_before_start: true,
        }
    }

    /// Devices that a machine of these names does not have.
    pub(crate) fn check(&self, names: &Names, errors: &mut Vec<Issue>) {
        let known = DeviceName::all(names);
        for (list, steps) in [
            ("startup", &self.startup),
            ("shutdown", &self.shutdown),
            ("emergency", &self.emergency),
        ] {
            for (i, step) in steps.iter().enumerate().filter(|(_, s)| !known.contains(&s.device)) {
                let path = format!("extruder_sequence.{list}[{i}].device");
                let known: Vec<String> = known.iter().map(|d| format!("\"{d}\"")).collect();
                let reason =
                    format!("must be one of {}, not \"{}\"", known.join(", "), step.device);
                errors.push(Issue::new(path, reason));
            }
        }
    }
}

fn read_legacy(
    map: &Map<String, Value>,
    how: Leniency,
    path: &str,
    errors: &mut Vec<Issue>,
    patch: &mut ExtruderSequencePatch,
) {
    for (key, device, list) in [
        (START_DELAY_FEED, CLASSIC[1].0, &mut patch.startup),
        (STOP_DELAY_MOTOR, CLASSIC[0].0, &mut patch.shutdown),
    ] {
        let Some(value) = map.get(key) else { continue };
        let path = join(path, key);
        let Some(delay) = delay_spec().read(value, how, &path, errors) else {
            continue;
        };
        let steps = list.get_or_insert_default();
        let device = DeviceName::Motor(Name::new(device).unwrap_or_default());
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
        let Some(device) = device.as_str().and_then(DeviceName::parse) else {
            let reason = format!("must be {DEVICES}, not {}", shown(device));
            errors.push(Issue::new(join(&at, "device"), reason));
            return None;
        };
        let at = join(list, &device.to_string());
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
                    "device": step.device.to_string(),
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
                    "device": {"anyOf": [
                        {"enum": DeviceName::all(&classic_names()).iter().map(ToString::to_string).collect::<Vec<_>>()},
                        {"type": "string", "pattern": format!("^[a-z][a-z0-9_]*{MOTOR}$")},
                    ]},
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
