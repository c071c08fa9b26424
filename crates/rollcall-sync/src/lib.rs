//! The sync session as a state machine: what came in, what must go out.
//!
//! Refuses to know: sockets, clocks, SQL, document libraries. Changes are bytes, heads are hashes.
//! Read in this order.

pub mod backoff;
pub mod batch_file;
pub mod fingerprint;
pub mod keys;
pub mod limits;
pub mod message;
pub mod permission;
pub mod receipt;
pub mod session;
