//! A bench around the simulated machine: 10 ms ticks and a judge-free reader of its codes.

use tve_config::Config;
use tve_hal::{AdcReading, Hardware, Inputs, MotorDrive, Outputs, Sensor};
use tve_sim::{Fault, FaultKind, SimHardware, SimPowers};
use tve_units::{Celsius, Micros, StepRate};

/// The control period.
pub(crate) const TICK: Micros = Micros::from_millis(10);

/// Channel of each sensor, by `Sensor::index`.
const CHANNEL: [usize; 4] = [0, 1, 3, 2];

/// A machine, its outputs and its newest inputs.
pub(crate) struct Bench {
    pub(crate) config: Config,
    pub(crate) sim: SimHardware,
    pub(crate) out: Outputs,
    pub(crate) inputs: Inputs,
    pub(crate) now: Micros,
}

impl Bench {
    /// The machine of the schema's defaults with a 4.7 kohm divider and no noise.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same after `change`.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        config.plant.r_fixed = 4700.0;
        config.plant.noise_lsb = 0.0;
        change(&mut config);
        let mut sim = SimHardware::new(&config);
        sim.configure(&config.machine()).unwrap();
        let (out, inputs) = (Outputs::default(), Inputs::default());
        let mut bench = Self { config, sim, out, inputs, now: Micros::ZERO };
        bench.sim.read(bench.now, &mut bench.inputs).unwrap();
        bench
    }

    /// Both zones soaked at `celsius`.
    pub(crate) fn at(celsius: f64) -> Self {
        let mut bench = Self::new();
        bench.sim.set_temperature(Celsius::new(celsius).unwrap());
        bench
    }

    /// Apply the outputs, let one tick pass, read.
    pub(crate) fn tick(&mut self) {
        self.sim.apply(self.now, &self.out).unwrap();
        self.now = self.now + TICK;
        self.sim.read(self.now, &mut self.inputs).unwrap();
    }

    /// Tick for `seconds`.
    pub(crate) fn run(&mut self, seconds: f64) {
        let end = self.now + Micros::from_secs_f64(seconds);
        while self.now < end {
            self.tick();
        }
    }

    /// Heat with these percents for `seconds`, in windows of 2 s of 20 ms slots.
    pub(crate) fn heat(&mut self, percent: [u32; 2], seconds: f64) {
        let end = self.now + Micros::from_secs_f64(seconds);
        let mut tick = 0;
        while self.now < end {
            self.out.heaters = percent.map(|p| (tick / 2) % 100 < p).into();
            self.tick();
            tick += 1;
        }
        self.out.heaters = [false; 2].into();
    }

    /// Run the screw, rpm.
    pub(crate) fn turn(&mut self, rpm: f64) {
        let rate = rpm * f64::from(self.config.dm556.microsteps) / 60.0;
        self.out.motors[0] = MotorDrive::Run(StepRate::new(rate).unwrap());
    }

    /// True temperature, °C.
    pub(crate) fn truth(&self, sensor: Sensor) -> f64 {
        self.sim.true_temperature(sensor)
    }

    /// The newest word of the converter about a sensor's channel.
    pub(crate) fn adc(&self, sensor: Sensor) -> AdcReading {
        self.inputs.adc[CHANNEL[sensor.index()]]
    }

    /// The code of a sensor's channel.
    pub(crate) fn code(&self, sensor: Sensor) -> i16 {
        match self.adc(sensor) {
            AdcReading::Sample { code, .. } => code,
            other @ (AdcReading::None | AdcReading::BusError) => {
                panic!("{sensor:?} has no sample but {other:?}")
            }
        }
    }

    /// Share of the supply at a sensor's tap.
    pub(crate) fn ratio(&self, sensor: Sensor) -> f64 {
        f64::from(self.code(sensor)) / 32_768.0 * self.config.adc.fsr / self.config.plant.supply
    }

    /// What the code of a sensor says, °C.
    pub(crate) fn reading(&self, sensor: Sensor) -> f64 {
        let ratio = self.ratio(sensor);
        let ohms = self.config.plant.r_fixed * ratio / (1.0 - ratio);
        1.0 / (1.0 / 298.15 + (ohms / self.config.plant.r_25).ln() / self.config.plant.beta)
            - 273.15
    }

    /// Inject `kind` from now for `seconds`.
    pub(crate) fn fault(&mut self, kind: FaultKind, seconds: f64) {
        let from = self.sim.elapsed();
        self.sim.inject(Fault::between(kind, from, from + Micros::from_secs_f64(seconds)));
    }
}

/// Whether two numbers are within `tolerance` of each other.
pub(crate) fn near(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance
}
