//! The connection to the aggregator as the session runner sees it; and running sessions under the store's lease: one
//! that ends with its receipt, or one that stays open until another process wants its turn.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rollcall_command::clock::{now_ms, random};
use rollcall_command::output::Refused;
use rollcall_replica::Replica;
use rollcall_replica::runner::client::{sync_live, sync_once};
use rollcall_replica::runner::link::{Link, NodeKeys};
use rollcall_replica::runner::report::{Staying, SyncReport};
use rollcall_rpc::signing::Ed25519;
use rollcall_rpc::{Client, RpcError, Traffic};
use rollcall_sync::limits::SESSION_AGE_MS;
use rollcall_sync::message::{
    ClientFrame, DigestAnswer, DigestRequest, ResolveAnswer, ResolveRequest, ServerFrame,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::files::Files;

/// A client as a link.
pub struct ClientLink(pub Client);

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

/// How often a session that stays open looks for edits of other processes, and whether one of them wants its turn.
const LOOK: Duration = Duration::from_millis(200);

/// Runs one session; waits for one that another process is running, and has one that stays open let go.
///
/// # Errors
/// `STORE_DAMAGED`, `NOT_ENROLLED`, the connection's codes, the store's.
pub async fn sync_now(files: &Files, replica: &Replica) -> anyhow::Result<(SyncReport, Traffic)> {
    check_writable(replica)?;
    let keys = load_keys(files)?;
    let _turn = take_turn(files).await?;
    let mut dialled = dial(files).await?;
    let mut report = sync_once(replica, &mut dialled.link, &keys, VERSION, now_ms)
        .await
        .map_err(|error| broken_off(replica, &error))?;
    report.connect_ms = dialled.connect_ms;
    Ok((report, dialled.link.0.close().await))
}

/// A session that stays open, from outside.
pub struct LiveSession<'a> {
    /// How often both ends compare what they hold while nothing changes.
    pub compare_every: Duration,
    /// Ends it.
    pub shutdown: &'a CancellationToken,
    /// Told of each round: what it came to, and what it cost.
    pub settled: &'a mut (dyn FnMut(&SyncReport, Traffic) + Send),
}

/// Runs a session that stays open, until it ends by itself, is told to, or another process wants its turn. Waits for its
/// own turn, without pressing for it; none where `shutdown` comes first.
///
/// # Errors
/// `STORE_DAMAGED`, `NOT_ENROLLED`, the connection's codes, the store's.
pub async fn sync_until(
    files: &Files,
    replica: &Replica,
    session: LiveSession<'_>,
) -> anyhow::Result<Option<SyncReport>> {
    check_writable(replica)?;
    let keys = load_keys(files)?;
    let Some(_turn) = wait_for_turn(files, session.shutdown).await? else {
        return Ok(None);
    };
    let mut dialled = dial(files).await?;
    let meter = dialled.link.0.meter();
    let (own_end, seen) = watch::channel(0);
    let (close, closed) = watch::channel(false);
    let mut before = Traffic::default();
    let connect_ms = dialled.connect_ms;
    let mut settled = |report: &SyncReport| {
        let now = meter.traffic();
        let report = SyncReport {
            connect_ms,
            ..report.clone()
        };
        (session.settled)(&report, now.since(before));
        before = now;
    };
    let staying = Staying {
        own_end: seen,
        close: closed,
        compare_every: session.compare_every,
        age: session_age(),
        settled: &mut settled,
    };
    let report = tokio::select! {
        report = sync_live(replica, &mut dialled.link, &keys, VERSION, now_ms, staying) => report,
        error = follow_store(files, replica, session.shutdown, &own_end, &close) => return Err(error),
    };
    let report = report.map_err(|error| broken_off(replica, &error))?;
    dialled.link.0.close().await;
    Ok(Some(report))
}

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why a session broke off. Damage that it met is remembered, so that `status` says so and nothing more is written.
pub(crate) fn broken_off(replica: &Replica, error: &rollcall_replica::Error) -> Refused {
    rollcall_command::upkeep::mark_if_damaged(replica, error);
    rollcall_command::upkeep::refused_replica(error)
}

