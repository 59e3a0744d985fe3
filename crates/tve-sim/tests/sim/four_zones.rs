//! A machine that is not the one in the field: four zones on two converters and a thermocouple, a
//! screw and a puller.

use std::sync::Arc;
use tve_config::{Config, MachineConfig};
use tve_hal::{
    Hardware, Inputs, Motor, MotorDrive, Outputs, Quality, Quantity, Sensor, SensorInput, Zone,
};
use tve_sim::{Fault, FaultKind, SimHardware, SimPowers};
use tve_units::{Celsius, Micros, StepRate};

const FOUR: &str = r#"{
    "zones": [{"name": "z1", "sensor": "b1"}, {"name": "z2", "sensor": "b2"},
        {"name": "z3", "sensor": "b3"}, {"name": "die", "sensor": "d1", "gain": 600}],
    "motors": [{"name": "main", "role": "screw", "sensor": "motor"},
        {"name": "puller", "role": "puller"}],
    "feed_throat": "throat",
    "pins": {"ssr_z1": 23, "ssr_z2": 24, "ssr_z3": 25, "ssr_die": 22, "ssr_fan": 16, "ssr_pump": 17,
        "step_main": 21, "dir_main": 20, "en_main": 26, "step_puller": 5},
    "pwm": {"enabled": false},
    "adc": {"more": [{"address": 73}]},
    "plant": {"noise_lsb": 0.0},
    "sensors": {"0": {"logical": "throat"}, "1": {"logical": "b1"}, "2": {"logical": "motor"},
        "3": {"enabled": false}, "4": {"logical": "b2"}, "5": {"logical": "b3"},
        "8": {"kind": "max31856", "logical": "d1"}}}"#;

struct Rig {
    config: Config,
    machine: Arc<MachineConfig>,
    sim: SimHardware,
    out: Outputs,
    inputs: Inputs,
    now: Micros,
}

impl Rig {
    fn new() -> Self {
        Self::of(FOUR)
    }

    fn of(text: &str) -> Self {
        let config = Config::parse(text).unwrap();
        let machine = config.machine();
        let mut sim = SimHardware::new(&config);
        sim.configure(&machine).unwrap();
        let (zones, motors) = (machine.zones.len(), machine.motors.len());
        let out = Outputs::off(zones, motors);
        let inputs = Inputs::unread(motors, machine.sensors.len());
        Self { machine, config, sim, out, inputs, now: Micros::ZERO }
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds * 100 {
            self.sim.apply(self.now, &self.out).unwrap();
            self.now = self.now + Micros::from_millis(10);
            self.sim.read(self.now, &mut self.inputs).unwrap();
        }
    }

    fn sensor(&self, name: &str) -> Sensor {
        self.machine.sensor_named(name).unwrap()
    }

    /// What the input of a sensor says, °C.
    fn reading(&self, name: &str) -> f64 {
        let SensorInput::Sample { quantity, .. } = self.inputs.sensors[self.sensor(name)] else {
            panic!("{name} has no sample")
        };
        match quantity {
            Quantity::Celsius(celsius) => celsius,
            Quantity::Volts(volts) => {
                let plant = &self.config.plant;
                let ohms = plant.r_fixed * volts / (plant.supply - volts);
                1.0 / (1.0 / 298.15 + (ohms / plant.r_25).ln() / plant.beta) - 273.15
            }
            Quantity::Ohms(_) => panic!("no converter here measures ohms"),
        }
    }

    fn quality(&self, name: &str) -> Option<Quality> {
        match self.inputs.sensors[self.sensor(name)] {
            SensorInput::Sample { quality, .. } => Some(quality),
            SensorInput::None | SensorInput::BusError => None,
        }
    }

    fn inject(&mut self, text: &str) {
        let kind = FaultKind::parse_on(text, &self.machine).unwrap();
        self.sim.inject(Fault::between(kind, self.sim.elapsed(), Micros::MAX));
    }
}

const SENSORS: [&str; 6] = ["throat", "b1", "b2", "b3", "d1", "motor"];

#[test]
fn every_sensor_reads_what_it_sits_in() {
    let mut rig = Rig::new();
    rig.sim.set_temperature(Celsius::new(180.0).unwrap());
    rig.out.heaters = rig.machine.zones.map(|_, _| true);
    rig.run(1);
    for name in SENSORS {
        let truth = rig.sim.true_temperature(rig.sensor(name));
        assert!((rig.reading(name) - truth).abs() < 1.0, "{name}: {truth} °C");
    }
    assert!(rig.sim.true_temperature(rig.sensor("b3")) > 179.0);
    assert!(rig.sim.true_temperature(rig.sensor("motor")) < 30.0);
}

