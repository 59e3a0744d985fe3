//! Takes in every request of a run and keeps what verdicts and reports need, in constant memory.
//!
//! A request has four instants: *due* (when it should have been sent), *sent*, *headers* and
//! *done* (the whole body). Verdicts use the time from due to done, so that a service that stalls
//! is charged for the requests it kept from being sent.

use super::histogram::{add, empty};
use super::layout::{LONG_WINDOW_S, Layout};
use super::outcome::Outcome;
use super::sample::Sample;
use super::tally::Tally;
use super::timeline::{GroupPoint, Timeline};
use super::window::{Cell, View, Window};
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Samples that a slice must hold before its p99 means something.
const SLICE_LEAST: u64 = 100;

/// Most different failure texts that are kept; the rest are counted together.
const FAILURE_TEXTS: usize = 50;

/// Length of the stretches that are quiet or not, µs.
pub const MOMENT_US: u64 = 100_000;

/// How many of them make a second.
const MOMENTS: u64 = 1_000_000 / MOMENT_US;

/// A group's totals over the judged stretch and its rolling windows.
#[derive(Debug)]
pub struct Group {
    /// Totals of the judged stretch.
    pub total: Tally<u64>,
    /// From sending to the head of the reply, judged stretch.
    pub headers: Histogram<u64>,
    /// From sending to the whole body, judged stretch.
    pub body: Histogram<u64>,
    /// From the due instant to the whole body, of those due in quiet moments of the judged stretch.
    pub quiet: Histogram<u64>,
    /// Its course, second by second.
    pub timeline: Timeline<GroupPoint>,
    cells: VecDeque<Cell>,
    slice: Window,
    long: Window,
}

/// What a closed second looks like for one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Second {
    /// The slice that ends with it.
    pub slice: View,
    /// The interval that ends with it; shorter at the beginning.
    pub long: View,
}

#[derive(Debug, Default, Clone)]
struct Open {
    /// (moment of the second, latency in µs).
    latencies: Vec<(u8, u32)>,
    errors: u32,
}

/// How late the generator itself was.
#[derive(Debug)]
pub struct Lateness {
    /// From the instant at which a request was due and its client free, to its sending.
    pub lag: Histogram<u64>,
    /// Requests that the generator never sent although their client was free.
    pub missed: u64,
}

/// Takes in samples.
#[derive(Debug)]
pub struct Recorder {
    layout: Layout,
    groups: Vec<Group>,
    phases: Vec<Vec<Tally<u32>>>,
    lateness: Lateness,
    /// Answered requests of the judged stretch, by scenario.
    answered: Vec<u64>,
    failures: BTreeMap<(usize, String), u64>,
    /// Moments that are not closed and are known to be quiet, and the last before them.
    quiet: BTreeSet<u64>,
    /// How many of the judged stretch were quiet.
    quiet_moments: u64,
    /// Samples of the seconds that are not closed, by second and group.
    open: VecDeque<Vec<Open>>,
    /// The first of them.
    first_open_s: u64,
    template: Histogram<u32>,
}

impl Recorder {
    /// An empty one.
    pub fn new(layout: Layout) -> Self {
        let group = || Group {
            total: Tally::new(),
            headers: empty(),
            body: empty(),
            quiet: empty(),
            timeline: Timeline::default(),
            cells: VecDeque::with_capacity(LONG_WINDOW_S),
            slice: Window::new(layout.slice_s, SLICE_LEAST),
            long: Window::new(layout.interval_s.min(LONG_WINDOW_S), 0),
        };
        let phase = || layout.requests.iter().map(|_| Tally::new()).collect();
        Self {
            groups: layout.groups.iter().map(|_| group()).collect(),
            phases: layout.phases.iter().map(|_| phase()).collect(),
            lateness: Lateness { lag: empty(), missed: 0 },
            answered: vec![0; layout.scenarios],
            failures: BTreeMap::new(),
            quiet: BTreeSet::new(),
            quiet_moments: 0,
            open: VecDeque::new(),
            first_open_s: 0,
            template: empty(),
            layout,
        }
    }

    /// Takes in one finished request.
    pub fn record(&mut self, sample: &Sample) {
        let Some(&(_, group)) = self.layout.requests.get(sample.request) else { return };
        let due_us = sample.done_us.saturating_sub(sample.due_us);
        let second = sample.due_us / 1_000_000;
        if let Some(phase) =
            self.layout.phases.iter().position(|p| (p.from_s..p.to_s).contains(&second))
        {
            let tally = &mut self.phases[phase][sample.request];
            add(&mut tally.due, due_us);
            tally.outcomes[sample.outcome as usize] += 1;
            tally.bytes += sample.bytes;
        }
        if (self.layout.judged.from_s..self.layout.judged.to_s).contains(&second) {
            let record = &mut self.groups[group];
            add(&mut record.total.due, due_us);
            record.total.outcomes[sample.outcome as usize] += 1;
            if sample.outcome != Outcome::Overdue {
                if let Some(answered) = self.answered.get_mut(sample.scenario) {
                    *answered += 1;
                }
                add(&mut record.headers, sample.headers_us.saturating_sub(sample.sent_us));
                add(&mut record.body, sample.done_us.saturating_sub(sample.sent_us));
                let could = sample.due_us.max(sample.free_us);
                add(&mut self.lateness.lag, sample.sent_us.saturating_sub(could));
            }
        }
        // A straggler beyond the patience is in the totals; its second has been judged already.
        let place = second.max(self.first_open_s).saturating_sub(self.first_open_s) as usize;
        while self.open.len() <= place {
            self.open.push_back(vec![Open::default(); self.layout.groups.len()]);
        }
        let open = &mut self.open[place][group];
        let moment = (sample.due_us / MOMENT_US % MOMENTS) as u8;
        open.latencies.push((moment, u32::try_from(due_us).unwrap_or(u32::MAX)));
        open.errors += u32::from(sample.outcome.is_error());
    }

