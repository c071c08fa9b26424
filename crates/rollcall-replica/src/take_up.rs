//! Taking a node's batch at the aggregator: signature, chain, permission, gate, one transaction, ack.
//! A document that fails is kept apart and the rest is applied; a batch whose chain or signature is wrong is refused whole.

use std::collections::BTreeMap;

use rollcall_core::id::{DocumentId, DocumentKind, LogEpoch, StoreId};
use rollcall_store::cursor::CursorAdvance;
use rollcall_store::quarantine::Refused;
use rollcall_store::receipt::{BatchEvidence, LINK_BYTES};
use rollcall_store::{Hash, Pending, Writer};
use rollcall_sync::fingerprint::{change_hash, origin_chain};
use rollcall_sync::keys::Verify;
use rollcall_sync::message::{Ack, Batch, Cursor, DocumentOutcome, Outcome};

use crate::error::Error;
use crate::grants::Access;
use crate::judge::{Judged, JudgedBatch};
use crate::kept_apart::keep_rest;
use crate::peer::PeerContext;
use crate::prepare::{Origin, Reading};
use crate::replica::{PROGRAM, Replica, hex};

/// Why a whole batch was refused.
#[derive(Debug, thiserror::Error)]
pub enum UpRefused {
    /// The chain over the changes does not lead to the stated end.
    #[error("the changes do not make the chain they are said to make")]
    Chain,
    /// The signature is not the peer's.
    #[error("the batch is not signed by the node it comes from")]
    Signature,
    /// Positions are missing or doubled.
    #[error("the batch does not hold every change between its ends")]
    Incomplete,
    /// Larger than the limits allow.
    #[error("the batch is larger than the protocol allows")]
    TooBig,
    /// One document comes in two parts, which no honest sender does.
    #[error("the batch holds a document twice")]
    Twice,
    /// So much that the peer sent is kept apart or waits that no more of it is taken.
    #[error(
        "too much that this node sent is kept apart or waits; the aggregator's administrator must look into it"
    )]
    Quota,
    /// The replica could not do it.
    #[error(transparent)]
    Replica(#[from] Error),
}

impl UpRefused {
    /// Stable code.
    pub fn code(&self) -> String {
        match self {
            Self::Chain => rollcall_sync::session::client::CHAIN_MISMATCH.to_owned(),
            Self::Signature => "SIGNATURE_BAD".to_owned(),
            Self::Incomplete => "ENVELOPE_DAMAGED".to_owned(),
            Self::Twice => "ENVELOPE_FORMAT".to_owned(),
            Self::TooBig => "ENVELOPE_TOO_BIG".to_owned(),
            Self::Quota => "QUOTA".to_owned(),
            Self::Replica(error) => error.code(),
        }
    }
}

/// How often a batch is tried again when a document moves under it.
const TRIES: usize = 5;

