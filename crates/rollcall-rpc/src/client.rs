//! The node's end: one connection, made once and counted; sessions and calls on it; enrolment before there is one.
//! Never connects again by itself: when and how often is decided above (`backoff`).

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rollcall_sync::limits::{FILE_BYTES_MAX, MESSAGE_BYTES_MAX};
use rollcall_sync::message::{
    ClientFrame, DigestAnswer, DigestRequest, Hello, HelloAck, ResolveAnswer, ResolveRequest, ServerFrame,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::Stream;
use tokio_util::task::TaskTracker;
use tonic::{Code, Status, Streaming};

use crate::carry;
use crate::connection::{Connection, Link, finish, within};
use crate::convert::{Pieces, Wire, sized};
use crate::enrolment::{EnrolAnswer, Enrolment};
use crate::error::{FileError, RpcError};
use crate::pb::enrol::enrol_client::EnrolClient;
use crate::pb::sync as pb;
use crate::pb::sync::sync_client::SyncClient;
use crate::session::{FRAMES_WAITING_MAX, receive_error};
use crate::status::Refusal;
use crate::tls;
use crate::traffic::{Meter, Traffic};

/// How long a client waits.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For TCP and TLS together.
    pub connect: Duration,
    /// For the answer to a call.
    pub call: Duration,
    /// For the next frame of a session that does not stay open; for one that does, the connection's pings count.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            call: Duration::from_secs(30),
            idle: Duration::from_secs(60),
        }
    }
}

/// Where to connect and as whom.
#[derive(Clone)]
pub struct ClientConfig {
    /// `https://host:port`.
    pub url: String,
    /// Root of the aggregator's authority, PEM.
    pub authority_pem: String,
    /// The node's certificate, PEM.
    pub certificate_pem: String,
    /// Its key, PKCS#8 PEM.
    pub key_pem: String,
    /// Name to find in the server's certificate, where it is not the host of `url`.
    pub server_name: Option<String>,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// A connection to the aggregator.
pub struct Client {
    link: Link,
    calls: SyncClient<Link>,
    meter: Arc<Meter>,
    timeouts: Timeouts,
    tasks: TaskTracker,
}

impl Client {
    /// Connects. Whether the server accepts our certificate shows at the first call: TLS 1.3 does not wait for it.
    pub async fn connect(config: &ClientConfig) -> Result<Self, RpcError> {
        let tls = tls::client_config(&config.authority_pem, &config.certificate_pem, &config.key_pem)?;
        let connection =
            Connection::open(&config.url, tls, config.server_name.as_deref(), config.timeouts).await?;
        let Connection {
            link,
            origin,
            meter,
            tasks,
        } = connection;
        let calls = SyncClient::with_origin(link.clone(), origin)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        Ok(Self {
            link,
            calls,
            meter,
            timeouts: config.timeouts,
            tasks,
        })
    }

    /// Asks to be enrolled, of a server that belongs to the token's authority and of no other.
    pub async fn enrol(
        url: &str,
        enrolment: &Enrolment<'_>,
        server_name: Option<&str>,
        timeouts: Timeouts,
    ) -> Result<EnrolAnswer, RpcError> {
        let tls = tls::pinned_config(enrolment.token.ca_fingerprint)?;
        let Connection {
            link,
            origin,
            meter,
            tasks,
        } = Connection::open(url, tls, server_name, timeouts).await?;
        let mut calls = EnrolClient::with_origin(link, origin).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let answer = within(
            timeouts.call,
            "answer to the enrolment",
            calls.enrol(enrolment.to_wire()),
        )
        .await;
        let answer = answer?.map_err(|status| answer_error(status, &meter))?;
        drop(calls);
        finish(tasks).await;
        EnrolAnswer::from_wire(answer.into_inner(), enrolment)
    }

    /// Bytes over this connection so far.
    pub fn traffic(&self) -> Traffic {
        self.meter.traffic()
    }

    /// Counts on while the connection is in use elsewhere.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// Whether calls can still be made on this connection, as far as is known without asking.
    pub fn is_open(&self) -> bool {
        self.link.is_open()
    }

