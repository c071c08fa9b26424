//! A few read connections, handed out one snapshot at a time.
//! A reader that stays long keeps the write-ahead log from being folded, so long reads are logged.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Reader, Use, connect};
use crate::error::{Error, engine};
use crate::store::Identity;

/// Most snapshots at once: enough that a page does not stand behind all the sessions of a month's end, which read as well;
/// each keeps pages in memory (`connection`).
const READERS_MAX: usize = 24;
/// A snapshot should not last longer (`reliability.md` 5.2).
const READ_LONG: Duration = Duration::from_secs(5);

/// The pool.
pub(crate) struct Pool {
    path: PathBuf,
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    idle: Vec<Reader>,
    busy: usize,
}

impl Pool {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            state: Mutex::new(State {
                idle: Vec::new(),
                busy: 0,
            }),
            freed: Condvar::new(),
        }
    }

    /// Runs `f` in one read transaction.
    pub(crate) fn read<T>(
        &self,
        identity: &Identity,
        f: impl FnOnce(&Reader) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut lent = Lent {
            pool: self,
            reader: self.take(),
        };
        let reader = match lent.reader.as_mut() {
            Some(reader) => reader,
            None => lent
                .reader
                .insert(Reader::new(connect(&self.path, Use::Read)?, identity.clone())),
        };
        let begun = Instant::now();
        reader.discard();
        reader.db().execute_batch("BEGIN").map_err(engine)?;
        reader.refresh_identity()?;
        let answer = f(reader);
        if begun.elapsed() > READ_LONG {
            tracing::warn!(
                duration_ms = begun.elapsed().as_millis() as u64,
                "a snapshot was held for long"
            );
        }
        answer
    }

    /// Closes what is idle.
    pub(crate) fn clear(&self) {
        self.lock().idle.clear();
    }

    fn take(&self) -> Option<Reader> {
        let mut state = self.lock();
        while state.busy >= READERS_MAX {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.busy += 1;
        state.idle.pop()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader on loan: ends its transaction and goes back, also when the closure panicked.
struct Lent<'p> {
    pool: &'p Pool,
    reader: Option<Reader>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let reader = self
            .reader
            .take()
            .filter(|reader| reader.db().is_autocommit() || reader.db().execute_batch("ROLLBACK").is_ok());
        let mut state = self.pool.lock();
        state.busy -= 1;
        state.idle.extend(reader);
        self.pool.freed.notify_one();
    }
}
