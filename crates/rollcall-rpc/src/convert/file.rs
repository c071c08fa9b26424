//! Parts of files that travel instead of a session.

use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_sync::batch_file::{DownHead, DownPart, UpHead, UpPart};
use rollcall_sync::limits::APART_MAX;
use rollcall_sync::message::{Ack, Batch, Hello, HelloAck, Receipt};

use super::{Wire, column, cursor_from_wire, cursor_to_wire, fixed, required};
use crate::error::RpcError;
use crate::pb::sync::{self as pb, down_part, up_part};

/// Store and log epoch in 24 bytes.
fn end_to_wire((store, epoch): &(StoreId, LogEpoch)) -> Vec<u8> {
    [store.as_bytes(), epoch.as_bytes()].concat()
}

fn end_from_wire(bytes: &[u8], field: &'static str) -> Result<(StoreId, LogEpoch), RpcError> {
    let (store, epoch) = required(bytes.split_at_checked(StoreId::LEN), field)?;
    Ok((StoreId(fixed(store, field)?), LogEpoch(fixed(epoch, field)?)))
}

impl Wire for UpHead {
    type Pb = pb::UpHead;

    fn to_wire(&self) -> Result<pb::UpHead, RpcError> {
        Ok(pb::UpHead {
            file_id: self.file_id.to_vec(),
            made_ms: self.made_ms,
            certificate: self.certificate.clone(),
            answer_to: self.answer_to.to_vec(),
            whole: self.whole,
            from: Some(cursor_to_wire(&self.from)),
            apart: column::ids_to_wire(&self.apart),
            hello: Some(self.hello.to_wire()?),
        })
    }

    fn from_wire(wire: pb::UpHead) -> Result<Self, RpcError> {
        Ok(Self {
            file_id: fixed(&wire.file_id, "file id")?,
            made_ms: wire.made_ms,
            certificate: wire.certificate,
            answer_to: fixed(&wire.answer_to, "key for the answer")?,
            whole: wire.whole,
            from: cursor_from_wire(required(wire.from, "from")?)?,
            apart: column::ids_from_wire(&wire.apart, APART_MAX)?,
            hello: Hello::from_wire(required(wire.hello, "hello")?)?,
        })
    }
}

impl Wire for UpPart {
    type Pb = pb::UpPart;

    fn to_wire(&self) -> Result<pb::UpPart, RpcError> {
        use up_part::Part;
        let part = match self {
            Self::Head(head) => Part::Head(head.to_wire()?),
            Self::Batch(batch) => Part::Batch(batch.to_wire()?),
        };
        Ok(pb::UpPart { part: Some(part) })
    }

    fn from_wire(wire: pb::UpPart) -> Result<Self, RpcError> {
        use up_part::Part;
        Ok(match required(wire.part, "part")? {
            Part::Head(head) => Self::Head(Box::new(UpHead::from_wire(head)?)),
            Part::Batch(batch) => Self::Batch(Box::new(Batch::from_wire(batch)?)),
        })
    }
}

impl Wire for DownHead {
    type Pb = pb::DownHead;

    fn to_wire(&self) -> Result<pb::DownHead, RpcError> {
        let (refusal_code, refusal_message) = self.refusal.clone().unwrap_or_default();
        Ok(pb::DownHead {
            file_id: self.file_id.to_vec(),
            node: end_to_wire(&self.node),
            known_peer: self.known_peer.as_ref().map(end_to_wire).unwrap_or_default(),
            whole: self.whole,
            acks_from: Some(cursor_to_wire(&self.acks_from)),
            down_from: self.down_from,
            ack: Some(self.ack.to_wire()?),
            refusal_code,
            refusal_message,
        })
    }

    fn from_wire(wire: pb::DownHead) -> Result<Self, RpcError> {
        let known_peer = if wire.known_peer.is_empty() {
            None
        } else {
            Some(end_from_wire(&wire.known_peer, "known peer")?)
        };
        let refusal = (wire.refusal_code, wire.refusal_message);
        Ok(Self {
            file_id: fixed(&wire.file_id, "file id")?,
            node: end_from_wire(&wire.node, "node")?,
            known_peer,
            whole: wire.whole,
            acks_from: cursor_from_wire(required(wire.acks_from, "acks from")?)?,
            down_from: wire.down_from,
            ack: HelloAck::from_wire(required(wire.ack, "hello ack")?)?,
            refusal: Some(refusal).filter(|(code, _)| !code.is_empty()),
        })
    }
}

impl Wire for DownPart {
    type Pb = pb::DownPart;

    fn to_wire(&self) -> Result<pb::DownPart, RpcError> {
        use down_part::Part;
        let part = match self {
            Self::Head(head) => Part::Head(head.to_wire()?),
            Self::Ack(ack) => Part::Ack(ack.to_wire()?),
            Self::Batch(batch) => Part::Batch(batch.to_wire()?),
            Self::Receipt(receipt) => Part::Receipt(receipt.to_wire()?),
        };
        Ok(pb::DownPart { part: Some(part) })
    }

    fn from_wire(wire: pb::DownPart) -> Result<Self, RpcError> {
        use down_part::Part;
        Ok(match required(wire.part, "part")? {
            Part::Head(head) => Self::Head(Box::new(DownHead::from_wire(head)?)),
            Part::Ack(ack) => Self::Ack(Box::new(Ack::from_wire(ack)?)),
            Part::Batch(batch) => Self::Batch(Box::new(Batch::from_wire(batch)?)),
            Part::Receipt(receipt) => Self::Receipt(Box::new(Receipt::from_wire(receipt)?)),
        })
    }
}
