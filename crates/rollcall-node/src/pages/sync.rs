//! `/sync`: what the national office is proven to hold, what waits, what needs a person; starting a session.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use rollcall_command::output::Refused;
use rollcall_replica::by_file::AnswerTaken;
use rollcall_replica::runner::report::SyncReport;
use rollcall_rpc::Traffic;
use rollcall_rpc::peer_identity::CertificateFacts;
use rollcall_rpc::signing::Ed25519;
use rollcall_store::successor::Mark;
use rollcall_store::{Error as StoreError, Reader};
use rollcall_sync::message::Receipt;
use rollcall_sync::session::client::{ReceiptCheck, SessionEnd};
use rollcall_web::form::{CheckedForm, see_other, with_notice};
use rollcall_web::layout::{Frame, Tone};
use rollcall_web::login::{Clerk, Role, SignedIn};
use rollcall_web::page::sync::{
    AttentionRow, ByFile, Failing, ReceiptRow, SessionRow, Sync, SyncState, WaitingRow,
};
use rollcall_web::{Error, Page};

use super::import_plan::Nothing;
use super::record_page;
use super::words::{self, AuthorNames};
use crate::app::App;
use crate::files::Config;
use crate::link::sync_now;

/// Rows shown of each table.
const ROWS_MAX: usize = 20;
/// How long a page waits for a session; it goes on after that.
const SESSION_WAIT: Duration = Duration::from_secs(20);
/// Silence after which the aggregator counts as out of reach, in intervals between sessions.
const INTERVALS_MAX: i64 = 3;
/// A certificate that ends within this is a matter for somebody.
const CERTIFICATE_SOON_MS: i64 = 14 * 86_400_000;

/// A session run from a page, or an answer by file.
#[derive(Debug, Clone)]
pub struct PastSession {
    begun_unix_ms: i64,
    outcome: &'static str,
    refusal: Option<(String, String)>,
    pushed_changes: u64,
    pulled_changes: u64,
    bytes: u64,
    duration_ms: u64,
}

impl PastSession {
    /// Why it did not reach its end, in words.
    fn told(&self, frame: &Frame) -> Option<String> {
        let (code, message) = self.refusal.as_ref()?;
        Some(format!("{} [{code}]", frame.sentence(code, message)))
    }

    /// What is remembered of an answer that somebody carried here.
    pub(super) fn by_file(begun_unix_ms: i64, bytes: u64, taken: &anyhow::Result<AnswerTaken>) -> Self {
        let (outcome, pushed_changes, pulled_changes) = match taken {
            Ok(taken) => (
                crate::by_file::outcome(taken),
                taken.pushed.changes,
                taken.pulled.changes,
            ),
            Err(_) => ("refused", 0, 0),
        };
        let refused = taken
            .as_ref()
            .err()
            .map(|error| match error.downcast_ref::<Refused>() {
                Some(refused) => (refused.code.clone(), refused.message.clone()),
                None => ("SYNC_FAILED".to_owned(), format!("{error:#}")),
            });
        Self {
            begun_unix_ms,
            outcome,
            refusal: refused,
            pushed_changes,
            pulled_changes,
            bytes,
            duration_ms: 0,
        }
    }
}

/// Shows the page.
///
/// # Errors
/// The store's.
pub async fn show(State(app): State<App>, signed_in: SignedIn) -> Result<Page<Sync>, Error> {
    let frame = signed_in.frame("nav.sync");
    let now_ms = signed_in.visit.site.now_unix_ms();
    let may_start = signed_in.account.role >= Role::Clerk;
    let config = app
        .files
        .load_config()
        .map_err(|error| Error::internal(error.into_boxed_dyn_error()))?;
    let page = app
        .with(move |app| page(app, frame, &config, now_ms, may_start))
        .await?;
    Ok(Page(page))
}

