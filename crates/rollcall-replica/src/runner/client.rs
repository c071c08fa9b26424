//! The node's end: one sync session over a link, again after a restart it asks for itself. It ends with the receipt, or
//! stays open ([`sync_live`]) until one of the ends or time says otherwise.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rollcall_sync::limits::BATCHES_IN_FLIGHT_MAX;
use rollcall_sync::message::{Ack, Batch, ClientFrame, Hello, Outcome, Receipt, ServerFrame};
use rollcall_sync::session::client::{ClientEffect, ClientEvent, ClientSession, ReceiptCheck, SessionEnd};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

mod repair;

use super::committing::{Committing, shares_a_document};
use super::link::{Link, NodeKeys};
use super::report::{Staying, SyncReport};
use super::{blocking, meanwhile};
use crate::error::Error;
use crate::prepare::Reading;
use crate::replica::Replica;
use crate::take_down::{CommittedDown, Reached};

/// How often a session begins again by itself.
const RESTARTS_MAX: usize = 3;
/// How long the aggregator may keep silent.
const SILENCE_MAX: Duration = Duration::from_secs(60);

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
            committing: VecDeque::new(),
            reading: Reading::WhereFollowed,
            reading_ahead: None,
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

/// What a wait for the aggregator brought: a frame, the end of the link, or what the session is told instead.
type Heard<E> = Result<Option<Result<ServerFrame, E>>, ClientEvent>;

