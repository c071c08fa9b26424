//! Errors as answers: our refusals to gRPC statuses with a stable code, and back.
//! The only place in this crate where an error becomes an answer, and where that is logged.

use std::fmt;

use prost::Message;
use rollcall_sync::session::server::REPLACED;
use tonic::{Code, Status};

use crate::error::{EnrolError, RpcError};
use crate::pb::sync::RefusalDetail;

/// What kind of no it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// No certificate, or one that no longer holds.
    Unauthenticated,
    /// Known, but not allowed.
    Forbidden,
    /// The request is not in order; the same request will fail again.
    Invalid,
    /// The request does not fit what is there now.
    Precondition,
    /// A limit was reached.
    Exhausted,
    /// Later.
    Busy,
    /// Took too long.
    Deadline,
    /// No such call.
    Unknown,
    /// Our own fault.
    Internal,
}

/// A no with its reason, as the other end gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind.
    pub kind: RefusalKind,
    /// Stable code of `reliability.md` 4.
    pub code: String,
    /// Plain sentence.
    pub message: String,
    /// Milliseconds to wait; 0 where that is not the point.
    pub retry_after_ms: u64,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl Refusal {
    /// A no of this kind.
    pub fn new(kind: RefusalKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.into(),
            message: message.into(),
            retry_after_ms: 0,
        }
    }

    /// Come back later.
    pub fn busy(retry_after_ms: u64) -> Self {
        Self {
            retry_after_ms,
            ..Self::new(
                RefusalKind::Busy,
                "BUSY",
                "The aggregator is busy; try again later.",
            )
        }
    }

    /// A certificate is needed for this.
    pub(crate) fn certificate_required() -> Self {
        Self::new(
            RefusalKind::Unauthenticated,
            "CERTIFICATE_REQUIRED",
            "Only enrolment is answered without a client certificate.",
        )
    }

    /// The session lasted or stood still too long.
    pub(crate) fn deadline(message: &'static str) -> Self {
        Self::new(RefusalKind::Deadline, "TIMEOUT", message)
    }

    /// Whether the same attempt may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            RefusalKind::Busy | RefusalKind::Deadline | RefusalKind::Internal
        )
    }

    /// The status that goes over the wire; logged here, once.
    pub(crate) fn into_status(self) -> Status {
        if self.kind == RefusalKind::Internal {
            tracing::error!(code = self.code, "call failed: {}", self.message);
        } else {
            tracing::info!(code = self.code, "call refused: {}", self.message);
        }
        let detail = RefusalDetail {
            code: self.code,
            retry_after_ms: self.retry_after_ms,
        };
        Status::with_details(self.kind.grpc(), self.message, detail.encode_to_vec().into())
    }

    /// What the other end's status means. A status of the framework has no detail and gets the code that fits.
    pub(crate) fn from_status(status: &Status) -> Self {
        let framework = || match status.code() {
            Code::OutOfRange => (RefusalKind::Exhausted, "ENVELOPE_TOO_BIG"),
            Code::Internal | Code::InvalidArgument => (RefusalKind::Invalid, "ENVELOPE_FORMAT"),
            Code::Unimplemented => (RefusalKind::Unknown, "CALL_UNKNOWN"),
            code => (RefusalKind::of(code), "REFUSED"),
        };
        let message = status.message().to_owned();
        match RefusalDetail::decode(status.details()) {
            Ok(RefusalDetail { code, retry_after_ms }) if !code.is_empty() => Self {
                kind: RefusalKind::of(status.code()),
                code,
                message,
                retry_after_ms,
            },
            _ => {
                let (kind, code) = framework();
                Self::new(kind, code, message)
            }
        }
    }
}

impl RefusalKind {
    const ALL: [(Self, Code); 9] = [
        (Self::Unauthenticated, Code::Unauthenticated),
        (Self::Forbidden, Code::PermissionDenied),
        (Self::Invalid, Code::InvalidArgument),
        (Self::Precondition, Code::FailedPrecondition),
        (Self::Exhausted, Code::ResourceExhausted),
        (Self::Busy, Code::Unavailable),
        (Self::Deadline, Code::DeadlineExceeded),
        (Self::Unknown, Code::Unimplemented),
        (Self::Internal, Code::Internal),
    ];

