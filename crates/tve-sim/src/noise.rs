//! The noise of the converter: one seeded draw per sample.

/// A `SplitMix64` stream (Steele, Lea and Flood 2014), shaped into a bell curve.
#[derive(Debug, Clone)]
pub(crate) struct Noise {
    state: u64,
}

impl Noise {
    /// The stream of a seed.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A draw of mean 0 and standard deviation 1, never beyond 3.5.
    ///
    /// The sum of the four 16-bit lanes of one word: near enough to a Gaussian for converter
    /// noise, bounded as real noise is, and without a logarithm per sample.
    pub(crate) fn standard(&mut self) -> f64 {
        /// Mean of a sum of four uniform 16-bit numbers.
        const MEAN: f64 = 2.0 * 65_535.0;
        /// One over its standard deviation, sqrt(4 (65536² - 1) / 12).
        const PER_DEVIATION: f64 = 1.0 / 37_837.227_249_65;
        let word = self.next();
        let sum = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48);
        (sum as f64 - MEAN) * PER_DEVIATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_mean_zero_and_deviation_one() {
        let mut noise = Noise::new(7);
        let n = 100_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let x = noise.standard();
            assert!(x.abs() <= 3.5, "{x}");
            sum += x;
            squares += x * x;
        }
        let mean = sum / f64::from(n);
        let variance = squares / f64::from(n) - mean * mean;
        assert!(mean.abs() < 0.02, "mean {mean}");
        assert!((variance - 1.0).abs() < 0.02, "variance {variance}");
    }

    #[test]
    fn the_first_word_of_seed_zero_is_the_published_one() {
        assert_eq!(Noise::new(0).next(), 0xE220_A839_7B1D_CDAF);
    }
}
