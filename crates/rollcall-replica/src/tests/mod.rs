//! What a replica owes the other end, apart from sessions: each test hands batches over by itself.

mod ahead;
pub(crate) mod country;
mod down;
mod handover;
mod projected;
mod up;
