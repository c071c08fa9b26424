//! Scopes: which documents are in one, what they add up to, and the aggregator's log as a scope sees it.
//! Owns membership and the sums; who mentions whom is decided by the caller, who joins what by `commit`.
//!
//! Invariants: `documents_count` and `digest_sum` are those of the rows in `scope_document`; the chain is that of
//! `scope_log`; membership only grows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use rollcall_core::id::{DocumentId, FederationId};
use sha2::{Digest, Sha256};

use crate::Hash;
use crate::error::Error;
use crate::sqlite::{Reader, RowExt, StagedScope, Writer, to_i64};

/// Rows of one scope read ahead while scopes are merged.
const READ_AHEAD: usize = 128;

/// Count of documents and sum of their digests mod 2^256, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetSum {
    /// How many (scope, document) pairs.
    pub count: u64,
    /// Sum of their digests.
    pub sum: Hash,
}

impl SetSum {
    /// Counts one more document.
    pub fn add(&mut self, digest: &Hash) {
        self.count += 1;
        add(&mut self.sum, digest);
    }
}

/// Running numbers of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRow {
    /// Which.
    pub scope: FederationId,
    /// Its documents and their sum.
    pub set: SetSum,
    /// Chain of its log; zero at a node.
    pub chain: Hash,
    /// Last position of its log; 0 at a node.
    pub last_position: u64,
}

/// A document of a piece of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeLogRow {
    /// Which document.
    pub document_id: DocumentId,
    /// Its last position in the piece.
    pub position: u64,
    /// It joined one of the scopes in the piece, so all of its changes are asked for.
    pub whole: bool,
}

/// A piece of the log of several scopes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeLog {
    /// Its documents, each once, by last position.
    pub rows: Vec<ScopeLogRow>,
    /// Everything up to this position is in.
    pub to: u64,
    /// Nothing lies between `to` and the limit that was asked for.
    pub drained: bool,
}

fn add(sum: &mut Hash, value: &Hash) {
    let mut carry = 0u16;
    for (byte, other) in sum.iter_mut().zip(value) {
        carry += u16::from(*byte) + u16::from(*other);
        *byte = carry as u8;
        carry >>= 8;
    }
}

fn subtract(sum: &mut Hash, value: &Hash) {
    let mut borrow = 0i16;
    for (byte, other) in sum.iter_mut().zip(value) {
        let difference = i16::from(*byte) - i16::from(*other) - borrow;
        borrow = i16::from(difference < 0);
        *byte = difference as u8;
    }
}

/// The chain after a row: SHA-256(chain before ‖ position ‖ document ‖ new change hashes), `protocol.md` 1.13.
pub(crate) fn next_chain(chain: &Hash, position: u64, document_id: DocumentId, hashes: &[Hash]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(chain);
    hasher.update(position.to_be_bytes());
    hasher.update(document_id.as_bytes());
    for hash in hashes {
        hasher.update(hash);
    }
    hasher.finalize().into()
}

/// Where a change stands in the aggregator's log; position and time are 0 where it stands nowhere yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Document of the change.
    pub document_id: DocumentId,
    /// Hash of the change.
    pub hash: Hash,
    /// The aggregator's position.
    pub position: u64,
    /// Its commit time there, Unix milliseconds.
    pub committed_at_ms: i64,
}

impl Reader {
    /// One scope's numbers; zero for a scope that has had no document.
    pub fn scope(&self, scope: &FederationId) -> Result<ScopeRow, Error> {
        self.with_scope(scope, |numbers| ScopeRow {
            scope: scope.clone(),
            set: SetSum {
                count: numbers.documents_count,
                sum: numbers.digest_sum,
            },
            chain: numbers.chain,
            last_position: numbers.last_position,
        })
    }

