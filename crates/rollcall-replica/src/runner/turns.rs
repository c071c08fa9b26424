//! Whose turn it is at the aggregator: how many sessions may be under way, and whose batch is judged next.
//!
//! A session is under way from its Hello until its first receipt; one that stays open after that costs nothing here.
//! Batches are judged in the order in which their sessions asked, one of a session at a time, so that a peer with much
//! to send does not keep the others waiting. Above the limit a peer is told when to come back, each at a moment of its
//! own, as far apart as places have been coming free: that many sessions, each of which takes so long, end so far apart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rollcall_sync::limits::{APPLYING_PER_CORE, RETRY_AFTER_MS_MAX, SESSIONS_PER_PEER_MAX};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// Shortest wait that a peer is told.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
/// What a session is taken to last before any has ended.
const SESSION_GUESS: Duration = Duration::from_millis(100);

/// The sessions under way. One for a process.
pub struct Turns {
    judging: Semaphore,
    sessions_max: usize,
    state: Mutex<State>,
}

struct State {
    under_way: usize,
    /// By fingerprint of the certificate.
    by_peer: HashMap<[u8; 32], usize>,
    /// How long sessions have been taking lately.
    mean: Duration,
    /// The last moment that a peer was told to come back at.
    booked: Instant,
}

impl Turns {
    /// Room for so many sessions under way, on a machine with so many cores.
    pub fn new(sessions_max: usize, cores: usize) -> Arc<Self> {
        Arc::new(Self {
            judging: Semaphore::new((APPLYING_PER_CORE * cores).max(1)),
            sessions_max,
            state: Mutex::new(State {
                under_way: 0,
                by_peer: HashMap::new(),
                mean: SESSION_GUESS,
                booked: Instant::now(),
            }),
        })
    }

    /// A place for a session of this peer.
    ///
    /// # Errors
    /// After how many milliseconds it may ask again, where there is none.
    pub fn enter(self: &Arc<Self>, peer: [u8; 32]) -> Result<Turn, u64> {
        let now = Instant::now();
        let mut state = self.state();
        let held = state.by_peer.get(&peer).copied().unwrap_or_default();
        if state.under_way >= self.sessions_max || held >= SESSIONS_PER_PEER_MAX {
            let under_way = u32::try_from(state.under_way.max(1)).unwrap_or(u32::MAX);
            let apart = state.mean / under_way;
            state.booked = state.booked.max(now + RETRY_AFTER_MIN) + apart;
            let wait = u64::try_from((state.booked - now).as_millis()).unwrap_or(u64::MAX);
            if wait >= RETRY_AFTER_MS_MAX {
                // The book is full; it begins again.
                state.booked = now;
            }
            return Err(wait.min(RETRY_AFTER_MS_MAX));
        }
        state.under_way += 1;
        state.by_peer.insert(peer, held + 1);
        Ok(Turn {
            turns: Arc::clone(self),
            place: Some(Place { peer, since: now }),
        })
    }

    /// How many sessions are under way.
    pub fn under_way(&self) -> usize {
        self.state().under_way
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's turn.
pub struct Turn {
    turns: Arc<Turns>,
    place: Option<Place>,
}

struct Place {
    peer: [u8; 32],
    since: Instant,
}

impl Turn {
    /// Waits until this session's batch may be judged.
    pub(crate) async fn judge(&self) -> Option<SemaphorePermit<'_>> {
        // Never closed.
        self.turns.judging.acquire().await.ok()
    }

    /// The session is no longer under way; it may stay open.
    pub(crate) fn settle(&mut self) {
        let Some(Place { peer, since }) = self.place.take() else {
            return;
        };
        let took = since.elapsed();
        let mut state = self.turns.state();
        state.under_way -= 1;
        if let Some(held) = state.by_peer.get_mut(&peer) {
            *held -= 1;
            if *held == 0 {
                state.by_peer.remove(&peer);
            }
        }
        state.mean = (state.mean * 7 + took) / 8;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.settle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_the_limit_each_peer_is_told_a_moment_of_its_own() {
        let turns = Turns::new(2, 1);
        let mut first = turns.enter([1; 32]).expect("a place");
        let second = turns.enter([2; 32]).expect("a place");
        let waits: Vec<u64> = (3..30)
            .map(|peer| turns.enter([peer; 32]).err().expect("full"))
            .collect();
        assert!(waits[0] >= 1_000, "{waits:?}");
        assert!(waits.is_sorted_by(|one, next| one < next), "{waits:?}");
        first.settle();
        assert_eq!(turns.under_way(), 1, "one that stays open is not under way");
        let third = turns.enter([3; 32]).expect("a place again");
        drop((second, third, first));
        assert_eq!(turns.under_way(), 0);
        assert!(turns.state().by_peer.is_empty());
    }

    #[test]
    fn peers_come_back_as_far_apart_as_places_come_free() {
        let turns = Turns::new(50, 1);
        let held: Vec<Turn> = (0..50)
            .map(|peer| turns.enter([peer; 32]).expect("a place"))
            .collect();
        // 50 at a time, each 100 seconds long: one every 2 seconds.
        turns.state().mean = Duration::from_secs(100);
        let waits: Vec<u64> = (50..80)
            .map(|peer| turns.enter([peer; 32]).err().expect("full"))
            .collect();
        for pair in waits.windows(2) {
            assert!((1_500..=2_500).contains(&(pair[1] - pair[0])), "{waits:?}");
        }
        drop(held);
    }

    #[test]
    fn a_peer_does_not_take_the_places_of_others() {
        let turns = Turns::new(100, 1);
        let held: Vec<Turn> = (0..SESSIONS_PER_PEER_MAX)
            .map(|_| turns.enter([1; 32]).expect("a place"))
            .collect();
        assert!(turns.enter([1; 32]).is_err());
        assert!(turns.enter([2; 32]).is_ok());
        drop(held);
        assert!(turns.enter([1; 32]).is_ok());
    }

    #[test]
    fn nobody_is_told_to_wait_longer_than_the_limit() {
        let turns = Turns::new(0, 1);
        let longest = (0..10_000u32).filter_map(|_| turns.enter([7; 32]).err()).max();
        assert_eq!(longest, Some(RETRY_AFTER_MS_MAX));
    }

    #[tokio::test]
    async fn batches_are_judged_in_the_order_in_which_sessions_asked() {
        let turns = Turns::new(10, 1);
        let sessions: Vec<Turn> = (0..4)
            .map(|peer| turns.enter([peer; 32]).expect("a place"))
            .collect();
        let (first, second) = (sessions[0].judge().await, sessions[1].judge().await);
        let order = std::cell::RefCell::new(Vec::new());
        let judge = async |number: usize| {
            let permit = sessions[number].judge().await;
            order.borrow_mut().push(number);
            drop(permit);
        };
        let let_go = async {
            tokio::task::yield_now().await;
            drop((first, second));
        };
        tokio::join!(judge(3), judge(2), let_go);
        assert_eq!(*order.borrow(), [3, 2]);
    }
}
