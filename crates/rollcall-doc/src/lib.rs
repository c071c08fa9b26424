//! The domain inside Automerge documents, and the gate in front of them.
//!
//! The only crate that knows Automerge. Refuses to know: clocks, files, networks, SQL, and who may write what.
//! A document is maps of plain values (`schema`), begun by the same genesis change everywhere; every later
//! operation sets one value at one key. Read in this order.
#![deny(clippy::float_arithmetic)]

mod schema;
mod scalar;
mod place;
mod actor;
mod genesis;
mod content;
mod edit;
mod compose;
mod document;
mod read;
mod facts;
mod conflict;
mod history;
mod record_edit;
mod field_edit;
mod mention;
pub mod gate;
mod error;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod planning;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod speed;

pub use conflict::{Conflict, ConflictValue};
pub use document::{Document, EditBy, LocalChange};
pub use edit::Edit;
pub use error::Error;
pub use history::{FieldEdit, HistoryEntry};
pub use mention::Mentions;
