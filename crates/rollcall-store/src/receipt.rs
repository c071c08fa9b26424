//! Signed receipts and the origins' signatures, kept as evidence on both sides.
//! Stored as bytes with a checksum of their own; making and checking signatures is the caller's.

use rollcall_core::id::{LogEpoch, StoreId};
use rusqlite::params;
use sha2::{Digest, Sha256};

use crate::Hash;
use crate::error::Error;
use crate::scope::SetSum;
use crate::sqlite::{Reader, RowExt, Writer, to_i64};

/// A receipt as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRow {
    /// The protocol's name of it.
    pub hash: Hash,
    /// The node it is about.
    pub origin_store: StoreId,
    /// The aggregator's position it is about.
    pub position: u64,
    /// When it was signed.
    pub time_ms: i64,
    /// Sum over the node's scopes that it was computed from.
    pub set: SetSum,
    /// In the caller's encoding, with signature.
    pub bytes: Vec<u8>,
    /// Signature and content were checked here.
    pub verified: bool,
}

/// An origin's signature over its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchEvidence {
    /// Whose log.
    pub origin_store: StoreId,
    /// Which spell of it.
    pub log_epoch: LogEpoch,
    /// Up to which position.
    pub to_position: u64,
    /// Its chain there.
    pub end_chain: Hash,
    /// The signature.
    pub signature: Vec<u8>,
    /// Public key that verified it.
    pub signing_key: Vec<u8>,
    /// When it arrived.
    pub received_at_ms: i64,
    /// The changes it was signed over: document (16 bytes) and hash (32 bytes) of each, in order of the log.
    pub links: Vec<u8>,
}

/// Length of one link, bytes.
pub const LINK_BYTES: usize = 48;

macro_rules! select_receipt {
    ($rest:literal) => {
        concat!(
            "SELECT hash, origin_store, position, time_ms, documents_count, digest_sum, bytes, verified FROM receipt ",
            $rest
        )
    };
}

fn receipt_row(row: &rusqlite::Row<'_>) -> Result<ReceiptRow, Error> {
    Ok(ReceiptRow {
        hash: row.hash(0)?,
        origin_store: row.store_id(1)?,
        position: row.u64(2)?,
        time_ms: row.i64(3)?,
        set: SetSum {
            count: row.u64(4)?,
            sum: row.hash(5)?,
        },
        bytes: row.blob(6)?.to_vec(),
        verified: row.bool(7)?,
    })
}

pub(crate) fn batch_evidence(row: &rusqlite::Row<'_>) -> Result<BatchEvidence, Error> {
    Ok(BatchEvidence {
        origin_store: row.store_id(0)?,
        log_epoch: row.log_epoch(1)?,
        to_position: row.u64(2)?,
        end_chain: row.hash(3)?,
        signature: row.blob(4)?.to_vec(),
        signing_key: row.blob(5)?.to_vec(),
        received_at_ms: row.i64(6)?,
        links: row.blob(7)?.to_vec(),
    })
}

impl Reader {
    /// One receipt.
    pub fn receipt(&self, hash: &Hash) -> Result<Option<ReceiptRow>, Error> {
        self.one(select_receipt!("WHERE hash = ?1"), [hash], receipt_row)
    }

    /// The latest receipt about a node.
    pub fn last_receipt(&self, origin_store: StoreId) -> Result<Option<ReceiptRow>, Error> {
        self.one(
            select_receipt!("WHERE origin_store = ?1 ORDER BY time_ms DESC, position DESC LIMIT 1"),
            [origin_store.as_bytes()],
            receipt_row,
        )
    }

    /// The latest receipts about a node, newest first.
    pub fn receipts(&self, origin_store: StoreId, limit: usize) -> Result<Vec<ReceiptRow>, Error> {
        self.all(
            select_receipt!("WHERE origin_store = ?1 ORDER BY time_ms DESC, position DESC LIMIT ?2"),
            (origin_store.as_bytes(), to_i64(limit as u64)),
            receipt_row,
        )
    }

    /// The signatures over a spell of a store's log, by position.
    pub fn evidence(&self, origin_store: StoreId, log_epoch: LogEpoch) -> Result<Vec<BatchEvidence>, Error> {
        self.all(
            "SELECT origin_store, log_epoch, to_position, end_chain, signature, signing_key, received_at_ms, links \
             FROM batch_evidence WHERE origin_store = ?1 AND log_epoch = ?2 ORDER BY to_position",
            (origin_store.as_bytes(), log_epoch.as_bytes()),
            batch_evidence,
        )
    }
}

impl Writer {
    /// Keeps a receipt. The same again changes nothing but `verified`, which only becomes true.
    pub fn save_receipt(&mut self, receipt: &ReceiptRow) -> Result<(), Error> {
        let checksum: Hash = Sha256::digest(&receipt.bytes).into();
        self.run(
            "INSERT INTO receipt (hash, origin_store, position, time_ms, documents_count, digest_sum, bytes, \
             checksum, verified) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
             ON CONFLICT (hash) DO UPDATE SET verified = max(verified, ?9)",
            params![
                receipt.hash,
                receipt.origin_store.as_bytes(),
                to_i64(receipt.position),
                receipt.time_ms,
                to_i64(receipt.set.count),
                receipt.set.sum,
                receipt.bytes,
                checksum,
                receipt.verified
            ],
        )?;
        Ok(())
    }

    /// Keeps an origin's signature. The first one for a position stays.
    pub fn save_evidence(&mut self, evidence: &BatchEvidence) -> Result<(), Error> {
        self.run(
            "INSERT INTO batch_evidence (origin_store, log_epoch, to_position, end_chain, signature, signing_key, \
             received_at_ms, links) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
            params![
                evidence.origin_store.as_bytes(),
                evidence.log_epoch.as_bytes(),
                to_i64(evidence.to_position),
                evidence.end_chain,
                evidence.signature,
                evidence.signing_key,
                evidence.received_at_ms,
                evidence.links
            ],
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
