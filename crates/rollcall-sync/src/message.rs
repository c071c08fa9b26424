//! What the two ends say to each other, free of any wire format (`protocol.md` 1.15, 4.4).
//! Changes are bytes here, heads are hashes: this crate names no document library.

use rollcall_core::id::{DocumentId, DocumentKind, FederationId, LogEpoch, StoreId};

/// SHA-256.
pub type Hash = [u8; 32];

/// Count of documents and sum of their digests mod 2^256 over every (scope, document) of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetSum {
    /// How many (scope, document) pairs.
    pub count: u64,
    /// Sum of the document digests, little-endian.
    pub sum: Hash,
}

/// How far a log has been received: a position and the chain hash at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Last position received.
    pub position: u64,
    /// Chain hash at that position; zero at the start.
    pub chain: Hash,
}

/// First frame of a session, from the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Protocol version.
    pub protocol: u32,
    /// Program version, for the list of peers.
    pub version: String,
    /// Made by the client.
    pub session_id: [u8; 16],
    /// The node's store.
    pub store_id: StoreId,
    /// Spell of its origin log.
    pub log_epoch: LogEpoch,
    /// Random per process start.
    pub boot_id: [u8; 16],
    /// End of its origin log.
    pub origin_end: Cursor,
    /// What it believes the aggregator has acknowledged of it.
    pub acknowledged: Cursor,
    /// The aggregator's store and epoch it last spoke to, if any.
    pub known_peer: Option<(StoreId, LogEpoch)>,
    /// Last position of the aggregator it holds everything up to.
    pub down_position: u64,
    /// Hash over its sorted (scope, scope chain).
    pub scopes_hash: Hash,
    /// Sum over what it holds in its scopes.
    pub set: SetSum,
    /// Hash of the last verified receipt, zero if none.
    pub receipt_hash: Hash,
    /// This store takes the place of the one that the certificate was issued to, which is lost (`protocol.md` R8).
    pub takes_place: bool,
    /// Hash over the grants it holds ([`grants_hash`]); zero where it does not say.
    ///
    /// [`grants_hash`]: crate::fingerprint::grants_hash
    pub grants_hash: [u8; 8],
    /// Whether it wants the session to stay open after the receipt.
    pub live: bool,
    /// Whether receipts may name only what differs from one that it holds.
    pub partial_receipts: bool,
    /// It has lost how far it holds the aggregator's log, and holds documents of it: it compares digests and is sent
    /// only what is new from now on.
    pub digest_first: bool,
    /// Greatest cluster epoch met with this aggregator: each restore of it raises the number. 0 if it was never restored.
    pub cluster_epoch: u64,
}

/// Why a session repairs (`protocol.md` 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairReason {
    /// The receiver knows nothing of this store.
    NoCursor,
    /// The receiver's or sender's epoch changed.
    EpochChanged,
    /// Positions fit, chains do not.
    ChainMismatch,
    /// The receiver has more than the sender says it wrote.
    ReceiverAhead,
    /// Drained, yet the sums differ.
    DigestMismatch,
}

/// How the aggregator takes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do in either direction, sums equal.
    InSync,
    /// Logs fit; the optimistic batches are taken.
    CatchUp,
    /// What either end knows of the other's log does not fit, or is lost: send from `HelloAck::cursor`, then compare digests
    /// and ask for a receipt. Neither log is sent again.
    Repair(RepairReason),
}

/// Answer to `Hello`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelloAck {
    /// The aggregator's store.
    pub store_id: StoreId,
    /// Spell of its log.
    pub log_epoch: LogEpoch,
    /// How it takes the session.
    pub verdict: Verdict,
    /// How far it holds the node's origin log.
    pub cursor: Cursor,
    /// Its last committed position.
    pub position: u64,
    /// Its clock, Unix milliseconds.
    pub time_ms: i64,
    /// Scopes this peer may write or read, sorted; empty where the node holds the same.
    pub scopes: Vec<ScopeGrant>,
    /// Sum over the peer's scopes here.
    pub set: SetSum,
    /// Hash of the receipt that still holds (verdict `InSync`), zero otherwise.
    pub receipt_hash: Hash,
    /// The aggregator was restored and has not heard everybody since (`protocol.md` R2).
    pub rebuilding: bool,
    /// Whether the session stays open after the receipt.
    pub live: bool,
    /// The aggregator's own cluster epoch.
    pub cluster_epoch: u64,
    /// What the node says of its last receipt or of another aggregator is not known here: it shall show that receipt.
    pub wants_proof: bool,
}

