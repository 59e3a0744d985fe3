//! The control thread: `read → step → apply → publish` at 100 Hz on absolute deadlines.
//!
//! Between two ticks it parks until the next deadline; a command wakes it and is answered at once,
//! after the machine it leaves behind has been published, so that a client reads its own writes.
//! *Gap*: the time between the end of one tick and the next deadline.

mod alarms;
mod publish;
mod queue;
mod stats;
#[cfg(test)]
mod tests;

pub use alarms::AlarmPages;
pub(crate) use alarms::{AlarmBook, audited};
pub(crate) use publish::Newest;
pub use publish::Published;
pub use queue::{Answer, CommandSender};
pub use stats::{DurationHistogram, EDGES_US, LoopStats};

use crate::clock::WallClock;
use crate::realtime;
use alarms::AlarmOutbox;
use publish::Publisher;
use queue::{CommandReceiver, Envelope};
use std::error::Error as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tve_config::Config;
use tve_control::{Command, Controller, LoggingHealth, Snapshot};
use tve_hal::{Hardware, Inputs, PerSensor, SensorInput};
use tve_recorder::{RecorderHandle, Tape};
use tve_units::Micros;

/// Time between two ticks.
pub(crate) const PERIOD: Duration = Duration::from_millis(10);
const PERIOD_US: Micros = Micros::from_millis(10);

/// Without a tick for this long the loop stands still: the bound of CONTROL_OVERRUN.
pub(crate) const OVERRUN: Duration = Duration::from_millis(500);
const OVERRUN_US: Micros = Micros::from_millis(500);

/// Commands served in one gap, so that a flood of them cannot make the next tick late.
const COMMANDS_PER_GAP: usize = 64;

/// Longest ramp down after the signal to stop; the STOP deceleration needs 1.5 s at most.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

/// Time between two looks at the recorder's health.
const HEALTH_PERIOD: Micros = Micros::from_secs(1);

/// What the control thread is made of.
pub(crate) struct Parts {
    pub(crate) controller: Controller,
    /// The configuration that it runs with, as a file.
    pub(crate) config: Arc<Config>,
    pub(crate) hardware: Box<dyn Hardware>,
    pub(crate) recorder: RecorderHandle,
    pub(crate) alarms: Arc<AlarmBook>,
    pub(crate) clock: Arc<dyn WallClock>,
    /// Ask the system for real-time scheduling.
    pub(crate) realtime: bool,
    /// Ticks of the machine in one tick of the wall clock; above 1 for the simulator alone.
    pub(crate) speed: u32,
}

/// A running control thread.
pub(crate) struct Running {
    pub(crate) commands: CommandSender,
    pub(crate) newest: Newest,
    pub(crate) stats: Arc<LoopStats>,
    stop: Arc<AtomicBool>,
    thread: Thread,
    join: Option<JoinHandle<()>>,
    /// Resolves when the thread has ended: an error when by a panic.
    pub(crate) ended: oneshot::Receiver<Result<(), String>>,
}

impl Running {
    /// Asks for the ramp down; [`Running::ended`] tells when it is done.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.thread.unpark();
    }

    /// Why the thread ended, when by a panic.
    pub(crate) fn ended_with(mut self) -> Option<String> {
        self.ended.try_recv().ok().and_then(Result::err)
    }

    /// The thread, to be joined where blocking is allowed.
    pub(crate) fn take_join(&mut self) -> Option<JoinHandle<()>> {
        self.join.take()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Outputs go off also when somebody forgets to stop; the thread itself needs no waiting.
        self.stop();
    }
}

/// Starts the control thread. The first machine is published before this returns.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(parts: Parts) -> std::io::Result<Running> {
    let realtime = parts.realtime;
    let (mut machine, commands) = Machine::new(parts);
    let newest = machine.publisher.newest();
    let stats = Arc::clone(&machine.stats);
    let stop = Arc::clone(&machine.stop);
    let (tell_end, ended) = oneshot::channel();
    let join = std::thread::Builder::new().name("control".into()).spawn(move || {
        match realtime::precede(realtime::CONTROL, realtime) {
            Ok(true) => machine.stats.set_realtime(),
            Ok(false) => {}
            Err(reason) => tracing::warn!(reason, "not real-time"),
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| machine.run()));
        machine.hardware.safe();
        machine.stats.set_hardware_present(false);
        if outcome.is_err() {
            // No tick will raise the alarm any more: the next process is told to.
            machine.recorder.overrun(true);
            machine.tape.fell_over();
        }
        let result = outcome.map_err(|panic| {
            let text = panic
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "unknown panic".into());
            format!("the control thread panicked ({text}); every output is off")
        });
        drop(machine);
        // Nobody may be listening any more, which is fine.
        let _ = tell_end.send(result);
    })?;
    let thread = join.thread().clone();
    Ok(Running { commands, newest, stats, stop, thread, join: Some(join), ended })
}

