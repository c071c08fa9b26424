//! The sync service: every call looks its peer up anew, then hands the work to the replica.

use std::sync::Arc;

use rollcall_command::clock::{now_ms, random};
use rollcall_command::output::Refused;
use rollcall_replica::Replica;
use rollcall_replica::peer::PeerContext;
use rollcall_replica::runner::server::{AggregatorKeys, serve_session};
use rollcall_replica::runner::standing::Standing;
use rollcall_replica::runner::turns::Turns;
use rollcall_rpc::carry::receive;
use rollcall_rpc::{Closing, FileError, PeerIdentity, Refusal, RefusalKind, RpcError, SyncService};
use rollcall_sync::limits::{CARRIES_MAX, RELAY_FILE_BYTES_MAX};
use rollcall_sync::message::{
    ClientFrame, DigestAnswer, DigestRequest, Hello, HelloAck, ResolveAnswer, ResolveRequest, ServerFrame,
};
use rollcall_sync::session::server::{ServerEffect, ServerEvent, ServerSession};
use tokio::sync::{Semaphore, mpsc};

use crate::by_file;
use crate::enrolment::Enrolled;
use crate::files::Files;
use crate::live::Live;
use crate::unknown_peer::{PEER_UNKNOWN, UnknownPeers};

/// When a relay comes back while others are answered, milliseconds.
const CARRY_AGAIN_MS: u64 = 2_000;

/// Answers peers.
pub struct SyncHandler {
    replica: Replica,
    keys: AggregatorKeys,
    enrolled: Arc<Enrolled>,
    live: Live,
    turns: Arc<Turns>,
    files: Files,
    carries: Arc<Semaphore>,
    unknown: Arc<UnknownPeers>,
}

impl SyncHandler {
    /// Over this replica.
    pub fn new(
        replica: Replica,
        keys: AggregatorKeys,
        enrolled: Arc<Enrolled>,
        live: Live,
        turns: Arc<Turns>,
        files: Files,
    ) -> Self {
        Self {
            replica,
            keys,
            enrolled,
            live,
            turns,
            files,
            carries: Arc::new(Semaphore::new(CARRIES_MAX)),
            unknown: Arc::default(),
        }
    }

    async fn with_peer<T: Send + 'static>(
        &self,
        identity: PeerIdentity,
        work: impl FnOnce(&Replica, PeerContext) -> Result<T, rollcall_replica::Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (replica, enrolled) = (self.replica.clone(), Arc::clone(&self.enrolled));
        let unknown = Arc::clone(&self.unknown);
        let done = tokio::task::spawn_blocking(move || {
            let peer = replica
                .store()
                .read(|reader| enrolled.peer(reader, &identity))
                .map_err(|error| internal(&error))?;
            let peer = peer.inspect_err(|refusal| {
                if refusal.code == PEER_UNKNOWN {
                    unknown.note(replica.store(), &identity, now_ms());
                }
            })?;
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
                let ServerEffect::Send(frame) = effect else {
                    continue;
                };
                if let ServerFrame::HelloAck(ack) = frame {
                    return Ok(Ok(*ack));
                }
                if let ServerFrame::Goaway { code, message, .. } = frame {
                    return Ok(Err(Refusal::new(RefusalKind::Invalid, code, message)));
                }
            }
            unreachable!("a Hello is answered")
        })
        .await?
    }

    async fn exchange(
        &self,
        identity: PeerIdentity,
        inbound: mpsc::Receiver<Result<ClientFrame, RpcError>>,
        outbound: mpsc::Sender<ServerFrame>,
        closing: Closing,
    ) -> Result<(), Refusal> {
        let turn = match self.turns.enter(identity.fingerprint) {
            Ok(turn) => turn,
            Err(retry_after_ms) => {
                tracing::debug!(peer.id = identity.name, retry_after_ms, "too much is under way");
                // A peer that is gone by now comes back all the same.
                let _ = outbound.send(ServerFrame::Busy { retry_after_ms }).await;
                return Ok(());
            }
        };
        let peer = self.with_peer(identity.clone(), |_, peer| Ok(peer)).await?;
        let (entry, told) = self.live.enter(identity, peer.clone());
        let standing = Standing {
            told,
            turn: Some(turn),
        };
        let session = serve_session(
            &self.replica,
            peer,
            standing,
            &self.keys,
            inbound,
            outbound,
            now_ms,
        );
        let asked_to_end = async {
            tokio::select! {
                biased;
                () = closing.stopping.cancelled() => {
                    entry.drain("STOPPING", "The aggregator stops; the node connects again.");
                }
                () = closing.ageing.cancelled() => {
                    entry.drain("SESSION_AGE", "This connection is old enough; the node opens another.");
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            ended = session => ended.map_err(|error| internal(&error)),
            () = asked_to_end => Ok(()),
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

    async fn carry(
        &self,
        identity: PeerIdentity,
        mut pieces: mpsc::Receiver<Result<Vec<u8>, RpcError>>,
    ) -> Result<Option<std::fs::File>, Refusal> {
        let relay = identity.name.clone();
        self.with_peer(identity, |_, _| Ok(())).await?;
        let Ok(_place) = Arc::clone(&self.carries).try_acquire_owned() else {
            return Err(Refusal::busy(CARRY_AGAIN_MS));
        };
        let path = self.files.carried().join(hex(random::<8>()));
        let answer = match receive(&mut pieces, &path, RELAY_FILE_BYTES_MAX).await {
            Ok(0) => Ok(None),
            Ok(_) => {
                let (files, replica, from) = (self.files.clone(), self.replica.clone(), path.clone());
                let done = tokio::task::spawn_blocking(move || by_file::carried(&files, &replica, &from));
                let answer = done.await.map_err(|error| internal(&error))?;
                answer.map(Some).map_err(|error| refused_file(&error))
            }
            Err(FileError::Io(error)) => Err(internal(&error)),
            Err(error) => Err(refused_file(
                &Refused::new(error.code(), error.to_string()).into(),
            )),
        };
        if let Err(error) = tokio::fs::remove_file(&path).await {
            tracing::warn!(peer.id = relay, "a file could not be dropped: {error}");
        }
        answer
    }
}

fn hex(bytes: [u8; 8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why a file that a relay brought is not taken: its sender's affair, where the relay itself is in order.
fn refused_file(error: &anyhow::Error) -> Refusal {
    match error.downcast_ref::<Refused>() {
        Some(refused) => Refusal::new(RefusalKind::Invalid, &refused.code, &refused.message),
        None => internal(error.as_ref()),
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
