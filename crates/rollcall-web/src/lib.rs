//! What both web faces share: the accept loop, headers, login, forms, layout, number formats and page templates.
//!
//! Refuses to know: stores, documents, figures' rules, TLS. A page is a struct of plain values that a program fills;
//! accounts come through the trait [`login::Accounts`]; the clock comes from the program.
//! Read in this order.

pub mod serve;
pub mod site;
pub mod headers;
pub mod respond;
pub mod error;
pub mod visit;
pub mod login;
pub mod csrf;
pub mod form;
pub mod locale;
pub mod format;
pub mod layout;
pub mod figure;
pub mod asset;
pub mod page;

mod random;
#[cfg(test)]
mod testing;

pub use error::Error;
pub use respond::Page;
pub use site::{Site, SiteConfig};
pub use visit::Visit;
