//! `/organisations/{reference}`: one organisation with everything recorded about it.

use axum::extract::{Path, State};
use rollcall_core::id::DocumentKind;
use rollcall_web::login::{Role, SignedIn};
use rollcall_web::page::organisation::Organisation;
use rollcall_web::{Error, Page};

use super::organisation_view::{Viewer, view};
use super::today;
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
