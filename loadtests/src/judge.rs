//! Judges closed seconds as they come: have all groups held their limits without a break?
//!
//! A second is green for a group when p95 and p99 of the slice that ends with it are within the
//! limits and the slice alone does not use up the errors that a whole interval may have. The
//! objectives hold at a second when every group has been green for the whole interval, and p95,
//! p99 and error share of the interval are within the limits too. A run passes when they hold at
//! its last second: an interval that held and was then broken is a service that broke.

use crate::measure::layout::LONG_WINDOW_S;
use crate::measure::recorder::Second;
use crate::measure::window::View;
use serde::Serialize;

/// What one group must hold; what is `None` is not judged.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Limit of the 95th percentile, µs.
    pub p95_us: Option<u64>,
    /// Limit of the 99th percentile, µs.
    pub p99_us: Option<u64>,
    /// Largest share of errors, 0 to 1.
    pub errors: Option<f64>,
}

impl Limits {
    /// Whether the percentiles are within the limits. A view without samples is not.
    fn latency_holds(&self, view: &View) -> bool {
        let within = |limit: Option<u64>, is: u64| limit.is_none_or(|limit| is <= limit);
        view.latency.count > 0
            && within(self.p95_us, view.latency.p95_us)
            && within(self.p99_us, view.latency.p99_us)
    }

    fn errors_hold(&self, view: &View) -> bool {
        self.errors.is_none_or(|limit| view.error_share() <= limit)
    }

    /// Whether a slice has more errors than a whole interval at its rate may have.
    fn errors_break_interval(&self, slice: &View, interval_s: u64) -> bool {
        let scale = interval_s as f64 / slice.seconds.max(1) as f64;
        let expected = slice.latency.count as f64 * scale.max(1.0);
        self.errors.is_some_and(|limit| slice.errors as f64 > limit * expected)
    }
}

/// What the judge knows of a group.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Streak {
    /// Seconds without a break, up to the newest.
    pub now_s: u64,
    /// The longest such stretch so far.
    pub longest_s: u64,
}

/// Judges one run.
#[derive(Debug)]
pub struct Judge {
    limits: Vec<Limits>,
    interval_s: u64,
    slice_s: u64,
    seen_s: u64,
    streaks: Vec<Streak>,
    holds_now: bool,
    held_once: bool,
    looser: bool,
    last: Vec<Second>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// Seconds that were judged.
    pub seconds: u64,
    /// Seconds that had to hold.
    pub interval_s: u64,
    /// Whether the objectives held for an interval that reaches to the end.
    pub holds: bool,
    /// Whether they held at any time.
    pub held_once: bool,
    /// The looser reading: some interval's own p95, p99 and error share held, whatever its slices.
    pub looser: bool,
    /// By group.
    pub streaks: Vec<Streak>,
}

impl Judge {
    /// A judge of groups with `limits`. `interval_s` is at most [`LONG_WINDOW_S`].
    pub fn new(limits: Vec<Limits>, interval_s: u64, slice_s: u64) -> Self {
        let interval_s = interval_s.min(LONG_WINDOW_S as u64);
        Self {
            streaks: vec![Streak::default(); limits.len()],
            limits,
            interval_s,
            slice_s: slice_s.min(interval_s).max(1),
            seen_s: 0,
            holds_now: false,
            held_once: false,
            looser: false,
            last: Vec::new(),
        }
    }

    /// Takes in the next second, one [`Second`] a group.
    pub fn second(&mut self, groups: &[Second]) {
        self.seen_s += 1;
        let mut all_hold = true;
        let mut all_loose = true;
        for ((limits, streak), second) in
            self.limits.iter().zip(&mut self.streaks).zip(groups.iter())
        {
            let whole_slice = self.seen_s >= self.slice_s;
            let green = limits.latency_holds(&second.slice)
                && !limits.errors_break_interval(&second.slice, self.interval_s);
            if !green {
                streak.now_s = 0;
            } else if streak.now_s > 0 {
                streak.now_s += 1;
            } else if whole_slice {
                // A green slice vouches for each of its seconds.
                streak.now_s = second.slice.seconds.min(self.seen_s);
            }
            streak.longest_s = streak.longest_s.max(streak.now_s);
            let interval = limits.latency_holds(&second.long) && limits.errors_hold(&second.long);
            let long_enough = second.long.seconds >= self.interval_s;
            all_hold &= streak.now_s >= self.interval_s && interval && long_enough;
            all_loose &= interval && long_enough;
        }
        self.holds_now = all_hold && !groups.is_empty();
        self.held_once |= self.holds_now;
        self.looser |= all_loose && !groups.is_empty();
        self.last = groups.to_vec();
    }

    /// The state of things, also in the middle of a run.
    pub fn judgement(&self) -> Judgement {
        Judgement {
            seconds: self.seen_s,
            interval_s: self.interval_s,
            holds: self.holds_now,
            held_once: self.held_once,
            looser: self.looser,
            streaks: self.streaks.clone(),
        }
    }

    /// The newest second of each group; empty before the first.
    pub fn newest(&self) -> &[Second] {
        &self.last
    }
}
