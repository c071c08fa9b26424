//! Syncing in the background of `serve`: soon after an edit, otherwise at the set interval, with back-off after failures.

use std::time::Duration;

use rollcall_command::clock::random;
use rollcall_replica::Replica;
use rollcall_sync::backoff::delay_ms;
use rollcall_sync::session::client::SessionEnd;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::files::Files;
use crate::link::sync_now;

/// How often it looks whether something was edited.
const LOOK: Duration = Duration::from_millis(500);

/// Runs until `shutdown`; a session under way is finished.
pub async fn run(files: Files, replica: Replica, interval: Duration, shutdown: CancellationToken) {
    let mut failures = 0;
    let mut next = Instant::now();
    let mut sent = 0;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let edited = replica
            .store()
            .read(|reader| Ok(reader.origin_end()?.position))
            .unwrap_or(sent);
        let due = Instant::now() >= next || (failures == 0 && edited != sent);
        if !due {
            continue;
        }
        match sync_now(&files, &replica).await {
            Ok((report, _)) => {
                let wait = match report.end {
                    Some(SessionEnd::InSync | SessionEnd::CaughtUp | SessionEnd::Repaired(_)) => None,
                    Some(SessionEnd::Busy { retry_after_ms }) => Some(Some(retry_after_ms)),
                    _ => Some(None),
                };
                match wait {
                    None => {
                        failures = 0;
                        sent = edited;
                        next = Instant::now() + interval;
                        continue;
                    }
                    Some(stated) => {
                        failures += 1;
                        tracing::info!(failures, "sync session ended as {:?}", report.end);
                        next = Instant::now() + wait_for(failures, stated);
                    }
                }
            }
            Err(error) => {
                failures += 1;
                tracing::info!(failures, "no sync session: {error:#}");
                next = Instant::now() + wait_for(failures, None);
            }
        }
    }
}

fn wait_for(failures: u32, stated: Option<u64>) -> Duration {
    Duration::from_millis(delay_ms(failures, u64::from_be_bytes(random()), stated))
}
