//! Receipts: made at the aggregator over one snapshot, checked at the node against its own rows (`protocol.md` 1.16).

use std::collections::{BTreeSet, HashSet};

use rollcall_core::id::{DocumentId, FederationId};
use rollcall_store::{Hash, Reader};
use rollcall_sync::fingerprint::scope_root;
use rollcall_sync::keys::{Sign, Verify};
use rollcall_sync::message::{Cursor, Receipt, ScopeReceipt};
use rollcall_sync::session::client::ReceiptCheck;

use crate::error::Error;
use crate::replica::Replica;
use crate::take_up::PeerContext;

/// States what is held for a peer, and signs it; nothing about the documents of `left_out`.
pub(crate) fn make_receipt(
    reader: &Reader,
    peer: &PeerContext,
    scopes: &[FederationId],
    left_out: &[DocumentId],
    keys: &dyn Sign,
    now_ms: i64,
) -> Result<Receipt, Error> {
    let mut apart: BTreeSet<DocumentId> = reader
        .documents_quarantined()?
        .into_iter()
        .filter(|id| {
            reader
                .scopes_of(*id)
                .is_ok_and(|own| own.iter().any(|scope| scopes.contains(scope)))
        })
        .collect();
    // What was refused of a document as a whole left it in none of the peer's scopes here, but in its own.
    apart.extend(reader.documents_quarantined_of(peer.store_id)?);
    apart.extend(left_out);
    let held = reader
        .peer_cursor(peer.store_id, peer.log_epoch)?
        .map(|row| row.cursor)
        .unwrap_or_default();
    let identity = reader.identity();
    // The receipt for the last peer that was missing is the first after the recovery.
    let rebuilding = reader
        .recovery()?
        .is_some_and(|recovery| recovery.missing().any(|other| other.peer_id != peer.peer_id));
    let (scopes, documents) = scope_receipts(reader, scopes, &apart)?;
    let mut receipt = Receipt {
        store_id: identity.store_id,
        log_epoch: identity.log_epoch,
        position: reader.position()?,
        time_ms: now_ms,
        origin_store: peer.store_id,
        origin_epoch: peer.log_epoch,
        origin: Cursor {
            position: held.position,
            chain: held.chain,
        },
        scopes,
        quarantined: apart.into_iter().collect(),
        documents,
        rebuilding,
        signature: Vec::new(),
    };
    keys.sign_receipt(&mut receipt);
    Ok(receipt)
}

/// Roots of scopes, documents kept apart left out, and how many documents they hold, each once. Scopes without
/// documents are left out too.
fn scope_receipts(
    reader: &Reader,
    scopes: &[FederationId],
    apart: &BTreeSet<DocumentId>,
) -> Result<(Vec<ScopeReceipt>, u64), Error> {
    let mut receipts = Vec::new();
    let mut seen = HashSet::new();
    for scope in scopes {
        let entries: Vec<(DocumentId, Hash)> = reader
            .scope_entries(scope)?
            .into_iter()
            .filter(|(id, _)| !apart.contains(id))
            .collect();
        if scopes.len() > 1 {
            seen.extend(entries.iter().map(|(id, _)| *id));
        }
        let (root, documents) = scope_root(entries.iter().map(|(id, digest)| (id, digest)));
        if documents > 0 {
            receipts.push(ScopeReceipt {
                scope: scope.clone(),
                documents,
                root,
            });
        }
    }
    receipts.sort_by(|one, other| one.scope.cmp(&other.scope));
    let documents = match receipts.as_slice() {
        [only] => only.documents,
        _ => seen.len() as u64,
    };
    Ok((receipts, documents))
}

impl Replica {
    /// Checks a receipt against signature and rows.
    ///
    /// # Errors
    /// The store's.
    pub fn check_receipt(
        &self,
        receipt: &Receipt,
        public_key: &[u8],
        keys: &dyn Verify,
    ) -> Result<ReceiptCheck, Error> {
        self.read(|reader| {
            let identity = reader.identity();
            let upstream = reader.upstream()?;
            let about_us = receipt.origin_store == identity.store_id
                && upstream.is_some_and(|upstream| upstream.store_id == receipt.store_id);
            if !about_us || !keys.is_receipt_signed(public_key, receipt) {
                return Ok(ReceiptCheck::Bad);
            }
            let apart = receipt.quarantined.iter().copied().collect();
            let scopes: Vec<FederationId> = reader.grants()?.into_iter().map(|grant| grant.scope).collect();
            let (own, documents) = scope_receipts(reader, &scopes, &apart)?;
            if own == receipt.scopes && documents == receipt.documents {
                return Ok(ReceiptCheck::Equal);
            }
            let newer = reader.origin_end()?.position > receipt.origin.position;
            Ok(if newer {
                ReceiptCheck::NewerEdits
            } else {
                ReceiptCheck::Different
            })
        })
    }
}
