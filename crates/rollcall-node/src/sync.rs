//! The commands `sync` and `status`.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context;
use rollcall_command::clock::{random, time_text};
use rollcall_command::large::large_rows;
use rollcall_command::output::{Refused, print_json, print_line};
use rollcall_core::id::DocumentId;
use rollcall_replica::Replica;
use rollcall_replica::runner::report::SyncReport;
use rollcall_rpc::Traffic;
use rollcall_rpc::peer_identity::CertificateFacts;
use rollcall_rpc::signing::Ed25519;
use rollcall_store::successor::Mark;
use rollcall_store::{Error as StoreError, Reader};
use rollcall_sync::backoff::delay_ms;
use rollcall_sync::message::{Receipt, RepairReason};
use rollcall_sync::session::client::{ReceiptCheck, SessionEnd};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::cli;
use crate::files::Files;
use crate::link::{LiveSession, sync_now, sync_until};

/// How a receipt came.
pub(crate) const BY_FILE: &str = "file";
const BY_CONNECTION: &str = "connection";

/// `sync --json`.
#[derive(Debug, Serialize)]
struct ShownSync {
    outcome: &'static str,
    reason: Option<String>,
    pushed: Counted,
    pulled: Counted,
    quarantined: u64,
    round_trips: u32,
    bytes_sent: u64,
    bytes_received: u64,
    connect_ms: u64,
    duration_ms: u64,
    receipt: Option<ShownReceipt>,
    /// The aggregator was restored and has not heard everybody since.
    rebuilding: bool,
}

/// How much went one way, as printed.
#[derive(Debug, Serialize)]
pub(crate) struct Counted {
    pub(crate) changes: u64,
    pub(crate) documents: u64,
}

/// A receipt as printed.
#[derive(Debug, Clone, Serialize)]
pub struct ShownReceipt {
    time: String,
    documents: u64,
    digest: String,
    position: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
    /// How it came: `connection` or `file`.
    by: &'static str,
}

/// `status --json`.
#[derive(Debug, Serialize)]
struct ShownStatus {
    federation: String,
    documents: u64,
    waiting: Waiting,
    last_receipt: Option<ShownReceipt>,
    conflicts: u64,
    quarantined: u64,
    certificate: Certificate,
    store: ShownStore,
    /// The aggregator was restored and has not heard everybody since.
    rebuilding: bool,
    /// Another node works with this one's certificate.
    fenced: bool,
    /// The data file is damaged and only read.
    damaged: bool,
    /// Documents that come near the size from which on nothing more is taken of them; `verify` names them.
    large_documents: u64,
    self_check: ShownSelfCheck,
}

/// What the node found to differ from the aggregator or from its own sums, and put right.
#[derive(Debug, Serialize)]
struct ShownSelfCheck {
    repairs: u64,
    repaired_documents: u64,
    repaired: Option<String>,
    recounted: Option<String>,
    corrected_scopes: u64,
}

/// Own changes that the aggregator has not acknowledged, as printed.
#[derive(Debug, Serialize)]
pub(crate) struct Waiting {
    pub(crate) changes: u64,
    since: Option<String>,
}

impl Waiting {
    /// What waits now.
    pub(crate) fn read(reader: &Reader) -> Result<Self, StoreError> {
        let upstream = reader.upstream()?;
        let waiting = reader.waiting(upstream.map_or(0, |upstream| upstream.acknowledged.position))?;
        Ok(Self {
            changes: waiting.changes,
            since: waiting.since_ms.map(time_text),
        })
    }
}

#[derive(Debug, Serialize)]
struct Certificate {
    expires: Option<String>,
}

#[derive(Debug, Serialize)]
struct ShownStore {
    epoch: String,
    position: u64,
}

/// Runs `sync`.
///
/// # Errors
/// The codes of the connection and of the session; exit status 1.
pub fn run(args: &cli::Sync) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    let replica = Replica::new(files.open_store()?);
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    runtime.block_on(async {
        if args.watch {
            return watch(args, &files, &replica).await;
        }
        if let Some(relay) = &args.relay {
            let wait = Duration::from_secs(args.wait);
            return crate::by_relay::run(&files, &replica, relay, wait, args.json).await;
        }
        let (report, traffic) = sync_now(&files, &replica).await?;
        print_round(args, &files, &replica, &report, traffic)
    })
}

