//! Expectations, and the watchers that follow them through a run.

use crate::report::Outcome;
use crate::what::What;
use core::fmt;
use tve_control::{AlarmRecord, Snapshot, Status, TuneStatus};
use tve_hal::Zone;
use tve_machine::Name;
use tve_sim::SimHardware;
use tve_units::Micros;

/// What the time bounds of alarms have on top: acquisition and one tick.
const GRACE: Micros = Micros::from_millis(20);

/// A stretch of a run, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) from: Micros,
    pub(crate) until: Micros,
}

impl Span {
    fn holds(self, now: Micros) -> bool {
        self.from <= now && now <= self.until
    }
}

/// Seconds as they were written: 0.05, not 0.049999999999999996 as a product would give.
pub(crate) fn seconds(t: Micros) -> f64 {
    t.get() as f64 / 1e6
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {} s to {} s", seconds(self.from), seconds(self.until))
    }
}

/// What must come true in a run. In a file each is an `[[expect]]` table of one of these kinds:
///
/// | Keys | Holds when |
/// | --- | --- |
/// | `what`, `from`, `until`, `min`, `max` | the quantity is known and within the limits, each 0.05 s |
/// | `status`, `at` | the machine has that status at that time |
/// | `alarm`, `after`, `within`, `zone` | it is raised between `after` and `after + within + 0.02` s |
/// | `no_alarm = true`, `from`, `until`, `except` | none is raised but those of `except` |
/// | `heaters_off = true`, `from`, `until` | no heater conducts in any tick |
/// | `motors_stopped = true`, `from`, `until` | no step pulse is asked for in any tick |
/// | `settled = { what, target, band, by, until }` | the quantity stays within `band` (0.5) of `target` from `by` (1200) on |
/// | `overshoot = { what, target, max, from, until }` | it never exceeds `target` by more than `max` (2.0) |
/// | `tune`, `at` | the autotune has that status at that time |
///
/// Times are seconds of the run. `from` and `until` may be left out: start and end of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation(pub(crate) Kind);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Range { what: What, span: Span, min: Option<f64>, max: Option<f64> },
    Status { status: Status, at: Micros },
    Alarm { code: &'static str, zone: Option<(Zone, Name)>, after: Micros, within: Micros },
    NoAlarm { span: Span, except: Vec<&'static str> },
    HeatersOff { span: Span },
    MotorsStopped { span: Span },
    Settled { what: What, target: f64, band: f64, span: Span },
    Overshoot { what: What, target: f64, max: f64, span: Span },
    Tune { status: TuneStatus, at: Micros },
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Range { what, span, min, max } => {
                let (name, unit) = (what, what.unit());
                match (min, max) {
                    (Some(min), Some(max)) => write!(f, "{name} is {min} to {max}{unit} {span}"),
                    (Some(min), None) => write!(f, "{name} is at least {min}{unit} {span}"),
                    (None, Some(max)) => write!(f, "{name} is at most {max}{unit} {span}"),
                    (None, None) => write!(f, "{name} is known {span}"),
                }
            }
            Kind::Status { status, at } => {
                write!(f, "status is {} at {} s", status.name(), seconds(*at))
            }
            Kind::Alarm { code, zone, after, within } => {
                write!(f, "{code}")?;
                if let Some((_, name)) = zone {
                    write!(f, " of {name}")?;
                }
                write!(f, " within {} s after {} s", seconds(*within), seconds(*after))
            }
            Kind::NoAlarm { span, except } if except.is_empty() => write!(f, "no alarm {span}"),
            Kind::NoAlarm { span, except } => {
                write!(f, "no alarm but {} {span}", except.join(", "))
            }
            Kind::HeatersOff { span } => write!(f, "heaters are off {span}"),
            Kind::MotorsStopped { span } => write!(f, "motors stand {span}"),
            Kind::Settled { what, target, band, span } => {
                let (name, unit) = (what, what.unit());
                write!(f, "{name} is settled at {target} ± {band}{unit} {span}")
            }
            Kind::Overshoot { what, target, max, span } => {
                let (name, unit) = (what, what.unit());
                write!(f, "{name} overshoots {target} by at most {max}{unit} {span}")
            }
            Kind::Tune { status, at } => {
                write!(f, "tune is {} at {} s", status.name(), seconds(*at))
            }
        }
    }
}

