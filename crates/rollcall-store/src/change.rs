//! Changes as stored: bytes, author's number, position, origin. Owns reading them and a node's own log of them;
//! `commit` writes them.

use rollcall_core::id::{ActorId, DocumentId, LogEpoch, StoreId};

use crate::cursor::Cursor;
use crate::document::DocumentRow;
use crate::error::Error;
use crate::sqlite::{Reader, RowExt, to_i64};
use crate::store::Role;
use crate::{Hash, UNSENT};

/// One change as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredChange {
    /// 0, 1, 2 ... within its document: the order to load in.
    pub ordinal: u64,
    /// Of the chunk.
    pub hash: Hash,
    /// Who wrote it, as the document counts.
    pub actor: ActorId,
    /// The actor's number.
    pub seq: u64,
    /// The aggregator's; 0 while it has none.
    pub position: u64,
    /// Commit time of that position; 0 while it has none.
    pub committed_at_ms: i64,
    /// Store that sent it first.
    pub origin_store: StoreId,
    /// Its spell then.
    pub origin_epoch: LogEpoch,
    /// Place in that store's log; 0 where unknown.
    pub origin_position: u64,
    /// Plain change chunk.
    pub bytes: Vec<u8>,
}

/// One entry of a node's own log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginRow {
    /// Place in the log, and the chain there.
    pub cursor: Cursor,
    /// Of which document.
    pub document_id: DocumentId,
    /// Which change.
    pub hash: Hash,
    /// The node's clock when it was saved.
    pub recorded_at_ms: i64,
}

/// What of a node's own changes the aggregator has not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// How many changes.
    pub changes: u64,
    /// When the first of them was saved, Unix milliseconds.
    pub since_ms: Option<i64>,
}

/// One position of the aggregator's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRow {
    /// Which.
    pub position: u64,
    /// Which document.
    pub document_id: DocumentId,
    /// Who sent it.
    pub origin_store: StoreId,
    /// When it was committed.
    pub committed_at_ms: i64,
}

macro_rules! select_change {
    ($rest:literal) => {
        concat!(
            "SELECT ordinal, hash, actor, seq, position, committed_at_ms, origin_store, origin_epoch, ",
            "origin_position, bytes FROM change WHERE document_id = ?1 ",
            $rest
        )
    };
}

fn stored_change(row: &rusqlite::Row<'_>) -> Result<StoredChange, Error> {
    Ok(StoredChange {
        ordinal: row.u64(0)?,
        hash: row.hash(1)?,
        actor: row.actor_id(2)?,
        seq: row.u64(3)?,
        position: row.u64(4)?,
        committed_at_ms: row.i64(5)?,
        origin_store: row.store_id(6)?,
        origin_epoch: row.log_epoch(7)?,
        origin_position: row.u64(8)?,
        bytes: row.blob(9)?.to_vec(),
    })
}

/// In the order to load. Sorted here: the engine sets up a sorter for every query, and hardly a document has many.
fn in_order(mut changes: Vec<StoredChange>) -> Vec<StoredChange> {
    changes.sort_unstable_by_key(|change| change.ordinal);
    changes
}

fn log_row(row: &rusqlite::Row<'_>) -> Result<LogRow, Error> {
    Ok(LogRow {
        position: row.u64(0)?,
        document_id: row.document_id(1)?,
        origin_store: row.store_id(2)?,
        committed_at_ms: row.i64(3)?,
    })
}

impl Reader {
    /// Every change of a document, in the order to load.
    pub fn changes(&self, document_id: DocumentId) -> Result<Vec<StoredChange>, Error> {
        self.all(select_change!(""), [document_id.as_bytes()], stored_change)
            .map(in_order)
    }

    /// A document with its changes.
    pub fn load(&self, document_id: DocumentId) -> Result<Option<(DocumentRow, Vec<StoredChange>)>, Error> {
        match self.document(document_id)? {
            Some(row) => Ok(Some((row, self.changes(document_id)?))),
            None => Ok(None),
        }
    }

    /// Hashes of every change of a document, in the order to load.
    pub fn change_hashes(&self, document_id: DocumentId) -> Result<Vec<Hash>, Error> {
        self.all(
            "SELECT hash FROM change WHERE document_id = ?1 ORDER BY ordinal",
            [document_id.as_bytes()],
            |row| row.hash(0),
        )
    }

    /// The changes of a document with positions above `after` and up to `until`, in the order to load.
    /// From 0 that is everything that has a position.
    pub fn changes_between(
        &self,
        document_id: DocumentId,
        after: u64,
        until: u64,
    ) -> Result<Vec<StoredChange>, Error> {
        self.all(
            select_change!("AND position > ?2 AND position <= ?3"),
            (document_id.as_bytes(), to_i64(after), to_i64(until)),
            stored_change,
        )
        .map(in_order)
    }