/// `sync --watch`: a session that stays open, a line for every round of it, until a signal or a refusal.
async fn watch(args: &cli::Sync, files: &Files, replica: &Replica) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let on_signal = shutdown.clone();
    let signal = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            on_signal.cancel();
        }
    });
    let interval = Duration::from_secs(files.load_config()?.sync_seconds.max(1));
    let mut failures = 0;
    while !shutdown.is_cancelled() {
        let (mut fault, mut rounds) = (None, 0);
        let mut settled = |report: &SyncReport, traffic| {
            rounds += 1;
            fault = fault
                .take()
                .or(print_round(args, files, replica, report, traffic).err());
        };
        let session = LiveSession {
            compare_every: interval,
            shutdown: &shutdown,
            settled: &mut settled,
        };
        let report = sync_until(files, replica, session).await?;
        if let Some(error) = fault {
            return Err(error);
        }
        let Some(report) = report else { break };
        failures = if rounds > 0 { 0 } else { failures };
        let wait = match &report.end {
            Some(SessionEnd::Closed) => Duration::ZERO,
            Some(SessionEnd::InSync | SessionEnd::CaughtUp | SessionEnd::Repaired(_)) => {
                print_round(args, files, replica, &report, Traffic::default())?;
                interval
            }
            Some(SessionEnd::Busy { retry_after_ms }) => {
                failures += 1;
                wait_for(failures, Some(*retry_after_ms))
            }
            Some(SessionEnd::GoneAway { .. } | SessionEnd::LinkLost) if rounds > 0 => {
                failures += 1;
                wait_for(failures, None)
            }
            _ => return print_round(args, files, replica, &report, Traffic::default()),
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    signal.abort();
    Ok(())
}

fn wait_for(failures: u32, stated_ms: Option<u64>) -> Duration {
    Duration::from_millis(delay_ms(failures, u64::from_be_bytes(random()), stated_ms))
}

/// Prints what a session or a round of one came to.
///
/// # Errors
/// Its refusal.
fn print_round(
    args: &cli::Sync,
    files: &Files,
    replica: &Replica,
    report: &SyncReport,
    traffic: Traffic,
) -> anyhow::Result<()> {
    let mut shown = show(report, traffic, held_receipt(files, replica, report)?);
    shown.rebuilding = replica
        .store()
        .read(|reader| reader.is_marked(Mark::Rebuilding))?;
    let differs = shown
        .receipt
        .as_ref()
        .is_some_and(|receipt| receipt.verified == Some(false));
    if differs {
        (shown.outcome, shown.reason) = ("refused", Some("RECEIPT_DIFFERS".to_owned()));
    }
    if args.json {
        print_json(&shown)?;
    } else {
        print_line(format_args!(
            "{}: sent {} changes, received {}, {} round trips, {} + {} bytes",
            shown.outcome,
            shown.pushed.changes,
            shown.pulled.changes,
            shown.round_trips,
            shown.bytes_sent,
            shown.bytes_received
        ))?;
    }
    if let Some(error) = refusal(report.end.as_ref()) {
        return Err(error.into());
    }
    if differs {
        let message = "The receipt is about other documents than those stored here; run verify, then rebuild or restore.";
        return Err(Refused::new("RECEIPT_DIFFERS", message).into());
    }
    Ok(())
}

/// The last receipt kept, with its time.
///
/// # Errors
/// The store's.
pub fn last_receipt(replica: &Replica) -> anyhow::Result<Option<Receipt>> {
    let store_id = replica.store().identity().store_id;
    let row = replica
        .store()
        .read(|reader| reader.last_receipt(store_id))
        .context("read the last receipt")?;
    Ok(row.and_then(|row| Receipt::from_bytes(&row.bytes)))
}

/// Documents kept apart here or, by its last receipt, at the aggregator. Sorted.
///
/// # Errors
/// The store's.
pub fn apart(reader: &Reader, receipt: Option<&Receipt>) -> Result<BTreeSet<DocumentId>, StoreError> {
    let mut apart: BTreeSet<DocumentId> = reader.documents_quarantined()?.into_iter().collect();
    apart.extend(receipt.into_iter().flat_map(|receipt| &receipt.quarantined));
    Ok(apart)
}

/// How a receipt came: over a connection, or by file.
///
/// # Errors
/// The store's.
pub fn came_by(reader: &Reader, receipt: &Receipt) -> Result<&'static str, StoreError> {
    let by_file = reader.receipt_by_file()? == Some(receipt.hash());
    Ok(if by_file { BY_FILE } else { BY_CONNECTION })
}