/// The machine at one look.
pub(crate) struct Look<'a> {
    pub(crate) now: Micros,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) machine: &'a SimHardware,
}

/// Follows one expectation through a run.
#[derive(Debug)]
pub(crate) struct Watcher<'s> {
    expectation: &'s Expectation,
    /// The first time at which it was violated, with what was seen.
    broken: Option<String>,
    /// What came true, for expectations that wait for something.
    met: Option<String>,
    extremes: Extremes,
    /// Something that the expectation is about was seen at all.
    looked: bool,
    /// Since when a settling quantity is within its band.
    inside_since: Option<Micros>,
}

/// Least and greatest value with their times.
#[derive(Debug, Clone, Copy, Default)]
struct Extremes {
    least: Option<(f64, Micros)>,
    greatest: Option<(f64, Micros)>,
}

impl Extremes {
    fn add(&mut self, value: f64, now: Micros) {
        if self.least.is_none_or(|(least, _)| value < least) {
            self.least = Some((value, now));
        }
        if self.greatest.is_none_or(|(greatest, _)| value > greatest) {
            self.greatest = Some((value, now));
        }
    }

    fn text(&self) -> String {
        match (self.least, self.greatest) {
            (Some((least, t1)), Some((greatest, t2))) => format!(
                "least {least:.2} at {:.2} s, greatest {greatest:.2} at {:.2} s",
                t1.secs(),
                t2.secs()
            ),
            _ => "never seen".to_owned(),
        }
    }
}

impl<'s> Watcher<'s> {
    pub(crate) fn new(expectation: &'s Expectation) -> Self {
        Self {
            expectation,
            broken: None,
            met: None,
            extremes: Extremes::default(),
            looked: false,
            inside_since: None,
        }
    }

    /// An alarm was raised.
    pub(crate) fn alarm(&mut self, record: &AlarmRecord) {
        let at = record.raised_at;
        match &self.expectation.0 {
            Kind::Alarm { code, zone, after, .. } => {
                let meant = record.code.name() == *code
                    && zone.is_none_or(|(zone, _)| record.zone() == Some(zone))
                    && at >= *after;
                if meant && !self.looked {
                    self.looked = true;
                    self.judge_alarm(at);
                }
            }
            Kind::NoAlarm { span, except }
                if span.holds(at) && !except.contains(&record.code.name()) =>
            {
                self.broken.get_or_insert_with(|| {
                    format!("{} at {:.2} s: {record}", record.code.name(), at.secs())
                });
            }
            Kind::NoAlarm { .. }
            | Kind::Range { .. }
            | Kind::Status { .. }
            | Kind::HeatersOff { .. }
            | Kind::MotorsStopped { .. }
            | Kind::Settled { .. }
            | Kind::Overshoot { .. }
            | Kind::Tune { .. } => {}
        }
    }

    fn judge_alarm(&mut self, at: Micros) {
        let Kind::Alarm { after, within, .. } = &self.expectation.0 else {
            return;
        };
        let text = format!("raised after {:.2} s", at.since(*after).secs());
        if at <= *after + *within + GRACE {
            self.met = Some(text);
        } else {
            self.broken = Some(text);
        }
    }

    /// One tick has passed: does a heater conduct, is a motor asked to move?
    #[inline]
    pub(crate) fn tick(&mut self, now: Micros, heating: bool, moving: bool) {
        let (span, violated, sight) = match &self.expectation.0 {
            Kind::HeatersOff { span } => (span, heating, "a heater conducts"),
            Kind::MotorsStopped { span } => (span, moving, "a motor moves"),
            Kind::Range { .. }
            | Kind::Status { .. }
            | Kind::Alarm { .. }
            | Kind::NoAlarm { .. }
            | Kind::Settled { .. }
            | Kind::Overshoot { .. }
            | Kind::Tune { .. } => return,
        };
        if span.holds(now) {
            self.looked = true;
            if violated && self.broken.is_none() {
                self.broken = Some(format!("{sight} at {:.2} s", now.secs()));
            }
        }
    }

