//! The I/O thread: owns the I2C buses, samples the converter, keeps the PWM board as wanted.

use crate::acquisition::{Acquisition, AdcEvent};
use crate::bus::Bus;
use crate::clock::Clock;
use crate::pca9685::Count;
use crate::pwm_board::{PwmBoard, VERIFY};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tve_hal::{ADC_CHANNELS, AdcReading, HardwareError, PWM_CHANNELS};
use tve_units::Micros;

/// Longest sleep: the heartbeat of the controller is looked at this often.
const LOOK: Micros = Micros::from_millis(50);
/// A board that has not been looked at for this long differs: the I/O thread hangs in a transfer.
/// Two looks and a half, so that OUTPUT_MISMATCH comes within its 500 ms.
const VERIFY_OVERDUE: Micros = Micros::new(VERIFY.get() * 5 / 2);

/// What the control thread and the I/O thread tell each other. Held for a copy only, never during
/// a transfer.
struct Shared {
    readings: [AdcReading; ADC_CHANNELS],
    wanted: [Count; PWM_CHANNELS],
    mismatches: u8,
    /// When the board was last looked at, in board time; `None` without a board.
    looked_at: Option<Micros>,
    stop: bool,
}

/// What hangs on the buses.
#[derive(Default)]
pub(crate) struct Devices {
    pub(crate) adc: Option<Acquisition<Bus>>,
    pub(crate) pwm: Option<PwmBoard<Bus>>,
}

/// A running I/O thread.
pub(crate) struct IoThread {
    shared: Arc<Mutex<Shared>>,
    clock: Arc<Clock>,
    join: Option<JoinHandle<()>>,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl IoThread {
    /// Starts the thread. `halted` keeps the PWM board off.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        devices: Devices,
        clock: Arc<Clock>,
        halted: Arc<AtomicBool>,
    ) -> Result<Self, HardwareError> {
        let shared = Arc::new(Mutex::new(Shared {
            readings: [AdcReading::None; ADC_CHANNELS],
            wanted: [Count::OFF; PWM_CHANNELS],
            mismatches: 0,
            looked_at: devices.pwm.as_ref().map(|_| clock.now()),
            stop: false,
        }));
        let mut worker =
            Worker { devices, clock: Arc::clone(&clock), halted, shared: Arc::clone(&shared) };
        let join =
            std::thread::Builder::new().name("io".into()).spawn(move || worker.run()).map_err(
                |source| HardwareError::Io { what: "starting the I/O thread".into(), source },
            )?;
        Ok(Self { shared, clock, join: Some(join) })
    }

    /// The newest readings, and how often in a row the PWM board was found to differ.
    pub(crate) fn read(&self) -> ([AdcReading; ADC_CHANNELS], u8) {
        let now = self.clock.now();
        let shared = lock(&self.shared);
        let overdue = shared.looked_at.is_some_and(|at| now.since(at) > VERIFY_OVERDUE);
        let mismatches = if overdue { u8::MAX } else { shared.mismatches };
        (shared.readings, mismatches)
    }

    /// Sets what the PWM board is to hold. Never waits for a transfer.
    pub(crate) fn want(&self, counts: &[Count; PWM_CHANNELS]) {
        let mut shared = lock(&self.shared);
        if shared.wanted == *counts {
            return;
        }
        shared.wanted = *counts;
        drop(shared);
        if let Some(join) = &self.join {
            join.thread().unpark();
        }
    }
}

impl Drop for IoThread {
    /// The thread ends with every channel of the board off.
    fn drop(&mut self) {
        lock(&self.shared).stop = true;
        if let Some(join) = self.join.take() {
            join.thread().unpark();
            // A worker that panicked has nothing more to say; the output enable is high already.
            let _ = join.join();
        }
    }
}

struct Worker {
    devices: Devices,
    clock: Arc<Clock>,
    halted: Arc<AtomicBool>,
    shared: Arc<Mutex<Shared>>,
}

impl Worker {
    fn run(&mut self) {
        loop {
            let (wanted, stop) = {
                let shared = lock(&self.shared);
                (shared.wanted, shared.stop)
            };
            if stop {
                break;
            }
            let allowed = !self.halted.load(Ordering::Acquire) && self.clock.is_ticking();
            let wanted = if allowed { wanted } else { [Count::OFF; PWM_CHANNELS] };
            let due = self.turn(&wanted);
            let wait = due.since(self.clock.now()).min(LOOK);
            std::thread::park_timeout(Duration::from_micros(wait.get()));
        }
        if let Some(pwm) = &mut self.devices.pwm
            && let Err(error) = pwm.all_off()
        {
            tracing::error!(%error, "the PWM board could not be switched off");
        }
    }

    /// Does what is due, and says when something is due again.
    fn turn(&mut self, wanted: &[Count; PWM_CHANNELS]) -> Micros {
        let mut due = Micros::MAX;
        // The board first: outputs are more urgent than a sample.
        if let Some(pwm) = &mut self.devices.pwm {
            let (was_up, now) = (pwm.is_up(), self.clock.now());
            pwm.poll(now, wanted);
            if was_up != pwm.is_up() {
                report("PWM board", pwm.is_up());
            }
            let mut shared = lock(&self.shared);
            shared.mismatches = pwm.mismatches();
            shared.looked_at = Some(self.clock.now());
            due = due.min(pwm.due());
        }
        if let Some(adc) = &mut self.devices.adc {
            let event = adc.poll(self.clock.now());
            due = due.min(adc.due());
            if let Some(event) = event {
                self.publish(event);
            }
        }
        due
    }

    fn publish(&self, event: AdcEvent) {
        let mut shared = lock(&self.shared);
        let gone = |reading: &AdcReading| *reading == AdcReading::BusError;
        let was_gone = shared.readings.iter().all(gone);
        match event {
            AdcEvent::Sample { channel, code, taken_at } => {
                // Before the first tick nobody could name the moment of the sample. The other
                // channels stay as they are until their own turn comes.
                if let Some(taken_at) = self.clock.controller_time(taken_at) {
                    shared.readings[channel] = AdcReading::Sample { code, taken_at };
                }
            }
            AdcEvent::Gone => shared.readings = [AdcReading::BusError; ADC_CHANNELS],
        }
        let is_gone = shared.readings.iter().all(gone);
        drop(shared);
        if was_gone != is_gone {
            report("converter", !is_gone);
        }
    }
}

/// Logged at the change only, never at each of the attempts.
fn report(device: &str, up: bool) {
    if up {
        tracing::info!("the {device} answers");
    } else {
        tracing::warn!("the {device} does not answer; trying again after 1 to 30 s");
    }
}