#[test]
fn a_heated_zone_warms_its_neighbours_more_than_the_others_and_the_die_by_its_own_gain() {
    let mut rig = Rig::new();
    rig.out.heaters[Zone::at(1)] = true;
    rig.run(600);
    let [b1, b2, b3, d1] = ["b1", "b2", "b3", "d1"].map(|name| rig.reading(name));
    assert!(b2 > 150.0 && (b1 - b3).abs() < 1.0 && b1 < b2 && d1 < b3, "{b1} {b2} {b3} {d1}");
    let alone = |zone: usize, name: &str| {
        let mut rig = Rig::new();
        rig.out.heaters[Zone::at(zone)] = true;
        rig.run(300);
        rig.reading(name)
    };
    let (first, die) = (alone(0, "b1"), alone(3, "d1"));
    assert!(die > first + 20.0, "{first} and {die}: the die has the greater gain");
}

#[test]
fn faults_of_a_thermocouple_are_what_its_converter_says_of_them() {
    let mut rig = Rig::new();
    rig.sim.set_temperature(Celsius::new(200.0).unwrap());
    rig.run(1);
    let before = rig.reading("d1");
    rig.inject("sensor_offset d1 7");
    rig.run(1);
    assert!((rig.reading("d1") - before - 7.0).abs() < 1.0);
    rig.sim.clear_faults();
    rig.inject("sensor_frozen d1");
    let held = rig.reading("d1");
    rig.run(60);
    assert_eq!((rig.reading("d1"), rig.quality("d1")), (held, Some(Quality::Plausible)));
    rig.sim.clear_faults();
    rig.inject("sensor_open d1");
    rig.run(2);
    assert_eq!(rig.quality("d1"), Some(Quality::Open));
    rig.sim.clear_faults();
    rig.inject("sensor_shorted d1");
    rig.run(2);
    assert_eq!(rig.quality("d1"), Some(Quality::Shorted));
    rig.sim.clear_faults();
    rig.inject("adc_gone");
    rig.run(1);
    assert!(rig.inputs.sensors.iter().all(|input| *input == SensorInput::BusError));
    rig.sim.clear_faults();
    rig.run(2);
    assert_eq!(rig.quality("d1"), Some(Quality::Plausible));
}

#[test]
fn the_plugs_of_any_two_neighbours_may_be_exchanged_whatever_converters_they_are_on() {
    let mut rig = Rig::new();
    rig.out.heaters[Zone::at(3)] = true;
    rig.run(300);
    let (barrel, die) = (rig.reading("b3"), rig.reading("d1"));
    assert!(die > barrel + 50.0, "{barrel} {die}");
    rig.inject("sensors_swapped z3");
    rig.run(2);
    assert!((rig.reading("b3") - die).abs() < 5.0, "{}", rig.reading("b3"));
    assert!((rig.reading("d1") - barrel).abs() < 5.0, "{}", rig.reading("d1"));
    assert!((rig.reading("b1") - rig.sim.true_temperature(rig.sensor("b1"))).abs() < 1.0);
}

#[test]
fn a_relay_that_sticks_in_the_last_zone_heats_it_and_no_other() {
    let mut rig = Rig::new();
    rig.inject("ssr_stuck_on die");
    rig.run(120);
    let rise = |name: &str| rig.reading(name) - rig.config.plant.ambient;
    assert!(rise("d1") > 50.0 && rise("b1") < 5.0, "{} {}", rise("d1"), rise("b1"));
}

#[test]
fn both_motors_count_their_pulses_and_the_hopper_keeps_its_level_without_a_feeder() {
    let mut rig = Rig::new();
    let level = {
        rig.run(1);
        rig.inputs.fill_level_cm
    };
    rig.out.motors[Motor::at(1)] = MotorDrive::Run(StepRate::new(1000.0).unwrap());
    rig.run(600);
    assert_eq!(rig.sim.steps_done(Motor::at(1)), 600_000);
    assert_eq!((rig.sim.steps_done(Motor::at(0)), rig.inputs.fill_level_cm), (0, level));
}

#[test]
fn a_fault_is_spelt_with_the_names_of_its_machine() {
    let rig = Rig::new();
    for text in [
        "sensor_open d1",
        "ssr_stuck_on die",
        "heater_power z3 0.5",
        "adc_gone",
        "sensors_swapped z2",
        "sensors_swapped",
    ] {
        let kind = FaultKind::parse_on(text, &rig.machine).unwrap();
        assert_eq!(kind.text_on(&rig.machine), text);
    }
    let error = FaultKind::parse_on("sensor_open t2", &rig.machine).unwrap_err().to_string();
    assert!(error.contains("a sensor (throat, b1, b2, b3, d1, motor), not \"t2\""), "{error}");
}

#[test]
fn a_machine_that_is_made_safe_stops_its_last_motor_too() {
    let puller = r#"{"name": "puller", "role": "puller"}"#;
    let more = FOUR.replace(puller, &format!(r#"{puller}, {{"name": "winder", "role": "other"}}"#));
    let mut rig = Rig::of(&more);
    let winder = Motor::at(2);
    rig.out.motors[winder] = MotorDrive::Run(StepRate::new(1000.0).unwrap());
    rig.run(1);
    let before = rig.sim.steps_done(winder);
    rig.sim.safe();
    rig.now = rig.now + Micros::from_secs(1);
    rig.sim.read(rig.now, &mut rig.inputs).unwrap();
    assert_eq!((before > 0, rig.sim.steps_done(winder)), (true, before));
}
