//! Files served under an address that holds their hash, so that browsers keep them for good.
//! Owns the stylesheet and the icon; everything is compiled in and nothing comes from outside.

use std::sync::OnceLock;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, header};
use sha2::{Digest, Sha256};

/// What browsers may keep: the address changes with the content.
pub(crate) const KEEP_FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

struct Asset {
    name: &'static str,
    media_type: &'static str,
    content: &'static [u8],
}

const STYLESHEET: Asset = Asset {
    name: "rollcall.css",
    media_type: "text/css; charset=utf-8",
    content: include_bytes!("../static/rollcall.css"),
};

const ICON: Asset = Asset {
    name: "icon.svg",
    media_type: "image/svg+xml",
    content: include_bytes!("../static/icon.svg"),
};

impl Asset {
    fn path(&self) -> String {
        let digest = Sha256::digest(self.content);
        let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("/static/{hash}/{}", self.name)
    }

    fn answer(&self) -> Response {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.media_type)),
            (header::CACHE_CONTROL, KEEP_FOR_GOOD),
        ];
        (headers, self.content).into_response()
    }
}

/// Address of the stylesheet.
pub fn stylesheet_path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| STYLESHEET.path())
}

/// Address of the icon.
pub fn icon_path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| ICON.path())
}

/// The routes of all files.
pub(crate) fn routes() -> Router {
    Router::new()
        .route(stylesheet_path(), get(|| async { STYLESHEET.answer() }))
        .route(icon_path(), get(|| async { ICON.answer() }))
}
