//! Machines that are not the one of two zones: how a file lists them, and what is made of it.

use serde_json::{Value, json};
use tve_config::{
    Config, Couple, MachineConfig, MotorRole, PidGains, PwmUse, Serves, Source, Thermocouple,
};
use tve_machine::{Motor, PwmOutput, Sensor, Signal, Zone};
use tve_units::Bcm;

const FOUR_ZONE: &str = include_str!("../../../config/machines/four-zone.json");
const PI: &str = include_str!("../../../config/pi.json");

fn four_zone() -> Value {
    serde_json::from_str(FOUR_ZONE).unwrap()
}

/// The four-zone machine with `value` in the place of `pointer`.
fn changed(pointer: &str, value: Value) -> Result<Config, String> {
    let mut file = four_zone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = file.pointer_mut(parent).unwrap();
    if parent.is_array() {
        parent[key.parse::<usize>().unwrap()] = value;
    } else {
        parent[key] = value;
    }
    Config::parse(&file.to_string()).map_err(|errors| errors.to_string())
}

fn names(machine: &MachineConfig) -> Vec<&str> {
    machine.sensors.iter().map(|point| point.name.as_str()).collect()
}

#[test]
fn the_shipped_machines_are_clean() {
    for file in [FOUR_ZONE, PI] {
        let config = Config::parse(file).unwrap();
        // The thermistors of its simulated plant are what their beta says.
        let mut warnings = config.warnings();
        warnings.retain(|warning| !warning.path.contains(".beta"));
        assert_eq!(warnings, []);
        assert_eq!(Config::parse(&config.to_json().to_string()), Ok(config));
    }
}

#[test]
fn the_machine_in_the_field_is_two_zones_a_screw_and_a_feeder() {
    let machine = Config::embedded().machine();
    let zones: Vec<_> = machine.zones.iter().map(|z| (z.name.as_str(), z.sensor.index())).collect();
    assert_eq!(zones, [("z1", 1), ("z2", 2)]);
    assert_eq!(names(&machine), ["t1", "t2", "t3", "motor"]);
    let serves: Vec<Serves> = machine.sensors.iter().map(|point| point.serves).collect();
    assert_eq!(
        serves,
        [
            Serves::FeedThroat,
            Serves::Zone(Zone::at(0)),
            Serves::Zone(Zone::at(1)),
            Serves::Motor(Motor::at(0)),
        ]
    );
    assert_eq!(machine.sensors[Sensor::at(3)].source, Some(Source::Adc { converter: 0, input: 2 }));
    let roles: Vec<_> = machine.motors.iter().map(|m| (m.name.as_str(), m.role)).collect();
    assert_eq!(roles, [("main", MotorRole::Screw), ("feed", MotorRole::Feeder)]);
    let pins: Vec<_> = machine.signals.iter().map(|(signal, pin)| (signal, pin.get())).collect();
    assert_eq!(
        pins,
        [
            (Signal::Heater(Zone::at(0)), 23),
            (Signal::Heater(Zone::at(1)), 24),
            (Signal::Enable(Motor::at(0)), 26),
            (Signal::Step(Motor::at(0)), 21),
            (Signal::Direction(Motor::at(0)), 20),
            (Signal::Fan, 25),
            (Signal::Pump, 8),
        ]
    );
    assert_eq!(machine.pwm.channel(PwmOutput::Pump), Some(2));
    assert_eq!((machine.pwm.channels[1], machine.pwm.named("fan_nozzle")), (PwmUse::Free, Some(1)));
}

#[test]
fn a_sensor_of_the_field_that_nothing_measures_keeps_its_place() {
    let file = json!({"sensors": {"1": {"enabled": false}}});
    let machine = Config::parse(&file.to_string()).unwrap().machine();
    assert_eq!(names(&machine), ["t1", "t2", "t3", "motor"]);
    let second = &machine.sensors[Sensor::at(1)];
    assert_eq!((second.channel, second.source), (None, None));
    let file = json!({"adc": {"enabled": false}});
    let machine = Config::parse(&file.to_string()).unwrap().machine();
    assert!(machine.sensors.iter().all(|point| point.source.is_none()));
}

