//! Repeatable random numbers.
//!
//! Every customer and every order has its own dice, derived from the seed and its number, so its events depend on nothing
//! else. Only integers are used, because logarithms and exponentials differ in the last bit between platforms.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// The owner of dice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Customer(u64),
    Order { merchant: u64, number: u64 },
    Flaws { folder: u64 },
}

impl Whose {
    /// A separate stream for each owner: the kind in the top byte, the merchant in the next three.
    fn stream(self) -> u64 {
        match self {
            Whose::Customer(number) => (1 << 56) | number,
            Whose::Order { merchant, number } => (2 << 56) | (merchant << 32) | number,
            Whose::Flaws { folder } => (3 << 56) | folder,
        }
    }
}

pub struct Dice(ChaCha8Rng);

impl Dice {
    pub fn new(seed: u64, whose: Whose) -> Dice {
        // The seed is expanded here and not by `seed_from_u64`, whose expansion is not part of ChaCha.
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut chacha = ChaCha8Rng::from_seed(key);
        chacha.set_stream(whose.stream());
        Dice(chacha)
    }

    /// A number from 0 to `bound` − 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        let scaled = (u128::from(self.0.next_u64()) * u128::from(bound)) >> 64;
        u64::try_from(scaled).expect("a 64-bit share of a 64-bit bound fits")
    }

    /// A number of days from 0 to `bound` − 1.
    pub fn days(&mut self, bound: u32) -> i64 {
        i64::try_from(self.below(u64::from(bound))).expect("less than 2^32")
    }

    pub fn per_mille(&mut self, share: u64) -> bool {
        self.below(1_000) < share
    }

    pub fn per_million(&mut self, share: u32) -> bool {
        self.below(1_000_000) < u64::from(share)
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = self.below(from.len() as u64);
        from[usize::try_from(at).expect("less than the slice's length")]
    }

    /// The price of an order: 8.00 to 1,023.90, with a median of about 96.00.
    ///
    /// Six coin tosses say how often the smallest price doubles. The doublings have a bell-shaped distribution, as in a
    /// log-normal distribution, without a logarithm.
    pub fn price_minor(&mut self) -> i64 {
        let doublings = (self.below(64)).count_ones();
        let least = 80_u64 << doublings;
        let tenths = least + self.below(least);
        i64::try_from(tenths * 10).expect("at most 102,390")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_fixed() {
        // Computed with another program from the description of ChaCha with eight rounds.
        let mut dice = Dice::new(1, Whose::Order { merchant: 1, number: 1 });
        let thrown: Vec<u64> = (0..4).map(|_| dice.below(1_000_000)).collect();
        assert_eq!(thrown, [289_209, 121_820, 956_976, 375_914]);
    }

    #[test]
    fn everyone_throws_their_own() {
        let first = |whose| Dice::new(1, whose).below(u64::MAX);
        let mut thrown = vec![
            first(Whose::Customer(1)),
            first(Whose::Customer(2)),
            first(Whose::Order { merchant: 1, number: 1 }),
            first(Whose::Order { merchant: 2, number: 1 }),
            first(Whose::Flaws { folder: 1 }),
            Dice::new(2, Whose::Customer(1)).below(u64::MAX),
        ];
        thrown.sort_unstable();
        thrown.dedup();
        assert_eq!(thrown.len(), 6);
    }

    #[test]
    fn prices_spread_by_factors() {
        let mut dice = Dice::new(1, Whose::Customer(1));
        let mut prices: Vec<i64> = (0..10_000).map(|_| dice.price_minor()).collect();
        prices.sort_unstable();
        assert!(prices[0] >= 800 && prices[9_999] <= 102_390);
        let median = prices[5_000];
        assert!((9_000..10_500).contains(&median), "{median}");
        let mean = prices.iter().sum::<i64>() / 10_000;
        assert!(mean > median * 5 / 4, "a few dear ones pull the mean up: {mean}");
    }
}
