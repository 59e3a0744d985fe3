//! Rules between keys, and warnings about accepted configurations.

use crate::classic::OF_TWO;
use crate::field::quoted;
use crate::issue::{Issue, join, unknown};
use crate::sections::board::CONVERTER_INPUTS;
use crate::sections::thermistor::Misread;
use crate::{Config, MachineConfig, Serves};
use serde_json::Value;
use std::collections::BTreeMap;
use tve_machine::{PwmOutput, Signal};
use tve_units::Bcm;

/// Least distance of the highest target from the over-temperature trip, °C: the overshoot of a
/// badly tuned zone must not trip.
const TARGET_HEADROOM: f64 = 15.0;
/// Below this fixed resistor a cold thermistor reads nearly the full reference voltage, ohm.
const SAFE_R_FIXED: f64 = 4700.0;
/// Where a thermistor that is known by its beta alone is told to be off, °C.
const HOT: f64 = 210.0;
/// Fastest pulse train of a pin without hardware PWM, steps/s.
const SOFT_STEP_RATE: f64 = 5000.0;
/// Header pins whose pulses come from the PWM peripheral.
const HARDWARE_PWM: [u8; 4] = [12, 13, 18, 19];
/// Pins that share one channel of that peripheral and so cannot make two speeds.
const SHARED_PWM: [[u8; 2]; 2] = [[12, 18], [13, 19]];
/// What the sensors of the machine of two zones measure.
const CLASSIC_SENSORS: [&str; 4] = ["t1", "t2", "t3", "motor"];
/// Outputs of the PWM board.
const PWM_CHANNELS: usize = 16;

/// The rules between keys, as the documentation states them; [`Config::validate`] enforces them.
pub(crate) const RULES: &[&str] = &[
    "No pin serves two functions.",
    "The step pins are not 12 with 18, nor 13 with 19: each pair shares one channel of the PWM peripheral.",
    "No PWM channel has two names, and there are at most 16 names.",
    "PWM board and converter do not share an address on one bus.",
    "No two enabled channels measure the same thing, and a thermistor's channel is on a converter that is there.",
    "`zones` and `motors` come together, and then `z1` and `z2` are absent: each zone gives its own gains.",
    "No two zones or motors have one name, and what they refer to is there: each zone has a sensor of its own.",
    "No two converters share an address, no two thermocouples a chip select, and the pins of their SPI bus serve nothing else.",
    "A sensor has `thermistor` or `rt_points`, not both.",
    "Calibration points are empty, or give a line with slope 0.95 to 1.05 and offset within 5 °C. A file of before may have 0.8 to 1.25 and 15 °C: it starts, and the zone heats at 30 % at most until its sensor is calibrated anew.",
    "`safety.max_target` is at least 15 °C below `safety.over_temperature`.",
    "`safety.frozen_uncertain_after` is not above `safety.frozen_after`.",
    "`safety.idle_off_min` is not below `safety.idle_setback_min` when both are given.",
    "`safety.local_stop` with `pins.btn_stop` has `pins.btn_start`: what locks can be released.",
    "`pins.contactor_feedback` has `pins.contactor`.",
    "The lower end of a history axis is below its upper end when both are given.",
];

impl Config {
    /// Check everything that a file must keep, rules between keys included; faults go to
    /// `errors`. A command that changes the configuration applies its patch to a copy, validates
    /// the copy, and keeps it if clean.
    pub fn validate(&self, errors: &mut Vec<Issue>) {
        // Values that code has set without the parser are read as the file would be, so that
        // nothing which was accepted can refuse the next start.
        self.recheck(errors);
        self.check_layout(errors);
        self.extruder_sequence.check(&self.names(), errors);
        self.check_pins(errors);
        self.check_board(errors);
        self.check_sensors(errors);
        self.check_safety(errors);
        self.check_history(errors);
    }

    /// What a file may say in one of its two forms only.
    pub(crate) fn check_forms(&self, file: &Value, errors: &mut Vec<Issue>) {
        if self.is_classic() {
            return;
        }
        for key in OF_TWO.into_iter().filter(|key| file.get(key).is_some()) {
            let reason = "belongs to a file without `zones`; give kp, ki and kd of each zone there";
            errors.push(Issue::new(key, reason));
        }
    }

