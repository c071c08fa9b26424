//! What can go wrong between two ends, in variants a caller can tell apart.
//! How a failure travels to the other end is `status`'s.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::status::Refusal;

/// A call, a session or a key that failed.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// Not `https://host:port`.
    #[error("{0:?} is not an address such as https://localhost:7443")]
    Address(String),
    /// No TCP connection.
    #[error("nobody answers at {address}; nothing is lost, try again later")]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The other end took too long.
    #[error("no answer within {} s: {waiting_for}", after.as_secs())]
    Timeout {
        /// What did not come.
        waiting_for: &'static str,
        /// How long we waited.
        after: Duration,
    },
    /// TLS could not be agreed on.
    #[error("TLS handshake")]
    Handshake(#[source] io::Error),
    /// The server does not belong to the authority that the token or our configuration names.
    #[error("the server belongs to another authority than the one expected")]
    CaMismatch,
    /// The server does not accept our certificate: foreign, expired or revoked.
    #[error("the server refused our certificate: {0:?}")]
    CertificateRefused(rustls::AlertDescription),
    /// The connection ended, or the other end broke HTTP/2.
    #[error("the connection was closed")]
    Closed(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// The other end said no, with a reason.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// A message that does not say what it must.
    #[error("malformed message: {field}")]
    Malformed {
        /// The part at fault.
        field: &'static str,
    },
    /// A message above its limit.
    #[error("{what} of {bytes} bytes or entries, the limit is {limit}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The most allowed.
        limit: usize,
    },
    /// Compressed content that does not inflate to what it declares.
    #[error("compressed content is damaged")]
    Damaged,
    /// The other end sends more than was agreed before we answer.
    #[error("more than {limit} frames are waiting unanswered")]
    Flooded {
        /// The most allowed.
        limit: usize,
    },
    /// Text that is not an enrolment token.
    #[error("this is not an enrolment token")]
    Token,
    /// Certificate request that cannot be read or is not signed by its key.
    #[error("the certificate request is damaged or not signed by its own key")]
    CsrInvalid,
    /// Key too short or of a kind that is not taken.
    #[error(
        "the key of the certificate request is too weak; P-256, P-384, Ed25519 or RSA from 3072 bits is needed"
    )]
    KeyWeak,
    /// Certificate request that asks for more than it may.
    #[error("the certificate request asks for names or rights that were not granted")]
    CsrExtra,
    /// A signature that does not hold.
    #[error("the signature does not hold")]
    SignatureBad,
    /// Text that is not a key to seal files for.
    #[error("this is not a key for files; rollcall-aggregator batch-key prints it")]
    Recipient,
    /// A key or certificate that cannot be read.
    #[error("{what} cannot be read")]
    KeyFormat {
        /// Which.
        what: &'static str,
    },
    /// A private key that others on this machine may read.
    #[error("{} can be read by others on this machine (mode {mode:o}); it must be 600", path.display())]
    KeyMode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A key or certificate file that cannot be read or written.
    #[error("access {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("make certificate")]
    Certificate(#[from] rcgen::Error),
    /// Keys and certificates do not make a TLS configuration.
    #[error("set up TLS")]
    Tls(#[from] rustls::Error),
    /// The list of authorities to trust is empty or unusable.
    #[error("set up client verification")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    /// The machine gives no random bytes.
    #[error("get random bytes")]
    Random,
}

impl RpcError {
    /// Whether the same attempt may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Timeout { .. } | Self::Closed(_) | Self::Handshake(_) => true,
            Self::Refused(refusal) => refusal.is_transient(),
            _ => false,
        }
    }

    /// Stable code (`reliability.md` 4, and the same style where it has none).
    pub fn code(&self) -> &str {
        match self {
            Self::Address(_) => "ADDRESS_INVALID",
            Self::Connect { .. } => "CANNOT_CONNECT",
            Self::Timeout { .. } => "TIMEOUT",
            Self::Handshake(_) => "TLS_FAILED",
            Self::CaMismatch => "CA_MISMATCH",
            Self::CertificateRefused(_) => "CERTIFICATE_REFUSED",
            Self::Closed(_) => "CONNECTION_CLOSED",
            Self::Refused(refusal) => &refusal.code,
            Self::Malformed { .. } => "ENVELOPE_FORMAT",
            Self::TooLarge { .. } => "ENVELOPE_TOO_BIG",
            Self::Damaged => "ENVELOPE_DAMAGED",
            Self::Flooded { .. } => "TOO_MANY_PENDING",
            Self::Token => "TOKEN_UNKNOWN",
            Self::CsrInvalid => "CSR_INVALID",
            Self::KeyWeak => "KEY_WEAK",
            Self::CsrExtra => "CSR_EXTRA",
            Self::SignatureBad => "SIGNATURE_BAD",
            Self::Recipient => "RECIPIENT_INVALID",
            Self::KeyFormat { .. } => "KEY_FORMAT",
            Self::KeyMode { .. } => "KEY_MODE",
            Self::File { .. } => "FILE_ACCESS",
            Self::Certificate(_) | Self::Tls(_) | Self::Verifier(_) | Self::Random => "INTERNAL",
        }
    }
}

