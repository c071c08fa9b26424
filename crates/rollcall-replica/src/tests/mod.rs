//! What a replica owes the other end, apart from sessions: each test hands batches over by itself.

mod ahead;
mod country;
mod down;
mod handover;
mod up;
