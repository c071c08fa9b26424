//! All SQL: changes, documents, scopes, cursors, facts, lists, receipts, accounts and audit.
//!
//! A [`Store`] is one database file, open in any number of processes at once. Reads are snapshots ([`Reader`]),
//! writes are named closures that a thread of their own commits in groups ([`Writer`]). No engine type shows in public.
//! Refuses to know: Automerge, the network, the clock (time is an argument), what facts and receipts hold.
//! Read in this order.

pub mod error;
pub mod store;
mod sqlite;
mod migration;
pub mod document;
pub mod change;
pub mod commit;
pub mod scope;
pub mod cursor;
pub mod fact;
pub mod listing;
pub mod receipt;
pub mod quarantine;
pub mod import;
pub mod account;
pub mod audit;
pub mod enrolment;
pub mod lease;
pub mod verify;
pub mod backup;
#[cfg(test)]
mod testing;

pub use error::{Error, Refusal, TokenFault};
pub use sqlite::{Pending, Reader, Writer};
pub use store::{CreateOptions, Identity, Role, Store};

/// SHA-256.
pub type Hash = [u8; 32];

/// Position of what has none yet: a node's own edits before the aggregator answered. Greater than any other.
pub const UNSENT: u64 = i64::MAX as u64;
