//! Claims about the tags of whole machines: each has its name, its value and its place.

use std::collections::BTreeSet;
use std::sync::Arc;
use tve_config::Config;
use tve_control::Snapshot;
use tve_machine::PerZone;
use tve_tags::{MAX_KEPT, Place, Shape, Tags, Value};
use tve_units::{Celsius, Duty};

fn four_zones() -> Tags {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/machines/four-zone.json");
    Tags::of(Config::parse(&std::fs::read_to_string(path).unwrap()).unwrap().machine())
}

fn classic() -> Tags {
    Tags::of(Config::embedded().machine())
}

#[test]
fn no_two_tags_have_one_id_and_each_is_found_by_it() {
    for tags in [classic(), four_zones()] {
        let ids: BTreeSet<&str> = tags.iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), tags.iter().count());
        assert!(tags.iter().all(|(id, tag)| tags.from_id(id) == Some(tag)));
        assert!(ids.iter().all(|id| !id.contains('{')), "{ids:?}");
    }
    assert!(four_zones().from_id("zone.z4.temperature").is_some());
    assert!(four_zones().from_id("motor.puller.speed").is_some());
    assert!(classic().from_id("alarm.unclean_stop.note.active").is_some());
}

#[test]
fn what_is_read_has_the_shape_of_its_row() {
    let snapshot = Snapshot::default();
    for tags in [classic(), four_zones()] {
        for (id, tag) in tags.iter() {
            match (tag.row().shape, tags.read(tag, &snapshot)) {
                (Shape::Number { min, max, .. }, Value::Number(x)) => {
                    assert!(x.is_none_or(|x| (min..=max).contains(&x)), "{id} {x:?}");
                }
                (Shape::Name(names), Value::Name(name)) => assert!(names.contains(&name), "{id}"),
                (Shape::Switch, Value::Switch(_)) | (Shape::Counter, Value::Counter(_)) => {}
                (shape, value) => panic!("{id} is {shape:?} and reads {value:?}"),
            }
        }
    }
}

#[test]
fn a_zone_shows_the_temperature_of_its_own_sensor() {
    let tags = four_zones();
    let machine = Arc::clone(tags.machine());
    let temps = machine.sensors.map(|id, _| Celsius::new(100.0 + id.index() as f64).ok());
    let snapshot = Snapshot { temps, ..Snapshot::default() };
    for (zone, config) in machine.zones.entries() {
        let tag = tags.from_id(&format!("zone.{}.temperature", config.name)).unwrap();
        let wanted = 100.0 + config.sensor.index() as f64;
        assert_eq!(tags.read(tag, &snapshot), Value::Number(Some(wanted)), "{zone:?}");
    }
}

#[test]
fn replies_and_run_files_name_the_zones_and_motors_of_the_configuration() {
    let tags = four_zones();
    let keys = |place| tags.group(place).keys.join(" ");
    assert_eq!(keys(Place::Targets), "target_z1 target_z2 target_z3 target_z4");
    assert_eq!(keys(Place::Relays), "fan pump ssr_z1 ssr_z2 ssr_z3 ssr_z4");
    assert_eq!(keys(Place::Motors), "main puller");
    let headers: Vec<String> = tags.columns().into_iter().map(|column| column.header).collect();
    assert_eq!(
        headers.join(","),
        "T_T1,T_T2,T_T3,T_T4,T_T5,T_Motor,T_Cabinet,Target_Z1,Target_Z2,Target_Z3,Target_Z4,\
         Pwr_Z1_%,Pwr_Z2_%,Pwr_Z3_%,Pwr_Z4_%,RPM_Main,RPM_Puller"
    );
}

#[test]
fn the_machine_of_two_zones_keeps_the_columns_of_the_original() {
    let headers: Vec<String> = classic().columns().into_iter().map(|c| c.header).collect();
    assert_eq!(
        headers.join(","),
        "T1_Feed,T2_Mid,T3_Nozzle,T_Motor,Target_Z1,Target_Z2,Pwr_Z1_%,Pwr_Z2_%,RPM_Main,RPM_Feed"
    );
}

#[test]
fn the_recorder_keeps_every_column_and_never_more_than_the_bound() {
    for tags in [classic(), four_zones()] {
        let kept = tags.kept();
        assert!(kept.len() <= MAX_KEPT);
        for column in tags.columns() {
            assert!(kept.iter().any(|(tag, _)| *tag == column.tag), "{}", column.header);
        }
    }
}

#[test]
fn the_duty_of_a_zone_wins_over_a_channel_of_its_name() {
    let mut config = Config::embedded();
    config.pwm.channels.insert("z1".to_owned(), 9);
    let tags = Tags::of(config.machine());
    let heater_duty = PerZone::from_fn(2, |_| Duty::clamped(33.0));
    let snapshot = Snapshot { heater_duty, ..Snapshot::default() };
    let group = tags.group(Place::Pwm);
    let place = group.keys.iter().position(|key| &**key == "z1").unwrap();
    assert_eq!(group.keys.iter().filter(|key| &***key == "z1").count(), 1);
    assert_eq!(tags.read(group.tags[place], &snapshot), Value::Number(Some(33.0)));
}
