//! How far logs have been received and acknowledged, on both sides, and the scopes a node is enrolled for.
//! Chains decide what continues; this module only moves cursors forward, never guesses.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::id::{DocumentId, FederationId, LogEpoch, StoreId};
use rusqlite::params;

use crate::error::Error;
use crate::fact::FactRow;
use crate::scope::SetSum;
use crate::sqlite::{Reader, RowExt, Writer, to_i64};
use crate::store::Role;
use crate::{Hash, UNSENT};

/// A position in a log and the chain there; zero at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Which.
    pub position: u64,
    /// Chain hash at it.
    pub chain: Hash,
}

/// What the aggregator keeps of a store that sends to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCursor {
    /// Whose log.
    pub origin_store: StoreId,
    /// Which spell of it.
    pub log_epoch: LogEpoch,
    /// How far it is held.
    pub cursor: Cursor,
    /// When it was last heard of.
    pub last_heard_ms: i64,
    /// Program version it said last.
    pub version: String,
    /// Its name in the enrolment.
    pub peer: String,
}

/// A step of a cursor, taken only if it stands where the caller believes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorAdvance {
    /// Whose log.
    pub origin_store: StoreId,
    /// Which spell of it.
    pub log_epoch: LogEpoch,
    /// Where the cursor must stand; the default where there is none yet.
    pub from: Cursor,
    /// Where it then stands.
    pub to: Cursor,
    /// Now.
    pub heard_ms: i64,
}

/// What a node knows of its aggregator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The aggregator's store.
    pub store_id: StoreId,
    /// Spell of its log.
    pub log_epoch: LogEpoch,
    /// Everything up to this position of it is held.
    pub down_position: u64,
    /// Hash over the scopes and their chains, as last agreed.
    pub scopes_hash: Hash,
    /// How far it holds this node's log.
    pub acknowledged: Cursor,
    /// Last verified receipt; zero if none.
    pub receipt_hash: Hash,
    /// When it was last heard of.
    pub last_heard_ms: i64,
}

/// A scope a node is enrolled for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Which.
    pub scope: FederationId,
    /// Whether it may write it.
    pub write: bool,
}

/// An acknowledged change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcknowledgedChange {
    /// Of which document.
    pub document_id: DocumentId,
    /// Which.
    pub hash: Hash,
    /// The position it was given.
    pub position: u64,
    /// Commit time of that position.
    pub committed_at_ms: i64,
}

/// What an aggregator's answer changes at a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acknowledgement {
    /// How far it now holds this node's log; its chain is compared.
    pub cursor: Cursor,
    /// Changes with their positions.
    pub changes: Vec<AcknowledgedChange>,
    /// Scopes of this node that a document is in according to the aggregator.
    pub scopes: Vec<(DocumentId, Vec<FederationId>)>,
    /// Facts read anew; see [`AcknowledgeOutcome::facts_wanted`].
    pub facts: Vec<(DocumentId, Vec<FactRow>)>,
    /// Now.
    pub heard_ms: i64,
}

/// What an acknowledgement left to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AcknowledgeOutcome {
    /// Documents whose facts could not simply move to the new position, because other changes lie between:
    /// read them again at each position and hand them to [`Writer::save_facts`].
    pub facts_wanted: Vec<DocumentId>,
}

fn peer_cursor(row: &rusqlite::Row<'_>) -> Result<PeerCursor, Error> {
    Ok(PeerCursor {
        origin_store: row.store_id(0)?,
        log_epoch: row.log_epoch(1)?,
        cursor: Cursor {
            position: row.u64(2)?,
            chain: row.hash(3)?,
        },
        last_heard_ms: row.i64(4)?,
        version: row.text(5)?,
        peer: row.text(6)?,
    })
}

macro_rules! select_peer_cursor {
    ($rest:literal) => {
        concat!(
            "SELECT origin_store, log_epoch, position, chain, last_heard_ms, version, peer FROM peer_cursor ",
            $rest
        )
    };
}

impl Reader {
    /// How far a spell of a store's log is held.
    pub fn peer_cursor(
        &self,
        origin_store: StoreId,
        log_epoch: LogEpoch,
    ) -> Result<Option<PeerCursor>, Error> {
        self.one(
            select_peer_cursor!("WHERE origin_store = ?1 AND log_epoch = ?2"),
            (origin_store.as_bytes(), log_epoch.as_bytes()),
            peer_cursor,
        )
    }

