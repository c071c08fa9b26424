//! `serve`: the workspace, and sync in the background, until a signal.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rollcall_command::clock::now_ms;
use rollcall_command::output::{Refused, print_line};
use rollcall_replica::Replica;
use rollcall_replica::self_check::recount_daily;
use rollcall_rpc::ServerConfig;
use rollcall_web::headers::HostList;
use rollcall_web::site::Program;
use rollcall_web::{Site, SiteConfig};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accounts::StoreAccounts;
use crate::app::App;
use crate::cli::Serve;
use crate::files::Files;
use crate::relay::{Relay, Spool};
use crate::{dialer, relay, router};

/// Rows of quarantine tried when the program starts.
const RETRIED_MAX: usize = 1_000;

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
/// `PORT_IN_USE`, `BIND_OPEN`, or what keeps it from starting.
pub async fn run(args: Serve) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    let config = files.load_config()?;
    let store = files.open_store()?;
    let address = args.web_addr.as_deref().unwrap_or(&config.web_addr);
    let web = TcpListener::bind(address).await.map_err(|error| {
        let code = if error.kind() == std::io::ErrorKind::AddrInUse {
            "PORT_IN_USE"
        } else {
            "BIND"
        };
        Refused::new(code, format!("Cannot listen on {address}: {error}."))
    })?;
    let web_addr = web.local_addr().context("read the workspace's address")?;
    if !web_addr.ip().is_loopback() {
        let message =
            "The workspace speaks plain HTTP and so listens on loopback only; put a TLS proxy before it.";
        return Err(Refused::new("BIND_OPEN", message).into());
    }
    let relay = match &args.relay_addr {
        Some(address) => {
            let tls = relay::tls(&files)?;
            let spool = Spool::open(files.relay()).context("open the place for files of others")?;
            Some((relay::bind(address).await?, tls, Arc::new(spool)))
        }
        None => None,
    };
    let replica = Replica::new(store.clone());
    if !store.is_read_only() {
        let replica = replica.clone();
        tokio::task::spawn_blocking(move || retry_untried(&replica))
            .await
            .context("try again what is kept apart")??;
    }
    let app = App::new(replica.clone(), files.clone());
    // The door is open meanwhile; whoever comes to a page with figures or names waits for them there.
    let prepared = {
        let app = app.clone();
        tokio::task::spawn_blocking(move || app.prepare())
    };
    let reach = app.reach.clone();
    let site = Site::new(
        SiteConfig {
            program: Program::Node,
            place: config.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: store.identity().store_id.to_string(),
            hosts: HostList::loopback(web_addr.port()),
            tls: false,
            navigation: router::navigation(),
            clock: Arc::new(now_ms),
        },
        Arc::new(StoreAccounts(store.clone())),
    );
    let shutdown = CancellationToken::new();
    let web_task = tokio::spawn(rollcall_web::serve::serve(
        web,
        site.wrap(router::pages(app)),
        shutdown.clone(),
    ));
    let writes = !store.is_read_only();
    let recount_task = writes.then(|| {
        let (replica, shutdown) = (replica.clone(), shutdown.clone());
        tokio::spawn(async move { shutdown.run_until_cancelled(recount_daily(replica, now_ms)).await })
    });
    let syncs = !args.no_sync && config.aggregator.is_some() && writes;
    let dialer_task = syncs.then(|| {
        let interval = Duration::from_secs(config.sync_seconds.max(1));
        let (files, relay) = (files.clone(), config.relay.clone());
        tokio::spawn(dialer::run(
            files,
            replica,
            interval,
            relay,
            reach,
            shutdown.clone(),
        ))
    });
    let relay_tasks = match relay {
        Some((listener, tls, spool)) => {
            let address = listener.local_addr().context("read the relay's address")?;
            let came = Arc::new(Notify::new());
            let service = Arc::new(Relay {
                spool: Arc::clone(&spool),
                came: Arc::clone(&came),
            });
            let serve = rollcall_rpc::serve(
                listener,
                tls,
                Arc::clone(&service),
                service,
                ServerConfig::default(),
                shutdown.clone(),
            );
            let forward = relay::forward(files, spool, came, shutdown.clone());
            print_line(format_args!("relay https://{address}"))?;
            Some((tokio::spawn(serve), tokio::spawn(forward)))
        }
        None => None,
    };
    print_line(format_args!("web http://{web_addr}"))?;
    let stopped = until_stopped(prepared).await;
    tracing::info!("stopping");
    shutdown.cancel();
    web_task.await.context("stop the workspace")?;
    if let Some(task) = dialer_task {
        task.await.context("stop syncing")?;
    }
    if let Some((serve, forward)) = relay_tasks {
        serve.await.context("stop the relay")?;
        forward.await.context("stop handing on files")?;
    }
    if let Some(task) = recount_task {
        task.await.context("stop counting")?;
    }
    store.close();
    stopped
}

/// Waits for a signal; not any longer where the cube or the index of names cannot be built.
async fn until_stopped(prepared: JoinHandle<Result<(), rollcall_replica::Error>>) -> anyhow::Result<()> {
    let mut signal = pin!(signalled());
    tokio::select! {
        stopped = &mut signal => return stopped,
        built = prepared => built.context("build the cube")?.context("build the cube")?,
    }
    signal.await
}

/// Tries what another version of the program kept apart.
fn retry_untried(replica: &Replica) -> anyhow::Result<()> {
    for row in replica
        .quarantine_untried(RETRIED_MAX)
        .context("read the quarantine")?
    {
        let retried = replica
            .retry_quarantined(&row, None, now_ms())
            .map_err(|error| rollcall_command::upkeep::refused_replica(&error))?;
        tracing::info!(
            number = row.quarantine_id,
            "tried again by this version: {retried:?}"
        );
    }
    Ok(())
}

async fn signalled() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("listen for SIGINT"),
        _ = terminate.recv() => Ok(()),
    }
}
