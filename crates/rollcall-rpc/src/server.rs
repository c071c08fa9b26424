//! The aggregator's end: two services on one port, the second for whoever has no certificate yet.
//! Owns the limits and the life of a connection; leaves accepting to `accept`, who reaches what to `gate`,
//! sessions to `session`, and every decision to the services.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use rollcall_sync::message::{
    ClientFrame, DigestAnswer, DigestRequest, Hello, HelloAck, ResolveAnswer, ResolveRequest, ServerFrame,
};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::{self, Accepted, ConnectionLimits};
use crate::enrolment::{EnrolAnswer, EnrolRequest};
use crate::error::{EnrolError, RpcError};
use crate::gate::{Caller, Calls, Gate, OpenCalls};
use crate::http2::{
    CONNECTION_WINDOW, Executor, FRAME_MAX, HEADER_LIST_MAX, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT,
    STREAM_WINDOW, STREAMS_MAX,
};
use crate::peer_identity::PeerIdentity;
use crate::status::{Refusal, RefusalKind};
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
    /// in it is its last item. `outbound` fails once nobody listens. `closing` says when a session that stays open
    /// has to come to an end.
    fn exchange(
        &self,
        peer: PeerIdentity,
        inbound: mpsc::Receiver<Result<ClientFrame, RpcError>>,
        outbound: mpsc::Sender<ServerFrame>,
        closing: Closing,
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

    /// A sealed file that somebody brings piece by piece (none: nothing is brought), and the one that lies here for who
    /// brings it. An error among the pieces is the last of them. Whoever does not say otherwise takes none.
    fn carry(
        &self,
        _peer: PeerIdentity,
        _pieces: mpsc::Receiver<Result<Vec<u8>, RpcError>>,
    ) -> impl Future<Output = Result<Option<std::fs::File>, Refusal>> + Send {
        let refusal = Refusal::new(RefusalKind::Unknown, "CALL_UNKNOWN", "Files are not taken here.");
        std::future::ready(Err(refusal))
    }
}

/// When a session has to end although the node would stay.
#[derive(Clone)]
pub struct Closing {
    /// The server stops.
    pub stopping: CancellationToken,
    /// The connection is as old as connections become.
    pub ageing: CancellationToken,
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
    /// A session ends when nothing moves in either direction for this long, unless it stays open: then the connection's
    /// own pings say whether the node is there. Longer than a write may queue at a
    /// busy aggregator, or sessions would be cut for its own slowness.
    pub session_idle: Duration,
    /// A session ends when the peer takes nothing of what is ready for it for this long.
    pub session_stall: Duration,
    /// A session lasts this long at the most, one that stays open (`HelloAck::live`) excepted.
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
            session_idle: Duration::from_secs(60),
            session_stall: Duration::from_secs(30),
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
    let closing_sessions = Closing {
        stopping: shutdown.clone(),
        ageing: CancellationToken::new(),
    };
    let ageing = closing_sessions.ageing.clone();
    let gate = Gate::new(&calls, caller, Arc::clone(&open), closing_sessions);
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
                // The next piece of an answer has as long to be taken as the call had to be answered.
                if open.answer_lies_for().is_some_and(|lying| lying > 2 * config.call) {
                    tracing::info!(peer.address = %accepted.remote, "connection cut: an answer is not taken");
                    return;
                }
                if closing.is_some_and(|since| {
                    since.elapsed() > if idle.is_some() { config.connection_idle } else { CLOSING_GRACE }
                }) {
                    return;
                }
                begun.elapsed() > config.connection_age || idle.is_some_and(|idle| idle > config.connection_idle)
            }
        };
        if close && closing.is_none() {
            if !shutdown.is_cancelled() {
                ageing.cancel();
            }
            connection.as_mut().graceful_shutdown();
            closing = Some(Instant::now());
        }
    }
}
