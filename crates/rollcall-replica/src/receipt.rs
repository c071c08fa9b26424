//! Receipts: made at the aggregator over one snapshot, checked at the node against its own rows (`protocol.md` 1.16).

use std::collections::{BTreeSet, HashSet};

use rollcall_core::id::{DocumentId, FederationId};
use rollcall_store::Reader;
use rollcall_sync::keys::{Sign, Verify};
use rollcall_sync::message::{Cursor, Receipt, ScopeReceipt};
use rollcall_sync::session::client::ReceiptCheck;

use crate::error::Error;
use crate::peer::PeerContext;
use crate::replica::Replica;
use crate::roots::{ReadScope, Roots};

/// States what is held for a peer, and signs it; nothing about the documents of `left_out`.
pub(crate) fn make_receipt(
    reader: &Reader,
    peer: &PeerContext,
    scopes: &[FederationId],
    left_out: &[DocumentId],
    keys: &dyn Sign,
    roots: &Roots,
    now_ms: i64,
) -> Result<Receipt, Error> {
    let mut apart: BTreeSet<DocumentId> = reader
        .documents_in_doubt()?
        .into_iter()
        .filter(|id| {
            reader
                .scopes_of(*id)
                .is_ok_and(|own| own.iter().any(|scope| scopes.contains(scope)))
        })
        .collect();
    // What was refused of a document as a whole left it in none of the peer's scopes here, but in its own.
    // The same of the stores whose place the peer took: it holds what they held.
    for store in std::iter::once(&peer.store_id).chain(&peer.former_stores) {
        apart.extend(reader.documents_in_doubt_of(*store)?);
    }
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
    let (scopes, documents) = scope_receipts(reader, scopes, &apart, Some(roots))?;
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
        cluster_epoch: reader.cluster_epoch()?,
        signature: Vec::new(),
    };
    keys.sign_receipt(&mut receipt);
    Ok(receipt)
}

/// Roots of scopes, documents kept apart left out, and how many documents they hold, each once. Scopes without
/// documents are left out too. What `roots` knows is about every row of a scope, so it says nothing of one that has
/// documents kept apart.
fn scope_receipts(
    reader: &Reader,
    scopes: &[FederationId],
    apart: &BTreeSet<DocumentId>,
    roots: Option<&Roots>,
) -> Result<(Vec<ScopeReceipt>, u64), Error> {
    let mut incomplete = BTreeSet::new();
    for id in apart {
        incomplete.extend(reader.scopes_of(*id)?);
    }
    let mut held = Vec::new();
    for scope in scopes {
        let read = match roots.filter(|_| !incomplete.contains(scope)) {
            Some(roots) => roots.read(reader, scope)?,
            None => ReadScope::read(reader, scope, apart)?.0,
        };
        if read.receipt.documents > 0 {
            held.push(read);
        }
    }
    held.sort_by(|one, other| one.receipt.scope.cmp(&other.receipt.scope));
    let documents = match held.as_slice() {
        [only] => only.receipt.documents,
        several => {
            let ids = several.iter().flat_map(|read| read.entries.iter());
            let ids: HashSet<&DocumentId> = ids.map(|(id, _)| id).collect();
            ids.len() as u64
        }
    };
    Ok((held.into_iter().map(|read| read.receipt).collect(), documents))
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
        self.check_receipt_over(receipt, public_key, keys, None)
    }

    /// The same within a session: scopes whose sums have not changed since their rows were read are not read again.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn check_receipt_in_session(
        &self,
        receipt: &Receipt,
        public_key: &[u8],
        keys: &dyn Verify,
    ) -> Result<ReceiptCheck, Error> {
        self.check_receipt_over(receipt, public_key, keys, Some(self.roots()))
    }

    /// Reads the rows that a receipt will be checked against, so that the check finds them read.
    pub(crate) fn read_ahead_of_receipt(&self) {
        let read = self.read(|reader| {
            for grant in reader.grants()? {
                self.roots().read(reader, &grant.scope)?;
            }
            Ok(())
        });
        if let Err(error) = read {
            // The check reads them again and fails by itself.
            tracing::debug!("nothing could be read ahead of a receipt: {error}");
        }
    }

    fn check_receipt_over(
        &self,
        receipt: &Receipt,
        public_key: &[u8],
        keys: &dyn Verify,
        roots: Option<&Roots>,
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
            let (own, documents) = scope_receipts(reader, &scopes, &apart, roots)?;
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
