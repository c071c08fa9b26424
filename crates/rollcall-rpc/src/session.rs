//! One session at the aggregator: a task that reads, a task that serves, a stream that is written.
//! The reader never waits for the writer (`protocol.md` L24): it hands frames over without waiting and ends the
//! session when the other end sends more than may be unanswered.

use std::error::Error;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rollcall_sync::limits::{BATCHES_IN_FLIGHT_MAX, MESSAGE_BYTES_MAX};
use rollcall_sync::message::{ClientFrame, ServerFrame};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_stream::Stream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tonic::{Code, Status, Streaming};

use crate::convert::{Wire, sized};
use crate::error::RpcError;
use crate::pb::sync as pb;
use crate::peer_identity::PeerIdentity;
use crate::server::{Closing, SyncService};
use crate::status::Refusal;

/// Frames that may wait in one direction: every batch that may be under way, an answer to each, and a few
/// words beside them.
pub(crate) const FRAMES_WAITING_MAX: usize = 2 * BATCHES_IN_FLIGHT_MAX + 8;

/// How long a session may last and stand still.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionLimits {
    pub(crate) idle: Duration,
    pub(crate) stall: Duration,
    pub(crate) total: Duration,
}

/// What a session runs within.
pub(crate) struct Surroundings<'a> {
    pub(crate) limits: SessionLimits,
    pub(crate) tasks: &'a TaskTracker,
    pub(crate) abort: CancellationToken,
    pub(crate) closing: Closing,
}

/// Starts a session; its answers are the stream.
pub(crate) fn open<S: SyncService>(
    service: Arc<S>,
    peer: PeerIdentity,
    inbound: Streaming<pb::ClientFrame>,
    surroundings: Surroundings<'_>,
) -> Answers {
    let Surroundings {
        limits,
        tasks,
        abort,
        closing,
    } = surroundings;
    let (to_service, from_client) = mpsc::channel(FRAMES_WAITING_MAX);
    let (to_client, frames) = mpsc::channel(FRAMES_WAITING_MAX);
    let (ended, end) = oneshot::channel();
    let activity = Arc::new(Activity::new());
    let fault = Arc::new(Mutex::new(None));
    // Cancelled when the service is through or the other end no longer listens.
    let over = CancellationToken::new();

    // Cancelled when the other end floods us: whatever the service is doing is not worth going on.
    let flooded = CancellationToken::new();

    let reader = Reader {
        inbound,
        to_service,
        activity: Arc::clone(&activity),
        fault: Arc::clone(&fault),
        over: over.clone(),
        flooded: flooded.clone(),
    };
    tasks.spawn(reader.run());

    let answers = Answers {
        frames,
        end: Some(end),
        activity: Arc::clone(&activity),
        _over: over.clone().drop_guard(),
    };
    let waiting = to_client.downgrade();
    tasks.spawn(async move {
        let result = tokio::select! {
            result = service.exchange(peer, from_client, to_client, closing) => result,
            () = activity.stands_still(limits, &waiting) => Err(Refusal::deadline("The session stood still.")),
            () = activity.lasts_too_long(limits) => Err(Refusal::deadline("The session lasted too long.")),
            () = flooded.cancelled() => Err(Refusal::from(&RpcError::Flooded { limit: FRAMES_WAITING_MAX })),
            () = abort.cancelled() => Err(Refusal::busy(1000)),
        };
        over.cancel();
        let fault = fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Where nobody listens any more there is nobody to tell.
        let _ = ended.send(fault.map_or(result, Err));
    });
    answers
}

struct Reader {
    inbound: Streaming<pb::ClientFrame>,
    to_service: mpsc::Sender<Result<ClientFrame, RpcError>>,
    activity: Arc<Activity>,
    fault: Arc<Mutex<Option<Refusal>>>,
    over: CancellationToken,
    flooded: CancellationToken,
}

