//! Seeded rounds: the same inputs in every run, new ones in a long run, and the seed of the round
//! that failed on the terminal. It must not know what the numbers are used for.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::{env, thread};

const ONE_SEED: &str = "PLATFORM_SEED";
const LONG_FACTOR: u64 = 10;

/// Answers whether this is a long run (`tests/run --long`, which sets `PLATFORM_LONG=1`).
#[must_use]
pub fn is_long() -> bool {
    env::var("PLATFORM_LONG").is_ok_and(|value| value == "1")
}

/// Gives `count` rounds with the seeds 0, 1, 2 and so on.
///
/// A long run gives ten times as many, all but the first `count` of them with new seeds. With
/// `PLATFORM_SEED` set there is one round, with that seed.
///
/// # Example
///
/// ```
/// for mut round in platform_tests::seeds(3) {
///     assert!(round.below(6) < 6);
/// }
/// ```
pub fn seeds(count: u64) -> impl Iterator<Item = Round> {
    let chosen = env::var(ONE_SEED)
        .ok()
        .map(|text| match text.parse::<u64>() {
            Ok(seed) => seed,
            Err(_) => panic!("{ONE_SEED} must be a whole number, not {text:?}"),
        });
    rounds(count, chosen, is_long()).into_iter().map(Round::new)
}

fn rounds(count: u64, chosen: Option<u64>, is_long: bool) -> Vec<u64> {
    if let Some(seed) = chosen {
        return vec![seed];
    }
    let fresh = if is_long {
        count.saturating_mul(LONG_FACTOR - 1)
    } else {
        0
    };
    (0..count).chain((0..fresh).map(|_| random())).collect()
}

/// Makes a number that no other call makes, from the hasher keys of the standard library.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// One round: a source of numbers which are the same whenever the seed is.
///
/// Names its seed on the terminal when it is dropped by a panic.
#[derive(Debug)]
pub struct Round {
    seed: u64,
    state: u64,
}

impl Round {
    fn new(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// The seed of this round.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Draws the next number (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Draws a number from 0 up to and without `bound`, which is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound.max(1)
    }

    /// Answers `true` in `percent` of a hundred draws.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Draws one of `choices`.
    ///
    /// # Panics
    ///
    /// When there is nothing to choose from.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// Puts `items` into a drawn order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.index(last + 1);
            items.swap(last, other);
        }
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "the round that failed had seed {0}; repeat it with {ONE_SEED}={0}",
                self.seed
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_numbers() {
        let numbers = |seed| {
            let mut round = Round::new(seed);
            [round.draw(), round.draw(), round.below(10)]
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        assert_eq!(
            numbers(0)[0],
            0xe220_a839_7b1d_cdaf,
            "the published first value of seed 0"
        );
    }

    #[test]
    fn a_shuffle_loses_no_item() {
        for mut round in seeds(20) {
            let mut items: Vec<u32> = (0..50).collect();
            round.shuffle(&mut items);
            assert_ne!(items, (0..50).collect::<Vec<u32>>());
            items.sort_unstable();
            assert_eq!(items, (0..50).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn a_long_run_adds_seeds_that_no_run_had_before() {
        assert_eq!(rounds(3, None, false), [0, 1, 2]);
        assert_eq!(rounds(3, Some(9), true), [9]);
        let long = rounds(3, None, true);
        assert_eq!((long.len(), &long[..3]), (30, &[0, 1, 2][..]));
        assert_ne!(long, rounds(3, None, true));
    }
}
