//! An aggregator after a restore: who has handed in again what came after the backup, and who has not
//! (`protocol.md` 4.7, R2; `reliability.md` 2.4). Ends when everybody was heard, or when somebody signs for the rest.

use rollcall_core::id::FederationId;

use crate::error::Error;
use crate::sqlite::{Reader, RowExt, Writer, to_i64};
use crate::store::Role;

/// A recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Its number.
    pub recovery_id: u64,
    /// Last position in the backup.
    pub position: u64,
    /// Commit time of that position, Unix milliseconds: what came later may be missing.
    pub reaches_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// Who signed it off and why; empty where everybody was heard.
    pub ended_by: String,
    /// Everybody who was enrolled in the backup and has not been revoked since, by federation.
    pub peers: Vec<RecoveryPeer>,
}

/// One peer in a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPeer {
    /// Its name in the enrolment.
    pub peer_id: String,
    /// What it writes.
    pub federation: FederationId,
    /// When it was last heard before the backup, Unix milliseconds; 0 if never. After that, the last time.
    pub last_heard_ms: i64,
    /// When everything it has was taken again.
    pub heard_ms: Option<i64>,
}

impl Recovery {
    /// Those who have not been heard.
    pub fn missing(&self) -> impl Iterator<Item = &RecoveryPeer> {
        self.peers.iter().filter(|peer| peer.heard_ms.is_none())
    }
}

impl Reader {
    /// The recovery that is under way, if one is.
    pub fn recovery(&self) -> Result<Option<Recovery>, Error> {
        if !self.is_recovering()? {
            return Ok(None);
        }
        self.last_recovery()
    }

    /// Whether a recovery is under way that has not heard this peer.
    pub fn is_missing(&self, peer_id: &str) -> Result<bool, Error> {
        let missing = self.one(
            "SELECT 1 FROM recovery_peer JOIN recovery USING (recovery_id) \
             WHERE ended_ms IS NULL AND peer_id = ?1 AND heard_ms IS NULL LIMIT 1",
            [peer_id],
            |_| Ok(()),
        )?;
        Ok(missing.is_some())
    }

    /// Whether a recovery is under way.
    pub fn is_recovering(&self) -> Result<bool, Error> {
        let open = self.one(
            "SELECT 1 FROM recovery WHERE ended_ms IS NULL LIMIT 1",
            [],
            |_| Ok(()),
        )?;
        Ok(open.is_some())
    }

    /// The last recovery, under way or ended.
    pub fn last_recovery(&self) -> Result<Option<Recovery>, Error> {
        let recovery = self.one(
            "SELECT recovery_id, position, reaches_ms, ended_ms, ended_by FROM recovery \
             ORDER BY recovery_id DESC LIMIT 1",
            [],
            |row| {
                Ok(Recovery {
                    recovery_id: row.u64(0)?,
                    position: row.u64(1)?,
                    reaches_ms: row.i64(2)?,
                    ended_ms: row.i64_or_none(3)?,
                    ended_by: row.text(4)?,
                    peers: Vec::new(),
                })
            },
        )?;
        let Some(mut recovery) = recovery else {
            return Ok(None);
        };
        recovery.peers = self.all(
            "SELECT p.peer_id, e.federation, e.last_heard_ms, p.heard_ms FROM recovery_peer p \
             JOIN enrolment e ON e.peer_id = p.peer_id WHERE p.recovery_id = ?1 AND e.revoked_ms IS NULL \
             ORDER BY e.federation, p.peer_id",
            [to_i64(recovery.recovery_id)],
            |row| {
                Ok(RecoveryPeer {
                    peer_id: row.text(0)?,
                    federation: row.federation(1)?,
                    last_heard_ms: row.i64(2)?,
                    heard_ms: row.i64_or_none(3)?,
                })
            },
        )?;
        Ok(Some(recovery))
    }
}

impl Writer {
    /// Begins a recovery with everybody who is enrolled; with nobody there is none. One that was under way in the
    /// backup goes on in the new one.
    pub fn begin_recovery(&mut self) -> Result<(), Error> {
        self.need(Role::Aggregator, "recovery")?;
        let position = self.counter("position")?;
        let reaches_ms = self.counter("committed_at_ms")?;
        self.run(
            "UPDATE recovery SET ended_ms = ?1, ended_by = 'restored again' WHERE ended_ms IS NULL",
            [reaches_ms],
        )?;
        let begun = self.run(
            "INSERT INTO recovery (position, reaches_ms, ended_by) SELECT ?1, ?2, '' \
             WHERE EXISTS (SELECT 1 FROM enrolment WHERE revoked_ms IS NULL)",
            (position, reaches_ms),
        )?;
        if begun > 0 {
            self.run(
                "INSERT INTO recovery_peer (recovery_id, peer_id) \
                 SELECT last_insert_rowid(), peer_id FROM enrolment WHERE revoked_ms IS NULL",
                [],
            )?;
        }
        Ok(())
    }

    /// Notes that everything a peer has was taken; ends the recovery where it was the last. Whether it ended.
    pub fn note_recovered(&mut self, peer_id: &str, now_ms: i64) -> Result<bool, Error> {
        let Some(recovery) = self.recovery()? else {
            return Ok(false);
        };
        self.run(
            "UPDATE recovery_peer SET heard_ms = ?3 WHERE recovery_id = ?1 AND peer_id = ?2 AND heard_ms IS NULL",
            (to_i64(recovery.recovery_id), peer_id, now_ms),
        )?;
        let missing = recovery.missing().any(|peer| peer.peer_id != peer_id);
        if missing {
            return Ok(false);
        }
        self.end_recovery("", now_ms)?;
        Ok(true)
    }

    /// Ends the recovery that is under way, with who signed it off and why. [`Error::Missing`] where there is none.
    pub fn end_recovery(&mut self, ended_by: &str, now_ms: i64) -> Result<(), Error> {
        let ended = self.run(
            "UPDATE recovery SET ended_ms = ?1, ended_by = ?2 WHERE ended_ms IS NULL",
            (now_ms, ended_by),
        )?;
        if ended == 0 {
            Err(Error::Missing("recovery under way"))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
