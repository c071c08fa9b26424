//! A receipt as bytes to sign, and its hash (`protocol.md` 1.16).
//! Owns the canonical form; keys and signatures belong to the edge.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::message::{Cursor, Hash, PartialReceipt, Receipt, ScopeReceipt};
use rollcall_core::id::{DocumentId, FederationId, LogEpoch, StoreId};

impl PartialReceipt {
    /// What is new in a receipt for whoever holds an earlier one.
    pub fn between(earlier: &Receipt, receipt: &Receipt) -> Self {
        let held: BTreeSet<&ScopeReceipt> = earlier.scopes.iter().collect();
        let named: BTreeSet<&FederationId> = receipt.scopes.iter().map(|scope| &scope.scope).collect();
        let gone = earlier.scopes.iter().map(|scope| &scope.scope);
        Self {
            based_on: earlier.hash(),
            gone: gone.filter(|scope| !named.contains(scope)).cloned().collect(),
            differing: Receipt {
                scopes: receipt
                    .scopes
                    .iter()
                    .filter(|scope| !held.contains(scope))
                    .cloned()
                    .collect(),
                ..receipt.clone()
            },
        }
    }

    /// The whole receipt; `None` where it is based on another one than this.
    pub fn over(self, earlier: &Receipt) -> Option<Receipt> {
        if earlier.hash() != self.based_on {
            return None;
        }
        let mut scopes: BTreeMap<FederationId, ScopeReceipt> = earlier
            .scopes
            .iter()
            .map(|scope| (scope.scope.clone(), scope.clone()))
            .collect();
        for scope in &self.gone {
            scopes.remove(scope);
        }
        for scope in self.differing.scopes {
            scopes.insert(scope.scope.clone(), scope);
        }
        Some(Receipt {
            scopes: scopes.into_values().collect(),
            ..self.differing
        })
    }
}

impl Receipt {
    /// The bytes that the aggregator signs: every field but the signature, lengths before lists and texts.
    pub fn statement(&self) -> Vec<u8> {
        let mut bytes = OPENING.to_vec();
        bytes.extend_from_slice(self.store_id.as_bytes());
        bytes.extend_from_slice(self.log_epoch.as_bytes());
        bytes.extend_from_slice(&self.position.to_be_bytes());
        bytes.extend_from_slice(&self.time_ms.to_be_bytes());
        bytes.extend_from_slice(self.origin_store.as_bytes());
        bytes.extend_from_slice(self.origin_epoch.as_bytes());
        bytes.extend_from_slice(&self.origin.position.to_be_bytes());
        bytes.extend_from_slice(&self.origin.chain);
        bytes.extend_from_slice(&(self.scopes.len() as u64).to_be_bytes());
        for scope in &self.scopes {
            bytes.extend_from_slice(&(scope.scope.as_str().len() as u64).to_be_bytes());
            bytes.extend_from_slice(scope.scope.as_str().as_bytes());
            bytes.extend_from_slice(&scope.documents.to_be_bytes());
            bytes.extend_from_slice(&scope.root);
        }
        bytes.extend_from_slice(&(self.quarantined.len() as u64).to_be_bytes());
        for document in &self.quarantined {
            bytes.extend_from_slice(document.as_bytes());
        }
        bytes.extend_from_slice(&self.documents.to_be_bytes());
        bytes.push(u8::from(self.rebuilding));
        bytes.extend_from_slice(&self.cluster_epoch.to_be_bytes());
        bytes
    }