/// Refuses where the store is damaged: what is only read neither sends nor takes anything.
pub(crate) fn check_writable(replica: &Replica) -> Result<(), Refused> {
    if replica.store().is_read_only() {
        let message = "The data file is damaged and only read; run rebuild --from-centre.";
        return Err(Refused::new("STORE_DAMAGED", message));
    }
    Ok(())
}

pub(crate) fn load_keys(files: &Files) -> anyhow::Result<NodeKeys> {
    // First, since a node that is not enrolled may have no keys at all.
    let receipt_key = files.load_config()?.receipt_key()?.0.to_vec();
    Ok(NodeKeys {
        sign: Arc::new(files.load_signing_key()?),
        verify: Arc::new(Ed25519),
        receipt_key,
    })
}

struct Dialled {
    link: ClientLink,
    connect_ms: u64,
}

async fn dial(files: &Files) -> anyhow::Result<Dialled> {
    let config = files.client_config(&files.load_config()?)?;
    let begun = tokio::time::Instant::now();
    let client = Client::connect(&config)
        .await
        .map_err(|error| Refused::new(error.code(), error.to_string()))?;
    Ok(Dialled {
        link: ClientLink(client),
        connect_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Give or take a fifth, so that nodes that began together do not begin again together.
fn session_age() -> Duration {
    let fifth = SESSION_AGE_MS / 5;
    let random = u64::from_be_bytes(random()) % (2 * fifth + 1);
    Duration::from_millis(SESSION_AGE_MS - fifth + random)
}

/// Tells a session of edits, whichever process makes them, and when it has to end. Never returns but with an error.
async fn follow_store(
    files: &Files,
    replica: &Replica,
    shutdown: &CancellationToken,
    own_end: &watch::Sender<u64>,
    close: &watch::Sender<bool>,
) -> anyhow::Error {
    let mut commits = replica.store().commits();
    loop {
        let (replica, wanted) = (replica.clone(), files.sync_wanted());
        let looked = tokio::task::spawn_blocking(move || {
            let end = replica
                .store()
                .read(|reader| Ok(reader.origin_end()?.position))
                .context("read the end of the log")?;
            Ok::<_, anyhow::Error>((end, is_wanted(&wanted)?))
        });
        match looked.await {
            Ok(Ok((end, wanted))) => {
                own_end.send_if_modified(|known| std::mem::replace(known, end) != end);
                if wanted || shutdown.is_cancelled() {
                    close.send_replace(true);
                }
            }
            Ok(Err(error)) => return error,
            Err(error) => return error.into(),
        }
        tokio::select! {
            () = shutdown.cancelled(), if !shutdown.is_cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
            Ok(()) = commits.changed() => {}
        }
    }
}

/// Whether another process waits for its turn.
fn is_wanted(path: &Path) -> anyhow::Result<bool> {
    let lock = lock_file(path)?;
    match lock.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error).context("look whether another process wants to sync"),
    }
}

fn lock_file(path: &Path) -> anyhow::Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| format!("open {}", path.display()))
}

/// One session a store at a time: a lock on a file, which the system takes back from a process that is killed (decision 5).
/// A second lock tells a session that stays open to let go (decision 11).
pub(crate) async fn take_turn(files: &Files) -> anyhow::Result<File> {
    let (lock, wanted) = (lock_file(&files.sync_lock())?, lock_file(&files.sync_wanted())?);
    let begun = tokio::time::Instant::now();
    let mut is_first = false;
    loop {
        is_first = is_first || try_lock(&wanted)?;
        if is_first && try_lock(&lock)? {
            return Ok(lock);
        }
        if begun.elapsed() >= SESSION_WAIT {
            let message = "Another process has been syncing this node for too long.";
            return Err(Refused::new("SYNC_HELD", message).into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The turn, once nobody else has it or waits for it; none where `shutdown` comes first.
async fn wait_for_turn(files: &Files, shutdown: &CancellationToken) -> anyhow::Result<Option<File>> {
    let lock = lock_file(&files.sync_lock())?;
    loop {
        if !is_wanted(&files.sync_wanted())? && try_lock(&lock)? {
            return Ok(Some(lock));
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn try_lock(lock: &File) -> anyhow::Result<bool> {
    match lock.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).context("lock the node for syncing"),
    }
}