    /// Notes why a request failed, for the list of failures.
    pub fn failure(&mut self, request: usize, text: &str) {
        let full = self.failures.len() >= FAILURE_TEXTS;
        let key = (request, text.to_owned());
        if full && !self.failures.contains_key(&key) {
            *self.failures.entry((request, "other".to_owned())).or_default() += 1;
        } else {
            *self.failures.entry(key).or_default() += 1;
        }
    }

    /// Notes a request that the generator failed to send in time.
    pub fn missed(&mut self) {
        self.lateness.missed += 1;
    }

    /// Notes that nobody from outside took this machine's processors in `moment`, counted from the
    /// start of the run. Its requests count as quiet when the moment before was quiet too: what
    /// waited there is served here.
    pub fn quiet(&mut self, moment: u64) {
        if moment >= self.first_open_s * MOMENTS {
            self.quiet.insert(moment);
        }
    }

    /// Which moments of `second` were quiet; forgets what lies before its last.
    fn take_quiet(&mut self, second: u64) -> [bool; MOMENTS as usize] {
        let first = second * MOMENTS;
        let known = |m: u64| self.quiet.contains(&m);
        let quiet = std::array::from_fn(|i| {
            let moment = first + i as u64;
            known(moment) && moment.checked_sub(1).is_none_or(known)
        });
        self.quiet = self.quiet.split_off(&(first + MOMENTS - 1));
        quiet
    }

    /// Closes the seconds that no sample can reach any more at `now_s` and hands each that lies in
    /// the judged stretch to `see`, with one [`Second`] a group.
    pub fn close(&mut self, now_s: u64, see: &mut dyn FnMut(u64, &[Second])) {
        let until = now_s.saturating_sub(self.layout.patience_s);
        while self.first_open_s < until {
            self.close_one(see);
        }
    }

    /// Closes everything up to `to_s`, at the end of a run.
    pub fn close_all(&mut self, to_s: u64, see: &mut dyn FnMut(u64, &[Second])) {
        while self.first_open_s < to_s || !self.open.is_empty() {
            self.close_one(see);
        }
    }

    fn close_one(&mut self, see: &mut dyn FnMut(u64, &[Second])) {
        let second = self.first_open_s;
        self.first_open_s += 1;
        let mut opened = self.open.pop_front().unwrap_or_default();
        let judged = (self.layout.judged.from_s..self.layout.judged.to_s).contains(&second);
        let quiet = self.take_quiet(second);
        if judged {
            self.quiet_moments += quiet.iter().filter(|&&q| q).count() as u64;
        }
        let mut seen = Vec::with_capacity(self.groups.len());
        for (i, group) in self.groups.iter_mut().enumerate() {
            let open = opened.get_mut(i).map(std::mem::take).unwrap_or_default();
            if judged {
                for &(_, us) in open.latencies.iter().filter(|(m, _)| quiet[usize::from(*m)]) {
                    add(&mut group.quiet, us.into());
                }
            }
            let latencies = open.latencies.into_iter().map(|(_, us)| us).collect();
            let cell = Cell::new(latencies, open.errors, &self.template);
            let mut point = GroupPoint {
                count: cell.count,
                errors: cell.errors,
                seconds: 1,
                ..GroupPoint::default()
            };
            let own = cell.p95_us();
            point.own_p95_us = own.unwrap_or(0);
            point.own_s = u32::from(own.is_some());
            if judged {
                group.cells.push_back(cell);
                group.slice.advance(&group.cells);
                group.long.advance(&group.cells);
                // Only now: the windows subtract the oldest second, so it must still be there.
                if group.cells.len() > LONG_WINDOW_S {
                    group.cells.pop_front();
                }
                let view = Second { slice: group.slice.view(), long: group.long.view() };
                point.p95_us = u32::try_from(view.slice.latency.p95_us).unwrap_or(u32::MAX);
                point.p99_us = u32::try_from(view.slice.latency.p99_us).unwrap_or(u32::MAX);
                seen.push(view);
            } else {
                point.p95_us = u32::try_from(own.unwrap_or(0)).unwrap_or(u32::MAX);
                point.p99_us = point.p95_us;
            }
            group.timeline.push(point);
        }
        if judged {
            see(second, &seen);
        }
    }

    /// The layout it was made with.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The groups, in the order of the layout.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// A phase's tallies by request.
    pub fn phase(&self, phase: usize) -> &[Tally<u32>] {
        self.phases.get(phase).map_or(&[], Vec::as_slice)
    }

    /// One tally over the requests of `phase` that `wanted` chooses.
    pub fn merged(&self, phase: usize, wanted: impl Fn(usize) -> bool) -> Tally<u32> {
        let mut sum = Tally::new();
        for (i, tally) in self.phase(phase).iter().enumerate() {
            if wanted(i) {
                sum.absorb(tally);
            }
        }
        sum
    }

    /// Answered requests of the judged stretch, by scenario.
    pub fn answered(&self) -> &[u64] {
        &self.answered
    }

    /// How long the judged stretch was quiet, s.
    pub fn quiet_s(&self) -> f64 {
        (self.quiet_moments * MOMENT_US) as f64 / 1e6
    }

    /// How late the generator was.
    pub fn lateness(&self) -> &Lateness {
        &self.lateness
    }

    /// (name of the request, text, how often), as they were noted.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.failures.iter().map(|((request, text), &n)| {
            (self.layout.requests[*request].0.as_str(), text.as_str(), n)
        })
    }
}
