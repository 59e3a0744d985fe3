//! [`Tags`]: the rows with the names of one machine put to them.

use crate::row::{At, Category, Channel, Decimals, Kept, PWM_CHANNELS, Place, Subject, Value};
use crate::table::{Each, TAGS, Tag};
use std::collections::BTreeMap;
use std::sync::Arc;
use tve_config::{MachineConfig, Serves};
use tve_control::{AlarmCode, Snapshot};

/// Decimals of the temperature of a motor, and of all others, in a run file.
const MOTOR_DECIMALS: u8 = 1;
const TEMP_DECIMALS: u8 = 2;

/// The tags of one place in the replies, in the order in which they stand there.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Their keys; shared, so that a reply copies none.
    pub keys: Arc<[Box<str>]>,
    /// The tags.
    pub tags: Vec<Tag>,
}

/// A tag as its changes are told.
#[derive(Debug, Clone)]
pub struct Event {
    /// Category.
    pub category: Category,
    /// Key.
    pub key: Box<str>,
    /// The tag.
    pub tag: Tag,
}

/// A column of the run files.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Header.
    pub header: String,
    /// The tag, one of those that the recorder keeps.
    pub tag: Tag,
    /// Decimals; `None` for as many as the number needs.
    pub decimals: Option<u8>,
}

/// The tags of one machine by their names.
#[derive(Debug, Clone)]
pub struct Tags {
    machine: Arc<MachineConfig>,
    ids: Vec<(String, Tag)>,
    groups: [Group; Place::ALL.len()],
    events: Vec<Event>,
}

impl Tags {
    /// Those of `machine`.
    pub fn of(machine: Arc<MachineConfig>) -> Self {
        let named = |pattern: &str, each: &Each| {
            let named = instances(each, &machine).into_iter();
            named.map(|(name, tag)| (filled(pattern, &name), tag)).collect::<Vec<_>>()
        };
        let ids = TAGS.iter().flat_map(|row| named(row.pattern, &row.each)).collect();
        let groups = Place::ALL.map(|place| {
            let mut entries: Vec<(String, Tag)> = Vec::new();
            for row in TAGS {
                for (_, key) in row.drop_in.wire.iter().filter(|(at, _)| *at == place) {
                    entries.extend(named(key, &row.each));
                }
            }
            if place == Place::Pwm {
                // By name. A heater's duty is the zone's, whatever channel has its name.
                let rank = |tag: Tag| matches!(tag.subject(), Subject::Channel(_));
                entries.sort_by_key(|(_, tag)| rank(*tag));
                let mut by_name = BTreeMap::new();
                for (key, tag) in entries {
                    by_name.entry(key).or_insert(tag);
                }
                entries = by_name.into_iter().collect();
            }
            let (keys, tags): (Vec<Box<str>>, _) =
                entries.into_iter().map(|(key, tag)| (key.into_boxed_str(), tag)).unzip();
            Group { keys: keys.into(), tags }
        });
        let events = events(&groups);
        Self { machine, ids, groups, events }
    }

    /// The machine whose tags these are.
    pub const fn machine(&self) -> &Arc<MachineConfig> {
        &self.machine
    }

