//! Why a store did not do what it was asked: variants that a caller can tell apart.
//! Owns the translation of the engine's result codes; names no engine type in public.

use std::path::PathBuf;

use rollcall_core::id::DocumentId;

use crate::cursor::Cursor;
use crate::migration::VERSION;
use crate::owner::Misfit;

/// A caller's own refusal, carried through a transaction that it rolled back.
pub type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// What the engine said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (result code {code})")]
pub struct EngineError {
    /// Extended result code.
    pub code: i32,
    /// Its words.
    pub message: String,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's own closure refused; downcast to see why.
    #[error("refused: {0}")]
    Refused(#[source] Refusal),
    /// The document is not what the caller prepared its commit for; prepare again.
    #[error("document {0} has moved on meanwhile")]
    Stale(DocumentId),
    /// The document already holds a change that was given as new.
    #[error("document {0} already holds this change")]
    ChangeHeld(DocumentId),
    /// There is no such document.
    #[error("no document {0}")]
    NoDocument(DocumentId),
    /// A commit at the aggregator without new changes, or a document with no heads.
    #[error("nothing to commit in document {0}")]
    EmptyCommit(DocumentId),
    /// The document is of another kind.
    #[error("document {0} is of another kind")]
    KindDiffers(DocumentId),
    /// The cursor is not where the caller believed.
    #[error("cursor stands at position {}", .held.position)]
    CursorMoved {
        /// Where it stands.
        held: Cursor,
    },
    /// The chain at that position is another one.
    #[error("chain at position {position} differs")]
    ChainMismatch {
        /// Which position.
        position: u64,
    },
    /// The operation is for the other role.
    #[error("a store of this role has no {0}")]
    WrongRole(&'static str),
    /// No such row where one was to be changed.
    #[error("no such {0}")]
    Missing(&'static str),
    /// A row of that name exists.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// The token is unknown, used up or out of date.
    #[error("token is {0}")]
    Token(TokenFault),
    /// Somebody else holds the lease.
    #[error("lease is held by {holder} until {until_ms}")]
    LeaseHeld {
        /// Who.
        holder: String,
        /// Until when, Unix milliseconds.
        until_ms: i64,
    },
    /// A stored value that cannot be what was written.
    #[error("damaged value in {0}")]
    Damaged(&'static str),
    /// The file is damaged: first findings of the engine's check.
    #[error("database file is damaged: {}", .0.join("; "))]
    Corrupt(Vec<String>),
    /// There is a file already.
    #[error("there is a file {} already", .0.display())]
    FileExists(PathBuf),
    /// There is no file.
    #[error("there is no file {}", .0.display())]
    FileMissing(PathBuf),
    /// The file is something else.
    #[error("the file {} is not a Rollcall store", .0.display())]
    NotAStore(PathBuf),
    /// The backup belongs to another place (`reliability.md` 4, row 85).
    #[error(transparent)]
    OtherStore(#[from] Misfit),
    /// The store comes from a newer program.
    #[error("store has version {found}, this program knows {VERSION}")]
    Newer {
        /// Version in the file.
        found: u32,
    },
    /// File or disk is read-only.
    #[error("store is read-only")]
    ReadOnly,
    /// Another process has the store open.
    #[error("{} is in use by another process; stop serve and try again", .0.display())]
    InUse(PathBuf),
    /// The disk is full; nothing was lost.
    #[error("disk is full; nothing was lost, free some space and try again")]
    DiskFull,
    /// Another process kept the store locked for too long.
    #[error("store is busy")]
    Busy,
    /// The store was closed.
    #[error("store is closed")]
    Closed,
    /// The transaction's closure panicked and was rolled back.
    #[error("transaction {0} panicked and was rolled back")]
    Panicked(&'static str),
    /// The file system refused.
    #[error("{} {}: {source}", .action, .path.display())]
    Io {
        /// Verb.
        action: &'static str,
        /// Object.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The system gave no random bytes.
    #[error("no random bytes from the system")]
    Random,
    /// Anything else the engine says.
    #[error("database: {0}")]
    Engine(#[source] EngineError),
}

/// What is wrong with an enrolment token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// Never printed here.
    Unknown,
    /// Used once already.
    Used,
    /// Past its time.
    Expired,
}

impl std::fmt::Display for TokenFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Used => "used already",
            Self::Expired => "expired",
        })
    }
}

impl Error {
    /// Wraps a caller's own refusal.
    pub fn refused(refusal: impl Into<Refusal>) -> Self {
        Self::Refused(refusal.into())
    }

    /// Whether the same request may succeed when simply made again.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Stale(_) | Self::Busy | Self::DiskFull | Self::CursorMoved { .. }
        )
    }

    /// Stable code of `reliability.md` 4, where there is one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::DiskFull => Some("DISK_FULL"),
            Self::ReadOnly => Some("STORE_READONLY"),
            Self::Newer { .. } => Some("STORE_NEWER"),
            Self::Corrupt(_) | Self::Damaged(_) => Some("STORE_DAMAGED"),
            Self::NotAStore(_) => Some("STORE_CHANGED"),
            Self::OtherStore(_) => Some("BACKUP_OTHER_NODE"),
            Self::FileExists(_) => Some("FILE_EXISTS"),
            Self::FileMissing(_) => Some("FILE_MISSING"),
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Some("NO_PERMISSION")
            }
            _ => None,
        }
    }

    pub(crate) fn io(action: &'static str, path: &std::path::Path, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull,
            std::io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Io {
                action,
                path: path.to_owned(),
                source,
            },
        }
    }
}

/// Translates an engine error.
pub(crate) fn engine(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    match &error {
        rusqlite::Error::SqliteFailure(failure, message) => match failure.code {
            ErrorCode::DiskFull => Error::DiskFull,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Error::Busy,
            ErrorCode::ReadOnly => Error::ReadOnly,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Error::Corrupt(vec![error.to_string()]),
            _ => Error::Engine(EngineError {
                code: failure.extended_code,
                message: message.clone().unwrap_or_else(|| failure.to_string()),
            }),
        },
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => Error::Damaged("a column"),
        other => Error::Engine(EngineError {
            code: 0,
            message: other.to_string(),
        }),
    }
}
