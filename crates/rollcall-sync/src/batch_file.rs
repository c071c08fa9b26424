//! What travels in files instead of a session (`protocol.md` 1.21): a node's batches one way, the answer to them the
//! other. Nobody is there to ask, so each file says where its writer stood and what it builds on; whoever reads it
//! decides by chains, never by the order in which files arrive.
//! Free of any form on disk: sealing, signing and serialising are the edge's.

use rollcall_core::id::{DocumentId, LogEpoch, StoreId};

use crate::message::{Ack, Batch, Cursor, Hello, HelloAck, Receipt};

/// A file from a node, part by part: its head first, then batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpPart {
    /// First.
    Head(Box<UpHead>),
    /// A piece of the node's log, or a loose one (`to` = 0) with what its log does not hold.
    Batch(Box<Batch>),
}

/// Where the node stood when it wrote the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpHead {
    /// Random; names the file.
    pub file_id: [u8; 16],
    /// The node's clock, Unix milliseconds.
    pub made_ms: i64,
    /// Serial number of the certificate it is enrolled with, lower-case hexadecimal.
    pub certificate: String,
    /// X25519 public key that the answer is to be sealed for.
    pub answer_to: [u8; 32],
    /// Holds everything the node has, and wants everything: what both ends lack is not known.
    pub whole: bool,
    /// Where the batches begin: what the aggregator has acknowledged, or the start of the log.
    pub from: Cursor,
    /// Documents of which the gate here refused something; the receipt shall claim nothing about them.
    pub apart: Vec<DocumentId>,
    /// What it would have said at the beginning of a session.
    pub hello: Hello,
}

/// The answer to a file, part by part: its head, acknowledgements, the aggregator's log, the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownPart {
    /// First.
    Head(Box<DownHead>),
    /// The node's log, piece by piece from `DownHead::acks_from`.
    Ack(Box<Ack>),
    /// The aggregator's log from `DownHead::down_from`.
    Batch(Box<Batch>),
    /// Last, where one is due.
    Receipt(Box<Receipt>),
}

/// Where the aggregator stood, and what it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownHead {
    /// The file that it answers.
    pub file_id: [u8; 16],
    /// Store and spell of the node's log that wrote it.
    pub node: (StoreId, LogEpoch),
    /// Whom that file said the node last heard.
    pub known_peer: Option<(StoreId, LogEpoch)>,
    /// That file was whole.
    pub whole: bool,
    /// Where the acknowledgements begin.
    pub acks_from: Cursor,
    /// Position before the first of the aggregator's log; 0 where everything is sent.
    pub down_from: u64,
    /// What it would have said at the beginning of a session; `cursor` is how far it holds the node's log.
    pub ack: HelloAck,
    /// Why nothing is sent down: code and plain sentence.
    pub refusal: Option<(String, String)>,
}

impl UpHead {
    /// Whether this file was written after another one of the same node. Positions say so; clocks only between two spells
    /// of its log, or where nothing moved.
    pub fn is_after(&self, other: &Self) -> bool {
        let stood = |head: &Self| {
            let hello = &head.hello;
            (hello.origin_end.position, hello.down_position, head.made_ms)
        };
        if self.hello.log_epoch == other.hello.log_epoch && self.hello.known_peer == other.hello.known_peer {
            stood(self) > stood(other)
        } else {
            self.made_ms > other.made_ms
        }
    }
}
