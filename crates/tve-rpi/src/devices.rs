//! What hangs on the buses: how it is wired, and the devices opened.
//!
//! A sensor is addressed by its id; which converter and which input it hangs on is known here and
//! nowhere above.

use crate::acquisition::{Acquisition, AdcEvent, SLOT};
use crate::board::Board;
use crate::bus::{Bus, Spi};
use crate::max31856;
use crate::pwm_board::PwmBoard;
use crate::thermocouple::{Thermocouple, ThermocoupleEvent};
use tve_config::{Converter, MachineConfig, PwmUse, Source};
use tve_hal::{
    ADC_CHANNELS, AdcReading, HardwareError, PWM_CHANNELS, PerSensor, Quantity, Sensor, SensorInput,
};
use tve_units::Micros;

/// A PCA9685.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PwmWiring {
    pub(crate) bus: u8,
    pub(crate) address: u8,
    pub(crate) frequency_hz: u32,
    /// Channels in use.
    pub(crate) mapped: [bool; PWM_CHANNELS],
}

/// An ADS1115.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AdcWiring {
    pub(crate) bus: u8,
    pub(crate) address: u8,
    /// Full-scale range, V.
    pub(crate) fsr: f64,
    /// The sensor behind each input in use.
    pub(crate) inputs: [Option<Sensor>; ADC_CHANNELS],
}

/// A MAX31856.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ThermocoupleWiring {
    pub(crate) chip: tve_config::Thermocouple,
    /// Mains to be filtered out, 50 or 60 Hz.
    pub(crate) mains_hz: u32,
    pub(crate) sensor: Sensor,
}

/// Every device on every bus.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct BusWiring {
    pub(crate) pwm: Option<PwmWiring>,
    pub(crate) adcs: Vec<AdcWiring>,
    pub(crate) thermocouples: Vec<ThermocoupleWiring>,
    /// How many sensors the machine has, wired or not.
    pub(crate) sensors: usize,
}

impl BusWiring {
    /// What `machine` says about buses.
    pub(crate) fn of(machine: &MachineConfig) -> Self {
        let pwm = machine.pwm.board.map(|board| PwmWiring {
            bus: board.bus,
            address: board.address,
            frequency_hz: board.frequency,
            mapped: machine.pwm.channels.map(|used| used != PwmUse::Unused),
        });
        let mut wiring = Self {
            pwm,
            adcs: Vec::new(),
            thermocouples: Vec::new(),
            sensors: machine.sensors.len(),
        };
        for Converter { bus, address, fsr } in &machine.converters {
            let inputs = [None; ADC_CHANNELS];
            wiring.adcs.push(AdcWiring { bus: *bus, address: *address, fsr: *fsr, inputs });
        }
        for (sensor, point) in machine.sensors.entries() {
            match point.source {
                None => {}
                Some(Source::Adc { converter, input }) => {
                    if let Some(adc) = wiring.adcs.get_mut(usize::from(converter))
                        && let Some(place) = adc.inputs.get_mut(usize::from(input))
                    {
                        *place = Some(sensor);
                    }
                }
                Some(Source::Max31856(chip)) => wiring.thermocouples.push(ThermocoupleWiring {
                    chip,
                    mains_hz: machine.control.mains_hz,
                    sensor,
                }),
            }
        }
        wiring
    }
}

/// A converter, the sensors behind it, and the newest it said about them.
enum Driver {
    Adc { driver: Acquisition<Bus>, wiring: AdcWiring, heard: [AdcReading; ADC_CHANNELS] },
    Thermocouple { driver: Thermocouple<Spi>, sensor: Sensor, heard: SensorInput },
}

/// A converter that samples.
pub(crate) struct Sampler {
    /// What the log calls it.
    pub(crate) name: String,
    /// It does not answer.
    pub(crate) gone: bool,
    driver: Driver,
}

impl Sampler {
    /// When [`Self::poll`] has something to do again.
    pub(crate) fn due(&self) -> Micros {
        match &self.driver {
            Driver::Adc { driver, .. } => driver.due(),
            Driver::Thermocouple { driver, .. } => driver.due(),
        }
    }

