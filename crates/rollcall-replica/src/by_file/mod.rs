//! Sync by file (`protocol.md` 1.21): a node's batches in one file, the answer to it in another, whoever carries them.
//!
//! What is taken, answered and proven is what a session takes, answers and proves, through the same gate and the same
//! transactions. Nobody is there to ask, so every file stands alone: it says what it builds on, and what does not fit is
//! answered with where the reader stands. Both ends lack something that neither log shows (after two restores, say):
//! then the next file holds everything, in both directions.
//! Owns the order of things; where files lie, seals and signatures are the caller's. Read in this order.

mod answer;
mod proof;
mod send;
mod take;
mod take_answer;

pub use answer::Answering;
pub use send::{Sending, Writer};
pub use take::{FileTaken, Fits, Taking};
pub use take_answer::{Again, AnswerEnd, AnswerTaken, TakingAnswer};

use crate::error::Error;
use crate::take_up::UpRefused;

/// Why a file is not taken, though it is whole and signed as it should be.
#[derive(Debug, thiserror::Error)]
pub enum FileRefused {
    /// It comes from a store that is not enrolled with the certificate it names.
    #[error("the node's certificate was issued to another store; enrol this node again")]
    Sender,
    /// The other end speaks another version of the protocol.
    #[error("the file speaks another version of the protocol; update the older side")]
    Protocol,
    /// Its parts are not what an honest writer writes.
    #[error("the parts of the file do not belong together; nothing more of it is taken")]
    Order,
    /// An answer that something newer has overtaken.
    #[error(
        "this answer was made before the node or the aggregator was restored, or for another file; nothing was taken, run export-batches again"
    )]
    Old,
    /// A batch in it was refused.
    #[error(transparent)]
    Up(#[from] UpRefused),
    /// The other end says no.
    #[error("{message}")]
    Said {
        /// Stable code.
        code: String,
        /// Plain sentence.
        message: String,
    },
    /// The replica could not do it.
    #[error(transparent)]
    Replica(#[from] Error),
}

impl FileRefused {
    /// Stable code.
    pub fn code(&self) -> String {
        match self {
            Self::Sender => "SENDER_MISMATCH".to_owned(),
            Self::Protocol => "ENVELOPE_NEWER".to_owned(),
            Self::Order => "ENVELOPE_FORMAT".to_owned(),
            Self::Old => "ANSWER_OLD".to_owned(),
            Self::Up(refused) => refused.code(),
            Self::Said { code, .. } => code.clone(),
            Self::Replica(error) => error.code(),
        }
    }
}
