//! What can go wrong between a request and its page, each with the code a user can quote.
//! Owns the list; how it becomes an answer is in `respond`.

use http::StatusCode;

/// A failure that a program hands on without looking inside.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The `Host` line names none of the names this program answers to (DNS rebinding).
    #[error("host is not one of ours")]
    HostNotAllowed,
    /// An unsafe request from a page that is not ours, or without the hidden token.
    #[error("form does not come from one of our pages")]
    FormNotOurs,
    /// A form made before the present login session.
    #[error("login session has ended")]
    SessionOld,
    /// The account must choose a password of its own before it changes anything.
    #[error("password must be changed first")]
    PasswordDue,
    /// A query or form field that cannot be read; `field` is empty where the parser does not say which.
    #[error("parameter cannot be read: {detail}")]
    ParamInvalid {
        /// What the parser said; logged, not shown.
        detail: String,
    },
    /// No page, organisation or entry under this address.
    #[error("nothing under this address")]
    NotFound,
    /// The page exists, but not for this kind of request.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The account's role does not allow it.
    #[error("role does not allow this")]
    NotAllowed,
    /// The form was sent before and its result is no longer known.
    #[error("form was already carried out")]
    AlreadyDone,
    /// Too many failed tries to sign in.
    #[error("too many tries, {wait_seconds} s to wait")]
    TooManyTries {
        /// Until the next try is looked at.
        wait_seconds: u64,
    },
    /// More bytes than the page takes.
    #[error("request is larger than {size_bytes_max} bytes")]
    TooBig {
        /// The limit.
        size_bytes_max: u64,
    },
    /// An upload that ended before its announced end.
    #[error("upload was cut")]
    UploadCut,
    /// No answer within the time a page may take.
    #[error("request took too long")]
    TookTooLong,
    /// The figures are being computed anew, after a start or because much has come; the page asks again by itself.
    #[error("figures are being counted")]
    BeingCounted,
    /// The handler panicked.
    #[error("handler panicked")]
    Panicked,
    /// A rule of the field refused it. The program gives code and sentence (`reliability.md` 4); the page shows the
    /// code and its sentence in the reader's language.
    #[error("{code}: {message}")]
    Refused {
        /// Stable code such as `FOREIGN_JURISDICTION`.
        code: String,
        /// A plain English sentence with the remedy; what it is about stands in quotation marks.
        message: String,
    },
    /// Accounts or login sessions could not be read.
    #[error("accounts cannot be read")]
    Accounts(#[source] Source),
    /// A template failed, which only a defect can cause.
    #[error("page cannot be written")]
    Template(#[from] askama::Error),
    /// The program failed below its pages.
    #[error("request failed")]
    Internal(#[source] Source),
}

impl Error {
    /// A failure of the program itself: logged with its sources, shown as a request id.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    /// A refusal by a rule of the field, told to the user as it stands.
    pub fn refused(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Refused {
            code: code.into(),
            message: message.into(),
        }
    }

    /// The status line of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::HostNotAllowed
            | Self::FormNotOurs
            | Self::SessionOld
            | Self::PasswordDue
            | Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::ParamInvalid { .. } | Self::UploadCut => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::AlreadyDone => StatusCode::CONFLICT,
            Self::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::TooBig { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TookTooLong | Self::BeingCounted => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Accounts(_) | Self::Template(_) | Self::Internal(_) | Self::Panicked => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// The code on the page and in the log.
    pub fn code(&self) -> &str {
        match self {
            Self::HostNotAllowed => "HOST_NOT_ALLOWED",
            Self::FormNotOurs => "FORM_NOT_OURS",
            Self::SessionOld => "SESSION_OLD",
            Self::PasswordDue => "PASSWORD_DUE",
            Self::ParamInvalid { .. } => "PARAM_INVALID",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::NotAllowed => "NOT_ALLOWED",
            Self::AlreadyDone => "ALREADY_DONE",
            Self::TooManyTries { .. } => "TOO_MANY_TRIES",
            Self::TooBig { .. } => "TOO_BIG",
            Self::UploadCut => "UPLOAD_CUT",
            Self::TookTooLong => "TOOK_TOO_LONG",
            Self::BeingCounted => "BEING_COUNTED",
            Self::Refused { code, .. } => code,
            Self::Accounts(_) | Self::Template(_) | Self::Internal(_) | Self::Panicked => "INTERNAL",
        }
    }
}