    fn grpc(self) -> Code {
        Self::ALL
            .into_iter()
            .find(|(kind, _)| *kind == self)
            .map_or(Code::Internal, |(_, code)| code)
    }

    fn of(code: Code) -> Self {
        Self::ALL
            .into_iter()
            .find(|(_, grpc)| *grpc == code)
            .map_or(Self::Internal, |(kind, _)| kind)
    }
}

/// What the other end hears about an error of ours.
impl From<&RpcError> for Refusal {
    fn from(error: &RpcError) -> Self {
        let kind = match error {
            RpcError::Refused(refusal) => return refusal.clone(),
            RpcError::TooLarge { .. } | RpcError::Flooded { .. } => RefusalKind::Exhausted,
            RpcError::Timeout { .. } => RefusalKind::Deadline,
            RpcError::CaMismatch | RpcError::CertificateRefused(_) => RefusalKind::Unauthenticated,
            RpcError::Malformed { .. }
            | RpcError::Damaged
            | RpcError::Token
            | RpcError::CsrInvalid
            | RpcError::KeyWeak
            | RpcError::CsrExtra
            | RpcError::SignatureBad
            | RpcError::Recipient => RefusalKind::Invalid,
            RpcError::Connect { .. } | RpcError::Closed(_) => RefusalKind::Busy,
            RpcError::Address(_)
            | RpcError::Handshake(_)
            | RpcError::KeyFormat { .. }
            | RpcError::KeyMode { .. }
            | RpcError::File { .. }
            | RpcError::Certificate(_)
            | RpcError::Tls(_)
            | RpcError::Verifier(_)
            | RpcError::Random => {
                tracing::error!("internal failure: {error:?}");
                return Self::new(
                    RefusalKind::Internal,
                    "INTERNAL",
                    "The aggregator failed; its log says why.",
                );
            }
        };
        Self::new(kind, error.code(), error.to_string())
    }
}

impl From<&EnrolError> for Refusal {
    fn from(error: &EnrolError) -> Self {
        let (kind, code, retry_after_ms) = match error {
            EnrolError::TokenUnknown => (RefusalKind::Forbidden, "TOKEN_UNKNOWN", 0),
            EnrolError::TokenUsed => (RefusalKind::Forbidden, "TOKEN_USED", 0),
            EnrolError::TokenExpired => (RefusalKind::Forbidden, "TOKEN_EXPIRED", 0),
            EnrolError::TokenName => (RefusalKind::Forbidden, "TOKEN_NAME", 0),
            EnrolError::Blocked { retry_after_ms } => {
                (RefusalKind::Exhausted, "TOKEN_BLOCKED", *retry_after_ms)
            }
            EnrolError::Replaced => (RefusalKind::Precondition, REPLACED, 0),
            EnrolError::Request(error) => return Self::from(error),
            EnrolError::Store(source) => {
                tracing::error!("enrolment failed: {source:?}");
                (RefusalKind::Internal, "INTERNAL", 0)
            }
        };
        Self {
            retry_after_ms,
            ..Self::new(kind, code, error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_comes_back_as_it_was_said() {
        for (kind, _) in RefusalKind::ALL {
            let refusal = Refusal {
                retry_after_ms: 7,
                ..Refusal::new(kind, "FOREIGN_JURISDICTION", "Not yours.")
            };
            let status = refusal.clone().into_status();
            assert_eq!(Refusal::from_status(&status), refusal);
        }
    }

    #[test]
    fn statuses_of_the_framework_get_the_code_that_fits() {
        let table = [
            (
                Status::out_of_range("x"),
                RefusalKind::Exhausted,
                "ENVELOPE_TOO_BIG",
            ),
            (Status::internal("x"), RefusalKind::Invalid, "ENVELOPE_FORMAT"),
            (Status::unimplemented("x"), RefusalKind::Unknown, "CALL_UNKNOWN"),
        ];
        for (status, kind, code) in table {
            let refusal = Refusal::from_status(&status);
            assert_eq!((refusal.kind, refusal.code.as_str()), (kind, code));
        }
    }

    #[test]
    fn inner_failures_are_not_told_to_the_other_end() {
        let refusal = Refusal::from(&RpcError::KeyFormat { what: "/secret/path" });
        assert_eq!(refusal.kind, RefusalKind::Internal);
        assert!(!refusal.message.contains("secret"));
    }
}
