//! Receipts: made at the aggregator over one snapshot, checked at the node against its own rows (`protocol.md` 1.16).

use std::collections::BTreeSet;

use rollcall_core::id::{DocumentId, FederationId};
use rollcall_store::{Hash, Reader};
use rollcall_sync::fingerprint::scope_root;
use rollcall_sync::keys::{Sign, Verify};
use rollcall_sync::message::{Cursor, Receipt, ScopeReceipt};
use rollcall_sync::session::client::ReceiptCheck;

use crate::error::Error;
use crate::replica::Replica;
use crate::take_up::PeerContext;

/// States what is held for a peer, and signs it.
pub(crate) fn make_receipt(
    reader: &Reader,
    peer: &PeerContext,
    scopes: &[FederationId],
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
    let held = reader
        .peer_cursor(peer.store_id, peer.log_epoch)?
        .map(|row| row.cursor)
        .unwrap_or_default();
    let identity = reader.identity();
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
        scopes: scope_receipts(reader, scopes, &apart)?,
        quarantined: apart.into_iter().collect(),
        signature: Vec::new(),
    };
    keys.sign_receipt(&mut receipt);
    Ok(receipt)
}

/// Roots of scopes, documents kept apart left out. Scopes without documents are left out too.
fn scope_receipts(
    reader: &Reader,
    scopes: &[FederationId],
    apart: &BTreeSet<DocumentId>,
) -> Result<Vec<ScopeReceipt>, Error> {
    let mut receipts = Vec::new();
    for scope in scopes {
        let entries: Vec<(DocumentId, Hash)> = reader
            .scope_entries(scope)?
            .into_iter()
            .filter(|(id, _)| !apart.contains(id))
            .collect();
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
    Ok(receipts)
}

/// The documents that a receipt is about, each once: it counts scope by scope, and a document may be in several. Exact
/// where nothing has changed since.
///
/// # Errors
/// The store's.
pub fn documents_proven(reader: &Reader, receipt: &Receipt) -> Result<u64, rollcall_store::Error> {
    Ok(receipt.documents().min(documents_held(reader, receipt)?))
}

/// The documents that the scopes of a receipt hold now.
///
/// # Errors
/// The store's.
pub fn documents_held(reader: &Reader, receipt: &Receipt) -> Result<u64, rollcall_store::Error> {
    let scopes: Vec<FederationId> = receipt.scopes.iter().map(|scope| scope.scope.clone()).collect();
    reader.documents_in(&scopes)
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
            if scope_receipts(reader, &scopes, &apart)? == receipt.scopes {
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
