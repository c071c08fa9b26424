//! The node's end: one sync session over a link, again after a restart it asks for itself. It ends with the receipt, or
//! stays open ([`sync_live`]) until one of the ends or time says otherwise.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rollcall_core::id::DocumentId;
use rollcall_store::cursor::{Grant, Upstream};
use rollcall_store::receipt::ReceiptRow;
use rollcall_store::successor::Mark;
use rollcall_sync::fingerprint::grants_hash;
use rollcall_sync::keys::{Sign, Verify};
use rollcall_sync::limits::{APART_MAX, PENDING_MS_MAX, PROTOCOL_VERSION};
use rollcall_sync::message::{
    Ack, Batch, ClientFrame, Cursor, DigestAnswer, DigestRequest, DocumentChanges, Hello, HelloAck, Outcome,
    Receipt, ResolveAnswer, ResolveRequest, ServerFrame, SetSum,
};
use rollcall_sync::session::client::{ClientEffect, ClientEvent, ClientSession, ReceiptCheck, SessionEnd};
use rollcall_sync::session::server::CLONED;
use tokio::sync::{mpsc, watch};

use super::blocking;
use crate::error::Error;
use crate::replica::{PROGRAM, Replica};
use crate::take_down::Taken;

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

/// What a session did (`cli.md` sync).
#[derive(Debug, Clone, Default)]
pub struct SyncReport {
    /// How it ended.
    pub end: Option<SessionEnd>,
    /// Changes and documents sent.
    pub pushed: Taken,
    /// Changes and documents received.
    pub pulled: Taken,
    /// Flights there and back after the handshake.
    pub round_trips: u32,
    /// The receipt that proves it, checked in this run against the own set.
    pub receipt: Option<Receipt>,
    /// Milliseconds from the first frame to the end.
    pub duration_ms: u64,
    /// Milliseconds that connecting took before it, where the caller measured them.
    pub connect_ms: u64,
}

/// How often a session begins again by itself.
const RESTARTS_MAX: usize = 3;
/// How long the aggregator may keep silent.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What a session that stays open is told from outside, and whom it tells.
pub struct Staying<'a> {
    /// End of the own log, as it grows by whichever process.
    pub own_end: watch::Receiver<u64>,
    /// Whether somebody here wants the session to end.
    pub close: watch::Receiver<bool>,
    /// How often both ends compare what they hold while nothing changes.
    pub compare_every: Duration,
    /// How old the session becomes.
    pub age: Duration,
    /// Told each time both ends are proven equal: what came of it since the last time.
    pub settled: &'a mut (dyn FnMut(&SyncReport) + Send),
}

/// How long a session that is to end may take for what is under way.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// Runs a session to its end.
///
/// # Errors
/// The store's; what was acknowledged until then stays.
pub async fn sync_once<L: Link>(
    replica: &Replica,
    link: &mut L,
    keys: &NodeKeys,
    version: &str,
    clock: fn() -> i64,
) -> Result<SyncReport, Error> {
    sync(replica, link, keys, version, clock, None).await
}

/// Runs a session that stays open, where the aggregator lets it; with one that does not it ends as [`sync_once`] does.
/// What it reports is about the time since both ends were last proven equal.
///
/// # Errors
/// The store's; what was acknowledged until then stays.
pub async fn sync_live<L: Link>(
    replica: &Replica,
    link: &mut L,
    keys: &NodeKeys,
    version: &str,
    clock: fn() -> i64,
    staying: Staying<'_>,
) -> Result<SyncReport, Error> {
    sync(replica, link, keys, version, clock, Some(staying)).await
}