    /// Every scope that has documents. Sorted.
    pub fn scopes(&self) -> Result<Vec<ScopeRow>, Error> {
        self.flush()?;
        self.all(
            "SELECT scope, documents_count, digest_sum, chain, last_position FROM scope ORDER BY scope",
            [],
            |row| {
                Ok(ScopeRow {
                    scope: row.federation(0)?,
                    set: SetSum {
                        count: row.u64(1)?,
                        sum: row.hash(2)?,
                    },
                    chain: row.hash(3)?,
                    last_position: row.u64(4)?,
                })
            },
        )
    }

    /// Sum over several scopes.
    pub fn set_sum(&self, scopes: &[FederationId]) -> Result<SetSum, Error> {
        let mut total = SetSum::default();
        for scope in scopes {
            let row = self.scope(scope)?;
            total.count += row.set.count;
            add(&mut total.sum, &row.set.sum);
        }
        Ok(total)
    }

    /// The scopes whose logs have grown since a position. Sorted.
    pub fn scopes_since(&self, position: u64) -> Result<Vec<FederationId>, Error> {
        self.all(
            "SELECT scope FROM scope WHERE last_position > ?1 ORDER BY scope",
            [to_i64(position)],
            |row| row.federation(0),
        )
    }

    /// Documents of a scope with their digests, sorted by id: what a scope root is computed over.
    pub fn scope_entries(&self, scope: &FederationId) -> Result<Vec<(DocumentId, Hash)>, Error> {
        self.all(
            "SELECT m.document_id, d.digest FROM scope_document m JOIN document d ON d.document_id = m.document_id \
             WHERE m.scope = ?1 ORDER BY m.document_id",
            [scope.as_str()],
            |row| Ok((row.document_id(0)?, row.hash(1)?)),
        )
    }

    /// Digest of a document, where it is in the scope.
    pub fn scope_entry(&self, scope: &FederationId, document_id: DocumentId) -> Result<Option<Hash>, Error> {
        self.one(
            "SELECT d.digest FROM scope_document m JOIN document d ON d.document_id = m.document_id \
             WHERE m.document_id = ?1 AND m.scope = ?2",
            (document_id.as_bytes(), scope.as_str()),
            |row| row.hash(0),
        )
    }

    /// Where the changes of a scope's documents stand in the aggregator's log; sorted by document and hash.
    pub fn scope_placements(&self, scope: &FederationId) -> Result<Vec<Placement>, Error> {
        self.all(
            "SELECT c.document_id, c.hash, c.position, c.committed_at_ms FROM scope_document m \
             JOIN change c ON c.document_id = m.document_id WHERE m.scope = ?1 ORDER BY m.document_id, c.hash",
            [scope.as_str()],
            |row| {
                Ok(Placement {
                    document_id: row.document_id(0)?,
                    hash: row.hash(1)?,
                    position: row.u64(2)?,
                    committed_at_ms: row.i64(3)?,
                })
            },
        )
    }

    /// The documents at home in a scope. Sorted.
    pub fn scope_homes(&self, scope: &FederationId) -> Result<Vec<DocumentId>, Error> {
        self.all(
            "SELECT document_id FROM scope_document WHERE scope = ?1 AND home = 1 ORDER BY document_id",
            [scope.as_str()],
            |row| row.document_id(0),
        )
    }

    /// The scopes a document is in. Sorted.
    pub fn scopes_of(&self, document_id: DocumentId) -> Result<Vec<FederationId>, Error> {
        self.all(
            "SELECT scope FROM scope_document WHERE document_id = ?1 ORDER BY scope",
            [document_id.as_bytes()],
            |row| row.federation(0),
        )
    }

