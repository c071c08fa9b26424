//! The connection to the aggregator as the session runner sees it; and running one session under the store's lease.

use std::fs::{File, TryLockError};
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

/// How long to wait for another process's session; none lasts longer.
const SESSION_WAIT: Duration = Duration::from_secs(660);

/// Runs one session; waits for one that another process is running.
///
/// # Errors
/// `NOT_ENROLLED`, the connection's codes, the store's.
pub async fn sync_now(files: &Files, replica: &Replica) -> anyhow::Result<(SyncReport, Traffic)> {
    if replica.store().is_read_only() {
        let message = "The data file is damaged and only read; run rebuild --from-centre.";
        return Err(Refused::new("STORE_DAMAGED", message).into());
    }
    let config = files.load_config()?;
    let client_config = files.client_config(&config)?;
    let keys = NodeKeys {
        sign: Arc::new(files.load_signing_key()?),
        verify: Arc::new(Ed25519),
        receipt_key: config.receipt_key()?.0.to_vec(),
    };
    let _turn = take_turn(files).await?;
    run(replica, &client_config, &keys).await
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

/// One session a store at a time: a lock on a file, which the system takes back from a process that is killed (decision 5).
async fn take_turn(files: &Files) -> anyhow::Result<File> {
    let path = files.sync_lock();
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))?;
    let begun = tokio::time::Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if begun.elapsed() < SESSION_WAIT => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(TryLockError::WouldBlock) => {
                let message = "Another process has been syncing this node for too long.";
                return Err(Refused::new("SYNC_HELD", message).into());
            }
            Err(TryLockError::Error(error)) => return Err(error).context("lock the node for syncing"),
        }
    }
}
