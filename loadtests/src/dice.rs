//! A small seeded generator of random numbers: the same seed offers the same load.

/// SplitMix64; good enough to choose requests, and nothing else is asked of it.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// A generator whose numbers depend on `seed` and `stream` alone.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17))
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where `end` is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    /// An index, by weight; 0 where all weights are 0.
    pub(crate) fn weighted(&mut self, weights: impl Iterator<Item = u64> + Clone) -> usize {
        let sum: u64 = weights.clone().sum();
        let mut left = if sum == 0 { 0 } else { self.next() % sum };
        for (i, weight) in weights.enumerate() {
            if left < weight {
                return i;
            }
            left -= weight;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_kept_and_the_seed_decides() {
        let mut dice = Dice::new(1, 2);
        let mut seen = [0; 3];
        for _ in 0..6000 {
            seen[dice.weighted([1, 2, 3].into_iter())] += 1;
        }
        for (count, expected) in seen.into_iter().zip([1000, 2000, 3000_i32]) {
            assert!((count - expected).abs() < 150, "{seen:?}");
        }
        assert_eq!(Dice::new(7, 1).next(), Dice::new(7, 1).next());
        assert_ne!(Dice::new(7, 1).next(), Dice::new(7, 2).next());
    }
}
