//! The converters of the simulated machine: whose turn it is, and what each says of its sensors.

use crate::effects::{Effects, SensorTrouble};
use crate::layout::{Input, Plugs};
use crate::noise::Noise;
use crate::plant::Plant;
use crate::thermistor::{self, Divider, Probe};
use crate::thermocouple::{Converter, Junction};
use tve_config::Plant as PlantConfig;
use tve_hal::{ADC_CHANNELS, AdcReading, Sensor, SensorInput};
use tve_units::Micros;

/// How far a jumping sensor is off, °C.
const JUMP: f64 = 50.0;

/// A converter with four dividers.
#[derive(Debug)]
struct Adc {
    plugs: [Option<Sensor>; ADC_CHANNELS],
    readings: [AdcReading; ADC_CHANNELS],
    codes: [Option<i16>; ADC_CHANNELS],
}

/// A thermocouple with its converter.
#[derive(Debug)]
struct Thermocouple {
    sensor: Sensor,
    converter: Converter,
    reading: SensorInput,
}

/// What the samples of one step are taken of.
pub(crate) struct Scene<'a> {
    pub(crate) plant: &'a Plant,
    pub(crate) effects: &'a Effects,
    /// Full scale of each converter with dividers, V.
    pub(crate) full_scales: &'a [f64],
    /// Steps taken since the machine was built.
    pub(crate) steps: u64,
    pub(crate) now: Micros,
}

impl Scene<'_> {
    /// The input of each converter whose turn it is.
    fn turn(&self) -> usize {
        (self.steps % ADC_CHANNELS as u64) as usize
    }

    /// The sensor that a plug is on: those of two neighbouring zones may be exchanged.
    fn on_plug(&self, plug: Sensor) -> Sensor {
        let Some(zone) = self.effects.swapped else {
            return plug;
        };
        match self.plant.neighbour_sensors(zone) {
            Some((first, second)) if plug == first => second,
            Some((first, second)) if plug == second => first,
            _ => plug,
        }
    }

    /// What a sensor that is whole measures, °C, by as much too high as its trouble makes it.
    fn measured(&self, sensor: Sensor) -> f64 {
        let off_by = match self.effects.sensors[sensor] {
            SensorTrouble::Jumping => {
                let round = self.steps / ADC_CHANNELS as u64;
                if round.is_multiple_of(2) { JUMP } else { -JUMP }
            }
            SensorTrouble::Offset(celsius) => celsius,
            SensorTrouble::None
            | SensorTrouble::Open
            | SensorTrouble::Shorted
            | SensorTrouble::Frozen
            | SensorTrouble::Loose(_) => 0.0,
        };
        self.plant.probe(sensor) + off_by
    }
}

/// Every converter.
#[derive(Debug)]
pub(crate) struct Converters {
    divider: Divider,
    noise: Noise,
    noise_lsb: f64,
    adcs: Vec<Adc>,
    thermocouples: Vec<Thermocouple>,
}

impl Converters {
    pub(crate) fn new(params: &PlantConfig, plugs: Plugs) -> Self {
        let adc = |plugs| Adc {
            plugs,
            readings: [AdcReading::None; ADC_CHANNELS],
            codes: [None; ADC_CHANNELS],
        };
        let thermocouple = |sensor| Thermocouple {
            sensor,
            converter: Converter::default(),
            reading: SensorInput::None,
        };
        Self {
            divider: Divider::new(params),
            noise: Noise::new(params.seed),
            noise_lsb: params.noise_lsb,
            adcs: plugs.adcs.into_iter().map(adc).collect(),
            thermocouples: plugs.thermocouples.into_iter().map(thermocouple).collect(),
        }
    }

