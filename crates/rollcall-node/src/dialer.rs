//! Syncing in the background of `serve`: one session that stays open, opened again when it ends, with back-off after
//! failures; where the aggregator does not let it stay open, one soon after an edit and at the set interval. While it is
//! out of reach, files go through a relay, where one is set.

use std::time::Duration;

use rollcall_command::clock::{now_ms, random};
use rollcall_command::output::Refused;
use rollcall_replica::Replica;
use rollcall_replica::runner::report::SyncReport;
use rollcall_rpc::Traffic;
use rollcall_sync::backoff::delay_ms;
use rollcall_sync::session::client::SessionEnd;
use tokio_util::sync::CancellationToken;

use crate::files::Files;
use crate::link::{LiveSession, sync_until};
use crate::reach::Reach;

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

/// Runs until `shutdown`; a session under way is finished. `reach` is told what the calls come to.
pub async fn run(
    files: Files,
    replica: Replica,
    interval: Duration,
    relay: Option<String>,
    reach: Reach,
    shutdown: CancellationToken,
) {
    let mut failures: u32 = 0;
    let mut through_relay: Sent = None;
    while !shutdown.is_cancelled() {
        let sent = own_end(&replica);
        let mut rounds = 0;
        let mut settled = |report: &SyncReport, traffic: Traffic| {
            rounds += 1;
            reach.reached();
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
            Ok(Some(report)) => {
                tell(&reach, report.end.as_ref(), rounds);
                next(report.end.as_ref())
            }
            Err(error) => {
                tracing::info!(failures, "no sync session: {error:#}");
                let (code, message) = match error.downcast_ref::<Refused>() {
                    Some(refused) => (refused.code.clone(), refused.message.clone()),
                    None => ("SYNC_FAILED".to_owned(), format!("{error:#}")),
                };
                reach.failed(now_ms(), code, message);
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

/// What the end of a session after so many rounds says about the way to the aggregator. One that it asks to come back later,
/// or that was cut after a proof, says nothing: the next call does.
fn tell(reach: &Reach, end: Option<&SessionEnd>, rounds: u32) {
    match end {
        Some(SessionEnd::InSync | SessionEnd::CaughtUp | SessionEnd::Repaired(_) | SessionEnd::Closed) => {
            reach.reached();
        }
        Some(SessionEnd::Refused { code, message }) => reach.failed(now_ms(), code, message),
        Some(SessionEnd::Diverged) => reach.failed(now_ms(), "DIVERGED", ""),
        Some(SessionEnd::Busy { .. } | SessionEnd::GoneAway { .. }) => {}
        Some(SessionEnd::Restart(_) | SessionEnd::LinkLost) | None if rounds == 0 => {
            reach.failed(now_ms(), "LINK_LOST", "");
        }
        Some(SessionEnd::Restart(_) | SessionEnd::LinkLost) | None => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Config;
    use rollcall_core::id::{LogEpoch, StoreId};
    use rollcall_store::{CreateOptions, Role, Store};

    #[tokio::test]
    async fn a_call_that_fails_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(folder.path());
        let config = Config::new("西湖区总工会".to_owned(), "330106".to_owned());
        files.save_config(&config).expect("saved");
        let options = CreateOptions {
            role: Role::Node,
            store_id: StoreId([7; 16]),
            log_epoch: LogEpoch([2; 8]),
            name: String::new(),
        };
        let store = Store::create(&files.store(), &options).expect("a store");
        let (reach, shutdown) = (Reach::default(), CancellationToken::new());
        let interval = Duration::from_secs(60);
        let background = run(
            files,
            Replica::new(store),
            interval,
            None,
            reach.clone(),
            shutdown.clone(),
        );
        let told = async {
            while reach.failing().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            shutdown.cancel();
        };
        let both = async { tokio::join!(background, told) };
        let ended = tokio::time::timeout(Duration::from_secs(20), both).await;
        assert!(ended.is_ok(), "nobody was told");
        assert_eq!(
            reach.failing().map(|failing| failing.code).as_deref(),
            Some("NOT_ENROLLED")
        );
        tell(&reach, Some(&SessionEnd::Busy { retry_after_ms: 1 }), 0);
        assert!(reach.failing().is_some(), "busy is no proof");
        tell(&reach, Some(&SessionEnd::InSync), 0);
        tell(&reach, Some(&SessionEnd::LinkLost), 1);
        assert_eq!(reach.failing(), None);
    }
}
