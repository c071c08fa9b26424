//! The documents a process holds, and the one I/O loop: edits, imports, both ends of a session, figures of what is held.
//!
//! Refuses to know: TLS, protobuf, HTML, and where the clock and the keys come from.
//! Read in this order.

pub mod error;
pub mod grants;
mod parallel;
mod codec;
mod listed;
mod prepare;
pub mod replica;
pub mod jurisdiction;
pub mod edit;
mod receipt;
pub mod send_up;
pub mod take_up;
pub mod send_down;
pub mod take_down;
pub mod repair;
pub mod runner;
mod home;
pub mod import;
pub mod undo;
pub mod export;
pub mod projection;
pub mod figures;
pub mod rebuild;
pub mod records;

pub use error::Error;
pub use replica::Replica;
