//! Facts and two dates in, figures out: the columnar cube and its questions.
//!
//! Refuses to know: documents, clocks, files, networks. Given the same facts in any order it gives the same
//! figures, byte for byte. Read in this order.
#![deny(clippy::float_arithmetic)]

mod answer;
mod around;
mod bounds;
mod completeness;
mod cube;
mod detail;
mod error;
mod establishment;
mod finding;
mod kept_counts;
mod key;
mod layout;
mod order;
mod picks;
mod plan;
mod query;
mod scan;
mod stray;
mod subsidy;
mod sums;
mod tally;
#[cfg(test)]
mod tests;
mod transit;
mod union_tally;

pub use completeness::Heard;
pub use cube::Cube;
pub use detail::{OrganisationStatus, Set};
pub use error::Error;
pub use finding::Finding;
pub use query::{FiguresQuery, SERIES_MAX};
pub use subsidy::SubsidiesQuery;