/// A receipt as printed; `by` says how it came.
pub fn shown_receipt(receipt: &Receipt, by: &'static str, verified: Option<bool>) -> ShownReceipt {
    ShownReceipt {
        time: time_text(receipt.time_ms),
        documents: receipt.documents,
        digest: receipt.root().iter().map(|byte| format!("{byte:02x}")).collect(),
        position: receipt.position,
        verified,
        by,
    }
}

/// The receipt that still proves it where nothing had changed, checked once more against signature and rows.
fn held_receipt(
    files: &Files,
    replica: &Replica,
    report: &SyncReport,
) -> anyhow::Result<Option<ShownReceipt>> {
    if report.end != Some(SessionEnd::InSync) || report.receipt.is_some() {
        return Ok(report
            .receipt
            .as_ref()
            .map(|receipt| shown_receipt(receipt, BY_CONNECTION, Some(true))));
    }
    let key = files.load_config()?.receipt_key()?;
    let Some(receipt) = last_receipt(replica)? else {
        return Ok(None);
    };
    let check = replica
        .check_receipt(&receipt, &key.0, &Ed25519)
        .context("check the receipt")?;
    let by = replica.store().read(|reader| came_by(reader, &receipt))?;
    Ok(Some(shown_receipt(
        &receipt,
        by,
        Some(check == ReceiptCheck::Equal),
    )))
}

fn show(report: &SyncReport, traffic: Traffic, receipt: Option<ShownReceipt>) -> ShownSync {
    let (outcome, reason) = match &report.end {
        Some(SessionEnd::InSync) => ("in_sync", None),
        Some(SessionEnd::CaughtUp) => ("caught_up", None),
        Some(SessionEnd::Repaired(reason)) => ("repaired", Some(reason_name(*reason).to_owned())),
        Some(SessionEnd::Restart(reason)) => ("refused", Some(reason_name(*reason).to_owned())),
        Some(SessionEnd::Busy { .. }) => ("refused", Some("BUSY".to_owned())),
        Some(SessionEnd::Refused { code, .. }) => ("refused", Some(code.clone())),
        Some(SessionEnd::Diverged) => ("refused", Some("DIVERGED".to_owned())),
        Some(SessionEnd::GoneAway { code, .. }) => ("refused", Some(code.clone())),
        Some(SessionEnd::Closed) => ("in_sync", None),
        Some(SessionEnd::LinkLost) | None => ("refused", Some("LINK_LOST".to_owned())),
    };
    ShownSync {
        outcome,
        reason,
        pushed: Counted {
            changes: report.pushed.changes,
            documents: report.pushed.documents,
        },
        pulled: Counted {
            changes: report.pulled.changes,
            documents: report.pulled.documents,
        },
        quarantined: report.pulled.quarantined + report.pushed.quarantined,
        round_trips: report.round_trips,
        bytes_sent: traffic.bytes_sent,
        bytes_received: traffic.bytes_received,
        connect_ms: report.connect_ms,
        duration_ms: report.duration_ms,
        receipt,
        rebuilding: false,
    }
}

fn reason_name(reason: RepairReason) -> &'static str {
    match reason {
        RepairReason::NoCursor => "no_cursor",
        RepairReason::EpochChanged => "epoch_changed",
        RepairReason::ChainMismatch => "chain_mismatch",
        RepairReason::ReceiverAhead => "receiver_ahead",
        RepairReason::DigestMismatch => "digest_mismatch",
    }
}