/// A scope a peer is enrolled for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeGrant {
    /// Which.
    pub scope: FederationId,
    /// Whether it may write it; else a read-only replica.
    pub write: bool,
}

/// One change on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEntry {
    /// Upward: position in the node's origin log. Downward: the aggregator's position.
    pub position: u64,
    /// Downward: commit time of that position, Unix milliseconds. Upward: 0.
    pub committed_at_ms: i64,
    /// Plain Automerge change chunk.
    pub bytes: Vec<u8>,
}

/// Changes of one document in a batch. Genesis never travels: kind and extension say how to make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentChanges {
    /// Which document.
    pub document_id: DocumentId,
    /// Which kind, and so which genesis.
    pub kind: DocumentKind,
    /// Downward: scopes of the peer that the document is in. Upward: empty.
    pub scopes: Vec<FederationId>,
    /// In dependency order.
    pub changes: Vec<ChangeEntry>,
}

/// A piece of a log, in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Position before the first.
    pub from: u64,
    /// Last position covered: everything up to it that the receiver may have is in.
    pub to: u64,
    /// Upward: origin chain at `to`. Downward: hash over the peer's scopes and their chains at `to`, to be said back in Hello.
    pub end_chain: Hash,
    /// Upward: Ed25519 over store, epoch, `to`, `end_chain`. Downward: empty.
    pub signature: Vec<u8>,
    /// Content.
    pub documents: Vec<DocumentChanges>,
    /// Last batch for now.
    pub drained: bool,
}

/// What became of one document of a batch (`protocol.md` 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All new changes taken.
    Applied,
    /// Every change was there already.
    Duplicate,
    /// Kept until what they depend on arrives.
    Pending,
    /// Another change has this actor and sequence number; kept apart.
    Forked,
    /// The gate refused them; kept apart. Code of `reliability.md` 4.
    Quarantined(String),
    /// This peer may not write this document; kept apart. Code of `reliability.md` 4.
    Rejected(String),
}

/// One document's outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentOutcome {
    /// Which.
    pub document_id: DocumentId,
    /// What.
    pub outcome: Outcome,
    /// Position and commit time (Unix milliseconds) of each change sent, in order; (0, 0) where not taken.
    pub positions: Vec<(u64, i64)>,
    /// Scopes of the peer that the document is now in.
    pub scopes: Vec<FederationId>,
}

/// Answer to an upward batch: durable when it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The node's origin log is held up to here: the end of the batch, or for a loose one what was held before.
    pub cursor: Cursor,
    /// One for each document of the batch, in its order.
    pub outcomes: Vec<DocumentOutcome>,
}

/// One scope in a receipt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScopeReceipt {
    /// Which.
    pub scope: FederationId,
    /// How many documents.
    pub documents: u64,
    /// SHA-256 over the sorted (document id, digest), `protocol.md` 1.16.
    pub root: Hash,
}

/// The aggregator's signed statement of what it holds for a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The aggregator's store.
    pub store_id: StoreId,
    /// Spell of its log.
    pub log_epoch: LogEpoch,
    /// Its position the statement is about.
    pub position: u64,
    /// Its clock, Unix milliseconds.
    pub time_ms: i64,
    /// The node's store.
    pub origin_store: StoreId,
    /// Spell of the node's log.
    pub origin_epoch: LogEpoch,
    /// How far the node's log is held.
    pub origin: Cursor,
    /// Every scope of the peer, sorted.
    pub scopes: Vec<ScopeReceipt>,
    /// Documents in quarantine, for which nothing is claimed; sorted.
    pub quarantined: Vec<DocumentId>,
    /// Documents over all scopes, each once: a visitor is in several scopes.
    pub documents: u64,
    /// As in [`HelloAck::rebuilding`]: others may still hold what the aggregator lacks.
    pub rebuilding: bool,
    /// As in [`HelloAck::cluster_epoch`].
    pub cluster_epoch: u64,
    /// Ed25519 over `Receipt::signed_bytes`.
    pub signature: Vec<u8>,
}

