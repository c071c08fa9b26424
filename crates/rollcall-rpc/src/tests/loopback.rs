//! An aggregator on a port of the system's choice, with services that answer as the tests need,
//! and a line that can be slow or broken into small pieces.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollcall_core::id::{DocumentId, FederationId};
use rollcall_sync::message::{
    ClientFrame, DigestAnswer, DigestEntry, DigestRequest, Hello, HelloAck, ResolveAnswer, ResolveRequest,
    ServerFrame, Verdict,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::authority::{Authority, CertificateRequest};
use crate::client::{Client, ClientConfig, Timeouts};
use crate::convert::samples::{Noise, hello_ack};
use crate::enrolment::{EnrolAnswer, EnrolRequest};
use crate::error::{EnrolError, RpcError};
use crate::peer_identity::PeerIdentity;
use crate::server::{Closing, EnrolService, ServerConfig, SyncService, serve};
use crate::signing::VerifyingKey;
use crate::status::{Refusal, RefusalKind};
use crate::tls::ServerTls;
use crate::token::EnrolmentToken;

pub(super) fn now_ms() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp() * 1000
}

/// Answers with what the tests expect; `version` of a Hello says how a session goes on.
#[derive(Default)]
pub(super) struct Echo {
    pub(super) calls: AtomicUsize,
}

impl SyncService for Echo {
    async fn hello(&self, peer: PeerIdentity, hello: Hello) -> Result<HelloAck, Refusal> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match hello.version.as_str() {
            "forbidden" => Err(Refusal::new(
                RefusalKind::Forbidden,
                "FOREIGN_JURISDICTION",
                peer.name,
            )),
            "busy" => Err(Refusal::busy(1234)),
            _ => Ok(hello_ack()),
        }
    }

    async fn exchange(
        &self,
        _peer: PeerIdentity,
        mut inbound: mpsc::Receiver<Result<ClientFrame, RpcError>>,
        outbound: mpsc::Sender<ServerFrame>,
        _closing: Closing,
    ) -> Result<(), Refusal> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let mut deaf = false;
        while let Some(frame) = inbound.recv().await {
            let answer = match frame {
                Ok(ClientFrame::Hello(hello)) => {
                    deaf = hello.version == "deaf";
                    if hello.version == "refuse" {
                        return Err(Refusal::new(
                            RefusalKind::Precondition,
                            "CLONED",
                            "Two stores, one log.",
                        ));
                    }
                    if hello.version == "gush" {
                        let batch = Noise::new(3).batch(2, 1, 100_000);
                        while outbound
                            .send(ServerFrame::Batch(Box::new(batch.clone())))
                            .await
                            .is_ok()
                        {}
                        return Ok(());
                    }
                    ServerFrame::HelloAck(Box::new(HelloAck {
                        verdict: Verdict::InSync,
                        live: hello.version == "live",
                        ..hello_ack()
                    }))
                }
                Ok(ClientFrame::Batch(batch)) => ServerFrame::Batch(batch),
                Ok(ClientFrame::Applied { position, .. }) => ServerFrame::Busy {
                    retry_after_ms: position,
                },
                Ok(ClientFrame::WantReceipt { .. } | ClientFrame::Compare | ClientFrame::Proof(_)) => {
                    return Ok(());
                }
                Err(_) => return Ok(()),
            };
            if outbound.send(answer).await.is_err() {
                return Ok(());
            }
            if deaf {
                std::future::pending::<()>().await;
            }
        }
        Ok(())
    }

    /// Twenty documents for each bucket beyond five.
    async fn digest(&self, _peer: PeerIdentity, request: DigestRequest) -> Result<DigestAnswer, Refusal> {
        let count = request.scopes.iter().map(|(_, sums)| sums.len()).sum::<usize>();
        let mut noise = Noise::new(1);
        let entries = (0..if count > 5 { 20 * count } else { 0 }).map(|_| DigestEntry {
            scope: FederationId::national(),
            document_id: DocumentId(noise.bytes()),
            digest: noise.bytes(),
        });
        let entries = entries.collect();
        let short = request.short;
        let buckets = request
            .scopes
            .into_iter()
            .map(|(scope, sums)| (scope, vec![sums.len() as u32]))
            .collect();
        Ok(DigestAnswer {
            position: 1,
            buckets,
            entries,
            short,
        })
    }

    async fn resolve(&self, _peer: PeerIdentity, request: ResolveRequest) -> Result<ResolveAnswer, Refusal> {
        Ok(ResolveAnswer {
            changes: vec![],
            placed: Vec::new(),
            wanted: request.documents,
        })
    }
}

