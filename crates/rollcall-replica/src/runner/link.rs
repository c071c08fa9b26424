//! A node's way to the aggregator, and its keys for it.

use std::sync::Arc;

use rollcall_sync::keys::{Sign, Verify};
use rollcall_sync::message::{
    ClientFrame, DigestAnswer, DigestRequest, ResolveAnswer, ResolveRequest, ServerFrame,
};
use tokio::sync::mpsc;

/// A connection to the aggregator, whatever carries it.
pub trait Link: Send {
    /// What goes wrong on it.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Opens the stream of frames.
    fn open(
        &mut self,
    ) -> (
        mpsc::Sender<ClientFrame>,
        mpsc::Receiver<Result<ServerFrame, Self::Error>>,
    );
    /// Compares digests.
    fn digest(
        &self,
        request: &DigestRequest,
    ) -> impl Future<Output = Result<DigestAnswer, Self::Error>> + Send;
    /// Asks for what is lacking.
    fn resolve(
        &self,
        request: &ResolveRequest,
    ) -> impl Future<Output = Result<ResolveAnswer, Self::Error>> + Send;
    /// Stable code of an error.
    fn code(error: &Self::Error) -> String;
}

/// Keys of this node, and the aggregator's public one.
#[derive(Clone)]
pub struct NodeKeys {
    /// Signs batches.
    pub sign: Arc<dyn Sign>,
    /// Checks receipts.
    pub verify: Arc<dyn Verify>,
    /// The aggregator's Ed25519 public key.
    pub receipt_key: Vec<u8>,
}
