//! The aggregator's end: serves one peer's session over frames. A session that stays open is told from outside what
//! is new and when to end ([`Told`]); it never asks the store by itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rollcall_core::id::DocumentId;
use rollcall_sync::keys::{Sign, Verify};
use rollcall_sync::limits::{
    BATCHES_IN_FLIGHT_MAX, DRAIN_MS, RECEIPT_GATHER_MS, RECEIPT_GATHER_MS_MAX, RECEIPT_GATHER_MS_PER_SCOPE,
};
use rollcall_sync::message::{Ack, Batch, ClientFrame, Cursor, PartialReceipt, Receipt, ServerFrame};
use rollcall_sync::session::server::{ServerEffect, ServerEvent, ServerSession};
use tokio::sync::{mpsc, watch};

use super::blocking;
use super::committing::{Committing, shares_a_document};
use super::standing::{Leave, Standing, Told, cut};
use super::turns::Turn;
use crate::error::Error;
use crate::peer::PeerContext;
use crate::prepare::Reading;
use crate::replica::Replica;
use crate::take_up::UpRefused;

/// Keys of the aggregator.
#[derive(Clone)]
pub struct AggregatorKeys {
    /// Signs receipts.
    pub sign: Arc<dyn Sign>,
    /// Checks batches, and receipts that nodes show.
    pub verify: Arc<dyn Verify>,
    /// The public key that receipts are signed for, 32 bytes.
    pub receipt_key: Vec<u8>,
}

/// Scopes of a receipt from which on the next one names only those that differ.
const SCOPES_MANY: usize = 16;
/// Silence after which a node that owes an answer counts as gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Serves a session until it ends. Frames that cannot be read are `Err`; the session ends with them.
///
/// # Errors
/// The store's; what was acknowledged until then stays.
pub async fn serve_session<E: std::fmt::Display>(
    replica: &Replica,
    peer: PeerContext,
    standing: Standing,
    keys: &AggregatorKeys,
    mut inbound: mpsc::Receiver<Result<ClientFrame, E>>,
    outbound: mpsc::Sender<ServerFrame>,
    clock: fn() -> i64,
) -> Result<(), Error> {
    let mut run = Run {
        session: ServerSession::new(),
        replica,
        peer,
        keys,
        clock,
        verified: Cursor::default(),
        committing: VecDeque::new(),
        reading: Reading::WhereFollowed,
        apart: Vec::new(),
        heard: tokio::time::Instant::now(),
        told: Some(standing.told),
        turn: standing.turn,
        partial_receipts: false,
        given: None,
        gathered: None,
        give_up: None,
    };
    loop {
        while let Some(effect) = run.session.poll_effect() {
            if effect == ServerEffect::Finish {
                run.finish_commits(0).await?;
                return Ok(());
            }
            run.carry_out(effect, &outbound).await?;
        }
        if run.session.is_proven()
            && let Some(turn) = &mut run.turn
        {
            turn.settle();
        }
        let event = match run.committing.front_mut() {
            Some(committing) => tokio::select! {
                // In order, so that the same events give the same effects: an answer that is there goes out first.
                biased;
                ack = &mut committing.pending => {
                    run.committed(ack).await?;
                    continue;
                }
                frame = inbound.recv() => frame_event(&run.peer, frame),
            },
            None if run.session.is_live() => tokio::select! {
                biased;
                event = run.hear() => event,
                frame = inbound.recv() => frame_event(&run.peer, frame),
            },
            None => tokio::select! {
                biased;
                event = cut(&mut run.told) => event,
                frame = inbound.recv() => frame_event(&run.peer, frame),
            },
        };
        match &event {
            ServerEvent::Frame(ClientFrame::Applied { position, .. }) => run.note_alive(*position).await?,
            ServerEvent::Frame(ClientFrame::WantReceipt { apart }) => run.apart.clone_from(apart),
            _ => {}
        }
        if matches!(event, ServerEvent::Frame(_)) {
            run.heard = tokio::time::Instant::now();
        } else if matches!(event, ServerEvent::Drain { .. }) {
            run.give_up = Some(tokio::time::Instant::now() + Duration::from_millis(DRAIN_MS));
        }
        run.session.handle_event(event);
    }
}

