//! A bench around the simulated machine: 10 ms ticks and a judge-free reader of its codes.

use tve_config::Config;
use tve_hal::{Hardware, Inputs, Motor, MotorDrive, Outputs, Sensor, SensorInput, Zone};
use tve_sim::{Fault, FaultKind, SimHardware, SimPowers};
use tve_units::{Celsius, Micros, StepRate};

/// The control period.
pub(crate) const TICK: Micros = Micros::from_millis(10);

/// What the machine of the defaults has, by the names that its configuration gives: `z1`, `z2`.
pub(crate) const Z1: Zone = Zone::at(0);
pub(crate) const ZONES: [Zone; 2] = [Z1, Zone::at(1)];
/// Its `main`.
pub(crate) const SCREW: Motor = Motor::at(0);
/// Its `feed`.
pub(crate) const FEEDER: Motor = Motor::at(1);
/// The sensor of its feed throat.
pub(crate) const T1: Sensor = Sensor::at(0);
/// The sensors of its zones.
pub(crate) const T2: Sensor = Sensor::at(1);
pub(crate) const T3: Sensor = Sensor::at(2);
/// The sensor of its screw's motor.
pub(crate) const MOTOR: Sensor = Sensor::at(3);
/// Every sensor.
pub(crate) const SENSORS: [Sensor; 4] = [T1, T2, T3, MOTOR];
/// The sensor on each input of its converter.
pub(crate) const BY_CHANNEL: [Sensor; 4] = [T1, T2, MOTOR, T3];

/// Its outputs, all off.
pub(crate) fn off() -> Outputs {
    Outputs::off(ZONES.len(), 2)
}

/// Its inputs before it is read.
pub(crate) fn unread() -> Inputs {
    Inputs::unread(2, SENSORS.len())
}

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
        let (out, inputs) = (off(), unread());
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
        self.out.motors[SCREW] = MotorDrive::Run(StepRate::new(rate).unwrap());
    }

    /// True temperature, °C.
    pub(crate) fn truth(&self, sensor: Sensor) -> f64 {
        self.sim.true_temperature(sensor)
    }

    /// The count of a sensor's converter.
    pub(crate) fn code(&self, sensor: Sensor) -> i16 {
        match self.inputs.sensors[sensor] {
            SensorInput::Sample { raw, .. } => raw.try_into().expect("a code has 16 bits"),
            other @ (SensorInput::None | SensorInput::BusError) => {
                panic!("{sensor:?} has no sample but {other:?}")
            }
        }
    }

    /// When a sensor was sampled.
    pub(crate) fn taken_at(&self, sensor: Sensor) -> Micros {
        self.inputs.sensors[sensor].taken_at().expect("it has a sample")
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
