//! Every address of the console.

use axum::Router;
use axum::routing::get;
use rollcall_web::layout::NavigationItem;

use crate::app::App;
use crate::pages::overview;

/// Main navigation.
pub fn navigation() -> Vec<NavigationItem> {
    vec![NavigationItem {
        text_key: "nav.overview",
        href: "/",
    }]
}

/// The pages.
pub fn pages(app: App) -> Router {
    Router::new()
        .route("/", get(overview::show))
        .route("/areas/{code}", get(overview::show_area))
        .with_state(app)
}
