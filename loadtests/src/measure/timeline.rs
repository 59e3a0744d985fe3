//! The course of a run in a bounded number of points: when full, two neighbours become one.

use serde::{Deserialize, Serialize};

/// Most points of a course: more than a plot has pixels across.
const MOST: usize = 1200;

/// Something that can absorb its later neighbour.
pub trait Merge {
    /// Takes `later` in.
    fn merge(&mut self, later: &Self);
}

/// Points at equal steps from the start of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline<T> {
    /// Seconds that a point stands for.
    pub step_s: u64,
    /// The points, oldest first.
    pub points: Vec<T>,
    /// Seconds that the last point has taken in.
    filled: u64,
}

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self { step_s: 1, points: Vec::new(), filled: 0 }
    }
}

impl<T: Merge + Clone> Timeline<T> {
    /// Appends the point of the next second.
    pub fn push(&mut self, point: T) {
        if self.filled > 0 && self.filled < self.step_s {
            if let Some(last) = self.points.last_mut() {
                last.merge(&point);
            }
            self.filled += 1;
            return;
        }
        if self.points.len() == MOST {
            self.halve();
        }
        self.points.push(point);
        self.filled = 1;
    }

    fn halve(&mut self) {
        let mut half = Vec::with_capacity(MOST);
        for pair in self.points.chunks(2) {
            let mut first = pair[0].clone();
            if let Some(second) = pair.get(1) {
                first.merge(second);
            }
            half.push(first);
        }
        self.points = half;
        self.step_s *= 2;
    }

    /// (seconds from the start, point), oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (f64, &T)> {
        self.points.iter().enumerate().map(|(i, p)| ((i as u64 * self.step_s) as f64, p))
    }
}

/// One point of a group's course.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct GroupPoint {
    /// Requests.
    pub count: u32,
    /// Errors among them.
    pub errors: u32,
    /// Worst 60 s p95 of the point, µs; outside the judged stretch the seconds' own p95.
    pub p95_us: u32,
    /// Worst 60 s p99 of the point, µs; outside the judged stretch the seconds' own p95.
    pub p99_us: u32,
    /// Seconds that the point stands for.
    pub seconds: u32,
    /// Sum of the seconds' own p95, µs: unlike slices, they do not overlap.
    pub own_p95_us: u64,
    /// Seconds that had samples, and so a p95 of their own.
    pub own_s: u32,
}

impl Merge for GroupPoint {
    fn merge(&mut self, later: &Self) {
        self.count += later.count;
        self.errors += later.errors;
        self.p95_us = self.p95_us.max(later.p95_us);
        self.p99_us = self.p99_us.max(later.p99_us);
        self.seconds += later.seconds;
        self.own_p95_us += later.own_p95_us;
        self.own_s += later.own_s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_fits_and_loses_no_request() {
        let mut timeline = Timeline::default();
        for second in 0..86_400_u32 {
            let p95_us = if second == 50_000 { 900 } else { 10 };
            timeline.push(GroupPoint { count: 3, seconds: 1, p95_us, ..GroupPoint::default() });
        }
        assert!(timeline.points.len() <= MOST);
        assert_eq!(timeline.points.iter().map(|p| p.count).sum::<u32>(), 3 * 86_400);
        assert_eq!(timeline.points.iter().map(|p| p.seconds).sum::<u32>(), 86_400);
        let (at, _) = timeline.iter().find(|(_, p)| p.p95_us == 900).unwrap();
        assert!((50_000.0 - at).abs() <= timeline.step_s as f64);
    }
}
