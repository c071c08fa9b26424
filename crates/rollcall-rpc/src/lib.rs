//! gRPC with mutual TLS: the only crate that knows protobuf, tonic and rustls.
//!
//! Carries the messages of `rollcall-sync` between a node and the aggregator, keeps the aggregator's own
//! certificate authority, and signs. Refuses to know: SQL, documents, who may do what. The clock is read by
//! rustls alone, to check certificates; everywhere else the time is an argument.
//! Read in this order.

mod accept;
pub mod authority;
pub mod client;
mod convert;
pub mod enrolment;
pub mod error;
mod http2;
mod pb;
pub mod peer_identity;
pub mod server;
mod session;
pub mod signing;
pub mod status;
#[cfg(test)]
mod tests;
pub mod tls;
pub mod token;
pub mod traffic;

pub use accept::ConnectionLimits;
pub use authority::Authority;
pub use client::{Client, ClientConfig, Timeouts};
pub use enrolment::{EnrolAnswer, EnrolRequest, Enrolment};
pub use error::{EnrolError, RpcError};
pub use peer_identity::PeerIdentity;
pub use server::{EnrolService, ServerConfig, SyncService, serve};
pub use signing::{SigningKey, VerifyingKey};
pub use status::{Refusal, RefusalKind};
pub use tls::ServerTls;
pub use token::EnrolmentToken;
pub use traffic::Traffic;
