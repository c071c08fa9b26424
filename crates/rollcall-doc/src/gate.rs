//! The gate: what happens to changes from elsewhere before they reach a document (`reliability.md` 5.1).
//! Owns the order of the checks: frame, bounded decoding, schema, history, canonical form, trial.
//! No input may panic, hang or ask for memory beyond what its own bytes justify; what is refused says why.
//! Who may write what is not asked here.

mod admit;
pub(crate) mod bytes;
pub(crate) mod frame;
mod rules;
mod trial;
pub(crate) mod walker;

#[cfg(test)]
mod tests;

use rollcall_core::id::ActorId;

use crate::document::Document;
use crate::mention::Mentions;

pub(crate) use admit::walk_stored;
pub use admit::{Opened, admit};

/// What became of a bundle of changes for one document; every change is in exactly one place.
#[derive(Debug, Default)]
pub struct Admission {
    /// The document after the accepted changes; `None` if none was.
    pub document: Option<Document>,
    /// Accepted, each after those it depends on.
    pub accepted: Vec<AcceptedChange>,
    /// How many were held already or came twice.
    pub duplicates: usize,
    /// Sound, but something they depend on is not held.
    pub pending: Vec<PendingChange>,
    /// Refused, with reason.
    pub refused: Vec<RefusedChange>,
}

/// A change that is in the document now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedChange {
    /// Its name.
    pub hash: [u8; 32],
    /// Who made it.
    pub actor: ActorId,
    /// Its number among the actor's changes.
    pub seq: u64,
    /// Raw bytes, as they came.
    pub bytes: Vec<u8>,
    /// What it names.
    pub mentions: Mentions,
    /// The change that it writes again (`rescue`).
    pub rescues: Option<[u8; 32]>,
}

/// A change that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingChange {
    /// Its name.
    pub hash: [u8; 32],
    /// Raw bytes, as they came.
    pub bytes: Vec<u8>,
    /// What it waits for.
    pub missing: Vec<[u8; 32]>,
}

/// A change that is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedChange {
    /// Its name, where its frame was right.
    pub hash: Option<[u8; 32]>,
    /// Raw bytes, as they came.
    pub bytes: Vec<u8>,
    /// Stable code of `reliability.md` section 4.
    pub code: &'static str,
    /// What is wrong, in a sentence.
    pub message: String,
    /// Another change stands at its actor and number (`protocol.md` 4.7, R4).
    pub forked: bool,
}

/// Tries a chunk that the walker let through on a document without asking whether it belongs there; `None` where the
/// trial refuses it. For fuzz targets: the trial must hold by itself.
pub(crate) fn try_alone(held: &Document, chunk: &[u8]) -> Option<Document> {
    let framed = frame::open(chunk).ok()?;
    let checked = admit::Checked {
        bytes: chunk,
        hash: framed.hash,
        change: walker::walk(framed.body).ok()?,
    };
    trial::run(held, vec![checked]).document
}

/// Why one change is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn too_big(message: impl Into<String>) -> Self {
        Self::new("CHANGE_TOO_BIG", message)
    }
}
