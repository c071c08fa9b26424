//! Frames of a session and the two that open it.

use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_sync::limits::APART_MAX;
use rollcall_sync::message::{
    Ack, Batch, ClientFrame, Hello, HelloAck, PartialReceipt, Receipt, RepairReason, ScopeGrant, ServerFrame,
    Verdict,
};

use super::{
    Wire, column, cursor_from_wire, cursor_to_wire, fixed, hash_from_wire, hash_to_wire, required,
    scope_from_wire, set_from_wire, set_to_wire,
};
use crate::error::RpcError;
use crate::pb::sync::{self as pb, client_frame, server_frame};

impl Wire for Hello {
    type Pb = pb::Hello;

    fn to_wire(&self) -> Result<pb::Hello, RpcError> {
        let known_peer = self
            .known_peer
            .map(|(store, epoch)| [store.as_bytes(), epoch.as_bytes()].concat());
        Ok(pb::Hello {
            protocol: self.protocol,
            version: self.version.clone(),
            session_id: self.session_id.to_vec(),
            store_id: self.store_id.as_bytes().to_vec(),
            log_epoch: self.log_epoch.as_bytes().to_vec(),
            boot_id: self.boot_id.to_vec(),
            origin_end: Some(cursor_to_wire(&self.origin_end)),
            acknowledged: (self.acknowledged != self.origin_end).then(|| cursor_to_wire(&self.acknowledged)),
            known_peer: known_peer.unwrap_or_default(),
            down_position: self.down_position,
            scopes_hash: hash_to_wire(&self.scopes_hash),
            set: Some(set_to_wire(&self.set)),
            receipt_hash: hash_to_wire(&self.receipt_hash),
            takes_place: self.takes_place,
            grants_hash: if self.grants_hash == [0; 8] {
                Vec::new()
            } else {
                self.grants_hash.to_vec()
            },
            live: self.live,
            partial_receipts: self.partial_receipts,
            digest_first: self.digest_first,
            cluster_epoch: self.cluster_epoch,
        })
    }

    fn from_wire(wire: pb::Hello) -> Result<Self, RpcError> {
        let origin_end = cursor_from_wire(required(wire.origin_end, "origin end")?)?;
        let known_peer = match wire.known_peer.split_at_checked(StoreId::LEN) {
            _ if wire.known_peer.is_empty() => None,
            Some((store, epoch)) => Some((
                StoreId(fixed(store, "known peer")?),
                LogEpoch(fixed(epoch, "known peer")?),
            )),
            None => return Err(RpcError::Malformed { field: "known peer" }),
        };
        Ok(Self {
            protocol: wire.protocol,
            version: wire.version,
            session_id: fixed(&wire.session_id, "session id")?,
            store_id: StoreId(fixed(&wire.store_id, "store id")?),
            log_epoch: LogEpoch(fixed(&wire.log_epoch, "log epoch")?),
            boot_id: fixed(&wire.boot_id, "boot id")?,
            origin_end,
            acknowledged: wire.acknowledged.map_or(Ok(origin_end), cursor_from_wire)?,
            known_peer,
            down_position: wire.down_position,
            scopes_hash: hash_from_wire(&wire.scopes_hash, "scopes hash")?,
            set: set_from_wire(required(wire.set, "set")?)?,
            receipt_hash: hash_from_wire(&wire.receipt_hash, "receipt hash")?,
            takes_place: wire.takes_place,
            grants_hash: if wire.grants_hash.is_empty() {
                [0; 8]
            } else {
                fixed(&wire.grants_hash, "grants hash")?
            },
            live: wire.live,
            partial_receipts: wire.partial_receipts,
            digest_first: wire.digest_first,
            cluster_epoch: wire.cluster_epoch,
        })
    }
}

const VERDICTS: [(Verdict, pb::Verdict); 7] = [
    (Verdict::InSync, pb::Verdict::InSync),
    (Verdict::CatchUp, pb::Verdict::CatchUp),
    (
        Verdict::Repair(RepairReason::NoCursor),
        pb::Verdict::RepairNoCursor,
    ),
    (
        Verdict::Repair(RepairReason::EpochChanged),
        pb::Verdict::RepairEpochChanged,
    ),
    (
        Verdict::Repair(RepairReason::ChainMismatch),
        pb::Verdict::RepairChainMismatch,
    ),
    (
        Verdict::Repair(RepairReason::ReceiverAhead),
        pb::Verdict::RepairReceiverAhead,
    ),
    (
        Verdict::Repair(RepairReason::DigestMismatch),
        pb::Verdict::RepairDigestMismatch,
    ),
];

fn verdict_to_wire(verdict: Verdict) -> i32 {
    let found = VERDICTS.into_iter().find(|(ours, _)| *ours == verdict);
    found.map_or(pb::Verdict::Unspecified, |(_, wire)| wire).into()
}

fn verdict_from_wire(number: i32) -> Result<Verdict, RpcError> {
    let found = VERDICTS.into_iter().find(|(_, wire)| i32::from(*wire) == number);
    required(found.map(|(ours, _)| ours), "verdict")
}

impl Wire for HelloAck {
    type Pb = pb::HelloAck;

    fn to_wire(&self) -> Result<pb::HelloAck, RpcError> {
        let grant = |grant: &ScopeGrant| pb::ScopeGrant {
            scope: grant.scope.to_string(),
            write: grant.write,
        };
        Ok(pb::HelloAck {
            store_id: self.store_id.as_bytes().to_vec(),
            log_epoch: self.log_epoch.as_bytes().to_vec(),
            verdict: verdict_to_wire(self.verdict),
            cursor: Some(cursor_to_wire(&self.cursor)),
            position: self.position,
            time_ms: self.time_ms,
            scopes: self.scopes.iter().map(grant).collect(),
            set: Some(set_to_wire(&self.set)),
            receipt_hash: hash_to_wire(&self.receipt_hash),
            rebuilding: self.rebuilding,
            live: self.live,
            cluster_epoch: self.cluster_epoch,
            wants_proof: self.wants_proof,
        })
    }

