//! Chance out of a seed: one stream for each purpose, so that leaving a step out does not change the others.

use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rollcall_replica::replica::Random;
use sha2::{Digest, Sha256};

/// A stream of chance.
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of one purpose under a seed; `number` tells streams of one purpose apart.
    pub(crate) fn new(seed: u64, purpose: &str, number: u64) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(seed.to_be_bytes());
        hasher.update(purpose.as_bytes());
        hasher.update(number.to_be_bytes());
        Self(ChaCha8Rng::from_seed(hasher.finalize().into()))
    }

    /// A whole number from 0 to `bound` - 1; 0 where there is none.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.0.next_u64()) * (bound.max(1) as u128);
        (wide >> 64) as usize
    }

    /// A whole number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// One of a list that is not empty.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    /// Random bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// Random bytes of one process, from boot to the end.
pub(crate) struct Seeded(Mutex<Chance>);

impl Seeded {
    /// From a stream.
    pub(crate) fn new(chance: Chance) -> Self {
        Self(Mutex::new(chance))
    }
}

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .fill_bytes(bytes);
    }
}