    /// Lets go of the connection and waits until it is closed. Sessions on it must have ended.
    pub async fn close(self) -> Traffic {
        let Self {
            link,
            calls,
            meter,
            tasks,
            ..
        } = self;
        drop((link, calls));
        finish(tasks).await;
        meter.traffic()
    }

    /// Where both ends stand, without a session.
    pub async fn hello(&self, hello: &Hello) -> Result<HelloAck, RpcError> {
        let mut calls = self.calls.clone();
        let wire = sized(hello.to_wire()?)?;
        self.answer("answer to hello", calls.hello(wire)).await
    }

    /// Which buckets differ.
    pub async fn digest(&self, request: &DigestRequest) -> Result<DigestAnswer, RpcError> {
        let mut calls = self.calls.clone();
        let wire = sized(request.to_wire()?)?;
        self.answer_in_pieces("answer to digests", calls.digest(wire))
            .await
    }

    /// What each side lacks.
    pub async fn resolve(&self, request: &ResolveRequest) -> Result<ResolveAnswer, RpcError> {
        let mut calls = self.calls.clone();
        let wire = sized(request.to_wire()?)?;
        self.answer_in_pieces("missing changes", calls.resolve(wire))
            .await
    }

    /// Brings a sealed file, if there is one to bring, and writes the one that lies there for us; how many bytes it has.
    ///
    /// # Errors
    /// The connection's and the files'.
    pub async fn carry(
        &self,
        file: Option<tokio::fs::File>,
        answer: &mut tokio::fs::File,
    ) -> Result<u64, FileError> {
        let (feed, pieces) = carry::pieces(file);
        let failed = |status| answer_error(status, &self.meter);
        let fetch = async {
            let mut calls = self.calls.clone();
            let opened = within(self.timeouts.call, "begin of the answer", calls.carry(pieces)).await?;
            let mut stream = opened.map_err(failed)?.into_inner();
            let mut bytes = 0;
            while let Some(piece) = within(carry::CARRY_MAX, "answer to a file", stream.message())
                .await?
                .map_err(failed)?
            {
                bytes += piece.part.len() as u64;
                if bytes > FILE_BYTES_MAX {
                    return Err(FileError::TooBig { bytes });
                }
                answer.write_all(&piece.part).await?;
            }
            answer.flush().await?;
            Ok(bytes)
        };
        let (fed, fetched) = tokio::join!(feed, fetch);
        let bytes = fetched?;
        fed.map(|()| bytes)
    }

    async fn answer_in_pieces<W: Wire<Pb: prost::Message + Default>>(
        &self,
        waiting_for: &'static str,
        call: impl Future<Output = Result<tonic::Response<Streaming<pb::Piece>>, Status>>,
    ) -> Result<W, RpcError> {
        let failed = |status| answer_error(status, &self.meter);
        let mut stream = within(self.timeouts.call, waiting_for, call)
            .await?
            .map_err(failed)?
            .into_inner();
        let mut pieces = Pieces::default();
        while let Some(piece) = within(self.timeouts.call, waiting_for, stream.message())
            .await?
            .map_err(failed)?
        {
            pieces.push(&piece)?;
        }
        pieces.read()
    }

    async fn answer<W: Wire>(
        &self,
        waiting_for: &'static str,
        call: impl Future<Output = Result<tonic::Response<W::Pb>, Status>>,
    ) -> Result<W, RpcError> {
        let answer = within(self.timeouts.call, waiting_for, call).await?;
        W::from_wire(
            answer
                .map_err(|status| answer_error(status, &self.meter))?
                .into_inner(),
        )
    }

