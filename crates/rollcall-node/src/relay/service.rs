//! The relay's end of the calls: nodes with a certificate of the same authority bring files and fetch answers, and get
//! nothing else. Whether they are enrolled still, the aggregator finds when it reads the file.

use std::sync::Arc;

use anyhow::Context;
use rollcall_command::clock::random;
use rollcall_command::output::Refused;
use rollcall_rpc::authority::KeyAndCertificate;
use rollcall_rpc::carry::receive;
use rollcall_rpc::peer_identity::CertificateFacts;
use rollcall_rpc::sealed::is_sealed;
use rollcall_rpc::{
    Closing, EnrolAnswer, EnrolError, EnrolRequest, EnrolService, FileError, PeerIdentity, Refusal,
    RefusalKind, RpcError, ServerTls, SyncService,
};
use rollcall_sync::batch_file::UpPart;
use rollcall_sync::limits::RELAY_FILE_BYTES_MAX;
use rollcall_sync::message::{
    ClientFrame, DigestAnswer, DigestRequest, Hello, HelloAck, ResolveAnswer, ResolveRequest, ServerFrame,
};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};

use super::spool::{Lying, Spool};
use crate::files::Files;

/// Answers nodes below.
pub struct Relay {
    /// What lies here.
    pub spool: Arc<Spool>,
    /// Told of each file that came.
    pub came: Arc<Notify>,
}

/// Listens for nodes below.
///
/// # Errors
/// `PORT_IN_USE`, `BIND`.
pub async fn bind(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let code = match error.kind() {
            std::io::ErrorKind::AddrInUse => "PORT_IN_USE",
            _ => "BIND",
        };
        Refused::new(code, format!("Cannot listen on {address}: {error}.")).into()
    })
}

/// The certificate of this node as that of a relay.
///
/// # Errors
/// `NOT_ENROLLED`; `NOT_A_RELAY` where its token did not say so.
pub fn tls(files: &Files) -> anyhow::Result<ServerTls> {
    let own = files.client_config(&files.load_config()?)?;
    if !CertificateFacts::read_pem(&own.certificate_pem)
        .context("read the certificate")?
        .serves
    {
        let message = "This node may not carry files of others: enrol it with a token made with --relay.";
        return Err(Refused::new("NOT_A_RELAY", message).into());
    }
    let certificate = KeyAndCertificate {
        certificate_pem: format!("{}{}", own.certificate_pem, own.authority_pem),
        key_pem: own.key_pem,
    };
    ServerTls::new(&certificate, &own.authority_pem).context("set up TLS")
}

fn only_files<T>() -> Result<T, Refusal> {
    Err(Refusal::new(
        RefusalKind::Unknown,
        "CALL_UNKNOWN",
        "This is a relay: it carries files and answers nothing else.",
    ))
}

fn refused_file(error: &FileError) -> Refusal {
    Refusal::new(RefusalKind::Invalid, error.code(), error.to_string())
}

fn refused(error: Refused) -> Refusal {
    let kind = match error.code.as_str() {
        "RELAY_FULL" => RefusalKind::Exhausted,
        _ => RefusalKind::Internal,
    };
    Refusal::new(kind, error.code, error.message)
}

impl SyncService for Relay {
    async fn hello(&self, _: PeerIdentity, _: Hello) -> Result<HelloAck, Refusal> {
        only_files()
    }

    async fn exchange(
        &self,
        _: PeerIdentity,
        _: mpsc::Receiver<Result<ClientFrame, RpcError>>,
        _: mpsc::Sender<ServerFrame>,
        _: Closing,
    ) -> Result<(), Refusal> {
        only_files()
    }

    async fn digest(&self, _: PeerIdentity, _: DigestRequest) -> Result<DigestAnswer, Refusal> {
        only_files()
    }

    async fn resolve(&self, _: PeerIdentity, _: ResolveRequest) -> Result<ResolveAnswer, Refusal> {
        only_files()
    }

    async fn carry(
        &self,
        peer: PeerIdentity,
        mut pieces: mpsc::Receiver<Result<Vec<u8>, RpcError>>,
    ) -> Result<Option<std::fs::File>, Refusal> {
        let name: String = random::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
        let part = self.spool.part(&name);
        let received = receive(&mut pieces, &part, RELAY_FILE_BYTES_MAX).await;
        let (spool, came) = (Arc::clone(&self.spool), Arc::clone(&self.came));
        let done = tokio::task::spawn_blocking(move || {
            let kept = match received {
                Ok(0) => Ok(()),
                Ok(bytes) => match is_sealed::<UpPart>(&part) {
                    Ok(true) => {
                        tracing::info!(peer.id = peer.name, size_bytes = bytes, "a file came");
                        let kept = spool.keep(&peer.fingerprint, &part).map_err(refused);
                        came.notify_one();
                        kept
                    }
                    Ok(false) => Err(refused_file(&FileError::Foreign)),
                    Err(error) => Err(refused_file(&error)),
                },
                Err(error) => Err(refused_file(&error)),
            };
            if part.exists()
                && let Err(error) = std::fs::remove_file(&part)
            {
                tracing::warn!("part of a file could not be dropped: {error}");
            }
            kept?;
            match spool.fetch(&peer.fingerprint).map_err(refused)? {
                Some(Lying::Answer(file)) => Ok(Some(file)),
                Some(Lying::Refusal(code, message)) => {
                    Err(Refusal::new(RefusalKind::Precondition, code, message))
                }
                None => Ok(None),
            }
        });
        match done.await {
            Ok(answer) => answer,
            Err(error) => Err(refused_file(&FileError::Io(std::io::Error::other(error)))),
        }
    }
}

impl EnrolService for Relay {
    async fn enrol(&self, _: EnrolRequest) -> Result<EnrolAnswer, EnrolError> {
        Err(EnrolError::TokenUnknown)
    }
}
