//! Failed tries to sign in, by name and address, and the growing delay they bring.
//! Owns a bounded table in memory. A try is counted before it is looked at, so that many at once gain nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

/// Tries without a delay.
const FREE_TRIES: u32 = 5;
/// The longest delay.
const DELAY_SECONDS_MAX: u64 = 900;
/// Names and addresses remembered; the oldest leave first.
const ENTRIES_MAX: usize = 10_000;
/// Failures are forgotten after this time.
const FORGOTTEN_AFTER_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last_unix_ms: i64,
}

impl Failures {
    /// Until when the next try is not looked at: 2 s after the fifth failure, then doubled each time.
    fn delay_until_unix_ms(self) -> i64 {
        let beyond = self.count.saturating_sub(FREE_TRIES);
        if self.count < FREE_TRIES {
            return i64::MIN;
        }
        let seconds = 2_u64.saturating_pow(beyond.min(20) + 1).min(DELAY_SECONDS_MAX);
        self.last_unix_ms.saturating_add(seconds.cast_signed() * 1000)
    }
}

/// The failed tries of late.
#[derive(Default)]
pub(crate) struct Tries(Mutex<HashMap<[u8; 32], Failures>>);

impl Tries {
    /// Counts a try, or says how many seconds it comes too early.
    pub(crate) fn begin(&self, name: &str, address: IpAddr, now_unix_ms: i64) -> Result<(), u64> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = key(name, address);
        let before = entries
            .get(&key)
            .copied()
            .filter(|failures| now_unix_ms.saturating_sub(failures.last_unix_ms) < FORGOTTEN_AFTER_MS);
        if let Some(failures) = before {
            let wait_ms = failures.delay_until_unix_ms().saturating_sub(now_unix_ms);
            if wait_ms > 0 {
                return Err(wait_ms.cast_unsigned().div_ceil(1000));
            }
        } else if entries.len() >= ENTRIES_MAX {
            let oldest = entries
                .iter()
                .min_by_key(|(_, failures)| failures.last_unix_ms)
                .map(|(key, _)| *key);
            oldest.and_then(|key| entries.remove(&key));
        }
        let count = before.map_or(0, |failures| failures.count).saturating_add(1);
        entries.insert(
            key,
            Failures {
                count,
                last_unix_ms: now_unix_ms,
            },
        );
        Ok(())
    }

    /// The try was right: its failures are forgotten.
    pub(crate) fn clear(&self, name: &str, address: IpAddr) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key(name, address));
    }
}

/// A hash of both, so that what was typed into the name field (now and then a password) is not kept.
fn key(name: &str, address: IpAddr) -> [u8; 32] {
    Sha256::new()
        .chain_update(address.to_string())
        .chain_update([0])
        .chain_update(name.to_lowercase())
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn sixth_try_waits_and_the_delay_doubles_up_to_its_end() {
        let tries = Tries::default();
        let mut now = 0;
        for _ in 0..FREE_TRIES {
            assert_eq!(tries.begin("li", HERE, now), Ok(()));
        }
        for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            assert_eq!(tries.begin("LI", HERE, now), Err(seconds));
            now += seconds.cast_signed() * 1000;
            assert_eq!(tries.begin("li", HERE, now - 1), Err(1));
            assert_eq!(tries.begin("li", HERE, now), Ok(()));
        }
        assert_eq!(
            tries.begin("wang", HERE, now),
            Ok(()),
            "another name is not delayed"
        );
        assert_eq!(
            tries.begin("li", IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), now),
            Ok(()),
            "nor another address"
        );
        tries.clear("li", HERE);
        assert_eq!(tries.begin("li", HERE, now), Ok(()));
    }

    #[test]
    fn table_is_bounded_and_forgets_after_a_day() {
        let tries = Tries::default();
        for _ in 0..FREE_TRIES {
            assert_eq!(tries.begin("li", HERE, 0), Ok(()));
        }
        assert!(tries.begin("li", HERE, 1).is_err());
        assert_eq!(tries.begin("li", HERE, FORGOTTEN_AFTER_MS), Ok(()));
        for number in 0..ENTRIES_MAX {
            assert_eq!(
                tries.begin(&number.to_string(), HERE, FORGOTTEN_AFTER_MS + 1),
                Ok(())
            );
        }
        assert_eq!(tries.0.lock().unwrap().len(), ENTRIES_MAX);
    }
}