    /// Whether a document is in a scope.
    pub fn is_in_scope(&self, document_id: DocumentId, scope: &FederationId) -> Result<bool, Error> {
        let found = self.one(
            "SELECT 1 FROM scope_document WHERE document_id = ?1 AND scope = ?2",
            (document_id.as_bytes(), scope.as_str()),
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// Chain of a scope's log at a position: that of its last row up to there; zero before the first.
    pub fn scope_chain_at(&self, scope: &FederationId, position: u64) -> Result<Hash, Error> {
        let chain = self.one(
            "SELECT chain FROM scope_log WHERE scope = ?1 AND position <= ?2 \
             ORDER BY position DESC, document_id DESC LIMIT 1",
            (scope.as_str(), to_i64(position)),
            |row| row.hash(0),
        )?;
        Ok(chain.unwrap_or_default())
    }

    /// The documents that scopes have news of above `after` and up to `until`, at most `limit_documents` of them.
    /// A position is never split; only where a single position has more documents than the limit is it exceeded.
    pub fn scope_rows(
        &self,
        scopes: &[FederationId],
        after: u64,
        until: u64,
        limit_documents: usize,
    ) -> Result<ScopeLog, Error> {
        let mut sources: Vec<Source<'_>> = scopes.iter().map(|scope| Source::new(scope, after)).collect();
        let mut heap = BinaryHeap::new();
        for (index, source) in sources.iter_mut().enumerate() {
            if let Some(position) = source.next_position(self, until)? {
                heap.push(Reverse((position, index)));
            }
        }
        let mut rows: BTreeMap<DocumentId, (u64, bool)> = BTreeMap::new();
        let mut to = after;
        while let Some(Reverse((position, _))) = heap.peek().copied() {
            let mut group: BTreeMap<DocumentId, bool> = BTreeMap::new();
            while let Some(Reverse((next, index))) = heap.peek().copied()
                && next == position
            {
                heap.pop();
                let source = &mut sources[index];
                while source.next_position(self, until)? == Some(position) {
                    if let Some((_, document_id, whole)) = source.ahead.pop_front() {
                        *group.entry(document_id).or_default() |= whole;
                    }
                }
                if let Some(next) = source.next_position(self, until)? {
                    heap.push(Reverse((next, index)));
                }
            }
            let more = group.keys().filter(|id| !rows.contains_key(id)).count();
            if !rows.is_empty() && rows.len() + more > limit_documents {
                return Ok(ScopeLog {
                    rows: by_position(rows),
                    to,
                    drained: false,
                });
            }
            for (document_id, whole) in group {
                let row = rows.entry(document_id).or_default();
                *row = (position, row.1 | whole);
            }
            to = position;
        }
        Ok(ScopeLog {
            rows: by_position(rows),
            to: until.max(after),
            drained: true,
        })
    }

    pub(crate) fn with_scope<T>(
        &self,
        scope: &FederationId,
        f: impl FnOnce(&mut StagedScope) -> T,
    ) -> Result<T, Error> {
        if let Some(numbers) = self.staged().borrow_mut().scopes.get_mut(scope) {
            return Ok(f(numbers));
        }
        let numbers = self.one(
            "SELECT documents_count, digest_sum, chain, last_position FROM scope WHERE scope = ?1",
            [scope.as_str()],
            |row| {
                Ok(StagedScope {
                    documents_count: row.u64(0)?,
                    digest_sum: row.hash(1)?,
                    chain: row.hash(2)?,
                    last_position: row.u64(3)?,
                    dirty: false,
                })
            },
        )?;
        let mut staged = self.staged().borrow_mut();
        Ok(f(staged
            .scopes
            .entry(scope.clone())
            .or_insert(numbers.unwrap_or_default())))
    }
}

impl Writer {
    /// Puts a document into a scope; `true` if it was not in it.
    pub(crate) fn join(
        &mut self,
        scope: &FederationId,
        document_id: DocumentId,
        digest: &Hash,
        home: bool,
    ) -> Result<bool, Error> {
        let added = self.run(
            "INSERT INTO scope_document (document_id, scope, home) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
            (document_id.as_bytes(), scope.as_str(), home),
        )?;
        if added == 1 {
            self.with_scope(scope, |numbers| {
                numbers.documents_count += 1;
                add(&mut numbers.digest_sum, digest);
                numbers.dirty = true;
            })?;
        } else if home {
            self.run(
                "UPDATE scope_document SET home = 1 WHERE document_id = ?1 AND scope = ?2 AND home = 0",
                (document_id.as_bytes(), scope.as_str()),
            )?;
        }
        Ok(added == 1)
    }

    /// Puts a held document into the scopes that the aggregator says it is in.
    pub(crate) fn join_given(
        &mut self,
        document_id: DocumentId,
        scopes: &[FederationId],
    ) -> Result<(), Error> {
        let mut digest = None;
        for scope in scopes {
            if self.is_in_scope(document_id, scope)? {
                continue;
            }
            let digest = match digest {
                Some(known) => known,
                None => {
                    let held = self.document(document_id)?;
                    *digest.insert(held.ok_or(Error::NoDocument(document_id))?.digest)
                }
            };
            self.join(scope, document_id, &digest, false)?;
        }
        Ok(())
    }

    /// Replaces a member's digest in a scope's sum.
    pub(crate) fn swap_digest(&mut self, scope: &FederationId, old: &Hash, new: &Hash) -> Result<(), Error> {
        self.with_scope(scope, |numbers| {
            subtract(&mut numbers.digest_sum, old);
            add(&mut numbers.digest_sum, new);
            numbers.dirty = true;
        })
    }

    /// Adds a row to a scope's log.
    pub(crate) fn append_scope_log(
        &mut self,
        scope: &FederationId,
        position: u64,
        document_id: DocumentId,
        whole: bool,
        hashes: &[Hash],
    ) -> Result<(), Error> {
        let chain = self.with_scope(scope, |numbers| {
            numbers.chain = next_chain(&numbers.chain, position, document_id, hashes);
            numbers.last_position = position;
            numbers.dirty = true;
            numbers.chain
        })?;
        self.run(
            "INSERT INTO scope_log (scope, position, document_id, whole, chain) VALUES (?1, ?2, ?3, ?4, ?5)",
            (
                scope.as_str(),
                to_i64(position),
                document_id.as_bytes(),
                whole,
                chain,
            ),
        )?;
        Ok(())
    }
}

fn by_position(rows: BTreeMap<DocumentId, (u64, bool)>) -> Vec<ScopeLogRow> {
    let mut rows: Vec<_> = rows
        .into_iter()
        .map(|(document_id, (position, whole))| ScopeLogRow {
            document_id,
            position,
            whole,
        })
        .collect();
    rows.sort_by_key(|row| (row.position, row.document_id));
    rows
}

/// One scope's log, read in pieces while scopes are merged by position.
struct Source<'s> {
    scope: &'s FederationId,
    ahead: VecDeque<(u64, DocumentId, bool)>,
    last: (u64, DocumentId),
    ended: bool,
}

impl<'s> Source<'s> {
    fn new(scope: &'s FederationId, after: u64) -> Self {
        Self {
            scope,
            ahead: VecDeque::new(),
            last: (after, DocumentId([0xff; 16])),
            ended: false,
        }
    }

    fn next_position(&mut self, reader: &Reader, until: u64) -> Result<Option<u64>, Error> {
        if self.ahead.is_empty() && !self.ended {
            let (position, document_id) = self.last;
            let rows = reader.all(
                "SELECT position, document_id, whole FROM scope_log WHERE scope = ?1 \
                 AND (position, document_id) > (?2, ?3) AND position <= ?4 ORDER BY position, document_id LIMIT ?5",
                (
                    self.scope.as_str(),
                    to_i64(position),
                    document_id.as_bytes(),
                    to_i64(until),
                    to_i64(READ_AHEAD as u64),
                ),
                |row| Ok((row.u64(0)?, row.document_id(1)?, row.bool(2)?)),
            )?;
            self.ended = rows.len() < READ_AHEAD;
            if let Some((position, document_id, _)) = rows.last() {
                self.last = (*position, *document_id);
            }
            self.ahead = rows.into();
        }
        Ok(self.ahead.front().map(|(position, _, _)| *position))
    }
}

#[cfg(test)]
mod tests;
