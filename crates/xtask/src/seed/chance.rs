//! Chance that gives the same bytes everywhere: one stream per federation, integers and plain float steps only.
//! Owns the distributions; what is drawn is decided by the modules beside it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rollcall_core::date::Day;

/// A stream of chance.
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of one purpose under a seed.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        for (slot, byte) in key[8..].iter_mut().zip(purpose.bytes()) {
            *slot = byte;
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A whole number from 0 to `bound` - 1.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.0.next_u64()) * u128::from(bound.max(1));
        (wide >> 64) as u64
    }

    /// A whole number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as u64) as i64
    }

    /// True so many times in a thousand.
    pub(crate) fn permille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }

    /// A number of 0 to 1, 1 left out.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// One of a list.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len() as u64) as usize]
    }

    /// The index of a weight, drawn in proportion.
    pub(crate) fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        weights
            .iter()
            .position(|weight| {
                let here = left < *weight;
                left = left.saturating_sub(*weight);
                here
            })
            .unwrap_or(0)
    }

    /// A day from `first` to `last`, both included; `first` if they are the wrong way round.
    pub(crate) fn day(&mut self, first: Day, last: Day) -> Day {
        Day(self.between(i64::from(first.0), i64::from(last.0.max(first.0))) as i32)
    }

    /// Log-normal with a median and the spread of the logarithm, as a whole number of at least 1.
    /// The normal is a sum of twelve; both steps use only additions and products, so every machine agrees.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> u32 {
        let normal = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
        let value = median * exponential(normal * sigma);
        (value + 0.5).clamp(1.0, 20_000.0) as u32
    }

    /// 0, 1, 2 … with a mean: geometric.
    pub(crate) fn geometric(&mut self, mean: u64) -> u64 {
        let mut count = 0;
        while count < 20 * mean && self.below(mean + 1) < mean {
            count += 1;
        }
        count
    }
}

/// e to the power of x by products alone.
fn exponential(x: f64) -> f64 {
    let small = x / 256.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    for step in 1..10 {
        term *= small / f64::from(step);
        sum += term;
    }
    (0..8).fold(sum, |power, _| power * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_stream_and_another_purpose_another() {
        let draw = |purpose| {
            let mut chance = Chance::new(7, purpose);
            (0..8).map(|_| chance.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw("330106"), draw("330106"));
        assert_ne!(draw("330106"), draw("330105"));
    }

    #[test]
    fn sizes_have_the_median_and_mean_of_the_field() {
        let mut chance = Chance::new(1, "kindergarten");
        let mut sizes: Vec<u32> = (0..20_000).map(|_| chance.log_normal(16.0, 0.586)).collect();
        sizes.sort_unstable();
        let sum = sizes.iter().map(|size| u64::from(*size)).sum::<u64>();
        assert_eq!(sizes[10_000], 16);
        assert!((370_000..390_000).contains(&sum), "{sum}");
        assert!((exponential(1.0) - std::f64::consts::E).abs() < 1e-9);
    }
}
