//! Drives the pins of a Raspberry Pi by hand, without the service: for the emulated board and for
//! the first minutes with a new wiring.
//!
//! `board_check CONFIG run SECONDS [ZONE...] [fan] [pump] [contactor] [jog STEPS]` holds the named
//! outputs on, prints a line of inputs each half second, and ends with everything off;
//! `board_check CONFIG conform` plays the body of tests that every machine must pass, with the motors
//! that have a step pin; `board_check CONFIG off` switches off what a killed run has left on;
//! `board_check CONFIG wiring` prints the wiring map.

use std::process::ExitCode;
use std::time::{Duration, Instant};
use tve_config::{CONVERTER_INPUTS, Config, MachineConfig, Source};
use tve_hal::conformance::{self, Bench};
use tve_hal::{Hardware, Inputs, JogId, Motor, MotorDrive, Outputs, Quantity, SensorInput, Signal};
use tve_rpi::{RpiHardware, safe_off, wiring};
use tve_units::{Duty, Micros};

/// Time between two ticks, as in the service.
const PERIOD: Duration = Duration::from_millis(10);
/// Ticks between two printed lines.
const TICKS_A_LINE: u32 = 50;
/// How long the machine may take to answer; an emulated one is slow.
const PATIENCE: Micros = Micros::from_secs(10);
/// Speed of a jog, steps/s.
const JOG_RATE: f64 = 1000.0;
/// Its acceleration, steps/s².
const JOG_ACCEL: f64 = 3200.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("board_check: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    const USAGE: &str =
        "usage: board_check CONFIG run SECONDS [OUTPUT...] | conform | off | wiring";
    let [path, action, rest @ ..] = arguments else { return Err(USAGE.into()) };
    let text = std::fs::read_to_string(path).map_err(|e| format!("cannot read {path}: {e}"))?;
    let config = Config::parse(&text).map_err(|e| e.to_string())?;
    match (action.as_str(), rest) {
        ("off", []) => safe_off(&config).map_err(|e| e.to_string()),
        ("conform", []) => conform(&config),
        ("wiring", []) => {
            print!("{}", wiring::markdown(&config));
            Ok(())
        }
        ("run", [seconds, names @ ..]) => {
            let seconds = seconds.parse().map_err(|_| format!("{seconds:?} is no number of s"))?;
            hold(&config, Duration::from_secs(seconds), &outputs(&config, names)?)
        }
        _ => Err(USAGE.into()),
    }
}

/// The machine on its own clock, ticking as in the service.
struct OnBoard {
    machine: RpiHardware,
    began: Instant,
}

impl Bench for OnBoard {
    fn machine(&mut self) -> &mut dyn Hardware {
        &mut self.machine
    }

    fn tick(&mut self) -> Micros {
        std::thread::sleep(PERIOD);
        Micros::new(self.began.elapsed().as_micros() as u64)
    }
}

fn conform(config: &Config) -> Result<(), String> {
    let machine = RpiHardware::new(config).map_err(|e| e.to_string())?;
    let mut bench = OnBoard { machine, began: Instant::now() };
    let wired = config.machine();
    let steps = |motor: &Motor| wired.signals.pin(Signal::Step(*motor)).is_some();
    let motors: Vec<Motor> = wired.motors.ids().filter(steps).collect();
    for held in conformance::check(&mut bench, config, &motors, PATIENCE)? {
        println!("ok   {held}");
    }
    Ok(())
}

fn outputs(config: &Config, names: &[String]) -> Result<Outputs, String> {
    let machine = config.machine();
    let mut outputs = Outputs::off(machine.zones.len(), machine.motors.len());
    let mut names = names.iter();
    while let Some(name) = names.next() {
        match name.as_str() {
            "fan" => outputs.fan = true,
            "pump" => outputs.pump = true,
            "contactor" => outputs.contactor = true,
            "jog" => {
                let steps = names.next().and_then(|n| n.parse().ok());
                let steps = steps.ok_or("jog needs a number of steps")?;
                let first = outputs.motors.iter_mut().next().ok_or("there is no motor")?;
                *first = MotorDrive::Jog { id: JogId(1), steps, rate: JOG_RATE, accel: JOG_ACCEL };
            }
            zone => match machine.zone_named(zone) {
                Some(zone) => outputs.heaters[zone] = true,
                None => return Err(format!("{name:?} is no output")),
            },
        }
    }
    for (name, on) in [("fan", outputs.fan), ("pump", outputs.pump)] {
        if let (true, Some(channel)) = (on, config.pwm.channel(name)) {
            outputs.pwm[usize::from(channel)] = Duty::FULL;
        }
    }
    Ok(outputs)
}

fn hold(config: &Config, how_long: Duration, outputs: &Outputs) -> Result<(), String> {
    let mut machine = RpiHardware::new(config).map_err(|e| e.to_string())?;
    let wired = config.machine();
    let mut inputs = Inputs::unread(wired.motors.len(), wired.sensors.len());
    let began = Instant::now();
    let mut ticks = 0;
    while began.elapsed() < how_long {
        let now = Micros::new(began.elapsed().as_micros() as u64);
        machine.read(now, &mut inputs).map_err(|e| e.to_string())?;
        machine.apply(now, outputs).map_err(|e| e.to_string())?;
        if ticks % TICKS_A_LINE == 0 {
            print_line(&wired, &inputs);
        }
        ticks += 1;
        std::thread::sleep(PERIOD);
    }
    Ok(())
}

/// What each input of the first converter counts: `-` where no sensor is, or none has been sampled.
fn counts(machine: &MachineConfig, inputs: &Inputs) -> [String; CONVERTER_INPUTS] {
    std::array::from_fn(|input| {
        let here = Some(Source::Adc { converter: 0, input: input as u8 });
        let sensor = machine.sensors.entries().find(|(_, point)| point.source == here);
        match sensor.map_or(SensorInput::None, |(id, _)| inputs.sensor(id)) {
            SensorInput::None => "-".to_owned(),
            SensorInput::Sample { raw, .. } => raw.to_string(),
            SensorInput::BusError => "bus-error".to_owned(),
        }
    })
}

fn print_line(machine: &MachineConfig, inputs: &Inputs) {
    let sensors: Vec<String> = inputs
        .sensors
        .iter()
        .map(|input| match input {
            SensorInput::None => "-".to_owned(),
            SensorInput::BusError => "bus-error".to_owned(),
            SensorInput::Sample { quantity: Quantity::Volts(volts), .. } => format!("{volts:.4}V"),
            SensorInput::Sample { quantity: Quantity::Ohms(ohms), .. } => format!("{ohms:.1}ohm"),
            SensorInput::Sample { quantity: Quantity::Celsius(celsius), quality, .. } => {
                format!("{celsius:.2}C/{quality:?}")
            }
        })
        .collect();
    println!(
        "adc {} estop {:?} pwm_mismatches {} jog_done {:?} pins {:07x} sensors {}",
        counts(machine, inputs).join(" "),
        inputs.estop,
        inputs.pwm_mismatches,
        inputs.motors.iter().next().and_then(|motor| motor.jog_done).map(|id| id.0),
        inputs.pin_levels,
        sensors.join(" ")
    );
}
