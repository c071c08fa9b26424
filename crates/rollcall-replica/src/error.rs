//! Why a replica did not do what it was asked: variants that a caller can tell apart.

use rollcall_core::id::DocumentId;
use rollcall_core::problem::Problem;

/// Why a replica did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] rollcall_store::Error),
    /// A stored document cannot be read or written.
    #[error("open document {id}")]
    Document {
        /// Which.
        id: DocumentId,
        /// Why.
        source: Box<rollcall_doc::Error>,
    },
    /// Stored facts are not in this program's form; `rebuild` reads them anew.
    #[error("read the stored facts of document {0}; run rebuild")]
    Facts(DocumentId),
    /// There is no such document here.
    #[error("no document {0} is held here")]
    NoDocument(String),
    /// The input breaks rules; each problem says which and where.
    #[error("{}", first(.0))]
    Problems(Vec<Problem>),
    /// This replica may not write the document (`FOREIGN_JURISDICTION`).
    #[error("{0} is kept by another federation")]
    Foreign(DocumentId),
    /// The document was handed over to this replica's federation, which has not accepted it yet (`HANDOVER_OPEN`).
    #[error(
        "{0} is being handed over to this federation; accept the handover first, until then nothing else of it can be changed here"
    )]
    HandoverOpen(DocumentId),
    /// The node is not enrolled, so nothing says which scope it writes.
    #[error("this node is not enrolled with an aggregator")]
    NotEnrolled,
    /// The document kept changing under the edit.
    #[error("document {0} kept changing; nothing was saved, try again")]
    Busy(DocumentId),
    /// The node's log began a new spell while it was being written out.
    #[error("the node's log began anew meanwhile; nothing was lost, try again")]
    LogReplaced,
    /// The figures could not be asked for.
    #[error(transparent)]
    Stats(#[from] rollcall_stats::Error),
    /// What was asked for was done before (`ALREADY_DONE`).
    #[error("{0} was done already; nothing was changed")]
    AlreadyDone(String),
    /// Reading or writing a list or records.
    #[error(transparent)]
    Exchange(#[from] rollcall_exchange::Error),
    /// Reading or writing a file.
    #[error("read or write the file")]
    File(#[from] std::io::Error),
}

fn first(problems: &[Problem]) -> String {
    problems
        .first()
        .map_or_else(String::new, |problem| problem.message.clone())
}

impl Error {
    /// Stable code for people and scripts (`reliability.md` 4).
    pub fn code(&self) -> String {
        match self {
            Self::Store(error) => error.code().unwrap_or("STORE").to_owned(),
            Self::Document { .. } => "DOCUMENT_DAMAGED".to_owned(),
            Self::Facts(_) => "FACTS_OLD".to_owned(),
            Self::NoDocument(_) => "NOT_FOUND".to_owned(),
            Self::Problems(problems) => problems
                .first()
                .map_or_else(String::new, |problem| problem.code.clone()),
            Self::Foreign(_) => "FOREIGN_JURISDICTION".to_owned(),
            Self::HandoverOpen(_) => "HANDOVER_OPEN".to_owned(),
            Self::NotEnrolled => "NOT_ENROLLED".to_owned(),
            Self::Busy(_) | Self::LogReplaced => "BUSY".to_owned(),
            Self::Stats(_) => "PARAM_INVALID".to_owned(),
            Self::AlreadyDone(_) => "ALREADY_DONE".to_owned(),
            Self::Exchange(_) => "FILE".to_owned(),
            Self::File(_) => "FILE".to_owned(),
        }
    }
}
