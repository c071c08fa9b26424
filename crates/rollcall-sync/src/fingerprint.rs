//! Digests of sets and logs: set sums, scope roots, chains (`protocol.md` 1.13, 1.16).
//! Owns the arithmetic; leaves where the rows come from to the store.

use rollcall_core::id::{DocumentId, FederationId};
use sha2::{Digest, Sha256};

use crate::message::{Hash, SetSum};

impl SetSum {
    /// Adds one document's digest.
    pub fn add(&mut self, digest: &Hash) {
        self.count += 1;
        add_mod_2_256(&mut self.sum, digest);
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        add_mod_2_256(&mut self.sum, &other.sum);
    }
}

fn add_mod_2_256(sum: &mut Hash, value: &Hash) {
    let mut carry = 0;
    for (byte, more) in sum.iter_mut().zip(value) {
        let total = u16::from(*byte) + u16::from(*more) + carry;
        *byte = (total & 0xff) as u8;
        carry = total >> 8;
    }
}

/// Hash of a change chunk as Automerge names it: SHA-256 from the chunk type on; of everything where it is shorter.
pub fn change_hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes.get(8..).unwrap_or(bytes)).into()
}

/// Next link of an origin chain.
pub fn origin_chain(previous: &Hash, document_id: DocumentId, change: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    hasher.update(document_id.as_bytes());
    hasher.update(change);
    hasher.finalize().into()
}

/// Hash over the sorted (scope, scope chain).
pub fn scopes_hash<'a>(scopes: impl IntoIterator<Item = (&'a FederationId, &'a Hash)>) -> Hash {
    let mut hasher = Sha256::new();
    for (scope, chain) in scopes {
        hasher.update(scope.as_str().as_bytes());
        hasher.update(b"\0");
        hasher.update(chain);
    }
    hasher.finalize().into()
}

/// The first 8 bytes of a hash over the sorted grants; zero where there are none. It tells two lists apart that nobody
/// has an interest in confusing.
pub fn grants_hash<'a>(grants: impl IntoIterator<Item = (&'a FederationId, bool)>) -> [u8; 8] {
    let mut hasher = Sha256::new();
    let mut none = true;
    for (scope, write) in grants {
        none = false;
        hasher.update(scope.as_str().as_bytes());
        hasher.update([0, u8::from(write)]);
    }
    let mut head = [0; 8];
    if !none {
        head.copy_from_slice(&hasher.finalize()[..8]);
    }
    head
}

/// Root of a scope: SHA-256 over its sorted (document id, digest); and how many there are.
pub fn scope_root<'a>(entries: impl IntoIterator<Item = (&'a DocumentId, &'a Hash)>) -> (Hash, u64) {
    let mut hasher = Sha256::new();
    let mut count = 0;
    for (document_id, digest) in entries {
        hasher.update(document_id.as_bytes());
        hasher.update(digest);
        count += 1;
    }
    (hasher.finalize().into(), count)
}

/// Digest of a document with where its changes stand in the aggregator's log: SHA-256("rp1", document digest, then hash,
/// position and commit time of each change). `changes` are sorted by hash; a change without a position is at (0, 0).
pub fn placed_digest<'a>(digest: &Hash, changes: impl IntoIterator<Item = (&'a Hash, (u64, i64))>) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"rp1");
    hasher.update(digest);
    for (hash, (position, committed_at_ms)) in changes {
        hasher.update(hash);
        hasher.update(position.to_be_bytes());
        hasher.update(committed_at_ms.to_be_bytes());
    }
    hasher.finalize().into()
}

/// Bucket of a document out of `buckets`, a power of two: the top bits of SHA-256 over its id.
pub fn bucket_of(document_id: DocumentId, buckets: usize) -> usize {
    let digest = Sha256::digest(document_id.as_bytes());
    let top = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    ((u64::from(top) * buckets as u64) >> 32) as usize
}

/// Bucket count for a scope of `documents`: about sixteen documents a bucket, at most [`DIGEST_BUCKETS`].
///
/// [`DIGEST_BUCKETS`]: crate::limits::DIGEST_BUCKETS
pub fn buckets_for(documents: u64) -> usize {
    let wanted = (documents / 16).max(1).next_power_of_two();
    usize::try_from(wanted)
        .unwrap_or(usize::MAX)
        .min(crate::limits::DIGEST_BUCKETS)
}

/// Sums of the buckets of a scope, each cut to its first 8 bytes.
pub fn bucket_sums<'a>(
    entries: impl IntoIterator<Item = (&'a DocumentId, &'a Hash)>,
    buckets: usize,
) -> Vec<[u8; 8]> {
    let mut sums = vec![SetSum::default(); buckets];
    for (document_id, digest) in entries {
        sums[bucket_of(*document_id, buckets)].add(digest);
    }
    sums.iter()
        .map(|sum| {
            let mut cut = [0; 8];
            cut.copy_from_slice(&sum.sum[..8]);
            cut
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_the_order_and_carry() {
        let (a, b) = ([0xff; 32], [0x02; 32]);
        let (mut ab, mut ba) = (SetSum::default(), SetSum::default());
        ab.add(&a);
        ab.add(&b);
        ba.add(&b);
        ba.add(&a);
        assert_eq!(ab, ba);
        assert_eq!(ab.sum[0], 0x01);
        assert_eq!(ab.sum[1], 0x02);
    }

    #[test]
    fn a_placed_digest_tells_positions_and_times_apart() {
        let (digest, change) = ([1; 32], [2; 32]);
        let placed = |position, time| placed_digest(&digest, [(&change, (position, time))]);
        let all = [placed(0, 0), placed(4, 0), placed(4, 7), placed(5, 7)];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one) && *one != digest);
        }
    }

    #[test]
    fn buckets_grow_with_the_scope_and_stop_at_the_limit() {
        assert_eq!(buckets_for(0), 1);
        assert_eq!(buckets_for(300), 32);
        assert_eq!(buckets_for(1_000_000), crate::limits::DIGEST_BUCKETS);
        for number in 0..200u8 {
            assert!(bucket_of(DocumentId([number; 16]), 32) < 32);
        }
    }
}
