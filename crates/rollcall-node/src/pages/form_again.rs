//! Forms that are shown again with what was entered: after a sign-in that came between, and where the same form was saved
//! before with other content. Nothing is saved then; the form goes on from the state that its first sending made.

use axum::response::{IntoResponse, Response};
use rollcall_core::id::DocumentId;
use rollcall_core::problem::Problem;
use rollcall_replica::Replica;
use rollcall_web::Page;
use rollcall_web::form::{Again, Outcome, with_notice};
use rollcall_web::page::edit::Edit;

use super::heads;

/// What such a form says above its fields. `enters`: it enters a record or an entry instead of editing one.
pub(super) fn problem(again: &Again, enters: bool) -> Problem {
    let (code, message) = match again {
        Again::SignedIn => (
            "FORM_KEPT",
            "This is what you entered before your login session ended; it is not saved yet. Look through it and press save.",
        ),
        Again::Changed(_) if enters => (
            "FORM_SENT_NEW",
            "With this form one was entered already. Below is what you entered this time; it is not saved. To correct that one, open and edit it; saving here enters another one.",
        ),
        Again::Changed(_) => (
            "FORM_SENT",
            "This form was saved once before. Below is what you entered this time; it is not saved yet. Look through it and press save.",
        ),
    };
    Problem::warning(code, "", message)
}

/// The heads from which the form goes on: those that its first sending made, so that it is no conflict with itself; else
/// those that it showed.
///
/// # Errors
/// The store's.
pub(super) fn heads(
    replica: &Replica,
    id: DocumentId,
    again: &Again,
    shown: &str,
) -> Result<String, rollcall_replica::Error> {
    if let Again::Changed(Outcome {
        heads: Some(after), ..
    }) = again
        && let Some(parsed) = heads::parse(after)
        && heads::document_at(replica, id, &parsed)?.is_some()
    {
        return Ok(after.clone());
    }
    Ok(shown.to_owned())
}

/// The form as an answer, with the way to what its first sending came to.
pub(super) fn answer(mut page: Edit, again: &Again) -> Response {
    if let Again::Changed(before) = again {
        let href = before.address.split('?').next().unwrap_or_default();
        page.link("FORM_SENT", href);
        page.link("FORM_SENT_NEW", href);
    }
    (again.status(), Page(page)).into_response()
}

/// What an edit came to: where it leads, and the heads that it made. `None` as its change: it changed nothing.
pub(super) fn outcome(address: &str, notice: &str, change: Option<[u8; 32]>) -> Outcome {
    Outcome {
        address: with_notice(address, if change.is_some() { notice } else { "unchanged" }),
        heads: change.map(crate::organisation::hex),
    }
}
