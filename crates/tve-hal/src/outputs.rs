//! What the controller asks of the machine each tick.

use crate::{JogId, PWM_CHANNELS, PerMotor, PerZone};
use tve_units::{Bcm, Duty, StepRate};

/// What a stepper drive does.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum MotorDrive {
    /// Power stage off, no pulses.
    #[default]
    Disabled,
    /// Power stage on, pulses at a signed rate; zero holds the shaft.
    Run(StepRate),
    /// Power stage on, exactly `steps` pulses (the sign is the direction) at up to `rate` steps/s, as
    /// [`Travel`](crate::Travel) says.
    /// The machine starts a move when it first sees its id, and reports it done.
    Jog {
        /// Which move.
        id: JogId,
        /// Signed number of pulses.
        steps: i32,
        /// Steps per second, above zero.
        rate: f64,
        /// Steps per second squared, above zero; infinite is no ramp.
        accel: f64,
    },
}

impl MotorDrive {
    /// Whether the power stage is on.
    pub fn is_enabled(self) -> bool {
        !matches!(self, Self::Disabled)
    }

    /// Whether pulses are asked for.
    pub fn is_moving(self) -> bool {
        match self {
            Self::Disabled => false,
            Self::Run(rate) => !rate.is_zero(),
            Self::Jog { .. } => true,
        }
    }
}

/// Panel lamps, `true` is lit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Leds {
    /// The blinking status lamp.
    pub status: bool,
    /// Alarm.
    pub red: bool,
    /// Heating.
    pub yellow: bool,
    /// All zones in band.
    pub green: bool,
}

/// Pull resistor of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum Pull {
    /// None.
    #[default]
    Off,
    /// To ground.
    Down,
    /// To 3.3 V.
    Up,
}

impl Pull {
    /// Name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

/// A header pin that a user has taken over by the GPIO commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub enum UserPin {
    /// Not touched: the pin stays as the system left it (an input).
    #[default]
    Untouched,
    /// Input with a pull resistor.
    Input(Pull),
    /// Driven output, `true` is high.
    Output(bool),
}

/// Everything the controller wants of the machine at one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "state", derive(serde::Serialize, serde::Deserialize))]
pub struct Outputs {
    /// Heater of each zone on during this tick (SSR conducting).
    pub heaters: PerZone<bool>,
    /// Cooler of each zone on.
    pub coolers: PerZone<bool>,
    /// The main contactor is held closed.
    pub contactor: bool,
    /// Cooling fan relay.
    pub fan: bool,
    /// Pump relay.
    pub pump: bool,
    /// Peltier of the feed throat.
    pub peltier: Duty,
    /// PWM expander by channel; heater channels follow `heaters` instead.
    pub pwm: [Duty; PWM_CHANNELS],
    /// Drives by motor.
    pub motors: PerMotor<MotorDrive>,
    /// Panel lamps.
    pub leds: Leds,
    /// Header pins that users drive; never one that the controller owns.
    pub user_pins: [UserPin; Bcm::COUNT],
}

impl Outputs {
    /// All off, on a machine with so many zones and motors.
    pub fn off(zones: usize, motors: usize) -> Self {
        Self {
            heaters: PerZone::new(zones),
            coolers: PerZone::new(zones),
            contactor: false,
            fan: false,
            pump: false,
            peltier: Duty::ZERO,
            pwm: [Duty::ZERO; PWM_CHANNELS],
            motors: PerMotor::new(motors),
            leds: Leds::default(),
            user_pins: [UserPin::Untouched; Bcm::COUNT],
        }
    }

    /// Whether anything that can heat, move or cool the throat is energised.
    pub fn is_energised(&self) -> bool {
        self.heaters.iter().any(|on| *on)
            || !self.peltier.is_zero()
            || self.motors.iter().any(|m| m.is_enabled())
    }
}