fn refusal(end: Option<&SessionEnd>) -> Option<Refused> {
    match end {
        Some(SessionEnd::InSync | SessionEnd::CaughtUp | SessionEnd::Repaired(_) | SessionEnd::Closed) => {
            None
        }
        Some(SessionEnd::Refused { code, message } | SessionEnd::GoneAway { code, message }) => {
            Some(Refused::new(code.clone(), message.clone()))
        }
        Some(SessionEnd::Busy { retry_after_ms }) => Some(Refused::new(
            "BUSY",
            format!("The aggregator is busy; try again in {retry_after_ms} ms."),
        )),
        Some(SessionEnd::Diverged) => {
            let message = "Both ends still differ after repair; nothing was lost. Run verify here and at the aggregator.";
            Some(Refused::new("DIVERGED", message))
        }
        Some(SessionEnd::Restart(_) | SessionEnd::LinkLost) | None => Some(Refused::new(
            "LINK_LOST",
            "The connection was lost; what was acknowledged stays. Try again.",
        )),
    }
}

/// Runs `status`.
///
/// # Errors
/// The store's.
pub fn run_status(args: &cli::Status) -> anyhow::Result<()> {
    let files = Files::new(&args.data.folder);
    let config = files.load_config()?;
    let replica = Replica::new(files.open_store()?);
    let expires = files
        .certificate()
        .and_then(|pem| CertificateFacts::read_pem(&pem).ok());
    let receipt = last_receipt(&replica)?;
    let status = replica.store().read(|reader| {
        let checked = reader.self_check()?;
        let time = |ms: i64| (ms > 0).then(|| time_text(ms));
        Ok(ShownStatus {
            self_check: ShownSelfCheck {
                repairs: checked.repairs,
                repaired_documents: checked.repaired_documents,
                repaired: time(checked.repaired_ms),
                recounted: time(checked.recounted_ms),
                corrected_scopes: checked.corrected_scopes,
            },
            large_documents: large_rows(reader)?.len() as u64,
            federation: config.federation.clone(),
            documents: reader.documents_count()?,
            waiting: Waiting::read(reader)?,
            last_receipt: match &receipt {
                Some(receipt) => Some(shown_receipt(receipt, came_by(reader, receipt)?, None)),
                None => None,
            },
            conflicts: reader.conflicts_count()?,
            quarantined: apart(reader, receipt.as_ref())?.len() as u64,
            certificate: Certificate {
                expires: expires.map(|facts| time_text(facts.not_after_ms)),
            },
            store: ShownStore {
                epoch: reader.identity().log_epoch.to_string(),
                position: reader.origin_end()?.position,
            },
            rebuilding: reader.is_marked(Mark::Rebuilding)?,
            fenced: reader.is_marked(Mark::Fenced)?,
            damaged: replica.store().is_read_only(),
        })
    });
    let status = status.context("read the status")?;
    if args.json {
        return print_json(&status);
    }
    print_line(format_args!(
        "federation {}, {} documents",
        status.federation, status.documents
    ))?;
    match &status.last_receipt {
        Some(receipt) => {
            print_line(format_args!(
                "{} documents are held by the national office, proven at {}{}",
                receipt.documents,
                receipt.time,
                if receipt.by == BY_FILE { " by file" } else { "" }
            ))?;
            print_line(format_args!(
                "digest {} at position {}",
                receipt.digest, receipt.position
            ))?;
        }
        None => print_line("no receipt yet")?,
    }
    print_line(format_args!(
        "{} changes waiting, {} conflicts, {} documents in quarantine",
        status.waiting.changes, status.conflicts, status.quarantined
    ))?;
    print_line(format_args!(
        "{} repairs of {} documents, {} sums corrected",
        status.self_check.repairs, status.self_check.repaired_documents, status.self_check.corrected_scopes
    ))?;
    if status.large_documents > 0 {
        print_line(format_args!(
            "{} documents are large; verify names them",
            status.large_documents
        ))?;
    }
    if status.rebuilding {
        print_line("the aggregator was restored and is being rebuilt; others may still hold what it lacks")?;
    }
    if status.fenced {
        print_line(
            "CLONED: another node works with this one's certificate; enrol one of them with a new token",
        )?;
    }
    Ok(())
}