    fn check_pins(&self, errors: &mut Vec<Issue>) {
        let names = self.names();
        let signals: Vec<(String, Signal)> = Signal::all(&names).collect();
        let known: Vec<&str> = signals.iter().map(|(name, _)| name.as_str()).collect();
        for (name, _) in self.pins.iter().filter(|(name, _)| !known.contains(name)) {
            errors.push(Issue::new(join("pins", name), unknown("key", name, &known)));
        }
        let mut owners: BTreeMap<Bcm, &str> = BTreeMap::new();
        let mut steps: Vec<(&str, Bcm)> = Vec::new();
        for (name, signal) in &signals {
            let Some(pin) = self.pins.get(name) else { continue };
            let at = || join("pins", name);
            if let Some(channel) = self.spi_user(pin) {
                let reason = format!("pin {} is on the SPI bus of sensors.{channel}", pin.get());
                errors.push(Issue::new(at(), reason));
            }
            if let Some(other) = owners.insert(pin, name) {
                let reason = format!("pin {} already serves {other}", pin.get());
                errors.push(Issue::new(at(), reason));
            }
            match signal {
                Signal::Step(_) => {
                    let shares = |other: Bcm| {
                        other != pin
                            && SHARED_PWM
                                .iter()
                                .any(|p| p.contains(&pin.get()) && p.contains(&other.get()))
                    };
                    if let Some((other, on)) = steps.iter().find(|(_, on)| shares(*on)) {
                        let reason = format!(
                            "pin {} shares one channel of the hardware PWM with {other} on pin {}, \
                             so the motors could not turn at two speeds; take one of 12, 18 and \
                             one of 13, 19",
                            pin.get(),
                            on.get()
                        );
                        errors.push(Issue::new(at(), reason));
                    }
                    steps.push((name, pin));
                }
                Signal::ContactorFeedback if self.pins.get("contactor").is_none() => {
                    errors.push(Issue::new(at(), "needs pins.contactor, which it is about"));
                }
                Signal::Cooler(zone) => self.check_cooler(at(), zone.index(), errors),
                Signal::PwmEnable
                | Signal::Contactor
                | Signal::ContactorFeedback
                | Signal::Heater(_)
                | Signal::Enable(_)
                | Signal::Direction(_)
                | Signal::Peltier
                | Signal::Fan
                | Signal::Pump
                | Signal::Lamp(_)
                | Signal::EmergencyStop
                | Signal::Start
                | Signal::Stop
                | Signal::DriveAlarm(_) => {}
            }
        }
    }

    /// The channel whose thermocouple needs a pin for its bus.
    fn spi_user(&self, pin: Bcm) -> Option<u8> {
        let mut channels = self.sensors.channels().filter(|(_, sensor)| sensor.enabled);
        channels
            .find(|(_, sensor)| {
                sensor.as_thermocouple().is_some_and(|tc| tc.pins().any(|used| used == pin))
            })
            .map(|(channel, _)| channel)
    }

    fn check_cooler(&self, path: String, zone: usize, errors: &mut Vec<Issue>) {
        let has_cooler = self.zones.as_ref().and_then(|zones| zones.get(zone)).map(|z| z.cooler);
        if has_cooler != Some(true) {
            errors.push(Issue::new(path, format!("needs zones[{zone}].cooler")));
        }
    }

