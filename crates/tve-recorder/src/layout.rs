//! [`Layout`]: what of one machine is kept, and where in a row, a run file and a history sample it
//! stands. Made of the table of tags once, when the recorder starts.

use crate::row::Row;
use std::sync::Arc;
use tve_config::MachineConfig;
use tve_control::{Mode, Snapshot, Status};
use tve_tags::{Form, MAX_KEPT, Tag, Tags};
use tve_units::WallMillis;

/// Steps of a value of [`Form::Hundredths`] and of [`Form::Halves`] in one.
const HUNDREDTHS: f64 = 100.0;
const HALVES: f64 = 2.0;

/// Where a sample of the history has its label, status and mode; values follow.
const STATUS: usize = size_of::<i64>();
const MODE: usize = STATUS + 1;
const HEAD: usize = MODE + 1;

/// A kept value and its place in a sample of the history.
#[derive(Debug, Clone, Copy)]
struct Slot {
    tag: Tag,
    form: Form,
    at: usize,
    bit: u8,
}

/// A column of a run file behind time and status.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Index of the value.
    pub(crate) value: usize,
    /// Decimals; `None` for as many as the number needs.
    pub(crate) decimals: Option<u8>,
}

/// What of one machine is kept.
#[derive(Debug)]
pub struct Layout {
    tags: Tags,
    slots: Vec<Slot>,
    stride: usize,
    header: String,
    columns: Vec<Column>,
    temperatures: Vec<usize>,
    zones: Vec<usize>,
}

impl Layout {
    /// That of `machine`.
    pub fn of(machine: &Arc<MachineConfig>) -> Self {
        let tags = Tags::of(Arc::clone(machine));
        let (slots, stride) = placed(&tags);
        let index = |tag: Tag| slots.iter().position(|slot| slot.tag == tag);
        let mut header = String::from("Timestamp,Time_Str,Status");
        let mut columns = Vec::new();
        for column in tags.columns() {
            // Every column is one of what is kept; the table has them in one field.
            let Some(value) = index(column.tag) else { continue };
            header.push(',');
            header.push_str(&column.header);
            columns.push(Column { value, decimals: column.decimals });
        }
        header.push_str("\r\n");
        let temperature = |sensor| index(Tag::SensorTemperature(sensor));
        let temperatures = machine.sensors.ids().filter_map(temperature).collect();
        let zones = machine.zones.iter().filter_map(|zone| temperature(zone.sensor)).collect();
        Self { tags, slots, stride, header, columns, temperatures, zones }
    }

    /// The place of a tag among the values; `None` when it is not kept.
    pub fn index(&self, tag: Tag) -> Option<usize> {
        self.slots.iter().position(|slot| slot.tag == tag)
    }

    /// The tags of the machine.
    pub const fn tags(&self) -> &Tags {
        &self.tags
    }

    /// First line of a run file, with its line end.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The columns of a run file behind time and status.
    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The values that are temperatures of sensors.
    pub(crate) fn temperatures(&self) -> &[usize] {
        &self.temperatures
    }

    /// The values that are temperatures of heated zones.
    pub(crate) fn zones(&self) -> &[usize] {
        &self.zones
    }

    /// The tags that are kept, in the order of the values.
    pub(crate) fn kept(&self) -> impl Iterator<Item = Tag> {
        self.slots.iter().map(|slot| slot.tag)
    }

    /// The row of a published snapshot.
    pub fn row(&self, snapshot: &Snapshot) -> Row {
        let mut values = [0.0; MAX_KEPT];
        for (value, tag) in values.iter_mut().zip(self.kept()) {
            *value = self.tags.read(tag, snapshot).number().unwrap_or(f64::NAN);
        }
        let Snapshot { now, wall, status, mode, .. } = *snapshot;
        Row { now, wall, status, mode, values }
    }

    /// Bytes of a sample of the history.
    pub(crate) const fn stride(&self) -> usize {
        self.stride
    }

    /// Appends the sample of `row`.
    pub(crate) fn pack(&self, row: &Row, to: &mut Vec<u8>) {
        let start = to.len();
        to.resize(start + self.stride, 0);
        let sample = &mut to[start..];
        sample[..STATUS].copy_from_slice(&row.wall.get().to_le_bytes());
        sample[STATUS] = row.status as u8;
        sample[MODE] = u8::from(row.mode == Mode::Manual);
        for (slot, value) in self.slots.iter().zip(row.values) {
            let at = slot.at;
            match slot.form {
                Form::Single => {
                    sample[at..at + 4].copy_from_slice(&(value as f32).to_le_bytes());
                }
                Form::Hundredths => {
                    let steps = (value * HUNDREDTHS).round() as u16;
                    sample[at..at + 2].copy_from_slice(&steps.to_le_bytes());
                }
                Form::Halves => sample[at] = (value * HALVES).round() as u8,
                Form::Bit => sample[at] |= u8::from(value > 0.0) << slot.bit,
            }
        }
    }

