//! Ed25519 over receipts, batches, files and enrolments, each with its own opening words so that no signature
//! serves for another thing. Where keys are kept is the caller's.

use std::fmt;

use ring::digest::{Context, SHA256};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_sync::keys::{Sign, Verify};
use rollcall_sync::message::{Batch, Hash, Receipt};

use crate::error::RpcError;

/// A private key with what is needed to store it.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    pkcs8: Vec<u8>,
}

impl SigningKey {
    /// A new key.
    pub fn generate() -> Result<Self, RpcError> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| RpcError::Random)?;
        Self::from_pkcs8(pkcs8.as_ref())
    }

    /// A stored key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, RpcError> {
        let pair =
            Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| RpcError::KeyFormat { what: "signing key" })?;
        Ok(Self {
            pair,
            pkcs8: pkcs8.to_vec(),
        })
    }

    /// The key to store. It is a secret.
    pub fn to_pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The key that others check with.
    pub fn verifying_key(&self) -> VerifyingKey {
        let bytes = self.pair.public_key().as_ref().try_into();
        VerifyingKey(bytes.expect("an Ed25519 public key has 32 bytes"))
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }

    /// Signs a receipt in place.
    pub fn sign_receipt(&self, receipt: &mut Receipt) {
        receipt.signature = self.sign(&receipt.statement());
    }

    /// Signs an upward batch in place, as one of this store and spell.
    pub fn sign_batch(&self, store_id: StoreId, log_epoch: LogEpoch, batch: &mut Batch) {
        batch.signature = self.sign(&batch_bytes(store_id, log_epoch, batch.to, &batch.end_chain));
    }

    /// Signs a file that travels instead of a session: its kind, its reader's key, and the digest of what it holds.
    pub(crate) fn sign_file(&self, kind: u8, reader: &[u8; 32], digest: &Hash) -> Vec<u8> {
        self.sign(&file_bytes(kind, reader, digest))
    }

    /// Shows at enrolment that this key is at hand.
    pub(crate) fn prove_enrolment(&self, secret: &[u8; 16], csr: &[u8], store_id: StoreId) -> Vec<u8> {
        self.sign(&enrolment_bytes(secret, csr, store_id))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(of {:?})", self.verifying_key())
    }
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyingKey(pub [u8; 32]);

