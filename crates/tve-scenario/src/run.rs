//! Playing a scenario: controller and simulated machine in virtual time, 100 ticks a second.

use crate::expectation::{Look, Watcher, seconds};
use crate::report::{Outcome, Report, Sample};
use crate::scenario::{Scenario, Timed};
use crate::trace::Trace;
use tve_control::{
    AlarmEvent, AlarmRecord, Controller, Refusal, Restored, Snapshot, TuneResult, TuneStatus,
};
use tve_hal::{Hardware, HardwareError, Inputs, MachineKind};
use tve_sim::{SimHardware, SimPowers};
use tve_units::{Micros, WallMillis};

/// Time between two ticks.
const TICK: Micros = Micros::from_millis(10);
/// Ticks between two looks at the whole machine: published values change no faster.
const LOOK_TICKS: u64 = 5;
/// Ticks between two samples, 0.25 s: the interval of run logs.
const SAMPLE_TICKS: u64 = 25;
/// Wall clock at machine time zero, 2026-01-01T00:00:00Z, ms: fixed, so that runs repeat.
const EPOCH_MS: i64 = 1_767_225_600_000;

/// A scenario under way.
pub struct Run<'s> {
    commands: &'s [Timed],
    total: u64,
    done: u64,
    next_command: usize,
    controller: Controller,
    config_revision: u64,
    machine: SimHardware,
    inputs: Inputs,
    snapshot: Snapshot,
    tune: TuneStatus,
    watchers: Vec<Watcher<'s>>,
    answers: Vec<Outcome>,
    alarms: Vec<AlarmRecord>,
    tunes: Vec<(Micros, TuneResult)>,
    samples: Vec<Sample>,
    trace: Trace,
}

impl<'s> Run<'s> {
    /// At machine time zero; `seed` replaces that of the scenario.
    pub fn new(scenario: &'s Scenario, seed: Option<u64>) -> Self {
        let mut config = scenario.config.clone();
        if let Some(seed) = seed {
            config.plant.seed = seed;
        }
        let mut machine = SimHardware::new(&config);
        machine.set_temperature(scenario.start_temp);
        for fault in &scenario.faults {
            machine.inject(*fault);
        }
        let total = scenario.duration.get() / TICK.get();
        let controller = Controller::new(config, MachineKind::Simulator, Restored::default());
        Self {
            commands: &scenario.commands,
            total,
            done: 0,
            next_command: 0,
            config_revision: controller.config_revision(),
            controller,
            machine,
            inputs: Inputs::default(),
            snapshot: Snapshot::default(),
            tune: TuneStatus::Idle,
            watchers: scenario.expectations.iter().map(Watcher::new).collect(),
            answers: Vec::new(),
            alarms: Vec::new(),
            tunes: Vec::new(),
            samples: Vec::with_capacity((total / SAMPLE_TICKS) as usize + 1),
            trace: Trace::new(),
        }
    }

    /// Ticks played, and ticks in all.
    pub fn progress(&self) -> (u64, u64) {
        (self.done, self.total)
    }

    /// Plays at most `ticks` more; `false` when the scenario is over.
    ///
    /// # Errors
    /// When the machine is lost, which a simulated one never is.
    pub fn advance(&mut self, ticks: u64) -> Result<bool, HardwareError> {
        let end = self.total.min(self.done.saturating_add(ticks));
        while self.done < end {
            self.done += 1;
            self.tick()?;
        }
        Ok(self.done < self.total)
    }

    fn tick(&mut self) -> Result<(), HardwareError> {
        let now = Micros::new(self.done * TICK.get());
        self.run_commands(now)?;
        self.inputs.wall = WallMillis::new(EPOCH_MS + (now.get() / 1000).cast_signed());
        self.machine.read(now, &mut self.inputs)?;
        let outputs = self.controller.step(now, &self.inputs);
        self.machine.apply(now, outputs)?;
        self.trace.tick(&self.inputs, outputs);
        let heating = outputs.heaters != [false; 2];
        let moving = outputs.motors.iter().any(|m| m.is_moving());
        while let Some(event) = self.controller.pop_event() {
            if let AlarmEvent::Raised(record) = event {
                self.alarms.push(record);
                for watcher in &mut self.watchers {
                    watcher.alarm(&record);
                }
            }
        }
        for watcher in &mut self.watchers {
            watcher.tick(now, heating, moving);
        }
        if self.done.is_multiple_of(LOOK_TICKS) {
            self.look(now);
        }
        Ok(())
    }

    fn look(&mut self, now: Micros) {
        self.controller.snapshot(&mut self.snapshot);
        let look = Look { now, snapshot: &self.snapshot, machine: &self.machine };
        for watcher in &mut self.watchers {
            watcher.look(&look);
        }
        let tune = self.snapshot.tune;
        if tune.status == TuneStatus::Done
            && self.tune != TuneStatus::Done
            && let Some(result) = tune.result
        {
            self.tunes.push((now, result));
        }
        self.tune = tune.status;
        if self.done.is_multiple_of(SAMPLE_TICKS) {
            self.samples.push(Sample::of(&self.snapshot));
        }
    }

    fn run_commands(&mut self, now: Micros) -> Result<(), HardwareError> {
        while let Some(timed) = self.commands.get(self.next_command).filter(|timed| timed.at <= now)
        {
            self.next_command += 1;
            let answer =
                timed.command.clone().and_then(|command| self.controller.command(now, command));
            self.trace.command(now, &timed.text, answer.is_ok());
            if let Some(outcome) = judge(timed, &answer.map(|_| ())) {
                self.answers.push(outcome);
            }
            if self.controller.config_revision() != self.config_revision {
                self.config_revision = self.controller.config_revision();
                self.machine.configure(self.controller.config())?;
            }
        }
        Ok(())
    }

    /// Ends the run where it is.
    pub fn finish(self) -> Report {
        let mut outcomes = self.answers;
        outcomes.extend(self.watchers.into_iter().map(Watcher::finish));
        Report {
            outcomes,
            alarms: self
                .alarms
                .iter()
                .map(|a| (a.raised_at, format!("{}: {a}", a.code.name())))
                .collect(),
            tunes: self.tunes,
            trace: self.trace.finish(),
            samples: self.samples,
        }
    }
}

/// An accepted command is what everybody expects and needs no line of its own.
fn judge(timed: &Timed, answer: &Result<(), Refusal>) -> Option<Outcome> {
    let Timed { at, text, refused, .. } = timed;
    let detail = match answer {
        Ok(()) => "accepted".to_owned(),
        Err(refusal) => format!("refused with {refusal}"),
    };
    match (refused, answer) {
        (None, Ok(())) => None,
        (None, Err(_)) => Some(Outcome {
            text: format!("{text} at {} s is accepted", seconds(*at)),
            held: false,
            detail,
        }),
        (Some(code), answer) => Some(Outcome {
            text: format!("{text} at {} s is refused with {}", seconds(*at), code.name()),
            held: answer.as_ref().is_err_and(|refusal| refusal.code == *code),
            detail,
        }),
    }
}
