//! A rolling window over seconds, kept by adding the newest and subtracting the oldest.

use super::histogram::{Latency, empty};
use hdrhistogram::Histogram;
use std::collections::VecDeque;

/// What one second of one group held: latencies from the due instant, as sparse counts.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// (latency in µs at the lower edge of its bucket, how often), ascending.
    latencies: Vec<(u64, u32)>,
    /// Samples.
    pub(crate) count: u32,
    /// Samples that were errors.
    pub(crate) errors: u32,
}

impl Cell {
    /// The cell of `raw` latencies (µs), `errors` of which were errors.
    pub(crate) fn new(mut raw: Vec<u32>, errors: u32, like: &Histogram<u32>) -> Self {
        let count = raw.len() as u32;
        raw.sort_unstable();
        let mut latencies: Vec<(u64, u32)> = Vec::new();
        for us in raw {
            let us = like.lowest_equivalent(u64::from(us).max(1));
            match latencies.last_mut() {
                Some((last, n)) if *last == us => *n += 1,
                _ => latencies.push((us, 1)),
            }
        }
        latencies.shrink_to_fit();
        Self { latencies, count, errors }
    }

    /// The second's own 95th percentile, µs; `None` without samples.
    pub(crate) fn p95_us(&self) -> Option<u64> {
        // The smallest value that 95 % of the samples do not exceed.
        let rank = (u64::from(self.count) * 95).div_ceil(100);
        let mut so_far = 0;
        self.latencies.iter().find_map(|&(us, n)| {
            so_far += u64::from(n);
            (so_far >= rank).then_some(us)
        })
    }

    pub(crate) fn write_to(&self, histogram: &mut Histogram<u32>) {
        for &(us, n) in &self.latencies {
            histogram.saturating_record_n(us, n);
        }
    }
}

/// The newest seconds of one group.
///
/// A window is so many seconds long, and longer where it would hold fewer than a least number of
/// samples.
#[derive(Debug)]
pub struct Window {
    seconds: usize,
    least: u64,
    held: usize,
    histogram: Histogram<u32>,
    scratch: Histogram<u32>,
    errors: u64,
}

impl Window {
    /// A window of `seconds`, widened while it holds fewer than `least` samples.
    pub fn new(seconds: usize, least: u64) -> Self {
        Self { seconds, least, held: 0, histogram: empty(), scratch: empty(), errors: 0 }
    }

    /// Takes in the newest of `cells` and lets go of what the window no longer needs.
    ///
    /// `cells` ends with the newest second and reaches back at least as far as the window does.
    pub fn advance(&mut self, cells: &VecDeque<Cell>) {
        let Some(newest) = cells.back() else { return };
        newest.write_to(&mut self.histogram);
        self.errors += u64::from(newest.errors);
        self.held += 1;
        while self.held > cells.len() || self.held > self.seconds {
            // The oldest that is still in; `held` counts from the newest backwards.
            let Some(oldest) = cells.len().checked_sub(self.held).and_then(|i| cells.get(i)) else {
                // It has left the store: start again from what is there.
                self.rebuild(cells);
                return;
            };
            if self.histogram.len() - u64::from(oldest.count) < self.least {
                break;
            }
            self.scratch.reset();
            oldest.write_to(&mut self.scratch);
            // What is taken away was put in with the same values.
            if self.histogram.subtract(&self.scratch).is_err() {
                self.rebuild(cells);
                return;
            }
            self.errors -= u64::from(oldest.errors);
            self.held -= 1;
        }
    }

    fn rebuild(&mut self, cells: &VecDeque<Cell>) {
        self.histogram.reset();
        self.errors = 0;
        self.held = 0;
        for cell in cells.iter().rev() {
            let enough = self.held >= self.seconds && self.histogram.len() >= self.least;
            if enough {
                break;
            }
            cell.write_to(&mut self.histogram);
            self.errors += u64::from(cell.errors);
            self.held += 1;
        }
    }

    /// What the window holds at present.
    pub fn view(&self) -> View {
        View {
            seconds: self.held as u64,
            errors: self.errors,
            latency: Latency::of(&self.histogram),
        }
    }
}

/// What a window holds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct View {
    /// How many seconds it reaches back.
    pub seconds: u64,
    /// Errors among the samples.
    pub errors: u64,
    /// Latency from the due instant.
    pub latency: Latency,
}

impl View {
    /// Errors by samples, 0 to 1; 0 without samples.
    pub fn error_share(&self) -> f64 {
        if self.latency.count == 0 { 0.0 } else { self.errors as f64 / self.latency.count as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(window: &mut Window, cells: &mut VecDeque<Cell>, raw: Vec<u32>, errors: u32) {
        cells.push_back(Cell::new(raw, errors, &empty()));
        window.advance(cells);
        if cells.len() > 600 {
            cells.pop_front();
        }
    }

    #[test]
    fn what_leaves_the_window_leaves_no_trace() {
        let (mut window, mut cells) = (Window::new(60, 0), VecDeque::new());
        for _ in 0..60 {
            feed(&mut window, &mut cells, vec![500_000; 10], 1);
        }
        assert_eq!(window.view().errors, 60);
        for _ in 0..60 {
            feed(&mut window, &mut cells, vec![1000; 10], 0);
        }
        let view = window.view();
        assert_eq!((view.seconds, view.errors, view.latency.count), (60, 0, 600));
        assert!(view.latency.max_us < 1010, "{view:?}");
    }

    #[test]
    fn a_thin_window_reaches_back_until_it_has_enough_samples() {
        let (mut window, mut cells) = (Window::new(60, 100), VecDeque::new());
        for second in 0..300 {
            feed(&mut window, &mut cells, if second % 2 == 0 { vec![1000] } else { vec![] }, 0);
        }
        let view = window.view();
        assert_eq!(view.latency.count, 100);
        assert!((199..=200).contains(&view.seconds), "{}", view.seconds);
    }
}