impl Reader {
    async fn run(mut self) {
        loop {
            let next = tokio::select! {
                () = self.over.cancelled() => return,
                next = self.inbound.message() => next,
            };
            self.activity.touch();
            let frame = match next {
                Ok(Some(wire)) => ClientFrame::from_wire(wire),
                Ok(None) => return,
                Err(status) => Err(receive_error(status)),
            };
            if let Err(error) = &frame {
                // The service hears of it as its last item; the other end is told, whatever the service says.
                *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(Refusal::from(error));
            }
            let last = frame.is_err();
            match self.to_service.try_send(frame) {
                Ok(()) if last => return,
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Closed(_)) => return,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    self.flooded.cancel();
                    return;
                }
            }
        }
    }
}

/// What the framework's status means when it came from reading, not from the other end.
pub(crate) fn receive_error(status: Status) -> RpcError {
    match status.code() {
        _ if status.source().is_some() => RpcError::Closed(Some(Box::new(status))),
        Code::OutOfRange => RpcError::TooLarge {
            what: "message",
            bytes: MESSAGE_BYTES_MAX + 1,
            limit: MESSAGE_BYTES_MAX,
        },
        Code::Internal => RpcError::Malformed { field: "frame" },
        _ => RpcError::Closed(Some(Box::new(status))),
    }
}

/// When something last moved, in either direction.
struct Activity {
    last: Mutex<Instant>,
    /// The session stays open, and may be as quiet and as old as it likes.
    live: AtomicBool,
}

impl Activity {
    fn new() -> Self {
        Self {
            last: Mutex::new(Instant::now()),
            live: AtomicBool::new(false),
        }
    }

    fn stays_open(&self) {
        self.live.store(true, Ordering::Relaxed);
    }

    fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed)
    }

    fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns when nothing has moved for too long; sooner while the other end leaves frames lying.
    async fn stands_still(&self, limits: SessionLimits, to_client: &mpsc::WeakSender<ServerFrame>) {
        loop {
            let lying = to_client
                .upgrade()
                .is_some_and(|frames| frames.capacity() < frames.max_capacity());
            let limit = if lying {
                limits.stall.min(limits.idle)
            } else {
                limits.idle
            };
            let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if !lying && self.is_live() {
                // Thousands of these do nothing; each looks up now and then whether its node takes what it is sent.
                tokio::time::sleep(limits.stall).await;
                continue;
            }
            if last.elapsed() >= limit {
                return;
            }
            tokio::time::sleep_until((last + limit).min(Instant::now() + limits.stall / 4)).await;
        }
    }

    /// Returns when a session that does not stay open has lasted for too long.
    async fn lasts_too_long(&self, limits: SessionLimits) {
        tokio::time::sleep(limits.total).await;
        if self.is_live() {
            std::future::pending().await
        }
    }
}

/// The aggregator's frames, then how the session ended.
pub(crate) struct Answers {
    frames: mpsc::Receiver<ServerFrame>,
    end: Option<oneshot::Receiver<Result<(), Refusal>>>,
    activity: Arc<Activity>,
    _over: DropGuard,
}

impl Stream for Answers {
    type Item = Result<pb::ServerFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.end.is_none() {
            return Poll::Ready(None);
        }
        if let Some(frame) = ready!(self.frames.poll_recv(cx)) {
            self.activity.touch();
            if matches!(&frame, ServerFrame::HelloAck(ack) if ack.live) {
                self.activity.stays_open();
            }
            return Poll::Ready(Some(frame.to_wire().and_then(sized).map_err(|error| {
                self.end = None;
                Refusal::from(&error).into_status()
            })));
        }
        let result = match self.end.as_mut() {
            Some(end) => ready!(Pin::new(end).poll(cx)),
            None => return Poll::Ready(None),
        };
        self.end = None;
        Poll::Ready(match result {
            Ok(Ok(())) => None,
            Ok(Err(refusal)) => Some(Err(refusal.into_status())),
            Err(_) => {
                let refusal = Refusal::new(
                    crate::status::RefusalKind::Internal,
                    "INTERNAL",
                    "The session broke off.",
                );
                Some(Err(refusal.into_status()))
            }
        })
    }
}
