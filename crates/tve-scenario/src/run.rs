//! Playing a scenario: controller and simulated machine in virtual time, 100 ticks a second.

use crate::expectation::{Look, Watcher, seconds};
use crate::report::{Outcome, Report, Sample};
use crate::scenario::{Scenario, Timed};
use crate::trace::Trace;
use tve_control::{AlarmRecord, Refusal, Snapshot, TuneResult, TuneStatus};
use tve_rig::{Rig, TICK};
use tve_sim::SimPowers;
use tve_units::Micros;

/// Ticks between two looks at the whole machine: published values change no faster.
const LOOK_TICKS: u64 = 5;
/// Ticks between two samples, 0.25 s: the interval of run logs.
const SAMPLE_TICKS: u64 = 25;

/// A scenario under way.
pub struct Run<'s> {
    commands: &'s [Timed],
    total: u64,
    done: u64,
    next_command: usize,
    rig: Rig,
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
        let mut rig = Rig::new(&config);
        rig.machine.set_temperature(scenario.start_temp);
        for fault in &scenario.faults {
            rig.machine.inject(*fault);
        }
        let total = scenario.duration.get() / TICK.get();
        Self {
            commands: &scenario.commands,
            total,
            done: 0,
            next_command: 0,
            trace: Trace::new(rig.controller.machine()),
            rig,
            snapshot: Snapshot::default(),
            tune: TuneStatus::Idle,
            watchers: scenario.expectations.iter().map(Watcher::new).collect(),
            answers: Vec::new(),
            alarms: Vec::new(),
            tunes: Vec::new(),
            samples: Vec::with_capacity((total / SAMPLE_TICKS) as usize + 1),
        }
    }

    /// Ticks played, and ticks in all.
    pub fn progress(&self) -> (u64, u64) {
        (self.done, self.total)
    }

    /// Plays at most `ticks` more; `false` when the scenario is over.
    pub fn advance(&mut self, ticks: u64) -> bool {
        let end = self.total.min(self.done.saturating_add(ticks));
        while self.done < end {
            self.done += 1;
            self.tick();
        }
        self.done < self.total
    }

    fn tick(&mut self) {
        let now = self.rig.now() + TICK;
        self.run_commands(now);
        self.rig.sense(TICK);
        let outputs = *self.rig.decide();
        self.trace.tick(&self.rig.inputs, &outputs);
        let heating = outputs.heaters.iter().any(|on| *on);
        let moving = outputs.motors.iter().any(|m| m.is_moving());
        for record in self.rig.raised.drain(..) {
            self.alarms.push(record);
            for watcher in &mut self.watchers {
                watcher.alarm(&record);
            }
        }
        for watcher in &mut self.watchers {
            watcher.tick(now, heating, moving);
        }
        if self.done.is_multiple_of(LOOK_TICKS) {
            self.look(now);
        }
    }

    fn look(&mut self, now: Micros) {
        self.rig.controller.snapshot(&mut self.snapshot);
        let look = Look { now, snapshot: &self.snapshot, machine: &self.rig.machine };
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

    fn run_commands(&mut self, now: Micros) {
        while let Some(timed) = self.commands.get(self.next_command).filter(|timed| timed.at <= now)
        {
            self.next_command += 1;
            let answer = timed.command.clone().and_then(|command| self.rig.send_at(now, command));
            self.trace.command(now, &timed.text, answer.is_ok());
            if let Some(outcome) = judge(timed, &answer.map(|_| ())) {
                self.answers.push(outcome);
            }
        }
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