    /// The same without what a store sent itself in one of its spells.
    pub fn changes_of_others_between(
        &self,
        document_id: DocumentId,
        after: u64,
        until: u64,
        own: (StoreId, LogEpoch),
    ) -> Result<Vec<StoredChange>, Error> {
        let (store, epoch) = own;
        self.all(
            select_change!(
                "AND position > ?2 AND position <= ?3 AND NOT (origin_store = ?4 AND origin_epoch = ?5)"
            ),
            (
                document_id.as_bytes(),
                to_i64(after),
                to_i64(until),
                store.as_bytes(),
                epoch.as_bytes(),
            ),
            stored_change,
        )
        .map(in_order)
    }

    /// Whether a store sent a change of a document, in one of its spells, that has this position.
    pub fn is_sent_by(
        &self,
        document_id: DocumentId,
        position: u64,
        own: (StoreId, LogEpoch),
    ) -> Result<bool, Error> {
        let (store, epoch) = own;
        let found = self.one(
            "SELECT 1 FROM change WHERE document_id = ?1 AND position = ?2 AND origin_store = ?3 AND origin_epoch = ?4",
            (
                document_id.as_bytes(),
                to_i64(position),
                store.as_bytes(),
                epoch.as_bytes(),
            ),
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// The last change that arrived here; 0 where none has.
    pub fn last_arrival(&self) -> Result<u64, Error> {
        self.number("SELECT coalesce(max(change_id), 0) FROM change", [])
    }

    /// Documents of the changes that arrived after one, at most `limit`, each once.
    pub fn documents_arrived_after(&self, arrival: u64, limit: usize) -> Result<Vec<DocumentId>, Error> {
        self.all(
            "SELECT DISTINCT document_id FROM change WHERE change_id > ?1 ORDER BY document_id LIMIT ?2",
            (to_i64(arrival), to_i64(limit as u64)),
            |row| row.document_id(0),
        )
    }

    /// One change of a document.
    pub fn change(&self, document_id: DocumentId, hash: &Hash) -> Result<Option<StoredChange>, Error> {
        self.one(
            select_change!("AND hash = ?2"),
            (document_id.as_bytes(), hash),
            stored_change,
        )
    }

    /// Position and commit time of a change that is held.
    pub fn change_position(&self, document_id: DocumentId, hash: &Hash) -> Result<Option<(u64, i64)>, Error> {
        self.one(
            "SELECT position, committed_at_ms FROM change WHERE document_id = ?1 AND hash = ?2",
            (document_id.as_bytes(), hash),
            |row| Ok((row.u64(0)?, row.i64(1)?)),
        )
    }

    /// Position of a document's last change: [`UNSENT`] while one has none, 0 where there is no change.
    pub(crate) fn last_position_of(&self, document_id: DocumentId) -> Result<u64, Error> {
        self.number(
            "SELECT coalesce(max(CASE position WHEN 0 THEN ?2 ELSE position END), 0) FROM change \
             WHERE document_id = ?1",
            (document_id.as_bytes(), to_i64(UNSENT)),
        )
    }

    /// How many changes there are in all.
    pub fn changes_count(&self) -> Result<u64, Error> {
        self.number("SELECT count(*) FROM change", [])
    }

    /// The store that an actor belongs to, once one of its changes was accepted here out of that store's own log.
    pub fn actor_store(&self, actor: ActorId) -> Result<Option<StoreId>, Error> {
        if let Some(bound) = self.staged().borrow().actors.get(&actor) {
            return Ok(Some(*bound));
        }
        let bound = self.one(
            "SELECT origin_store FROM actor WHERE actor = ?1",
            [actor.as_bytes()],
            |row| row.store_id(0),
        )?;
        if let Some(bound) = bound {
            self.staged().borrow_mut().actors.insert(actor, bound);
        }
        Ok(bound)
    }

    /// Last committed position of the aggregator's log; 0 while it is empty.
    pub fn position(&self) -> Result<u64, Error> {
        u64::try_from(self.counter("position")?).map_err(|_| Error::Damaged("the position"))
    }

    /// Positions above `after`, at most `limit`.
    pub fn log(&self, after: u64, limit: usize) -> Result<Vec<LogRow>, Error> {
        self.all(
            "SELECT position, document_id, origin_store, committed_at_ms FROM log \
             WHERE position > ?1 ORDER BY position LIMIT ?2",
            (to_i64(after), to_i64(limit as u64)),
            log_row,
        )
    }

    /// One position.
    pub fn log_at(&self, position: u64) -> Result<Option<LogRow>, Error> {
        self.one(
            "SELECT position, document_id, origin_store, committed_at_ms FROM log WHERE position = ?1",
            [to_i64(position)],
            log_row,
        )
    }

    /// The greatest position committed by `time_ms`; 0 if none. At a node: of the positions its changes carry.
    pub fn position_by(&self, time_ms: i64) -> Result<u64, Error> {
        // Commit times never run backwards, so the place can be halved down to.
        let (mut by, mut later) = (
            0,
            self.dated_position(u64::MAX)?.map_or(0, |(position, _)| position) + 1,
        );
        while later - by > 1 {
            let middle = by + (later - by) / 2;
            match self.dated_position(middle)? {
                Some((_, at_ms)) if at_ms > time_ms => later = middle,
                _ => by = middle,
            }
        }
        Ok(self.dated_position(by)?.map_or(0, |(position, _)| position))
    }

    /// Commit time of a position: that of the last one up to there which a log or change row here carries.
    pub fn time_of(&self, position: u64) -> Result<Option<i64>, Error> {
        Ok(self.dated_position(position)?.map(|(_, at_ms)| at_ms))
    }

    /// The last position up to `position` that is known here, with its commit time.
    fn dated_position(&self, position: u64) -> Result<Option<(u64, i64)>, Error> {
        let sql = match self.identity().role {
            Role::Aggregator => {
                "SELECT position, committed_at_ms FROM log WHERE position <= ?1 ORDER BY position DESC LIMIT 1"
            }
            Role::Node => {
                "SELECT position, committed_at_ms FROM change WHERE position <= ?1 AND position > 0 \
                 ORDER BY position DESC LIMIT 1"
            }
        };
        self.one(sql, [to_i64(position)], |row| Ok((row.u64(0)?, row.i64(1)?)))
    }

    /// End of a node's own log.
    pub fn origin_end(&self) -> Result<Cursor, Error> {
        if let Some(end) = self.staged().borrow().origin_end {
            return Ok(end);
        }
        let end = self.one(
            "SELECT origin_position, chain FROM origin ORDER BY origin_position DESC LIMIT 1",
            [],
            |row| {
                Ok(Cursor {
                    position: row.u64(0)?,
                    chain: row.hash(1)?,
                })
            },
        )?;
        let end = end.unwrap_or_default();
        self.staged().borrow_mut().origin_end = Some(end);
        Ok(end)
    }

    /// Chain of a node's own log at a position; zero at 0, nothing beyond the end.
    pub fn origin_chain_at(&self, position: u64) -> Result<Option<Hash>, Error> {
        if position == 0 {
            return Ok(Some(Hash::default()));
        }
        self.one(
            "SELECT chain FROM origin WHERE origin_position = ?1",
            [to_i64(position)],
            |row| row.hash(0),
        )
    }

    /// A node's own log after a position, at most `limit` entries.
    pub fn origin_rows(&self, after: u64, limit: usize) -> Result<Vec<OriginRow>, Error> {
        self.all(
            "SELECT origin_position, chain, document_id, hash, recorded_at_ms FROM origin \
             WHERE origin_position > ?1 ORDER BY origin_position LIMIT ?2",
            (to_i64(after), to_i64(limit as u64)),
            |row| {
                Ok(OriginRow {
                    cursor: Cursor {
                        position: row.u64(0)?,
                        chain: row.hash(1)?,
                    },
                    document_id: row.document_id(2)?,
                    hash: row.hash(3)?,
                    recorded_at_ms: row.i64(4)?,
                })
            },
        )
    }

    /// What of a node's own log lies after `acknowledged`.
    pub fn waiting(&self, acknowledged: u64) -> Result<Waiting, Error> {
        let waiting = self.one(
            "SELECT count(*), min(recorded_at_ms) FROM origin WHERE origin_position > ?1",
            [to_i64(acknowledged)],
            |row| {
                Ok(Waiting {
                    changes: row.u64(0)?,
                    since_ms: row.i64_or_none(1)?,
                })
            },
        )?;
        Ok(waiting.unwrap_or_default())
    }

    /// Whether any change has a position: a node has spoken with an aggregator, even where it no longer knows with which.
    pub fn has_positions(&self) -> Result<bool, Error> {
        let found = self.one("SELECT 1 FROM change WHERE position > 0 LIMIT 1", [], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// The changes of a node that have no position yet, across all documents.
    pub fn changes_unsent(&self) -> Result<u64, Error> {
        self.number("SELECT count(*) FROM change WHERE position = 0", [])
    }
}
