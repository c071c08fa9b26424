//! What both web faces share: the accept loop, headers, login, forms, layout, number formats and page templates.
//!
//! Refuses to know: stores, documents, figures' rules, TLS. A page is a struct of plain values that a program fills;
//! accounts come through the trait [`login::Accounts`]; the clock comes from the program.
//!
//! Read in this order: [`serve`] (sockets), [`site`] (the parts put together), [`headers`] and [`respond`] (around
//! every request), [`error`], [`visit`] (one request), [`login`], [`csrf`] and [`form`] (what comes in), [`locale`],
//! [`format`](mod@format) and `sentence` (words, numbers, codes in words), [`layout`], [`figure`], [`trend`] and [`page`] (what goes out), [`asset`].

pub mod asset;
pub mod csrf;
pub mod error;
pub mod figure;
pub mod form;
pub mod format;
pub mod headers;
pub mod layout;
pub mod locale;
pub mod login;
pub mod page;
pub mod respond;
pub mod serve;
pub mod site;
pub mod trend;
pub mod visit;

mod random;
mod sentence;
#[cfg(test)]
mod testing;

pub use error::Error;
pub use respond::Page;
pub use site::{Site, SiteConfig};
pub use visit::Visit;