/// A receipt on its way to a node that holds an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialReceipt {
    /// Hash of the earlier one.
    pub based_on: Hash,
    /// The receipt, without the scopes that stand in both alike.
    pub differing: Receipt,
    /// Scopes of the earlier one that are not in this one.
    pub gone: Vec<FederationId>,
}

/// Frames from the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// First.
    Hello(Box<Hello>),
    /// Its log.
    Batch(Box<Batch>),
    /// Durable downward up to this position.
    Applied {
        /// The aggregator's position.
        position: u64,
        /// Sum over what it now holds.
        set: SetSum,
    },
    /// Asks for a fresh receipt now.
    WantReceipt {
        /// Documents of which the node's gate refused what repair brought; the receipt shall claim nothing about them.
        apart: Vec<DocumentId>,
    },
    /// Asks what the other end holds (live sessions).
    Compare,
    /// The last receipt that the node verified, for an aggregator that wants a proof.
    Proof(Box<Receipt>),
}

/// Frames from the aggregator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerFrame {
    /// First.
    HelloAck(Box<HelloAck>),
    /// Its log for this peer.
    Batch(Box<Batch>),
    /// Answer to a batch.
    Ack(Box<Ack>),
    /// Its statement.
    Receipt(Box<Receipt>),
    /// Its statement, as what differs from one that the node holds.
    PartialReceipt(Box<PartialReceipt>),
    /// Come back later.
    Busy {
        /// Milliseconds to wait.
        retry_after_ms: u64,
    },
    /// Session ends here.
    Goaway {
        /// Code of `reliability.md` 4.
        code: String,
        /// Plain sentence.
        message: String,
        /// For so many milliseconds what is under way is still answered; 0 where the session is over.
        drain_ms: u64,
    },
    /// Answer to `Compare`.
    Compared {
        /// Sum over the peer's scopes here.
        set: SetSum,
    },
}

/// Asks which buckets of which scopes differ. Digests are those of [`placed_digest`]: a change that both ends hold at
/// different positions is a difference, too.
///
/// [`placed_digest`]: crate::fingerprint::placed_digest
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestRequest {
    /// Scope and the sums of its buckets, each the first 8 bytes of the sum of its document digests.
    pub scopes: Vec<(FederationId, Vec<[u8; 8]>)>,
    /// Whether the first 8 bytes of each document's digest will do for an answer.
    pub short: bool,
}

/// One document of a differing bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestEntry {
    /// Its scope.
    pub scope: FederationId,
    /// Which.
    pub document_id: DocumentId,
    /// Its placed digest; of a short answer the first 8 bytes, then zeros.
    pub digest: Hash,
}

impl DigestEntry {
    /// Whether a document has this digest, as far as the entry tells.
    pub fn is_of(&self, digest: &Hash) -> bool {
        self.digest == *digest || (self.digest[8..] == [0; 24] && self.digest[..8] == digest[..8])
    }
}

/// Every document of the differing buckets, and which buckets those are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestAnswer {
    /// The aggregator's position the answer is about.
    pub position: u64,
    /// Differing buckets per scope.
    pub buckets: Vec<(FederationId, Vec<u32>)>,
    /// Their documents.
    pub entries: Vec<DigestEntry>,
    /// Digests are cut to 8 bytes.
    pub short: bool,
}

/// For documents that differ: which changes the node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveRequest {
    /// Document and hashes of all its changes at the node, genesis left out.
    pub documents: Vec<(DocumentId, Vec<Hash>)>,
}

/// What each side lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveAnswer {
    /// Changes that the node lacks.
    pub changes: Vec<DocumentChanges>,
    /// Changes that the aggregator lacks.
    pub wanted: Vec<(DocumentId, Vec<Hash>)>,
    /// Position and commit time (Unix milliseconds) of each change that was named, in the order of the request; (0, 0)
    /// where it is not held.
    pub placed: Vec<(DocumentId, Vec<(u64, i64)>)>,
}
