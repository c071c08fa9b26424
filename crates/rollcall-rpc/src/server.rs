//! The aggregator's end: two services on one port, the second for whoever has no certificate yet.
//! Owns limits and what reaches which service; leaves accepting to `accept`, sessions to `session`,
//! and every decision to the services.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioIo, TokioTimer};
use rollcall_sync::limits::MESSAGE_BYTES_MAX;
use rollcall_sync::message::{
    ClientFrame, DigestAnswer, DigestRequest, Hello, HelloAck, ResolveAnswer, ResolveRequest, ServerFrame,
};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Request, Response, Status, Streaming};
use tower_service::Service;

use crate::accept::{self, Accepted, ConnectionLimits};
use crate::convert::{Wire, sized};
use crate::enrolment::{EnrolAnswer, EnrolRequest};
use crate::error::{EnrolError, RpcError};
use crate::http2::{
    CONNECTION_WINDOW, Executor, FRAME_MAX, HEADER_LIST_MAX, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT,
    STREAM_WINDOW, STREAMS_MAX,
};
use crate::pb::enrol as enrol_pb;
use crate::pb::enrol::enrol_server::{Enrol, EnrolServer};
use crate::pb::sync as pb;
use crate::pb::sync::sync_server::{Sync as SyncCalls, SyncServer};
use crate::peer_identity::PeerIdentity;
use crate::session::{self, Answers, SessionLimits};
use crate::status::Refusal;
use crate::tls::ServerTls;

/// Answers peers whose certificate holds. What a peer may do is looked up per call.
pub trait SyncService: Send + Sync + 'static {
    /// Where both ends stand, without a session.
    fn hello(
        &self,
        peer: PeerIdentity,
        hello: Hello,
    ) -> impl Future<Output = Result<HelloAck, Refusal>> + Send;

    /// A session: ends when this returns. `inbound` ends when the peer has said everything or is gone; an error
    /// in it is its last item. `outbound` fails once nobody listens.
    fn exchange(
        &self,
        peer: PeerIdentity,
        inbound: mpsc::Receiver<Result<ClientFrame, RpcError>>,
        outbound: mpsc::Sender<ServerFrame>,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Which buckets differ.
    fn digest(
        &self,
        peer: PeerIdentity,
        request: DigestRequest,
    ) -> impl Future<Output = Result<DigestAnswer, Refusal>> + Send;

    /// What each side lacks.
    fn resolve(
        &self,
        peer: PeerIdentity,
        request: ResolveRequest,
    ) -> impl Future<Output = Result<ResolveAnswer, Refusal>> + Send;
}

/// Answers enrolments, the only call without a certificate.
pub trait EnrolService: Send + Sync + 'static {
    /// Consumes the token and issues in one transaction.
    fn enrol(&self, request: EnrolRequest) -> impl Future<Output = Result<EnrolAnswer, EnrolError>> + Send;
}

/// Limits of the server; the defaults are those of `reliability.md` 5.2 and `protocol.md` 1.18.
#[derive(Debug, Clone, Copy)]
pub struct ServerConfig {
    /// Connections and handshakes.
    pub connections: ConnectionLimits,
    /// Time for a unary call.
    pub call: Duration,
    /// A session ends when nothing moves in either direction for this long.
    pub session_idle: Duration,
    /// A session lasts this long at the most.
    pub session_total: Duration,
    /// A connection without a call is closed after this.
    pub connection_idle: Duration,
    /// A connection takes no further calls after this.
    pub connection_age: Duration,
    /// Time for what is under way at shutdown.
    pub grace: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            connections: ConnectionLimits::default(),
            call: Duration::from_secs(30),
            session_idle: Duration::from_secs(30),
            session_total: Duration::from_secs(600),
            connection_idle: Duration::from_secs(30),
            connection_age: Duration::from_secs(900),
            grace: Duration::from_secs(10),
        }
    }
}

/// A closing connection has this long for the calls that are open.
const CLOSING_GRACE: Duration = Duration::from_secs(60);