struct Machine {
    controller: Controller,
    hardware: Box<dyn Hardware>,
    recorder: RecorderHandle,
    tape: Tape,
    outbox: AlarmOutbox,
    clock: Arc<dyn WallClock>,
    inputs: Inputs,
    /// Time of the machine at its newest tick; ahead of the process by the factor `speed`.
    now: Micros,
    /// When that tick began.
    tick_began: Instant,
    speed: u32,
    config: Arc<Config>,
    revision: u64,
    publisher: Publisher,
    receiver: CommandReceiver,
    stats: Arc<LoopStats>,
    stop: Arc<AtomicBool>,
    batch: Vec<Envelope>,
    answers: Vec<(oneshot::Sender<Answer>, Answer)>,
    stop_waiters: Vec<oneshot::Sender<Answer>>,
    /// Answer to an emergency stop that still has to reach those who asked.
    stop_answer: Option<Answer>,
    next_health: Micros,
    health: LoggingHealth,
}

impl Machine {
    fn new(parts: Parts) -> (Self, CommandSender) {
        let stop = Arc::new(AtomicBool::new(false));
        let (commands, receiver) = queue::channel(Arc::clone(&stop));
        let config = parts.config;
        let machine_config = Arc::clone(parts.controller.machine());
        let mut snapshot = Snapshot::default();
        parts.controller.snapshot(&mut snapshot);
        let machine = Self {
            revision: parts.controller.config_revision(),
            tape: parts.recorder.tape(&parts.controller, &config),
            controller: parts.controller,
            hardware: parts.hardware,
            outbox: AlarmOutbox::new(parts.alarms, parts.recorder.clone()),
            recorder: parts.recorder,
            clock: parts.clock,
            inputs: Inputs::unread(machine_config.motors.len(), machine_config.sensors.len()),
            now: Micros::ZERO,
            tick_began: Instant::now(),
            speed: parts.speed.max(1),
            publisher: Publisher::new(&snapshot, &config, &machine_config),
            config,
            receiver,
            stats: Arc::new(LoopStats::new()),
            stop,
            batch: Vec::with_capacity(COMMANDS_PER_GAP),
            answers: Vec::with_capacity(COMMANDS_PER_GAP),
            stop_waiters: Vec::with_capacity(COMMANDS_PER_GAP),
            stop_answer: None,
            next_health: Micros::ZERO,
            health: LoggingHealth::default(),
        };
        (machine, commands)
    }

    fn run(&mut self) {
        self.receiver.attach();
        self.configure_hardware();
        let mut deadline = Instant::now();
        let mut leave_by: Option<Instant> = None;
        loop {
            let began = Instant::now();
            self.tick_began = began;
            let lateness = began.saturating_duration_since(deadline);
            let mut skipped = Micros::ZERO;
            if lateness >= PERIOD {
                self.stats.overrun();
                // Missed ticks are not made up: a burst of them would only be later still.
                let missed = (lateness.as_nanos() / PERIOD.as_nanos()) as u32;
                self.stats.skip(u64::from(missed));
                deadline += PERIOD * missed;
                if self.speed == 1 {
                    skipped = Micros::new(PERIOD_US.get() * u64::from(missed));
                }
            }
            if self.stats.take_cut() {
                // The controller must see what the guard saw, wherever in a tick the loop stood,
                // and trip: the machine is off, whatever it believes.
                skipped = skipped.max(OVERRUN_US);
            }
            self.now = self.now + skipped;
            if self.stop.load(Ordering::Acquire) && leave_by.is_none() {
                self.controller.shut_down(self.now);
                self.tape.shut_down(self.now);
                leave_by = Some(began + SHUTDOWN_LIMIT);
            }
            self.turn();
            self.stats.tick(began, lateness, began.elapsed());
            if let Some(limit) = leave_by
                && (self.controller.is_at_rest() || Instant::now() >= limit)
            {
                return;
            }
            deadline += PERIOD;
            self.gap(deadline);
        }
    }

    /// What happens once a period.
    fn turn(&mut self) {
        for _ in 0..self.speed {
            self.tick();
        }
        self.publish();
    }

    fn tick(&mut self) {
        self.now = self.now + PERIOD_US;
        self.inputs.wall = self.clock.now();
        match self.hardware.read(self.now, &mut self.inputs) {
            Ok(()) => self.stats.set_hardware_present(true),
            Err(error) => {
                // The machine is lost: the controller sees dead converters and trips.
                let sensors = self.controller.machine().sensors.len();
                self.inputs.sensors = PerSensor::from_fn(sensors, |_| SensorInput::BusError);
                self.lost(&error);
            }
        }
        self.step(self.now);
        self.record();
    }

