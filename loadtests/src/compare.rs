//! Compares two runs: is the new one worse, or is it the noise of the host?
//!
//! A group is worse only when the median of its seconds' own p95 rose by more than 10 %, by more
//! than 2 ms, by more than three times what two halves of one run differ by, and when the interval
//! of a bootstrap over blocks of seconds leaves zero.

use crate::measure::timeline::GroupPoint;
use crate::random::generator;
use crate::summary::{GroupSummary, Summary};
use rand::Rng as _;
use rand::rngs::SmallRng;

/// Least relative change.
const LEAST_SHARE: f64 = 0.10;
/// Least change, ms: less is not worth a word, whatever its statistics.
const FLOOR_MS: f64 = 2.0;
/// How many times the noise within one run a change must be.
const TIMES_NOISE: f64 = 3.0;
/// Points that are drawn together: neighbours in time are alike.
const BLOCK: usize = 10;
/// Draws of the bootstrap.
const DRAWS: usize = 1000;
/// Seed of the bootstrap: the same two runs always compare alike.
const SEED: u64 = 20_260_101;
/// Rise of the error share that makes a group worse, percentage points.
const ERRORS_PERCENT: f64 = 0.1;

/// How a group changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing that is not noise.
    None,
    /// Slower, or more errors.
    Worse,
    /// Faster.
    Better,
    /// Too little to compare.
    Unknown,
}

/// A group of two runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Name.
    pub group: String,
    /// Median of the seconds' p95 before, ms.
    pub base_ms: f64,
    /// The same after, ms.
    pub new_ms: f64,
    /// What two halves of one run differ by, ms.
    pub noise_ms: f64,
    /// 95 % interval of the difference, ms.
    pub interval_ms: (f64, f64),
    /// The conclusion.
    pub change: Change,
    /// Error shares, %.
    pub errors_percent: (f64, f64),
}

/// p95 of each second (or point) of the judged stretch, ms.
fn course(summary: &Summary, group: &GroupSummary) -> Vec<f64> {
    let from = summary.judged_from_s as f64;
    let own = |p: &GroupPoint| p.own_p95_us as f64 / f64::from(p.own_s) / 1000.0;
    group
        .timeline
        .iter()
        .filter(|(at, p)| *at >= from && p.own_s > 0)
        .map(|(_, p)| own(p))
        .collect()
}

fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// What the even and the odd blocks of one run differ by.
fn noise(course: &[f64]) -> f64 {
    let half = |parity: usize| -> Vec<f64> {
        let blocks = course.chunks(BLOCK).enumerate().filter(|(i, _)| i % 2 == parity);
        blocks.flat_map(|(_, block)| block.iter().copied()).collect()
    };
    (median(&mut half(0)) - median(&mut half(1))).abs()
}

fn draw(course: &[f64], rng: &mut SmallRng) -> f64 {
    let blocks = course.len().div_ceil(BLOCK);
    let mut drawn = Vec::with_capacity(course.len() + BLOCK);
    for _ in 0..blocks {
        let start = rng.random_range(0..blocks) * BLOCK;
        drawn.extend_from_slice(&course[start..(start + BLOCK).min(course.len())]);
    }
    median(&mut drawn)
}

fn percent(group: &GroupSummary) -> f64 {
    group.errors as f64 * 100.0 / group.count.max(1) as f64
}

/// Compares courses of p95 (ms): (before, after, noise, interval, conclusion).
fn decide(base: &[f64], new: &[f64]) -> (f64, f64, f64, (f64, f64), Change) {
    let base_ms = median(&mut base.to_vec());
    let new_ms = median(&mut new.to_vec());
    let noise_ms = noise(base).max(noise(new));
    if base.len() < 2 * BLOCK || new.len() < 2 * BLOCK {
        return (base_ms, new_ms, noise_ms, (0.0, 0.0), Change::Unknown);
    }
    let mut rng = generator(SEED, 0);
    let mut differences: Vec<f64> =
        (0..DRAWS).map(|_| draw(new, &mut rng) - draw(base, &mut rng)).collect();
    differences.sort_unstable_by(f64::total_cmp);
    let interval = (differences[DRAWS / 40], differences[DRAWS - 1 - DRAWS / 40]);
    let by = new_ms - base_ms;
    let counts = by.abs() > FLOOR_MS
        && by.abs() > LEAST_SHARE * base_ms
        && by.abs() > TIMES_NOISE * noise_ms;
    let change = if counts && interval.0 > 0.0 {
        Change::Worse
    } else if counts && interval.1 < 0.0 {
        Change::Better
    } else {
        Change::None
    };
    (base_ms, new_ms, noise_ms, interval, change)
}

