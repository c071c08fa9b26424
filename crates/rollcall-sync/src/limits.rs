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
/// Largest batch on the wire, bytes.
pub const BATCH_WIRE_BYTES_MAX: usize = 256 * 1024;
/// A sender closes a batch here, so that it stays below the wire limit once compressed (about 1 : 3), bytes of changes.
pub const BATCH_RAW_BYTES_TARGET: usize = 512 * 1024;
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
