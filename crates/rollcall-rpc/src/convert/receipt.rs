//! Receipts. What is signed is `Receipt::statement`, never these bytes.

use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_sync::message::{PartialReceipt, Receipt, ScopeReceipt};

use super::column;
use super::{
    Wire, cursor_from_wire, cursor_to_wire, fixed, hash_from_wire, hash_to_wire, required, scope_from_wire,
    signature_from_wire,
};
use crate::error::RpcError;
use crate::pb::sync as pb;

impl Wire for Receipt {
    type Pb = pb::Receipt;

    fn to_wire(&self) -> Result<pb::Receipt, RpcError> {
        let scope = |scope: &ScopeReceipt| pb::ScopeReceipt {
            scope: scope.scope.to_string(),
            documents: scope.documents,
            root: hash_to_wire(&scope.root),
        };
        Ok(pb::Receipt {
            store_id: self.store_id.as_bytes().to_vec(),
            log_epoch: self.log_epoch.as_bytes().to_vec(),
            position: self.position,
            time_ms: self.time_ms,
            origin_store: self.origin_store.as_bytes().to_vec(),
            origin_epoch: self.origin_epoch.as_bytes().to_vec(),
            origin: Some(cursor_to_wire(&self.origin)),
            scopes: self.scopes.iter().map(scope).collect(),
            quarantined: column::ids_to_wire(&self.quarantined),
            signature: self.signature.clone(),
            documents: self.documents,
            rebuilding: self.rebuilding,
            cluster_epoch: self.cluster_epoch,
        })
    }

    fn from_wire(wire: pb::Receipt) -> Result<Self, RpcError> {
        let scope = |scope: pb::ScopeReceipt| {
            Ok(ScopeReceipt {
                scope: scope_from_wire(&scope.scope)?,
                documents: scope.documents,
                root: hash_from_wire(&scope.root, "scope root")?,
            })
        };
        Ok(Self {
            store_id: StoreId(fixed(&wire.store_id, "store id")?),
            log_epoch: LogEpoch(fixed(&wire.log_epoch, "log epoch")?),
            position: wire.position,
            time_ms: wire.time_ms,
            origin_store: StoreId(fixed(&wire.origin_store, "origin store")?),
            origin_epoch: LogEpoch(fixed(&wire.origin_epoch, "origin epoch")?),
            origin: cursor_from_wire(required(wire.origin, "origin")?)?,
            scopes: wire
                .scopes
                .into_iter()
                .map(scope)
                .collect::<Result<_, RpcError>>()?,
            quarantined: column::ids_from_wire(&wire.quarantined, usize::MAX)?,
            signature: signature_from_wire(wire.signature)?,
            documents: wire.documents,
            rebuilding: wire.rebuilding,
            cluster_epoch: wire.cluster_epoch,
        })
    }
}

impl Wire for PartialReceipt {
    type Pb = pb::PartialReceipt;

    fn to_wire(&self) -> Result<pb::PartialReceipt, RpcError> {
        Ok(pb::PartialReceipt {
            based_on: hash_to_wire(&self.based_on),
            differing: Some(self.differing.to_wire()?),
            gone: self.gone.iter().map(ToString::to_string).collect(),
        })
    }

    fn from_wire(wire: pb::PartialReceipt) -> Result<Self, RpcError> {
        Ok(Self {
            based_on: hash_from_wire(&wire.based_on, "based on")?,
            differing: Receipt::from_wire(required(wire.differing, "differing")?)?,
            gone: wire
                .gone
                .iter()
                .map(|scope| scope_from_wire(scope))
                .collect::<Result<_, RpcError>>()?,
        })
    }
}
