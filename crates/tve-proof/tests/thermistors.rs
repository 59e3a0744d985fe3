//! What a controller makes of a plant whose thermistors are those that can be bought: by their names,
//! by points of their tables, and by a beta alone.

use serde_json::json;
use tve_config::{Config, Part, SensorConfig};
use tve_hal::Sensor;
use tve_rig::Rig;

const T2: Sensor = Sensor::at(1);

/// A machine with these thermistors, each of which `known` makes known to the controller.
fn machine(part: Part, known: impl Fn(&mut SensorConfig)) -> Rig {
    let mut config = Config::embedded();
    config.plant.thermistor = Some(part);
    for channel in 0..4 {
        known(&mut config.sensors[channel]);
    }
    Rig::new(&config)
}

/// What the first zone shows at a temperature, °C.
fn shown(rig: &mut Rig, celsius: f64) -> f64 {
    rig.soak(celsius);
    rig.run_for(30.0);
    let truth = rig.machine_temperature();
    rig.snapshot().readings[T2].value().map_or(f64::NAN, tve_units::Celsius::get) - truth + celsius
}

trait Truth {
    fn machine_temperature(&self) -> f64;
}

impl Truth for Rig {
    fn machine_temperature(&self) -> f64 {
        tve_sim::SimPowers::true_temperature(&self.machine, T2)
    }
}

#[test]
fn a_thermistor_that_is_named_or_whose_table_is_given_shows_what_it_has() {
    for &part in Part::ALL {
        let named = |sensor: &mut SensorConfig| sensor.thermistor = Some(part);
        let given = |sensor: &mut SensorConfig| sensor.rt_points = part.points().to_vec();
        for celsius in [30.0, 100.0, 170.0, 210.0, 265.0] {
            for t in [
                shown(&mut machine(part, named), celsius),
                shown(&mut machine(part, given), celsius),
            ] {
                // The sensors of a barrel that cools are half a degree behind it.
                assert!((t - celsius).abs() < 1.5, "{part:?} shows {t:.2} °C at {celsius}");
            }
        }
    }
}

#[test]
fn by_its_beta_alone_a_generic_3950_is_wrong_by_as_much_as_check_config_says() {
    let alone = machine(Part::Generic3950, |_| {}).controller.machine().sensors[T2].clone();
    assert_eq!(alone.doubt, None, "it is what most machines are set up with");
    let t = shown(&mut machine(Part::Generic3950, |_| {}), 210.0);
    assert!((t - 226.7).abs() < 1.5, "{t:.2} °C");
    // 170 °C are asked for.
    let turns = |known: fn(&mut SensorConfig)| {
        let mut rig = machine(Part::Generic3950, known);
        rig.soak(166.0);
        rig.run_for(3.0);
        rig.command("SET_MOTOR", &json!({"motor": "main", "rpm": 5})).is_ok()
    };
    assert!(turns(|_| {}), "a screw that turns too early is why there is a name");
    assert!(!turns(|sensor| sensor.thermistor = Some(Part::Generic3950)));
}
