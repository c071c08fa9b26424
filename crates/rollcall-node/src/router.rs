//! Every address of the workspace.

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};
use rollcall_web::form::upload_limit;
use rollcall_web::layout::NavigationItem;

use crate::app::App;
use crate::pages::{
    batch_file, entry_edit, export, import, import_plan, organisation, organisation_edit, organisations,
    record_page, subsidies, subsidy_edit, sync, union_edit, unions,
};

/// Main navigation.
pub fn navigation() -> Vec<NavigationItem> {
    vec![
        NavigationItem {
            text_key: "nav.organisations",
            href: "/organisations",
        },
        NavigationItem {
            text_key: "nav.unions",
            href: "/unions",
        },
        NavigationItem {
            text_key: "nav.subsidies",
            href: "/subsidies",
        },
        NavigationItem {
            text_key: "nav.import",
            href: "/import",
        },
        NavigationItem {
            text_key: "nav.sync",
            href: "/sync",
        },
    ]
}

/// The pages.
pub fn pages(app: App) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to("/organisations") }))
        .route("/organisations", get(organisations::show))
        .route("/organisations/export", get(export::download))
        .route(
            "/organisations/new",
            get(organisation_edit::form_new).post(organisation_edit::submit_new),
        )
        .route("/organisations/{reference}", get(organisation::show))
        .route(
            "/organisations/{reference}/edit",
            get(organisation_edit::form).post(organisation_edit::submit),
        )
        .route("/organisations/{reference}/settle", post(record_page::settle))
        .route("/unions", get(unions::list))
        .route(
            "/unions/new",
            get(union_edit::form_new).post(union_edit::submit_new),
        )
        .route("/unions/{reference}", get(unions::show))
        .route(
            "/unions/{reference}/edit",
            get(union_edit::form).post(union_edit::submit),
        )
        .route("/unions/{reference}/settle", post(record_page::settle))
        .route("/subsidies", get(subsidies::list))
        .route(
            "/subsidies/new",
            get(subsidy_edit::form_new).post(subsidy_edit::submit_new),
        )
        .route("/subsidies/{reference}", get(subsidies::show))
        .route(
            "/subsidies/{reference}/edit",
            get(subsidy_edit::form).post(subsidy_edit::submit),
        )
        .route("/subsidies/{reference}/settle", post(record_page::settle))
        .route(
            "/funds/new",
            get(subsidy_edit::form_new_fund).post(subsidy_edit::submit_new_fund),
        )
        .route("/funds/{reference}", get(subsidies::show_fund))
        .route("/funds/{reference}/settle", post(record_page::settle))
        .route(
            "/entries/{document}/{list}",
            get(entry_edit::form_new).post(entry_edit::submit_new),
        )
        .route(
            "/entries/{document}/{list}/{entry}",
            get(entry_edit::form_entry).post(entry_edit::submit_entry),
        )
        .route(
            "/import",
            get(import::form)
                .post(import::submit)
                .layer(upload_limit(import::LIST_SIZE_BYTES_MAX)),
        )
        .route("/import/{import_id}", get(import_plan::show))
        .route("/import/{import_id}/rejects", get(import_plan::rejects))
        .route("/import/{import_id}/commit", post(import_plan::commit))
        .route("/import/{import_id}/drop", post(import_plan::discard))
        .route("/import/{import_id}/undo", post(import_plan::undo))
        .route("/sync", get(sync::show).post(sync::start))
        .route("/sync/file", post(batch_file::download))
        .route(
            "/sync/answer",
            post(batch_file::submit).layer(upload_limit(batch_file::ANSWER_SIZE_BYTES_MAX)),
        )
        .with_state(app)
}