    /// Every tag with its id, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Tag)> {
        self.ids.iter().map(|(id, tag)| (id.as_str(), *tag))
    }

    /// The tag with an id.
    pub fn from_id(&self, id: &str) -> Option<Tag> {
        self.iter().find(|(known, _)| *known == id).map(|(_, tag)| tag)
    }

    /// What a tag says of a machine.
    #[inline]
    pub fn read(&self, tag: Tag, snapshot: &Snapshot) -> Value {
        tag.read(&At { snapshot, machine: &self.machine })
    }

    /// The tags of one place in the replies.
    pub const fn group(&self, place: Place) -> &Group {
        &self.groups[place as usize]
    }

    /// Everything that clients are told of, by category and key.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The labels of a tag in the page of metrics.
    pub fn labels(&self, tag: Tag) -> Vec<(&'static str, String)> {
        let machine = &self.machine;
        let own = |name: Option<&tve_machine::Name>| name.map(ToString::to_string);
        let (label, name) = match tag.subject() {
            Subject::Machine => return Vec::new(),
            Subject::Zone(zone) => ("zone", own(machine.zones.get(zone).map(|z| &z.name))),
            Subject::Sensor(sensor) => {
                ("sensor", own(machine.sensors.get(sensor).map(|s| &s.name)))
            }
            Subject::Motor(motor) => ("motor", own(machine.motors.get(motor).map(|m| &m.name))),
            Subject::Channel(channel) => ("channel", Some(channel.0.to_string())),
            Subject::Alarm(code) => {
                let reaction = code.row().reaction.name().replace(' ', "_").to_lowercase();
                return vec![("type", code.name().to_owned()), ("reaction", reaction)];
            }
        };
        vec![(label, name.unwrap_or_default())]
    }

    /// What the recorder keeps, in the order of the table: every channel of the PWM board, named or
    /// not, so that another name for one changes nothing.
    pub fn kept(&self) -> Vec<(Tag, Kept)> {
        let rows = TAGS.iter().filter_map(|row| Some((row, row.drop_in.kept?)));
        rows.flat_map(|(row, kept)| {
            self.recorded(&row.each).into_iter().map(move |tag| (tag, kept))
        })
        .collect()
    }

    /// The columns of a run file behind time and status.
    pub fn columns(&self) -> Vec<Column> {
        let mut columns = Vec::new();
        for row in TAGS {
            let Some(column) = row.drop_in.kept.and_then(|kept| kept.column) else { continue };
            for (i, (name, tag)) in instances(&row.each, &self.machine).into_iter().enumerate() {
                let original = column.original.get(i).filter(|_| self.machine.classic);
                let header = original.map_or_else(|| filled(column.header, &name), |h| (*h).into());
                let decimals = match column.decimals {
                    Decimals::Fixed(decimals) => Some(decimals),
                    Decimals::OfSensor => Some(self.decimals(tag)),
                    Decimals::Shortest => None,
                };
                columns.push(Column { header, tag, decimals });
            }
        }
        columns
    }

    fn decimals(&self, tag: Tag) -> u8 {
        let Subject::Sensor(sensor) = tag.subject() else { return TEMP_DECIMALS };
        match self.machine.sensors.get(sensor).map(|point| point.serves) {
            Some(Serves::Motor(_)) => MOTOR_DECIMALS,
            Some(Serves::Display | Serves::FeedThroat | Serves::Zone(_)) | None => TEMP_DECIMALS,
        }
    }

    fn recorded(&self, each: &Each) -> Vec<Tag> {
        match each {
            Each::Channel(of) => (0..PWM_CHANNELS as u8).map(|i| of(Channel(i))).collect(),
            Each::Machine(_)
            | Each::Zone(_)
            | Each::Sensor(_)
            | Each::Motor(_)
            | Each::Alarm(_) => {
                instances(each, &self.machine).into_iter().map(|(_, tag)| tag).collect()
            }
        }
    }
}

/// The tags of a row with the names of their subjects.
fn instances(each: &Each, machine: &MachineConfig) -> Vec<(String, Tag)> {
    match each {
        Each::Machine(tag) => vec![(String::new(), *tag)],
        Each::Zone(of) => {
            machine.zones.entries().map(|(id, zone)| (zone.name.to_string(), of(id))).collect()
        }
        Each::Sensor(of) => {
            machine.sensors.entries().map(|(id, point)| (point.name.to_string(), of(id))).collect()
        }
        Each::Motor(of) => {
            machine.motors.entries().map(|(id, motor)| (motor.name.to_string(), of(id))).collect()
        }
        Each::Channel(of) => {
            let named = machine.pwm.names.iter();
            named.map(|(name, &channel)| (name.clone(), of(Channel(channel)))).collect()
        }
        Each::Alarm(of) => AlarmCode::ALL
            .iter()
            .map(|&code| {
                // One name may stand for two alarms that differ in their reaction.
                let reaction = code.row().reaction.name().replace(' ', "_");
                (format!("{}.{reaction}", code.name()).to_lowercase(), of(code))
            })
            .collect(),
    }
}

/// `pattern` with `name` for the word in braces, in the case of that word: `{zone}`, `{Zone}` or
/// `{ZONE}`.
fn filled(pattern: &str, name: &str) -> String {
    let Some((before, rest)) = pattern.split_once('{') else { return pattern.to_owned() };
    let Some((word, after)) = rest.split_once('}') else { return pattern.to_owned() };
    let upper = |letter: Option<char>| letter.is_some_and(char::is_uppercase);
    let mut letters = word.chars();
    let (first, second) = (upper(letters.next()), upper(letters.next()));
    let name = match (first, second) {
        (true, true) => name.to_uppercase(),
        (true, false) => {
            let mut letters = name.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
        (false, _) => name.to_owned(),
    };
    format!("{before}{name}{after}")
}

fn events(groups: &[Group; Place::ALL.len()]) -> Vec<Event> {
    let mut events: Vec<Event> = Place::ALL
        .iter()
        .zip(groups)
        .filter_map(|(place, group)| Some((place.category()?, group)))
        .flat_map(|(category, group)| {
            let entries = group.keys.iter().zip(&group.tags);
            entries.map(move |(key, &tag)| Event { category, key: key.clone(), tag })
        })
        .collect();
    events.sort_by(|a, b| (a.category, &a.key).cmp(&(b.category, &b.key)));
    events
}
