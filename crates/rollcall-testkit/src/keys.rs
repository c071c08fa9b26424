//! Keys of simulated processes: a signature is a hash that only the holder of a secret is asked to compute.
//! Owns what is signed; whether Ed25519 itself is right is tested where it is used.

use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_sync::keys::{Sign, Verify};
use rollcall_sync::message::{Batch, Receipt};
use sha2::{Digest, Sha256};

/// A key of 32 bytes; here the public half, and who signs is trusted to hold the other one.
#[derive(Debug, Clone)]
pub(crate) struct Key(pub(crate) [u8; 32]);

impl Key {
    fn seal(&self, purpose: &str, statement: &[u8]) -> Vec<u8> {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(purpose.as_bytes());
        hasher.update(statement);
        hasher.finalize().to_vec()
    }
}

impl Sign for Key {
    fn sign_batch(&self, store_id: StoreId, log_epoch: LogEpoch, batch: &mut Batch) {
        batch.signature = self.seal("batch", &batch_statement(store_id, log_epoch, batch));
    }

    fn sign_receipt(&self, receipt: &mut Receipt) {
        receipt.signature = self.seal("receipt", &receipt.statement());
    }
}

/// Checks signatures against any key.
#[derive(Debug)]
pub(crate) struct Seals;

impl Verify for Seals {
    fn is_batch_signed(
        &self,
        public_key: &[u8],
        store_id: StoreId,
        log_epoch: LogEpoch,
        batch: &Batch,
    ) -> bool {
        key(public_key).is_some_and(|key| {
            key.seal("batch", &batch_statement(store_id, log_epoch, batch)) == batch.signature
        })
    }

    fn is_receipt_signed(&self, public_key: &[u8], receipt: &Receipt) -> bool {
        key(public_key).is_some_and(|key| key.seal("receipt", &receipt.statement()) == receipt.signature)
    }
}

fn key(bytes: &[u8]) -> Option<Key> {
    bytes.try_into().ok().map(Key)
}

fn batch_statement(store_id: StoreId, log_epoch: LogEpoch, batch: &Batch) -> Vec<u8> {
    let mut bytes = store_id.as_bytes().to_vec();
    bytes.extend_from_slice(log_epoch.as_bytes());
    bytes.extend_from_slice(&batch.to.to_be_bytes());
    bytes.extend_from_slice(&batch.end_chain);
    bytes
}
