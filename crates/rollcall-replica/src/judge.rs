//! Judging a node's batch at the aggregator before its commit: gate and permission for each document, room for what is
//! kept apart. Writes nothing.

use std::collections::{BTreeSet, HashSet};

use rollcall_core::id::{FederationId, LogEpoch};
use rollcall_doc::gate::{AcceptedChange, Admission, PendingChange, RefusedChange};
use rollcall_store::Hash;
use rollcall_store::commit::DocumentCommit;
use rollcall_sync::limits::{
    BATCH_DOCUMENTS_MAX, DOCUMENT_BYTES_MAX, KEPT_APART_BYTES_MAX, KEPT_APART_CHANGES_MAX,
};
use rollcall_sync::message::{Batch, DocumentChanges, Outcome};
use rollcall_sync::permission::{Write, may_write};

use crate::error::Error;
use crate::grants::related;
use crate::handover::keep_to_acceptance;
use crate::parallel;
use crate::peer::PeerContext;
use crate::prepare::{Origin, Prepared, Reading, Waiting};
use crate::replica::Replica;
use crate::take_up::UpRefused;

/// What became of a document, before the commit gives its position.
pub(crate) struct Judged {
    /// Hash of each change sent, in order.
    pub(crate) hashes: Vec<Hash>,
    pub(crate) accepted: Vec<AcceptedChange>,
    pub(crate) pending: Vec<PendingChange>,
    pub(crate) refused: Vec<RefusedChange>,
    pub(crate) released: Vec<Waiting>,
    pub(crate) commit: Option<DocumentCommit>,
    pub(crate) outcome: Outcome,
}

impl Judged {
    /// Bytes of each change that will wait or be kept apart.
    fn sizes_kept_apart(&self) -> impl Iterator<Item = usize> {
        let foreign = match self.outcome {
            Outcome::Rejected(_) => self.accepted.as_slice(),
            Outcome::Applied
            | Outcome::Duplicate
            | Outcome::Pending
            | Outcome::Forked
            | Outcome::Quarantined(_) => &[],
        };
        let pending = self.pending.iter().map(|change| change.bytes.len());
        let refused = self.refused.iter().map(|change| change.bytes.len());
        pending
            .chain(refused)
            .chain(foreign.iter().map(|change| change.bytes.len()))
    }
}

/// A batch after gate and permission, before its commit.
pub(crate) struct JudgedBatch(pub(crate) Vec<Judged>);

impl Replica {
    /// Sends every document of a batch through gate and permission, spread over the cores. What is judged as new unread
    /// may be held: the commit says so.
    ///
    /// # Errors
    /// `TooBig`, or the store's.
    pub(crate) fn judge_up(
        &self,
        peer: &PeerContext,
        batch: &Batch,
        now_ms: i64,
        reading: Reading,
    ) -> Result<JudgedBatch, UpRefused> {
        if batch.documents.len() > BATCH_DOCUMENTS_MAX {
            return Err(UpRefused::TooBig);
        }
        let mut named = HashSet::new();
        if !batch
            .documents
            .iter()
            .all(|document| named.insert(document.document_id))
        {
            return Err(UpRefused::Twice);
        }
        // What comes outside the peer's log is not taken for its own when the log goes down: should the ack be lost, its
        // position comes to the peer no other way.
        let origin = Origin {
            store: peer.store_id,
            epoch: if batch.to == 0 {
                LogEpoch::default()
            } else {
                peer.log_epoch
            },
        };
        let judged = parallel::map_shares(
            batch.documents.iter().collect(),
            |share: Vec<&DocumentChanges>| {
                let judged = self.read(|reader| {
                    let pending = reader.documents_pending()?;
                    let judge_by = |incoming: &DocumentChanges, reading| {
                        let prepared = Prepared::admit(reader, incoming, &pending, peer.store_id, reading)?;
                        let homes = match prepared.row {
                            Some(_) => reader.homes_of(incoming.document_id)?.into_iter().collect(),
                            None => BTreeSet::new(),
                        };
                        let prepared = keep_to_acceptance(reader, peer, incoming, prepared, &homes)?;
                        Ok::<_, Error>(judge_one(peer, origin, prepared, &homes, now_ms))
                    };
                    let judge = |incoming: &&DocumentChanges| {
                        let judged = judge_by(incoming, reading)?;
                        // What was judged as new and leads to no commit meets nothing that could say it is held.
                        if judged.outcome == Outcome::Applied || reading == Reading::Always {
                            return Ok(judged);
                        }
                        judge_by(incoming, Reading::Always)
                    };
                    share.iter().map(judge).collect::<Result<Vec<_>, Error>>()
                });
                match judged {
                    Ok(judged) => judged.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                }
            },
        );
        let judged = judged.into_iter().collect::<Result<Vec<Judged>, Error>>()?;
        self.check_quota(peer, &judged)?;
        Ok(JudgedBatch(judged))
    }