/// Enrols for one token.
pub(super) struct Desk {
    pub(super) authority: Authority,
    pub(super) token: EnrolmentToken,
    pub(super) asked: AtomicUsize,
}

impl EnrolService for Desk {
    async fn enrol(&self, request: EnrolRequest) -> Result<EnrolAnswer, EnrolError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if crate::token::secret_hash(&request.secret) != self.token.secret_hash() {
            return Err(EnrolError::TokenUnknown);
        }
        Ok(EnrolAnswer {
            name: "node-330106".into(),
            certificate_pem: self
                .authority
                .issue_client(&request.csr_der, "node-330106", now_ms())?,
            authority_pem: self.authority.certificate_pem().to_owned(),
            receipt_key: VerifyingKey([7; 32]),
            batch_key: Some(crate::seal_key::Recipient([8; 32])),
            federation: "330106".parse().expect("a federation"),
            scopes: vec![],
        })
    }
}

pub(super) struct Aggregator {
    pub(super) address: SocketAddr,
    pub(super) sync: Arc<Echo>,
    pub(super) desk: Arc<Desk>,
    pub(super) tls: ServerTls,
    pub(super) shutdown: CancellationToken,
    pub(super) serving: JoinHandle<()>,
}

impl Aggregator {
    pub(super) async fn start() -> Self {
        Self::start_with(ServerConfig::default()).await
    }

    pub(super) async fn start_with(config: ServerConfig) -> Self {
        let authority = Authority::create("Test authority", now_ms()).expect("creates");
        let server = authority.issue_server(&[], now_ms()).expect("issues");
        let tls = ServerTls::new(&server, authority.certificate_pem()).expect("fits");
        let token = EnrolmentToken::generate(authority.fingerprint()).expect("random");
        let (sync, desk) = (
            Arc::new(Echo::default()),
            Arc::new(Desk {
                authority,
                token,
                asked: AtomicUsize::new(0),
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("bound");
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(serve(
            listener,
            tls.clone(),
            Arc::clone(&sync),
            Arc::clone(&desk),
            config,
            shutdown.clone(),
        ));
        Self {
            address,
            sync,
            desk,
            tls,
            shutdown,
            serving,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A node with a certificate of this authority, issued at this time.
    pub(super) fn node(&self, issued_ms: i64) -> ClientConfig {
        self.node_of(&self.desk.authority, issued_ms)
    }

    pub(super) fn node_of(&self, authority: &Authority, issued_ms: i64) -> ClientConfig {
        let request = CertificateRequest::generate().expect("request");
        ClientConfig {
            url: self.url(),
            authority_pem: self.desk.authority.certificate_pem().to_owned(),
            certificate_pem: authority
                .issue_client(&request.csr_der, "node", issued_ms)
                .expect("issues"),
            key_pem: request.key_pem,
            server_name: None,
            timeouts: Timeouts::default(),
        }
    }

    pub(super) async fn connect(&self) -> Client {
        Client::connect(&self.node(now_ms())).await.expect("connects")
    }
}

/// A line to `target` that delivers each piece after `delay`, in pieces of `piece` bytes at the most.
pub(super) async fn line(target: SocketAddr, delay: Duration, piece: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(target).await.expect("connects");
            near.set_nodelay(true).expect("sets");
            far.set_nodelay(true).expect("sets");
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            tokio::spawn(carry(near_read, far_write, delay, piece));
            tokio::spawn(carry(far_read, near_write, delay, piece));
        }
    });
    format!("https://{address}")
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    delay: Duration,
    piece: usize,
) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some((due, bytes)) = receiver.recv().await {
            let bytes: Vec<u8> = bytes;
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; piece];
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0
            || sender
                .send((tokio::time::Instant::now() + delay, buffer[..count].to_vec()))
                .is_err()
        {
            return;
        }
    }
}
