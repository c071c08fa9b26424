//! The answer to a node's file, out of what is stored: it can be made again, and later, and is the same but for what
//! happened since. Acknowledgements come from the evidence that is kept of every batch.

use std::collections::{BTreeMap, VecDeque};

use rollcall_core::id::DocumentId;
use rollcall_store::receipt::{BatchEvidence, LINK_BYTES};
use rollcall_store::{Hash, Reader};
use rollcall_sync::batch_file::{DownHead, DownPart, UpHead};
use rollcall_sync::fingerprint::change_hash;
use rollcall_sync::keys::Sign;
use rollcall_sync::message::{
    Ack, Cursor, DocumentOutcome, HelloAck, Outcome, RepairReason, SetSum, Verdict,
};
use rollcall_sync::session::server::{CLONED, CLONED_MESSAGE};

use crate::error::Error;
use crate::peer::{PeerContext, grants_of, scopes_hash_at};
use crate::replica::Replica;
use crate::rescue::FORKED;
use crate::send_down::peer_scopes;

/// Pieces of evidence read in one snapshot.
const PIECES_MAX: usize = 64;

/// An answer on its way out.
pub struct Answering<'a> {
    replica: &'a Replica,
    peer: PeerContext,
    keys: &'a dyn Sign,
    head: DownHead,
    next: Next,
    acks: VecDeque<Ack>,
    /// Documents that a receipt claims nothing about; none where no receipt is due.
    receipt_without: Option<Vec<DocumentId>>,
    now_ms: i64,
}

/// What comes next.
enum Next {
    Ack(Cursor),
    Down(u64),
    Part(Box<DownPart>),
    End,
}

impl Replica {
    /// Begins the answer to a file of this peer. `head` is that of its newest.
    ///
    /// # Errors
    /// The store's.
    pub fn begin_answer<'a>(
        &'a self,
        mut peer: PeerContext,
        head: &UpHead,
        keys: &'a dyn Sign,
        now_ms: i64,
    ) -> Result<Answering<'a>, Error> {
        peer.log_epoch = head.hello.log_epoch;
        let (answer, receipt_due) = self.read(|reader| stand(reader, &peer, head, now_ms))?;
        Ok(Answering {
            replica: self,
            next: Next::Ack(answer.acks_from),
            acks: VecDeque::new(),
            receipt_without: receipt_due.then(|| head.apart.clone()),
            peer,
            keys,
            head: answer,
            now_ms,
        })
    }
}

/// Where the aggregator stands against a file, and whether a receipt can be given for it.
fn stand(reader: &Reader, peer: &PeerContext, head: &UpHead, now_ms: i64) -> Result<(DownHead, bool), Error> {
    let hello = &head.hello;
    let identity = reader.identity();
    let own = (identity.store_id, identity.log_epoch);
    let scopes = peer_scopes(reader, peer)?;
    let held = reader
        .peer_cursor(peer.store_id, peer.log_epoch)?
        .map(|row| Cursor {
            position: row.cursor.position,
            chain: row.cursor.chain,
        })
        .unwrap_or_default();
    // After a restore positions were given anew, and only both logs say which: all of them is asked for.
    let anew = hello.known_peer.is_some_and(|known| known != own);
    let gap = head.from.position > held.position;
    let verdict = if anew {
        Verdict::Repair(RepairReason::EpochChanged)
    } else if gap {
        Verdict::Repair(RepairReason::NoCursor)
    } else {
        Verdict::CatchUp
    };
    let position = reader.position()?;
    let fits = !head.whole
        && hello.known_peer == Some(own)
        && hello.down_position <= position
        && scopes_hash_at(reader, &scopes, hello.down_position)? == hello.scopes_hash;
    let fenced = reader
        .enrolment(&peer.peer_id)?
        .is_some_and(|row| row.fenced_ms.is_some());
    let drained = held.position >= hello.origin_end.position;
    let set = reader.set_sum(&scopes)?;
    let ack = HelloAck {
        store_id: own.0,
        log_epoch: own.1,
        verdict,
        cursor: held,
        position,
        time_ms: now_ms,
        scopes: grants_of(peer, &scopes),
        set: SetSum {
            count: set.count,
            sum: set.sum,
        },
        receipt_hash: [0; 32],
        rebuilding: reader.is_recovering()?,
        live: false,
        cluster_epoch: reader.cluster_epoch()?,
        wants_proof: false,
    };
    let answer = DownHead {
        file_id: head.file_id,
        node: (peer.store_id, peer.log_epoch),
        known_peer: hello.known_peer,
        whole: head.whole,
        acks_from: if anew {
            Cursor::default()
        } else if gap {
            held
        } else {
            head.from
        },
        down_from: if fits { hello.down_position } else { 0 },
        ack,
        refusal: fenced.then(|| (CLONED.to_owned(), CLONED_MESSAGE.to_owned())),
    };
    let receipt_due = drained && !fenced && !gap && (!anew || head.from.position == 0);
    Ok((answer, receipt_due))
}

