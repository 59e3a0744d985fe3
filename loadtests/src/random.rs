//! Chance by the seed of a plan: the same seed offers the same load.

use rand::SeedableRng as _;
use rand::rngs::SmallRng;

/// A generator whose numbers depend on `seed` and `stream` alone.
pub(crate) fn generator(seed: u64, stream: u64) -> SmallRng {
    // Seeds are small numbers and streams are often neighbours; this keeps them apart.
    SmallRng::seed_from_u64(seed.rotate_left(40) ^ stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    #[test]
    fn the_seed_and_the_stream_decide_and_nothing_else() {
        let first = |seed, stream| generator(seed, stream).random::<u64>();
        assert_eq!(first(7, 1), first(7, 1));
        let mut seen: Vec<u64> = (0..4)
            .flat_map(|seed| (0..4).map(move |s| (seed, s)))
            .map(|(seed, s)| first(seed, s))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 16);
    }
}