/// Serves until `shutdown`, then waits for what is under way, `ServerConfig::grace` at the most.
pub async fn serve<S: SyncService, E: EnrolService>(
    listener: TcpListener,
    tls: ServerTls,
    sync: Arc<S>,
    enrol: Arc<E>,
    config: ServerConfig,
    shutdown: CancellationToken,
) {
    let tasks = TaskTracker::new();
    let abort = CancellationToken::new();
    let context = Calls {
        sync,
        enrol,
        config,
        tasks: tasks.clone(),
        abort: abort.clone(),
    };
    let handle = {
        let (shutdown, abort) = (shutdown.clone(), abort.clone());
        move |accepted| {
            let connection = serve_connection(accepted, context.clone(), shutdown.clone());
            let abort = abort.clone();
            async move {
                tokio::select! {
                    () = connection => {}
                    () = abort.cancelled() => {}
                }
            }
        }
    };
    accept::accept(listener, tls, config.connections, &tasks, &shutdown, handle).await;
    tasks.close();
    if tokio::time::timeout(config.grace, tasks.wait()).await.is_err() {
        tracing::warn!("{} tasks did not end in time and are cut off", tasks.len());
        abort.cancel();
        tasks.wait().await;
    }
}

async fn serve_connection<S: SyncService, E: EnrolService>(
    accepted: Accepted,
    calls: Calls<S, E>,
    shutdown: CancellationToken,
) {
    let config = calls.config;
    let caller = Caller {
        peer: accepted.peer.clone(),
        remote: accepted.remote,
    };
    let open = Arc::new(OpenCalls::new());
    let gate = Gate::new(&calls, caller, Arc::clone(&open));
    let service = hyper::service::service_fn(move |request| gate.clone().call(request));
    let mut builder = hyper::server::conn::http2::Builder::new(Executor(calls.tasks.clone()));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_LIST_MAX)
        .max_frame_size(FRAME_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .max_pending_accept_reset_streams(10)
        .max_local_error_reset_streams(32)
        .auto_date_header(false);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(accepted.stream), service));
    let begun = Instant::now();
    let mut closing: Option<Instant> = None;
    let mut check = tokio::time::interval((config.connection_idle / 4).max(Duration::from_millis(10)));
    loop {
        let close = tokio::select! {
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(peer.address = %accepted.remote, "connection ended: {error}");
                }
                return;
            }
            () = shutdown.cancelled(), if closing.is_none() => true,
            _ = check.tick() => {
                let idle = open.idle_for();
                if closing.is_some_and(|since| {
                    since.elapsed() > if idle.is_some() { config.connection_idle } else { CLOSING_GRACE }
                }) {
                    return;
                }
                begun.elapsed() > config.connection_age || idle.is_some_and(|idle| idle > config.connection_idle)
            }
        };
        if close && closing.is_none() {
            connection.as_mut().graceful_shutdown();
            closing = Some(Instant::now());
        }
    }
}

/// Who calls, as a request extension.
#[derive(Clone)]
struct Caller {
    peer: Option<PeerIdentity>,
    remote: SocketAddr,
}

struct Calls<S, E> {
    sync: Arc<S>,
    enrol: Arc<E>,
    config: ServerConfig,
    tasks: TaskTracker,
    abort: CancellationToken,
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
struct Gate<S, E> {
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
    fn new(calls: &Calls<S, E>, caller: Caller, open: Arc<OpenCalls>) -> Self {
        let Calls {
            sync,
            enrol,
            config,
            tasks,
            abort,
        } = calls.clone();
        let limits = SessionLimits {
            idle: config.session_idle,
            total: config.session_total,
        };
        Self {
            sync: SyncServer::new(SyncHandler {
                service: sync,
                limits,
                tasks,
                abort,
            })
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX),
            enrol: EnrolServer::new(EnrolHandler { service: enrol })
                .max_decoding_message_size(64 * 1024)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
            caller,
            open,
            limit: config.call,
        }
    }

