//! `/organisations/{reference}`: one organisation with everything recorded about it, and settling its conflicts.

use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_command::accounts::audit;
use rollcall_core::id::DocumentKind;
use rollcall_web::form::{CheckedForm, CheckedQuery, with_notice};
use rollcall_web::login::{Head, Role, SignedIn};
use rollcall_web::page::organisation::Organisation;
use rollcall_web::{Error, Page};
use serde::Deserialize;

use super::organisation_view::{Viewer, view};
use super::{editing, today};
use crate::app::App;

/// Shows the page.
///
/// # Errors
/// `NOT_FOUND`, the store's.
pub async fn show(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(reference): Path<String>,
) -> Result<Page<Organisation>, Error> {
    let as_of = today(&signed_in);
    let role = signed_in.account.role;
    let frame = signed_in.frame("nav.organisations").computed_from(as_of, None);
    let viewer = Viewer {
        frame,
        as_of,
        may_edit: role >= Role::Clerk,
        may_settle: role >= Role::Head,
    };
    let page = app
        .ask(move |replica, cube| {
            let id = replica.find(&reference, &[DocumentKind::Organisation])?;
            view(replica, cube, id, viewer)
        })
        .await?;
    Ok(Page(page))
}

/// Which conflict is settled.
#[derive(Debug, Deserialize)]
pub struct SettleQuery {
    field: String,
}

/// Which value is taken.
#[derive(Debug, Deserialize)]
pub struct SettleForm {
    take: String,
    reason: String,
}

/// Takes one of the values of a conflict.
///
/// # Errors
/// `REASON_MISSING`, `CONFLICT_UNKNOWN`, `FOREIGN_JURISDICTION`, the store's.
pub async fn settle(
    State(app): State<App>,
    Head(signed_in): Head,
    Path(reference): Path<String>,
    CheckedQuery(query): CheckedQuery<SettleQuery>,
    form: CheckedForm<SettleForm>,
) -> Result<Response, Error> {
    let by = editing(&signed_in, &form.value.reason);
    if by.reason.is_empty() {
        return Err(Error::refused(
            "REASON_MISSING",
            "Say why this value is taken; it is kept with the edit.",
        ));
    }
    form.submit_once(|value| async move {
        let id = app
            .with(move |app| {
                let id = app.replica.find(&reference, &[DocumentKind::Organisation])?;
                app.replica
                    .edit(id, &by, |document| document.settle(&query.field, &value.take))?;
                let detail = format!("{id} {}", query.field);
                audit(
                    app.replica.store(),
                    &by.author,
                    "conflict_settled",
                    &detail,
                    by.now_ms,
                )?;
                Ok(id)
            })
            .await?;
        Ok(with_notice(&format!("/organisations/{id}"), "settled"))
    })
    .await
}
