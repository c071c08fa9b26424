//! The connection to the aggregator as the session runner sees it; and running one session under the store's lease.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rollcall_command::clock::now_ms;
use rollcall_command::output::Refused;
use rollcall_replica::Replica;
use rollcall_replica::runner::client::{Link, NodeKeys, SyncReport, sync_once};
use rollcall_rpc::signing::Ed25519;
use rollcall_rpc::{Client, RpcError, Traffic};
use rollcall_sync::message::{
    ClientFrame, DigestAnswer, DigestRequest, ResolveAnswer, ResolveRequest, ServerFrame,
};
use tokio::sync::mpsc;

use crate::files::Files;

/// A client as a link.
pub struct ClientLink(Client);

impl Link for ClientLink {
    type Error = RpcError;

    fn open(
        &mut self,
    ) -> (
        mpsc::Sender<ClientFrame>,
        mpsc::Receiver<Result<ServerFrame, RpcError>>,
    ) {
        self.0.exchange()
    }

    async fn digest(&self, request: &DigestRequest) -> Result<DigestAnswer, RpcError> {
        self.0.digest(request).await
    }

    async fn resolve(&self, request: &ResolveRequest) -> Result<ResolveAnswer, RpcError> {
        self.0.resolve(request).await
    }

    fn code(error: &RpcError) -> String {
        error.code().to_owned()
    }
}

/// Name of the lease that admits one session a store at a time.
const LEASE: &str = "sync";
/// How long a session may hold it, milliseconds; longer than a session may last.
const LEASE_MS: i64 = 11 * 60 * 1000;
/// How long to wait for another process's session.
const LEASE_WAIT: Duration = Duration::from_secs(120);

/// Runs one session; waits for one that another process is running.
///
/// # Errors
/// `NOT_ENROLLED`, the connection's codes, the store's.
pub async fn sync_now(files: &Files, replica: &Replica) -> anyhow::Result<(SyncReport, Traffic)> {
    let config = files.load_config()?;
    let client_config = files.client_config(&config)?;
    let keys = NodeKeys {
        sign: Arc::new(files.load_signing_key()?),
        verify: Arc::new(Ed25519),
        receipt_key: config.receipt_key()?.0.to_vec(),
    };
    let holder: String = replica
        .boot_id()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    take_lease(replica, &holder).await?;
    let result = run(replica, &client_config, &keys).await;
    let released = replica
        .store()
        .write("release lease", move |writer| {
            writer.release_lease(LEASE, &holder)
        })
        .await;
    let done = result?;
    released.context("give the lease back")?;
    Ok(done)
}

async fn run(
    replica: &Replica,
    config: &rollcall_rpc::ClientConfig,
    keys: &NodeKeys,
) -> anyhow::Result<(SyncReport, Traffic)> {
    let begun = tokio::time::Instant::now();
    let client = Client::connect(config)
        .await
        .map_err(|error| Refused::new(error.code(), error.to_string()))?;
    let connect_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut link = ClientLink(client);
    let mut report = sync_once(replica, &mut link, keys, env!("CARGO_PKG_VERSION"), now_ms)
        .await
        .map_err(|error| rollcall_command::upkeep::refused_replica(&error))?;
    report.connect_ms = connect_ms;
    Ok((report, link.0.close().await))
}

async fn take_lease(replica: &Replica, holder: &str) -> anyhow::Result<()> {
    let begun = tokio::time::Instant::now();
    loop {
        let (holder, now) = (holder.to_owned(), now_ms());
        let taken = replica
            .store()
            .write("take lease", move |writer| {
                writer.acquire_lease(LEASE, &holder, now, now + LEASE_MS)
            })
            .await;
        match taken {
            Err(rollcall_store::Error::LeaseHeld { .. }) if begun.elapsed() < LEASE_WAIT => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(rollcall_command::upkeep::refused(&error).into()),
            Ok(()) => return Ok(()),
        }
    }
}
