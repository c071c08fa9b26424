//! What can go wrong with a document as such. Bad content is no error: see `Problem`.

use rollcall_core::id::ActorId;

/// Why a document could not be loaded or edited.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Stored bytes are no change, or their checksum is wrong.
    #[error("change {index} of the stored ones is damaged")]
    ChangeDamaged {
        /// Position among the stored changes.
        index: usize,
    },
    /// Stored changes do not make one history.
    #[error("the stored changes do not fit together: {missing} of them wait for others")]
    HistoryIncomplete {
        /// How many could not be applied.
        missing: usize,
    },
    /// Automerge refused stored changes.
    #[error("apply stored changes")]
    Apply(#[source] automerge::AutomergeError),
    /// Automerge refused an edit.
    #[error("write edit")]
    Edit(#[source] automerge::AutomergeError),
    /// An edit was to be made on a state that this document never had.
    #[error("the edit was made on a state of the document that is not held here")]
    HeadsUnknown,
    /// The state the form showed does not cover this actor's last change: take a fresh actor.
    #[error("actor {0} has changed the document since; a fresh actor is needed")]
    ActorBehind(ActorId),
    /// The actor stands for another account in this document.
    #[error("actor {0} belongs to another author here")]
    ActorTaken(ActorId),
    /// An author is 1 to 64 visible ASCII characters.
    #[error("an edit needs an author such as 330106/7")]
    AuthorMissing,
    /// More than a single change may hold; make several.
    #[error("the edit is larger than a change may be")]
    EditTooBig,
}
