//! What a session cannot do without: the changes themselves, compressed as one piece, what proves them, and the round trips
//! that TCP, TLS 1.3 and a question with its answer take. Measured sessions stand beside it (`protocol.md` 4.8).

use std::time::Duration;

use anyhow::{Context, Result};
use rollcall_replica::Replica;
use rollcall_rpc::SigningKey;
use rollcall_store::Store;
use rollcall_sync::message::Cursor;

use super::Row;
use crate::loopback::Node;

/// Of TCP, TLS 1.3, and the session.
pub(super) const ROUND_TRIPS: u32 = 3;
/// A document's id: a hash, which nothing compresses.
const DOCUMENT_BYTES: u64 = 16;
/// Of a batch and its ack: a signature and two chains, and the least that HTTP/2 and gRPC put around each.
const BATCH_BYTES: u64 = 64 + 2 * 32 + 2 * (9 + 5);
/// Of a session: the opening of HTTP/2 with the settings of both ends and their answers, headers and trailers at their
/// shortest, and of Hello, its answer and the receipt only the hashes, ids and signatures.
const SESSION_BYTES: u64 = 24 + 4 * 9 + 2 * 40 + 20 + 8 * 32 + 4 * 16 + 64 + 6 * (9 + 5);
/// Balanced: the last few hundredths would take many times as long.
const COMPRESSION: i32 = 9;

/// The least that a session has to carry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Floor {
    bytes: u64,
}

impl Floor {
    /// Of a session that sends what a node has not sent yet.
    pub(super) fn of_unsent(node: &Node) -> Result<Self> {
        let replica = open(node)?;
        let acknowledged = replica
            .hello("")
            .context("read where the node stands")?
            .acknowledged;
        Self::after(&replica, acknowledged)
    }

    /// Of a session that carries everything a node has ever written.
    pub(super) fn of_all(node: &Node) -> Result<Self> {
        Self::after(&open(node)?, Cursor::default())
    }

    /// Of a session in which nothing has changed.
    pub(super) fn of_nothing() -> Self {
        Self { bytes: SESSION_BYTES }
    }

    fn after(replica: &Replica, mut after: Cursor) -> Result<Self> {
        // The signatures on these batches go nowhere.
        let key = SigningKey::generate().context("make a key")?;
        let (mut changes, mut documents, mut batches) = (Vec::new(), 0, 0);
        loop {
            let batch = replica
                .load_up(&after, &key)
                .context("read the node's log")?
                .context("find the node's log where it was acknowledged")?;
            documents += batch.documents.len() as u64;
            batches += u64::from(!batch.documents.is_empty());
            for change in batch.documents.iter().flat_map(|document| &document.changes) {
                changes.extend_from_slice(&change.bytes);
            }
            if batch.drained {
                break;
            }
            after = Cursor {
                position: batch.to,
                chain: batch.end_chain,
            };
        }
        let compressed = zstd::bulk::compress(&changes, COMPRESSION).context("compress the changes")?;
        Ok(Self {
            bytes: compressed.len() as u64
                + documents * DOCUMENT_BYTES
                + batches * BATCH_BYTES
                + SESSION_BYTES,
        })
    }

    /// Writes it beside what was measured.
    pub(super) fn beside(self, row: Row, round_trip: Duration) -> Row {
        let delay_ms = round_trip.as_secs_f64() * 1000.0;
        Row {
            delay_ms: Some(delay_ms),
            floor_ms: (delay_ms > 0.0).then(|| delay_ms * f64::from(ROUND_TRIPS)),
            floor_bytes: Some(self.bytes),
            ..row
        }
    }
}

fn open(node: &Node) -> Result<Replica> {
    let store = Store::open(&node.data.join("store.db")).context("open the node's store")?;
    Ok(Replica::new(store))
}