    fn check_board(&self, errors: &mut Vec<Issue>) {
        let channels = &self.pwm.channels;
        if channels.len() > PWM_CHANNELS {
            let reason = format!("must be at most {PWM_CHANNELS} names, not {}", channels.len());
            errors.push(Issue::new("pwm.channels", reason));
        }
        let mut owners: BTreeMap<u8, &str> = BTreeMap::new();
        for (name, channel) in channels {
            if let Some(other) = owners.insert(*channel, name) {
                let reason = format!("channel {channel} already is {other}");
                errors.push(Issue::new(join("pwm.channels", name), reason));
            }
        }
        for (name, output) in PwmOutput::all(&self.names()) {
            if let PwmOutput::Cooler(zone) = output
                && channels.contains_key(&name)
            {
                self.check_cooler(join("pwm.channels", &name), zone.index(), errors);
            }
        }
        let mut taken: Vec<((u8, u8), &str)> = Vec::new();
        if self.pwm.enabled {
            taken.push(((self.pwm.bus, self.pwm.address), "the PWM board"));
        }
        for (i, converter) in self.converters().iter().enumerate() {
            let at = (converter.bus, converter.address);
            if let Some((_, other)) = taken.iter().find(|(known, _)| *known == at) {
                let path = match i {
                    0 => "adc.address".to_owned(),
                    _ => format!("adc.more[{}].address", i - 1),
                };
                let reason = format!("{} on bus {} already is {other}", at.1, at.0);
                errors.push(Issue::new(path, reason));
            }
            taken.push((at, "another converter"));
        }
    }

    fn check_sensors(&self, errors: &mut Vec<Issue>) {
        // Without the converter its channels measure nothing, and are not in anybody's way.
        let inputs = (1 + self.adc.more.as_slice().len()) * CONVERTER_INPUTS;
        let mut owners: BTreeMap<&str, u8> = BTreeMap::new();
        let mut chips: BTreeMap<(u8, u8), u8> = BTreeMap::new();
        for (channel, sensor) in self.sensors.channels() {
            let path = join("sensors", &channel.to_string());
            match sensor.as_thermocouple() {
                None if usize::from(channel) >= inputs => {
                    let last = inputs - 1;
                    let reason = format!("unknown channel; there are \"0\" to \"{last}\"");
                    errors.push(Issue::new(path, reason));
                    continue;
                }
                Some(tc) if sensor.enabled => {
                    if let Some(other) = chips.insert((tc.spi, tc.chip_select), channel) {
                        let reason = format!(
                            "chip select {} of bus {} already is channel {other}",
                            tc.chip_select, tc.spi
                        );
                        errors.push(Issue::new(join(&path, "chip_select"), reason));
                    }
                }
                Some(_) | None => {}
            }
            let name = sensor.logical.as_str();
            if self.is_classic() && !CLASSIC_SENSORS.contains(&name) {
                let names = quoted(&CLASSIC_SENSORS);
                let reason = format!("must be one of {names}, not \"{name}\"");
                errors.push(Issue::new(join(&path, "logical"), reason));
            } else if sensor.enabled
                && let Some(other) = owners.insert(name, channel)
            {
                let reason = format!("{name} is already measured by channel {other}");
                errors.push(Issue::new(join(&path, "logical"), reason));
            }
            if sensor.thermistor.is_some() && !sensor.rt_points.is_empty() {
                let reason = "is in the way of `thermistor`: give the name or the points";
                errors.push(Issue::new(join(&path, "rt_points"), reason));
            }
            if let Err(reason) = sensor.calibration() {
                errors.push(Issue::new(join(&path, "cal_points"), reason));
            }
        }
    }

    fn check_safety(&self, errors: &mut Vec<Issue>) {
        let safety = &self.safety;
        if let Some(reason) = too_near(safety.max_target, safety.over_temperature) {
            errors.push(Issue::new("safety.max_target", reason));
        }
        for (i, zone) in self.zones.iter().flatten().enumerate() {
            let max_target = zone.max_target.unwrap_or(safety.max_target);
            let trips = zone.over_temperature.unwrap_or(safety.over_temperature);
            let own = zone.max_target.is_some() || zone.over_temperature.is_some();
            if let (true, Some(reason)) = (own, too_near(max_target, trips)) {
                errors.push(Issue::new(format!("zones[{i}].max_target"), reason));
            }
        }
        if safety.frozen_uncertain_after > safety.frozen_after {
            let reason = format!(
                "must be at most frozen_after ({} s), not {}",
                safety.frozen_after, safety.frozen_uncertain_after
            );
            errors.push(Issue::new("safety.frozen_uncertain_after", reason));
        }
        let (setback, off) = (safety.idle_setback_min, safety.idle_off_min);
        if setback > 0.0 && off > 0.0 && off < setback {
            let reason = format!("must be 0 or at least idle_setback_min ({setback}), not {off}");
            errors.push(Issue::new("safety.idle_off_min", reason));
        }
        let wired = |signal: Signal| self.pins.get(signal.row().pattern).is_some();
        if safety.local_stop && wired(Signal::Stop) && !wired(Signal::Start) {
            let reason =
                "needs pins.btn_start: only that button releases what the stop button locks";
            errors.push(Issue::new("safety.local_stop", reason));
        }
    }