impl VerifyingKey {
    /// The key in these bytes, if there are 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<(), RpcError> {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(bytes, signature)
            .map_err(|_| RpcError::SignatureBad)
    }

    /// Checks a receipt's signature.
    pub fn verify_receipt(&self, receipt: &Receipt) -> Result<(), RpcError> {
        self.verify(&receipt.statement(), &receipt.signature)
    }

    /// Checks an upward batch as one of this store and spell.
    pub fn verify_batch(
        &self,
        store_id: StoreId,
        log_epoch: LogEpoch,
        batch: &Batch,
    ) -> Result<(), RpcError> {
        self.verify(
            &batch_bytes(store_id, log_epoch, batch.to, &batch.end_chain),
            &batch.signature,
        )
    }

    pub(crate) fn verify_file(
        &self,
        kind: u8,
        reader: &[u8; 32],
        digest: &Hash,
        signature: &[u8],
    ) -> Result<(), RpcError> {
        self.verify(&file_bytes(kind, reader, digest), signature)
    }

    pub(crate) fn verify_enrolment(
        &self,
        secret: &[u8; 16],
        csr: &[u8],
        store_id: StoreId,
        proof: &[u8],
    ) -> Result<(), RpcError> {
        self.verify(&enrolment_bytes(secret, csr, store_id), proof)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

impl Sign for SigningKey {
    fn sign_batch(&self, store_id: StoreId, log_epoch: LogEpoch, batch: &mut Batch) {
        SigningKey::sign_batch(self, store_id, log_epoch, batch);
    }

    fn sign_receipt(&self, receipt: &mut Receipt) {
        SigningKey::sign_receipt(self, receipt);
    }
}

/// Checks signatures against any key, for whoever runs sessions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ed25519;

impl Verify for Ed25519 {
    fn is_batch_signed(
        &self,
        public_key: &[u8],
        store_id: StoreId,
        log_epoch: LogEpoch,
        batch: &Batch,
    ) -> bool {
        VerifyingKey::from_slice(public_key)
            .is_some_and(|key| key.verify_batch(store_id, log_epoch, batch).is_ok())
    }

    fn is_receipt_signed(&self, public_key: &[u8], receipt: &Receipt) -> bool {
        VerifyingKey::from_slice(public_key).is_some_and(|key| key.verify_receipt(receipt).is_ok())
    }
}

/// The chain at `to` covers every change before it, so the signature does too. All parts have fixed lengths.
fn batch_bytes(store_id: StoreId, log_epoch: LogEpoch, to: u64, end_chain: &Hash) -> Vec<u8> {
    let to = to.to_be_bytes();
    [
        b"rollcall-batch-1",
        store_id.as_bytes(),
        log_epoch.as_bytes(),
        &to,
        end_chain,
    ]
    .concat()
}

fn file_bytes(kind: u8, reader: &[u8; 32], digest: &Hash) -> Vec<u8> {
    [b"rollcall-file-1".as_slice(), &[kind], reader, digest].concat()
}

fn enrolment_bytes(secret: &[u8; 16], csr: &[u8], store_id: StoreId) -> Vec<u8> {
    [
        b"rollcall-enrol-1".as_slice(),
        secret,
        store_id.as_bytes(),
        &sha256(&[csr]),
    ]
    .concat()
}

pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    context
        .finish()
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_core::id::{DocumentId, FederationId};
    use rollcall_sync::message::{Cursor, ScopeReceipt};

    fn key() -> SigningKey {
        SigningKey::generate().expect("random")
    }

    fn receipt() -> Receipt {
        Receipt {
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
            documents: 9,
            rebuilding: false,
            cluster_epoch: 11,
            signature: Vec::new(),
        }
    }

    #[test]
    fn a_flipped_byte_in_a_receipt_or_its_signature_is_found() {
        let key = key();
        let mut signed = receipt();
        key.sign_receipt(&mut signed);
        key.verifying_key().verify_receipt(&signed).expect("holds");

        let statement = signed.statement();
        for index in 0..statement.len() {
            let mut flipped = statement.clone();
            flipped[index] ^= 1;
            assert!(
                key.verifying_key().verify(&flipped, &signed.signature).is_err(),
                "statement byte {index}"
            );
        }
        for index in 0..signed.signature.len() {
            let mut flipped = signed.clone();
            flipped.signature[index] ^= 1;
            assert!(
                key.verifying_key().verify_receipt(&flipped).is_err(),
                "signature byte {index}"
            );
        }
        assert!(Ed25519.is_receipt_signed(&key.verifying_key().0, &signed));
        assert!(!Ed25519.is_receipt_signed(&key.verifying_key().0[1..], &signed));
        signed.signature.clear();
        assert!(key.verifying_key().verify_receipt(&signed).is_err());
        assert!(!Ed25519.is_receipt_signed(&key.verifying_key().0, &signed));
    }

    #[test]
    fn a_batch_is_signed_for_its_store_its_spell_and_its_end() {
        let key = key();
        let (store, epoch) = (StoreId([1; 16]), LogEpoch([2; 8]));
        let mut batch = Batch {
            from: 1,
            to: 9,
            end_chain: [3; 32],
            signature: vec![],
            documents: vec![],
            drained: true,
        };
        key.sign_batch(store, epoch, &mut batch);
        let public = key.verifying_key();
        public.verify_batch(store, epoch, &batch).expect("holds");
        assert!(public.verify_batch(StoreId([9; 16]), epoch, &batch).is_err());
        assert!(public.verify_batch(store, LogEpoch([9; 8]), &batch).is_err());
        assert!(
            public
                .verify_batch(
                    store,
                    epoch,
                    &Batch {
                        to: 10,
                        ..batch.clone()
                    }
                )
                .is_err()
        );
        assert!(
            public
                .verify_batch(
                    store,
                    epoch,
                    &Batch {
                        end_chain: [4; 32],
                        ..batch.clone()
                    }
                )
                .is_err()
        );
        assert!(
            SigningKey::generate()
                .expect("random")
                .verifying_key()
                .verify_batch(store, epoch, &batch)
                .is_err()
        );
    }

    #[test]
    fn a_stored_key_signs_like_the_one_that_was_stored() {
        let key = key();
        let again = SigningKey::from_pkcs8(key.to_pkcs8()).expect("reads");
        assert_eq!(again.verifying_key(), key.verifying_key());
        assert!(SigningKey::from_pkcs8(&key.to_pkcs8()[1..]).is_err());
        assert_eq!(
            format!("{key:?}"),
            format!("SigningKey(of {:?})", key.verifying_key())
        );
    }
}
