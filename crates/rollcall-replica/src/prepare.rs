//! One document's changes on their way into the store: through the gate, or written here; facts read; ready to commit.
//! Owns what follows from a change (facts at each position, the row in lists); who may write is asked elsewhere.

use std::collections::{BTreeSet, HashMap, HashSet};

use rollcall_core::fact::Facts;
use rollcall_core::id::{DocumentId, DocumentKind, FederationId, LogEpoch, StoreId};
use rollcall_doc::gate::{Admission, Opened, RefusedChange};
use rollcall_doc::{Document, LocalChange, Mentions};
use rollcall_store::change::StoredChange;
use rollcall_store::commit::{DocumentCommit, NewChange};
use rollcall_store::document::DocumentRow;
use rollcall_store::fact::FactRow;
use rollcall_store::listing::Listing;
use rollcall_store::quarantine::PendingChange as PendingRow;
use rollcall_store::{Hash, Reader, UNSENT};
use rollcall_sync::fingerprint::change_hash;
use rollcall_sync::limits::PENDING_CHANGES_MAX;
use rollcall_sync::message::DocumentChanges;

use crate::error::Error;
use crate::{codec, listed};

/// A document as held: row, changes, and the document they make.
pub(crate) struct Held {
    pub(crate) row: Option<DocumentRow>,
    pub(crate) changes: Vec<StoredChange>,
    pub(crate) document: Document,
}

impl Held {
    /// Loads it, or begins it where nothing of it is held.
    pub(crate) fn load(reader: &Reader, id: DocumentId, kind: DocumentKind) -> Result<Self, Error> {
        match reader.load(id)? {
            Some((row, changes)) => {
                let document = open(id, row.kind, changes.iter())?;
                Ok(Self {
                    row: Some(row),
                    changes,
                    document,
                })
            }
            None => Ok(Self {
                row: None,
                changes: Vec::new(),
                document: Document::create(kind, id),
            }),
        }
    }

    /// Digest that a commit prepared from this expects.
    pub(crate) fn digest(&self) -> Option<Hash> {
        self.row.as_ref().map(|row| row.digest)
    }
}

/// Makes a document from stored changes.
pub(crate) fn open<'a>(
    id: DocumentId,
    kind: DocumentKind,
    changes: impl IntoIterator<Item = &'a StoredChange>,
) -> Result<Document, Error> {
    Document::load(
        kind,
        id,
        changes.into_iter().map(|change| change.bytes.as_slice()),
    )
    .map_err(|source| Error::Document {
        id,
        source: Box::new(source),
    })
}

/// Who sent changes first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) store: StoreId,
    pub(crate) epoch: LogEpoch,
}

/// Whether what is held of a document is read before its changes are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// In any case.
    Always,
    /// Not where changes follow nothing but one another, as those of new documents do, and all pass: to find nothing
    /// costs as much as to find a document. That it is held after all is found by the commit, which is
    /// [`rollcall_store::Error::Stale`] then.
    WhereFollowed,
}

/// A document's part of a batch after the gate.
pub(crate) struct Prepared {
    pub(crate) id: DocumentId,
    pub(crate) kind: DocumentKind,
    /// As held before; `None` where nothing of it was.
    pub(crate) row: Option<DocumentRow>,
    /// Its changes then.
    pub(crate) changes: Vec<StoredChange>,
    pub(crate) admission: Admission,
    /// Hash of each change sent, in order.
    pub(crate) hashes: Vec<Hash>,
    /// What the accepted changes mention.
    pub(crate) mentions: Mentions,
    /// Facts afterwards; `None` where nothing was accepted.
    pub(crate) facts: Option<Facts>,
    /// Changes that waited here for what has now come.
    pub(crate) released: Vec<Waiting>,
}