    fn check_history(&self, errors: &mut Vec<Issue>) {
        let history = &self.history;
        for (side, min, max) in [
            ("left", history.y_left_min, history.y_left_max),
            ("right", history.y_right_min, history.y_right_max),
        ] {
            if let (Some(min), Some(max)) = (min, max)
                && min >= max
            {
                let reason = format!("must be below y_{side}_max ({max}), not {min}");
                errors.push(Issue::new(format!("history.y_{side}_min"), reason));
            }
        }
    }

    /// What is accepted but deserves a look before the machine runs.
    pub fn warnings(&self) -> Vec<Issue> {
        let mut warnings = Vec::new();
        let machine = self.machine();
        Self::warn_safety(&machine, &mut warnings);
        self.warn_sensors(&machine, &mut warnings);
        self.warn_outputs(&machine, &mut warnings);
        self.warn_settings(&mut warnings);
        warnings
    }

    fn warn_safety(machine: &MachineConfig, warnings: &mut Vec<Issue>) {
        for weak in machine.weak() {
            warnings.push(Issue::new(weak.path(), weak.reason().to_string()));
        }
        if machine.signals.pin(Signal::Contactor).is_none() {
            let hottest = machine.zones.iter().map(|zone| zone.model.gain).fold(0.0, f64::max);
            let reason = format!(
                "no contactor: a relay that sticks heats its zone on to about {:.0} °C, and nothing \
                 here can end that",
                machine.safety.ambient + hottest
            );
            warnings.push(Issue::new("pins.contactor", reason));
        }
    }

    fn warn_sensors(&self, machine: &MachineConfig, warnings: &mut Vec<Issue>) {
        for (channel, doubt) in
            machine.sensors.iter().filter_map(|point| point.channel.zip(point.doubt))
        {
            let reason = format!("{doubt}; a zone with this sensor heats at 30 % at most");
            warnings.push(Issue::new(format!("sensors.{channel}"), reason));
        }
        for (channel, sensor) in self.sensors.channels().filter(|(_, s)| s.enabled) {
            if sensor.as_thermocouple().is_some() {
                continue;
            }
            let at = |key| format!("sensors.{channel}.{key}");
            if sensor.r_fixed < SAFE_R_FIXED {
                let reason = format!(
                    "{} ohm is under {SAFE_R_FIXED}: an open NTC can read as a cold barrel, which \
                     only the heating check notices; fit {SAFE_R_FIXED} ohm or more",
                    sensor.r_fixed
                );
                warnings.push(Issue::new(at("r_fixed"), reason));
            }
            let serves = machine.sensors.iter().find(|point| point.channel == Some(channel));
            if let (Some(Serves::Zone(zone)), Some(misread)) =
                (serves.map(|point| point.serves), Misread::of(sensor.curve()))
            {
                let needed = machine.zones[zone].limits.min_temp_for_motor;
                let part = misread.part.name();
                let reason = format!(
                    "beta alone shows {:.1} °C where a {part} has {HOT} °C, and lets the screw turn \
                     at {:.1} °C for {needed} °C; say thermistor \"{part}\" if it is one, or give \
                     rt_points of its table",
                    misread.shown_at(HOT),
                    misread.true_at(needed)
                );
                warnings.push(Issue::new(at("beta"), reason));
            }
            let converter = machine.converters.get(usize::from(channel) / CONVERTER_INPUTS);
            if let Some(fsr) = converter.map(|c| c.fsr).filter(|fsr| sensor.v_ref > *fsr) {
                let reason = format!(
                    "{} V is above adc.fsr {fsr} V: the converter saturates before an open NTC \
                     shows; choose a greater fsr",
                    sensor.v_ref
                );
                warnings.push(Issue::new(at("v_ref"), reason));
            }
        }
    }