async fn sync<L: Link>(
    replica: &Replica,
    link: &mut L,
    keys: &NodeKeys,
    version: &str,
    clock: fn() -> i64,
    mut staying: Option<Staying<'_>>,
) -> Result<SyncReport, Error> {
    let mut report = SyncReport::default();
    let begun = tokio::time::Instant::now();
    let ends = staying.as_ref().map(|staying| begun + staying.age);
    {
        let replica = replica.clone();
        blocking(move || replica.rescue_forked(clock())).await?;
    }
    for _ in 0..RESTARTS_MAX {
        let hello = {
            let (replica, version, live) = (replica.clone(), version.to_owned(), staying.is_some());
            blocking(move || {
                Ok::<_, Error>(Hello {
                    live,
                    ..replica.hello(&version)?
                })
            })
            .await?
        };
        let mut run = Run {
            session: ClientSession::new(hello),
            replica,
            link,
            keys,
            clock,
            sent: VecDeque::new(),
            report: &mut report,
            further_round_trips: 0,
            received: None,
            round_began: begun,
            round_trips_before: 0,
            staying: staying.as_mut(),
            ends,
            closing: None,
            compare_at: None,
        };
        let end = run.until_end().await?;
        let round_trips = run.round_trips();
        let round_began = run.round_began;
        report.round_trips += round_trips;
        report.duration_ms = milliseconds_since(round_began);
        report.end = Some(end.clone());
        let replica = replica.clone();
        let ended = end.clone();
        blocking(move || replica.note_fence(&ended)).await?;
        if !matches!(end, SessionEnd::Restart(_)) {
            break;
        }
    }
    Ok(report)
}

