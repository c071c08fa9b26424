//! Committing a document: its row, new changes, logs, memberships, sums, chains, facts and list row, all or nothing.
//! The gate has passed before; this module refuses only what would break an invariant of the tables.
//!
//! Visitors (`protocol.md` 1.8): a document V is in scope F if some document at home in F names V; not transitive.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::id::{ActorId, DocumentId, DocumentKind, FederationId, LogEpoch, StoreId};
use rusqlite::params;
use sha2::{Digest, Sha256};

use crate::cursor::Cursor;
use crate::document::DocumentRow;
use crate::error::{EngineError, Error};
use crate::fact::FactRow;
use crate::listing::Listing;
use crate::sqlite::{RowExt, Writer, to_i64};
use crate::store::Role;
use crate::{Hash, UNSENT};

/// The engine's result code for a broken UNIQUE constraint.
const UNIQUE_BROKEN: i32 = 2067;

/// A change that the store does not hold yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChange {
    /// Of the chunk.
    pub hash: Hash,
    /// Who wrote it, as the document counts.
    pub actor: ActorId,
    /// The actor's number.
    pub seq: u64,
    /// Plain change chunk.
    pub bytes: Vec<u8>,
    /// At a node: the aggregator's position, 0 for an edit made here. At the aggregator: ignored.
    pub position: u64,
    /// Commit time of that position; 0 while it has none. At the aggregator: ignored.
    pub committed_at_ms: i64,
    /// Store that sent it first.
    pub origin_store: StoreId,
    /// Its spell; zero where it came outside that store's log.
    pub origin_epoch: LogEpoch,
}

/// New changes of one document and everything that follows from them.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentCommit {
    /// Which.
    pub document_id: DocumentId,
    /// Which kind.
    pub kind: DocumentKind,
    /// Digest of the document that this was prepared for; `None`: it must be new.
    pub expected_digest: Option<Hash>,
    /// Heads afterwards, sorted.
    pub heads: Vec<Hash>,
    /// Digest afterwards.
    pub digest: Hash,
    /// In the order to load.
    pub new_changes: Vec<NewChange>,
    /// Federations that the new changes make it at home in.
    pub homes: BTreeSet<FederationId>,
    /// Ids that the new changes name.
    pub names: BTreeSet<DocumentId>,
    /// Ids under which the new changes make it known.
    pub aliases: BTreeSet<DocumentId>,
    /// Facts to write; see [`FactRow`].
    pub facts: Vec<FactRow>,
    /// Its row in lists.
    pub listing: Option<Listing>,
    /// At a node: scopes that the aggregator says it is in.
    pub scopes_given: Vec<FederationId>,
    /// Now, Unix milliseconds: the commit time of the position at the aggregator, the time of recording at a node.
    pub now_ms: i64,
}

/// What a commit led to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommitOutcome {
    /// Position given at the aggregator; 0 at a node.
    pub position: u64,
    /// Its commit time.
    pub committed_at_ms: i64,
    /// Scopes the document is now in. Sorted.
    pub scopes: Vec<FederationId>,
    /// Who joined which scope through this commit.
    pub joined: Vec<(FederationId, DocumentId)>,
}

impl Writer {
    /// Takes the next `count` positions of the aggregator's log; the first of them. [`Writer::commit_document`]
    /// does so by itself: this is for callers that number other things on the same clock.
    pub fn allocate_positions(&mut self, count: u64) -> Result<u64, Error> {
        self.need(Role::Aggregator, "positions")?;
        let last = self.counter("position")?;
        self.set_counter("position", last + to_i64(count));
        u64::try_from(last + 1).map_err(|_| Error::Damaged("the position"))
    }

    /// Commits new changes of a document. [`Error::Stale`] if it is not what the commit was prepared for.
    pub fn commit_document(&mut self, commit: &DocumentCommit) -> Result<CommitOutcome, Error> {
        let id = commit.document_id;
        // What must be new is written at once; a row in its place says that it is not.
        let held = match commit.expected_digest {
            Some(_) => self.document(id)?,
            None => None,
        };
        if held.as_ref().map(|row| row.digest) != commit.expected_digest {
            return Err(Error::Stale(id));
        }
        if held.as_ref().is_some_and(|row| row.kind != commit.kind) {
            return Err(Error::KindDiffers(id));
        }
        let at_aggregator = self.identity().role == Role::Aggregator;
        if commit.heads.is_empty() || (at_aggregator && commit.new_changes.is_empty()) {
            return Err(Error::EmptyCommit(id));
        }
        self.write_document(commit, held.as_ref())?;
        let mut outcome = CommitOutcome::default();
        if at_aggregator {
            outcome.position = self.allocate_positions(1)?;
            outcome.committed_at_ms = self.counter("committed_at_ms")?.max(commit.now_ms);
            self.set_counter("committed_at_ms", outcome.committed_at_ms);
            self.write_log(commit, &outcome)?;
        }
        self.write_changes(commit, held.as_ref(), &outcome)?;
        let rows = self.write_memberships(commit, held.as_ref(), &mut outcome)?;
        if at_aggregator {
            let hashes: Vec<Hash> = commit.new_changes.iter().map(|change| change.hash).collect();
            for ((scope, document_id), whole) in &rows {
                let hashes = if *document_id == id { &hashes[..] } else { &[] };
                self.append_scope_log(scope, outcome.position, *document_id, *whole, hashes)?;
            }
        }
        self.write_derived(commit, held.is_none(), &outcome)?;
        Ok(outcome)
    }

