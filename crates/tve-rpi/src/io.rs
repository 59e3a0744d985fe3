//! The I/O thread: owns the buses, samples the converters, keeps the PWM board as wanted.
//!
//! It lives as long as the machine. New wiring is handed over and taken up here, because opening a
//! bus, switching off the board behind the old one and setting up the one behind the new take
//! longer than the control thread may wait.

use crate::board::Board;
use crate::clock::Clock;
use crate::devices::{BusWiring, Devices};
use crate::pca9685::Count;
use crate::pwm_board::VERIFY;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tve_hal::{HardwareError, PWM_CHANNELS, PerSensor, SensorInput};
use tve_units::Micros;

/// Longest sleep: the heartbeat of the controller is looked at this often.
const LOOK: Micros = Micros::from_millis(50);
/// A board that has not been looked at for this long differs: the I/O thread hangs in a transfer.
/// Two looks and a half, so that OUTPUT_MISMATCH comes within its 500 ms.
const VERIFY_OVERDUE: Micros = Micros::new(VERIFY.get() * 5 / 2);

/// What the control thread and the I/O thread tell each other. Held for a copy only, never during
/// a transfer.
struct Shared {
    /// The newest word about each sensor.
    readings: PerSensor<SensorInput>,
    wanted: [Count; PWM_CHANNELS],
    mismatches: u8,
    /// When the board was last looked at, in board time; `None` without a board.
    looked_at: Option<Micros>,
    /// Wiring that the thread has not taken up yet.
    rewire: Option<BusWiring>,
    /// Why the newest wiring could not be taken up.
    missing: Option<HardwareError>,
    stop: bool,
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
    /// Opens the buses of `wiring`, on the calling thread, and starts. `halted` keeps the PWM board
    /// off.
    ///
    /// # Errors
    /// When a device node is missing or not accessible, or the system gives no thread.
    pub(crate) fn start(
        board: Arc<dyn Board>,
        wiring: &BusWiring,
        clock: Arc<Clock>,
        halted: Arc<AtomicBool>,
    ) -> Result<Self, HardwareError> {
        let devices = Devices::open(board.as_ref(), wiring, clock.now())?;
        let shared = Arc::new(Mutex::new(Shared {
            readings: PerSensor::new(wiring.sensors),
            wanted: [Count::OFF; PWM_CHANNELS],
            mismatches: 0,
            looked_at: wiring.pwm.as_ref().map(|_| clock.now()),
            rewire: None,
            missing: None,
            stop: false,
        }));
        let mut worker = Worker {
            board,
            devices,
            clock: Arc::clone(&clock),
            halted,
            shared: Arc::clone(&shared),
        };
        let join =
            std::thread::Builder::new().name("io".into()).spawn(move || worker.run()).map_err(
                |source| HardwareError::Io { what: "starting the I/O thread".into(), source },
            )?;
        Ok(Self { shared, clock, join: Some(join) })
    }

    /// Hands over new wiring and returns at once. Nothing that was read before counts any more;
    /// nothing is wanted on until the next [`Self::want`].
    pub(crate) fn rewire(&self, wiring: BusWiring) {
        let mut shared = lock(&self.shared);
        shared.readings = PerSensor::new(wiring.sensors);
        shared.wanted = [Count::OFF; PWM_CHANNELS];
        shared.mismatches = 0;
        shared.looked_at = wiring.pwm.as_ref().map(|_| self.clock.now());
        shared.rewire = Some(wiring);
        shared.missing = None;
        drop(shared);
        self.wake();
    }

    /// The newest readings, and how often in a row the PWM board was found to differ.
    ///
    /// # Errors
    /// Once, when the wiring that was handed over last has a device node that is missing or not
    /// accessible.
    pub(crate) fn read(&self) -> Result<(PerSensor<SensorInput>, u8), HardwareError> {
        let now = self.clock.now();
        let mut shared = lock(&self.shared);
        if let Some(error) = shared.missing.take() {
            return Err(error);
        }
        let overdue = shared.looked_at.is_some_and(|at| now.since(at) > VERIFY_OVERDUE);
        let mismatches = if overdue { u8::MAX } else { shared.mismatches };
        Ok((shared.readings, mismatches))
    }

    /// Sets what the PWM board is to hold. Never waits for a transfer.
    pub(crate) fn want(&self, counts: &[Count; PWM_CHANNELS]) {
        let mut shared = lock(&self.shared);
        if shared.wanted == *counts {
            return;
        }
        shared.wanted = *counts;
        drop(shared);
        self.wake();
    }

    fn wake(&self) {
        if let Some(join) = &self.join {
            join.thread().unpark();
        }
    }
}

impl Drop for IoThread {
    /// The thread ends with every channel of the board off.
    fn drop(&mut self) {
        lock(&self.shared).stop = true;
        self.wake();
        if let Some(join) = self.join.take() {
            // A worker that panicked has nothing more to say; the output enable is high already.
            let _ = join.join();
        }
    }
}

struct Worker {
    board: Arc<dyn Board>,
    devices: Devices,
    clock: Arc<Clock>,
    halted: Arc<AtomicBool>,
    shared: Arc<Mutex<Shared>>,
}

impl Worker {
    fn run(&mut self) {
        loop {
            let (wanted, rewire, stop) = {
                let mut shared = lock(&self.shared);
                (shared.wanted, shared.rewire.take(), shared.stop)
            };
            if stop {
                break;
            }
            if let Some(wiring) = rewire {
                self.take_up(&wiring);
                continue;
            }
            let allowed = !self.halted.load(Ordering::Acquire) && self.clock.is_ticking();
            let wanted = if allowed { wanted } else { [Count::OFF; PWM_CHANNELS] };
            let due = self.turn(&wanted);
            let wait = due.since(self.clock.now()).min(LOOK);
            std::thread::park_timeout(Duration::from_micros(wait.get()));
        }
        self.board_off();
    }

    /// The old devices off and closed, those of `wiring` opened.
    fn take_up(&mut self, wiring: &BusWiring) {
        self.board_off();
        self.devices = Devices::default();
        match Devices::open(self.board.as_ref(), wiring, self.clock.now()) {
            Ok(devices) => self.devices = devices,
            Err(error) => {
                let mut shared = lock(&self.shared);
                // A still newer wiring has its own outcome.
                if shared.rewire.is_none() {
                    shared.looked_at = None;
                    shared.missing = Some(error);
                }
            }
        }
    }

    fn board_off(&mut self) {
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
            // What was found at the old wiring is nothing of the new.
            if shared.rewire.is_none() {
                shared.mismatches = pwm.mismatches();
                shared.looked_at = Some(self.clock.now());
            }
            due = due.min(pwm.due());
        }
        for sampler in &mut self.devices.samplers {
            let was_gone = sampler.gone;
            let news = sampler.poll(self.clock.now(), |moment| self.clock.controller_time(moment));
            due = due.min(sampler.due());
            if was_gone != sampler.gone {
                report(&sampler.name, !sampler.gone);
            }
            if news {
                let mut shared = lock(&self.shared);
                if shared.rewire.is_none() {
                    sampler.publish(&mut shared.readings);
                }
            }
        }
        due
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
