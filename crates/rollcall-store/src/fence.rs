//! Copied nodes: two live stores under one certificate (`protocol.md` 4.7, R5). A restored store begins a new spell of
//! its log and never comes back to an old one; two copies take turns. Owns the turns and the fence that follows.

use rollcall_core::id::{LogEpoch, StoreId};

use crate::error::Error;
use crate::sqlite::{Reader, RowExt, Writer, to_i64};

/// How often a spell may come back after another before the store counts as copied: once may be a file that somebody
/// put back by hand; twice is two machines.
const RETURNS_MAX: u64 = 1;

impl Reader {
    /// The last turn of a store: its spell, and the aggregator's position when it was heard.
    pub fn last_turn(&self, origin_store: StoreId) -> Result<Option<(LogEpoch, u64)>, Error> {
        self.one(
            "SELECT log_epoch, position FROM turn WHERE origin_store = ?1 ORDER BY number DESC LIMIT 1",
            [origin_store.as_bytes()],
            |row| Ok((row.log_epoch(0)?, row.u64(1)?)),
        )
    }

    /// How many peers are fenced.
    pub fn fenced_count(&self) -> Result<u64, Error> {
        self.number("SELECT count(*) FROM enrolment WHERE fenced_ms IS NOT NULL", [])
    }
}

impl Writer {
    /// Notes that a spell of a store's log is alive: it knows of `knows_of`, a position of the aggregator. Takes the
    /// turn only if that is news of after the last turn, so that a frame that was long on its way proves nothing.
    /// Whether the store has turned out to be copied.
    pub fn note_turn(
        &mut self,
        origin_store: StoreId,
        log_epoch: LogEpoch,
        knows_of: u64,
    ) -> Result<bool, Error> {
        if let Some((last, position)) = self.last_turn(origin_store)?
            && (last == log_epoch || knows_of <= position)
        {
            return Ok(false);
        }
        let position = self.position()?;
        self.run(
            "INSERT INTO turn (origin_store, number, log_epoch, position) VALUES (?1, \
             (SELECT coalesce(max(number), 0) + 1 FROM turn WHERE origin_store = ?1), ?2, ?3)",
            (origin_store.as_bytes(), log_epoch.as_bytes(), to_i64(position)),
        )?;
        let returns = self.number(
            "SELECT count(*) - count(DISTINCT log_epoch) FROM turn WHERE origin_store = ?1",
            [origin_store.as_bytes()],
        )?;
        Ok(returns > RETURNS_MAX)
    }

    /// Fences a peer; the first moment stays.
    pub fn fence_enrolment(&mut self, peer_id: &str, now_ms: i64) -> Result<(), Error> {
        let changed = self.run(
            "UPDATE enrolment SET fenced_ms = coalesce(fenced_ms, ?2) WHERE peer_id = ?1",
            (peer_id, now_ms),
        )?;
        if changed == 0 {
            return Err(Error::Missing("peer"));
        }
        self.note_enrolments_changed()
    }

    /// Ends the fence of every peer with this signing key: one of its copies has an enrolment of its own now. Their names.
    pub fn end_fence(&mut self, signing_key: &[u8]) -> Result<Vec<String>, Error> {
        let peers = self.all(
            "SELECT peer_id, store_id FROM enrolment WHERE signing_key = ?1 AND fenced_ms IS NOT NULL",
            [signing_key],
            |row| Ok((row.text(0)?, row.store_id(1)?)),
        )?;
        for (peer_id, store_id) in &peers {
            self.run(
                "UPDATE enrolment SET fenced_ms = NULL WHERE peer_id = ?1",
                [peer_id],
            )?;
            self.run("DELETE FROM turn WHERE origin_store = ?1", [store_id.as_bytes()])?;
        }
        if !peers.is_empty() {
            self.note_enrolments_changed()?;
        }
        Ok(peers.into_iter().map(|(peer_id, _)| peer_id).collect())
    }
}

#[cfg(test)]
mod tests;
