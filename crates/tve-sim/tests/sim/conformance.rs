//! The test body that every machine behind the trait must pass.

use tve_config::Config;
use tve_hal::conformance::{Bench, check};
use tve_hal::{Hardware, Motor};
use tve_sim::SimHardware;
use tve_units::Micros;

struct InVirtualTime {
    machine: SimHardware,
    now: Micros,
}

impl Bench for InVirtualTime {
    fn machine(&mut self) -> &mut dyn Hardware {
        &mut self.machine
    }

    fn tick(&mut self) -> Micros {
        self.now = self.now + Micros::from_millis(10);
        self.now
    }
}

fn conforms(config: &Config, patience: Micros) {
    let mut bench = InVirtualTime { machine: SimHardware::new(config), now: Micros::ZERO };
    let motors: Vec<Motor> = config.machine().motors.ids().collect();
    check(&mut bench, config, &motors, patience).unwrap();
}

#[test]
fn the_machine_conforms_to_the_trait() {
    conforms(&Config::embedded(), Micros::from_millis(250));
}

#[test]
fn a_machine_of_four_zones_conforms_to_the_trait() {
    let text = include_str!("../../../../config/machines/four-zone.json");
    conforms(&Config::parse(text).unwrap(), Micros::from_millis(250));
}
