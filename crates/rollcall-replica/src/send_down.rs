//! The aggregator's log as one peer sees it: what its scopes have news of, its own changes left out;
//! and the receipt over the same snapshot.

use rollcall_core::id::{DocumentId, FederationId};
use rollcall_store::Reader;
use rollcall_store::scope::{ScopeLog, ScopeLogRow};
use rollcall_sync::keys::Sign;
use rollcall_sync::limits::{BATCH_DOCUMENTS_MAX, BATCH_RAW_BYTES_TARGET};
use rollcall_sync::message::{Batch, ChangeEntry, DocumentChanges, Receipt};

use crate::error::Error;
use crate::peer::{PeerContext, scopes_hash_at};
use crate::receipt::make_receipt;
use crate::replica::Replica;

/// Scopes that exist here and that the peer holds. Sorted.
pub(crate) fn peer_scopes(reader: &Reader, peer: &PeerContext) -> Result<Vec<FederationId>, Error> {
    let scopes = reader.scopes()?;
    Ok(scopes
        .into_iter()
        .map(|row| row.scope)
        .filter(|scope| peer.access.may_read(scope))
        .collect())
}

/// Whether the peer's scopes have anything after a position that is not its own.
pub(crate) fn has_news(
    reader: &Reader,
    peer: &PeerContext,
    scopes: &[FederationId],
    after: u64,
) -> Result<bool, Error> {
    let until = reader.position()?;
    let mut after = after;
    loop {
        let log = reader.scope_rows(scopes, after, until, BATCH_DOCUMENTS_MAX)?;
        for row in &log.rows {
            if news(reader, peer, row, after, row.position)?.is_some() {
                return Ok(true);
            }
        }
        if log.drained {
            return Ok(false);
        }
        after = log.to;
    }
}

impl Replica {
    /// The next batch for a peer after a position, with a receipt if it drains the log and one is due: one that claims
    /// nothing about the documents given.
    ///
    /// # Errors
    /// The store's.
    pub fn load_down(
        &self,
        peer: &PeerContext,
        after: u64,
        receipt_without: Option<&[DocumentId]>,
        keys: &dyn Sign,
        now_ms: i64,
    ) -> Result<(Batch, Option<Receipt>), Error> {
        self.read(|reader| {
            let scopes = peer_scopes(reader, peer)?;
            let until = reader.position()?;
            let mut limit = self.batch_documents_max();
            let (documents, to, drained) = loop {
                let log = reader.scope_rows(&scopes, after, until, limit)?;
                match collect(reader, peer, &log, after, limit > 1)? {
                    Some(documents) => break (documents, log.to, log.drained),
                    // Fewer documents, so that the batch fits; a position is never split.
                    None => limit = (limit / 2).max(1),
                }
            };
            let end_chain = scopes_hash_at(reader, &scopes, to)?;
            let batch = Batch {
                from: after,
                to,
                end_chain,
                signature: Vec::new(),
                documents,
                drained,
            };
            let receipt = match receipt_without.filter(|_| drained) {
                Some(apart) => Some(make_receipt(
                    reader,
                    peer,
                    &scopes,
                    apart,
                    keys,
                    self.roots(),
                    now_ms,
                )?),
                None => None,
            };
            Ok((batch, receipt))
        })
    }
}

/// The documents of a piece of the log; `None` where they are more than a batch holds and `bounded`.
fn collect(
    reader: &Reader,
    peer: &PeerContext,
    log: &ScopeLog,
    after: u64,
    bounded: bool,
) -> Result<Option<Vec<DocumentChanges>>, Error> {
    let mut documents = Vec::new();
    let mut bytes = 0;
    for row in &log.rows {
        let Some(changes) = news(reader, peer, row, after, log.to)? else {
            continue;
        };
        bytes += changes.iter().map(|change| change.bytes.len()).sum::<usize>();
        if bounded && bytes > BATCH_RAW_BYTES_TARGET {
            return Ok(None);
        }
        let Some(held) = reader.document(row.document_id)? else {
            continue;
        };
        let mut scopes = reader.scopes_of(row.document_id)?;
        scopes.retain(|scope| peer.access.may_read(scope));
        documents.push(DocumentChanges {
            document_id: row.document_id,
            kind: held.kind,
            scopes,
            changes,
        });
    }
    Ok(Some(documents))
}

/// The changes behind a row of the log that the peer did not send itself in its present spell; `None` where the row is
/// no news to it. What its own change brought into a scope it knows, scopes included, from the ack.
fn news(
    reader: &Reader,
    peer: &PeerContext,
    row: &ScopeLogRow,
    after: u64,
    until: u64,
) -> Result<Option<Vec<ChangeEntry>>, Error> {
    let after = if row.whole { 0 } else { after };
    let own = (peer.store_id, peer.log_epoch);
    let others = reader.changes_of_others_between(row.document_id, after, until, own)?;
    if others.is_empty() && (!row.whole || reader.is_sent_by(row.document_id, row.position, own)?) {
        return Ok(None);
    }
    let others = others.into_iter().map(|change| ChangeEntry {
        position: change.position,
        committed_at_ms: change.committed_at_ms,
        bytes: change.bytes,
    });
    Ok(Some(others.collect()))
}
