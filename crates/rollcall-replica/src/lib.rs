//! The documents a process holds, and the one I/O loop: edits, imports, both ends of a session, figures of what is held.
//!
//! Refuses to know: TLS, protobuf, HTML, and where the clock and the keys come from.
//! Read in this order.

pub mod by_file;
mod codec;
pub mod edit;
pub mod error;
pub mod export;
pub mod figures;
pub mod grants;
pub mod handover;
mod home;
pub mod import;
mod judge;
pub mod jurisdiction;
mod kept_apart;
pub mod listed;
pub mod name_index;
mod parallel;
pub mod peer;
mod prepare;
pub mod projection;
mod proof;
pub mod quarantine;
pub mod rebuild;
pub mod receipt;
pub mod records;
pub mod repair;
pub mod replica;
pub mod rescue;
mod roots;
pub mod runner;
pub mod self_check;
pub mod send_down;
pub mod send_up;
pub mod take_down;
pub mod take_up;
pub mod undo;
mod upstream;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use replica::Replica;