/// Why a file that travelled instead of a session is not taken, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is no such file.
    #[error("the file is not one that export-batches or import-batches writes")]
    Foreign,
    /// A newer program wrote it.
    #[error("the file has form {version}, which a newer program wrote; update this one")]
    Newer {
        /// What it says.
        version: u8,
    },
    /// A node's file where an answer belongs, or the other way round.
    #[error("the file goes the other way: batches go to the aggregator, answers to the node they are for")]
    OtherKind,
    /// Sealed for somebody else.
    #[error("the file is sealed for another reader")]
    OtherReader,
    /// Cut, or changed on its way.
    #[error("the file was cut or changed on its way; nothing of it was taken, copy it again")]
    Damaged,
    /// Above the limit.
    #[error("the file has {bytes} bytes, more than is read")]
    TooBig {
        /// Its size.
        bytes: u64,
    },
    /// Signed by nobody who may.
    #[error("the file is not signed by the one it says it comes from; nothing of it was taken")]
    Signature,
    /// A part that is not what it must be, or larger than it may be.
    #[error(transparent)]
    Part(#[from] RpcError),
    /// The file system refused.
    #[error("read or write the file: {0}")]
    Io(#[from] io::Error),
}

impl FileError {
    /// Stable code (`reliability.md` 4, rows 75 and 76, and the same style where it has none).
    pub fn code(&self) -> &str {
        match self {
            Self::Foreign => "ENVELOPE_FORMAT",
            Self::Newer { .. } => "ENVELOPE_NEWER",
            Self::OtherKind => "ENVELOPE_KIND",
            Self::OtherReader => "ENVELOPE_READER",
            Self::Damaged => "ENVELOPE_DAMAGED",
            Self::TooBig { .. } => "ENVELOPE_TOO_BIG",
            Self::Signature => "SIGNATURE_BAD",
            Self::Part(error) => error.code(),
            Self::Io(_) => "FILE",
        }
    }
}

/// Why an enrolment is refused.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// No such token.
    #[error("the token is not known here")]
    TokenUnknown,
    /// It was used before.
    #[error("the token was used already")]
    TokenUsed,
    /// It is too old.
    #[error("the token has expired")]
    TokenExpired,
    /// It was made out for a node of another name.
    #[error("the token was made out for another node")]
    TokenName,
    /// Too many wrong tries from there.
    #[error("too many wrong tries; wait")]
    Blocked {
        /// Milliseconds to wait.
        retry_after_ms: u64,
    },
    /// Another aggregator, restored later, has taken the place of this one (`protocol.md` R2).
    #[error("another aggregator has taken the place of this one; ask its administrator for a token")]
    Replaced,
    /// The request itself is not in order.
    #[error(transparent)]
    Request(#[from] RpcError),
    /// The aggregator cannot store or issue it.
    #[error("the aggregator cannot enrol just now")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}
