//! Seeded choices: the same seed, the same walk.

use rand_xoshiro::SplitMix64;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

/// A stream of choices that its seed decides alone, on every machine and in every version.
///
/// SplitMix64 (Steele, Lea and Flood 2014) stands in a paper, so that the seed of a finding means
/// the same walk for ever; the choices are made here for the same reason.
#[derive(Debug, Clone)]
pub struct Dice(SplitMix64);

impl Dice {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    /// A seed for another stream; fits the integers that a JSON number holds exactly.
    pub fn seed(&mut self) -> u64 {
        self.0.next_u64() >> 12
    }

    /// A whole number from 0 to `n - 1`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % (n as u64).max(1)) as usize
    }

    /// A number from `min` to `max`.
    pub fn between(&mut self, min: f64, max: f64) -> f64 {
        /// Bits of an `f64`'s significand.
        const BITS: u32 = 53;
        let share = (self.0.next_u64() >> (u64::BITS - BITS)) as f64 / (1_u64 << BITS) as f64;
        min + (max - min) * share
    }

    /// `true` once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of the choices.
    ///
    /// # Panics
    /// Without any choice.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_published_stream_so_that_old_seeds_keep_their_walks() {
        assert_eq!(Dice::new(0).0.next_u64(), 0xE220_A839_7B1D_CDAF);
        let mut dice = Dice::new(1);
        let drawn = [dice.below(1000), dice.below(1000), dice.below(1000)];
        let mut again = Dice::new(1);
        assert_eq!(drawn, [0; 3].map(|_| again.below(1000)));
    }

    #[test]
    fn numbers_stay_between_their_bounds_and_choices_come_all() {
        let mut dice = Dice::new(7);
        let mut seen = [0; 5];
        for _ in 0..5000 {
            let x = dice.between(-2.0, 3.0);
            assert!((-2.0..3.0).contains(&x), "{x}");
            seen[*dice.pick(&[0, 1, 2, 3, 4])] += 1;
        }
        assert!(seen.iter().all(|n| (800..1200).contains(n)), "{seen:?}");
        assert_eq!(dice.below(0), 0);
    }
}