/// Lets no more changes of a document wait than may; what is over is refused and kept apart.
fn limit_pending(admission: &mut Admission, stored: &[PendingRow]) {
    let mut room = PENDING_CHANGES_MAX.saturating_sub(stored.len());
    let (wait, over): (Vec<_>, Vec<_>) =
        std::mem::take(&mut admission.pending)
            .into_iter()
            .partition(|change| {
                if stored.iter().any(|row| row.hash == change.hash) {
                    return true;
                }
                let fits = room > 0;
                room = room.saturating_sub(1);
                fits
            });
    admission.pending = wait;
    admission
        .refused
        .extend(over.into_iter().map(|change| RefusedChange {
            hash: Some(change.hash),
            bytes: change.bytes,
            code: "TOO_MANY_PENDING",
            message: format!(
                "{PENDING_CHANGES_MAX} changes of this document wait already for others that have not come"
            ),
            forked: false,
        }));
}

/// A change that waited, with the position it came with.
pub(crate) struct Waiting {
    pub(crate) hash: Hash,
    position: u64,
    committed_at_ms: i64,
}

impl Prepared {
    /// Sends changes through the gate.
    ///
    /// `pending` are the documents with changes that wait; asked for once a snapshot, because hardly any has. Of those
    /// only what `from` sent is tried again: what it may write is asked for all of them together.
    pub(crate) fn admit(
        reader: &Reader,
        incoming: &DocumentChanges,
        pending: &[DocumentId],
        from: StoreId,
        reading: Reading,
    ) -> Result<Self, Error> {
        let id = incoming.document_id;
        let waiting = if pending.contains(&id) {
            reader.pending_changes(id)?
        } else {
            Vec::new()
        };
        let sent = || incoming.changes.iter().map(|change| change.bytes.as_slice());
        let mut chunks: Vec<&[u8]> = sent().collect();
        if !waiting.is_empty() {
            let hashes: Vec<Hash> = sent().map(change_hash).collect();
            let again = waiting.iter();
            let again = again.filter(|change| change.origin_store == from && !hashes.contains(&change.hash));
            chunks.extend(again.map(|change| change.bytes.as_slice()));
        }
        let opened = Opened::new(incoming.kind, id, &chunks);
        if reading == Reading::WhereFollowed && waiting.is_empty() && opened.are_whole() {
            let new = Self::judge(incoming, opened, None, &[])?;
            if new.admission.accepted.len() == incoming.changes.len() {
                return Ok(new);
            }
            return Self::admit(reader, incoming, pending, from, Reading::Always);
        }
        let held = reader.load(id)?;
        let opened = match &held {
            // A kind that is not the document's own opens nothing.
            Some((row, _)) if row.kind != incoming.kind => Opened::new(row.kind, id, &chunks),
            Some(_) | None => opened,
        };
        Self::judge(incoming, opened, held, &waiting)
    }

    /// Lets opened changes into what is held.
    fn judge(
        incoming: &DocumentChanges,
        opened: Opened<'_>,
        held: Option<(DocumentRow, Vec<StoredChange>)>,
        waiting: &[PendingRow],
    ) -> Result<Self, Error> {
        let id = incoming.document_id;
        let hashes = incoming.changes.iter().zip(opened.hashes());
        let hashes = hashes.map(|(change, known)| known.unwrap_or_else(|| change_hash(&change.bytes)));
        let hashes: Vec<Hash> = hashes.collect();
        let (row, changes) = match held {
            Some((row, changes)) => (Some(row), changes),
            None => (None, Vec::new()),
        };
        let kind = row.as_ref().map_or(incoming.kind, |row| row.kind);
        let held_hashes: HashSet<Hash> = changes.iter().map(|change| change.hash).collect();
        let stored: Vec<&[u8]> = changes.iter().map(|change| change.bytes.as_slice()).collect();
        let admitted = opened.admit(&stored, &held_hashes);
        let mut admission = admitted.map_err(|source| Error::Document {
            id,
            source: Box::new(source),
        })?;
        limit_pending(&mut admission, waiting);
        let is_accepted = |hash: &Hash| admission.accepted.iter().any(|change| change.hash == *hash);
        let released = waiting
            .iter()
            .filter(|change| is_accepted(&change.hash))
            .map(|change| Waiting {
                hash: change.hash,
                position: change.position,
                committed_at_ms: change.committed_at_ms,
            })
            .collect();
        let mut mentions = Mentions::default();
        for change in &admission.accepted {
            mentions.extend(change.mentions.clone());
        }
        let facts = admission.document.as_ref().map(|document| document.facts().0);
        Ok(Self {
            id,
            kind,
            row,
            changes,
            admission,
            hashes,
            mentions,
            facts,
            released,
        })
    }

