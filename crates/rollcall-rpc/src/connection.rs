//! A client's connection: TCP, TLS, HTTP/2, counted, within a time limit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;
use tonic::body::Body;

use crate::client::Timeouts;
use crate::error::RpcError;
use crate::http2::{
    CONNECTION_WINDOW, Executor, HEADER_LIST_MAX, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, STREAM_WINDOW,
};
use crate::tls;
use crate::traffic::{Meter, Metered};

/// Open, and nothing said on it yet.
pub(crate) struct Connection {
    pub(crate) link: Link,
    pub(crate) origin: Uri,
    pub(crate) meter: Arc<Meter>,
    pub(crate) tasks: TaskTracker,
}

impl Connection {
    pub(crate) async fn open(
        url: &str,
        tls: rustls::ClientConfig,
        server_name: Option<&str>,
        timeouts: Timeouts,
    ) -> Result<Self, RpcError> {
        let address = || RpcError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| address())?;
        let host = uri
            .host()
            .filter(|_| uri.scheme_str() == Some("https"))
            .ok_or_else(address)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(443);
        let name = ServerName::try_from(server_name.unwrap_or(&host).to_owned()).map_err(|_| address())?;
        let tasks = TaskTracker::new();
        let meter = Arc::new(Meter::default());

        let opening = async {
            let failed = |source| RpcError::Connect {
                address: format!("{host}:{port}"),
                source,
            };
            let stream = TcpStream::connect((host.as_str(), port)).await.map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await;
            let stream = Metered::new(stream.map_err(tls::handshake_error)?, Arc::clone(&meter));
            Builder::new(Executor(tasks.clone()))
                .timer(TokioTimer::new())
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .keep_alive_interval(KEEPALIVE_INTERVAL)
                .keep_alive_timeout(KEEPALIVE_TIMEOUT)
                .max_header_list_size(HEADER_LIST_MAX)
                .handshake(TokioIo::new(stream))
                .await
                .map_err(|error| RpcError::Closed(Some(Box::new(error))))
        };
        let (requests, connection) = within(timeouts.connect, "connection", opening).await??;
        tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("connection ended: {error}");
            }
        });
        let origin = Uri::builder()
            .scheme("https")
            .authority(authority(&uri))
            .path_and_query("/")
            .build();
        Ok(Self {
            link: Link { requests },
            origin: origin.map_err(|_| address())?,
            meter,
            tasks,
        })
    }
}

fn authority(uri: &Uri) -> &str {
    uri.authority().map_or("", |authority| authority.as_str())
}

/// Waits for the tasks of a connection nobody uses any more; it says goodbye and goes.
pub(crate) async fn finish(tasks: TaskTracker) {
    tasks.close();
    if tokio::time::timeout(Duration::from_secs(5), tasks.wait())
        .await
        .is_err()
    {
        tracing::debug!("the connection did not close in time");
    }
}

/// The work, or a timeout that says what was waited for.
pub(crate) async fn within<T>(
    after: Duration,
    waiting_for: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, RpcError> {
    tokio::time::timeout(after, work)
        .await
        .map_err(|_| RpcError::Timeout { waiting_for, after })
}

/// The one connection, as tonic wants it: no user agent, no silent reconnection.
#[derive(Clone)]
pub(crate) struct Link {
    requests: SendRequest<Body>,
}

impl Link {
    pub(crate) fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }
}

impl tower_service::Service<http::Request<Body>> for Link {
    type Response = http::Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.requests.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(self.requests.send_request(request))
    }
}
