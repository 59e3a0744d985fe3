//! The thread that makes the pulses of one drive.
//!
//! It sleeps until the next pulse and is woken when the command changes, so that a stop does not
//! wait for the end of a long period. Started by the control thread, it inherits its real-time
//! scheduling where the system has granted that.

use super::PULSE_WIDTH;
use super::train::{Act, Train};
use crate::board::{Board, Pins, StepPwm};
use crate::clock::Clock;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tve_hal::{HardwareError, JogId, MotorDrive};
use tve_units::Bcm;

/// Longest sleep: the heartbeat of the controller is looked at this often.
const LOOK: Duration = Duration::from_millis(50);
/// Nanoseconds in a second.
const NANOS: f64 = 1e9;

/// Pins and peripheral of one drive.
pub(crate) struct StepPins {
    pub(crate) step: Bcm,
    pub(crate) direction: Option<Bcm>,
    /// Whether the drive waits for an enable of ours.
    pub(crate) has_enable: bool,
    pub(crate) peripheral: Peripheral,
}

/// The PWM peripheral behind a step pin.
pub(crate) enum Peripheral {
    /// The pin has none.
    None,
    /// Opened.
    Open(Box<dyn StepPwm>),
    /// To be opened by the pulse thread, which may take its time.
    ToOpen(Arc<dyn Board>),
    /// Could not be opened, and why.
    Missing(String),
}

#[derive(Default)]
struct Shared {
    command: MotorDrive,
    /// The newest move that the thread has taken up.
    taken: Option<JogId>,
    done: Option<JogId>,
    failure: Option<io::Error>,
    stop: bool,
}

/// A running pulse thread.
pub(crate) struct PulseThread {
    name: String,
    shared: Arc<Mutex<Shared>>,
    join: Option<JoinHandle<()>>,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The move that a command asks for.
fn jog(command: MotorDrive) -> Option<JogId> {
    match command {
        MotorDrive::Jog { id, .. } => Some(id),
        MotorDrive::Disabled | MotorDrive::Run(_) => None,
    }
}

impl PulseThread {
    /// Starts the thread; the pins must be outputs at rest. `halted` keeps the drive still.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(
        name: &str,
        step_pins: StepPins,
        pins: Arc<dyn Pins>,
        clock: Arc<Clock>,
        halted: Arc<AtomicBool>,
    ) -> Result<Self, HardwareError> {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut worker = Worker {
            train: Train::new(
                !matches!(step_pins.peripheral, Peripheral::None),
                step_pins.has_enable,
            ),
            wires: step_pins,
            pins,
            clock,
            halted,
            shared: Arc::clone(&shared),
        };
        let join = std::thread::Builder::new()
            .name(format!("pulses-{name}"))
            .spawn(move || worker.run())
            .map_err(|source| HardwareError::Io {
                what: format!("starting the pulse thread of the {name} motor"),
                source,
            })?;
        Ok(Self { name: name.to_owned(), shared, join: Some(join) })
    }

    /// Sets the command and takes what the thread has to report. Never waits for a pulse.
    ///
    /// # Errors
    /// When the PWM peripheral has refused something since the last call.
    pub(crate) fn command(&self, command: MotorDrive) -> io::Result<()> {
        let mut shared = lock(&self.shared);
        let changed = shared.command != command;
        let before = std::mem::replace(&mut shared.command, command);
        // Taken back before the thread woke up for it: nobody else will say that it is over.
        if let Some(id) = jog(before).filter(|id| jog(command) != Some(*id))
            && shared.taken < Some(id)
        {
            shared.done = shared.done.max(Some(id));
        }
        let failure = shared.failure.take();
        drop(shared);
        if changed && let Some(join) = &self.join {
            join.thread().unpark();
        }
        failure.map_or(Ok(()), Err)
    }

    /// What the motor is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The newest move that is over.
    pub(crate) fn done(&self) -> Option<JogId> {
        lock(&self.shared).done
    }
}

impl Drop for PulseThread {
    fn drop(&mut self) {
        lock(&self.shared).stop = true;
        if let Some(join) = self.join.take() {
            join.thread().unpark();
            // A worker that panicked has nothing more to say; its pins are put to rest by others.
            let _ = join.join();
        }
    }
}