    /// Divisions of an organisation's location and registration authority after the accepted changes.
    pub(crate) fn places(&self) -> Vec<u32> {
        let Some(Facts::Organisation(facts)) = &self.facts else {
            return Vec::new();
        };
        let mut places: Vec<u32> = facts
            .location
            .iter()
            .chain(&facts.authority)
            .map(|entry| entry.value)
            .collect();
        places.extend(facts.code.map(|code| code.division()));
        places
    }

    /// The commit at the aggregator, which gives the position itself and keeps no lists (decision 23).
    pub(crate) fn commit_here(&self, origin: Origin, now_ms: i64) -> Option<DocumentCommit> {
        let facts = vec![(UNSENT, codec::encode(self.facts.as_ref()?))];
        self.commit(origin, now_ms, |_| (0, 0), facts, Vec::new())
    }

    /// The commit at a node of changes that carry positions.
    pub(crate) fn commit_down(
        &self,
        incoming: &DocumentChanges,
        origin: Origin,
        now_ms: i64,
    ) -> Result<Option<DocumentCommit>, Error> {
        let (Some(document), Some(now)) = (&self.admission.document, &self.facts) else {
            return Ok(None);
        };
        let mut positions: HashMap<Hash, (u64, i64)> = self
            .released
            .iter()
            .map(|change| (change.hash, (change.position, change.committed_at_ms)))
            .collect();
        for (hash, change) in self.hashes.iter().zip(&incoming.changes) {
            positions.insert(*hash, (change.position, change.committed_at_ms));
        }
        let position_of = |hash: &Hash| positions.get(hash).copied().unwrap_or_default();
        let mut all: Vec<(u64, &[u8])> = self
            .changes
            .iter()
            .map(|change| (change.position, change.bytes.as_slice()))
            .collect();
        all.extend(
            self.admission
                .accepted
                .iter()
                .map(|change| (position_of(&change.hash).0, change.bytes.as_slice())),
        );
        let first = self
            .admission
            .accepted
            .iter()
            .map(|change| position_of(&change.hash).0)
            .filter(|position| *position > 0)
            .min()
            .unwrap_or(u64::MAX);
        // What came may lie before own changes that have their positions already: every row from there on changes.
        let moved: BTreeSet<u64> = all
            .iter()
            .map(|(position, _)| *position)
            .filter(|position| *position >= first)
            .collect();
        let facts = facts_by_position(document, now, &all, &moved)?;
        let commit = self.commit(origin, now_ms, position_of, facts, incoming.scopes.clone());
        Ok(commit.map(|commit| DocumentCommit {
            listing: Some(listing(now, now_ms)),
            ..commit
        }))
    }