impl Answering<'_> {
    /// The first part.
    pub fn head(&self) -> &DownHead {
        &self.head
    }

    /// The next part behind the head; none at the end.
    ///
    /// # Errors
    /// The store's.
    pub fn next_part(&mut self) -> Result<Option<DownPart>, Error> {
        loop {
            match std::mem::replace(&mut self.next, Next::End) {
                Next::Ack(after) => {
                    if self.acks.is_empty() {
                        self.acks = self.acks_after(after)?;
                    }
                    if let Some(ack) = self.acks.pop_front() {
                        self.next = Next::Ack(ack.cursor);
                        return Ok(Some(DownPart::Ack(Box::new(ack))));
                    }
                    if self.head.refusal.is_none() {
                        self.next = Next::Down(self.head.down_from);
                    }
                }
                Next::Down(after) => {
                    let without = self.receipt_without.as_deref();
                    let (batch, receipt) =
                        self.replica
                            .load_down(&self.peer, after, without, self.keys, self.now_ms)?;
                    if let Some(receipt) = receipt {
                        let own = (receipt.store_id, receipt.log_epoch);
                        let heard = self.head.known_peer == Some(own);
                        self.replica.keep_given_receipt(&self.peer, &receipt, heard)?;
                        self.next = Next::Part(Box::new(DownPart::Receipt(Box::new(receipt))));
                    } else if !batch.drained {
                        self.next = Next::Down(batch.to);
                    }
                    if batch.drained || !batch.documents.is_empty() {
                        return Ok(Some(DownPart::Batch(Box::new(batch))));
                    }
                }
                Next::Part(part) => return Ok(Some(*part)),
                Next::End => return Ok(None),
            }
        }
    }

    fn acks_after(&self, after: Cursor) -> Result<VecDeque<Ack>, Error> {
        self.replica.read(|reader| {
            let held = reader.peer_cursor(self.peer.store_id, self.peer.log_epoch)?;
            let held = held.map_or(0, |row| row.cursor.position);
            let (store, epoch) = (self.peer.store_id, self.peer.log_epoch);
            let evidence = reader.evidence_after(store, epoch, after.position, PIECES_MAX)?;
            let mut acks = VecDeque::new();
            let mut position = after.position;
            for piece in evidence.iter().filter(|piece| piece.to_position <= held) {
                let Some(ack) = ack_of(reader, &self.peer, piece, position)? else {
                    break;
                };
                position = ack.cursor.position;
                acks.push_back(ack);
            }
            Ok(acks)
        })
    }
}

/// What became of the changes behind a position that a piece of evidence is about; `None` where some before it are missing.
fn ack_of(
    reader: &Reader,
    peer: &PeerContext,
    piece: &BatchEvidence,
    after: u64,
) -> Result<Option<Ack>, Error> {
    let links = piece.links.chunks_exact(LINK_BYTES);
    let first = piece.to_position - (links.len() as u64).min(piece.to_position);
    if first > after || links.len() == 0 {
        return Ok(None);
    }
    let mut order: Vec<DocumentId> = Vec::new();
    let mut hashes: BTreeMap<DocumentId, Vec<Hash>> = BTreeMap::new();
    for link in links.skip(usize::try_from(after - first).unwrap_or(usize::MAX)) {
        let (id, hash) = link.split_at(DocumentId::LEN);
        let (Some(id), Ok(hash)) = (DocumentId::from_slice(id), Hash::try_from(hash)) else {
            return Ok(None);
        };
        let of = hashes.entry(id).or_default();
        if of.is_empty() {
            order.push(id);
        }
        of.push(hash);
    }
    let outcomes = order
        .into_iter()
        .map(|id| outcome_of(reader, peer, id, hashes.remove(&id).unwrap_or_default()))
        .collect::<Result<_, Error>>()?;
    Ok(Some(Ack {
        cursor: Cursor {
            position: piece.to_position,
            chain: piece.end_chain,
        },
        outcomes,
    }))
}

fn outcome_of(
    reader: &Reader,
    peer: &PeerContext,
    id: DocumentId,
    hashes: Vec<Hash>,
) -> Result<DocumentOutcome, Error> {
    let mut positions = Vec::with_capacity(hashes.len());
    for hash in &hashes {
        positions.push(reader.change_position(id, hash)?.unwrap_or_default());
    }
    let missing: Vec<&Hash> = hashes
        .iter()
        .zip(&positions)
        .filter(|(_, (position, _))| *position == 0)
        .map(|(hash, _)| hash)
        .collect();
    let outcome = if missing.is_empty() {
        Outcome::Applied
    } else {
        let kept = reader.quarantine_of(id)?;
        let mut codes = kept
            .iter()
            .filter(|row| missing.contains(&&change_hash(&row.refused.bytes)))
            .map(|row| row.refused.code.as_str());
        match codes.next() {
            Some(FORKED) => Outcome::Forked,
            Some(code) => Outcome::Quarantined(code.to_owned()),
            None => Outcome::Pending,
        }
    };
    let mut scopes = reader.scopes_of(id)?;
    scopes.retain(|scope| peer.access.may_read(scope));
    Ok(DocumentOutcome {
        document_id: id,
        outcome,
        positions,
        scopes,
    })
}
