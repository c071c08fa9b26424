//! gRPC with mutual TLS: the only crate that knows protobuf, tonic and rustls.
//!
//! Carries the messages of `rollcall-sync` between a node and the aggregator, keeps the aggregator's own
//! certificate authority, and signs. Refuses to know: SQL, documents, who may do what. The clock is read by
//! rustls alone, to check certificates; everywhere else the time is an argument.
//! Read in this order.

pub mod error;
pub mod status;

pub mod authority;
pub mod peer_identity;
pub mod signing;
pub mod tls;
pub mod token;

mod convert;
mod pb;

pub mod seal_key;
pub mod sealed;

mod accept;
pub mod enrolment;
mod gate;
mod handler;
mod http2;
pub mod server;
mod session;

pub mod client;
mod connection;
pub mod traffic;

pub mod fuzz;

#[cfg(test)]
mod tests;

pub use accept::ConnectionLimits;
pub use authority::Authority;
pub use client::{Client, ClientConfig, Timeouts};
pub use enrolment::{EnrolAnswer, EnrolRequest, Enrolment};
pub use error::{EnrolError, FileError, RpcError};
pub use peer_identity::PeerIdentity;
pub use seal_key::{Recipient, SealKey};
pub use sealed::{FilePart, SealedFile, SealedWriter};
pub use server::{Closing, EnrolService, ServerConfig, SyncService, serve};
pub use signing::{Ed25519, SigningKey, VerifyingKey};
pub use status::{Refusal, RefusalKind};
pub use tls::ServerTls;
pub use token::EnrolmentToken;
pub use traffic::Traffic;
