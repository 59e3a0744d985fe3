//! Claims about the history: how far it reaches, what it keeps, what survives decimation.

use super::*;
use crate::testing;
use tve_control::Snapshot;
use tve_machine::{Motor, PerSensor, Sensor, Zone};
use tve_tags::{Channel, Tag};
use tve_units::{Celsius, Duty, Rpm, WallMillis};

fn temps(t_s: i64, temps: [Option<f64>; 4]) -> Row {
    testing::row(Micros::ZERO, WallMillis::new(t_s * 1000), temps)
}

fn sample(t_s: i64, z1: f64, z2: f64) -> Row {
    temps(t_s, [Some(20.0), Some(z1), Some(z2), Some(30.0)])
}

fn empty() -> History {
    History::new(testing::layout())
}

fn filled(n: i64) -> History {
    let mut history = empty();
    for t in 0..n {
        history.push(&sample(t, 200.0 + (t % 7) as f64 * 0.1, 180.0));
    }
    history
}

impl History {
    /// The samples of a selection.
    pub(crate) fn all(&self, selection: &Selection) -> Samples {
        self.samples(selection, 0, usize::MAX)
    }
}

fn temp(sample: &Sample<'_>, sensor: usize) -> Option<f64> {
    let tag = Tag::SensorTemperature(Sensor::at(sensor));
    sample.value(sample.layout.index(tag).unwrap())
}

fn labels(samples: &Samples) -> Vec<i64> {
    samples.iter().map(|s| s.t_ms()).collect()
}

#[test]
fn a_sample_takes_64_bytes_and_keeps_what_the_charts_show() {
    let layout = testing::layout();
    assert!(layout.stride() <= 64);
    let mut snapshot = Snapshot {
        temps: [None, Celsius::new(210.55).ok(), None, None].into(),
        heater_duty: [33.33, 100.0].map(Duty::clamped).into(),
        relays: [false, true],
        heater_on: [true, false].into(),
        motors: [12.5, -3.0].map(Rpm::clamped).into(),
        mode: Mode::Manual,
        status: Status::Running,
        ..Snapshot::default()
    };
    snapshot.pwm[3] = Duty::clamped(62.5);
    let mut history = empty();
    history.push(&layout.row(&snapshot));
    let samples = history.all(&history.newest(1));
    let s = samples.iter().next().unwrap();
    let by = |tag| s.value(layout.index(tag).unwrap());
    let zones = |of: fn(Zone) -> Tag| [0, 1].map(|i| by(of(Zone::at(i))).unwrap());
    assert_eq!((temp(&s, 0), temp(&s, 1)), (None, Some(210.55)));
    assert_eq!(zones(Tag::ZoneDuty), [33.33, 100.0]);
    assert_eq!((by(Tag::Fan), by(Tag::Pump)), (Some(0.0), Some(1.0)));
    assert_eq!(zones(Tag::ZoneHeaterOn), [1.0, 0.0]);
    assert_eq!([0, 1].map(|i| by(Tag::MotorSetpoint(Motor::at(i))).unwrap()), [12.5, -3.0]);
    assert_eq!(by(Tag::PwmDuty(Channel(3))), Some(62.5));
    assert_eq!((s.mode(), s.status()), (Mode::Manual, Status::Running));
}

#[test]
fn the_lowest_and_highest_of_each_of_four_zones_survive_decimation() {
    let layout = testing::four_zones();
    let mut history = History::new(Arc::clone(&layout));
    let at = |t: i64, zone: usize, celsius: f64| {
        let wall = WallMillis::new(t * 1000);
        let temps = PerSensor::from_fn(7, |sensor| {
            Celsius::new(if sensor.index() == zone + 1 { celsius } else { 200.0 }).ok()
        });
        layout.row(&Snapshot { wall, temps, ..Snapshot::default() })
    };
    for t in 0..1000 {
        history.push(&match t {
            500..504 => at(t, t as usize - 500, 263.0),
            600..604 => at(t, t as usize - 600, 120.0),
            _ => at(t, 0, 200.0),
        });
    }
    let shown = history.all(&history.since(0, 80));
    assert!(shown.len() <= 80, "{}", shown.len());
    for zone in 0..4 {
        assert!(shown.iter().any(|s| temp(&s, zone + 1) == Some(263.0)), "peak of {zone}");
        assert!(shown.iter().any(|s| temp(&s, zone + 1) == Some(120.0)), "dip of {zone}");
    }
    assert_eq!(history.since(0, 7).len(), 7, "fewer than a bucket keeps: the newest");
}

