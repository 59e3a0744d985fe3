//! Switching everything off: from this process beside the control thread, and from another one.

use crate::board::Board;
use crate::bus::retried;
use crate::pca9685::Pca9685;
use crate::plan::Plan;
use crate::rppal_board::RppalBoard;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tve_config::{Config, MachineConfig};
use tve_hal::{HardwareError, Pull, Signal};
use tve_units::Bcm;

/// What must be known to switch a machine off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wires {
    pub(crate) plan: Plan,
    /// Bus and address of the PWM board, where there is one.
    pub(crate) pwm_board: Option<(u8, u8)>,
}

impl Wires {
    pub(crate) fn of(machine: &MachineConfig) -> Self {
        let pwm_board = machine.pwm.board.map(|board| (board.bus, board.address));
        Self { plan: Plan::of(machine), pwm_board }
    }
}

/// Puts every output of `wires` to rest. Goes on after a failure and returns the first.
pub(crate) fn rest(board: &dyn Board, wires: &Wires) -> Result<(), HardwareError> {
    let pins = board.pins();
    // Header pins first: they cannot fail, and the output enable is the first of them.
    for (signal, pin) in &wires.plan.outputs {
        pins.drive(*pin, signal.at_rest());
    }
    let mut first = Ok(());
    if let Some((bus, address)) = wires.pwm_board {
        first = board.bus(bus).and_then(|bus| {
            let mut chip = Pca9685::new(bus, address);
            retried(|| chip.all_off()).map_err(|error| HardwareError::Io {
                what: format!("switching off the PWM board at address {address:#04x}"),
                source: error.0,
            })
        });
    }
    for (signal, pin) in &wires.plan.outputs {
        if matches!(signal, Signal::Step(_)) && board.pwm_channel(*pin).is_some() {
            // The pin has left the peripheral already. A system without the peripheral has
            // nothing to stop.
            let _ = board.step_pwm(*pin).map(|mut pwm| pwm.stop());
        }
    }
    first
}

/// Makes every header pin that somebody has left as an output, and that `keep` does not hold, an
/// input, as it is when the power comes.
pub(crate) fn release(board: &dyn Board, keep: &Plan) {
    let pins = board.pins();
    for pin in Bcm::all().filter(|pin| !pin.is_i2c() && !keep.owns(*pin)) {
        if pins.is_driven(pin) {
            pins.listen(pin, Pull::Off);
        }
    }
}

/// Before a configuration is known: makes every header pin that a former process has left as an
/// output an input. The header belongs to the controller: a kernel overlay that drives one of its
/// pins is released as well.
///
/// # Errors
/// [`HardwareError::Missing`] when this is no Raspberry Pi or its pins are not accessible.
pub fn release_pins() -> Result<(), HardwareError> {
    release(&RppalBoard::open()?, &Plan::default());
    Ok(())
}

/// Switches off the machine that `config` describes, from a process that does not run it:
/// outputs go to their rest level, the PWM board off, step pulses end, every other output of the
/// header becomes an input. Does as much as it can.
///
/// # Errors
/// [`HardwareError::Missing`] when this is no Raspberry Pi or a device is not accessible;
/// [`HardwareError::Io`] when the PWM board does not answer. Header pins are at rest also then.
pub fn safe_off(config: &Config) -> Result<(), HardwareError> {
    let board = RppalBoard::open()?;
    let wires = Wires::of(&config.machine());
    let result = rest(&board, &wires);
    release(&board, &wires.plan);
    result
}

/// Switches a running machine off from any thread, without its control thread.
///
/// The switch needs nothing that a hanging control thread could hold: pins are shared register by
/// register, bus and peripheral are opened anew. Afterwards the machine stays off until its
/// control thread has asked for "all off" once, so that one which wakes up late cannot go on where
/// it was.
#[derive(Clone)]
pub struct OffSwitch {
    pub(crate) board: Arc<dyn Board>,
    pub(crate) wires: Arc<Mutex<Wires>>,
    pub(crate) halted: Arc<AtomicBool>,
}

impl OffSwitch {
    /// Every output to its rest level, now.
    ///
    /// # Errors
    /// When the PWM board could not be reached; everything else is at rest also then.
    pub fn off(&self) -> Result<(), HardwareError> {
        self.halted.store(true, Ordering::Release);
        let wires = self.wires.lock().unwrap_or_else(PoisonError::into_inner).clone();
        rest(self.board.as_ref(), &wires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeBoard, config};

    #[test]
    fn what_cuts_most_power_goes_first_and_enables_go_high() {
        let board = FakeBoard::new();
        let config =
            config(r#"{"pins": {"pca_oe": 5, "contactor": 6}, "pwm": {"channels": {"z1": 0}}}"#);
        let wires = Wires::of(&config.machine());
        rest(&board, &wires).unwrap();
        let expected = [
            "drive 5 high",
            "drive 6 low",
            "drive 23 low",
            "drive 24 low",
            "drive 26 high",
            "drive 21 low",
            "drive 20 low",
            "drive 25 low",
            "drive 8 low",
        ];
        assert_eq!(board.log(), expected);
        assert_eq!(board.pwm_writes(), [vec![0xFD, 0x10]]);
    }

    #[test]
    fn a_board_that_does_not_answer_keeps_no_pin_from_its_rest_level() {
        let board = FakeBoard::new();
        board.take_bus_away(true);
        let error = rest(&board, &Wires::of(&config("{}").machine())).unwrap_err();
        assert!(error.to_string().contains("PWM board at address 0x40"), "{error}");
        assert!(board.is_driven_to(26, true) && board.is_driven_to(23, false));
    }

    #[test]
    fn the_peripheral_behind_a_step_pin_is_stopped_too() {
        let board = FakeBoard::new();
        let config = config(r#"{"pins": {"step_main": 18}, "pwm": {"enabled": false}}"#);
        rest(&board, &Wires::of(&config.machine())).unwrap();
        assert_eq!(board.log().last().map(String::as_str), Some("pwm 18 stop"));
    }

    #[test]
    fn outputs_that_nobody_declared_become_inputs_and_others_stay_untouched() {
        let board = FakeBoard::new();
        board.pins().drive(Bcm::new(17).unwrap(), true);
        board.pins().drive(Bcm::new(23).unwrap(), false);
        let wires = Wires::of(&config("{}").machine());
        release(&board, &wires.plan);
        assert_eq!(board.log()[2..], ["listen 17 off"]);
    }

    #[test]
    fn without_a_pi_the_error_says_what_to_do() {
        if std::path::Path::new("/proc/device-tree/model").exists() {
            return;
        }
        let error = safe_off(&config("{}")).unwrap_err().to_string();
        assert!(error.contains("no Raspberry Pi") && error.contains("--hardware sim"), "{error}");
    }
}
