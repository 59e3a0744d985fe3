//! Trends that noise does not fake: the slope of Theil and Sen with the test of Mann and Kendall.

use serde::Serialize;

/// A trend counts when chance would show one like it less often than this.
pub const SIGNIFICANT: f64 = 0.01;

/// Most points that are compared pairwise; longer courses are thinned evenly.
const MOST: usize = 600;

/// A trend over time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Trend {
    /// Median of all pairwise slopes, units per hour.
    pub per_hour: f64,
    /// Probability of at least as clear a trend by chance (two-sided).
    pub p: f64,
}

impl Trend {
    /// Whether it grows by more than `limit` per hour, and not by chance.
    pub fn grows(&self, limit: f64) -> bool {
        self.per_hour > limit && self.p < SIGNIFICANT
    }
}

/// The trend of (seconds, value) points; `None` for fewer than ten.
pub fn trend(points: &[(f64, f64)]) -> Option<Trend> {
    if points.len() < 10 {
        return None;
    }
    let step = points.len().div_ceil(MOST);
    let points: Vec<(f64, f64)> = points.iter().copied().step_by(step).collect();
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    let mut s: i64 = 0;
    for (i, a) in points.iter().enumerate() {
        for b in &points[i + 1..] {
            if b.0 > a.0 {
                slopes.push((b.1 - a.1) / (b.0 - a.0) * 3600.0);
            }
            s += match b.1.total_cmp(&a.1) {
                std::cmp::Ordering::Less => -1,
                std::cmp::Ordering::Equal => 0,
                std::cmp::Ordering::Greater => 1,
            };
        }
    }
    let middle = slopes.len() / 2;
    let (_, &mut per_hour, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    let mut values: Vec<f64> = points.iter().map(|p| p.1).collect();
    values.sort_unstable_by(f64::total_cmp);
    let spread = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let ties: f64 = values.chunk_by(|a, b| a == b).map(|tie| spread(tie.len() as f64)).sum();
    let variance = (spread(points.len() as f64) - ties) / 18.0;
    let p = if variance <= 0.0 {
        1.0
    } else {
        // The correction for continuity moves S one step towards zero.
        let z = (s.abs() as f64 - 1.0).max(0.0) / variance.sqrt();
        2.0 * upper_tail(z)
    };
    Some(Trend { per_hour, p })
}

/// Probability that a standard normal variable exceeds `z >= 0` (Abramowitz and Stegun 26.2.17,
/// error below 7.5e-8).
fn upper_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let series = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = series.iter().rev().fold(0.0, |sum, c| (sum + c) * t);
    sum * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::generator;
    use rand::Rng as _;

    fn noisy(per_hour: f64, noise: f64) -> Vec<(f64, f64)> {
        let mut rng = generator(11, 3);
        (0..1200)
            .map(|s| {
                let error = rng.random_range(-1.0..=1.0) * noise;
                (f64::from(s), 40.0 + per_hour * f64::from(s) / 3600.0 + error)
            })
            .collect()
    }

    #[test]
    fn a_leak_is_found_in_noise_and_noise_alone_is_none() {
        let leak = trend(&noisy(6.0, 1.0)).unwrap();
        assert!(leak.grows(1.0) && (leak.per_hour - 6.0).abs() < 1.0, "{leak:?}");
        let none = trend(&noisy(0.0, 1.0)).unwrap();
        assert!(!none.grows(1.0), "{none:?}");
        let slow = trend(&noisy(0.5, 0.01)).unwrap();
        assert!(slow.p < SIGNIFICANT && !slow.grows(1.0), "{slow:?}");
    }

    #[test]
    fn a_flat_line_has_no_trend() {
        let flat: Vec<(f64, f64)> = (0..100).map(|s| (f64::from(s), 7.0)).collect();
        assert_eq!(trend(&flat), Some(Trend { per_hour: 0.0, p: 1.0 }));
        assert_eq!(trend(&flat[..9]), None);
    }

    #[test]
    fn the_tail_of_the_normal_distribution_is_the_known_one() {
        for (z, p) in [(0.0, 0.5), (1.96, 0.024_998), (2.575_8, 0.005_0)] {
            assert!((upper_tail(z) - p).abs() < 1e-5, "{z}");
        }
    }
}
