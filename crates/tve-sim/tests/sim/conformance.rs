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

#[test]
fn the_machine_conforms_to_the_trait() {
    let config = Config::embedded();
    let mut bench = InVirtualTime { machine: SimHardware::new(&config), now: Micros::ZERO };
    check(&mut bench, &config, &Motor::ALL, Micros::from_millis(250)).unwrap();
}
