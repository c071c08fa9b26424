//! Which call of which caller reaches which service, and which calls a connection has open.
//! Without a client certificate enrolment is reached and nothing else.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Frame, Incoming, SizeHint};
use rollcall_sync::limits::MESSAGE_BYTES_MAX;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower_service::Service;

use crate::handler::{EnrolHandler, SyncHandler};
use crate::pb::enrol::enrol_server::EnrolServer;
use crate::pb::sync::sync_server::SyncServer;
use crate::peer_identity::PeerIdentity;
use crate::server::{Closing, EnrolService, ServerConfig, SyncService};
use crate::session::SessionLimits;
use crate::status::Refusal;

/// The calls that last: they have time limits of their own.
const LASTING: [&str; 2] = ["/rollcall.sync.v1.Sync/Exchange", "/rollcall.sync.v1.Sync/Carry"];

/// Largest enrolment request, bytes: whoever sends it is not known yet.
const ENROL_BYTES_MAX: usize = 64 * 1024;

/// Who calls, as a request extension.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) peer: Option<PeerIdentity>,
    pub(crate) remote: SocketAddr,
}

/// What every connection shares.
pub(crate) struct Calls<S, E> {
    pub(crate) sync: Arc<S>,
    pub(crate) enrol: Arc<E>,
    pub(crate) config: ServerConfig,
    pub(crate) tasks: TaskTracker,
    pub(crate) abort: CancellationToken,
}

impl<S, E> Clone for Calls<S, E> {
    fn clone(&self) -> Self {
        Self {
            sync: Arc::clone(&self.sync),
            enrol: Arc::clone(&self.enrol),
            config: self.config,
            tasks: self.tasks.clone(),
            abort: self.abort.clone(),
        }
    }
}

/// Sends each request of one connection where its caller may go.
pub(crate) struct Gate<S, E> {
    sync: SyncServer<SyncHandler<S>>,
    enrol: EnrolServer<EnrolHandler<E>>,
    caller: Caller,
    open: Arc<OpenCalls>,
    limit: Duration,
}

impl<S, E> Clone for Gate<S, E> {
    fn clone(&self) -> Self {
        Self {
            sync: self.sync.clone(),
            enrol: self.enrol.clone(),
            caller: self.caller.clone(),
            open: Arc::clone(&self.open),
            limit: self.limit,
        }
    }
}

impl<S: SyncService, E: EnrolService> Gate<S, E> {
    pub(crate) fn new(calls: &Calls<S, E>, caller: Caller, open: Arc<OpenCalls>, closing: Closing) -> Self {
        let Calls {
            sync,
            enrol,
            config,
            tasks,
            abort,
        } = calls.clone();
        let limits = SessionLimits {
            idle: config.session_idle,
            stall: config.session_stall,
            total: config.session_total,
        };
        Self {
            sync: SyncServer::new(SyncHandler {
                service: sync,
                limits,
                tasks,
                abort,
                closing,
            })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
            enrol: EnrolServer::new(EnrolHandler { service: enrol })
                .max_decoding_message_size(ENROL_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
            caller,
            open,
            limit: config.call,
        }
    }

    pub(crate) async fn call(
        mut self,
        mut request: http::Request<Incoming>,
    ) -> Result<http::Response<Body>, Infallible> {
        let session = LASTING.contains(&request.uri().path());
        let guard = OpenCall::new(&self.open, session);
        let enrols = is_call_of::<EnrolServer<EnrolHandler<E>>>(request.uri().path());
        if self.caller.peer.is_none() && !enrols {
            return Ok(Refusal::certificate_required().into_status().into_http());
        }
        request.extensions_mut().insert(self.caller.clone());
        let answer = async {
            if enrols {
                self.enrol.call(request).await
            } else {
                self.sync.call(request).await
            }
        };
        // A session answers at once and has time limits of its own.
        let response = match tokio::time::timeout(self.limit, answer).await {
            Ok(Ok(response)) => with_code(response),
            Err(_) => Refusal::deadline("The call took too long.")
                .into_status()
                .into_http(),
        };
        Ok(response.map(|body| Body::new(Guarded { body, guard })))
    }
}

fn is_call_of<N: NamedService>(path: &str) -> bool {
    path.strip_prefix('/')
        .and_then(|path| path.strip_prefix(N::NAME))
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Statuses that the framework makes (too large, not protobuf, no such call) get a code like all others.
fn with_code(response: http::Response<Body>) -> http::Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != tonic::Code::Ok && status.details().is_empty() => {
            Refusal::from_status(&status).into_status().into_http()
        }
        _ => response,
    }
}

/// How many calls a connection has open, since when it has none, and when each last moved that is no session.
pub(crate) struct OpenCalls(Mutex<Counted>);

struct Counted {
    open: usize,
    changed: Instant,
    /// When each call that is no session last moved, by its number.
    short: BTreeMap<u64, Instant>,
    next: u64,
}

impl OpenCalls {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Counted {
            open: 0,
            changed: Instant::now(),
            short: BTreeMap::new(),
            next: 0,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn idle_for(&self) -> Option<Duration> {
        let counted = self.lock();
        (counted.open == 0).then(|| counted.changed.elapsed())
    }

    /// How long one of the calls that are no session has not moved: nothing of its answer was taken. A slow line takes a
    /// piece now and then.
    pub(crate) fn answer_lies_for(&self) -> Option<Duration> {
        let counted = self.lock();
        counted.short.values().map(Instant::elapsed).max()
    }
}

struct OpenCall {
    open: Arc<OpenCalls>,
    number: u64,
}

impl OpenCall {
    fn new(open: &Arc<OpenCalls>, session: bool) -> Self {
        let mut counted = open.lock();
        let number = counted.next;
        counted.next += 1;
        counted.open += 1;
        if !session {
            counted.short.insert(number, Instant::now());
        }
        Self {
            open: Arc::clone(open),
            number,
        }
    }
}

impl OpenCall {
    fn moves(&self) {
        if let Some(moved) = self.open.lock().short.get_mut(&self.number) {
            *moved = Instant::now();
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let mut counted = self.open.lock();
        counted.open -= 1;
        counted.changed = Instant::now();
        counted.short.remove(&self.number);
    }
}

/// A response body that keeps its call open, and says when a piece of it is taken.
struct Guarded {
    body: Body,
    guard: OpenCall,
}

impl hyper::body::Body for Guarded {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        let next = Pin::new(&mut self.body).poll_frame(cx);
        if next.is_ready() {
            self.guard.moves();
        }
        next
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
