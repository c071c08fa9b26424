//! The accept loop for HTTP/1: every wait has an end and every count a limit.
//! Owns connections; leaves binding, TLS and the router to the program.
//!
//! `axum::serve` installs no timer, so its header timeout never fires (`reliability.md` 0, finding 9); hence our own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Connections open at once; further ones wait in the listener's queue.
pub const CONNECTIONS_MAX: usize = 256;
/// A request's head must be complete within this time, an idle connection ends after it.
pub const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Header lines in one request.
pub const HEADERS_MAX: usize = 64;
/// Bytes read ahead on one connection; also the largest request head.
pub const BUFFER_SIZE_BYTES_MAX: usize = 64 * 1024;
/// Time for the handshake of a wrapped stream (TLS).
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that requests in progress get at shutdown.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// Pause after the system refused to accept (out of file handles), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is at the other end of the connection; an extension of every request that came through a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub SocketAddr);

/// Answers plain HTTP/1 on `listener` until `shutdown`, then lets running requests finish.
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    serve_wrapped(listener, async |stream| Ok(stream), router, shutdown).await;
}

/// Like [`serve`], with a handshake (TLS) on each stream before HTTP begins.
pub async fn serve_wrapped<S, H>(
    listener: TcpListener,
    handshake: H,
    router: Router,
    shutdown: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handshake<S>,
{
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let handshake = Arc::new(handshake);
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (place, stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let watcher = graceful.watcher();
        let router = router.clone();
        let handshake = Arc::clone(&handshake);
        tokio::spawn(async move {
            let _place = place;
            let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake.handshake(stream)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return tracing::debug!(%error, "handshake failed"),
                Err(_) => return tracing::debug!("handshake took too long"),
            };
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(ClientAddress(peer));
                router.clone().oneshot(request)
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_READ_TIMEOUT)
                .max_headers(HEADERS_MAX)
                .max_buf_size(BUFFER_SIZE_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(%error, "connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(SHUTDOWN_GRACE, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("connections were still open when the time for shutdown ended");
    }
}

/// What turns an accepted stream into the one that speaks HTTP; written as an async closure.
pub trait Handshake<S>: Send + Sync + 'static {
    /// The stream ready for HTTP, or why the peer is refused.
    fn handshake(&self, stream: TcpStream) -> impl Future<Output = io::Result<S>> + Send;
}

impl<S, F, O> Handshake<S> for F
where
    F: Fn(TcpStream) -> O + Send + Sync + 'static,
    O: Future<Output = io::Result<S>> + Send,
{
    fn handshake(&self, stream: TcpStream) -> impl Future<Output = io::Result<S>> + Send {
        self(stream)
    }
}

/// The next connection once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(tokio::sync::OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed");
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((place, stream, peer))
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn start(router: Router) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(serve(listener, router, shutdown.clone()));
        (address, shutdown, task)
    }

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn answers_knows_the_client_and_ends_on_shutdown() {
        let router =
            Router::new().route(
                "/",
                get(
                    |axum::Extension(client): axum::Extension<ClientAddress>| async move {
                        client.0.ip().to_string()
                    },
                ),
            );
        let (address, shutdown, task) = start(router).await;
        let answer = ask(address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("127.0.0.1"), "{answer}");
        shutdown.cancel();
        task.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn request_with_more_headers_than_allowed_is_refused() {
        let (address, _shutdown, _task) = start(Router::new().route("/", get(|| async { "in" }))).await;
        for (count, status) in [(HEADERS_MAX - 2, "200"), (HEADERS_MAX + 1, "431")] {
            let lines: String = (0..count).map(|number| format!("X-{number}: y\r\n")).collect();
            let request = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n");
            let answer = ask(address, &request).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{count}: {answer}"
            );
        }
    }

    #[tokio::test]
    async fn head_that_never_ends_is_cut() {
        let (address, _shutdown, _task) = start(Router::new().route("/", get(|| async { "in" }))).await;
        let began = std::time::Instant::now();
        let answer =
            tokio::time::timeout(HEADER_READ_TIMEOUT * 2, ask(address, "GET / HTTP/1.1\r\nHost:")).await;
        assert!(!answer.expect("the connection ends by itself").contains("200"));
        assert!(began.elapsed() >= HEADER_READ_TIMEOUT - Duration::from_secs(1));
    }

    #[tokio::test]
    async fn request_in_progress_is_answered_before_shutdown_ends() {
        let (started, mut seen) = tokio::sync::mpsc::channel(1);
        let router = Router::new().route(
            "/",
            get(move || async move {
                started.send(()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(200)).await;
                "finished"
            }),
        );
        let (address, shutdown, task) = start(router).await;
        let asked = tokio::spawn(async move { ask(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await });
        seen.recv().await.unwrap();
        shutdown.cancel();
        task.await.unwrap();
        assert!(asked.await.unwrap().ends_with("finished"));
    }

    #[tokio::test]
    async fn connection_above_the_cap_waits_for_a_place() {
        let (address, _shutdown, _task) = start(Router::new().route("/", get(|| async { "in" }))).await;
        let mut held = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            held.push(TcpStream::connect(address).await.unwrap());
        }
        let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let waiting = tokio::time::timeout(Duration::from_millis(300), ask(address, request)).await;
        assert!(waiting.is_err(), "no place was left");
        held.truncate(CONNECTIONS_MAX - 8);
        let served = tokio::time::timeout(Duration::from_secs(5), ask(address, request)).await;
        assert!(served.unwrap().ends_with("in"));
    }
}
