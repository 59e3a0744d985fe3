//! Who is wired where: header pins by signal, channels of the PWM board by output.

use std::collections::BTreeMap;
use tve_machine::{PwmOutput, Signal};
use tve_units::Bcm;

/// Outputs of the PCA9685.
const PWM_CHANNELS: usize = 16;

/// The pins of a machine, in the order in which they are switched off, inputs last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignalPlan {
    pub(super) wired: Vec<(Signal, Bcm)>,
}

impl SignalPlan {
    /// The pin of a signal.
    pub fn pin(&self, signal: Signal) -> Option<Bcm> {
        self.iter().find(|(known, _)| *known == signal).map(|(_, pin)| pin)
    }

    /// The signal that a pin carries.
    pub fn signal(&self, pin: Bcm) -> Option<Signal> {
        self.iter().find(|(_, wired)| *wired == pin).map(|(signal, _)| signal)
    }

    /// Whether the controller has the pin.
    pub fn owns(&self, pin: Bcm) -> bool {
        self.signal(pin).is_some()
    }

    /// Every signal with its pin.
    pub fn iter(&self) -> impl Iterator<Item = (Signal, Bcm)> + '_ {
        self.wired.iter().copied()
    }

    /// Driven pins, in the order in which they are switched off.
    pub fn outputs(&self) -> impl Iterator<Item = (Signal, Bcm)> + '_ {
        self.iter().filter(|(signal, _)| !signal.is_input())
    }

    /// Read pins.
    pub fn inputs(&self) -> impl Iterator<Item = (Signal, Bcm)> + '_ {
        self.iter().filter(|(signal, _)| signal.is_input())
    }
}

/// What a channel of the PWM board is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PwmUse {
    /// Nothing is connected.
    #[default]
    Unused,
    /// A named output that users set.
    Free,
    /// The controller drives it.
    Output(PwmOutput),
}

/// The PWM board and its channels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PwmPlan {
    /// The board; `None` when it is not fitted, and then no channel is used.
    pub board: Option<PwmBoard>,
    /// Use of each channel.
    pub channels: [PwmUse; PWM_CHANNELS],
    /// Channel by name, those of the controller included.
    pub names: BTreeMap<String, u8>,
}

/// A PCA9685.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PwmBoard {
    /// Number of the I2C bus.
    pub bus: u8,
    /// Address on the bus.
    pub address: u8,
    /// PWM frequency, Hz.
    pub frequency: u32,
}

impl PwmPlan {
    /// The channel of an output of the controller.
    pub fn channel(&self, output: PwmOutput) -> Option<usize> {
        self.channels.iter().position(|used| *used == PwmUse::Output(output))
    }

    /// The channel with a name, when the board is fitted.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.board.and_then(|_| self.names.get(name)).map(|channel| usize::from(*channel))
    }

    /// Whether a channel can heat or cool the throat.
    pub fn has_power(&self) -> bool {
        self.channels.iter().any(|used| match used {
            PwmUse::Output(output) => output.has_power(),
            PwmUse::Unused | PwmUse::Free => false,
        })
    }
}