#[test]
fn the_newest_come_oldest_first() {
    let history = filled(2000);
    let newest = labels(&history.all(&history.newest(1000)));
    assert_eq!((newest.len(), newest[0], newest[999]), (1000, 1_000_000, 1_999_000));
    assert_eq!(filled(3).newest(1000).len(), 3);
}

#[test]
fn it_holds_24_hours_and_no_more_memory_than_that() {
    let history = filled(CAPACITY.cast_signed() as i64 + 5000);
    let all = history.all(&history.since(i64::MIN, usize::MAX));
    assert_eq!((all.len(), labels(&all)[0]), (CAPACITY, 5_000_000));
    assert!(history.chunks.len() <= CAPACITY / CHUNK + 1);
    assert_eq!(history.newest(usize::MAX).len(), CAPACITY);
}

#[test]
fn a_peak_of_one_second_of_either_zone_survives_decimation() {
    let mut history = filled(CAPACITY.cast_signed() as i64);
    history.push(&sample(100_000, 263.0, 180.0));
    history.push(&sample(100_001, 200.0, 120.0));
    for t in 0..500 {
        history.push(&sample(100_002 + t, 200.0, 180.0));
    }
    let shown = history.all(&history.since(0, 400));
    assert!(shown.len() <= 400 && shown.len() >= 100, "{}", shown.len());
    assert!(shown.iter().any(|s| temp(&s, 1) == Some(263.0)));
    assert!(shown.iter().any(|s| temp(&s, 2) == Some(120.0)));
    assert!(labels(&shown).is_sorted());
}

#[test]
fn since_and_points_bound_the_answer() {
    let history = filled(1000);
    assert_eq!(history.since(990_000, 50).len(), 10);
    assert_eq!(history.since(990_001, 50).len(), 9);
    for points in [0, 1, 3, 4, 5, 17, 999, 1000, 5000] {
        assert!(history.since(0, points).len() <= points, "{points}");
    }
    assert_eq!(labels(&history.all(&history.since(0, 2)))[1], 999_000);
    assert!(history.since(i64::MAX, 50).is_empty());
}

#[test]
fn a_gap_in_the_readings_still_shows() {
    let mut history = empty();
    for t in 0..100 {
        history.push(&temps(t, [Some(20.0), None, None, Some(30.0)]));
    }
    assert_eq!(history.since(0, 8).len(), 2);
}

#[test]
fn a_selection_that_is_read_late_lacks_what_has_left_and_shows_nothing_else() {
    let mut history = filled(CAPACITY.cast_signed() as i64 + 300);
    let chosen = history.since(0, usize::MAX);
    assert_eq!(chosen.len(), CAPACITY);
    let piece = history.samples(&chosen, 1000, 3);
    assert_eq!(labels(&piece), [1_300_000, 1_301_000, 1_302_000]);
    for t in 0..2000 {
        history.push(&sample(200_000 + t, 200.0, 180.0));
    }
    assert!(labels(&history.samples(&chosen, 0, 300)).is_empty(), "they have left");
    let rest = labels(&history.all(&chosen));
    assert_eq!(rest.last(), Some(&((CAPACITY.cast_signed() as i64 + 299) * 1000)));
    assert!(
        rest.windows(2).all(|pair| pair[1] == pair[0] + 1000),
        "in their order, without others"
    );
}