fn frame_event<E: std::fmt::Display>(
    peer: &PeerContext,
    frame: Option<Result<ClientFrame, E>>,
) -> ServerEvent {
    match frame {
        Some(Ok(frame)) => ServerEvent::Frame(frame),
        Some(Err(error)) => {
            tracing::info!(peer.id = peer.peer_id, "session cut: {error}");
            ServerEvent::ClientClosed
        }
        None => ServerEvent::ClientClosed,
    }
}

struct Run<'a> {
    session: ServerSession,
    replica: &'a Replica,
    peer: PeerContext,
    keys: &'a AggregatorKeys,
    clock: fn() -> i64,
    /// Where the chain of the peer's log has been followed to in this session.
    verified: Cursor,
    /// Oldest first.
    committing: VecDeque<Committing<Ack>>,
    /// Until the peer sends as new what is held.
    reading: Reading,
    /// Documents that the node asked to be left out of its receipt.
    apart: Vec<DocumentId>,
    /// When the node was last heard.
    heard: tokio::time::Instant,
    turn: Option<Turn>,
    /// Whether the node takes partial receipts, and the last receipt it holds.
    partial_receipts: bool,
    given: Option<Receipt>,
    /// None once nobody can tell anything any more.
    told: Option<watch::Receiver<Told>>,
    /// When the receipt has waited long enough.
    gathered: Option<tokio::time::Instant>,
    /// When a session that was asked to end is cut.
    give_up: Option<tokio::time::Instant>,
}

