//! The aggregator's end: serves one peer's session over frames. A session that stays open is told from outside what
//! is new and when to end ([`Told`]); it never asks the store by itself.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use rollcall_core::id::{DocumentId, FederationId, StoreId};
use rollcall_store::audit::AuditEntry;
use rollcall_store::receipt::ReceiptRow;
use rollcall_store::{Hash, Pending, Reader};
use rollcall_sync::fingerprint::{grants_hash, scopes_hash};
use rollcall_sync::keys::{Sign, Verify};
use rollcall_sync::limits::{
    DRAIN_MS, PENDING_MS_MAX, RECEIPT_GATHER_MS, RECEIPT_GATHER_MS_MAX, RECEIPT_GATHER_MS_PER_SCOPE,
};
use rollcall_sync::message::{
    Ack, Batch, ClientFrame, Cursor, Hello, PartialReceipt, Receipt, ScopeGrant, ServerFrame, SetSum,
};
use rollcall_sync::session::server::{PeerState, ServerEffect, ServerEvent, ServerSession};
use tokio::sync::{mpsc, watch};

use super::blocking;
use super::turns::Turn;
use crate::error::Error;
use crate::replica::{PROGRAM, Replica};
use crate::send_down::{has_news, peer_scopes};
use crate::take_up::{PeerContext, UpRefused};

/// Keys of the aggregator.
#[derive(Clone)]
pub struct AggregatorKeys {
    /// Signs receipts.
    pub sign: Arc<dyn Sign>,
    /// Checks batches.
    pub verify: Arc<dyn Verify>,
}

/// What an open session is told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Last position at which the log grew in the peer's scopes.
    pub position: u64,
    /// That two stores work with the peer's certificate.
    pub fenced: bool,
    /// That it is to end, and why.
    pub leave: Option<Leave>,
}

/// What a session has beside its frames.
pub struct Standing {
    /// What it is told while it is open.
    pub told: watch::Receiver<Told>,
    /// Its turn; none where nobody else is there to wait for.
    pub turn: Option<Turn>,
}

