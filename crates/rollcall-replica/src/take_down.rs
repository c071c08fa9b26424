//! Taking the aggregator's batch at a node: every change through the gate (an aggregator is a peer too), one transaction
//! with the cursor.

use rollcall_core::id::{DocumentId, DocumentKind, FederationId, LogEpoch, StoreId};
use rollcall_doc::gate;
use rollcall_store::Pending;
use rollcall_store::commit::DocumentCommit;
use rollcall_store::cursor::{AcknowledgeOutcome, AcknowledgedChange, Acknowledgement};
use rollcall_store::successor::Mark;
use rollcall_sync::message::{Batch, DocumentChanges, SetSum};

use crate::error::Error;
use crate::kept_apart::keep_rest;
use crate::parallel;
use crate::prepare::{Origin, Prepared, Reading, Waiting};
use crate::replica::Replica;
use crate::send_up::grant_new;

/// How often a batch is tried again when a local edit moves a document under it.
const TRIES: usize = 5;

/// How far the aggregator's log is held after a batch.
#[derive(Debug, Clone, Copy)]
pub struct Reached {
    /// Position before the first of the batch.
    pub from: u64,
    /// Last position of the batch.
    pub to: u64,
    /// What the aggregator wants to hear with that position next time (decision 3).
    pub scopes_hash: [u8; 32],
}

/// What a batch brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// New changes.
    pub changes: u64,
    /// Documents with new changes.
    pub documents: u64,
    /// Documents whose changes the gate refused.
    pub quarantined: u64,
}

/// A document's part of a batch after the gate, before its commit.
struct Passed {
    document: (DocumentId, DocumentKind),
    commit: Option<DocumentCommit>,
    released: Vec<Waiting>,
    pending: Vec<gate::PendingChange>,
    refused: Vec<gate::RefusedChange>,
    /// Scopes that a document joins of which nothing new came.
    joined: Vec<FederationId>,
    positions: Vec<AcknowledgedChange>,
}

/// A batch after the gate, before its commit.
pub(crate) struct PassedBatch {
    documents: Vec<Passed>,
    origin: Origin,
}

/// A batch that is durable.
pub(crate) struct CommittedDown {
    taken: Taken,
    set: rollcall_store::scope::SetSum,
    facts_wanted: Vec<DocumentId>,
}

impl Reached {
    /// Where the aggregator's log is held after this batch of it.
    pub(crate) fn after(batch: &Batch) -> Self {
        Self {
            from: batch.from,
            to: batch.to,
            scopes_hash: batch.end_chain,
        }
    }
}

impl Replica {
    /// Takes a batch of the aggregator's log, and gives the sum over what is held then; durable on return.
    ///
    /// # Errors
    /// The store's; nothing of the batch is applied then.
    pub fn take_down(&self, batch: &Batch, now_ms: i64) -> Result<(Taken, SetSum), Error> {
        self.take(&batch.documents, Some(Reached::after(batch)), now_ms)
    }

    /// Takes documents outside the log's order (repair).
    ///
    /// # Errors
    /// The store's; nothing is applied then.
    pub fn take_documents(
        &self,
        documents: &[DocumentChanges],
        cursor: Option<Reached>,
        now_ms: i64,
    ) -> Result<Taken, Error> {
        Ok(self.take(documents, cursor, now_ms)?.0)
    }

    fn take(
        &self,
        documents: &[DocumentChanges],
        cursor: Option<Reached>,
        now_ms: i64,
    ) -> Result<(Taken, SetSum), Error> {
        for _ in 0..TRIES {
            let passed = self.admit_down(documents, now_ms, Reading::Always)?;
            match self.start_down(documents, passed, cursor, None, now_ms).wait() {
                Err(rollcall_store::Error::Stale(_)) => {}
                other => return self.finish_down(other?),
            }
        }
        Err(Error::Busy(DocumentId::default()))
    }