impl Replica {
    /// Checks a batch against the log so far: every position once, chain to the stated end, signature.
    /// `verified` is the cursor the chain starts from, `held` the cursor that is stored; a resent piece must meet it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_batch(
        peer: &PeerContext,
        batch: &Batch,
        verified: &Cursor,
        held: &Cursor,
        keys: &dyn Verify,
    ) -> Result<(), UpRefused> {
        let mut entries: Vec<(u64, DocumentId, Hash)> = Vec::new();
        for document in &batch.documents {
            for change in &document.changes {
                entries.push((change.position, document.document_id, change_hash(&change.bytes)));
            }
        }
        entries.sort_unstable();
        let expected = batch.to.checked_sub(batch.from).ok_or(UpRefused::Incomplete)?;
        if batch.from != verified.position || entries.len() as u64 != expected {
            return Err(UpRefused::Incomplete);
        }
        let mut chain = verified.chain;
        for (offset, (position, document, hash)) in entries.iter().enumerate() {
            if *position != batch.from + 1 + offset as u64 {
                return Err(UpRefused::Incomplete);
            }
            chain = origin_chain(&chain, *document, hash);
            if *position == held.position && chain != held.chain {
                return Err(UpRefused::Chain);
            }
        }
        if chain != batch.end_chain {
            return Err(UpRefused::Chain);
        }
        if keys.is_batch_signed(&peer.signing_key, peer.store_id, peer.log_epoch, batch) {
            Ok(())
        } else {
            Err(UpRefused::Signature)
        }
    }

    /// Takes a batch that `check_batch` passed (or a loose one, `to` = 0) and answers it; durable on return.
    ///
    /// # Errors
    /// The store's; nothing of the batch is applied then.
    pub fn take_up(&self, peer: &PeerContext, batch: &Batch, now_ms: i64) -> Result<Ack, UpRefused> {
        for _ in 0..TRIES {
            let judged = self.judge_up(peer, batch, now_ms, Reading::Always)?;
            match self.start_commit(peer, batch, judged, now_ms).wait() {
                Err(rollcall_store::Error::Stale(_)) => {}
                other => return Ok(other.map_err(Error::from)?),
            }
        }
        Err(Error::Busy(DocumentId::default()).into())
    }

    /// Hands a judged batch to the store; the answer is durable when it comes. `Stale` asks to judge again.
    pub(crate) fn start_commit(
        &self,
        peer: &PeerContext,
        batch: &Batch,
        JudgedBatch(judged): JudgedBatch,
        now_ms: i64,
    ) -> Pending<Ack> {
        let loose = batch.to == 0;
        let step = (!loose).then_some((batch.to, batch.end_chain));
        let evidence = (!loose && !batch.documents.is_empty()).then(|| BatchEvidence {
            origin_store: peer.store_id,
            log_epoch: peer.log_epoch,
            to_position: batch.to,
            end_chain: batch.end_chain,
            signature: batch.signature.clone(),
            signing_key: peer.signing_key.clone(),
            received_at_ms: now_ms,
            links: links(batch, &judged),
        });
        let (store_id, log_epoch, from) = (peer.store_id, peer.log_epoch, batch.from);
        let ids: Vec<(DocumentId, DocumentKind)> = batch
            .documents
            .iter()
            .map(|document| (document.document_id, document.kind))
            .collect();
        let (access, former_stores) = (peer.access.clone(), peer.former_stores.clone());
        let work = move |writer: &mut Writer| {
            let mut outcomes = Vec::with_capacity(judged.len());
            for (document, judged) in ids.iter().zip(&judged) {
                outcomes.push(commit_one(
                    writer,
                    *document,
                    judged,
                    (store_id, &former_stores),
                    log_epoch,
                    &access,
                    now_ms,
                )?);
            }
            let held = writer
                .peer_cursor(store_id, log_epoch)?
                .map(|row| row.cursor)
                .unwrap_or_default();
            // The batch before, handed over earlier, was not taken: this one waits for it.
            if step.is_some() && held.position < from {
                return Err(rollcall_store::Error::CursorMoved { held });
            }
            // Of a piece that was sent again no more is said than that it agrees: beyond it the logs may part.
            let cursor = step.map_or(held, |(position, chain)| rollcall_store::cursor::Cursor {
                position,
                chain,
            });
            if cursor.position > held.position {
                writer.advance_cursor(&CursorAdvance {
                    origin_store: store_id,
                    log_epoch,
                    from: held,
                    to: cursor,
                    heard_ms: now_ms,
                })?;
            }
            if let Some(evidence) = &evidence {
                writer.save_evidence(evidence)?;
            }
            Ok(Ack {
                cursor: Cursor {
                    position: cursor.position,
                    chain: cursor.chain,
                },
                outcomes,
            })
        };
        self.store().write_repeatable("take batch", work)
    }
}