/// Compares the groups that both runs have. Several runs of each side are taken together.
pub fn compare(base: &[Summary], new: &[Summary]) -> Vec<Compared> {
    let Some(first) = base.first() else { return Vec::new() };
    let gather = |runs: &[Summary], name: &str| {
        let mut all = Vec::new();
        let (mut errors, mut count) = (0.0, 0.0);
        for run in runs {
            for group in run.groups.iter().filter(|g| g.name == name) {
                all.extend(course(run, group));
                errors += percent(group);
                count += 1.0;
            }
        }
        (all, if count > 0.0 { errors / count } else { 0.0 })
    };
    first
        .groups
        .iter()
        .map(|group| {
            let (before, errors_before) = gather(base, &group.name);
            let (after, errors_after) = gather(new, &group.name);
            let (base_ms, new_ms, noise_ms, interval_ms, mut change) = decide(&before, &after);
            if errors_after > errors_before + ERRORS_PERCENT {
                change = Change::Worse;
            }
            Compared {
                group: group.name.clone(),
                base_ms,
                new_ms,
                noise_ms,
                interval_ms,
                change,
                errors_percent: (errors_before, errors_after),
            }
        })
        .collect()
}

/// A line for each group, and the conclusion as the last one.
pub fn text(rows: &[Compared]) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for row in rows {
        let word = match row.change {
            Change::None => "no change",
            Change::Worse => "WORSE",
            Change::Better => "better",
            Change::Unknown => "too short to compare",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{:<12} p95 {:.2} -> {:.2} ms ({:+.2} ms, 95 % interval {:+.2} to {:+.2}, noise {:.2}), \
             errors {:.3} -> {:.3} %: {word}",
            row.group,
            row.base_ms,
            row.new_ms,
            row.new_ms - row.base_ms,
            row.interval_ms.0,
            row.interval_ms.1,
            row.noise_ms,
            row.errors_percent.0,
            row.errors_percent.1,
        );
    }
    let named = |change: Change| -> Vec<&str> {
        rows.iter().filter(|r| r.change == change).map(|r| r.group.as_str()).collect()
    };
    let (worse, better) = (named(Change::Worse), named(Change::Better));
    let conclusion = if !worse.is_empty() {
        format!("worse: {}", worse.join(", "))
    } else if !better.is_empty() {
        format!("better: {}", better.join(", "))
    } else if rows.iter().all(|r| r.change == Change::Unknown) {
        "too short to compare".to_owned()
    } else {
        "no change".to_owned()
    };
    let _ = writeln!(out, "{conclusion}");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(base: f64, spread: f64, seed: u64) -> Vec<f64> {
        let mut rng = generator(seed, 9);
        (0..120).map(|_| base + rng.random_range(-0.5..=0.5) * spread).collect()
    }

    #[test]
    fn two_runs_of_one_build_do_not_differ() {
        for seed in 0..50 {
            let change = decide(&noisy(5.0, 4.0, seed), &noisy(5.0, 4.0, seed + 1000)).4;
            assert_eq!(change, Change::None, "seed {seed}");
        }
    }

    #[test]
    fn twenty_ms_more_are_worse_and_twenty_less_are_better() {
        for seed in 0..50 {
            let (fast, slow) = (noisy(5.0, 4.0, seed), noisy(25.0, 4.0, seed + 1000));
            assert_eq!(decide(&fast, &slow).4, Change::Worse, "seed {seed}");
            assert_eq!(decide(&slow, &fast).4, Change::Better, "seed {seed}");
        }
    }

    #[test]
    fn what_is_small_or_relative_only_is_no_change() {
        assert_eq!(decide(&noisy(1.0, 0.1, 1), &noisy(2.9, 0.1, 2)).4, Change::None, "under 2 ms");
        assert_eq!(decide(&noisy(100.0, 1.0, 1), &noisy(109.0, 1.0, 2)).4, Change::None, "9 %");
        assert_eq!(decide(&[5.0; 10], &[50.0; 10]).4, Change::Unknown);
    }
}
