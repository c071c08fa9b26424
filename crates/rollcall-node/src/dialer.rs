//! Syncing in the background of `serve`: one session that stays open, opened again when it ends, with back-off after
//! failures; where the aggregator does not let it stay open, one soon after an edit and at the set interval. While it is
//! out of reach, files go through a relay, where one is set.

use std::time::Duration;

use rollcall_command::clock::random;
use rollcall_command::output::Refused;
use rollcall_replica::Replica;
use rollcall_replica::runner::report::SyncReport;
use rollcall_rpc::Traffic;
use rollcall_sync::backoff::delay_ms;
use rollcall_sync::session::client::SessionEnd;
use tokio_util::sync::CancellationToken;

use crate::files::Files;
use crate::link::{LiveSession, sync_until};

/// How often it looks whether something was edited while no session is open.
const LOOK: Duration = Duration::from_millis(500);

/// How long the background waits at a relay for an answer; it fetches it later.
const RELAY_WAIT: Duration = Duration::from_secs(5);

/// How often a file goes through a relay although nothing was written.
const RELAY_AGAIN: Duration = Duration::from_secs(3_600);

/// What comes after a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Another at once.
    Again,
    /// Another after an edit, or the set interval.
    AtInterval,
    /// Another after a failure; the wait that was asked for, milliseconds, if any.
    Later(Option<u64>),
}

/// What went through a relay: end of the own log then, and when.
type Sent = Option<(u64, tokio::time::Instant)>;

/// Runs until `shutdown`; a session under way is finished.
pub async fn run(
    files: Files,
    replica: Replica,
    interval: Duration,
    relay: Option<String>,
    shutdown: CancellationToken,
) {
    let mut failures: u32 = 0;
    let mut through_relay: Sent = None;
    while !shutdown.is_cancelled() {
        let sent = own_end(&replica);
        let mut rounds = 0;
        let mut settled = |report: &SyncReport, traffic: Traffic| {
            rounds += 1;
            tracing::info!(
                pushed.changes_count = report.pushed.changes,
                pulled.changes_count = report.pulled.changes,
                duration_ms = report.duration_ms,
                size_bytes = traffic.bytes_sent + traffic.bytes_received,
                "in sync: {:?}",
                report.end
            );
        };
        let session = LiveSession {
            compare_every: interval,
            shutdown: &shutdown,
            settled: &mut settled,
        };
        let next = match sync_until(&files, &replica, session).await {
            Ok(None) => return,
            Ok(Some(report)) => next(report.end.as_ref()),
            Err(error) => {
                tracing::info!(failures, "no sync session: {error:#}");
                if let Some(relay) = relay.as_deref().filter(|_| is_out_of_reach(&error)) {
                    tokio::select! {
                        () = by_relay(&files, &replica, relay, &mut through_relay) => {}
                        () = shutdown.cancelled() => return,
                    }
                }
                Next::Later(None)
            }
        };
        // Whatever ended a session that had got as far as a proof, the way there is open.
        failures = if rounds > 0 { 0 } else { failures };
        let wait = match next {
            Next::Again => {
                failures = 0;
                continue;
            }
            Next::AtInterval => {
                failures = 0;
                interval
            }
            Next::Later(stated) => {
                failures += 1;
                Duration::from_millis(delay_ms(failures, u64::from_be_bytes(random()), stated))
            }
        };
        wait_or_edit(&replica, wait, (failures == 0).then_some(sent), &shutdown).await;
    }
}

fn is_out_of_reach(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| ["CANNOT_CONNECT", "TIMEOUT"].contains(&refused.code.as_str()))
}

/// Fetches answers that lie at the relay, and sends what was written since the last file; now and then although nothing
/// was, to hear what is new.
async fn by_relay(files: &Files, replica: &Replica, relay: &str, sent: &mut Sent) {
    let end = own_end(replica);
    let send = sent.is_none_or(|(sent, at)| sent != end || at.elapsed() >= RELAY_AGAIN);
    match crate::by_relay::round(files, replica, relay, RELAY_WAIT, send).await {
        Ok(run) => {
            if run.sent.is_some() {
                *sent = Some((end, tokio::time::Instant::now()));
            }
            tracing::info!(
                answers_count = run.answers.len(),
                sent = run.sent.is_some(),
                "through the relay"
            );
        }
        Err(error) => tracing::info!("nothing went through the relay: {error:#}"),
    }
}

fn next(end: Option<&SessionEnd>) -> Next {
    match end {
        Some(SessionEnd::InSync | SessionEnd::CaughtUp | SessionEnd::Repaired(_)) => Next::AtInterval,
        Some(SessionEnd::Closed) => Next::Again,
        Some(SessionEnd::Busy { retry_after_ms }) => Next::Later(Some(*retry_after_ms)),
        end => {
            tracing::info!("sync session ended as {end:?}");
            Next::Later(None)
        }
    }
}

/// Waits, for an edit at most where `sent` says how far the own log was sent.
async fn wait_or_edit(replica: &Replica, wait: Duration, sent: Option<u64>, shutdown: &CancellationToken) {
    let until = tokio::time::Instant::now() + wait;
    while tokio::time::Instant::now() < until {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep_until(until.min(tokio::time::Instant::now() + LOOK)) => {}
        }
        if sent.is_some_and(|sent| own_end(replica) != sent) {
            return;
        }
    }
}

fn own_end(replica: &Replica) -> u64 {
    replica
        .store()
        .read(|reader| Ok(reader.origin_end()?.position))
        .unwrap_or_default()
}