fn commit_one(
    writer: &mut Writer,
    document: (DocumentId, DocumentKind),
    judged: &Judged,
    (store_id, former_stores): (StoreId, &[StoreId]),
    log_epoch: LogEpoch,
    access: &Access,
    now_ms: i64,
) -> Result<DocumentOutcome, rollcall_store::Error> {
    let (id, _) = document;
    let mut given: BTreeMap<Hash, (u64, i64)> = BTreeMap::new();
    let mut scopes = None;
    if let Some(commit) = &judged.commit {
        for change in &commit.new_changes {
            if writer
                .actor_store(change.actor)?
                .is_some_and(|owner| owner != store_id && !former_stores.contains(&owner))
            {
                return keep_apart(
                    writer,
                    document,
                    judged,
                    "ACTOR_FOREIGN",
                    store_id,
                    log_epoch,
                    now_ms,
                );
            }
        }
        let committed = writer.commit_document(commit)?;
        writer.release_taken(id, now_ms)?;
        for change in &commit.new_changes {
            given.insert(change.hash, (committed.position, committed.committed_at_ms));
        }
        scopes = Some(committed.scopes);
        close_rescued(writer, id, judged, store_id, now_ms)?;
    } else if matches!(judged.outcome, Outcome::Rejected(_)) {
        let Outcome::Rejected(code) = &judged.outcome else {
            unreachable!("matched above")
        };
        return keep_apart(writer, document, judged, code, store_id, log_epoch, now_ms);
    }
    for released in &judged.released {
        writer.remove_pending(id, &released.hash)?;
    }
    let origin = Origin {
        store: store_id,
        epoch: log_epoch,
    };
    keep_rest(writer, document, &judged.pending, &judged.refused, origin, now_ms)?;
    let mut positions = Vec::with_capacity(judged.hashes.len());
    for hash in &judged.hashes {
        positions.push(match given.get(hash) {
            Some(position) => *position,
            None => writer.change_position(id, hash)?.unwrap_or_default(),
        });
    }
    let mut scopes = match scopes {
        Some(scopes) => scopes,
        None => writer.scopes_of(id)?,
    };
    scopes.retain(|scope| access.may_read(scope));
    Ok(DocumentOutcome {
        document_id: id,
        outcome: judged.outcome.clone(),
        positions,
        scopes,
    })
}

/// The changes a batch was signed over, in order of the log: document and hash of each.
fn links(batch: &Batch, judged: &[Judged]) -> Vec<u8> {
    let mut links: Vec<(u64, DocumentId, Hash)> = Vec::new();
    for (document, judged) in batch.documents.iter().zip(judged) {
        let hashes = document.changes.iter().zip(&judged.hashes);
        links.extend(hashes.map(|(change, hash)| (change.position, document.document_id, *hash)));
    }
    links.sort_unstable();
    let mut bytes = Vec::with_capacity(links.len() * LINK_BYTES);
    for (_, document, hash) in links {
        bytes.extend_from_slice(document.as_bytes());
        bytes.extend_from_slice(&hash);
    }
    bytes
}

/// What the accepted changes write again is no longer open (`protocol.md` R4).
fn close_rescued(
    writer: &mut Writer,
    id: DocumentId,
    judged: &Judged,
    store_id: StoreId,
    now_ms: i64,
) -> Result<(), rollcall_store::Error> {
    for change in &judged.accepted {
        if let Some(lost) = &change.rescues {
            let note = format!("written again as change {}", hex(&change.hash));
            writer.close_rescued(id, lost, store_id, &note, now_ms)?;
        }
    }
    Ok(())
}

/// Keeps every change of a document apart that its sender may not write.
fn keep_apart(
    writer: &mut Writer,
    document: (DocumentId, DocumentKind),
    judged: &Judged,
    code: &str,
    store_id: StoreId,
    log_epoch: LogEpoch,
    now_ms: i64,
) -> Result<DocumentOutcome, rollcall_store::Error> {
    let (id, kind) = document;
    let origin = Origin {
        store: store_id,
        epoch: log_epoch,
    };
    keep_rest(writer, document, &judged.pending, &judged.refused, origin, now_ms)?;
    for change in &judged.accepted {
        writer.save_quarantine(
            &Refused {
                document_id: id,
                kind,
                hash: Some(change.hash),
                bytes: change.bytes.clone(),
                code: code.to_owned(),
                message: "The sender may not write this document, or it would grow too big.".to_owned(),
                origin_store: store_id,
                program: PROGRAM.to_owned(),
            },
            now_ms,
        )?;
    }
    Ok(DocumentOutcome {
        document_id: id,
        outcome: Outcome::Rejected(code.to_owned()),
        positions: vec![(0, 0); judged.hashes.len()],
        scopes: Vec::new(),
    })
}
