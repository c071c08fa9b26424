//! Taking a node's batch at the aggregator: signature, chain, permission, gate, one transaction, ack.
//! A document that fails is kept apart and the rest is applied; a batch whose chain or signature is wrong is refused whole.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rollcall_core::fact::Facts;
use rollcall_core::id::{DocumentId, DocumentKind, FederationId, LogEpoch, StoreId};
use rollcall_doc::gate::{AcceptedChange, Admission, PendingChange as PendingHere, RefusedChange};
use rollcall_store::commit::DocumentCommit;
use rollcall_store::cursor::CursorAdvance;
use rollcall_store::quarantine::{PendingChange, Refused};
use rollcall_store::receipt::{BatchEvidence, LINK_BYTES};
use rollcall_store::{Hash, Pending, Writer};
use rollcall_sync::fingerprint::{change_hash, origin_chain};
use rollcall_sync::keys::Verify;
use rollcall_sync::limits::{
    BATCH_DOCUMENTS_MAX, DOCUMENT_BYTES_MAX, KEPT_APART_BYTES_MAX, KEPT_APART_CHANGES_MAX,
};
use rollcall_sync::message::{Ack, Batch, Cursor, DocumentChanges, DocumentOutcome, Outcome};
use rollcall_sync::permission::{Write, may_write};

use crate::error::Error;
use crate::grants::{Access, related};
use crate::parallel;
use crate::prepare::{Origin, Prepared, Waiting};
use crate::replica::{PROGRAM, Replica, hex};

/// The peer a batch comes from.
#[derive(Clone)]
pub struct PeerContext {
    /// Name in the enrolment.
    pub peer_id: String,
    /// Its store.
    pub store_id: StoreId,
    /// Spell of its log.
    pub log_epoch: LogEpoch,
    /// Its Ed25519 public key.
    pub signing_key: Vec<u8>,
    /// What it may write and read.
    pub access: Access,
    /// Stores that worked with the same signing key before: what their actors wrote, this one may go on with.
    pub former_stores: Vec<StoreId>,
}

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

/// What became of a document, before the commit gives its position.
struct Judged {
    /// Hash of each change sent, in order.
    hashes: Vec<Hash>,
    accepted: Vec<AcceptedChange>,
    pending: Vec<PendingHere>,
    refused: Vec<RefusedChange>,
    released: Vec<Waiting>,
    commit: Option<DocumentCommit>,
    outcome: Outcome,
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
            let judged = self.judge_up(peer, batch, now_ms)?;
            match self.start_commit(peer, batch, judged, now_ms).wait() {
                Err(rollcall_store::Error::Stale(_)) => {}
                other => return Ok(other.map_err(Error::from)?),
            }
        }
        Err(Error::Busy(DocumentId::default()).into())
    }

    /// Sends every document of a batch through gate and permission, spread over the cores.
    ///
    /// # Errors
    /// `TooBig`, or the store's.
    pub(crate) fn judge_up(
        &self,
        peer: &PeerContext,
        batch: &Batch,
        now_ms: i64,
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
                    let judge = |incoming: &&DocumentChanges| {
                        let prepared = Prepared::admit(reader, incoming, &pending, peer.store_id)?;
                        let homes = match prepared.held.row {
                            Some(_) => reader.homes_of(incoming.document_id)?,
                            None => Vec::new(),
                        };
                        Ok(judge_one(
                            peer,
                            origin,
                            prepared,
                            homes.into_iter().collect(),
                            now_ms,
                        ))
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
        let (store_id, log_epoch) = (peer.store_id, peer.log_epoch);
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
        self.store().write("take batch", work)
    }
}

/// A batch after gate and permission, before its commit.
pub(crate) struct JudgedBatch(Vec<Judged>);

fn judge_one(
    peer: &PeerContext,
    origin: Origin,
    prepared: Prepared,
    homes: BTreeSet<FederationId>,
    now_ms: i64,
) -> Judged {
    let admission = &prepared.admission;
    let places = places(prepared.facts.as_ref());
    let write = Write {
        kind: prepared.held.document.kind(),
        homes_before: &homes,
        homes_named: &prepared.mentions.homes,
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
    let held = prepared.held.row.as_ref().map_or(0, |row| row.bytes_total);
    let new: usize = prepared
        .admission
        .accepted
        .iter()
        .map(|change| change.bytes.len())
        .sum();
    held + new as u64 > DOCUMENT_BYTES_MAX as u64
}

fn places(facts: Option<&Facts>) -> Vec<u32> {
    let Some(Facts::Organisation(facts)) = facts else {
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
    keep_rest(writer, document, judged, store_id, log_epoch, now_ms)?;
    let mut positions = Vec::with_capacity(judged.hashes.len());
    for hash in &judged.hashes {
        positions.push(match given.get(hash) {
            Some(position) => *position,
            None => writer.change_position(id, hash)?.unwrap_or_default(),
        });
    }
    let scopes = writer
        .scopes_of(id)?
        .into_iter()
        .filter(|scope| access.may_read(scope))
        .collect();
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

/// Keeps what waits for another change, and what the gate refused.
fn keep_rest(
    writer: &mut Writer,
    (id, kind): (DocumentId, DocumentKind),
    judged: &Judged,
    store_id: StoreId,
    log_epoch: LogEpoch,
    now_ms: i64,
) -> Result<(), rollcall_store::Error> {
    for pending in &judged.pending {
        let change = PendingChange {
            document_id: id,
            kind,
            hash: pending.hash,
            missing: pending.missing.clone(),
            origin_store: store_id,
            origin_epoch: log_epoch,
            position: 0,
            committed_at_ms: 0,
            first_seen_ms: now_ms,
            bytes: pending.bytes.clone(),
        };
        writer.save_pending(&change)?;
    }
    for refused in &judged.refused {
        writer.save_quarantine(
            &Refused {
                document_id: id,
                kind,
                hash: refused.hash,
                bytes: refused.bytes.clone(),
                code: refused.code.to_owned(),
                message: refused.message.clone(),
                origin_store: store_id,
                program: PROGRAM.to_owned(),
            },
            now_ms,
        )?;
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
    keep_rest(writer, document, judged, store_id, log_epoch, now_ms)?;
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