    /// Whether what is to be kept apart of this peer still has room. What is sent again counts twice, so that nobody
    /// keeps the aggregator busy with it for ever.
    fn check_quota(&self, peer: &PeerContext, judged: &[Judged]) -> Result<(), UpRefused> {
        let sizes: Vec<usize> = judged.iter().flat_map(Judged::sizes_kept_apart).collect();
        if sizes.is_empty() {
            return Ok(());
        }
        let (changes, bytes) = self.read(|reader| Ok(reader.kept_apart_of(peer.store_id)?))?;
        let more: u64 = sizes.iter().map(|size| *size as u64).sum();
        if changes + sizes.len() as u64 > KEPT_APART_CHANGES_MAX || bytes + more > KEPT_APART_BYTES_MAX {
            return Err(UpRefused::Quota);
        }
        Ok(())
    }
}

fn judge_one(
    peer: &PeerContext,
    origin: Origin,
    prepared: Prepared,
    homes: &BTreeSet<FederationId>,
    now_ms: i64,
) -> Judged {
    let admission = &prepared.admission;
    let (places, none) = (prepared.places(), BTreeSet::new());
    let write = Write {
        kind: prepared.kind,
        homes_before: homes,
        // What the taker of an open handover may not write has been taken out.
        takers: &none,
        accepted_by: &none,
        homes_named: &prepared.mentions.claims,
        places: &places,
    };
    let allowed = may_write(|scope| peer.access.may_write(scope), &write, related);
    let outcome = if let (Err(denied), false) = (allowed, admission.accepted.is_empty()) {
        Outcome::Rejected(denied.code().to_owned())
    } else if grows_too_big(&prepared) {
        Outcome::Rejected("CHANGE_TOO_BIG".to_owned())
    } else if admission.refused.iter().any(|refused| refused.forked) {
        Outcome::Forked
    } else if let Some(refused) = admission.refused.first() {
        Outcome::Quarantined(refused.code.to_owned())
    } else if !admission.pending.is_empty() {
        Outcome::Pending
    } else if admission.accepted.is_empty() {
        Outcome::Duplicate
    } else {
        Outcome::Applied
    };
    let commit = match outcome {
        Outcome::Rejected(_) => None,
        Outcome::Applied
        | Outcome::Duplicate
        | Outcome::Pending
        | Outcome::Forked
        | Outcome::Quarantined(_) => prepared.commit_here(origin, now_ms),
    };
    // The documents themselves are let go here, on the thread that made them.
    let Prepared {
        admission,
        hashes,
        released,
        ..
    } = prepared;
    let Admission {
        accepted,
        pending,
        refused,
        ..
    } = admission;
    Judged {
        hashes,
        accepted,
        pending,
        refused,
        released,
        commit,
        outcome,
    }
}

/// Whether the accepted changes would carry the document over its limit.
fn grows_too_big(prepared: &Prepared) -> bool {
    let held = prepared.row.as_ref().map_or(0, |row| row.bytes_total);
    let new: usize = prepared
        .admission
        .accepted
        .iter()
        .map(|change| change.bytes.len())
        .sum();
    held + new as u64 > DOCUMENT_BYTES_MAX as u64
}
