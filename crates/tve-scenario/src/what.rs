//! The quantities that an expectation may be about, by name.

use tve_control::Snapshot;
use tve_hal::{Motor, Sensor, Zone};
use tve_sim::{SimHardware, SimPowers};
use tve_units::Celsius;

/// One quantity of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
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

/// Every name with what it means.
const NAMES: [(&str, What); 17] = [
    ("t1", What::Temp(Sensor::T1)),
    ("t2", What::Temp(Sensor::T2)),
    ("t3", What::Temp(Sensor::T3)),
    ("motor", What::Temp(Sensor::Motor)),
    ("true_t1", What::Truth(Sensor::T1)),
    ("true_t2", What::Truth(Sensor::T2)),
    ("true_t3", What::Truth(Sensor::T3)),
    ("true_motor", What::Truth(Sensor::Motor)),
    ("target_z1", What::Target(Zone::Z1)),
    ("target_z2", What::Target(Zone::Z2)),
    ("duty_z1", What::Duty(Zone::Z1)),
    ("duty_z2", What::Duty(Zone::Z2)),
    ("rpm_main", What::Rpm(Motor::Main)),
    ("rpm_feed", What::Rpm(Motor::Feed)),
    ("fan", What::Fan),
    ("pump", What::Pump),
    ("peltier", What::Peltier),
];

impl What {
    /// The quantity with a name, or a sentence that lists the names.
    pub(crate) fn from_name(name: &str) -> Result<Self, String> {
        NAMES.iter().find(|(n, _)| *n == name).map(|(_, what)| *what).ok_or_else(|| {
            let known: Vec<_> = NAMES.iter().map(|(n, _)| *n).collect();
            format!("no quantity is called {name:?}; known are {}", known.join(", "))
        })
    }

    pub(crate) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, what)| *what == self).map_or("", |(name, _)| name)
    }

    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Temp(_) | Self::Truth(_) | Self::Target(_) => " °C",
            Self::Duty(_) | Self::Peltier => " %",
            Self::Rpm(_) => " rpm",
            Self::Fan | Self::Pump => "",
        }
    }

    /// Its value now; `None` when the sensor is bad.
    pub(crate) fn value(self, snapshot: &Snapshot, machine: &SimHardware) -> Option<f64> {
        Some(match self {
            Self::Temp(s) => return snapshot.temps[s.index()].map(Celsius::get),
            Self::Truth(s) => machine.true_temperature(s),
            Self::Target(z) => snapshot.targets[z.index()].get(),
            Self::Duty(z) => snapshot.heater_duty[z.index()].get(),
            Self::Rpm(m) => snapshot.motors_actual[m.index()].get(),
            Self::Fan => f64::from(u8::from(snapshot.relays[0])),
            Self::Pump => f64::from(u8::from(snapshot.relays[1])),
            Self::Peltier => snapshot.peltier.get(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_an_unknown_one_lists_them() {
        for (name, what) in NAMES {
            assert_eq!(What::from_name(name), Ok(what));
            assert_eq!(what.name(), name);
        }
        let sentence = What::from_name("t4").unwrap_err();
        assert!(sentence.contains("\"t4\"") && sentence.contains("true_t2"), "{sentence}");
    }
}
