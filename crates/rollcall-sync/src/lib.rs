//! The sync session as a state machine: what came in, what must go out.
//!
//! Refuses to know: sockets, clocks, SQL, document libraries. Changes are bytes, heads are hashes.
//! Read in this order.

pub mod limits;
pub mod message;
pub mod fingerprint;
pub mod receipt;
pub mod keys;
pub mod permission;
pub mod session;
pub mod backoff;
