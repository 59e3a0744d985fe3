//! The pins of one configuration: which signal is wired where, and which pins the buses take.

use tve_config::{MachineConfig, Source};
use tve_hal::Signal;
use tve_units::Bcm;

/// Who is wired where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Driven pins, in the order in which they are switched off.
    pub(crate) outputs: Vec<(Signal, Bcm)>,
    /// Read pins.
    pub(crate) inputs: Vec<(Signal, Bcm)>,
    /// Pins of an SPI bus in use, which the kernel drives.
    pub(crate) spi: Vec<Bcm>,
}

impl Plan {
    pub(crate) fn of(machine: &MachineConfig) -> Self {
        let mut spi: Vec<Bcm> = machine
            .sensors
            .iter()
            .filter_map(|point| match point.source {
                Some(Source::Max31856(chip)) => Some(chip.pins()),
                Some(Source::Adc { .. }) | None => None,
            })
            .flatten()
            .collect();
        spi.sort_unstable();
        spi.dedup();
        let signals = &machine.signals;
        Self { outputs: signals.outputs().collect(), inputs: signals.inputs().collect(), spi }
    }

    /// The pin of a signal.
    pub(crate) fn pin(&self, signal: Signal) -> Option<Bcm> {
        self.iter().find(|(known, _)| *known == signal).map(|(_, pin)| pin)
    }

    /// Every pin with a signal.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Signal, Bcm)> + '_ {
        self.outputs.iter().chain(&self.inputs).copied()
    }

    /// Whether the controller or a bus has the pin.
    pub(crate) fn owns(&self, pin: Bcm) -> bool {
        self.spi.contains(&pin) || self.iter().any(|(_, owned)| owned == pin)
    }
}