    /// Statement and signature as one piece to keep: the length of the statement, the statement, the signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        let statement = self.statement();
        let mut bytes = (statement.len() as u64).to_be_bytes().to_vec();
        bytes.extend_from_slice(&statement);
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads what `to_bytes` wrote; `None` where it is anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut outer = Parts(bytes);
        let length = usize::try_from(outer.number()?).ok()?;
        let mut parts = Parts(outer.take(length)?);
        let signature = outer.0.to_vec();
        if parts.take(OPENING.len())? != OPENING {
            return None;
        }
        let receipt = Self {
            store_id: StoreId(parts.fixed()?),
            log_epoch: LogEpoch(parts.fixed()?),
            position: parts.number()?,
            time_ms: i64::from_be_bytes(parts.fixed()?),
            origin_store: StoreId(parts.fixed()?),
            origin_epoch: LogEpoch(parts.fixed()?),
            origin: Cursor {
                position: parts.number()?,
                chain: parts.fixed()?,
            },
            scopes: parts.list(|parts| {
                let length = usize::try_from(parts.number()?).ok()?;
                let scope = std::str::from_utf8(parts.take(length)?).ok()?.parse().ok()?;
                Some(ScopeReceipt {
                    scope,
                    documents: parts.number()?,
                    root: parts.fixed()?,
                })
            })?,
            quarantined: parts.list(|parts| parts.fixed().map(DocumentId))?,
            documents: parts.number()?,
            rebuilding: match parts.fixed()? {
                [0] => false,
                [1] => true,
                [_] => return None,
            },
            cluster_epoch: parts.number()?,
            signature,
        };
        parts.0.is_empty().then_some(receipt)
    }

    /// SHA-256 over the statement: the receipt's name.
    pub fn hash(&self) -> Hash {
        Sha256::digest(self.statement()).into()
    }

    /// SHA-256 over the sorted (scope, scope root): one digest for everything the peer holds.
    pub fn root(&self) -> Hash {
        let mut hasher = Sha256::new();
        for scope in &self.scopes {
            hasher.update(scope.scope.as_str().as_bytes());
            hasher.update(b"\0");
            hasher.update(scope.root);
        }
        hasher.finalize().into()
    }
}

const OPENING: &[u8] = b"rollcall-receipt-3";

/// What is left to read.
struct Parts<'a>(&'a [u8]);

impl<'a> Parts<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<u64> {
        self.fixed().map(u64::from_be_bytes)
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = Vec::new();
        for _ in 0..self.number()? {
            items.push(item(self)?);
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_reaches_the_statement() {
        let receipt = Receipt {
            store_id: StoreId([1; 16]),
            log_epoch: LogEpoch([2; 8]),
            position: 3,
            time_ms: 4,
            origin_store: StoreId([5; 16]),
            origin_epoch: LogEpoch([6; 8]),
            origin: Cursor {
                position: 7,
                chain: [8; 32],
            },
            scopes: vec![ScopeReceipt {
                scope: FederationId::national(),
                documents: 9,
                root: [10; 32],
            }],
            quarantined: vec![DocumentId([11; 16])],
            documents: 8,
            rebuilding: false,
            cluster_epoch: 11,
            signature: vec![12],
        };
        assert_eq!(Receipt::from_bytes(&receipt.to_bytes()), Some(receipt.clone()));
        assert_eq!(Receipt::from_bytes(&receipt.to_bytes()[..60]), None);
        let changes: [fn(&mut Receipt); 14] = [
            |r| r.store_id.0[0] ^= 1,
            |r| r.log_epoch.0[0] ^= 1,
            |r| r.position ^= 1,
            |r| r.time_ms ^= 1,
            |r| r.origin_store.0[0] ^= 1,
            |r| r.origin_epoch.0[0] ^= 1,
            |r| r.origin.position ^= 1,
            |r| r.origin.chain[0] ^= 1,
            |r| r.scopes[0].documents ^= 1,
            |r| r.scopes[0].root[0] ^= 1,
            |r| r.quarantined[0].0[0] ^= 1,
            |r| r.documents ^= 1,
            |r| r.rebuilding = true,
            |r| r.cluster_epoch ^= 1,
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut other = receipt.clone();
            change(&mut other);
            assert_ne!(other.hash(), receipt.hash(), "change {index}");
        }
    }

    #[test]
    fn a_partial_receipt_over_the_earlier_one_is_the_whole_one() {
        let scope = |code: &str, documents| ScopeReceipt {
            scope: code.parse().expect("a federation"),
            documents,
            root: [documents as u8; 32],
        };
        let receipt = |scopes: Vec<ScopeReceipt>, position| Receipt {
            store_id: StoreId([1; 16]),
            log_epoch: LogEpoch([1; 8]),
            position,
            time_ms: 7,
            origin_store: StoreId([2; 16]),
            origin_epoch: LogEpoch([2; 8]),
            origin: Cursor::default(),
            scopes,
            quarantined: Vec::new(),
            documents: position,
            rebuilding: position > 8,
            cluster_epoch: position / 8,
            signature: vec![position as u8],
        };
        let earlier = receipt(
            vec![scope("110000", 1), scope("120000", 2), scope("130000", 3)],
            5,
        );
        let later = receipt(
            vec![scope("110000", 1), scope("130000", 4), scope("140000", 1)],
            9,
        );
        let partial = PartialReceipt::between(&earlier, &later);
        assert_eq!(partial.differing.scopes, [scope("130000", 4), scope("140000", 1)]);
        assert_eq!(partial.clone().over(&earlier), Some(later.clone()));
        assert_eq!(partial.over(&later), None, "based on another one");
    }
}
