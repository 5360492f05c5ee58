//! [`Rng`]: random numbers that a seed determines.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The generator `SplitMix64`. It is small, and good enough to choose between orders of events.
#[derive(Debug)]
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, or 0 if that is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    /// `true` with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        // 53 bits are what an `f64` holds exactly.
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < probability
    }

    /// A time in the range, in steps of a microsecond.
    pub(super) fn duration(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let (start, end) = (*range.start(), *range.end());
        let steps = u64::try_from(end.saturating_sub(start).as_micros()).unwrap_or(u64::MAX - 1);
        start + Duration::from_micros(self.next() % (steps + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_determines_the_numbers() {
        let numbers = |seed| {
            let mut rng = Rng::new(seed);
            [rng.next(), rng.next(), rng.next()]
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }

    #[test]
    fn numbers_are_within_their_bounds() {
        let mut rng = Rng::new(1);
        let range = Duration::from_millis(2)..=Duration::from_millis(5);
        for _ in 0..1000 {
            assert!(rng.below(3) < 3);
            assert!(range.contains(&rng.duration(&range)));
            assert!(!rng.chance(0.0));
            assert!(rng.chance(1.0));
        }
        assert_eq!(rng.below(0), 0);
        let hits = (0..10_000).filter(|_| rng.chance(0.25)).count();
        assert!((2_200..2_800).contains(&hits), "{hits} of 10,000 with a probability of 1/4");
    }
}
