//! Rules between keys, and warnings about accepted configurations.

use crate::issue::{Issue, join};
use crate::{Config, Logical, Pins};
use std::collections::BTreeMap;
use tve_units::Bcm;

/// Least distance of the highest target from the over-temperature trip, °C: the overshoot of a
/// badly tuned zone must not trip.
const TARGET_HEADROOM: f64 = 15.0;
/// Below this fixed resistor a cold thermistor reads nearly the full reference voltage, ohm.
const SAFE_R_FIXED: f64 = 4700.0;
/// Fastest pulse train of a pin without hardware PWM, steps/s.
const SOFT_STEP_RATE: f64 = 5000.0;
/// Header pins whose pulses come from the PWM peripheral.
const HARDWARE_PWM: [u8; 4] = [12, 13, 18, 19];
/// Pins that share one channel of that peripheral and so cannot make two speeds.
const SHARED_PWM: [[u8; 2]; 2] = [[12, 18], [13, 19]];
/// Outputs of the PWM board.
const PWM_CHANNELS: usize = 16;

/// The rules between keys, as the documentation states them; [`Config::validate`] enforces them.
pub(crate) const RULES: &[&str] = &[
    "No pin serves two functions.",
    "The step pins are not 12 with 18, nor 13 with 19: each pair shares one channel of the PWM peripheral.",
    "No PWM channel has two names, and there are at most 16 names.",
    "PWM board and converter do not share an address on one bus.",
    "No two enabled channels measure the same thing.",
    "Calibration points are empty, or give a line with slope 0.8 to 1.25 and offset within 15 °C.",
    "`safety.max_target` is at least 15 °C below `safety.over_temperature`.",
    "`safety.frozen_uncertain_after` is not above `safety.frozen_after`.",
    "`safety.idle_off_min` is not below `safety.idle_setback_min` when both are given.",
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
        self.check_pins(errors);
        self.check_board(errors);
        self.check_sensors(errors);
        self.check_safety(errors);
        self.check_history(errors);
    }

    fn check_pins(&self, errors: &mut Vec<Issue>) {
        let mut owners: BTreeMap<Bcm, &str> = BTreeMap::new();
        for (name, pin) in self.pins.iter() {
            let Some(pin) = pin else { continue };
            if let Some(other) = owners.insert(pin, name) {
                let reason = format!("pin {} already serves {other}", pin.get());
                errors.push(Issue::new(join("pins", name), reason));
            }
        }
        if let (Some(main), Some(feed)) = (self.pins.step_main, self.pins.step_feed)
            && SHARED_PWM.iter().any(|p| p.contains(&main.get()) && p.contains(&feed.get()))
            && main != feed
        {
            let reason = format!(
                "pin {} shares one channel of the hardware PWM with step_main on pin {}, so the \
                 motors could not turn at two speeds; take one of 12, 18 and one of 13, 19",
                feed.get(),
                main.get()
            );
            errors.push(Issue::new("pins.step_feed", reason));
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
        let (pwm, adc) = (&self.pwm, &self.adc);
        if pwm.enabled && adc.enabled && (pwm.bus, pwm.address) == (adc.bus, adc.address) {
            let reason = format!("{} on bus {} already is the PWM board", adc.address, adc.bus);
            errors.push(Issue::new("adc.address", reason));
        }
    }

    fn check_sensors(&self, errors: &mut Vec<Issue>) {
        let mut owners: BTreeMap<Logical, usize> = BTreeMap::new();
        for (channel, sensor) in self.sensors.iter().enumerate() {
            let path = join("sensors", &channel.to_string());
            if sensor.enabled
                && let Some(other) = owners.insert(sensor.logical, channel)
            {
                let name = sensor.logical.name();
                let reason = format!("{name} is already measured by channel {other}");
                errors.push(Issue::new(join(&path, "logical"), reason));
            }
            if let Err(reason) = sensor.calibration() {
                errors.push(Issue::new(join(&path, "cal_points"), reason));
            }
        }
    }

    fn check_safety(&self, errors: &mut Vec<Issue>) {
        let safety = &self.safety;
        let highest = safety.over_temperature - TARGET_HEADROOM;
        if safety.max_target > highest {
            let reason = format!(
                "must be at most {highest} °C, {TARGET_HEADROOM} °C below over_temperature, not {}",
                safety.max_target
            );
            errors.push(Issue::new("safety.max_target", reason));
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
        self.warn_sensors(&mut warnings);
        self.warn_outputs(&mut warnings);
        self.warn_settings(&mut warnings);
        warnings
    }

    fn warn_sensors(&self, warnings: &mut Vec<Issue>) {
        for (channel, sensor) in self.sensors.iter().enumerate().filter(|(_, s)| s.enabled) {
            let at = |key| format!("sensors.{channel}.{key}");
            if sensor.r_fixed < SAFE_R_FIXED {
                let reason = format!(
                    "{} ohm is under {SAFE_R_FIXED}: an open NTC can read as a cold barrel, which \
                     only the heating check notices; fit {SAFE_R_FIXED} ohm or more",
                    sensor.r_fixed
                );
                warnings.push(Issue::new(at("r_fixed"), reason));
            }
            if self.adc.enabled && sensor.v_ref > self.adc.fsr {
                let reason = format!(
                    "{} V is above adc.fsr {} V: the converter saturates before an open NTC \
                     shows; choose a greater fsr",
                    sensor.v_ref, self.adc.fsr
                );
                warnings.push(Issue::new(at("v_ref"), reason));
            }
        }
    }

    fn warn_outputs(&self, warnings: &mut Vec<Issue>) {
        let microsteps = self.dm556.microsteps;
        for name in ["step_main", "step_feed"] {
            let Some(pin) = self.pins.get(name) else {
                continue;
            };
            if HARDWARE_PWM.contains(&pin.get()) {
                continue;
            }
            let highest = SOFT_STEP_RATE * 60.0 / f64::from(microsteps);
            let mut reason = format!(
                "pin {} has no hardware PWM: at {microsteps} microsteps the highest rpm is \
                 {highest:.1}; use pin 12, 13, 18 or 19, or fewer microsteps",
                pin.get()
            );
            let start = self.motion.start_rpm;
            if start > highest {
                use std::fmt::Write as _;
                // Writing to a String cannot fail.
                let _ = write!(reason, "; motion.start_rpm {start} will be refused");
            }
            warnings.push(Issue::new(join("pins", name), reason));
        }
        let heaters = ["z1", "z2"].into_iter().filter(|zone| self.pwm.channel(zone).is_some());
        if self.pins.pca_oe.is_none() {
            for zone in heaters {
                warnings.push(Issue::new(
                    format!("pwm.channels.{zone}"),
                    "a heater on the PWM board keeps its duty when the program dies; wire the \
                     board's output enable and set pins.pca_oe",
                ));
            }
        }
    }

    fn warn_settings(&self, warnings: &mut Vec<Issue>) {
        let Pins { btn_emergency, .. } = self.pins;
        if let (Some(pin), None) = (btn_emergency, self.safety.estop_contact) {
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
