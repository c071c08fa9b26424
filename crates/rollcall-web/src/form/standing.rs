//! How a form stands before it is carried out: fresh, sent before, or to be shown again with what was entered.
//! Owns the distinction; what the form looks like then is the program's.

use axum::response::Response;
use http::StatusCode;

use super::{CheckedForm, Outcome, sent_before};

/// How a form stands.
#[derive(Debug)]
pub enum Standing {
    /// It is to be carried out.
    Fresh,
    /// It was carried out before as it is: the answer then.
    Repeated(Response),
    /// It is to be shown again with what was entered; nothing of it is saved.
    Again(Again),
}

/// Why a form is shown again instead of being carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// The login session had ended as it was sent.
    SignedIn,
    /// It was carried out before with other content, which came to this.
    Changed(Outcome),
}

impl Again {
    /// The status line of the page that shows it.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::SignedIn => StatusCode::OK,
            Self::Changed(_) => StatusCode::CONFLICT,
        }
    }
}

impl<T> CheckedForm<T> {
    /// How it stands. Handlers of forms that offer to be shown again ([`super::AGAIN_FIELD`]) ask before anything else.
    pub fn standing(&self) -> Standing {
        if self.shown_again {
            return Standing::Again(Again::SignedIn);
        }
        let (Some(key), Some(cookie)) = (&self.once, &self.visit.cookie) else {
            return Standing::Fresh;
        };
        match self.visit.site.once().find(cookie, key) {
            None => Standing::Fresh,
            Some(sent) if sent.content == self.content => {
                Standing::Repeated(sent_before(&sent, &self.content))
            }
            Some(sent) => Standing::Again(Again::Changed(sent.outcome)),
        }
    }
}