    /// Does what is due at `now`, in board time, and says whether there is something to publish.
    /// `named` gives a moment the controller's name; before its first tick it has none.
    pub(crate) fn poll(&mut self, now: Micros, named: impl Fn(Micros) -> Option<Micros>) -> bool {
        match &mut self.driver {
            Driver::Adc { driver, heard, .. } => match driver.poll(now) {
                None => return false,
                Some(AdcEvent::Sample { channel, code, taken_at }) => {
                    self.gone = false;
                    // Other inputs stay as they are until their own turn comes.
                    if let Some(taken_at) = named(taken_at) {
                        heard[channel] = AdcReading::Sample { code, taken_at };
                    }
                }
                Some(AdcEvent::Gone) => {
                    self.gone = true;
                    *heard = [AdcReading::BusError; ADC_CHANNELS];
                }
            },
            Driver::Thermocouple { driver, heard, .. } => match driver.poll(now) {
                None => return false,
                Some(ThermocoupleEvent::Sample { count, quality, taken_at }) => {
                    self.gone = false;
                    if let Some(taken_at) = named(taken_at) {
                        let quantity = Quantity::Celsius(max31856::celsius(count));
                        *heard = SensorInput::Sample { quantity, quality, raw: count, taken_at };
                    }
                }
                Some(ThermocoupleEvent::Gone) => {
                    self.gone = true;
                    *heard = SensorInput::BusError;
                }
            },
        }
        true
    }

    /// Writes the newest about its sensors into `readings`.
    pub(crate) fn publish(&self, readings: &mut PerSensor<SensorInput>) {
        let mut set = |sensor, input| {
            if let Some(reading) = readings.get_mut(sensor) {
                *reading = input;
            }
        };
        match &self.driver {
            Driver::Adc { wiring, heard, .. } => {
                for (sensor, reading) in wiring.inputs.iter().zip(heard) {
                    if let Some(sensor) = sensor {
                        set(*sensor, SensorInput::of_adc(*reading, wiring.fsr));
                    }
                }
            }
            Driver::Thermocouple { sensor, heard, .. } => set(*sensor, *heard),
        }
    }
}

/// The devices, opened.
#[derive(Default)]
pub(crate) struct Devices {
    pub(crate) samplers: Vec<Sampler>,
    pub(crate) pwm: Option<PwmBoard<Bus>>,
}

impl Devices {
    /// Opens every bus of `wiring`; no device is talked to yet.
    ///
    /// # Errors
    /// When a device node is missing or not accessible.
    pub(crate) fn open(
        board: &dyn Board,
        wiring: &BusWiring,
        now: Micros,
    ) -> Result<Self, HardwareError> {
        let mut devices = Self::default();
        if let Some(pwm) = &wiring.pwm {
            let bus = board.bus(pwm.bus)?;
            devices.pwm = Some(PwmBoard::new(bus, pwm.address, pwm.frequency_hz, pwm.mapped, now));
        }
        let adcs = wiring.adcs.len() as u64;
        for (index, wiring) in (0_u64..).zip(&wiring.adcs) {
            // The conversions of one begin between those of the others, so that looks at them do not
            // queue up on the bus.
            let begin = now + Micros::new(SLOT.get() * index / adcs);
            devices.samplers.push(Sampler {
                name: format!("converter at address {:#04x}", wiring.address),
                driver: Driver::Adc {
                    driver: Acquisition::new(
                        board.bus(wiring.bus)?,
                        wiring.address,
                        wiring.fsr,
                        wiring.inputs.map(|sensor| sensor.is_some()),
                        begin,
                    ),
                    wiring: wiring.clone(),
                    heard: [AdcReading::None; ADC_CHANNELS],
                },
                gone: false,
            });
        }
        for wiring in &wiring.thermocouples {
            let ThermocoupleWiring { chip, mains_hz, sensor } = *wiring;
            let (bus, select) = (chip.spi, chip.chip_select);
            devices.samplers.push(Sampler {
                name: format!("thermocouple converter {bus}.{select}"),
                driver: Driver::Thermocouple {
                    driver: Thermocouple::new(board.spi(bus, select)?, chip.couple, mains_hz, now),
                    sensor,
                    heard: SensorInput::None,
                },
                gone: false,
            });
        }
        Ok(devices)
    }
}
