//! Which machine runs, and the way to switch it off from outside.

use crate::error::StartError;
use crate::guard::{KillSwitch, SafeOff, Switched};
use crate::options::Options;
use tve_config::{Config, HardwareKind};
use tve_hal::{Hardware, MachineKind};
use tve_rpi::RpiHardware;
use tve_scenario::Scenario;
use tve_sim::{SimHardware, SimPowers};
use tve_units::Celsius;

/// A machine, and the guard's way to switch it off.
pub(crate) type Driven = (Box<dyn Hardware>, Box<dyn SafeOff>);

pub(crate) fn kind(config: &Config, options: &Options) -> Result<MachineKind, StartError> {
    match options.hardware.or(config.hardware.kind) {
        Some(HardwareKind::Sim) => Ok(MachineKind::Simulator),
        Some(HardwareKind::Rpi) => Ok(MachineKind::RaspberryPi),
        None if is_raspberry_pi() => Err(StartError::MachineNotNamed),
        None => Ok(MachineKind::Simulator),
    }
}

fn is_raspberry_pi() -> bool {
    let model = std::fs::read("/proc/device-tree/model").unwrap_or_default();
    model.starts_with(b"Raspberry Pi")
}

/// Opens the machine; `known` says that `config` is that of its wiring.
pub(crate) fn open(
    kind: MachineKind,
    config: &Config,
    known: bool,
    options: &Options,
) -> Result<Driven, StartError> {
    match kind {
        // What the pins of an unknown wiring do cannot be known either.
        MachineKind::RaspberryPi if !known => Ok(switchable(RpiHardware::locked()?)),
        MachineKind::RaspberryPi => Ok(switchable(RpiHardware::new(config)?)),
        MachineKind::Simulator => {
            let mut config = config.clone();
            if let Some(seed) = options.sim_seed {
                config.plant.seed = seed;
            }
            let mut machine = SimHardware::new(&config);
            if let Some(value) = options.sim_start_temp {
                let fits = (-20.0..=300.0).contains(&value);
                let temperature = Celsius::new(value).ok().filter(|_| fits);
                machine.set_temperature(temperature.ok_or(StartError::StartTemperature { value })?);
            }
            if let Some(path) = &options.sim_scenario {
                for fault in Scenario::load(path)?.faults() {
                    machine.inject(*fault);
                }
            }
            let switch = KillSwitch::default();
            Ok((Box::new(Switched::new(machine, switch.clone())), Box::new(switch)))
        }
    }
}

fn switchable(machine: RpiHardware) -> Driven {
    let switch = machine.off_switch();
    (Box::new(machine), Box::new(switch))
}
