//! Signatures, as far as a session needs them: whoever runs it brings the keys (`reliability.md` head).

use rollcall_core::id::{LogEpoch, StoreId};

use crate::message::{Batch, Receipt};

/// Signs with this process's own key.
pub trait Sign: Send + Sync {
    /// Signs an upward batch in place, as one of this store and spell.
    fn sign_batch(&self, store_id: StoreId, log_epoch: LogEpoch, batch: &mut Batch);
    /// Signs a receipt in place.
    fn sign_receipt(&self, receipt: &mut Receipt);
}

/// Checks signatures against public keys, 32 bytes each.
pub trait Verify: Send + Sync {
    /// Whether the batch was signed by this key as one of this store and spell.
    fn is_batch_signed(
        &self,
        public_key: &[u8],
        store_id: StoreId,
        log_epoch: LogEpoch,
        batch: &Batch,
    ) -> bool;
    /// Whether the receipt was signed by this key.
    fn is_receipt_signed(&self, public_key: &[u8], receipt: &Receipt) -> bool;
}
