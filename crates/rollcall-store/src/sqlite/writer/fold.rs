//! When the write-ahead log is folded into the file. The engine, left to itself, never begins it anew while readers
//! overlap: it grows as long as much comes in, every page is then looked for in all of it, and every commit writes pages
//! home. So the writer stops between two groups, often enough that it stays small, until the readers of the moment are
//! through; it never waits for one that reads for long.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::super::connection::BUSY_TIMEOUT;

/// 32 MB: while thousands of documents come in, a page is written home once and not after every batch that touches it.
const PAGES_FOLDED: u64 = 8_000;
/// How long the writer waits for readers while work comes in.
const WAIT_BETWEEN_GROUPS: Duration = Duration::from_millis(250);
/// The same when nothing comes in.
const WAIT_WHEN_IDLE: Duration = Duration::from_millis(50);
/// A log from here on is worth a warning.
const WAL_BYTES_WARN: u64 = 64 * 1024 * 1024;

/// How far the log has come since it was folded.
pub(super) struct Folding {
    /// Pages at which it is tried next.
    due_pages: u64,
}

impl Default for Folding {
    fn default() -> Self {
        Self {
            due_pages: PAGES_FOLDED,
        }
    }
}

impl Folding {
    /// Folds the log where it has become long, and lets the next transaction begin it anew.
    pub(super) fn after_group(&mut self, db: &Connection) {
        match self.fold_long(db) {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "the write-ahead log could not be folded"),
        }
    }

    fn fold_long(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if checkpoint(db, "PRAGMA wal_checkpoint(NOOP)")?.pages < self.due_pages {
            return Ok(());
        }
        let Checkpoint { busy, pages } =
            checkpoint_waiting(db, "PRAGMA wal_checkpoint(RESTART)", WAIT_BETWEEN_GROUPS)?;
        if busy {
            tracing::debug!(pages, "somebody reads for long: the write-ahead log goes on");
        }
        self.due_pages = PAGES_FOLDED + if busy { pages } else { 0 };
        Ok(())
    }

    /// Folds the log and empties its file.
    pub(super) fn when_idle(&mut self, db: &Connection, wal: &Path) {
        let folded = checkpoint_waiting(db, "PRAGMA wal_checkpoint(TRUNCATE)", WAIT_WHEN_IDLE);
        let size_bytes = std::fs::metadata(wal).map_or(0, |metadata| metadata.len());
        match folded {
            Ok(Checkpoint { busy: false, .. }) => *self = Self::default(),
            Ok(_) if size_bytes >= WAL_BYTES_WARN => {
                tracing::warn!(
                    size_bytes,
                    "the write-ahead log cannot be folded: somebody reads for long"
                );
            }
            Ok(_) => tracing::debug!(size_bytes, "the write-ahead log is in use"),
            Err(error) => tracing::warn!(%error, "the write-ahead log could not be folded"),
        }
    }
}

/// What the engine says of its log.
struct Checkpoint {
    /// Whether readers kept it from doing all.
    busy: bool,
    /// Pages in the log.
    pages: u64,
}

fn checkpoint_waiting(db: &Connection, sql: &str, wait: Duration) -> rusqlite::Result<Checkpoint> {
    db.busy_timeout(wait)?;
    let done = checkpoint(db, sql);
    db.busy_timeout(BUSY_TIMEOUT)?;
    done
}

fn checkpoint(db: &Connection, sql: &str) -> rusqlite::Result<Checkpoint> {
    let mut statement = db.prepare_cached(sql)?;
    statement.query_row([], |row| {
        Ok(Checkpoint {
            busy: row.get::<_, i64>(0)? != 0,
            // -1 where there is none.
            pages: u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;
    use crate::testing::{Draft, Fixture};

    #[test]
    fn the_log_begins_anew_while_readers_overlap() {
        let fixture = Fixture::new(Role::Aggregator);
        let beside = Connection::open(fixture.path()).expect("a connection");
        let stop = std::sync::atomic::AtomicBool::new(false);
        let (mut rounds, mut before, mut is_anew) = (0, 0, false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        let read = fixture.store.read(|reader| {
                            std::thread::sleep(Duration::from_millis(5));
                            reader.documents_count()
                        });
                        read.expect("read");
                    }
                });
            }
            // Where the machine is so busy that the readers are not through in time, it is tried again further on.
            while !is_anew && rounds < 100 {
                // A page each, and more: the list of what comes in is written as a whole.
                let commits: Vec<_> = (0..100)
                    .map(|number| {
                        let commit = Draft::new(rounds * 100 + number).edit(&[330106]);
                        fixture
                            .store
                            .write("commit", move |writer| writer.commit_document(&commit))
                    })
                    .collect();
                for commit in commits {
                    commit.wait().expect("committed");
                }
                let log = checkpoint(&beside, "PRAGMA wal_checkpoint(NOOP)").expect("a look");
                is_anew = log.pages < before;
                before = log.pages;
                rounds += 1;
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let written = fixture
            .store
            .read(|reader| reader.documents_count())
            .expect("read");
        assert_eq!(written, u64::from(rounds) * 100);
        assert!(is_anew, "{before} pages after {rounds} rounds");
    }
}