#[test]
fn the_four_zone_machine_has_what_its_file_lists() {
    let config = Config::parse(FOUR_ZONE).unwrap();
    let machine = config.machine();
    assert_eq!((machine.zones.len(), machine.motors.len(), machine.converters.len()), (4, 2, 2));
    assert_eq!(names(&machine), ["t1", "t2", "t3", "t4", "t5", "motor", "cabinet"]);
    let die = machine.zone_named("z4").unwrap();
    let settings = machine.zones[die];
    assert_eq!((settings.limits.max_target, settings.limits.over_temperature), (260.0, 280.0));
    assert_eq!(settings.gains, PidGains { kp: 3.5, ki: 0.015, kd: 70.0 });
    let couple = Thermocouple { spi: 0, chip_select: 0, couple: Couple::K };
    assert_eq!(machine.sensors[settings.sensor].source, Some(Source::Max31856(couple)));
    let third = machine.sensors[machine.zones[Zone::at(2)].sensor].source;
    assert_eq!(third, Some(Source::Adc { converter: 1, input: 0 }));
    let puller = machine.motor_named("puller").unwrap();
    assert_eq!((machine.motors[puller].microsteps, machine.screw()), (1600, Some(Motor::at(0))));
    let pin = |signal| machine.signals.pin(signal).map(Bcm::get);
    assert_eq!(pin(Signal::Step(puller)), Some(13));
    assert_eq!(pin(Signal::Heater(die)), Some(22));
    assert!(machine.is_bus(Bcm::new(11).unwrap()) && !machine.is_bus(Bcm::new(7).unwrap()));
}

#[test]
fn a_listed_machine_is_shown_by_its_lists_and_one_in_the_field_as_it_was() {
    let shown = Config::parse(FOUR_ZONE).unwrap().to_public_json();
    assert!(shown.get("z1").is_none() && shown["zones"][3]["sensor"] == "t5", "{shown}");
    assert!(shown["pins"].get("ssr_z3").is_some() && shown["pins"].get("step_feed").is_none());
    assert!(shown["sensors"]["8"].get("r_fixed").is_none());
    let shown = Config::embedded().to_public_json();
    for key in ["zones", "motors", "feed_throat"] {
        assert!(shown.get(key).is_none(), "{key}");
    }
    assert_eq!(shown["pins"].as_object().unwrap().len(), 21);
    assert_eq!(shown["adc"].as_object().unwrap().len(), 4);
    assert_eq!(shown["sensors"]["0"].as_object().unwrap().len(), 9);
}

#[test]
fn every_fault_of_a_list_is_named_with_its_path() {
    for (pointer, value, line) in [
        (
            "/zones/2/sensor",
            json!("t9"),
            "zones[2].sensor: no sensor is called t9; known: t1, t2, motor, t3, t4, cabinet, t5",
        ),
        ("/zones/2/sensor", json!("t3"), "zones[2].sensor: t3 already measures zone z2"),
        ("/motors/1/sensor", json!("t1"), "feed_throat: t1 already measures motor puller"),
        ("/zones/1/name", json!("z1"), "zones[1].name: z1 is already the name of zones[0]"),
        (
            "/zones/1/name",
            json!("Z 2"),
            "zones[1].name: a name must be 1 to 16 of a to z, 0 to 9 and \"_\", a letter first, \
             not \"Z 2\"",
        ),
        ("/zones/0/kp", json!(-1), "zones[0].kp: must be between 0 and 1000 %/°C, not -1"),
        ("/zones/0/kq", json!(1), "zones[0].kq: unknown key, nearest known is \"kp\""),
        ("/zones/3", json!({"name": "z4"}), "zones[3].sensor: is needed"),
        ("/zones", json!({}), "zones: must be a list of at most 8 zones, not an object"),
        ("/zones", json!(null), "zones: is needed with `motors`"),
        ("/motors", json!(null), "motors: is needed with `zones`"),
        ("/zones", json!([]), "zones: must name one zone or more"),
        (
            "/motors/1/role",
            json!("pull"),
            "motors[1].role: must be one of \"screw\", \"feeder\", \"puller\", \"other\", not \
             \"pull\"",
        ),
        (
            "/z1",
            json!({"kp": 4.0}),
            "z1: belongs to a file without `zones`; give kp, ki and kd of each zone there",
        ),
        ("/pins/ssr_z5", json!(6), "pins.ssr_z5: unknown key, nearest known is \"ssr_z1\""),
        (
            "/pins/step_feed",
            json!(6),
            "pins.step_feed: unknown key, nearest known is \"step_main\"",
        ),
        ("/pins/ssr_pump", json!(8), "pins.ssr_pump: pin 8 is on the SPI bus of sensors.8"),
        ("/pins/cooler_z4", json!(7), "pins.cooler_z4: needs zones[3].cooler"),
        (
            "/adc/more",
            json!([{"bus": 1, "address": 72}]),
            "adc.more[0].address: 72 on bus 1 already is another converter",
        ),
        ("/adc/more", json!([]), "sensors.4: unknown channel; there are \"0\" to \"3\""),
        (
            "/sensors/9",
            json!({"logical": "die2", "kind": "max31856"}),
            "sensors.9.chip_select: chip select 0 of bus 0 already is channel 8",
        ),
        (
            "/sensors/8",
            json!({"logical": "t5", "kind": "max31856", "beta": 1000.0}),
            "sensors.8.beta: a thermocouple has no divider",
        ),
        ("/sensors/16", json!({}), "sensors.16: unknown channel; there are \"0\" to \"15\""),
    ] {
        let errors = changed(pointer, value).unwrap_err();
        assert_eq!(errors.lines().next(), Some(line), "{pointer}: {errors}");
    }
}

