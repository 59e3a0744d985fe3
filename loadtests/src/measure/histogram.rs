//! Latency histograms in microseconds with three significant digits.

use hdrhistogram::Histogram;

/// Longest latency that is told apart from longer ones: one minute, beyond any client's patience.
pub const LONGEST_US: u64 = 60_000_000;

/// Significant digits: a reading is wrong by at most 0.1 %.
const DIGITS: u8 = 3;

/// An empty histogram of a counter type.
///
/// `u32` counters are for windows and phases, `u64` for whole runs.
pub fn empty<C: hdrhistogram::Counter>() -> Histogram<C> {
    // The bounds are constants that the crate accepts; the tests build one.
    Histogram::new_with_bounds(1, LONGEST_US, DIGITS)
        .unwrap_or_else(|error| unreachable!("the bounds of the histogram are constants: {error}"))
}

/// Adds one latency; beyond [`LONGEST_US`] it counts as that.
pub fn add<C: hdrhistogram::Counter>(histogram: &mut Histogram<C>, us: u64) {
    histogram.saturating_record(us.clamp(1, LONGEST_US));
}

/// The latency that `share` (0 to 1) of the samples do not exceed, µs; `None` without samples.
///
/// The reading is the upper edge of the bucket, so it errs by at most 0.1 % and never on the
/// friendly side.
pub fn quantile<C: hdrhistogram::Counter>(histogram: &Histogram<C>, share: f64) -> Option<u64> {
    (!histogram.is_empty()).then(|| histogram.value_at_quantile(share))
}

/// Quantiles and mean of one set of samples, µs.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct Latency {
    /// Samples.
    pub count: u64,
    /// Arithmetic mean.
    pub mean_us: f64,
    /// Half of the samples are at most this.
    pub p50_us: u64,
    /// 95 % are at most this.
    pub p95_us: u64,
    /// 99 % are at most this.
    pub p99_us: u64,
    /// The shortest.
    pub min_us: u64,
    /// The longest.
    pub max_us: u64,
}

impl Latency {
    /// The figures of a histogram; zeros when it is empty.
    pub fn of<C: hdrhistogram::Counter>(histogram: &Histogram<C>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        Self {
            count: histogram.len(),
            mean_us: histogram.mean(),
            p50_us: histogram.value_at_quantile(0.50),
            p95_us: histogram.value_at_quantile(0.95),
            p99_us: histogram.value_at_quantile(0.99),
            min_us: histogram.min(),
            max_us: histogram.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_within_a_thousandth_and_never_too_friendly() {
        let mut histogram = empty::<u64>();
        for us in 1..=100_000 {
            add(&mut histogram, us);
        }
        let p95 = quantile(&histogram, 0.95).unwrap();
        assert!((95_000..=95_095).contains(&p95), "{p95}");
    }

    #[test]
    fn nothing_is_no_figure_and_too_much_is_the_longest() {
        let mut histogram = empty::<u32>();
        assert_eq!(quantile(&histogram, 0.99), None);
        add(&mut histogram, u64::MAX);
        add(&mut histogram, 0);
        assert_eq!(histogram.len(), 2);
        assert!(histogram.max() >= LONGEST_US);
    }
}
