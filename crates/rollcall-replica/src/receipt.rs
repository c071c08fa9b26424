//! Receipts: made at the aggregator over one snapshot, checked at the node against its own rows (`protocol.md` 1.16).
//! A process reads the rows of a scope once; after that again whenever the scope's sum is another one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use rollcall_core::id::{DocumentId, FederationId};
use rollcall_store::scope::SetSum;
use rollcall_store::{Hash, Reader};
use rollcall_sync::fingerprint::scope_root;
use rollcall_sync::keys::{Sign, Verify};
use rollcall_sync::message::{Cursor, Receipt, ScopeReceipt};
use rollcall_sync::session::client::ReceiptCheck;

use crate::error::Error;
use crate::replica::Replica;
use crate::take_up::PeerContext;

/// Roots of scopes that were read from their rows, each with the sum that the scope had.
#[derive(Default)]
pub(crate) struct Roots(Mutex<HashMap<FederationId, (SetSum, ScopeReceipt)>>);

impl Roots {
    fn get(&self, scope: &FederationId, set: &SetSum) -> Option<ScopeReceipt> {
        let roots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        roots
            .get(scope)
            .filter(|(of, _)| of == set)
            .map(|(_, root)| root.clone())
    }

    fn keep(&self, set: SetSum, root: &ScopeReceipt) {
        let mut roots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        roots.insert(root.scope.clone(), (set, root.clone()));
    }
}

/// States what is held for a peer, and signs it.
pub(crate) fn make_receipt(
    reader: &Reader,
    peer: &PeerContext,
    scopes: &[FederationId],
    keys: &dyn Sign,
    roots: &Roots,
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
        scopes: scope_receipts(reader, scopes, &apart, Some(roots))?,
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
    roots: Option<&Roots>,
) -> Result<Vec<ScopeReceipt>, Error> {
    let mut incomplete = BTreeSet::new();
    for id in apart {
        incomplete.extend(reader.scopes_of(*id)?);
    }
    let mut receipts = Vec::new();
    for scope in scopes {
        let noted = reader.scope(scope)?.set;
        let roots = roots.filter(|_| !incomplete.contains(scope));
        if let Some(root) = roots.and_then(|roots| roots.get(scope, &noted)) {
            receipts.push(root);
            continue;
        }
        let mut counted = SetSum::default();
        let entries: Vec<(DocumentId, Hash)> = reader
            .scope_entries(scope)?
            .into_iter()
            .inspect(|(_, digest)| counted.add(digest))
            .filter(|(id, _)| !apart.contains(id))
            .collect();
        let (root, documents) = scope_root(entries.iter().map(|(id, digest)| (id, digest)));
        if documents > 0 {
            let receipt = ScopeReceipt {
                scope: scope.clone(),
                documents,
                root,
            };
            // A sum that is not that of the rows would let the root outlive them.
            if let Some(roots) = roots.filter(|_| counted == noted) {
                roots.keep(noted, &receipt);
            }
            receipts.push(receipt);
        }
    }
    receipts.sort_by(|one, other| one.scope.cmp(&other.scope));
    Ok(receipts)
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
            if scope_receipts(reader, &scopes, &apart, roots)? == receipt.scopes {
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