    /// Sends every document of a batch through the gate, spread over the cores. Writes nothing. What passes as new unread
    /// may be held: the commit says so.
    pub(crate) fn admit_down(
        &self,
        documents: &[DocumentChanges],
        now_ms: i64,
        reading: Reading,
    ) -> Result<PassedBatch, Error> {
        let upstream = self.read(|reader| Ok(reader.upstream()?))?;
        let origin = upstream.map_or(
            Origin {
                store: StoreId::default(),
                epoch: LogEpoch::default(),
            },
            |upstream| Origin {
                store: upstream.store_id,
                epoch: upstream.log_epoch,
            },
        );
        let passed = parallel::map_shares(documents.iter().collect(), |share: Vec<&DocumentChanges>| {
            let passed = self.read(|reader| {
                let pending = reader.documents_pending()?;
                let pass = |incoming: &&DocumentChanges| {
                    let prepared = Prepared::admit(reader, incoming, &pending, origin.store, reading)?;
                    let commit = prepared.commit_down(incoming, origin, now_ms)?;
                    Ok(Passed::of(incoming, prepared, commit))
                };
                share.iter().map(pass).collect::<Result<Vec<_>, Error>>()
            });
            match passed {
                Ok(passed) => passed.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            }
        });
        Ok(PassedBatch {
            documents: passed.into_iter().collect::<Result<_, Error>>()?,
            origin,
        })
    }

    /// Hands a batch that has passed the gate to the store; the answer is durable when it comes. `Stale` asks for the
    /// gate again, `CursorMoved` says that the batch up to `waits_for`, handed over before, was not taken.
    pub(crate) fn start_down(
        &self,
        documents: &[DocumentChanges],
        PassedBatch {
            documents: passed,
            origin,
        }: PassedBatch,
        cursor: Option<Reached>,
        waits_for: Option<u64>,
        now_ms: i64,
    ) -> Pending<CommittedDown> {
        let mut taken = Taken::default();
        for document in &passed {
            if let Some(commit) = &document.commit {
                taken.documents += 1;
                taken.changes += commit.new_changes.len() as u64;
            }
            taken.quarantined += u64::from(!document.refused.is_empty());
        }
        let named = documents
            .iter()
            .flat_map(|document| document.scopes.iter().cloned())
            .collect();
        self.store().write_repeatable("take down", move |writer| {
            let owed = writer.is_marked(Mark::DigestOwed)?;
            let cursor = cursor.filter(|_| !owed);
            if let (Some(_), Some(before), Some(upstream)) = (cursor, waits_for, writer.upstream()?)
                && upstream.down_position < before
            {
                let held = rollcall_store::cursor::Cursor {
                    position: upstream.down_position,
                    ..Default::default()
                };
                return Err(rollcall_store::Error::CursorMoved { held });
            }
            grant_new(writer, &named)?;
            let (mut joined, mut positions) = (Vec::new(), Vec::new());
            for document in &passed {
                let (id, _) = document.document;
                document.keep_apart(writer, origin, now_ms)?;
                if let Some(commit) = &document.commit {
                    writer.commit_document(commit)?;
                    writer.release_taken(id, now_ms)?;
                }
                if !document.joined.is_empty() {
                    joined.push((id, document.joined.clone()));
                }
                positions.extend_from_slice(&document.positions);
            }
            let outcome = match writer.upstream()? {
                Some(upstream) if !positions.is_empty() || !joined.is_empty() => {
                    writer.acknowledge(&Acknowledgement {
                        cursor: upstream.acknowledged,
                        changes: positions,
                        scopes: joined,
                        facts: Vec::new(),
                        heard_ms: now_ms,
                    })?
                }
                _ => AcknowledgeOutcome::default(),
            };
            if let (Some(reached), Some(mut upstream)) = (cursor, writer.upstream()?)
                && reached.to >= upstream.down_position
            {
                // The aggregator says where its log goes on; a gap shows in the receipt and is repaired by digest.
                upstream.down_position = reached.to;
                upstream.scopes_hash = reached.scopes_hash;
                upstream.last_heard_ms = now_ms;
                writer.save_upstream(&upstream)?;
            }
            Ok(CommittedDown {
                taken,
                set: writer.granted_sum()?,
                facts_wanted: outcome.facts_wanted,
            })
        })
    }