fn milliseconds_since(begun: tokio::time::Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

struct Run<'a, 's, L: Link> {
    session: ClientSession,
    replica: &'a Replica,
    link: &'a mut L,
    keys: &'a NodeKeys,
    clock: fn() -> i64,
    /// Batches whose ack has not come, oldest first.
    sent: VecDeque<Arc<Batch>>,
    report: &'a mut SyncReport,
    further_round_trips: u32,
    /// The last receipt that came in this session.
    received: Option<Receipt>,
    /// When both ends were last proven equal, or the session began.
    round_began: tokio::time::Instant,
    round_trips_before: u32,
    staying: Option<&'a mut Staying<'s>>,
    /// When it is old enough.
    ends: Option<tokio::time::Instant>,
    /// When a session that is to end is cut.
    closing: Option<tokio::time::Instant>,
    /// When both ends compare what they hold.
    compare_at: Option<tokio::time::Instant>,
}

impl<L: Link> Run<'_, '_, L> {
    /// Flights there and back since both ends were last proven equal.
    fn round_trips(&self) -> u32 {
        self.session.round_trips() + self.further_round_trips - self.round_trips_before
    }

    async fn until_end(&mut self) -> Result<SessionEnd, Error> {
        let (frames_out, mut frames_in) = self.link.open();
        loop {
            while let Some(effect) = self.session.poll_effect() {
                if let ClientEffect::Finish(end) = effect {
                    return Ok(end);
                }
                self.carry_out(effect, &frames_out).await?;
            }
            let frame = if self.staying.is_some() {
                match self.frame_or_word(&mut frames_in).await {
                    Ok(frame) => Ok(frame),
                    Err(event) => {
                        self.session.handle_event(event);
                        continue;
                    }
                }
            } else {
                tokio::time::timeout(SILENCE_MAX, frames_in.recv())
                    .await
                    .map_err(|_| ())
            };
            let event = match frame {
                Ok(Some(Ok(frame))) => match self.whole(frame).await? {
                    Some(frame) => ClientEvent::Frame(frame),
                    None => {
                        tracing::warn!("a receipt is based on one that is not held here");
                        ClientEvent::LinkLost
                    }
                },
                Ok(Some(Err(error))) => {
                    let code = L::code(&error);
                    tracing::info!(code, "the session was cut: {error}");
                    if self.session.is_ended() {
                        continue;
                    }
                    return Ok(SessionEnd::Refused {
                        code,
                        message: error.to_string(),
                    });
                }
                Ok(None) | Err(()) => ClientEvent::LinkLost,
            };
            self.session.handle_event(event);
        }
    }

    /// A frame with a receipt made whole; `None` where that cannot be done.
    async fn whole(&mut self, frame: ServerFrame) -> Result<Option<ServerFrame>, Error> {
        let receipt = match frame {
            ServerFrame::Receipt(receipt) => receipt,
            ServerFrame::HelloAck(_)
            | ServerFrame::Batch(_)
            | ServerFrame::Ack(_)
            | ServerFrame::Busy { .. }
            | ServerFrame::Goaway { .. }
            | ServerFrame::Compared { .. } => return Ok(Some(frame)),
            ServerFrame::PartialReceipt(partial) => {
                let earlier = match self
                    .received
                    .take()
                    .filter(|earlier| earlier.hash() == partial.based_on)
                {
                    Some(earlier) => Some(earlier),
                    None => {
                        let (replica, hash) = (self.replica.clone(), partial.based_on);
                        blocking(move || replica.receipt(&hash)).await?
                    }
                };
                match earlier.and_then(|earlier| partial.over(&earlier)) {
                    Some(receipt) => Box::new(receipt),
                    None => return Ok(None),
                }
            }
        };
        self.received = Some((*receipt).clone());
        Ok(Some(ServerFrame::Receipt(receipt)))
    }

    /// The next frame of a session that stays open, or what else there is to tell it.
    async fn frame_or_word(
        &mut self,
        frames_in: &mut mpsc::Receiver<Result<ServerFrame, L::Error>>,
    ) -> Result<Option<Result<ServerFrame, L::Error>>, ClientEvent> {
        let Some(staying) = self.staying.as_deref_mut() else {
            return Ok(frames_in.recv().await);
        };
        let silent = self
            .session
            .is_waiting()
            .then(|| tokio::time::Instant::now() + SILENCE_MAX);
        let old = self.ends.filter(|_| self.closing.is_none());
        let timers = [silent, self.compare_at, self.closing, old];
        let timer = timers.into_iter().flatten().min();
        let due = async {
            match timer {
                Some(timer) => tokio::time::sleep_until(timer).await,
                None => std::future::pending().await,
            }
        };
        let edited = async {
            if staying.own_end.changed().await.is_err() {
                std::future::pending().await
            }
        };
        let close = async {
            if self.closing.is_some() || staying.close.wait_for(|close| *close).await.is_err() {
                std::future::pending().await
            }
        };
        let word = tokio::select! {
            frame = frames_in.recv() => return Ok(frame),
            () = edited => ClientEvent::Edited,
            () = close => ClientEvent::Close,
            () = due => {
                if timer == self.compare_at {
                    self.compare_at = Some(tokio::time::Instant::now() + staying.compare_every);
                    ClientEvent::CompareDue
                } else if timer == old {
                    ClientEvent::Close
                } else {
                    ClientEvent::LinkLost
                }
            }
        };
        if matches!(word, ClientEvent::Close) {
            self.closing = Some(tokio::time::Instant::now() + CLOSING_MAX);
        }
        Err(word)
    }

    /// Tells what a round of a session that stays open came to, and begins the next.
    fn tell_settled(&mut self, end: SessionEnd) {
        self.report.end = Some(end);
        self.report.round_trips = self.round_trips();
        self.report.duration_ms = milliseconds_since(self.round_began);
        if let Some(staying) = self.staying.as_deref_mut() {
            (staying.settled)(self.report);
            self.compare_at = Some(tokio::time::Instant::now() + staying.compare_every);
        }
        *self.report = SyncReport::default();
        self.round_began = tokio::time::Instant::now();
        self.round_trips_before = self.session.round_trips() + self.further_round_trips;
    }

    async fn carry_out(
        &mut self,
        effect: ClientEffect,
        frames: &mpsc::Sender<ClientFrame>,
    ) -> Result<(), Error> {
        let now_ms = (self.clock)();
        let replica = self.replica.clone();
        match effect {
            ClientEffect::Send(frame) => {
                if let ClientFrame::Batch(batch) = &frame {
                    self.sent.push_back(Arc::new((**batch).clone()));
                }
                if frames.send(frame).await.is_err() {
                    // The reason waits among the frames that come in.
                    tracing::debug!("the link takes no more frames");
                }
            }
            ClientEffect::LoadUp(after) => {
                let sign = Arc::clone(&self.keys.sign);
                let batch = blocking(move || replica.load_up(&after, sign.as_ref())).await?;
                self.session.handle_event(match batch {
                    Some(batch) => ClientEvent::UpLoaded(Box::new(batch)),
                    None => ClientEvent::UpMismatch,
                });
            }
            ClientEffect::AdoptPeer(ack) => blocking(move || replica.adopt_peer(&ack, now_ms)).await?,
            ClientEffect::StoreAck(ack) => self.store_ack(*ack, now_ms).await?,
            ClientEffect::ForgetSent => self.sent.clear(),
            ClientEffect::ApplyDown(batch) => {
                let (taken, set) = blocking(move || {
                    let taken = replica.take_down(&batch, now_ms)?;
                    Ok::<_, Error>((taken, (batch.to, replica.set_sum()?)))
                })
                .await?;
                self.report.pulled.changes += taken.changes;
                self.report.pulled.documents += taken.documents;
                self.report.pulled.quarantined += taken.quarantined;
                self.session.handle_event(ClientEvent::DownApplied {
                    position: set.0,
                    set: set.1,
                });
            }
            ClientEffect::CheckReceipt(receipt) => {
                let (key, verify) = (self.keys.receipt_key.clone(), Arc::clone(&self.keys.verify));
                let (check, receipt) = blocking(move || {
                    let check = replica.check_receipt_in_session(&receipt, &key, verify.as_ref())?;
                    if check == ReceiptCheck::Equal {
                        replica.keep_receipt(&receipt)?;
                    }
                    Ok::<_, Error>((check, receipt))
                })
                .await?;
                if check == ReceiptCheck::Equal {
                    self.report.receipt = Some(*receipt);
                }
                self.session.handle_event(ClientEvent::ReceiptChecked(check));
            }
            ClientEffect::Repair => self.repair(now_ms).await?,
            ClientEffect::RotateEpoch => blocking(move || replica.rotate_epoch()).await?,
            ClientEffect::LoadSet => {
                let set = blocking(move || {
                    replica.note_heard(now_ms)?;
                    replica.set_sum()
                })
                .await?;
                self.session.handle_event(ClientEvent::SetLoaded(set));
            }
            ClientEffect::Recount => {
                blocking(move || replica.recount(now_ms)).await?;
            }
            ClientEffect::Settled(end) => {
                let ended = end.clone();
                let kept_apart = self.report.pushed.quarantined + self.report.pulled.quarantined > 0;
                blocking(move || {
                    replica.note_fence(&ended)?;
                    // A branch that lost its number goes out again as the next edit.
                    if kept_apart {
                        replica.rescue_forked(now_ms)?;
                    }
                    Ok::<_, Error>(())
                })
                .await?;
                self.tell_settled(end);
            }
            ClientEffect::Finish(_) => unreachable!("the loop ends there"),
        }
        Ok(())
    }

    async fn store_ack(&mut self, ack: Ack, now_ms: i64) -> Result<(), Error> {
        let Some(batch) = self.sent.pop_front().filter(|batch| answers(&ack, batch)) else {
            tracing::warn!("an ack answers no batch that was sent");
            self.session.handle_event(ClientEvent::LinkLost);
            return Ok(());
        };
        self.report.pushed.quarantined += ack
            .outcomes
            .iter()
            .filter(|outcome| {
                matches!(
                    outcome.outcome,
                    Outcome::Forked | Outcome::Quarantined(_) | Outcome::Rejected(_)
                )
            })
            .count() as u64;
        let replica = self.replica.clone();
        self.report.pushed.documents += batch.documents.len() as u64;
        self.report.pushed.changes += batch
            .documents
            .iter()
            .map(|document| document.changes.len() as u64)
            .sum::<u64>();
        blocking(move || replica.take_ack(&batch, &ack, now_ms)).await?;
        self.session.handle_event(ClientEvent::AckStored);
        Ok(())
    }

    async fn repair(&mut self, now_ms: i64) -> Result<(), Error> {
        let replica = self.replica.clone();
        let request = blocking(move || replica.digest_request()).await?;
        self.further_round_trips += 1;
        let answer = match self.link.digest(&request).await {
            Ok(answer) => answer,
            Err(error) => return self.lost(&error),
        };
        let replica = self.replica.clone();
        let mut requests: VecDeque<ResolveRequest> =
            blocking(move || replica.resolve_requests(&request, &answer))
                .await?
                .into();
        let differing: usize = requests.iter().map(|request| request.documents.len()).sum();
        let mut lacking: Vec<Vec<DocumentChanges>> = Vec::new();
        let mut apart: Vec<DocumentId> = Vec::new();
        while let Some(request) = requests.pop_front() {
            self.further_round_trips += 1;
            let answer = match self.link.resolve(&request).await {
                Ok(answer) => answer,
                Err(error) => return self.lost(&error),
            };
            // What did not fit into the answer is asked for again, as long as each answer brings something.
            let answered: Vec<_> = answer
                .changes
                .iter()
                .map(|document| document.document_id)
                .chain(answer.wanted.iter().map(|(id, _)| *id))
                .collect();
            let left: Vec<_> = request
                .documents
                .into_iter()
                .filter(|(id, _)| !answered.contains(id))
                .collect();
            if !left.is_empty() && !answered.is_empty() {
                requests.push_front(ResolveRequest { documents: left });
            }
            let replica = self.replica.clone();
            let (taken, more, refused) = blocking(move || {
                let taken = replica.take_documents(&answer.changes, None, now_ms)?;
                let refused = replica.refused_of(&answer.changes)?;
                Ok::<_, Error>((taken, replica.wanted_changes(&answer.wanted)?, refused))
            })
            .await?;
            self.report.pulled.changes += taken.changes;
            self.report.pulled.documents += taken.documents;
            self.report.pulled.quarantined += taken.quarantined;
            lacking.extend(more);
            apart.extend(refused);
        }
        if differing > 0 {
            let replica = self.replica.clone();
            blocking(move || replica.note_repair(differing as u64, now_ms)).await?;
        }
        apart.truncate(APART_MAX);
        self.session
            .handle_event(ClientEvent::Repaired { lacking, apart });
        Ok(())
    }

    fn lost(&mut self, error: &L::Error) -> Result<(), Error> {
        tracing::info!(code = L::code(error), "repair was cut: {error}");
        self.session.handle_event(ClientEvent::LinkLost);
        Ok(())
    }
}

/// Whether an ack speaks of this batch: the end of a piece of the log, or else its documents and changes.
fn answers(ack: &Ack, batch: &Batch) -> bool {
    let loose = batch.to == 0;
    (loose || (ack.cursor.position, ack.cursor.chain) == (batch.to, batch.end_chain))
        && ack.outcomes.len() == batch.documents.len()
        && ack.outcomes.iter().zip(&batch.documents).all(|(outcome, sent)| {
            outcome.document_id == sent.document_id && outcome.positions.len() == sent.changes.len()
        })
}

impl Replica {
    /// Where this node stands.
    ///
    /// # Errors
    /// The store's.
    pub fn hello(&self, version: &str) -> Result<Hello, Error> {
        let (boot_id, session_id) = (self.boot_id(), self.random());
        self.read(|reader| {
            let identity = reader.identity();
            let upstream = reader.upstream()?;
            let end = reader.origin_end()?;
            let set = reader.granted_sum()?;
            let acknowledged = upstream
                .as_ref()
                .map(|upstream| upstream.acknowledged)
                .unwrap_or_default();
            Ok(Hello {
                protocol: PROTOCOL_VERSION,
                version: version.to_owned(),
                session_id,
                store_id: identity.store_id,
                log_epoch: identity.log_epoch,
                boot_id,
                origin_end: Cursor {
                    position: end.position,
                    chain: end.chain,
                },
                acknowledged: Cursor {
                    position: acknowledged.position,
                    chain: acknowledged.chain,
                },
                known_peer: upstream
                    .as_ref()
                    .map(|upstream| (upstream.store_id, upstream.log_epoch)),
                down_position: upstream.as_ref().map_or(0, |upstream| upstream.down_position),
                scopes_hash: upstream
                    .as_ref()
                    .map(|upstream| upstream.scopes_hash)
                    .unwrap_or_default(),
                set: SetSum {
                    count: set.count,
                    sum: set.sum,
                },
                receipt_hash: upstream.map(|upstream| upstream.receipt_hash).unwrap_or_default(),
                takes_place: reader.is_marked(Mark::TakesPlace)?,
                grants_hash: {
                    let grants = reader.grants()?;
                    grants_hash(grants.iter().map(|grant| (&grant.scope, grant.write)))
                },
                live: false,
                partial_receipts: true,
            })
        })
    }

    fn adopt_peer(&self, ack: &HelloAck, now_ms: i64) -> Result<(), Error> {
        let ack = ack.clone();
        let work = move |writer: &mut rollcall_store::Writer| {
            writer.set_mark(Mark::TakesPlace, false)?;
            writer.set_mark(Mark::Rebuilding, ack.rebuilding)?;
            writer.expire_pending(now_ms - PENDING_MS_MAX, PROGRAM, now_ms)?;
            let known = writer.upstream()?;
            let same = known
                .as_ref()
                .is_some_and(|known| known.store_id == ack.store_id && known.log_epoch == ack.log_epoch);
            if !same {
                writer.save_upstream(&Upstream {
                    store_id: ack.store_id,
                    log_epoch: ack.log_epoch,
                    down_position: 0,
                    scopes_hash: [0; 32],
                    acknowledged: rollcall_store::cursor::Cursor::default(),
                    receipt_hash: [0; 32],
                    last_heard_ms: now_ms,
                })?;
            }
            if !ack.scopes.is_empty() {
                let grants: Vec<Grant> = ack
                    .scopes
                    .iter()
                    .map(|grant| Grant {
                        scope: grant.scope.clone(),
                        write: grant.write,
                    })
                    .collect();
                if writer.grants()? != grants {
                    writer.save_grants(&grants)?;
                }
            }
            Ok(())
        };
        Ok(self.store().write("adopt peer", work).wait()?)
    }

    /// A receipt that was kept.
    pub(crate) fn receipt(&self, hash: &rollcall_store::Hash) -> Result<Option<Receipt>, Error> {
        let row = self.read(|reader| Ok(reader.receipt(hash)?))?;
        Ok(row.and_then(|row| Receipt::from_bytes(&row.bytes)))
    }

    /// Notes that the aggregator was heard.
    fn note_heard(&self, now_ms: i64) -> Result<(), Error> {
        let work = move |writer: &mut rollcall_store::Writer| {
            let Some(mut upstream) = writer.upstream()? else {
                return Ok(());
            };
            upstream.last_heard_ms = now_ms;
            writer.save_upstream(&upstream)
        };
        Ok(self.store().write("note heard", work).wait()?)
    }

    fn keep_receipt(&self, receipt: &Receipt) -> Result<(), Error> {
        let set = self.set_sum()?;
        let row = ReceiptRow {
            hash: receipt.hash(),
            origin_store: receipt.origin_store,
            position: receipt.position,
            time_ms: receipt.time_ms,
            set: rollcall_store::scope::SetSum {
                count: set.count,
                sum: set.sum,
            },
            bytes: receipt.to_bytes(),
            verified: true,
        };
        let rebuilding = receipt.rebuilding;
        let work = move |writer: &mut rollcall_store::Writer| {
            writer.set_mark(Mark::Rebuilding, rebuilding)?;
            writer.save_receipt(&row)?;
            if let Some(mut upstream) = writer.upstream()? {
                upstream.receipt_hash = row.hash;
                writer.save_upstream(&upstream)?;
            }
            Ok(())
        };
        Ok(self.store().write("keep receipt", work).wait()?)
    }

    /// Remembers whether the aggregator says that this store was copied.
    fn note_fence(&self, end: &SessionEnd) -> Result<(), Error> {
        let fenced = match end {
            SessionEnd::Refused { code, .. } if code == CLONED => true,
            SessionEnd::InSync | SessionEnd::CaughtUp | SessionEnd::Repaired(_) => false,
            _ => return Ok(()),
        };
        if self.read(|reader| Ok(reader.is_marked(Mark::Fenced)?))? == fenced {
            return Ok(());
        }
        let work = move |writer: &mut rollcall_store::Writer| writer.set_mark(Mark::Fenced, fenced);
        Ok(self.store().write("note fence", work).wait()?)
    }

    fn rotate_epoch(&self) -> Result<(), Error> {
        let epoch = rollcall_core::id::LogEpoch(self.random());
        let work = move |writer: &mut rollcall_store::Writer| writer.rotate_log_epoch(epoch);
        self.store().write("rotate log epoch", work).wait()?;
        Ok(())
    }
}
