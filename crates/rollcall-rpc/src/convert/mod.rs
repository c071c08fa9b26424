//! Messages of the protocol to protobuf and back, without loss; what does not fit is refused by name.
//! Owns lengths, known numbers and sizes; leaves what a message means to `rollcall-sync`.

mod column;
mod documents;
mod file;
mod frame;
mod packed;
mod receipt;
mod repair;
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use rollcall_core::id::FederationId;
use rollcall_sync::limits::MESSAGE_BYTES_MAX;
use rollcall_sync::message::{Cursor, Hash, SetSum};

use crate::error::RpcError;
use crate::pb::sync as pb;

/// Largest part of an answer that travels in parts.
const PIECE_BYTES: usize = 256 * 1024;

/// A message that has a form on the wire.
pub(crate) trait Wire: Sized {
    /// That form.
    type Pb;

    /// To the wire; fails only where a limit is passed.
    fn to_wire(&self) -> Result<Self::Pb, RpcError>;

    /// From the wire; fails where a part is missing, of the wrong length or unknown.
    fn from_wire(wire: Self::Pb) -> Result<Self, RpcError>;
}

/// A message below the limit of gRPC messages.
pub(crate) fn sized<M: prost::Message>(message: M) -> Result<M, RpcError> {
    match message.encoded_len() {
        bytes if bytes > MESSAGE_BYTES_MAX => Err(RpcError::TooLarge {
            what: "message",
            bytes,
            limit: MESSAGE_BYTES_MAX,
        }),
        _ => Ok(message),
    }
}

/// A serialised message in parts that each fit a gRPC message with room to spare.
pub(crate) fn into_pieces(message: &impl prost::Message) -> Vec<pb::Piece> {
    let bytes = message.encode_to_vec();
    bytes
        .chunks(PIECE_BYTES)
        .map(|part| pb::Piece { part: part.to_vec() })
        .collect()
}

/// The parts again as one, growing as they come, up to a limit.
#[derive(Default)]
pub(crate) struct Pieces(Vec<u8>);

impl Pieces {
    pub(crate) fn push(&mut self, piece: &pb::Piece) -> Result<(), RpcError> {
        self.0.extend_from_slice(&piece.part);
        if self.0.len() > packed::ANSWER_RAW_BYTES_MAX {
            let (bytes, limit) = (self.0.len(), packed::ANSWER_RAW_BYTES_MAX);
            return Err(RpcError::TooLarge {
                what: "answer",
                bytes,
                limit,
            });
        }
        Ok(())
    }

    pub(crate) fn read<W: Wire<Pb: prost::Message + Default>>(self) -> Result<W, RpcError> {
        let wire =
            prost::Message::decode(self.0.as_slice()).map_err(|_| RpcError::Malformed { field: "answer" })?;
        W::from_wire(wire)
    }
}

/// A hash as bytes; nothing where it is all zero.
fn hash_to_wire(hash: &Hash) -> Vec<u8> {
    if *hash == [0; 32] {
        Vec::new()
    } else {
        hash.to_vec()
    }
}

fn hash_from_wire(bytes: &[u8], field: &'static str) -> Result<Hash, RpcError> {
    if bytes.is_empty() {
        Ok([0; 32])
    } else {
        fixed(bytes, field)
    }
}

pub(crate) fn fixed<const N: usize>(bytes: &[u8], field: &'static str) -> Result<[u8; N], RpcError> {
    bytes.try_into().map_err(|_| RpcError::Malformed { field })
}

/// A part that must be there.
fn required<T>(part: Option<T>, field: &'static str) -> Result<T, RpcError> {
    part.ok_or(RpcError::Malformed { field })
}

pub(crate) fn scope_from_wire(text: &str) -> Result<FederationId, RpcError> {
    text.parse().map_err(|_| RpcError::Malformed { field: "scope" })
}

/// Ed25519 signature, or nothing.
fn signature_from_wire(bytes: Vec<u8>) -> Result<Vec<u8>, RpcError> {
    if matches!(bytes.len(), 0 | 64) {
        Ok(bytes)
    } else {
        Err(RpcError::Malformed { field: "signature" })
    }
}

fn cursor_to_wire(cursor: &Cursor) -> pb::Cursor {
    pb::Cursor {
        position: cursor.position,
        chain: hash_to_wire(&cursor.chain),
    }
}

fn cursor_from_wire(wire: pb::Cursor) -> Result<Cursor, RpcError> {
    Ok(Cursor {
        position: wire.position,
        chain: hash_from_wire(&wire.chain, "chain")?,
    })
}

fn set_to_wire(set: &SetSum) -> pb::SetSum {
    pb::SetSum {
        count: set.count,
        sum: hash_to_wire(&set.sum),
    }
}

fn set_from_wire(wire: pb::SetSum) -> Result<SetSum, RpcError> {
    Ok(SetSum {
        count: wire.count,
        sum: hash_from_wire(&wire.sum, "set sum")?,
    })
}
