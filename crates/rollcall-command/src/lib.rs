//! What both command lines share: arguments, output, exit status, configuration, logs.
//!
//! Refuses to know: HTTP, gRPC, TLS, and which of the two programs it serves.

pub mod account;
pub mod accounts;
mod allocator;
pub mod clock;
pub mod data;
pub mod federation;
pub mod figures;
pub mod findings;
pub mod fresh_file;
pub mod large;
pub mod logs;
pub mod output;
pub mod quarantine;
pub mod receipt_file;
pub mod upkeep;
