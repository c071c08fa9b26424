//! `serve`: the sync server and the console in one process, until a signal.

use std::sync::Arc;

use anyhow::Context;
use rollcall_command::clock::now_ms;
use rollcall_command::output::{Refused, print_line};
use rollcall_replica::Replica;
use rollcall_replica::runner::server::AggregatorKeys;
use rollcall_replica::runner::turns::Turns;
use rollcall_replica::self_check::recount_daily;
use rollcall_rpc::signing::Ed25519;
use rollcall_rpc::{ServerConfig, ServerTls};
use rollcall_web::headers::HostList;
use rollcall_web::site::Program;
use rollcall_web::{Site, SiteConfig};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::accounts::StoreAccounts;
use crate::app::App;
use crate::cli::Serve;
use crate::enrolment::{EnrolHandler, Enrolled, Enrolments};
use crate::files::Files;
use crate::live::{self, Live};
use crate::retry;
use crate::router;
use crate::service::SyncHandler;

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
/// `PORT_IN_USE`, `BIND_OPEN`, or what keeps it from starting.
pub async fn run(args: Serve) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    let config = files.load_config()?;
    let store = files.open_store()?;
    let sync = bind(args.sync_addr.as_deref().unwrap_or(&config.sync_addr)).await?;
    let web = bind(args.web_addr.as_deref().unwrap_or(&config.web_addr)).await?;
    let web_addr = web.local_addr().context("read the console's address")?;
    if !web_addr.ip().is_loopback() {
        let message =
            "The console speaks plain HTTP and so listens on loopback only; put a TLS proxy before it.";
        return Err(Refused::new("BIND_OPEN", message).into());
    }
    let authority = files.load_authority()?;
    let signing_key = files.load_signing_key()?;
    let (receipt_key, batch_key) = (signing_key.verifying_key(), files.load_seal_key()?.recipient());
    let certificate = authority
        .issue_server(&config.hosts, now_ms())
        .context("issue the server's certificate")?;
    let tls = ServerTls::new(&certificate, authority.certificate_pem()).context("set up TLS")?;

    // What lies there was being taken when the program last ended; its relay brings it again.
    if files.carried().exists() {
        std::fs::remove_dir_all(files.carried()).context("drop files of relays")?;
    }
    std::fs::create_dir_all(files.carried()).context("make a place for files of relays")?;
    let replica = Replica::new(store.clone());
    {
        let replica = replica.clone();
        tokio::task::spawn_blocking(move || retry::retry_untried(&replica))
            .await
            .context("try again what is kept apart")??;
    }
    let app = App::new(replica.clone());
    let keys = AggregatorKeys {
        sign: Arc::new(signing_key),
        verify: Arc::new(Ed25519),
        receipt_key: receipt_key.0.to_vec(),
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (enrolled, live) = (Arc::new(Enrolled::default()), Live::default());
    let handler = Arc::new(SyncHandler::new(
        replica.clone(),
        keys,
        Arc::clone(&enrolled),
        live.clone(),
        Turns::new(config.sessions_max, cores),
        files.clone(),
    ));
    let enrol = Arc::new(EnrolHandler(Arc::new(Enrolments::new(
        store.clone(),
        authority,
        receipt_key,
        batch_key,
    ))));
    let site = Site::new(
        SiteConfig {
            program: Program::Aggregator,
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
    let sync_addr = sync.local_addr().context("read the sync server's address")?;
    let recount_task = {
        let (replica, shutdown) = (replica.clone(), shutdown.clone());
        tokio::spawn(async move { shutdown.run_until_cancelled(recount_daily(replica, now_ms)).await })
    };
    let live_task = tokio::spawn(live::follow(live, replica, enrolled, shutdown.clone()));
    let cube_task = tokio::spawn(app.clone().keep_up(shutdown.clone()));
    let sync_task = tokio::spawn(rollcall_rpc::serve(
        sync,
        tls,
        handler,
        enrol,
        ServerConfig::default(),
        shutdown.clone(),
    ));
    let web_task = tokio::spawn(rollcall_web::serve::serve(
        web,
        site.wrap(router::pages(app)),
        shutdown.clone(),
    ));
    print_line(format_args!("sync https://{sync_addr}"))?;
    print_line(format_args!("web http://{web_addr}"))?;
    signalled().await?;
    tracing::info!("stopping");
    shutdown.cancel();
    sync_task.await.context("stop the sync server")?;
    recount_task.await.context("stop counting")?;
    cube_task.await.context("stop following the store")?;
    live_task.await.context("stop telling sessions")?;
    web_task.await.context("stop the console")?;
    store.close();
    Ok(())
}

async fn bind(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let code = if error.kind() == std::io::ErrorKind::AddrInUse {
            "PORT_IN_USE"
        } else {
            "BIND"
        };
        Refused::new(code, format!("Cannot listen on {address}: {error}.")).into()
    })
}

async fn signalled() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("listen for SIGINT"),
        _ = terminate.recv() => Ok(()),
    }
}
