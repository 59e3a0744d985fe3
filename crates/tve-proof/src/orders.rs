//! Model checking: every order of stop, clear, start, tune, jog and power-cycle.
//!
//! Each order is played on a hot machine with its targets set, with short and with long pauses, and
//! judged by the invariants of the random walks. A stop and a clear that race must end stopped.

use crate::certify::{State, WORKING};
use crate::crew;
use crate::rig::Rig;
use crate::subject::Subject;
use crate::walk::{Observer, Violation};
use serde::Serialize;
use serde_json::{Value, json};
use tve_control::{Command, Unclean, parse_named};

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Stop,
    EmergencyStop,
    Clear,
    Start,
    Tune,
    Jog,
    PowerCycle,
}

impl Operation {
    const ALL: [Self; 7] = [
        Self::Stop,
        Self::EmergencyStop,
        Self::Clear,
        Self::Start,
        Self::Tune,
        Self::Jog,
        Self::PowerCycle,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::EmergencyStop => "emergency stop",
            Self::Clear => "clear",
            Self::Start => "start",
            Self::Tune => "tune",
            Self::Jog => "jog",
            Self::PowerCycle => "power-cycle",
        }
    }

    /// Its command; a power-cycle is none.
    fn command(self, subject: &Subject) -> Option<(&'static str, Value)> {
        match self {
            Self::Stop => Some(("STOP", Value::Null)),
            Self::EmergencyStop => Some(("EMERGENCY_STOP", Value::Null)),
            Self::Clear => Some(("CLEAR_ALARM", Value::Null)),
            Self::Start => Some(("START", Value::Null)),
            Self::Tune => Some(("TUNE_START", json!({"zone": subject.first(), "setpoint": 200}))),
            Self::Jog => {
                let jog = json!({"motor": subject.screw(), "steps": 32_000, "speed": 1000});
                Some(("MOVE_MOTOR_STEPS", jog))
            }
            Self::PowerCycle => None,
        }
    }
}

/// Ticks between two operations: within one tick, at successive ticks, long enough for samples.
const PAUSES: [u32; 3] = [0, 1, 25];
/// Ticks watched after the last operation.
const TAIL: u32 = 60;
/// Seconds that the hot machine has held its targets before the first operation.
const HELD_S: f64 = 1.0;

/// The outcome of model checking.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OrdersReport {
    /// Orders played, each with three lengths of pause.
    pub orders: u64,
    /// Operations in the longest.
    pub longest: usize,
    /// Orders that broke an invariant, with what was seen; the first hundred.
    pub violations: Vec<String>,
}

/// Plays every order of up to `longest` operations (repetitions included) on a machine.
/// `progress(done, total)` counts shares of the work.
pub fn check_orders(
    subject: &Subject,
    longest: usize,
    progress: impl FnMut(usize, usize),
) -> OrdersReport {
    /// More violations than this say nothing new.
    const SHOWN: usize = 100;
    let prefixes: Vec<Vec<Operation>> = if longest < 2 {
        Operation::ALL.map(|op| vec![op]).to_vec()
    } else {
        Operation::ALL.iter().flat_map(|a| Operation::ALL.map(|b| vec![*a, b])).collect()
    };
    let outcomes = crew::work(&prefixes, progress, |prefix| {
        let mut outcome = (0, Vec::new());
        extend(subject, &mut prefix.clone(), longest, &mut outcome);
        outcome
    });
    // Orders of one operation are the beginnings of those of two and need no play of their own.
    let mut report = OrdersReport { orders: 0, longest, violations: Vec::new() };
    for (orders, violations) in outcomes {
        report.orders += orders;
        report.violations.extend(violations);
    }
    report.violations.truncate(SHOWN);
    report
}

/// Plays `order` and everything that begins with it.
fn extend(
    subject: &Subject,
    order: &mut Vec<Operation>,
    longest: usize,
    outcome: &mut (u64, Vec<String>),
) {
    outcome.0 += 1;
    for pause in PAUSES {
        if let Err(violation) = play(subject, order, pause) {
            let names: Vec<&str> = order.iter().map(|op| op.name()).collect();
            outcome.1.push(format!(
                "{} with {pause} ticks between: {} ({})",
                names.join(", "),
                violation.what,
                violation.invariant
            ));
        }
    }
    if order.len() >= longest {
        return;
    }
    for op in Operation::ALL {
        order.push(op);
        extend(subject, order, longest, outcome);
        order.pop();
    }
}

fn play(subject: &Subject, order: &[Operation], pause: u32) -> Result<(), Violation> {
    let mut rig = Rig::new(subject.config());
    rig.soak(State::Holding.start_temp());
    let mut observer = Observer::new(&rig);
    let tick = |rig: &mut Rig, observer: &mut Observer| {
        rig.tick();
        observer.ticked(rig)
    };
    let ticks = |seconds: f64| (seconds * 100.0) as u32;
    for _ in 0..ticks(HELD_S) {
        tick(&mut rig, &mut observer)?;
    }
    if let Ok(command) = parse_named("SET_TARGET", &subject.every_zone(WORKING), &rig.names()) {
        send(&mut rig, &mut observer, &command)?;
    }
    for op in order {
        if let Some((name, value)) = op.command(subject) {
            if let Ok(command) = parse_named(name, &value, &rig.names()) {
                send(&mut rig, &mut observer, &command)?;
            }
        } else {
            let energised = rig.controller.outputs().is_energised();
            rig.restart(Some(Unclean { energised }), false);
            observer.restarted(&rig)?;
        }
        for _ in 0..pause {
            tick(&mut rig, &mut observer)?;
        }
    }
    for _ in 0..TAIL {
        tick(&mut rig, &mut observer)?;
    }
    Ok(())
}

/// As the walks do it, but a refusal is judged by what the machine shows: the whole state's digest
/// would take ten times as long as all the rest.
fn send(rig: &mut Rig, observer: &mut Observer, command: &Command) -> Result<(), Violation> {
    let before = rig.snapshot();
    let answer = rig.send(command.clone());
    let changed = answer.is_err() && rig.snapshot() != before;
    observer.commanded(rig, command, answer.as_ref().map_err(|_| changed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::reach;

    #[test]
    fn every_order_of_three_operations_keeps_the_invariants() {
        let report = check_orders(&Subject::embedded(), 3, |_, _| {});
        assert_eq!(report.violations, Vec::<String>::new());
        let n = Operation::ALL.len() as u64;
        assert_eq!(report.orders, n * n + n * n * n);
    }

    #[test]
    fn a_holding_machine_accepts_each_operation() {
        for op in Operation::ALL {
            let subject = Subject::embedded();
            let Some((name, value)) = op.command(&subject) else { continue };
            let mut rig = reach(&subject, State::Holding, false);
            assert!(rig.command(name, &value).is_ok(), "{name}");
        }
    }
}
