//! Hands on what lies at a relay, whenever the aggregator can be reached; oldest first, each node in its turn.

use std::sync::Arc;
use std::time::Duration;

use rollcall_command::clock::random;
use rollcall_command::output::Refused;
use rollcall_rpc::{Client, FileError, RefusalKind, RpcError};
use rollcall_sync::backoff::delay_ms;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::spool::{Spool, Waiting};
use crate::files::Files;

/// How often it looks although nobody has brought anything.
const LOOK: Duration = Duration::from_secs(60);

/// Runs until `shutdown`.
pub async fn forward(files: Files, spool: Arc<Spool>, came: Arc<Notify>, shutdown: CancellationToken) {
    let mut failures: u32 = 0;
    while !shutdown.is_cancelled() {
        let pass = tokio::select! {
            pass = pass(&files, &spool) => pass,
            () = shutdown.cancelled() => return,
        };
        let wait = match pass {
            Ok(0) => {
                failures = 0;
                LOOK
            }
            Ok(_) => continue,
            Err(error) => {
                failures += 1;
                tracing::info!(failures, "files of others wait: {error:#}");
                Duration::from_millis(delay_ms(failures, u64::from_be_bytes(random()), None)).min(LOOK)
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = came.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Hands on the oldest file of every node; how many.
async fn pass(files: &Files, spool: &Spool) -> anyhow::Result<usize> {
    let waiting = spool.waiting()?;
    if waiting.is_empty() {
        return Ok(0);
    }
    let client = Client::connect(&files.client_config(&files.load_config()?)?)
        .await
        .map_err(|error| Refused::new(error.code(), error.to_string()))?;
    for file in &waiting {
        hand_on(&client, spool, file).await?;
    }
    client.close().await;
    Ok(waiting.len())
}

async fn hand_on(client: &Client, spool: &Spool, file: &Waiting) -> anyhow::Result<()> {
    let part = spool.part("answer from above");
    let source = tokio::fs::File::open(file.path()).await?;
    let mut answer = tokio::fs::File::create(&part).await?;
    let carried = client.carry(Some(source), &mut answer).await;
    drop(answer);
    match carried {
        Ok(_) => spool.answered(file, &part)?,
        // What is wrong with the file itself is told to who brought it; what is wrong with this node, or will pass, waits.
        Err(FileError::Part(RpcError::Refused(refusal))) if refusal.kind == RefusalKind::Invalid => {
            tracing::warn!(code = refusal.code, "a file was refused: {}", refusal.message);
            spool.refused(file, &refusal.code, &refusal.message)?;
        }
        Err(error) => return Err(Refused::new(error.code(), error.to_string()).into()),
    }
    Ok(())
}