    async fn call(
        mut self,
        mut request: http::Request<Incoming>,
    ) -> Result<http::Response<Body>, Infallible> {
        let guard = OpenCall::new(&self.open);
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
        Ok(response.map(|body| Body::new(Guarded { body, _guard: guard })))
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

/// How many calls a connection has open, and since when it has none.
struct OpenCalls(Mutex<(usize, Instant)>);

impl OpenCalls {
    fn new() -> Self {
        Self(Mutex::new((0, Instant::now())))
    }

    fn idle_for(&self) -> Option<Duration> {
        let (count, since) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (count == 0).then(|| since.elapsed())
    }
}

struct OpenCall(Arc<OpenCalls>);

impl OpenCall {
    fn new(open: &Arc<OpenCalls>) -> Self {
        open.0.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
        Self(Arc::clone(open))
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        let mut open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        *open = (open.0 - 1, Instant::now());
    }
}

/// A response body that keeps its call open.
struct Guarded {
    body: Body,
    _guard: OpenCall,
}

impl hyper::body::Body for Guarded {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct SyncHandler<S> {
    service: Arc<S>,
    limits: SessionLimits,
    tasks: TaskTracker,
    abort: CancellationToken,
}

fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let refusal = || Refusal::certificate_required().into_status();
    request.extensions().get::<Caller>().cloned().ok_or_else(refusal)
}

fn known<T>(request: &Request<T>) -> Result<PeerIdentity, Status> {
    caller(request)?
        .peer
        .ok_or_else(|| Refusal::certificate_required().into_status())
}

fn read<W: Wire>(wire: W::Pb) -> Result<W, Status> {
    W::from_wire(wire).map_err(|error| Refusal::from(&error).into_status())
}

fn answer<W: Wire<Pb: prost::Message>>(result: Result<W, Refusal>) -> Result<Response<W::Pb>, Status> {
    let wire = result.and_then(|answer| {
        answer
            .to_wire()
            .and_then(sized)
            .map_err(|error| Refusal::from(&error))
    });
    wire.map(Response::new).map_err(Refusal::into_status)
}

#[tonic::async_trait]
impl<S: SyncService> SyncCalls for SyncHandler<S> {
    type ExchangeStream = Answers;

    async fn hello(&self, request: Request<pb::Hello>) -> Result<Response<pb::HelloAck>, Status> {
        let peer = known(&request)?;
        answer(self.service.hello(peer, read(request.into_inner())?).await)
    }

    async fn exchange(
        &self,
        request: Request<Streaming<pb::ClientFrame>>,
    ) -> Result<Response<Answers>, Status> {
        let peer = known(&request)?;
        let (service, abort) = (Arc::clone(&self.service), self.abort.clone());
        let answers = session::open(
            service,
            peer,
            request.into_inner(),
            self.limits,
            &self.tasks,
            abort,
        );
        Ok(Response::new(answers))
    }

    async fn digest(
        &self,
        request: Request<pb::DigestRequest>,
    ) -> Result<Response<pb::DigestAnswer>, Status> {
        let peer = known(&request)?;
        answer(self.service.digest(peer, read(request.into_inner())?).await)
    }

    async fn resolve(
        &self,
        request: Request<pb::ResolveRequest>,
    ) -> Result<Response<pb::ResolveAnswer>, Status> {
        let peer = known(&request)?;
        answer(self.service.resolve(peer, read(request.into_inner())?).await)
    }
}

struct EnrolHandler<E> {
    service: Arc<E>,
}

#[tonic::async_trait]
impl<E: EnrolService> Enrol for EnrolHandler<E> {
    async fn enrol(
        &self,
        request: Request<enrol_pb::EnrolRequest>,
    ) -> Result<Response<enrol_pb::EnrolAnswer>, Status> {
        let Caller { peer, remote } = caller(&request)?;
        let request = EnrolRequest::from_wire(request.into_inner(), remote, peer)
            .map_err(|error| Refusal::from(&error).into_status())?;
        let answer = self.service.enrol(request).await;
        answer
            .map(|answer| Response::new(answer.into_wire()))
            .map_err(|error| Refusal::from(&error).into_status())
    }
}
