//! What each configured pin carries, in which sense, and its level at rest.

use tve_config::Config;
use tve_hal::{Motor, Zone};
use tve_units::Bcm;

/// A panel lamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lamp {
    Status,
    Red,
    Yellow,
    Green,
}

/// The function of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    PwmEnable,
    Contactor,
    Heater(Zone),
    Enable(Motor),
    Step(Motor),
    Direction(Motor),
    Peltier,
    Fan,
    Pump,
    Lamp(Lamp),
    EmergencyStop,
    Start,
    Stop,
    DriveAlarm,
}

/// Every function by its name in the configuration. Outputs come first, in the order in which
/// they are switched off: what cuts the most power goes first.
pub(crate) const SIGNALS: [(&str, Signal); 21] = [
    ("pca_oe", Signal::PwmEnable),
    ("contactor", Signal::Contactor),
    ("ssr_z1", Signal::Heater(Zone::Z1)),
    ("ssr_z2", Signal::Heater(Zone::Z2)),
    ("en_main", Signal::Enable(Motor::Main)),
    ("en_feed", Signal::Enable(Motor::Feed)),
    ("step_main", Signal::Step(Motor::Main)),
    ("step_feed", Signal::Step(Motor::Feed)),
    ("dir_main", Signal::Direction(Motor::Main)),
    ("dir_feed", Signal::Direction(Motor::Feed)),
    ("peltier", Signal::Peltier),
    ("ssr_fan", Signal::Fan),
    ("ssr_pump", Signal::Pump),
    ("led_status", Signal::Lamp(Lamp::Status)),
    ("led_red", Signal::Lamp(Lamp::Red)),
    ("led_yellow", Signal::Lamp(Lamp::Yellow)),
    ("led_green", Signal::Lamp(Lamp::Green)),
    ("btn_emergency", Signal::EmergencyStop),
    ("btn_start", Signal::Start),
    ("btn_stop", Signal::Stop),
    ("alm_main", Signal::DriveAlarm),
];

impl Signal {
    /// Whether the controller reads the pin instead of driving it.
    pub(crate) const fn is_input(self) -> bool {
        matches!(self, Self::EmergencyStop | Self::Start | Self::Stop | Self::DriveAlarm)
    }

    /// Whether the function is active while its pin is low. Drives and the PWM board are released
    /// by a high level; contacts and the alarm's open collector pull their input to ground.
    pub(crate) const fn is_active_low(self) -> bool {
        matches!(self, Self::Enable(_) | Self::PwmEnable) || self.is_input()
    }

    /// The level of an output that is to be active or not, and the other way round for an input.
    pub(crate) const fn level(self, active: bool) -> bool {
        active != self.is_active_low()
    }

    /// The level while the machine is off.
    pub(crate) const fn at_rest(self) -> bool {
        self.level(false)
    }
}

/// The pins of one configuration: who is wired where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Driven pins, in the order in which they are switched off.
    pub(crate) outputs: Vec<(Signal, Bcm)>,
    /// Read pins.
    pub(crate) inputs: Vec<(Signal, Bcm)>,
}

impl Plan {
    pub(crate) fn of(config: &Config) -> Self {
        let mut plan = Self::default();
        for (name, signal) in SIGNALS {
            let Some(pin) = config.pins.get(name) else { continue };
            let list = if signal.is_input() { &mut plan.inputs } else { &mut plan.outputs };
            list.push((signal, pin));
        }
        plan
    }

    /// The pin of a function.
    pub(crate) fn pin(&self, signal: Signal) -> Option<Bcm> {
        self.iter().find(|(known, _)| *known == signal).map(|(_, pin)| pin)
    }

    /// Every pin in use with its function.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Signal, Bcm)> + '_ {
        self.outputs.iter().chain(&self.inputs).copied()
    }

    /// Whether the controller has the pin.
    pub(crate) fn owns(&self, pin: Bcm) -> bool {
        self.iter().any(|(_, owned)| owned == pin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tve_config::Pins;

    #[test]
    fn every_function_of_the_configuration_has_a_signal_and_no_other() {
        let mut known: Vec<&str> = SIGNALS.iter().map(|(name, _)| *name).collect();
        let mut functions = Pins::NAMES.to_vec();
        known.sort_unstable();
        functions.sort_unstable();
        assert_eq!(known, functions);
    }

    #[test]
    fn only_enables_rest_high_among_the_outputs() {
        for (name, signal) in SIGNALS.iter().filter(|(_, signal)| !signal.is_input()) {
            let expected = name.starts_with("en_") || *name == "pca_oe";
            assert_eq!(signal.at_rest(), expected, "{name}");
        }
    }

    #[test]
    fn a_plan_holds_what_the_configuration_maps() {
        let plan = Plan::of(&Config::embedded());
        assert_eq!(plan.pin(Signal::Heater(Zone::Z1)).map(Bcm::get), Some(23));
        assert_eq!(plan.pin(Signal::Enable(Motor::Main)).map(Bcm::get), Some(26));
        assert_eq!(plan.pin(Signal::Step(Motor::Feed)), None);
        assert_eq!((plan.outputs.len(), plan.inputs.len()), (7, 0));
    }
}