struct Run<'a, 's, L: Link> {
    session: ClientSession,
    replica: &'a Replica,
    link: &'a mut L,
    keys: &'a NodeKeys,
    clock: fn() -> i64,
    /// Batches whose ack has not come, oldest first.
    sent: VecDeque<Arc<Batch>>,
    /// Oldest first.
    committing: VecDeque<Committing<CommittedDown>>,
    /// Until the aggregator sends as new what is held.
    reading: Reading,
    /// The rows that the next receipt is checked against, on their way into memory.
    reading_ahead: Option<JoinHandle<()>>,
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
        let end = self.exchange().await?;
        // What is on its way into the store is taken whatever ended the session.
        self.finish_commits(0).await?;
        self.finish_reading_ahead().await;
        Ok(end)
    }

    /// Waits for what is being read ahead; should that fail, the check of a receipt reads by itself.
    async fn finish_reading_ahead(&mut self) {
        if let Some(reading) = self.reading_ahead.take() {
            let _ = reading.await;
        }
    }

    async fn exchange(&mut self) -> Result<SessionEnd, Error> {
        let (frames_out, mut frames_in) = self.link.open();
        loop {
            while let Some(effect) = self.session.poll_effect() {
                if let ClientEffect::Finish(end) = effect {
                    return Ok(end);
                }
                self.carry_out(effect, &frames_out).await?;
            }
            let heard = match self.committing.pop_front() {
                Some(mut committing) => {
                    let heard = tokio::select! {
                        // In order, so that the same events give the same effects: what is durable is reported first.
                        biased;
                        committed = &mut committing.pending => Err(committed),
                        heard = self.hear(&mut frames_in) => Ok(heard),
                    };
                    match heard {
                        Err(committed) => {
                            self.committed(&committing.batch, committed).await?;
                            continue;
                        }
                        Ok(heard) => {
                            self.committing.push_front(committing);
                            heard
                        }
                    }
                }
                None => self.hear(&mut frames_in).await,
            };
            let event = match heard {
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
                Ok(None) => ClientEvent::LinkLost,
                Err(event) => event,
            };
            self.session.handle_event(event);
        }
    }

    /// The next frame, or what else there is to tell the session.
    async fn hear(
        &mut self,
        frames_in: &mut mpsc::Receiver<Result<ServerFrame, L::Error>>,
    ) -> Heard<L::Error> {
        if self.staying.is_some() {
            return self.frame_or_word(frames_in).await;
        }
        tokio::time::timeout(SILENCE_MAX, frames_in.recv())
            .await
            .map_err(|_| ClientEvent::LinkLost)
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
    ) -> Heard<L::Error> {
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
                    // A receipt will answer it; until then there is nothing to do but to wait.
                    if self.reading_ahead.is_none() {
                        self.reading_ahead = meanwhile(move || replica.read_ahead_of_receipt());
                    }
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
            ClientEffect::AdoptPeer(ack) => blocking(move || replica.adopt_peer(&ack, true, now_ms)).await?,
            ClientEffect::StoreAck(ack) => self.store_ack(*ack, now_ms).await?,
            ClientEffect::ForgetSent => self.sent.clear(),
            ClientEffect::ApplyDown(batch) => self.apply_down(*batch, now_ms).await?,
            ClientEffect::CheckReceipt(receipt) => {
                let (key, verify) = (self.keys.receipt_key.clone(), Arc::clone(&self.keys.verify));
                self.finish_reading_ahead().await;
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
            ClientEffect::CompareDoubtful(documents) => self.compare_doubtful(documents, now_ms).await?,
            ClientEffect::RotateEpoch => blocking(move || replica.rotate_epoch()).await?,
            ClientEffect::LoadSet => {
                let set = blocking(move || {
                    replica.note_heard(now_ms)?;
                    replica.set_sum()
                })
                .await?;
                self.session.handle_event(ClientEvent::SetLoaded(set));
            }
            ClientEffect::Prove(hash) => {
                let receipt = blocking(move || replica.receipt(&hash)).await?;
                self.session
                    .handle_event(ClientEvent::ProofLoaded(receipt.map(Box::new)));
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

    /// Sends a batch through the gate while those before are committed, then hands it to the store.
    async fn apply_down(&mut self, batch: Batch, now_ms: i64) -> Result<(), Error> {
        if shares_a_document(&self.committing, &batch) {
            self.finish_commits(0).await?;
        }
        let batch = Arc::new(batch);
        let announced = self.replica.store().announce();
        let passed = {
            let (replica, batch, reading) = (self.replica.clone(), Arc::clone(&batch), self.reading);
            blocking(move || replica.admit_down(&batch.documents, now_ms, reading)).await?
        };
        // Who waits for a commit must not be what the commit waits for.
        let announced = Some(announced).filter(|_| self.committing.len() < BATCHES_IN_FLIGHT_MAX);
        self.finish_commits(BATCHES_IN_FLIGHT_MAX - 1).await?;
        let cursor = Some(Reached::after(&batch));
        let before = self.committing.back().map(|committing| committing.batch.to);
        let pending = self
            .replica
            .start_down(&batch.documents, passed, cursor, before, now_ms);
        drop(announced);
        self.committing.push_back(Committing { pending, batch });
        Ok(())
    }

    /// Waits for batches that are being committed until no more than `left` are.
    async fn finish_commits(&mut self, left: usize) -> Result<(), Error> {
        while self.committing.len() > left
            && let Some(Committing { pending, batch }) = self.committing.pop_front()
        {
            let committed = pending.await;
            self.committed(&batch, committed).await?;
        }
        Ok(())
    }

    /// Reports a batch that is durable; takes it anew where one of its documents moved meanwhile.
    async fn committed(
        &mut self,
        batch: &Arc<Batch>,
        committed: Result<CommittedDown, rollcall_store::Error>,
    ) -> Result<(), Error> {
        let (replica, now_ms) = (self.replica.clone(), (self.clock)());
        let held = self.replica.clone();
        let (taken, set) = match committed {
            // Those after it are refused with it and come here in their turn.
            Err(rollcall_store::Error::Stale(_) | rollcall_store::Error::CursorMoved { .. }) => {
                self.reading = Reading::Always;
                let batch = Arc::clone(batch);
                blocking(move || replica.take_down(&batch, now_ms)).await?
            }
            other => {
                let committed = other?;
                blocking(move || replica.finish_down(committed)).await?
            }
        };
        self.report.pulled.changes += taken.changes;
        self.report.pulled.documents += taken.documents;
        self.report.pulled.quarantined += taken.quarantined;
        // Less than the batch reaches while digests are to be compared.
        let position = blocking(move || held.down_position()).await?.min(batch.to);
        self.session
            .handle_event(ClientEvent::DownApplied { position, set });
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
}

/// Whether an ack speaks of this batch: the end of a piece of the log, or else its documents and changes.
pub(crate) fn answers(ack: &Ack, batch: &Batch) -> bool {
    let loose = batch.to == 0;
    (loose || (ack.cursor.position, ack.cursor.chain) == (batch.to, batch.end_chain))
        && ack.outcomes.len() == batch.documents.len()
        && ack.outcomes.iter().zip(&batch.documents).all(|(outcome, sent)| {
            outcome.document_id == sent.document_id && outcome.positions.len() == sent.changes.len()
        })
}
