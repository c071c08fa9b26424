//! A node's store that becomes another one (`protocol.md` 4.7, R5): a copy that enrols anew is no longer the store it was
//! copied from. And marks: what a store has to remember about itself until the next session says otherwise.

use rollcall_core::id::{LogEpoch, StoreId};

use crate::Hash;
use crate::error::Error;
use crate::sqlite::{Reader, Writer};
use crate::store::Role;

/// Something a store remembers about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It takes the place of a store that is lost and has not told the aggregator yet.
    TakesPlace,
    /// The aggregator says that it was copied.
    Fenced,
    /// The aggregator says that it was restored and has not heard everybody.
    Rebuilding,
    /// What this store knows of how far it holds the aggregator's log does not fit: digests are compared before that
    /// cursor moves again.
    DigestOwed,
    /// An answer by file did not prove both ends equal, and no edit made since explains it: the next file holds everything.
    Differs,
}

impl Mark {
    const fn key(self) -> &'static str {
        match self {
            Self::TakesPlace => "takes_place",
            Self::Fenced => "fenced",
            Self::Rebuilding => "rebuilding",
            Self::DigestOwed => "digest_owed",
            Self::Differs => "differs",
        }
    }
}

impl Reader {
    /// Whether a mark is set.
    pub fn is_marked(&self, mark: Mark) -> Result<bool, Error> {
        let found = self.one("SELECT 1 FROM meta WHERE key = ?1", [mark.key()], |_| Ok(()))?;
        Ok(found.is_some())
    }
}

impl Writer {
    /// Sets a mark or takes it away.
    pub fn set_mark(&mut self, mark: Mark, set: bool) -> Result<(), Error> {
        if set {
            self.run(
                "INSERT INTO meta (key, value) VALUES (?1, x'01') ON CONFLICT DO NOTHING",
                [mark.key()],
            )?;
        } else {
            self.run("DELETE FROM meta WHERE key = ?1", [mark.key()])?;
        }
        Ok(())
    }

    /// Gives a node's store another id. Its own log begins anew with what has no position yet; everything else stays as
    /// the work of the store that it was.
    pub fn become_store(&mut self, store_id: StoreId, log_epoch: LogEpoch) -> Result<(), Error> {
        self.need(Role::Node, "second identity")?;
        let before = self.identity().store_id;
        self.run(
            "UPDATE change SET origin_position = 0 WHERE origin_store = ?1",
            [before.as_bytes()],
        )?;
        self.run(
            "UPDATE change SET origin_store = ?2 WHERE origin_store = ?1 AND position = 0",
            (before.as_bytes(), store_id.as_bytes()),
        )?;
        self.run(
            "UPDATE meta SET value = ?1 WHERE key = 'store_id'",
            [store_id.as_bytes()],
        )?;
        self.refresh_identity()?;
        self.rotate_log_epoch(log_epoch)?;
        self.run("UPDATE upstream SET receipt_hash = ?1", [Hash::default()])?;
        self.set_mark(Mark::Fenced, false)
    }
}

#[cfg(test)]
mod tests;