    /// What is left to do once a batch is durable; what it brought, and the sum over what is held with it.
    pub(crate) fn finish_down(&self, committed: CommittedDown) -> Result<(Taken, SetSum), Error> {
        let CommittedDown {
            taken,
            set,
            mut facts_wanted,
        } = committed;
        facts_wanted.dedup();
        self.read_facts_anew(facts_wanted)?;
        let set = SetSum {
            count: set.count,
            sum: set.sum,
        };
        Ok((taken, set))
    }

    /// Takes where changes held here stand in the aggregator's log.
    ///
    /// # Errors
    /// The store's; nothing is taken then.
    pub(crate) fn take_positions(&self, changes: Vec<AcknowledgedChange>, now_ms: i64) -> Result<(), Error> {
        let work = move |writer: &mut rollcall_store::Writer| {
            let Some(upstream) = writer.upstream()? else {
                return Ok(Vec::new());
            };
            let outcome = writer.acknowledge(&Acknowledgement {
                cursor: upstream.acknowledged,
                changes,
                scopes: Vec::new(),
                facts: Vec::new(),
                heard_ms: now_ms,
            })?;
            Ok(outcome.facts_wanted)
        };
        let wanted = self.store().write("take positions", work).wait()?;
        self.read_facts_anew(wanted)
    }

    /// Sum over what this node holds in its scopes.
    ///
    /// # Errors
    /// The store's.
    pub fn set_sum(&self) -> Result<SetSum, Error> {
        self.read(|reader| {
            let sum = reader.granted_sum()?;
            Ok(SetSum {
                count: sum.count,
                sum: sum.sum,
            })
        })
    }
}

impl Passed {
    /// Lets the document itself go, here on the thread that made it.
    fn of(incoming: &DocumentChanges, prepared: Prepared, commit: Option<DocumentCommit>) -> Self {
        let joined = if commit.is_none() && prepared.row.is_some() {
            incoming.scopes.clone()
        } else {
            Vec::new()
        };
        Self {
            document: (prepared.id, prepared.kind),
            positions: positions(incoming, &prepared),
            joined,
            commit,
            released: prepared.released,
            pending: prepared.admission.pending,
            refused: prepared.admission.refused,
        }
    }

    fn keep_apart(
        &self,
        writer: &mut rollcall_store::Writer,
        origin: Origin,
        now_ms: i64,
    ) -> Result<(), rollcall_store::Error> {
        for released in &self.released {
            writer.remove_pending(self.document.0, &released.hash)?;
        }
        keep_rest(
            writer,
            self.document,
            &self.pending,
            &self.refused,
            origin,
            now_ms,
        )
    }
}

/// Positions that came with changes this node held already without one or with another: its own, returning after a lost
/// ack or a repair, and those of an aggregator that was restored and gave them anew.
fn positions(incoming: &DocumentChanges, prepared: &Prepared) -> Vec<AcknowledgedChange> {
    let mut positions = Vec::new();
    for (change, hash) in incoming.changes.iter().zip(&prepared.hashes) {
        let moved = prepared.changes.iter().any(|held| {
            held.hash == *hash
                && (held.position, held.committed_at_ms) != (change.position, change.committed_at_ms)
        });
        if moved && change.position > 0 {
            positions.push(AcknowledgedChange {
                document_id: incoming.document_id,
                hash: *hash,
                position: change.position,
                committed_at_ms: change.committed_at_ms,
            });
        }
    }
    positions
}