    fn commit(
        &self,
        origin: Origin,
        now_ms: i64,
        position_of: impl Fn(&Hash) -> (u64, i64),
        facts: Vec<FactRow>,
        scopes_given: Vec<FederationId>,
    ) -> Option<DocumentCommit> {
        let document = self.admission.document.as_ref()?;
        let new_changes = self.admission.accepted.iter().map(|change| {
            let (position, committed_at_ms) = position_of(&change.hash);
            NewChange {
                hash: change.hash,
                actor: change.actor,
                seq: change.seq,
                bytes: change.bytes.clone(),
                position,
                committed_at_ms,
                origin_store: origin.store,
                // Its sender was told that it waits; the position comes to it with the log, as outside its own.
                origin_epoch: if self.released.iter().any(|released| released.hash == change.hash) {
                    LogEpoch::default()
                } else {
                    origin.epoch
                },
            }
        });
        Some(DocumentCommit {
            document_id: self.id,
            kind: self.kind,
            expected_digest: self.row.as_ref().map(|row| row.digest),
            heads: document.heads(),
            digest: document.digest(),
            new_changes: new_changes.collect(),
            homes: self.mentions.homes.clone(),
            names: self.mentions.names.clone(),
            aliases: self.mentions.aliases.clone(),
            facts,
            listing: None,
            scopes_given,
            now_ms,
        })
    }
}

/// The commit of edits made here, in order.
pub(crate) fn commit_local(
    held: &Held,
    document: &Document,
    changes: &[LocalChange],
    origin: Origin,
    now_ms: i64,
) -> DocumentCommit {
    let facts = document.facts().0;
    let mut mentions = Mentions::default();
    let mut new_changes = Vec::with_capacity(changes.len());
    for change in changes {
        mentions.extend(change.mentions.clone());
        new_changes.push(NewChange {
            hash: change.hash,
            actor: change.actor,
            seq: change.seq,
            bytes: change.bytes.clone(),
            position: 0,
            committed_at_ms: 0,
            origin_store: origin.store,
            origin_epoch: origin.epoch,
        });
    }
    DocumentCommit {
        document_id: document.id(),
        kind: document.kind(),
        expected_digest: held.digest(),
        heads: document.heads(),
        digest: document.digest(),
        new_changes,
        homes: mentions.homes,
        names: mentions.names,
        aliases: mentions.aliases,
        facts: vec![(UNSENT, codec::encode(&facts))],
        listing: Some(listing(&facts, now_ms)),
        scopes_given: Vec::new(),
        now_ms,
    }
}

/// Facts of a document at each of the positions in `wanted`, and at [`UNSENT`] where it has changes without one.
/// `now` are those of the document as it is, `all` its changes with their positions, 0 for none; positions follow dependencies, so a cut is whole once all of
/// them are known.
pub(crate) fn facts_by_position(
    document: &Document,
    now: &Facts,
    all: &[(u64, &[u8])],
    wanted: &BTreeSet<u64>,
) -> Result<Vec<FactRow>, Error> {
    let last = all.iter().map(|(position, _)| *position).max().unwrap_or(0);
    let unsent = all.iter().any(|(position, _)| *position == 0);
    let mut rows = Vec::new();
    for position in wanted.iter().copied().filter(|position| *position > 0) {
        let encoded = if position == last && !unsent {
            codec::encode(now)
        } else {
            let cut = all
                .iter()
                .filter(|(own, _)| *own > 0 && *own <= position)
                .map(|(_, bytes)| *bytes);
            let id = document.id();
            match Document::load(document.kind(), id, cut) {
                Ok(then) => codec::encode(&then.facts().0),
                // A position here still waits for the one it depends on, as while an aggregator that was restored gives
                // them anew: the row is written when that one comes.
                Err(rollcall_doc::Error::HistoryIncomplete { .. }) => continue,
                Err(source) => {
                    let source = Box::new(source);
                    return Err(Error::Document { id, source });
                }
            }
        };
        rows.push((position, encoded));
    }
    if unsent {
        rows.push((UNSENT, codec::encode(now)));
    }
    Ok(rows)
}

/// The row in lists.
pub(crate) fn listing(facts: &Facts, now_ms: i64) -> Listing {
    let listed = listed::read(facts);
    Listing {
        code: listed.code,
        name: listed.name,
        search: listed.search,
        home: listed.home,
        conflicts: listed.conflicts,
        updated_at_ms: now_ms,
        columns: "{}".to_owned(),
    }
}
