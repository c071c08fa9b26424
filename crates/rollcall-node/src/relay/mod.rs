//! A relay for nodes that do not reach the aggregator (decision 16): this one keeps their sealed files, hands them on
//! when it gets through, and keeps the answers for them. It can read none of it; at the worst it delays.

mod forward;
mod service;
mod spool;

pub use forward::forward;
pub use service::{Relay, bind, tls};
pub use spool::Spool;