impl Run<'_> {
    /// A receipt as what differs from the one before, where the node takes that and it is shorter.
    fn shortened(&mut self, frame: ServerFrame) -> ServerFrame {
        let ServerFrame::Receipt(receipt) = frame else {
            return frame;
        };
        let earlier = self
            .given
            .replace((*receipt).clone())
            .filter(|_| self.partial_receipts);
        match earlier.filter(|earlier| earlier.scopes.len() >= SCOPES_MANY) {
            Some(earlier) => {
                let partial = PartialReceipt::between(&earlier, &receipt);
                ServerFrame::PartialReceipt(Box::new(partial))
            }
            None => ServerFrame::Receipt(receipt),
        }
    }

    /// Waits for what concerns an open session beside frames.
    async fn hear(&mut self) -> ServerEvent {
        let silent = self.session.is_waiting().then(|| self.heard + SILENCE_MAX);
        loop {
            let timer = [self.gathered, self.give_up, silent].into_iter().flatten().min();
            let due = async {
                match timer {
                    Some(timer) => tokio::time::sleep_until(timer).await,
                    None => std::future::pending().await,
                }
            };
            let heard = async {
                match &mut self.told {
                    Some(told) => told.changed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                heard = heard => {
                    let Some(told) = self.told.as_mut().filter(|_| heard.is_ok()) else {
                        self.told = None;
                        continue;
                    };
                    let Told { position, fenced, leave } = told.borrow_and_update().clone();
                    return match leave {
                        Some(Leave { code, message, drain: true }) => ServerEvent::Drain { code, message },
                        Some(Leave { code, message, drain: false }) => ServerEvent::Cut { code, message },
                        None if fenced => ServerEvent::Fenced,
                        None => ServerEvent::News { position },
                    };
                }
                () = due => {
                    if timer == self.gathered {
                        self.gathered = None;
                        return ServerEvent::Gathered;
                    }
                    tracing::info!(peer.id = self.peer.peer_id, "the node owes an answer and is silent");
                    return ServerEvent::ClientClosed;
                }
            }
        }
    }

    async fn carry_out(
        &mut self,
        effect: ServerEffect,
        frames: &mpsc::Sender<ServerFrame>,
    ) -> Result<(), Error> {
        let now_ms = (self.clock)();
        let replica = self.replica.clone();
        match effect {
            ServerEffect::Send(frame) => {
                if let ServerFrame::HelloAck(ack) = &frame {
                    self.verified = ack.cursor;
                }
                let frame = self.shortened(frame);
                if frames.send(frame).await.is_err() {
                    self.session.handle_event(ServerEvent::ClientClosed);
                }
            }
            ServerEffect::LoadPeer(hello) => {
                if hello.takes_place && hello.store_id != self.peer.store_id {
                    let (peer_id, store_id) = (self.peer.peer_id.clone(), hello.store_id);
                    let replica = replica.clone();
                    blocking(move || replica.replace_store(&peer_id, store_id)).await?;
                    self.peer.former_stores.push(self.peer.store_id);
                    self.peer.store_id = hello.store_id;
                }
                if hello.store_id != self.peer.store_id {
                    self.session.handle_event(ServerEvent::UpRefused {
                        code: "SENDER_MISMATCH".to_owned(),
                        message: "This certificate was issued to another store; enrol this node again."
                            .to_owned(),
                    });
                    return Ok(());
                }
                self.peer.log_epoch = hello.log_epoch;
                self.partial_receipts = hello.partial_receipts;
                if hello.partial_receipts {
                    let (replica, hash) = (self.replica.clone(), hello.receipt_hash);
                    self.given = blocking(move || replica.receipt(&hash))
                        .await?
                        .filter(|given| given.origin_store == self.peer.store_id);
                }
                let peer = self.peer.clone();
                let state = blocking(move || replica.peer_state(&peer, &hello, now_ms)).await?;
                self.session.handle_event(ServerEvent::PeerLoaded {
                    state: Box::new(state),
                    time_ms: now_ms,
                });
                if let Some(told) = &mut self.told {
                    // Whatever was told until now has only been looked through for a reason to cut.
                    told.mark_changed();
                }
            }
            ServerEffect::ApplyUp(batch) => self.apply_up(*batch, now_ms).await?,
            ServerEffect::LoadDown { after, receipt } => {
                let (peer, sign) = (self.peer.clone(), Arc::clone(&self.keys.sign));
                let apart = receipt.then(|| self.apart.clone());
                let (batch, receipt) = blocking(move || {
                    let (batch, receipt) =
                        replica.load_down(&peer, after, apart.as_deref(), sign.as_ref(), now_ms)?;
                    if let Some(receipt) = &receipt {
                        replica.keep_given_receipt(&peer, receipt, true)?;
                    }
                    Ok::<_, Error>((batch, receipt))
                })
                .await?;
                let (batch, receipt) = (Box::new(batch), receipt.map(Box::new));
                self.session
                    .handle_event(ServerEvent::DownLoaded { batch, receipt });
            }
            ServerEffect::Gather => {
                // A receipt over many scopes is large, is kept at both ends, and something always happens in one of them.
                let scopes = self.given.as_ref().map_or(0, |given| given.scopes.len() as u64);
                let wait_ms = RECEIPT_GATHER_MS + RECEIPT_GATHER_MS_PER_SCOPE * scopes;
                let wait = Duration::from_millis(wait_ms.min(RECEIPT_GATHER_MS_MAX));
                self.gathered = Some(tokio::time::Instant::now() + wait);
            }
            ServerEffect::ReviewProof(receipt) => {
                let (key, verify) = (self.keys.receipt_key.clone(), Arc::clone(&self.keys.verify));
                let proven =
                    blocking(move || replica.review_proof(&receipt, &key, verify.as_ref(), now_ms)).await?;
                self.session.handle_event(ServerEvent::Reviewed(proven));
            }
            ServerEffect::LoadSet => {
                let peer = self.peer.clone();
                let set = blocking(move || replica.set_sum_of(&peer)).await?;
                self.session.handle_event(ServerEvent::SetLoaded(set));
            }
            ServerEffect::Finish => unreachable!("the loop ends there"),
        }
        Ok(())
    }

    /// The node has taken the log up to a position, so it is alive; two that take turns are copies of one another.
    async fn note_alive(&mut self, position: u64) -> Result<(), Error> {
        let (replica, peer, now_ms) = (self.replica.clone(), self.peer.clone(), (self.clock)());
        if blocking(move || replica.note_alive(&peer, position, now_ms)).await? {
            self.session.handle_event(ServerEvent::Fenced);
        }
        Ok(())
    }

    /// Judges a batch while those before are committed, then hands it to the store.
    async fn apply_up(&mut self, batch: Batch, now_ms: i64) -> Result<(), Error> {
        if shares_a_document(&self.committing, &batch) {
            self.finish_commits(0).await?;
        }
        let (replica, peer) = (self.replica.clone(), self.peer.clone());
        let (verify, verified) = (Arc::clone(&self.keys.verify), self.verified);
        let (batch, reading) = (Arc::new(batch), self.reading);
        let permit = match &self.turn {
            Some(turn) => turn.judge().await,
            None => None,
        };
        let announced = self.replica.store().announce();
        let judged = {
            let batch = Arc::clone(&batch);
            blocking(move || {
                let mut reached = verified;
                if batch.to > 0 || !batch.signature.is_empty() {
                    let held = replica.peer_cursor(&peer)?;
                    Replica::check_batch(&peer, &batch, &verified, &held, verify.as_ref())?;
                    reached = Cursor {
                        position: batch.to,
                        chain: batch.end_chain,
                    };
                }
                Ok::<_, UpRefused>((replica.judge_up(&peer, &batch, now_ms, reading)?, reached))
            })
            .await
        };
        drop(permit);
        // Who waits for a commit must not be what the commit waits for.
        let announced = Some(announced).filter(|_| self.committing.len() < BATCHES_IN_FLIGHT_MAX);
        self.finish_commits(BATCHES_IN_FLIGHT_MAX - 1).await?;
        match judged {
            Ok((judged, reached)) => {
                self.verified = reached;
                let pending = self.replica.start_commit(&self.peer, &batch, judged, now_ms);
                drop(announced);
                self.committing.push_back(Committing { pending, batch });
            }
            Err(UpRefused::Replica(error)) => return Err(error),
            Err(refused) => {
                tracing::warn!(peer.id = self.peer.peer_id, "batch refused: {refused}");
                let (code, message) = (refused.code(), refused.to_string());
                self.session
                    .handle_event(ServerEvent::UpRefused { code, message });
            }
        }
        Ok(())
    }

    /// Waits for batches that are being committed until no more than `left` are.
    async fn finish_commits(&mut self, left: usize) -> Result<(), Error> {
        while self.committing.len() > left
            && let Some(committing) = self.committing.front_mut()
        {
            let ack = (&mut committing.pending).await;
            self.committed(ack).await?;
        }
        Ok(())
    }

    /// Answers the oldest batch, which is durable; judges it again where one of its documents moved meanwhile.
    async fn committed(&mut self, ack: Result<Ack, rollcall_store::Error>) -> Result<(), Error> {
        let Some(Committing { batch, .. }) = self.committing.pop_front() else {
            return Ok(());
        };
        let drained = batch.drained;
        let ack = match ack {
            // Those after it are refused with it and come here in their turn.
            Err(rollcall_store::Error::Stale(_) | rollcall_store::Error::CursorMoved { .. }) => {
                self.reading = Reading::Always;
                let (replica, peer, now_ms) = (self.replica.clone(), self.peer.clone(), (self.clock)());
                match blocking(move || replica.take_up(&peer, &batch, now_ms)).await {
                    Ok(ack) => ack,
                    Err(UpRefused::Replica(error)) => return Err(error),
                    Err(refused) => {
                        let (code, message) = (refused.code(), refused.to_string());
                        self.session
                            .handle_event(ServerEvent::UpRefused { code, message });
                        return Ok(());
                    }
                }
            }
            other => other?,
        };
        self.session.handle_event(ServerEvent::UpApplied {
            ack: Box::new(ack),
            drained,
        });
        Ok(())
    }
}
