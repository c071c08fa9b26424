//! Every limit of the protocol, by name (`protocol.md` 1.18). A test reaches each.

/// Protocol version spoken here.
pub const PROTOCOL_VERSION: u32 = 1;
/// Largest change, bytes.
pub const CHANGE_BYTES_MAX: usize = 256 * 1024;
/// Most operations in a change.
pub const CHANGE_OPERATIONS_MAX: u64 = 10_000;
/// A document from here on is shown as too large, bytes of its changes.
pub const DOCUMENT_BYTES_WARN: usize = 256 * 1024;
/// Largest document, bytes of its changes.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;
/// Most documents in a batch.
pub const BATCH_DOCUMENTS_MAX: usize = 500;
/// Largest batch before compression, bytes.
pub const BATCH_RAW_BYTES_MAX: usize = 1024 * 1024;
/// Largest batch on the wire, bytes; one that holds a single document may be as large as a message.
pub const BATCH_WIRE_BYTES_MAX: usize = 256 * 1024;
/// A sender closes a batch here, so that with its columns it stays below the wire limit even if nothing of it can be
/// compressed, bytes of changes. One document is never split and may be larger.
pub const BATCH_RAW_BYTES_TARGET: usize = 192 * 1024;
/// Largest gRPC message, bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Batches that may be under way unanswered in one direction.
pub const BATCHES_IN_FLIGHT_MAX: usize = 8;
/// Changes of one document that may wait for a dependency.
pub const PENDING_CHANGES_MAX: usize = 256;
/// Changes of one node that may be kept apart or wait at the aggregator. Beyond that its batches are not taken any more.
pub const KEPT_APART_CHANGES_MAX: u64 = 10_000;
/// Bytes of them.
pub const KEPT_APART_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// How long a change may wait for a dependency, milliseconds: 7 days.
pub const PENDING_MS_MAX: i64 = 7 * 86_400_000;
/// Documents that a node may ask to be left out of a receipt.
pub const APART_MAX: usize = 10_000;
/// Buckets of the digest.
pub const DIGEST_BUCKETS: usize = 2048;
/// Repairs of one session before it gives up.
pub const REPAIRS_MAX: u32 = 2;
/// Receipts in a row that may state less of the node's log than was sent, with nothing left to send; one may have been on
/// its way. The next one leads to a repair.
pub const RECEIPTS_BEHIND_MAX: u32 = 3;
/// Batches judged at a time at the aggregator, for each core.
pub const APPLYING_PER_CORE: usize = 2;
/// Sessions under way at a time, those whose batches are judged and those that wait; above it peers come back later.
pub const SESSIONS_UNDER_WAY_MAX: usize = 128;
/// Of those, sessions of one peer.
pub const SESSIONS_PER_PEER_MAX: usize = 2;
/// Longest wait that a peer is told, milliseconds.
pub const RETRY_AFTER_MS_MAX: u64 = 5 * 60 * 1_000;
/// Time for what is under way when a live session is asked to end, milliseconds.
pub const DRAIN_MS: u64 = 5_000;
/// A live session's receipt waits this long for whatever else happens, milliseconds.
pub const RECEIPT_GATHER_MS: u64 = 250;
/// The same for each scope of the receipt before,
pub const RECEIPT_GATHER_MS_PER_SCOPE: u64 = 10;
/// and in all.
pub const RECEIPT_GATHER_MS_MAX: u64 = 30_000;
/// A live session this old is opened anew by the node, give or take a fifth, milliseconds.
pub const SESSION_AGE_MS: u64 = 12 * 60 * 1_000;
/// Largest file of batches or answer that is read, bytes: the whole register of a country.
pub const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// Largest part of such a file, bytes: a batch, or the receipt of an office over many scopes.
pub const FILE_PART_BYTES_MAX: usize = 4 * MESSAGE_BYTES_MAX;
/// Files of one peer that are remembered by name; of an older one only its content says that it was taken.
pub const FILES_REMEMBERED_MAX: u64 = 100;
/// Largest file that goes through a relay, bytes; what is larger is carried.
pub const RELAY_FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Files of one node that lie at a relay, in either direction.
pub const RELAY_FILES_MAX: usize = 8;
/// Bytes that lie at a relay in all.
pub const RELAY_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Files of relays that an aggregator takes at a time.
pub const CARRIES_MAX: usize = 4;