    /// A look at the whole machine.
    pub(crate) fn look(&mut self, look: &Look<'_>) {
        let now = look.now;
        let expectation = self.expectation;
        match &expectation.0 {
            Kind::Range { what, span, min, max } => {
                if !span.holds(now) {
                    return;
                }
                let (min, max) = (*min, *max);
                let Some(value) = self.value(what, look) else {
                    return;
                };
                if min.is_some_and(|min| value < min) || max.is_some_and(|max| value > max) {
                    self.broken.get_or_insert_with(|| {
                        format!("{value:.2}{} at {:.2} s", what.unit(), now.secs())
                    });
                }
            }
            Kind::Settled { what, target, band, span } => {
                if now > span.until {
                    return;
                }
                let (target, band, due) = (*target, *band, span.holds(now));
                let value = if due {
                    self.value(what, look)
                } else {
                    what.value(look.snapshot, look.machine)
                };
                let inside = value.is_some_and(|v| (v - target).abs() <= band);
                self.inside_since = inside.then(|| self.inside_since.unwrap_or(now));
                if due
                    && !inside
                    && let Some(value) = value
                {
                    self.broken.get_or_insert_with(|| {
                        format!("{value:.2}{} at {:.2} s", what.unit(), now.secs())
                    });
                }
            }
            Kind::Overshoot { what, target, max, span } => {
                if !span.holds(now) {
                    return;
                }
                // A sensor that has no value yet has not overshot.
                if let Some(value) = what.value(look.snapshot, look.machine) {
                    self.looked = true;
                    self.extremes.add(value, now);
                    if value > *target + *max {
                        // How far it went in the end says more than where it passed the limit.
                        self.broken = Some(String::new());
                    }
                }
            }
            Kind::Status { status, at } => {
                if now >= *at && !self.looked {
                    self.looked = true;
                    let seen = look.snapshot.status;
                    self.meet(seen == *status, seen.name());
                }
            }
            Kind::Tune { status, at } => {
                if now >= *at && !self.looked {
                    self.looked = true;
                    let seen = look.snapshot.tune.status;
                    self.meet(seen == *status, seen.name());
                }
            }
            Kind::Alarm { .. }
            | Kind::NoAlarm { .. }
            | Kind::HeatersOff { .. }
            | Kind::MotorsStopped { .. } => {}
        }
    }

    fn meet(&mut self, held: bool, seen: &str) {
        let slot = if held { &mut self.met } else { &mut self.broken };
        *slot = Some(format!("it is {seen}"));
    }

    /// The value of a quantity that must be known now.
    fn value(&mut self, what: &What, look: &Look<'_>) -> Option<f64> {
        self.looked = true;
        let value = what.value(look.snapshot, look.machine);
        match value {
            Some(value) => self.extremes.add(value, look.now),
            None => {
                self.broken.get_or_insert_with(|| format!("unknown at {:.2} s", look.now.secs()));
            }
        }
        value
    }

    /// The verdict at the end of the run.
    pub(crate) fn finish(self) -> Outcome {
        let text = self.expectation.to_string();
        let extremes = self.extremes.text();
        let (held, detail) = match (&self.expectation.0, self.broken, self.met) {
            (Kind::Range { .. } | Kind::Settled { .. }, Some(broken), _) => {
                (false, format!("{broken}; {extremes}"))
            }
            (Kind::Overshoot { target, .. }, broken, _) => {
                let seen = self.extremes.greatest.map_or_else(
                    || "never seen".to_owned(),
                    |(greatest, at)| {
                        format!(
                            "greatest {greatest:.2} at {:.2} s, {:+.2}",
                            at.secs(),
                            greatest - target
                        )
                    },
                );
                (broken.is_none() && self.looked, seen)
            }
            (_, Some(broken), _) => (false, broken),
            (Kind::Range { .. }, None, _) => (self.looked, extremes),
            (Kind::Settled { .. }, None, _) => {
                let since = self.inside_since.map_or(0.0, Micros::secs);
                (self.looked, format!("within since {since:.1} s; {extremes}"))
            }
            (Kind::HeatersOff { .. } | Kind::MotorsStopped { .. }, None, _) => {
                (self.looked, String::new())
            }
            (Kind::NoAlarm { .. }, None, _) => (true, String::new()),
            (Kind::Status { .. } | Kind::Alarm { .. } | Kind::Tune { .. }, None, met) => {
                (met.is_some(), met.unwrap_or_else(|| "never seen".to_owned()))
            }
        };
        Outcome { text, held, detail }
    }
}
