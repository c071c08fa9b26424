//! The domain inside Automerge documents, and the gate in front of them.
//!
//! The only crate that knows Automerge. Refuses to know: clocks, files, networks, SQL, and who may write what.
//! A document is maps of plain values (`schema`), begun by the same genesis change everywhere; every later
//! operation sets one value at one key. Read in this order.
#![deny(clippy::float_arithmetic)]

mod actor;
mod compose;
mod conflict;
mod content;
mod document;
mod edit;
mod error;
mod facts;
mod field_edit;
pub mod fuzz;
pub mod gate;
mod genesis;
pub mod handover;
mod history;
mod members;
mod mention;
mod place;
mod read;
mod record_edit;
pub mod rescue;
mod samples;
mod saved_form;
mod scalar;
mod schema;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod planning;
#[cfg(test)]
mod speed;

pub use conflict::{Conflict, ConflictValue};
pub use document::{Document, EditBy, LocalChange};
pub use edit::Edit;
pub use error::Error;
pub use history::{FieldEdit, HistoryEntry};
pub use mention::Mentions;
