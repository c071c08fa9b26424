//! All SQL: changes, documents, scopes, cursors, facts, lists, receipts, accounts and audit.
//!
//! A [`Store`] is one database file, open in any number of processes at once. Reads are snapshots ([`Reader`]),
//! writes are named closures that a thread of their own commits in groups ([`Writer`]). No engine type shows in public.
//! Refuses to know: Automerge, the network, the clock (time is an argument), what facts and receipts hold.
//! Reading order: `store`, `document`, `change`, `commit`, `scope`, `cursor`, `fact`, `listing`, then the rest.

pub mod account;
pub mod audit;
pub mod backup;
pub mod batch_file;
pub mod branch;
pub mod change;
pub mod cluster;
pub mod commit;
pub mod cursor;
pub mod document;
pub mod enrolment;
pub mod error;
pub mod fact;
pub mod fence;
pub mod import;
pub mod lease;
pub mod listing;
mod migration;
pub mod owner;
pub mod quarantine;
pub mod receipt;
pub mod recovery;
pub mod salvage;
pub mod scope;
pub mod self_check;
mod sqlite;
pub mod store;
pub mod successor;
#[cfg(test)]
mod testing;
pub mod verify;

pub use error::{Error, Refusal, TokenFault};
pub use sqlite::{Announced, Pending, Reader, Writer};
pub use store::{CreateOptions, Identity, Role, Store};

/// SHA-256.
pub type Hash = [u8; 32];

/// Position of what has none yet: a node's own edits before the aggregator answered. Greater than any other.
pub const UNSENT: u64 = i64::MAX as u64;