struct Worker {
    train: Train,
    wires: StepPins,
    pins: Arc<dyn Pins>,
    clock: Arc<Clock>,
    halted: Arc<AtomicBool>,
    shared: Arc<Mutex<Shared>>,
}

impl Worker {
    fn run(&mut self) {
        self.open();
        loop {
            let allowed = !self.halted.load(Ordering::Acquire) && self.clock.is_ticking();
            let (command, stop) = {
                let mut shared = lock(&self.shared);
                shared.done = shared.done.max(self.train.done());
                let command = if allowed { shared.command } else { MotorDrive::Disabled };
                shared.taken = shared.taken.max(jog(command));
                (command, shared.stop)
            };
            if stop {
                break;
            }
            let now = self.clock.nanos();
            match self.train.next(now, command) {
                Act::Idle => std::thread::park_timeout(LOOK),
                Act::WaitUntil(until) => {
                    let wait = Duration::from_nanos(until.saturating_sub(now));
                    std::thread::park_timeout(wait.min(LOOK));
                }
                Act::Direction(backwards) => {
                    if let Some(pin) = self.wires.direction {
                        self.pins.set(pin, backwards);
                    }
                }
                Act::Pulse => self.pulse(),
                Act::Peripheral(rate) => self.peripheral(rate),
            }
        }
        self.peripheral(0.0);
    }

    fn pulse(&self) {
        self.pins.set(self.wires.step, true);
        let began = Instant::now();
        // Too short to sleep: a timer alone is later than this.
        while began.elapsed() < PULSE_WIDTH {
            std::hint::spin_loop();
        }
        self.pins.set(self.wires.step, false);
    }

    fn open(&mut self) {
        let Peripheral::ToOpen(board) = &self.wires.peripheral else { return };
        self.wires.peripheral = match board.step_pwm(self.wires.step) {
            Ok(pwm) => Peripheral::Open(pwm),
            Err(error) => {
                let why = error.to_string();
                lock(&self.shared).failure = Some(io::Error::other(why.clone()));
                Peripheral::Missing(why)
            }
        };
    }

    fn peripheral(&mut self, rate: f64) {
        let pwm = match &mut self.wires.peripheral {
            Peripheral::Open(pwm) => pwm,
            Peripheral::Missing(why) if rate > 0.0 => {
                lock(&self.shared).failure = Some(io::Error::other(why.clone()));
                return;
            }
            Peripheral::None | Peripheral::ToOpen(_) | Peripheral::Missing(_) => return,
        };
        let result = if rate > 0.0 {
            let result = pwm.run((NANOS / rate) as u64);
            self.pins.hand_to_pwm(self.wires.step);
            result
        } else {
            // The pin first: it is low from now on, whatever the peripheral answers.
            self.pins.drive(self.wires.step, false);
            pwm.stop()
        };
        if let Err(error) = result {
            self.pins.drive(self.wires.step, false);
            lock(&self.shared).failure = Some(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeBoard;

    fn thread(halted: bool) -> PulseThread {
        let pins: Arc<dyn Pins> = Arc::new(FakeBoard::new());
        let step = Bcm::new(21).unwrap();
        let wires =
            StepPins { step, direction: None, has_enable: false, peripheral: Peripheral::None };
        let halted = Arc::new(AtomicBool::new(halted));
        PulseThread::start("test", wires, pins, Arc::new(Clock::new()), halted).unwrap()
    }

    fn move_of(id: u32) -> MotorDrive {
        MotorDrive::Jog { id: JogId(id), steps: 1000, rate: 1000.0, accel: 3200.0 }
    }

    #[test]
    fn a_move_that_is_taken_back_before_it_began_is_over() {
        // Halted, the thread never takes a move up, however long it looks.
        let thread = thread(true);
        thread.command(move_of(1)).unwrap();
        thread.command(move_of(1)).unwrap();
        assert_eq!(thread.done(), None);
        thread.command(move_of(2)).unwrap();
        assert_eq!(thread.done(), Some(JogId(1)));
        thread.command(MotorDrive::Disabled).unwrap();
        assert_eq!(thread.done(), Some(JogId(2)));
    }
}
