//! The sync service: every call looks its peer up anew, then hands the work to the replica.

use std::time::Duration;

use rollcall_command::clock::now_ms;
use rollcall_replica::Replica;
use rollcall_replica::runner::server::{AggregatorKeys, serve_session};
use rollcall_replica::take_up::PeerContext;
use rollcall_rpc::{PeerIdentity, Refusal, RefusalKind, RpcError, SyncService};
use rollcall_sync::message::{
    ClientFrame, DigestAnswer, DigestRequest, Hello, HelloAck, ResolveAnswer, ResolveRequest, ServerFrame,
};
use rollcall_sync::session::server::{ServerEffect, ServerEvent, ServerSession};
use tokio::sync::mpsc;

use crate::enrolment::peer_context;

/// How often an open session is asked whether its peer still may hold one: a revoked certificate is cut off well within
/// the minute that `reliability.md` 2.3 gives.
const REVOKED_CHECK: Duration = Duration::from_secs(5);

/// Answers peers.
pub struct SyncHandler {
    replica: Replica,
    keys: AggregatorKeys,
}

impl SyncHandler {
    /// Over this replica.
    pub fn new(replica: Replica, keys: AggregatorKeys) -> Self {
        Self { replica, keys }
    }

    /// Ends when the peer may no longer be answered, with the reason.
    async fn revoked(&self, identity: PeerIdentity) -> Refusal {
        loop {
            tokio::time::sleep(REVOKED_CHECK).await;
            if let Err(refusal) = self.with_peer(identity.clone(), |_, _| Ok(())).await
                && refusal.kind != RefusalKind::Internal
            {
                return refusal;
            }
        }
    }

    async fn with_peer<T: Send + 'static>(
        &self,
        identity: PeerIdentity,
        work: impl FnOnce(&Replica, PeerContext) -> Result<T, rollcall_replica::Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let replica = self.replica.clone();
        let done = tokio::task::spawn_blocking(move || {
            let peer = replica
                .store()
                .read(|reader| peer_context(reader, &identity))
                .map_err(|error| internal(&error))??;
            work(&replica, peer).map_err(|error| internal(&error))
        });
        done.await.map_err(|error| internal(&error))?
    }
}

impl SyncService for SyncHandler {
    async fn hello(&self, peer: PeerIdentity, hello: Hello) -> Result<HelloAck, Refusal> {
        self.with_peer(peer, move |replica, mut peer| {
            peer.log_epoch = hello.log_epoch;
            let now_ms = now_ms();
            let state = replica.peer_state(&peer, &hello, now_ms)?;
            let mut session = ServerSession::new();
            session.handle_event(ServerEvent::Frame(ClientFrame::Hello(Box::new(hello))));
            session.handle_event(ServerEvent::PeerLoaded {
                state: Box::new(state),
                time_ms: now_ms,
            });
            while let Some(effect) = session.poll_effect() {
                if let ServerEffect::Send(ServerFrame::HelloAck(ack)) = effect {
                    return Ok(Some(*ack));
                }
            }
            Ok(None)
        })
        .await?
        .ok_or_else(|| {
            Refusal::new(
                RefusalKind::Invalid,
                "ENVELOPE_NEWER",
                "Another protocol version is spoken here.",
            )
        })
    }

    async fn exchange(
        &self,
        identity: PeerIdentity,
        inbound: mpsc::Receiver<Result<ClientFrame, RpcError>>,
        outbound: mpsc::Sender<ServerFrame>,
    ) -> Result<(), Refusal> {
        let peer = self.with_peer(identity.clone(), |_, peer| Ok(peer)).await?;
        let session = serve_session(&self.replica, peer, &self.keys, inbound, outbound, now_ms);
        tokio::select! {
            ended = session => ended.map_err(|error| internal(&error)),
            // What has been handed to the store is kept all the same; it is only not acknowledged.
            refusal = self.revoked(identity) => Err(refusal),
        }
    }

    async fn digest(&self, peer: PeerIdentity, request: DigestRequest) -> Result<DigestAnswer, Refusal> {
        self.with_peer(peer, move |replica, peer| replica.digest_answer(&peer, &request))
            .await
    }

    async fn resolve(&self, peer: PeerIdentity, request: ResolveRequest) -> Result<ResolveAnswer, Refusal> {
        self.with_peer(peer, move |replica, peer| replica.resolve_answer(&peer, &request))
            .await
    }
}

fn internal(error: &(dyn std::error::Error + 'static)) -> Refusal {
    tracing::error!("a call failed: {error}");
    Refusal::new(
        RefusalKind::Internal,
        "INTERNAL",
        "The aggregator could not do this; its log says why.",
    )
}
