//! Every address of the workspace.

use axum::Router;
use rollcall_web::layout::NavigationItem;

use crate::app::App;

/// Main navigation.
pub fn navigation() -> Vec<NavigationItem> {
    vec![
        NavigationItem { text_key: "nav.organisations", href: "/organisations" },
        NavigationItem { text_key: "nav.import", href: "/import" },
        NavigationItem { text_key: "nav.sync", href: "/sync" },
    ]
}

/// The pages.
pub fn pages(app: App) -> Router {
    Router::new().with_state(app)
}
