//! Changes of this node that cannot stay as they are, written again (`protocol.md` 4.7): a branch that lost its actor's
//! number to another copy of this node (R4), and what was saved out of a damaged store (R8).
//! The old changes are archived in quarantine; the new ones go up like any other edit.

use std::collections::{BTreeMap, HashSet};

use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use rollcall_doc::gate;
use rollcall_doc::rescue::Occasion;
use rollcall_doc::{Document, LocalChange};
use rollcall_store::branch::BranchArchive;
use rollcall_store::document::DocumentState;
use rollcall_store::salvage::UnsentChange;
use rollcall_store::{Hash, Writer};
use rollcall_sync::fingerprint::origin_chain;

use crate::error::Error;
use crate::prepare::{Held, commit_local, facts_by_position, open};
use crate::replica::{PROGRAM, Replica, hex};

/// Code of a change whose actor's number another change has.
pub(crate) const FORKED: &str = "FORKED";
/// How often a document is tried again when it moves meanwhile.
const TRIES: usize = 5;

/// What became of changes that were taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TakenBack {
    /// Written again, as changes of this store.
    pub written: u64,
    /// The aggregator had them after all, or somebody wrote the same.
    pub held: u64,
    /// Refused by the gate, or following a change that nobody has.
    pub refused: u64,
}