    fn warn_outputs(&self, machine: &MachineConfig, warnings: &mut Vec<Issue>) {
        for (motor, settings) in machine.motors.entries() {
            let Some(pin) = machine.signals.pin(Signal::Step(motor)) else { continue };
            if HARDWARE_PWM.contains(&pin.get()) {
                continue;
            }
            let microsteps = settings.microsteps;
            let highest = SOFT_STEP_RATE * 60.0 / f64::from(microsteps);
            let mut reason = format!(
                "pin {} has no hardware PWM: at {microsteps} microsteps the highest rpm is \
                 {highest:.1}; use pin 12, 13, 18 or 19, or fewer microsteps",
                pin.get()
            );
            let start = self.motion.start_rpm.min(settings.max_rpm);
            if start > highest {
                use std::fmt::Write as _;
                // Writing to a String cannot fail.
                let _ = write!(reason, "; motion.start_rpm {start} will be refused");
            }
            let path = join("pins", &format!("step_{}", settings.name));
            warnings.push(Issue::new(path, reason));
        }
        for (zone, settings) in machine.zones.entries() {
            if machine.pwm.channel(PwmOutput::Heater(zone)).is_some()
                && machine.signals.pin(Signal::PwmEnable).is_none()
            {
                warnings.push(Issue::new(
                    format!("pwm.channels.{}", settings.name),
                    "a heater on the PWM board keeps its duty when the program dies; wire the \
                     board's output enable and set pins.pca_oe",
                ));
            }
        }
    }

    fn warn_settings(&self, warnings: &mut Vec<Issue>) {
        let button = self.pins.get(Signal::EmergencyStop.row().pattern);
        if let (Some(pin), None) = (button, self.safety.estop_contact) {
            let reason = format!(
                "not given, so the contact on pin {} is taken as normally closed; say \"nc\" or \
                 \"no\"",
                pin.get()
            );
            warnings.push(Issue::new("safety.estop_contact", reason));
        }
        if !self.extruder_sequence.check_temp_before_start {
            warnings.push(Issue::new(
                "extruder_sequence.check_temp_before_start",
                "false is kept and shown but bypasses nothing: a cold screw never starts",
            ));
        }
        let latest = self.safety.last_stop_step_s();
        for (i, step) in self.extruder_sequence.shutdown.iter().enumerate() {
            if step.enabled && step.delay > latest {
                let reason = format!(
                    "{} s is more than a STOP may take (safety.stop_max_s): the step comes after \
                     {latest} s",
                    step.delay
                );
                let path = format!("extruder_sequence.shutdown[{i}].delay");
                warnings.push(Issue::new(path, reason));
            }
        }
        if self.control.law == 1 {
            warnings.push(Issue::new(
                "control.law",
                "the gains were made for law 1 and are converted until an autotune or new gains; \
                 tune each zone, or set law 2 for gains made here",
            ));
        }
        let (needed, highest) = (self.safety.min_temp_for_motor, self.safety.max_target);
        if needed > highest {
            let reason = format!(
                "{needed} °C is above safety.max_target {highest} °C: the screw can never turn"
            );
            warnings.push(Issue::new("safety.min_temp_for_motor", reason));
        }
        if self.security.enabled && self.security.users.is_empty() {
            warnings.push(Issue::new(
                "security.users",
                "security is enabled without users, so nobody can log in; add one with the output \
                 of `tve hash-password`",
            ));
        }
    }
}

/// Why a highest target is too near to the temperature that trips.
fn too_near(max_target: f64, trips: f64) -> Option<String> {
    let highest = trips - TARGET_HEADROOM;
    (max_target > highest).then(|| {
        format!(
            "must be at most {highest} °C, {TARGET_HEADROOM} °C below over_temperature, not \
             {max_target}"
        )
    })
}