    fn write_log(&mut self, commit: &DocumentCommit, outcome: &CommitOutcome) -> Result<(), Error> {
        let origin_store = commit
            .new_changes
            .first()
            .map_or(self.identity().store_id, |change| change.origin_store);
        self.run(
            "INSERT INTO log (position, document_id, origin_store, committed_at_ms) VALUES (?1, ?2, ?3, ?4)",
            params![
                to_i64(outcome.position),
                commit.document_id.as_bytes(),
                origin_store.as_bytes(),
                outcome.committed_at_ms
            ],
        )?;
        // Whoever hands in what another store wrote, outside a log of its own, says nothing about whose the actor is.
        let own = commit
            .new_changes
            .iter()
            .filter(|change| change.origin_epoch != LogEpoch::default());
        for change in own {
            if self.actor_store(change.actor)?.is_none() {
                self.run(
                    "INSERT INTO actor (actor, origin_store) VALUES (?1, ?2)",
                    (change.actor.as_bytes(), change.origin_store.as_bytes()),
                )?;
                let mut staged = self.staged().borrow_mut();
                staged.actors.insert(change.actor, change.origin_store);
            }
        }
        Ok(())
    }

    fn write_document(&mut self, commit: &DocumentCommit, held: Option<&DocumentRow>) -> Result<(), Error> {
        let bytes: u64 = commit
            .new_changes
            .iter()
            .map(|change| change.bytes.len() as u64)
            .sum();
        let values = params![
            commit.document_id.as_bytes(),
            commit.kind.number(),
            commit.heads.as_flattened(),
            commit.digest,
            to_i64(held.map_or(0, |row| row.changes_count) + commit.new_changes.len() as u64),
            to_i64(held.map_or(0, |row| row.bytes_total) + bytes),
        ];
        let sql = if held.is_some() {
            "UPDATE document SET kind = ?2, heads = ?3, digest = ?4, changes_count = ?5, bytes_total = ?6 \
             WHERE document_id = ?1"
        } else {
            "INSERT INTO document (document_id, kind, heads, digest, changes_count, bytes_total) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING"
        };
        if self.run(sql, values)? == 0 {
            return Err(Error::Stale(commit.document_id));
        }
        Ok(())
    }