    /// Every spell of every store.
    pub fn peer_cursors(&self) -> Result<Vec<PeerCursor>, Error> {
        self.all(
            select_peer_cursor!("ORDER BY origin_store, last_heard_ms"),
            [],
            peer_cursor,
        )
    }

    /// Every spell of one store, the last heard last.
    pub fn peer_cursors_of(&self, origin_store: StoreId) -> Result<Vec<PeerCursor>, Error> {
        self.all(
            select_peer_cursor!("WHERE origin_store = ?1 ORDER BY last_heard_ms"),
            [origin_store.as_bytes()],
            peer_cursor,
        )
    }

    /// What this node knows of its aggregator.
    pub fn upstream(&self) -> Result<Option<Upstream>, Error> {
        self.one(
            "SELECT store_id, log_epoch, down_position, scopes_hash, acked_position, acked_chain, receipt_hash, \
             last_heard_ms FROM upstream",
            [],
            |row| {
                Ok(Upstream {
                    store_id: row.store_id(0)?,
                    log_epoch: row.log_epoch(1)?,
                    down_position: row.u64(2)?,
                    scopes_hash: row.hash(3)?,
                    acknowledged: Cursor { position: row.u64(4)?, chain: row.hash(5)? },
                    receipt_hash: row.hash(6)?,
                    last_heard_ms: row.i64(7)?,
                })
            },
        )
    }

    /// The scopes this node is enrolled for. Sorted.
    pub fn grants(&self) -> Result<Vec<Grant>, Error> {
        self.all("SELECT scope, write FROM scope_grant ORDER BY scope", [], |row| {
            Ok(Grant {
                scope: row.federation(0)?,
                write: row.bool(1)?,
            })
        })
    }

    /// Sum over the scopes this node is enrolled for.
    pub fn granted_sum(&self) -> Result<SetSum, Error> {
        let scopes: Vec<_> = self.grants()?.into_iter().map(|grant| grant.scope).collect();
        self.set_sum(&scopes)
    }
}

impl Writer {
    /// Moves the cursor of a store's log, if it stands where the caller believes; else [`Error::CursorMoved`].
    pub fn advance_cursor(&mut self, step: &CursorAdvance) -> Result<(), Error> {
        let held = self
            .peer_cursor(step.origin_store, step.log_epoch)?
            .map_or(Cursor::default(), |row| row.cursor);
        if held != step.from || step.to.position < step.from.position {
            return Err(Error::CursorMoved { held });
        }
        self.run(
            "INSERT INTO peer_cursor (origin_store, log_epoch, position, chain, last_heard_ms, version, peer) \
             VALUES (?1, ?2, ?3, ?4, ?5, '', '') ON CONFLICT (origin_store, log_epoch) \
             DO UPDATE SET position = ?3, chain = ?4, last_heard_ms = ?5",
            params![
                step.origin_store.as_bytes(),
                step.log_epoch.as_bytes(),
                to_i64(step.to.position),
                step.to.chain,
                step.heard_ms
            ],
        )?;
        Ok(())
    }

    /// Notes that a store was heard of; its cursor stays, or begins at the start.
    pub fn save_peer_heard(
        &mut self,
        origin_store: StoreId,
        log_epoch: LogEpoch,
        heard_ms: i64,
        version: &str,
        peer: &str,
    ) -> Result<(), Error> {
        self.run(
            "INSERT INTO peer_cursor (origin_store, log_epoch, position, chain, last_heard_ms, version, peer) \
             VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6) ON CONFLICT (origin_store, log_epoch) \
             DO UPDATE SET last_heard_ms = ?4, version = ?5, peer = ?6",
            params![origin_store.as_bytes(), log_epoch.as_bytes(), Hash::default(), heard_ms, version, peer],
        )?;
        Ok(())
    }

