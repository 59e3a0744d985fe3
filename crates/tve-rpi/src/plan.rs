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

/// Pins of the SPI buses: bus, what the pin does, and the chip select where it is one.
const SPI: [(u8, u8, &str, Option<u8>); 11] = [
    (0, 9, "SPI 0 data in", None),
    (0, 10, "SPI 0 data out", None),
    (0, 11, "SPI 0 clock", None),
    (0, 8, "SPI 0 select 0", Some(0)),
    (0, 7, "SPI 0 select 1", Some(1)),
    (1, 19, "SPI 1 data in", None),
    (1, 20, "SPI 1 data out", None),
    (1, 21, "SPI 1 clock", None),
    (1, 18, "SPI 1 select 0", Some(0)),
    (1, 17, "SPI 1 select 1", Some(1)),
    (1, 16, "SPI 1 select 2", Some(2)),
];

/// The pins of a device on an SPI bus.
fn spi_pins(bus: u8, select: u8) -> impl Iterator<Item = Bcm> {
    SPI.iter()
        .filter(move |row| row.0 == bus && row.3.is_none_or(|own| own == select))
        .filter_map(|row| Bcm::new(row.1).ok())
}

/// What a pin does for its SPI bus.
pub(crate) fn spi_name(pin: Bcm) -> &'static str {
    SPI.iter().find(|row| row.1 == pin.get()).map_or("SPI", |row| row.2)
}

impl Plan {
    pub(crate) fn of(machine: &MachineConfig) -> Self {
        let mut spi: Vec<Bcm> = machine
            .sensors
            .iter()
            .filter_map(|point| match point.source {
                Some(Source::Max31856(chip)) => Some(spi_pins(chip.spi, chip.chip_select)),
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
