//! What a node's end of a session is told: frames, and how the effects that were asked for ended.
//! Owns the list and no order: any event may come at any time, and what makes no sense ends the session in `client`.
//! Every variant needs an arm in whoever plays a node (`xtask/src/bench/prepared.rs`, the tests of this crate).

use rollcall_core::id::DocumentId;

use crate::message::{Batch, DocumentChanges, Receipt, ServerFrame, SetSum};

/// What came in.
#[derive(Debug)]
pub enum ClientEvent {
    /// A frame from the aggregator.
    Frame(ServerFrame),
    /// The next batch of the own log, after `LoadUp`.
    UpLoaded(Box<Batch>),
    /// The own log has another chain at the cursor that was asked for, or ends before it.
    UpMismatch,
    /// The ack is stored.
    AckStored,
    /// A batch of the aggregator's log is durable here.
    DownApplied {
        /// Up to this position.
        position: u64,
        /// Sum over what is held now.
        set: SetSum,
    },
    /// The receipt was checked against the rows held here.
    ReceiptChecked(ReceiptCheck),
    /// Repair by digest is through; these changes are lacking at the aggregator.
    Repaired {
        /// In batches that fit.
        lacking: Vec<Vec<DocumentChanges>>,
        /// Documents of which the gate here refused what it brought.
        apart: Vec<DocumentId>,
        /// Changes of this node stand in its own log once more, because the aggregator lacks them.
        resent: bool,
    },
    /// Of the documents that a receipt claims nothing about, neither end lacks a change that the other could bring.
    DoubtfulAgree,
    /// The own log has grown (live sessions).
    Edited,
    /// Time to compare what both ends hold (live sessions).
    CompareDue,
    /// Answer to `Prove`: the last verified receipt, if one is kept.
    ProofLoaded(Option<Box<Receipt>>),
    /// Answer to `LoadSet`: what is held here now.
    SetLoaded(SetSum),
    /// This end wants the session to end as soon as nothing is under way.
    Close,
    /// The connection is gone.
    LinkLost,
}

/// Result of checking a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptCheck {
    /// Signature good, roots equal.
    Equal,
    /// Signature good; edits were made here since, so roots cannot be compared.
    NewerEdits,
    /// Signature good, roots differ.
    Different,
    /// The signature is not the aggregator's, or the receipt is about another store.
    Bad,
}