    fn from_wire(wire: pb::HelloAck) -> Result<Self, RpcError> {
        let grant = |grant: pb::ScopeGrant| {
            Ok(ScopeGrant {
                scope: scope_from_wire(&grant.scope)?,
                write: grant.write,
            })
        };
        Ok(Self {
            store_id: StoreId(fixed(&wire.store_id, "store id")?),
            log_epoch: LogEpoch(fixed(&wire.log_epoch, "log epoch")?),
            verdict: verdict_from_wire(wire.verdict)?,
            cursor: cursor_from_wire(required(wire.cursor, "cursor")?)?,
            position: wire.position,
            time_ms: wire.time_ms,
            scopes: wire
                .scopes
                .into_iter()
                .map(grant)
                .collect::<Result<_, RpcError>>()?,
            set: set_from_wire(required(wire.set, "set")?)?,
            receipt_hash: hash_from_wire(&wire.receipt_hash, "receipt hash")?,
            rebuilding: wire.rebuilding,
            live: wire.live,
            cluster_epoch: wire.cluster_epoch,
            wants_proof: wire.wants_proof,
        })
    }
}

impl Wire for ClientFrame {
    type Pb = pb::ClientFrame;

    fn to_wire(&self) -> Result<pb::ClientFrame, RpcError> {
        use client_frame::Frame;
        let frame = match self {
            Self::Hello(hello) => Frame::Hello(hello.to_wire()?),
            Self::Batch(batch) => Frame::Batch(batch.to_wire()?),
            Self::Applied { position, set } => Frame::Applied(pb::Applied {
                position: *position,
                set: Some(set_to_wire(set)),
            }),
            Self::WantReceipt { apart } => Frame::WantReceipt(pb::WantReceipt {
                apart: column::ids_to_wire(apart),
            }),
            Self::Compare => Frame::Compare(pb::Compare {}),
            Self::Proof(receipt) => Frame::Proof(receipt.to_wire()?),
        };
        Ok(pb::ClientFrame { frame: Some(frame) })
    }

    fn from_wire(wire: pb::ClientFrame) -> Result<Self, RpcError> {
        use client_frame::Frame;
        Ok(match required(wire.frame, "frame")? {
            Frame::Hello(hello) => Self::Hello(Box::new(Hello::from_wire(hello)?)),
            Frame::Batch(batch) => Self::Batch(Box::new(Batch::from_wire(batch)?)),
            Frame::Applied(applied) => Self::Applied {
                position: applied.position,
                set: set_from_wire(required(applied.set, "set")?)?,
            },
            Frame::WantReceipt(wanted) => Self::WantReceipt {
                apart: column::ids_from_wire(&wanted.apart, APART_MAX)?,
            },
            Frame::Compare(pb::Compare {}) => Self::Compare,
            Frame::Proof(receipt) => Self::Proof(Box::new(Receipt::from_wire(receipt)?)),
        })
    }
}

impl Wire for ServerFrame {
    type Pb = pb::ServerFrame;

    fn to_wire(&self) -> Result<pb::ServerFrame, RpcError> {
        use server_frame::Frame;
        let frame = match self {
            Self::HelloAck(ack) => Frame::HelloAck(ack.to_wire()?),
            Self::Batch(batch) => Frame::Batch(batch.to_wire()?),
            Self::Ack(ack) => Frame::Ack(ack.to_wire()?),
            Self::Receipt(receipt) => Frame::Receipt(receipt.to_wire()?),
            Self::PartialReceipt(partial) => Frame::PartialReceipt(partial.to_wire()?),
            Self::Busy { retry_after_ms } => Frame::Busy(pb::Busy {
                retry_after_ms: *retry_after_ms,
            }),
            Self::Goaway {
                code,
                message,
                drain_ms,
            } => Frame::Goaway(pb::Goaway {
                code: code.clone(),
                message: message.clone(),
                drain_ms: *drain_ms,
            }),
            Self::Compared { set } => Frame::Compared(pb::Compared {
                set: Some(set_to_wire(set)),
            }),
        };
        Ok(pb::ServerFrame { frame: Some(frame) })
    }

    fn from_wire(wire: pb::ServerFrame) -> Result<Self, RpcError> {
        use server_frame::Frame;
        Ok(match required(wire.frame, "frame")? {
            Frame::HelloAck(ack) => Self::HelloAck(Box::new(HelloAck::from_wire(ack)?)),
            Frame::Batch(batch) => Self::Batch(Box::new(Batch::from_wire(batch)?)),
            Frame::Ack(ack) => Self::Ack(Box::new(Ack::from_wire(ack)?)),
            Frame::Receipt(receipt) => Self::Receipt(Box::new(Receipt::from_wire(receipt)?)),
            Frame::PartialReceipt(partial) => {
                Self::PartialReceipt(Box::new(PartialReceipt::from_wire(partial)?))
            }
            Frame::Busy(busy) => Self::Busy {
                retry_after_ms: busy.retry_after_ms,
            },
            Frame::Goaway(goaway) => Self::Goaway {
                code: goaway.code,
                message: goaway.message,
                drain_ms: goaway.drain_ms,
            },
            Frame::Compared(compared) => Self::Compared {
                set: set_from_wire(required(compared.set, "set")?)?,
            },
        })
    }
}