/// How a session is to end, before the node has it end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// Stable code, told to the node.
    pub code: String,
    /// Plain sentence, told to the node.
    pub message: String,
    /// What is under way is still answered.
    pub drain: bool,
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
        committing: None,
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
                run.finish_commit().await?;
                return Ok(());
            }
            run.carry_out(effect, &outbound).await?;
        }
        if run.session.is_proven()
            && let Some(turn) = &mut run.turn
        {
            turn.settle();
        }
        let event = match &mut run.committing {
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

/// Waits until a session that does not stay open is to be cut: nothing else of what it may be told concerns it.
async fn cut(told: &mut Option<watch::Receiver<Told>>) -> ServerEvent {
    if let Some(told) = told {
        let leave = told.wait_for(|told| told.leave.as_ref().is_some_and(|leave| !leave.drain));
        if let Ok(told) = leave.await
            && let Some(Leave { code, message, .. }) = told.leave.clone()
        {
            return ServerEvent::Cut { code, message };
        }
    }
    std::future::pending().await
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

/// A batch on its way into the store while the next one is judged.
struct Committing {
    pending: Pending<Ack>,
    batch: Arc<Batch>,
}

struct Run<'a> {
    session: ServerSession,
    replica: &'a Replica,
    peer: PeerContext,
    keys: &'a AggregatorKeys,
    clock: fn() -> i64,
    /// Where the chain of the peer's log has been followed to in this session.
    verified: Cursor,
    committing: Option<Committing>,
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
                        replica.keep_given_receipt(&peer, receipt)?;
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

    /// Judges a batch while the one before is committed, then hands it to the store.
    async fn apply_up(&mut self, batch: Batch, now_ms: i64) -> Result<(), Error> {
        // A document of both batches is judged on what the first makes of it.
        let shared = self.committing.as_ref().is_some_and(|committing| {
            let ids: HashSet<_> = committing
                .batch
                .documents
                .iter()
                .map(|document| document.document_id)
                .collect();
            batch
                .documents
                .iter()
                .any(|document| ids.contains(&document.document_id))
        });
        if shared {
            self.finish_commit().await?;
        }
        let (replica, peer) = (self.replica.clone(), self.peer.clone());
        let (verify, verified) = (Arc::clone(&self.keys.verify), self.verified);
        let batch = Arc::new(batch);
        let permit = match &self.turn {
            Some(turn) => turn.judge().await,
            None => None,
        };
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
                Ok::<_, UpRefused>((replica.judge_up(&peer, &batch, now_ms)?, reached))
            })
            .await
        };
        drop(permit);
        self.finish_commit().await?;
        match judged {
            Ok((judged, reached)) => {
                self.verified = reached;
                let pending = self.replica.start_commit(&self.peer, &batch, judged, now_ms);
                self.committing = Some(Committing { pending, batch });
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

    async fn finish_commit(&mut self) -> Result<(), Error> {
        if let Some(committing) = &mut self.committing {
            let ack = (&mut committing.pending).await;
            self.committed(ack).await?;
        }
        Ok(())
    }

    /// Answers a batch that is durable; judges it again where one of its documents moved meanwhile.
    async fn committed(&mut self, ack: Result<Ack, rollcall_store::Error>) -> Result<(), Error> {
        let Some(Committing { batch, .. }) = self.committing.take() else {
            return Ok(());
        };
        let drained = batch.drained;
        let ack = match ack {
            Err(rollcall_store::Error::Stale(_)) => {
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

impl Replica {
    fn peer_cursor(&self, peer: &PeerContext) -> Result<Cursor, Error> {
        self.read(|reader| {
            let row = reader.peer_cursor(peer.store_id, peer.log_epoch)?;
            Ok(row.map_or(Cursor::default(), |row| Cursor {
                position: row.cursor.position,
                chain: row.cursor.chain,
            }))
        })
    }

    /// What is known of a peer, in one snapshot; notes that it was heard.
    ///
    /// # Errors
    /// The store's.
    pub fn peer_state(&self, peer: &PeerContext, hello: &Hello, now_ms: i64) -> Result<PeerState, Error> {
        let state = self.read(|reader| {
            let identity = reader.identity().clone();
            let scopes = peer_scopes(reader, peer)?;
            let known = hello.known_peer == Some((identity.store_id, identity.log_epoch));
            let position = reader.position()?;
            let down_fits = known
                && hello.down_position <= position
                && scopes_hash_at(reader, &scopes, hello.down_position)? == hello.scopes_hash;
            let set = reader.set_sum(&scopes)?;
            let rebuilding = reader.is_recovering()?;
            // One that was given while the aggregator was rebuilt says so, and holds no longer than that.
            let receipt = reader.last_receipt(peer.store_id)?.filter(|receipt| {
                receipt.set == set
                    && Receipt::from_bytes(&receipt.bytes).is_some_and(|given| given.rebuilding == rebuilding)
            });
            let enrolment = reader.enrolment(&peer.peer_id)?;
            let row = reader.peer_cursor(peer.store_id, peer.log_epoch)?;
            let mut named: BTreeSet<FederationId> = scopes.iter().cloned().collect();
            named.extend(peer.access.enrolled.write.iter().cloned());
            let grants: Vec<ScopeGrant> = named
                .into_iter()
                .map(|scope| ScopeGrant {
                    write: peer.access.may_write(&scope),
                    scope,
                })
                .collect();
            Ok(PeerState {
                grants_hash: grants_hash(grants.iter().map(|grant| (&grant.scope, grant.write))),
                store_id: identity.store_id,
                log_epoch: identity.log_epoch,
                cursor: row.map(|row| Cursor {
                    position: row.cursor.position,
                    chain: row.cursor.chain,
                }),
                position,
                down_fits,
                down_waiting: !down_fits || has_news(reader, peer, &scopes, hello.down_position)?,
                grants,
                set: SetSum {
                    count: set.count,
                    sum: set.sum,
                },
                receipt_hash: receipt.map(|receipt| receipt.hash).unwrap_or_default(),
                rebuilding,
                fenced: enrolment.is_some_and(|row| row.fenced_ms.is_some()),
            })
        })?;
        let (peer, version) = (peer.clone(), hello.version.clone());
        let held = hello.down_position;
        let work = move |writer: &mut rollcall_store::Writer| {
            writer.expire_pending(now_ms - PENDING_MS_MAX, PROGRAM, now_ms)?;
            writer.save_peer_heard(peer.store_id, peer.log_epoch, now_ms, &version, &peer.peer_id)?;
            writer.save_enrolment_heard(&peer.peer_id, now_ms, &version, held)
        };
        // Only a note: nothing waits for it, and a session that ends now has lost nothing.
        drop(self.store().write("note peer", work));
        Ok(state)
    }

    /// Sum over what a peer's scopes hold.
    fn set_sum_of(&self, peer: &PeerContext) -> Result<SetSum, Error> {
        self.read(|reader| {
            let set = reader.set_sum(&peer_scopes(reader, peer)?)?;
            Ok(SetSum {
                count: set.count,
                sum: set.sum,
            })
        })
    }

    fn keep_given_receipt(&self, peer: &PeerContext, receipt: &Receipt) -> Result<(), Error> {
        let scopes = self.read(|reader| peer_scopes(reader, peer))?;
        let set = self.read(|reader| Ok(reader.set_sum(&scopes)?))?;
        let row = ReceiptRow {
            hash: receipt.hash(),
            origin_store: receipt.origin_store,
            position: receipt.position,
            time_ms: receipt.time_ms,
            set,
            bytes: receipt.to_bytes(),
            verified: true,
        };
        let (peer_id, now_ms) = (peer.peer_id.clone(), receipt.time_ms);
        let work = move |writer: &mut rollcall_store::Writer| {
            writer.save_receipt(&row)?;
            writer.note_recovered(&peer_id, now_ms)
        };
        if self.store().write("keep receipt", work).wait()? {
            tracing::warn!("everybody has been heard since the restore: the aggregator is whole again");
        }
        Ok(())
    }

    /// Notes that a peer has followed the log up to a position; whether its store turned out to be copied.
    fn note_alive(&self, peer: &PeerContext, position: u64, now_ms: i64) -> Result<bool, Error> {
        let last = self.read(|reader| Ok(reader.last_turn(peer.store_id)?))?;
        if last.is_some_and(|(epoch, known)| epoch == peer.log_epoch || position <= known) {
            return Ok(false);
        }
        let peer = peer.clone();
        let work = move |writer: &mut rollcall_store::Writer| {
            let copied = writer.note_turn(peer.store_id, peer.log_epoch, position)?;
            if copied {
                tracing::warn!(
                    peer.id = peer.peer_id,
                    "two stores work with one certificate; fenced"
                );
                writer.fence_enrolment(&peer.peer_id, now_ms)?;
                writer.append_audit(&AuditEntry {
                    at_ms: now_ms,
                    account: "system".to_owned(),
                    action: "fenced".to_owned(),
                    detail: peer.peer_id.clone(),
                })?;
            }
            Ok(copied)
        };
        Ok(self.store().write("note turn", work).wait()?)
    }

    /// Gives a peer the store that takes the place of the one it lost.
    fn replace_store(&self, peer_id: &str, store_id: StoreId) -> Result<(), Error> {
        tracing::info!(peer.id = peer_id, store = %store_id, "a new store takes the place of the one that is lost");
        let peer_id = peer_id.to_owned();
        let work = move |writer: &mut rollcall_store::Writer| writer.replace_store(&peer_id, store_id);
        Ok(self.store().write("replace store", work).wait()?)
    }
}

/// Hash over the peer's scopes that had anything by a position, and their chains there.
pub(crate) fn scopes_hash_at(reader: &Reader, scopes: &[FederationId], position: u64) -> Result<Hash, Error> {
    let mut chains = Vec::new();
    for scope in scopes {
        let chain = reader.scope_chain_at(scope, position)?;
        if chain != [0; 32] {
            chains.push((scope.clone(), chain));
        }
    }
    chains.sort();
    Ok(scopes_hash(chains.iter().map(|(scope, chain)| (scope, chain))))
}