#[test]
fn a_zone_may_have_limits_of_its_own_that_keep_their_distance() {
    let own = |max_target: f64, trips: f64| {
        let zone = json!({"name": "z4", "sensor": "t5", "max_target": max_target,
            "over_temperature": trips});
        changed("/zones/3", zone).map(|config| config.machine().zones[Zone::at(3)].limits)
    };
    let limits = own(200.0, 215.0).unwrap();
    assert_eq!((limits.max_target, limits.over_temperature), (200.0, 215.0));
    assert_eq!(
        own(200.0, 214.0).unwrap_err(),
        "zones[3].max_target: must be at most 199 °C, 15 °C below over_temperature, not 200"
    );
}

#[test]
fn names_that_make_one_signal_twice_are_refused() {
    let errors = changed("/zones/0/name", json!("fan")).unwrap_err();
    let clash = "zones: the names of zones and motors make two signals called ssr_fan";
    assert!(errors.lines().any(|line| line == clash), "{errors}");
}

#[test]
fn a_machine_in_the_field_knows_no_further_zone_and_no_further_sensor() {
    for (file, line) in [
        (json!({"pins": {"ssr_z3": 5}}), "pins.ssr_z3: unknown key, nearest known is \"ssr_z1\""),
        (
            json!({"sensors": {"0": {"logical": "t9"}}}),
            "sensors.0.logical: must be one of \"t1\", \"t2\", \"t3\", \"motor\", not \"t9\"",
        ),
        (json!({"feed_throat": "t1"}), "feed_throat: needs `zones`; without, t1 guards it"),
    ] {
        assert_eq!(Config::parse(&file.to_string()).unwrap_err().to_string(), line);
    }
}

#[test]
fn a_change_is_prepared_whole_with_what_it_touches() {
    let config = Config::parse(FOUR_ZONE).unwrap();
    let die = Zone::at(3);
    let gains = PidGains { kp: 9.0, ki: 0.1, kd: 1.0 };
    let new = config.prepare(|config| config.set_gains(die, gains)).unwrap();
    assert_eq!(new.machine.zones[die].gains, gains);
    assert_eq!(new.changes.gains.as_slice(), [false, false, false, true]);
    assert!(new.changes.any && !new.changes.needs_rest);
    let moved = config.prepare(|config| config.pins.set("btn_stop", Bcm::new(7).ok())).unwrap();
    assert!(moved.changes.signals && moved.changes.needs_rest && !moved.changes.pwm);
    let calibrated = config.prepare(|config| config.sensors[4].beta = 4000.0).unwrap();
    let t4 = calibrated.machine.sensor_named("t4").unwrap();
    let touched: Vec<_> = calibrated.changes.sensors.entries().filter(|(_, new)| **new).collect();
    assert_eq!((touched.len(), touched[0].0), (1, t4));
    assert!(calibrated.changes.needs_rest && !calibrated.changes.layout);
    let same = config.prepare(|_| {}).unwrap();
    assert!(!same.changes.any && !same.changes.needs_rest);
    let errors = config.prepare(|config| config.safety.max_target = 270.0).unwrap_err();
    assert!(errors.to_string().starts_with("safety.max_target"), "{errors}");
}

#[test]
fn what_the_machine_gets_holds_no_secret() {
    let file = json!({"security": {"users": {"eva": "scrypt:32768:8:1$salt$beef"}}});
    let config = Config::parse(&file.to_string()).unwrap();
    assert!(!format!("{:?}", config.machine()).contains("eva"));
    assert!(config.service().security.users.contains_key("eva"));
}

#[test]
fn a_shaft_without_a_highest_speed_of_its_own_has_that_of_its_role() {
    let limits = |file: &str, motion: &Value| {
        let mut file: Value = serde_json::from_str(file).unwrap();
        file["motion"] = motion.clone();
        let machine = Config::parse(&file.to_string()).unwrap().machine();
        machine.motors.map(|_, motor| motor.max_rpm)
    };
    let slower = json!({"screw_max_rpm": 60, "feeder_max_rpm": 30});
    assert_eq!(limits("{}", &json!({})), [5000.0, 5000.0]);
    assert_eq!(limits("{}", &slower), [60.0, 30.0]);
    assert_eq!(limits(FOUR_ZONE, &slower), [60.0, 120.0], "a puller, which gives its own");
}
