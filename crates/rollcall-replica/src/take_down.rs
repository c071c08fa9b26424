//! Taking the aggregator's batch at a node: every change through the gate (an aggregator is a peer too), one transaction
//! with the cursor.

use rollcall_core::id::{DocumentId, LogEpoch, StoreId};
use rollcall_store::commit::DocumentCommit;
use rollcall_store::cursor::{AcknowledgeOutcome, AcknowledgedChange, Acknowledgement};
use rollcall_store::quarantine::{PendingChange, Refused};
use rollcall_store::successor::Mark;
use rollcall_sync::message::{Batch, DocumentChanges, SetSum};

use crate::error::Error;
use crate::parallel;
use crate::prepare::{Origin, Prepared};
use crate::replica::{PROGRAM, Replica};
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

impl Replica {
    /// Takes a batch of the aggregator's log; durable on return.
    ///
    /// # Errors
    /// The store's; nothing of the batch is applied then.
    pub fn take_down(&self, batch: &Batch, now_ms: i64) -> Result<Taken, Error> {
        self.take_documents(
            &batch.documents,
            Some(Reached {
                from: batch.from,
                to: batch.to,
                scopes_hash: batch.end_chain,
            }),
            now_ms,
        )
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
        for _ in 0..TRIES {
            let prepared: Vec<(Prepared, Option<DocumentCommit>)> =
                parallel::map_shares(documents.iter().collect(), |share: Vec<&DocumentChanges>| {
                    let prepared = self.read(|reader| {
                        let pending = reader.documents_pending()?;
                        let prepare = |incoming: &&DocumentChanges| {
                            let prepared = Prepared::admit(reader, incoming, &pending, origin.store)?;
                            let commit = prepared.commit_down(incoming, origin, now_ms)?;
                            Ok((prepared, commit))
                        };
                        share.iter().map(prepare).collect::<Result<Vec<_>, Error>>()
                    });
                    match prepared {
                        Ok(prepared) => prepared.into_iter().map(Ok).collect(),
                        Err(error) => vec![Err(error)],
                    }
                })
                .into_iter()
                .collect::<Result<_, Error>>()?;
            match self.commit_down(documents, prepared, origin, cursor, now_ms) {
                Err(Error::Store(rollcall_store::Error::Stale(_))) => {}
                other => return other,
            }
        }
        Err(Error::Busy(DocumentId::default()))
    }

    fn commit_down(
        &self,
        documents: &[DocumentChanges],
        prepared: Vec<(Prepared, Option<DocumentCommit>)>,
        origin: Origin,
        cursor: Option<Reached>,
        now_ms: i64,
    ) -> Result<Taken, Error> {
        let mut taken = Taken::default();
        for (prepared, commit) in &prepared {
            if let Some(commit) = commit {
                taken.documents += 1;
                taken.changes += commit.new_changes.len() as u64;
            }
            taken.quarantined += u64::from(!prepared.admission.refused.is_empty());
        }
        let memberships: Vec<_> = documents
            .iter()
            .map(|document| (document.document_id, document.scopes.clone()))
            .collect();
        let positions = positions(documents, &prepared);
        let named = documents
            .iter()
            .flat_map(|document| document.scopes.iter().cloned())
            .collect();
        let mut wanted = self
            .store()
            .write("take down", move |writer| {
                grant_new(writer, &named)?;
                let mut joined = Vec::new();
                for ((prepared, commit), (id, scopes)) in prepared.iter().zip(&memberships) {
                    keep_apart(writer, prepared, origin, now_ms)?;
                    if let Some(commit) = commit {
                        writer.commit_document(commit)?;
                        writer.release_taken(*id, now_ms)?;
                    } else if prepared.held.row.is_some() && !scopes.is_empty() {
                        joined.push((*id, scopes.clone()));
                    }
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
                let owed = writer.is_marked(Mark::DigestOwed)?;
                if let (Some(reached), Some(mut upstream)) = (cursor.filter(|_| !owed), writer.upstream()?)
                    && reached.to >= upstream.down_position
                {
                    // The aggregator says where its log goes on; a gap shows in the receipt and is repaired by digest.
                    upstream.down_position = reached.to;
                    upstream.scopes_hash = reached.scopes_hash;
                    upstream.last_heard_ms = now_ms;
                    writer.save_upstream(&upstream)?;
                }
                Ok(outcome.facts_wanted)
            })
            .wait()?;
        wanted.dedup();
        self.read_facts_anew(wanted)?;
        Ok(taken)
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

/// Positions that came with changes this node held already without one or with another: its own, returning after a lost
/// ack or a repair, and those of an aggregator that was restored and gave them anew.
fn positions(
    documents: &[DocumentChanges],
    prepared: &[(Prepared, Option<DocumentCommit>)],
) -> Vec<AcknowledgedChange> {
    let mut positions = Vec::new();
    for (incoming, (prepared, _)) in documents.iter().zip(prepared) {
        for (change, hash) in incoming.changes.iter().zip(&prepared.hashes) {
            let moved = prepared.held.changes.iter().any(|held| {
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
    }
    positions
}

fn keep_apart(
    writer: &mut rollcall_store::Writer,
    prepared: &Prepared,
    origin: Origin,
    now_ms: i64,
) -> Result<(), rollcall_store::Error> {
    let (document_id, kind) = (prepared.held.document.id(), prepared.held.document.kind());
    for released in &prepared.released {
        writer.remove_pending(document_id, &released.hash)?;
    }
    for pending in &prepared.admission.pending {
        let change = PendingChange {
            document_id,
            kind,
            hash: pending.hash,
            missing: pending.missing.clone(),
            origin_store: origin.store,
            origin_epoch: origin.epoch,
            position: 0,
            committed_at_ms: 0,
            first_seen_ms: now_ms,
            bytes: pending.bytes.clone(),
        };
        writer.save_pending(&change)?;
    }
    for refused in &prepared.admission.refused {
        writer.save_quarantine(
            &Refused {
                document_id,
                kind,
                hash: refused.hash,
                bytes: refused.bytes.clone(),
                code: refused.code.to_owned(),
                message: refused.message.clone(),
                origin_store: origin.store,
                program: PROGRAM.to_owned(),
            },
            now_ms,
        )?;
    }
    Ok(())
}