impl Replica {
    /// Writes again what stands on branches that lost their number; how many documents. One that cannot be written
    /// again stays as it is and is tried at the next session.
    ///
    /// # Errors
    /// The store's.
    pub fn rescue_forked(&self, now_ms: i64) -> Result<u64, Error> {
        let marked = self.read(|reader| Ok(reader.documents_not_clean()?))?;
        let mut rescued = 0;
        for row in marked
            .into_iter()
            .filter(|row| row.state == DocumentState::Forked)
        {
            // Whoever else writes under this process's actors goes on doing so.
            self.forget_actors();
            for _ in 0..TRIES {
                match self.rescue_one(row.document_id, now_ms) {
                    Err(Error::Store(rollcall_store::Error::Stale(_))) => {}
                    Ok(()) => {
                        rescued += 1;
                        break;
                    }
                    Err(Error::Document { id, source }) => {
                        tracing::warn!(document = %id, "a forked branch cannot be written again: {source}");
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(rescued)
    }

    fn rescue_one(&self, id: DocumentId, now_ms: i64) -> Result<(), Error> {
        let loaded = self.read(|reader| {
            let Some((row, changes)) = reader.load(id)? else {
                return Ok(None);
            };
            let lost: HashSet<Hash> = reader
                .quarantine_of(id)?
                .into_iter()
                .filter(|kept| kept.released_ms.is_none() && kept.refused.code == FORKED)
                .filter_map(|kept| kept.refused.hash)
                .filter(|hash| changes.iter().any(|change| change.hash == *hash))
                .collect();
            Ok(Some((row, changes, lost)))
        })?;
        let Some((mut row, mut changes, lost)) = loaded else {
            return Ok(());
        };
        let clean = move |writer: &mut Writer| writer.set_document_state(id, DocumentState::Clean);
        if lost.is_empty() {
            return Ok(self.store().write("mark clean", clean).wait()?);
        }
        let failed = |source| Error::Document {
            id,
            source: Box::new(source),
        };
        let whole = open(id, row.kind, changes.iter())?;
        let branch = whole.branch(&lost);
        let of_branch: HashSet<&Hash> = branch.iter().collect();
        changes.retain(|change| !of_branch.contains(&change.hash));
        let base = open(id, row.kind, changes.iter())?;
        let mut document = base.clone();
        let written = document
            .write_again(&whole, &branch, Occasion::Fork, &mut |hash| {
                self.fresh_actor(id, hash)
            })
            .map_err(failed)?;
        let all: Vec<(u64, &[u8])> = changes
            .iter()
            .map(|change| (change.position, change.bytes.as_slice()))
            .collect();
        let wanted = all.iter().map(|(position, _)| *position).collect();
        let archive = BranchArchive {
            document_id: id,
            expected_digest: row.digest,
            heads: base.heads(),
            digest: base.digest(),
            facts: facts_by_position(&base, &base.facts().0, &all, &wanted)?,
            code: FORKED.to_owned(),
            message: "Another copy of this node wrote another change under the same number.".to_owned(),
            note: note(&written),
            program: PROGRAM.to_owned(),
            branch,
            now_ms,
        };
        row.digest = base.digest();
        let held = Held {
            row: Some(row),
            changes,
            document: base,
        };
        let commit =
            (!written.is_empty()).then(|| commit_local(&held, &document, &written, self.origin(), now_ms));
        let work = move |writer: &mut Writer| {
            writer.archive_branch(&archive)?;
            if let Some(commit) = &commit {
                writer.commit_document(commit)?;
            }
            clean(writer)
        };
        self.store().write("rescue fork", work).wait()?;
        tracing::warn!(document = %id, "a branch that lost its number was written again");
        Ok(())
    }

    /// Takes changes back that were saved out of a damaged store, document by document.
    ///
    /// # Errors
    /// The store's; what was taken back until then stays, and the same again changes nothing.
    pub fn take_back(&self, unsent: &[UnsentChange], now_ms: i64) -> Result<TakenBack, Error> {
        let mut by_document: BTreeMap<DocumentId, (DocumentKind, Vec<&[u8]>)> = BTreeMap::new();
        for change in unsent {
            let (_, chunks) = by_document
                .entry(change.document_id)
                .or_insert((change.kind, Vec::new()));
            chunks.push(&change.bytes);
        }
        let mut taken = TakenBack::default();
        for (id, (kind, chunks)) in by_document {
            for _ in 0..TRIES {
                match self.take_back_one(id, kind, &chunks, now_ms) {
                    Err(Error::Store(rollcall_store::Error::Stale(_))) => {}
                    Ok(one) => {
                        taken.written += one.written;
                        taken.held += one.held;
                        taken.refused += one.refused;
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(taken)
    }

    fn take_back_one(
        &self,
        id: DocumentId,
        kind: DocumentKind,
        chunks: &[&[u8]],
        now_ms: i64,
    ) -> Result<TakenBack, Error> {
        let held = self.held(id, kind)?;
        let known: HashSet<Hash> = held.changes.iter().map(|change| change.hash).collect();
        let admission = gate::admit(&held.document, &known, chunks);
        let mut taken = TakenBack {
            written: 0,
            held: admission.duplicates as u64,
            refused: (admission.refused.len() + admission.pending.len()) as u64,
        };
        let Some(whole) = &admission.document else {
            return Ok(taken);
        };
        let branch: Vec<Hash> = admission.accepted.iter().map(|change| change.hash).collect();
        // Taken back before: a change that says so of this one is there.
        let before = taken_back_before(&held.document);
        let branch: Vec<Hash> = branch
            .into_iter()
            .filter(|hash| !before.contains(&hex(hash)))
            .collect();
        let mut document = held.document.clone();
        let again = document.write_again(whole, &branch, Occasion::Damage, &mut |hash| {
            self.fresh_actor(id, hash)
        });
        let written = match again {
            Ok(written) => written,
            Err(error) => {
                tracing::warn!(document = %id, "changes cannot be taken back: {error}");
                taken.refused += branch.len() as u64;
                return Ok(taken);
            }
        };
        taken.written = written.len() as u64;
        taken.held += (admission.accepted.len() - written.len()) as u64;
        if written.is_empty() {
            return Ok(taken);
        }
        self.check_may_write(&held, &written)?;
        let commit = commit_local(&held, &document, &written, self.origin(), now_ms);
        self.store()
            .write("take back", move |writer| writer.commit_document(&commit))
            .wait()?;
        Ok(taken)
    }

    /// An actor that nobody has: not even a copy of this machine that draws the same random bytes writes this again.
    fn fresh_actor(&self, id: DocumentId, hash: &Hash) -> ActorId {
        let mixed = origin_chain(&self.random(), id, hash);
        let mut actor = [0; 16];
        actor.copy_from_slice(&mixed[..16]);
        ActorId(actor)
    }
}

fn note(written: &[LocalChange]) -> String {
    match written.first() {
        Some(first) => format!("written again from change {} on", hex(&first.hash)),
        None => "it said nothing new".to_owned(),
    }
}

/// Hashes, in hexadecimal, of changes that this document says were taken back.
fn taken_back_before(document: &Document) -> HashSet<String> {
    let reasons = document.history().into_iter().map(|entry| entry.reason);
    reasons
        .filter_map(|reason| Some(reason.strip_prefix("taken back ")?.get(..64)?.to_owned()))
        .collect()
}