fn page(
    app: &App,
    frame: Frame,
    config: &Config,
    now_ms: i64,
    may_start: bool,
) -> Result<Sync, rollcall_replica::Error> {
    let store = app.replica.store();
    let store_id = store.identity().store_id;
    let certificate = app
        .files
        .certificate()
        .and_then(|pem| CertificateFacts::read_pem(&pem).ok());
    let ends_ms = certificate.map(|facts| facts.not_after_ms);
    let last = crate::sync::last_receipt(&app.replica).unwrap_or_default();
    let proven = proven(app, config)?;
    let locale = frame.locale;
    let silence_max = i64::try_from(config.sync_seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(1000 * INTERVALS_MAX);
    let last_session = app.sessions().into_iter().next();
    let failed = last_session.filter(|session| session.refusal.is_some());
    let failed_ms = failed
        .as_ref()
        .filter(|session| session.outcome == "failed")
        .map(|session| session.begun_unix_ms);
    let background = app.reach.failing();
    let (state, waiting, attention, receipts) = store.read(|reader| {
        let upstream = reader.upstream()?;
        let acknowledged = upstream
            .as_ref()
            .map_or(0, |upstream| upstream.acknowledged.position);
        let lying = reader.waiting(acknowledged)?;
        let heard_ms = upstream.map_or(0, |upstream| upstream.last_heard_ms);
        // Another process may have been answered since.
        let background = background.as_ref().filter(|failing| heard_ms <= failing.last_ms);
        let state = SyncState {
            failing: background.map(|failing| Failing {
                since_unix_ms: match heard_ms {
                    heard_ms if heard_ms > 0 && failing.is_out_of_reach() => heard_ms,
                    _ => failing.since_ms,
                },
                answered: !failing.is_out_of_reach(),
            }),
            documents: match &proven {
                Some(receipt) => receipt.documents,
                None => reader.documents_count()?,
            },
            waiting_changes: lying.changes,
            waiting_since_unix_ms: lying.since_ms,
            attention: crate::sync::apart(reader, last.as_ref())?.len() as u64,
            proven_unix_ms: proven.as_ref().map(|receipt| receipt.time_ms),
            proven_by_file: match &proven {
                Some(receipt) => crate::sync::came_by(reader, receipt)? == crate::sync::BY_FILE,
                None => false,
            },
            connected: config.aggregator.is_some()
                && background.is_none()
                && is_connected(heard_ms, failed_ms, now_ms, silence_max),
            enrolled: config.aggregator.is_some(),
        };
        let receipts = reader.receipts(store_id, ROWS_MAX)?.into_iter().map(|row| {
            let receipt = Receipt::from_bytes(&row.bytes);
            ReceiptRow {
                at: locale.moment(row.time_ms),
                documents: receipt
                    .as_ref()
                    .map_or(row.set.count, |receipt| receipt.documents),
                digest: receipt.map_or_else(String::new, |receipt| crate::organisation::hex(receipt.root())),
                position: row.position,
                verified: row.verified,
            }
        });
        Ok((
            state,
            waiting(reader, &frame, acknowledged)?,
            attention(app, reader, &frame, last.as_ref())?,
            receipts.collect(),
        ))
    })?;
    let sessions = app.sessions().into_iter().map(|session| SessionRow {
        at: locale.moment(session.begun_unix_ms),
        outcome: session.outcome,
        reason: session.told(&frame),
        pushed_changes: session.pushed_changes,
        pulled_changes: session.pulled_changes,
        bytes: session.bytes,
        duration_ms: session.duration_ms,
    });
    let failure = failed.map(|session| {
        let reason = session.told(&frame);
        frame.fill(
            "sync.failed",
            &[&locale.moment(session.begun_unix_ms), &reason.unwrap_or_default()],
        )
    });
    let failing = state.failing.zip(background).map(|(failing, last)| {
        let reason = format!("{} [{}]", frame.sentence(&last.code, &last.message), last.code);
        frame.fill("sync.failing", &[&locale.moment(failing.since_unix_ms), &reason])
    });
    Ok(Sync {
        state,
        failure: failure.or(failing),
        start_action: (may_start && config.aggregator.is_some()).then(|| "/sync".to_owned()),
        by_file: (may_start && config.aggregator.is_some()).then(|| ByFile {
            file_action: "/sync/file".to_owned(),
            answer_action: "/sync/answer".to_owned(),
            size_bytes_max: super::batch_file::ANSWER_SIZE_BYTES_MAX as u64,
        }),
        waiting: with_reasons(app, &frame, waiting)?,
        attention,
        receipts,
        sessions: sessions.collect(),
        aggregator: config.aggregator.clone(),
        store_epoch: store.identity().log_epoch.to_string(),
        certificate_until: ends_ms.map(|ends_ms| locale.day_of(ends_ms)),
        certificate_tone: match ends_ms {
            Some(ends_ms) if ends_ms <= now_ms => Tone::Attention,
            Some(ends_ms) if ends_ms - now_ms < CERTIFICATE_SOON_MS => Tone::Waiting,
            _ => Tone::Good,
        },
        frame,
    })
}

/// The last receipt, if signature and digests still hold for everything that is held now.
fn proven(app: &App, config: &Config) -> Result<Option<Receipt>, rollcall_replica::Error> {
    let store_id = app.replica.store().identity().store_id;
    let row = app.replica.store().read(|reader| reader.last_receipt(store_id))?;
    let (Some(receipt), Ok(key)) = (
        row.and_then(|row| Receipt::from_bytes(&row.bytes)),
        config.receipt_key(),
    ) else {
        return Ok(None);
    };
    let check = app.replica.check_receipt(&receipt, &key.0, &Ed25519)?;
    Ok((check == ReceiptCheck::Equal).then_some(receipt))
}

/// A change that waits, with where its reason stands.
struct Lying {
    document_id: rollcall_core::id::DocumentId,
    change: [u8; 32],
    row: WaitingRow,
}

fn waiting(reader: &Reader, frame: &Frame, acknowledged: u64) -> Result<Vec<Lying>, StoreError> {
    let mut rows = Vec::new();
    for origin in reader.origin_rows(acknowledged, ROWS_MAX)? {
        let (name, href) = named(reader, origin.document_id)?;
        let at = frame.locale.moment(origin.recorded_at_ms);
        let row = WaitingRow {
            name,
            href,
            at,
            author: String::new(),
            reason: String::new(),
        };
        rows.push(Lying {
            document_id: origin.document_id,
            change: origin.hash,
            row,
        });
    }
    Ok(rows)
}

fn with_reasons(
    app: &App,
    frame: &Frame,
    lying: Vec<Lying>,
) -> Result<Vec<WaitingRow>, rollcall_replica::Error> {
    let names = AuthorNames::load(app.replica.store())?;
    let mut rows = Vec::with_capacity(lying.len());
    for mut lying in lying {
        let history = app.replica.document(lying.document_id)?.history();
        if let Some(entry) = history.into_iter().find(|entry| entry.change == lying.change) {
            lying.row.author = names.show(frame, &entry.author);
            lying.row.reason = words::reason(frame, entry.reason);
        }
        rows.push(lying.row);
    }
    Ok(rows)
}

fn attention(
    app: &App,
    reader: &Reader,
    frame: &Frame,
    last: Option<&Receipt>,
) -> Result<Vec<AttentionRow>, StoreError> {
    let mut rows = Vec::new();
    for (code, holds) in [
        ("STORE_DAMAGED", app.replica.store().is_read_only()),
        ("CLONED", reader.is_marked(Mark::Fenced)?),
        ("REBUILDING", reader.is_marked(Mark::Rebuilding)?),
    ] {
        if holds {
            rows.push(AttentionRow {
                name: reader.identity().name.clone(),
                href: None,
                message: frame.sentence(code, ""),
                code: code.to_owned(),
            });
        }
    }
    for kept in reader.quarantine(ROWS_MAX)? {
        let (name, href) = named(reader, kept.refused.document_id)?;
        rows.push(AttentionRow {
            name,
            href,
            message: frame.sentence(&kept.refused.code, &kept.refused.message),
            code: kept.refused.code,
        });
    }
    let here = reader.documents_quarantined()?;
    let above = last.into_iter().flat_map(|receipt| &receipt.quarantined);
    for id in above.filter(|id| !here.contains(id)).take(ROWS_MAX) {
        let (name, href) = named(reader, *id)?;
        rows.push(AttentionRow {
            name,
            href,
            message: frame.sentence("QUARANTINED_ABOVE", ""),
            code: "QUARANTINED_ABOVE".to_owned(),
        });
    }
    Ok(rows)
}

/// A document's name and, where it has one, its page.
fn named(reader: &Reader, id: rollcall_core::id::DocumentId) -> Result<(String, Option<String>), StoreError> {
    Ok(match reader.listing(id)? {
        Some(row) => {
            let href = record_page::href_of(row.kind, id);
            let name = if row.listing.name.is_empty() {
                id.to_string()
            } else {
                row.listing.name
            };
            (name, href)
        }
        None => (id.to_string(), None),
    })
}

/// Whether the aggregator answers: it was heard within the silence that is normal, and no call since went wrong.
fn is_connected(heard_ms: i64, failed_ms: Option<i64>, now_ms: i64, silence_max_ms: i64) -> bool {
    now_ms.saturating_sub(heard_ms) <= silence_max_ms
        && failed_ms.is_none_or(|failed_ms| failed_ms < heard_ms)
}

/// Runs a session now. One that takes long goes on behind the page; why one did not reach its end stands on the page.
///
/// # Errors
/// `FORM_NOT_OURS`, or a session that broke off by a defect.
pub async fn start(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    form: CheckedForm<Nothing>,
) -> Result<Response, Error> {
    let begun_unix_ms = signed_in.visit.site.now_unix_ms();
    let answer = form.submit_once(|_| async move {
        let session = tokio::spawn(async move {
            let result = sync_now(&app.files, &app.replica).await;
            let (session, refusal) = past(begun_unix_ms, result);
            app.keep_session(session);
            refusal
        });
        match tokio::time::timeout(SESSION_WAIT, session).await {
            Err(_) => Ok(with_notice("/sync", "sync_started")),
            Ok(Err(panicked)) => Err(Error::internal(panicked)),
            Ok(Ok(Some(refused))) => Err(Error::refused(refused.code, refused.message)),
            Ok(Ok(None)) => Ok(with_notice("/sync", "synced")),
        }
    });
    match answer.await {
        // Not a result of the form, so that it may be tried again from the same page.
        Err(Error::Refused { .. }) => Ok(see_other(&with_notice("/sync", "sync_failed"))),
        other => other,
    }
}

/// What is remembered of a session, and why it did not reach its end.
fn past(begun_unix_ms: i64, result: anyhow::Result<(SyncReport, Traffic)>) -> (PastSession, Option<Refused>) {
    let mut session = PastSession {
        begun_unix_ms,
        outcome: "failed",
        refusal: None,
        pushed_changes: 0,
        pulled_changes: 0,
        bytes: 0,
        duration_ms: 0,
    };
    let refusal = match result {
        Err(error) => Some(error.downcast::<Refused>().unwrap_or_else(|error| {
            Refused::new("SYNC_FAILED", format!("The session could not be run: {error:#}."))
        })),
        Ok((report, traffic)) => {
            session.pushed_changes = report.pushed.changes;
            session.pulled_changes = report.pulled.changes;
            session.bytes = traffic.bytes_sent + traffic.bytes_received;
            session.duration_ms = report.duration_ms;
            let (outcome, refusal) = ended(report.end);
            session.outcome = outcome;
            refusal
        }
    };
    session.refusal = refusal
        .as_ref()
        .map(|refused| (refused.code.clone(), refused.message.clone()));
    (session, refusal)
}

fn ended(end: Option<SessionEnd>) -> (&'static str, Option<Refused>) {
    match end {
        Some(SessionEnd::InSync) => ("in_sync", None),
        Some(SessionEnd::CaughtUp) => ("caught_up", None),
        Some(SessionEnd::Repaired(_)) => ("repaired", None),
        Some(SessionEnd::Closed) => ("in_sync", None),
        Some(SessionEnd::Refused { code, message } | SessionEnd::GoneAway { code, message }) => {
            ("refused", Some(Refused::new(code, message)))
        }
        Some(SessionEnd::Busy { .. }) => (
            "refused",
            Some(Refused::new(
                "BUSY",
                "The aggregator is busy; try again in a minute.",
            )),
        ),
        Some(SessionEnd::Diverged) => {
            let message = "Both ends still differ after repair; nothing was lost. Tell your administrator.";
            ("refused", Some(Refused::new("DIVERGED", message)))
        }
        Some(SessionEnd::Restart(_) | SessionEnd::LinkLost) | None => {
            let message = "The connection was lost; what was acknowledged stays. Try again.";
            ("failed", Some(Refused::new("LINK_LOST", message)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_went_wrong_counts_at_once_until_the_aggregator_is_heard_again() {
        for (heard_ms, failed_ms, now_ms, connected) in [
            (1_000, None, 1_500, true),
            (1_000, None, 1_901, false),
            (1_000, Some(1_400), 1_500, false),
            (1_450, Some(1_400), 1_500, true),
        ] {
            assert_eq!(
                is_connected(heard_ms, failed_ms, now_ms, 900),
                connected,
                "{heard_ms} {failed_ms:?}"
            );
        }
    }
}
