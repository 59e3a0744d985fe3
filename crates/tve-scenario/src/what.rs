//! The quantities that an expectation may be about, by name.

use core::fmt;
use tve_config::MachineConfig;
use tve_control::Snapshot;
use tve_hal::{Motor, Sensor, Zone};
use tve_sim::{SimHardware, SimPowers};
use tve_units::Celsius;

/// One quantity of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// Published temperature, °C.
    Temp(Sensor),
    /// Temperature of the plant, whatever the sensor says, °C.
    Truth(Sensor),
    /// Target, °C.
    Target(Zone),
    /// Heater duty in force, %.
    Duty(Zone),
    /// Commanded speed of the ramp, rpm.
    Rpm(Motor),
    /// Fan and pump: 1 on, 0 off.
    Fan,
    Pump,
    /// Peltier drive, %.
    Peltier,
}

/// A quantity with its name on the machine of the scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct What {
    name: String,
    quantity: Quantity,
}

/// Every quantity of a machine.
fn all(machine: &MachineConfig) -> impl Iterator<Item = What> {
    let named = |name: String, quantity| What { name, quantity };
    let sensors = || machine.sensors.entries();
    let zones = || machine.names.zones.entries();
    let temps = sensors().map(move |(s, p)| named(p.name.to_string(), Quantity::Temp(s)));
    let truths = sensors().map(move |(s, p)| named(format!("true_{}", p.name), Quantity::Truth(s)));
    let targets =
        zones().map(move |(z, name)| named(format!("target_{name}"), Quantity::Target(z)));
    let duties = zones().map(move |(z, name)| named(format!("duty_{name}"), Quantity::Duty(z)));
    let motors = machine.names.motors.entries();
    let speeds = motors.map(move |(m, name)| named(format!("rpm_{name}"), Quantity::Rpm(m)));
    let others = [("fan", Quantity::Fan), ("pump", Quantity::Pump), ("peltier", Quantity::Peltier)];
    let others = others.into_iter().map(move |(name, what)| named(name.to_owned(), what));
    temps.chain(truths).chain(targets).chain(duties).chain(speeds).chain(others)
}

impl What {
    /// The quantity of `machine` with a name, or a sentence that lists the names.
    pub(crate) fn from_name(name: &str, machine: &MachineConfig) -> Result<Self, String> {
        all(machine).find(|what| what.name == name).ok_or_else(|| {
            let known: Vec<_> = all(machine).map(|what| what.name).collect();
            format!("no quantity is called {name:?}; known are {}", known.join(", "))
        })
    }

    pub(crate) const fn unit(&self) -> &'static str {
        match self.quantity {
            Quantity::Temp(_) | Quantity::Truth(_) | Quantity::Target(_) => " °C",
            Quantity::Duty(_) | Quantity::Peltier => " %",
            Quantity::Rpm(_) => " rpm",
            Quantity::Fan | Quantity::Pump => "",
        }
    }

    /// Its value now; `None` when the sensor is bad.
    pub(crate) fn value(&self, snapshot: &Snapshot, machine: &SimHardware) -> Option<f64> {
        Some(match self.quantity {
            Quantity::Temp(s) => return snapshot.temps[s].map(Celsius::get),
            Quantity::Truth(s) => machine.true_temperature(s),
            Quantity::Target(z) => snapshot.targets[z].get(),
            Quantity::Duty(z) => snapshot.heater_duty[z].get(),
            Quantity::Rpm(m) => snapshot.motors_actual[m].get(),
            Quantity::Fan => f64::from(u8::from(snapshot.relays[0])),
            Quantity::Pump => f64::from(u8::from(snapshot.relays[1])),
            Quantity::Peltier => snapshot.peltier.get(),
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_config::Config;

    const FOUR: &str = include_str!("../../../config/machines/four-zone.json");

    #[test]
    fn every_name_reads_back_and_an_unknown_one_lists_them() {
        for config in [Config::embedded(), Config::parse(FOUR).unwrap()] {
            let machine = config.machine();
            for what in all(&machine) {
                assert_eq!(What::from_name(&what.name, &machine), Ok(what.clone()));
                assert_eq!(all(&machine).filter(|other| other.name == what.name).count(), 1);
            }
        }
        let sentence = What::from_name("t4", &Config::embedded().machine()).unwrap_err();
        assert!(sentence.contains("\"t4\"") && sentence.contains("true_t2"), "{sentence}");
    }

    #[test]
    fn a_machine_has_the_quantities_of_its_own_configuration() {
        let machine = Config::parse(FOUR).unwrap().machine();
        for name in ["t5", "true_t5", "duty_z4", "target_z3", "rpm_puller", "cabinet"] {
            assert!(What::from_name(name, &machine).is_ok(), "{name}");
        }
        assert!(What::from_name("rpm_feed", &machine).is_err());
    }
}