    /// Convert one input of each converter.
    pub(crate) fn sample(&mut self, scene: &Scene<'_>) {
        let turn = scene.turn();
        let silent = scene.effects.adc_gone || scene.effects.adc_stopped;
        for (adc, full_scale) in self.adcs.iter_mut().zip(scene.full_scales) {
            // Drawn in any case, so that a fault leaves the noise after it as it would have been.
            let noise = self.noise.standard() * self.noise_lsb;
            if !silent {
                adc.sample(turn, &self.divider, *full_scale, noise, scene);
            }
        }
        // One look each 0.2 s, the first converter at the first turn.
        for thermocouple in self.thermocouples.iter_mut().skip(turn).step_by(ADC_CHANNELS) {
            let noise = self.noise.standard();
            if !silent {
                thermocouple.sample(noise, self.noise_lsb, scene);
            }
        }
    }

    /// No converter answers.
    pub(crate) fn fall_silent(&mut self) {
        self.set_all(AdcReading::BusError, SensorInput::BusError);
    }

    /// No sample has been taken yet.
    pub(crate) fn forget(&mut self) {
        self.set_all(AdcReading::None, SensorInput::None);
    }

    fn set_all(&mut self, reading: AdcReading, input: SensorInput) {
        for adc in &mut self.adcs {
            adc.readings = [reading; ADC_CHANNELS];
        }
        for thermocouple in &mut self.thermocouples {
            thermocouple.reading = input;
        }
    }

    /// The newest word about a sensor that is looked for at `input`.
    pub(crate) fn say(&self, sensor: Sensor, input: Input, full_scales: &[f64]) -> SensorInput {
        match input {
            Input::Nowhere => SensorInput::None,
            Input::Adc { converter, input } => {
                match (self.adcs.get(converter), full_scales.get(converter)) {
                    (Some(adc), Some(fsr)) => SensorInput::of_adc(adc.readings[input], *fsr),
                    _ => SensorInput::None,
                }
            }
            Input::Thermocouple => self
                .thermocouples
                .iter()
                .find(|thermocouple| thermocouple.sensor == sensor)
                .map_or(SensorInput::None, |thermocouple| thermocouple.reading),
        }
    }
}

impl Adc {
    fn sample(
        &mut self,
        input: usize,
        divider: &Divider,
        full_scale: f64,
        noise: f64,
        scene: &Scene<'_>,
    ) {
        let sensor = self.plugs[input].map(|plug| scene.on_plug(plug));
        let trouble = sensor.map_or(SensorTrouble::None, |sensor| scene.effects.sensors[sensor]);
        let code = match self.codes[input] {
            Some(code) if trouble == SensorTrouble::Frozen => code,
            _ => {
                let probe = match (sensor, trouble) {
                    (Some(_), SensorTrouble::Open) => Probe::Open,
                    // An input with nothing on it floats near ground.
                    (Some(_), SensorTrouble::Shorted) | (None, _) => Probe::Shorted,
                    (
                        Some(sensor),
                        SensorTrouble::None
                        | SensorTrouble::Frozen
                        | SensorTrouble::Loose(_)
                        | SensorTrouble::Jumping
                        | SensorTrouble::Offset(_),
                    ) => Probe::At(scene.measured(sensor)),
                };
                thermistor::code(divider.volts(probe, scene.effects.rail), full_scale, noise)
            }
        };
        self.codes[input] = Some(code);
        self.readings[input] = AdcReading::Sample { code, taken_at: scene.now };
    }
}

impl Thermocouple {
    fn sample(&mut self, noise: f64, noise_lsb: f64, scene: &Scene<'_>) {
        let sensor = scene.on_plug(self.sensor);
        let junction = match scene.effects.sensors[sensor] {
            SensorTrouble::Open => Junction::Open,
            SensorTrouble::Shorted => Junction::Shorted,
            SensorTrouble::Frozen => Junction::Frozen,
            SensorTrouble::None
            | SensorTrouble::Loose(_)
            | SensorTrouble::Jumping
            | SensorTrouble::Offset(_) => Junction::At(scene.measured(sensor)),
        };
        self.reading = self.converter.look(junction, noise, noise_lsb, scene.now);
    }
}