    /// Writes what is known of the aggregator as a whole: at first contact and after a repair.
    pub fn save_upstream(&mut self, upstream: &Upstream) -> Result<(), Error> {
        self.run(
            "INSERT OR REPLACE INTO upstream (upstream_id, store_id, log_epoch, down_position, scopes_hash, \
             acked_position, acked_chain, receipt_hash, last_heard_ms) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                upstream.store_id.as_bytes(),
                upstream.log_epoch.as_bytes(),
                to_i64(upstream.down_position),
                upstream.scopes_hash,
                to_i64(upstream.acknowledged.position),
                upstream.acknowledged.chain,
                upstream.receipt_hash,
                upstream.last_heard_ms
            ],
        )?;
        Ok(())
    }

    /// Everything of the aggregator up to `position` is held; never moves back. Belongs in the transaction that
    /// commits those documents. Refused with [`Error::CursorMoved`] if another process has moved it from `from`.
    pub fn advance_down(&mut self, from: u64, position: u64, heard_ms: i64) -> Result<(), Error> {
        let held = self.upstream()?.ok_or(Error::Missing("upstream"))?.down_position;
        if held != from {
            return Err(Error::CursorMoved {
                held: Cursor {
                    position: held,
                    chain: Hash::default(),
                },
            });
        }
        self.run(
            "UPDATE upstream SET down_position = max(down_position, ?1), last_heard_ms = ?2",
            (to_i64(position), heard_ms),
        )?;
        Ok(())
    }

    /// Writes the scopes this node is enrolled for, in place of the former ones.
    pub fn save_grants(&mut self, grants: &[Grant]) -> Result<(), Error> {
        self.run("DELETE FROM scope_grant", [])?;
        for grant in grants {
            self.run(
                "INSERT OR REPLACE INTO scope_grant (scope, write) VALUES (?1, ?2)",
                (grant.scope.as_str(), grant.write),
            )?;
        }
        Ok(())
    }

    /// Takes the aggregator's answer: positions of own changes, scopes, facts, and how far the log is held there.
    /// The chain must be this node's own at that position. A cursor behind the one held moves nothing back.
    pub fn acknowledge(&mut self, answer: &Acknowledgement) -> Result<AcknowledgeOutcome, Error> {
        self.need(Role::Node, "acknowledgements")?;
        let position = answer.cursor.position;
        if self.origin_chain_at(position)? != Some(answer.cursor.chain) {
            return Err(Error::ChainMismatch { position });
        }
        let mut moved: BTreeMap<DocumentId, (u64, u64)> = BTreeMap::new();
        // Documents of which a change had another position: what was read at either says something else now.
        let mut placed_anew = BTreeSet::new();
        for change in &answer.changes {
            let placed = params![
                change.document_id.as_bytes(),
                change.hash,
                to_i64(change.position),
                change.committed_at_ms
            ];
            let first = self.run(
                "UPDATE change SET position = ?3, committed_at_ms = ?4 \
                 WHERE document_id = ?1 AND hash = ?2 AND position = 0",
                placed,
            )?;
            let again = first == 0
                && self.run(
                    "UPDATE change SET position = ?3, committed_at_ms = ?4 WHERE document_id = ?1 AND hash = ?2 \
                     AND (position <> ?3 OR committed_at_ms <> ?4)",
                    placed,
                )? > 0;
            if again {
                placed_anew.insert(change.document_id);
            }
            if first > 0 || again {
                let span = moved
                    .entry(change.document_id)
                    .or_insert((change.position, change.position));
                *span = (span.0.min(change.position), span.1.max(change.position));
            }
        }
        for (document_id, scopes) in &answer.scopes {
            self.join_given(*document_id, scopes)?;
        }
        for (document_id, facts) in &answer.facts {
            self.save_facts(*document_id, facts)?;
            let last = self.last_position_of(*document_id)?;
            self.place_listing(*document_id, last)?;
            moved.remove(document_id);
        }
        let mut facts_wanted = Vec::new();
        for (document_id, acknowledged) in moved {
            let last = self.last_position_of(document_id)?;
            self.place_listing(document_id, last)?;
            // Positions of an aggregator that has lost them since are nobody's any more.
            let settled = self.has_settled_facts(document_id)?;
            let stale = settled
                && self.run(
                    "DELETE FROM fact WHERE document_id = ?1 AND position < ?2 \
                     AND position NOT IN (SELECT position FROM change WHERE document_id = ?1)",
                    (document_id.as_bytes(), to_i64(UNSENT)),
                )? > 0;
            let anew = stale || placed_anew.contains(&document_id);
            if anew || !self.settle_facts(document_id, acknowledged, last, settled)? {
                facts_wanted.push(document_id);
            }
        }
        let changed = self.run(
            "UPDATE upstream SET last_heard_ms = ?3, \
             acked_chain = CASE WHEN acked_position <= ?1 THEN ?2 ELSE acked_chain END, \
             acked_position = max(acked_position, ?1)",
            params![to_i64(position), answer.cursor.chain, answer.heard_ms],
        )?;
        if changed == 0 {
            Err(Error::Missing("upstream"))
        } else {
            Ok(AcknowledgeOutcome { facts_wanted })
        }
    }
}

#[cfg(test)]
mod tests;
