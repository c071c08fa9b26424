//! When to try again: full jitter, base 1 s, cap 5 minutes; a stated wait wins (`protocol.md` 4.3, L27).
//! Owns the arithmetic; randomness is an argument and nobody sleeps here.

/// How long to wait before the next attempt, in milliseconds.
///
/// `failures` counts from 1; `random` is any uniformly random number.
pub fn delay_ms(failures: u32, random: u64, retry_after_ms: Option<u64>) -> u64 {
    if let Some(wait) = retry_after_ms {
        return wait.min(CAP_MS) + random % (wait.min(CAP_MS) / 5 + 1);
    }
    let ceiling = BASE_MS
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(CAP_MS);
    random % (ceiling + 1)
}

const BASE_MS: u64 = 1_000;
const CAP_MS: u64 = 300_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_a_stated_wait_wins() {
        for (failures, random, stated, low, high) in [
            (1, u64::MAX, None, 0, 1_000),
            (3, 4_000, None, 4_000, 4_000),
            (40, 299_999, None, 299_999, 299_999),
            (5, 7, Some(10_000), 10_000, 12_000),
        ] {
            let delay = delay_ms(failures, random, stated);
            assert!((low..=high).contains(&delay), "{failures} {random} {delay}");
        }
    }
}