    /// A value of a sample; `None` when it was not known.
    pub(crate) fn value(&self, sample: &[u8], index: usize) -> Option<f64> {
        let slot = self.slots.get(index)?;
        let bytes = sample.get(slot.at..)?;
        match slot.form {
            Form::Single => Some(f32::from_le_bytes(*bytes.first_chunk()?)).and_then(tidy),
            Form::Hundredths => {
                Some(f64::from(u16::from_le_bytes(*bytes.first_chunk()?)) / HUNDREDTHS)
            }
            Form::Halves => Some(f64::from(*bytes.first()?) / HALVES),
            Form::Bit => Some(f64::from(*bytes.first()? >> slot.bit & 1)),
        }
    }
}

/// Wall-clock label of a sample.
pub(crate) fn label(sample: &[u8]) -> WallMillis {
    WallMillis::new(sample.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes)))
}

/// Status of a sample.
pub(crate) fn status(sample: &[u8]) -> Status {
    let place = sample.get(STATUS).copied().unwrap_or_default();
    Status::ALL.get(usize::from(place)).copied().unwrap_or_default()
}

/// Mode of a sample.
pub(crate) fn mode(sample: &[u8]) -> Mode {
    if sample.get(MODE).is_some_and(|manual| *manual != 0) { Mode::Manual } else { Mode::Auto }
}

/// The number that was stored, without the digits that single precision adds to it.
fn tidy(x: f32) -> Option<f64> {
    // Singles of our ranges (10,000 °C, 5000 rpm) are at most 0.0005 apart.
    const STEPS: f64 = 1000.0;
    x.is_finite().then(|| (f64::from(x) * STEPS).round() / STEPS)
}

/// Gives each kept value its place: what takes whole bytes first, then the bits.
fn placed(tags: &Tags) -> (Vec<Slot>, usize) {
    let mut end = HEAD;
    let mut bits: u8 = 0;
    let mut slots: Vec<Slot> = Vec::with_capacity(MAX_KEPT);
    for (tag, kept) in tags.kept() {
        let size = match kept.form {
            Form::Single => 4,
            Form::Hundredths => 2,
            Form::Halves => 1,
            Form::Bit => 0,
        };
        slots.push(Slot { tag, form: kept.form, at: end, bit: 0 });
        end += size;
    }
    for slot in slots.iter_mut().filter(|slot| slot.form == Form::Bit) {
        slot.at = end + usize::from(bits / 8);
        slot.bit = bits % 8;
        bits += 1;
    }
    (slots, end + usize::from(bits).div_ceil(8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::layout;
    use tve_machine::{Motor, Sensor, Zone};
    use tve_tags::Channel;
    use tve_units::{Celsius, Duty, Micros, Rpm};

    #[test]
    fn a_row_shows_published_temperatures_setpoints_and_duties_in_force() {
        let mut snapshot = Snapshot {
            now: Micros::from_secs(7),
            wall: WallMillis::new(1234),
            status: Status::Running,
            mode: Mode::Manual,
            temps: [Some(Celsius::clamped(20.5)), None, Some(Celsius::clamped(180.0)), None].into(),
            targets: [Celsius::clamped(210.0), Celsius::ZERO].into(),
            manual_duty: [Duty::clamped(1.0), Duty::clamped(2.0)].into(),
            heater_duty: [Duty::clamped(40.0), Duty::clamped(50.0)].into(),
            heater_on: [false, true].into(),
            motors: [Rpm::clamped(10.0), Rpm::clamped(-5.0)].into(),
            motors_actual: [Rpm::clamped(3.0), Rpm::ZERO].into(),
            relays: [true, false],
            ..Snapshot::default()
        };
        snapshot.pwm[15] = Duty::FULL;
        let layout = layout();
        let row = layout.row(&snapshot);
        let by = |tag| row.value(layout.index(tag).unwrap());
        let each = |tags: &[Tag]| tags.iter().map(|tag| by(*tag)).collect::<Vec<_>>();
        let temps: Vec<_> = (0..4).map(|i| Tag::SensorTemperature(Sensor::at(i))).collect();
        assert_eq!(each(&temps), [Some(20.5), None, Some(180.0), None]);
        let zones = |of: fn(Zone) -> Tag| each(&[of(Zone::at(0)), of(Zone::at(1))]);
        assert_eq!(zones(Tag::ZoneTarget), [Some(210.0), Some(0.0)]);
        assert_eq!(zones(Tag::ZoneDuty), [Some(40.0), Some(50.0)]);
        assert_eq!(zones(Tag::ZoneHeaterOn), [Some(0.0), Some(1.0)]);
        let motors = [Motor::at(0), Motor::at(1)].map(Tag::MotorSetpoint);
        assert_eq!(each(&motors), [Some(10.0), Some(-5.0)]);
        assert_eq!(each(&[Tag::Fan, Tag::Pump]), [Some(1.0), Some(0.0)]);
        let channels = [14, 15].map(|i| Tag::PwmDuty(Channel(i)));
        assert_eq!(each(&channels), [Some(0.0), Some(100.0)]);
        assert_eq!((row.now, row.wall), (snapshot.now, snapshot.wall));
        assert_eq!((row.status, row.mode), (snapshot.status, snapshot.mode));
    }
}