    fn write_changes(
        &mut self,
        commit: &DocumentCommit,
        held: Option<&DocumentRow>,
        outcome: &CommitOutcome,
    ) -> Result<(), Error> {
        let id = commit.document_id;
        let at_aggregator = outcome.position > 0;
        for (ordinal, change) in (held.map_or(0, |row| row.changes_count)..).zip(&commit.new_changes) {
            let (position, committed_at_ms) = if at_aggregator {
                (outcome.position, outcome.committed_at_ms)
            } else {
                (change.position, change.committed_at_ms)
            };
            let origin_position = if position == 0 {
                self.append_origin(id, &change.hash, commit.now_ms)?.position
            } else {
                0
            };
            let written = self.run(
                "INSERT INTO change (document_id, ordinal, hash, actor, seq, position, committed_at_ms, \
                 origin_store, origin_epoch, origin_position, bytes) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![
                    id.as_bytes(),
                    to_i64(ordinal),
                    change.hash,
                    change.actor.as_bytes(),
                    to_i64(change.seq),
                    to_i64(position),
                    committed_at_ms,
                    change.origin_store.as_bytes(),
                    change.origin_epoch.as_bytes(),
                    to_i64(origin_position),
                    change.bytes
                ],
            );
            match written {
                Err(Error::Engine(EngineError {
                    code: UNIQUE_BROKEN, ..
                })) => return Err(Error::ChangeHeld(id)),
                other => other?,
            };
        }
        Ok(())
    }

    /// Adds a change to a node's own log.
    fn append_origin(&mut self, document_id: DocumentId, hash: &Hash, now_ms: i64) -> Result<Cursor, Error> {
        let end = next_origin(&self.origin_end()?, document_id, hash);
        self.run(
            "INSERT INTO origin (origin_position, document_id, hash, recorded_at_ms, chain) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![to_i64(end.position), document_id.as_bytes(), hash, now_ms, end.chain],
        )?;
        self.staged().borrow_mut().origin_end = Some(end);
        Ok(end)
    }

    /// Memberships, names and sums. Gives the rows for the scopes' logs: who has news where, and whether as a whole.
    fn write_memberships(
        &mut self,
        commit: &DocumentCommit,
        held: Option<&DocumentRow>,
        outcome: &mut CommitOutcome,
    ) -> Result<BTreeMap<(FederationId, DocumentId), bool>, Error> {
        let id = commit.document_id;
        let mut rows = BTreeMap::new();
        let mut homes = BTreeSet::new();
        let mut former_names = Vec::new();
        if let Some(held) = held {
            for scope in self.scopes_of(id)? {
                self.swap_digest(&scope, &held.digest, &commit.digest)?;
                rows.insert((scope, id), false);
            }
            let mentions = self.mentions(id)?;
            homes.extend(mentions.homes);
            former_names = mentions.names;
        }
        let new_homes: BTreeSet<FederationId> = commit.homes.difference(&homes).cloned().collect();
        for scope in &new_homes {
            if self.join(scope, id, &commit.digest, true)? {
                rows.insert((scope.clone(), id), true);
            }
        }
        homes.extend(new_homes.iter().cloned());
        for scope in &commit.scopes_given {
            if self.join(scope, id, &commit.digest, false)? {
                rows.insert((scope.clone(), id), true);
            }
        }
        for name in &commit.names {
            let added = self.run(
                "INSERT INTO name (document_id, named_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                (id.as_bytes(), name.as_bytes()),
            )?;
            if added == 1 {
                self.join_named(*name, id, &homes, &mut rows)?;
            }
        }
        if !new_homes.is_empty() {
            for name in former_names {
                self.join_named(name, id, &new_homes, &mut rows)?;
            }
        }
        if held.is_none() {
            self.join_namers(id, commit, &mut rows)?;
        }
        for alias in commit.aliases.iter().filter(|alias| **alias != id) {
            let added = self.run(
                "INSERT INTO alias (alias_id, document_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                (alias.as_bytes(), id.as_bytes()),
            )?;
            if added == 1 {
                self.join_namers(*alias, commit, &mut rows)?;
            }
        }
        outcome.scopes = rows
            .keys()
            .filter(|(_, member)| *member == id)
            .map(|(scope, _)| scope.clone())
            .collect();
        outcome.joined = rows
            .iter()
            .filter(|(_, whole)| **whole)
            .map(|(pair, _)| pair.clone())
            .collect();
        Ok(rows)
    }

    /// The documents that answer to `name` join these homes.
    fn join_named(
        &mut self,
        name: DocumentId,
        by: DocumentId,
        homes: &BTreeSet<FederationId>,
        rows: &mut BTreeMap<(FederationId, DocumentId), bool>,
    ) -> Result<(), Error> {
        for visitor in self.resolve(name)?.into_iter().filter(|visitor| *visitor != by) {
            let Some(row) = self.document(visitor)? else {
                continue;
            };
            for scope in homes {
                if self.join(scope, visitor, &row.digest, false)? {
                    rows.insert((scope.clone(), visitor), true);
                }
            }
        }
        Ok(())
    }

    /// The document joins the homes of everybody who names it by `name`.
    fn join_namers(
        &mut self,
        name: DocumentId,
        commit: &DocumentCommit,
        rows: &mut BTreeMap<(FederationId, DocumentId), bool>,
    ) -> Result<(), Error> {
        for namer in self
            .namers(name)?
            .into_iter()
            .filter(|namer| *namer != commit.document_id)
        {
            for scope in self.homes_of(namer)? {
                if self.join(&scope, commit.document_id, &commit.digest, false)? {
                    rows.insert((scope, commit.document_id), true);
                }
            }
        }
        Ok(())
    }

    fn write_derived(
        &mut self,
        commit: &DocumentCommit,
        fresh: bool,
        outcome: &CommitOutcome,
    ) -> Result<(), Error> {
        let id = commit.document_id;
        if outcome.position > 0 && commit.facts.iter().any(|(position, _)| *position == UNSENT) {
            let placed: Vec<FactRow> = commit
                .facts
                .iter()
                .map(|(position, facts)| {
                    (
                        if *position == UNSENT {
                            outcome.position
                        } else {
                            *position
                        },
                        facts.clone(),
                    )
                })
                .collect();
            self.write_facts(id, commit.kind, &placed, fresh)?;
        } else {
            self.write_facts(id, commit.kind, &commit.facts, fresh)?;
        }
        if let Some(listing) = &commit.listing {
            let position = if fresh && outcome.position == 0 {
                let positions = commit.new_changes.iter().map(|change| change.position);
                let placed = positions.map(|position| if position == 0 { UNSENT } else { position });
                placed.max().unwrap_or(0)
            } else {
                self.last_position_of(id)?
            };
            self.write_listing(id, commit.kind, listing, position)?;
        }
        Ok(())
    }

    /// Begins a new spell of this store's log: after a restore, when two stores turn out to be one copied, or where the
    /// aggregator knows nothing of the spell before. A node's new log begins with its changes that have no position yet;
    /// what has one was acknowledged, is on record under the spell it was sent in, and comes in again only where the
    /// aggregator lacks it ([`Writer::append_again`]). Positions stay.
    pub fn rotate_log_epoch(&mut self, log_epoch: LogEpoch) -> Result<(), Error> {
        self.begin_spell(log_epoch, false)
    }

    /// Begins a new spell of a node's log that holds all of its own changes once more: where nothing can be compared.
    pub fn begin_whole_log(&mut self, log_epoch: LogEpoch) -> Result<(), Error> {
        self.need(Role::Node, "own logs")?;
        self.begin_spell(log_epoch, true)
    }

    fn begin_spell(&mut self, log_epoch: LogEpoch, whole: bool) -> Result<(), Error> {
        self.run(
            "UPDATE meta SET value = ?1 WHERE key = 'log_epoch'",
            [log_epoch.as_bytes()],
        )?;
        self.refresh_identity()?;
        if self.identity().role == Role::Aggregator {
            return Ok(());
        }
        let store_id = self.identity().store_id;
        let own = self.all(
            "SELECT c.change_id, c.document_id, c.hash, coalesce(o.recorded_at_ms, c.committed_at_ms) FROM change c \
             LEFT JOIN origin o ON c.origin_position = o.origin_position AND c.hash = o.hash \
             WHERE (?2 OR c.position = 0) AND c.origin_store = ?1 ORDER BY c.change_id",
            (store_id.as_bytes(), whole),
            |row| Ok((row.i64(0)?, row.document_id(1)?, row.hash(2)?, row.i64(3)?)),
        )?;
        self.run("DELETE FROM origin", [])?;
        self.run(
            "UPDATE change SET origin_position = 0 WHERE origin_position > 0 AND position > 0",
            [],
        )?;
        self.staged().borrow_mut().origin_end = Some(Cursor::default());
        for (change_id, document_id, hash, recorded_at_ms) in own {
            let end = self.append_origin(document_id, &hash, recorded_at_ms)?;
            self.run(
                "UPDATE change SET origin_position = ?2, origin_epoch = ?3 WHERE change_id = ?1",
                params![change_id, to_i64(end.position), log_epoch.as_bytes()],
            )?;
        }
        self.run(
            "UPDATE upstream SET acked_position = 0, acked_chain = ?1",
            [Hash::default()],
        )?;
        Ok(())
    }

    /// Puts changes of this node that the aggregator lacks at the end of its own log, where they stand once more: they
    /// travel in signed batches like any other. What is not held, or not this node's, is passed over. How many were put.
    pub fn append_again(&mut self, changes: &[(DocumentId, Hash)], now_ms: i64) -> Result<u64, Error> {
        self.need(Role::Node, "own logs")?;
        let (own, epoch) = (self.identity().store_id, self.identity().log_epoch);
        let mut appended = 0;
        for (document_id, hash) in changes {
            let held = self.change(*document_id, hash)?;
            if held.is_none_or(|change| change.origin_store != own) {
                continue;
            }
            let end = self.append_origin(*document_id, hash, now_ms)?;
            self.run(
                "UPDATE change SET origin_position = ?3, origin_epoch = ?4 WHERE document_id = ?1 AND hash = ?2",
                params![document_id.as_bytes(), hash, to_i64(end.position), epoch.as_bytes()],
            )?;
            appended += 1;
        }
        Ok(appended)
    }
}

/// The origin chain: SHA-256(chain before ‖ document ‖ hash), `protocol.md` 1.13.
pub(crate) fn next_origin(end: &Cursor, document_id: DocumentId, hash: &Hash) -> Cursor {
    let mut hasher = Sha256::new();
    hasher.update(end.chain);
    hasher.update(document_id.as_bytes());
    hasher.update(hash);
    Cursor {
        position: end.position + 1,
        chain: hasher.finalize().into(),
    }
}

#[cfg(test)]
mod tests;