    /// Lets the controller decide on the newest inputs and drives the machine accordingly.
    fn step(&mut self, now: Micros) {
        self.tape.begin(now, self.inputs.wall, &self.controller, &self.config);
        let outputs = self.controller.step(now, &self.inputs);
        self.tape.tick(now, &self.inputs, outputs);
        if let Err(error) = self.hardware.apply(now, outputs) {
            self.hardware.safe();
            self.lost(&error);
        }
        if let Some(press) = self.controller.press() {
            self.outbox.pressed(press);
        }
    }

    /// Has the controller carry out a command, on the record.
    fn command(&mut self, now: Micros, command: Command) -> Answer {
        let carrying = self.tape.carry(now, &command);
        // Its sender holds the proposal until it is answered: nothing is freed here.
        let proposal = command.proposal().cloned();
        let revision = self.controller.config_revision();
        let answer = self.controller.command(now, command);
        if let Some(prepared) = proposal.as_ref().and_then(|proposal| proposal.prepared())
            && self.controller.config_revision() != revision
        {
            self.config = Arc::clone(&prepared.file);
        }
        self.tape.carried_out(&carrying, answer.is_ok());
        answer
    }

    /// Time of the machine between two ticks; always before the next one.
    fn gap_now(&self) -> Micros {
        let elapsed = self.tick_began.elapsed().as_micros() as u64;
        self.now + Micros::new(elapsed.min(PERIOD_US.get() - 1))
    }

    fn lost(&mut self, error: &tve_hal::HardwareError) {
        self.stats.hardware_error();
        if self.stats.hardware_present() {
            self.stats.set_hardware_present(false);
            let cause = error.source().map(|c| format!(": {c}")).unwrap_or_default();
            self.stats.report(format!("the machine does not answer: {error}{cause}"));
        }
    }

    fn configure_hardware(&mut self) {
        match self.hardware.configure(self.controller.machine()) {
            Ok(()) => self.stats.set_hardware_present(true),
            Err(error) => {
                self.hardware.safe();
                self.lost(&error);
            }
        }
    }

    fn record(&mut self) {
        while let Some(event) = self.controller.pop_event() {
            self.tape.event(&event);
            self.outbox.push(event);
        }
        self.outbox.flush();
        if self.now >= self.next_health {
            self.next_health = self.now + HEALTH_PERIOD;
            if self.outbox.is_delivered() {
                // The loop runs, so a stall that the guard has noted is in the journal by now.
                self.recorder.overrun(false);
            }
            let health = self.recorder.health();
            if health != self.health {
                self.health = health;
                // Reporting is never refused, so there is no answer to look at.
                let _ = self.command(self.now, Command::ReportLogging(health));
            }
        }
    }

    fn publish(&mut self) {
        if self.controller.config_revision() != self.revision {
            self.revision = self.controller.config_revision();
            self.configure_hardware();
        }
        let controller = &self.controller;
        let recorder = &self.recorder;
        self.publisher.publish(&self.config, controller.machine(), |snapshot| {
            controller.snapshot(snapshot);
            recorder.energised(snapshot.energised);
            recorder.sample(snapshot);
        });
    }

    /// Serves commands until `deadline`.
    fn gap(&mut self, deadline: Instant) {
        let mut left = COMMANDS_PER_GAP;
        loop {
            if self.serve_emergency_stop() {
                self.publish();
            }
            self.answer_emergency_stop();
            if left > 0 {
                left -= self.serve(left);
            }
            let now = Instant::now();
            if now >= deadline {
                return;
            }
            std::thread::park_timeout(deadline - now);
        }
    }

    /// Carries out an emergency stop if one was asked for, up to the outputs.
    fn serve_emergency_stop(&mut self) -> bool {
        if !self.receiver.take_emergency_stop() {
            return false;
        }
        self.stats.command();
        let now = self.gap_now();
        self.stop_answer = Some(self.command(now, Command::EmergencyStop));
        self.step(now);
        self.record();
        true
    }

    fn answer_emergency_stop(&mut self) {
        let Some(answer) = &self.stop_answer else {
            return;
        };
        if self.receiver.take_stop_waiters(&mut self.stop_waiters) {
            for waiter in self.stop_waiters.drain(..) {
                // A client that has gone away needs no answer.
                let _ = waiter.send(answer.clone());
            }
            self.stop_answer = None;
        }
    }

    /// Serves at most `most` commands and returns how many.
    fn serve(&mut self, most: usize) -> usize {
        self.receiver.take(&mut self.batch, most);
        let served = self.batch.len();
        if served == 0 {
            return 0;
        }
        let mut batch = std::mem::take(&mut self.batch);
        for Envelope { command, reply } in batch.drain(..) {
            self.serve_emergency_stop();
            self.stats.command();
            let answer = self.command(self.gap_now(), command);
            self.answers.push((reply, answer));
        }
        self.batch = batch;
        self.record();
        // Published before it is answered: who has the answer may read the machine.
        self.publish();
        for (reply, answer) in self.answers.drain(..) {
            let _ = reply.send(answer);
        }
        served
    }
}