    /// Opens a session. What is sent goes out at once, without waiting for the server's first word, so Hello, the
    /// first batches and their answer take one round trip. Dropping the sender says that nothing more will come;
    /// the receiver ends when the server has ended the session, or with an error as its last item.
    pub fn exchange(
        &self,
    ) -> (
        mpsc::Sender<ClientFrame>,
        mpsc::Receiver<Result<ServerFrame, RpcError>>,
    ) {
        let (to_server, frames) = mpsc::channel(FRAMES_WAITING_MAX);
        let (results, from_server) = mpsc::channel(FRAMES_WAITING_MAX);
        let (fault, faulty) = oneshot::channel();
        let session = Session {
            calls: self.calls.clone(),
            outgoing: Outgoing {
                frames,
                fault: Some(fault),
            },
            faulty,
            results: results.clone(),
            meter: Arc::clone(&self.meter),
            timeouts: self.timeouts,
        };
        self.tasks.spawn(async move {
            if let Err(error) = session.run().await {
                // Where nobody listens any more there is nobody to tell.
                let _ = results.send(Err(error)).await;
            }
        });
        (to_server, from_server)
    }
}

/// What the status of a call means.
fn answer_error(status: Status, meter: &Meter) -> RpcError {
    if let Some(alert) = meter.alert().filter(|alert| tls::is_about_certificate(*alert)) {
        return RpcError::CertificateRefused(alert);
    }
    let said_by_server = !status.details().is_empty();
    match status.code() {
        _ if said_by_server => RpcError::Refused(Refusal::from_status(&status)),
        Code::OutOfRange | Code::Internal => receive_error(status),
        _ if std::error::Error::source(&status).is_some() => RpcError::Closed(Some(Box::new(status))),
        Code::Unknown | Code::Cancelled => RpcError::Closed(Some(Box::new(status))),
        _ => RpcError::Refused(Refusal::from_status(&status)),
    }
}

/// One session's task.
struct Session {
    calls: SyncClient<Link>,
    outgoing: Outgoing,
    faulty: oneshot::Receiver<RpcError>,
    results: mpsc::Sender<Result<ServerFrame, RpcError>>,
    meter: Arc<Meter>,
    timeouts: Timeouts,
}

impl Session {
    async fn run(self) -> Result<(), RpcError> {
        let Self {
            mut calls,
            outgoing,
            faulty,
            results,
            meter,
            timeouts,
        } = self;
        let mut fault = pin!(async {
            match faulty.await {
                Ok(error) => error,
                // Everything could be written; the answers decide.
                Err(_) => std::future::pending().await,
            }
        });
        let opened = tokio::select! {
            opened = within(timeouts.call, "begin of the session", calls.exchange(outgoing)) => opened?,
            error = fault.as_mut() => return Err(error),
            () = results.closed() => return Ok(()),
        };
        let mut stream = opened
            .map_err(|status| answer_error(status, &meter))?
            .into_inner();
        let mut live = false;
        loop {
            let next = async {
                let next = stream.message();
                if live {
                    Ok(next.await)
                } else {
                    within(timeouts.idle, "next frame of the session", next).await
                }
            };
            let next = tokio::select! {
                next = next => next?,
                error = fault.as_mut() => return Err(error),
                () = results.closed() => return Ok(()),
            };
            let Some(wire) = next.map_err(|status| answer_error(status, &meter))? else {
                return Ok(());
            };
            let frame = ServerFrame::from_wire(wire)?;
            live |= matches!(&frame, ServerFrame::HelloAck(ack) if ack.live);
            // The server reads whatever we do (it ends the session rather than wait), so waiting here for a slow
            // reader of ours cannot lock both ends.
            let handed_over = within(timeouts.idle, "our own reader", results.send(Ok(frame))).await?;
            if handed_over.is_err() {
                return Ok(());
            }
        }
    }
}

/// Frames on their way to the wire; one that cannot be written ends the session with its reason.
struct Outgoing {
    frames: mpsc::Receiver<ClientFrame>,
    fault: Option<oneshot::Sender<RpcError>>,
}

impl Stream for Outgoing {
    type Item = pb::ClientFrame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<pb::ClientFrame>> {
        if self.fault.is_none() {
            return Poll::Ready(None);
        }
        self.frames
            .poll_recv(cx)
            .map(|frame| match frame?.to_wire().and_then(sized) {
                Ok(wire) => Some(wire),
                Err(error) => {
                    if let Some(fault) = self.fault.take() {
                        // The session's task is gone when this fails, and with it whoever would care.
                        let _ = fault.send(error);
                    }
                    None
                }
            })
    }
}
