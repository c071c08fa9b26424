//! What the pages of records have in common: where a record stands, what it is called, what is odd about it, and
//! settling its conflicts.

use axum::extract::{Path, State};
use axum::response::Response;
use rollcall_command::accounts::audit;
use rollcall_command::large;
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use rollcall_replica::{Error as ReplicaError, Replica};
use rollcall_web::Error;
use rollcall_web::form::{CheckedForm, CheckedQuery, with_notice};
use rollcall_web::layout::{Frame, Tone};
use rollcall_web::login::Head;
use rollcall_web::page::organisation::{FieldRow, ProblemRow, RefusalRow, ValueLine};
use serde::Deserialize;

use super::{editing, words};
use crate::app::App;

/// Kinds of records that have pages.
pub(super) const KINDS: [DocumentKind; 4] = [
    DocumentKind::Organisation,
    DocumentKind::Union,
    DocumentKind::Subsidy,
    DocumentKind::Fund,
];

/// The page of a record.
pub(super) fn href(kind: DocumentKind, id: DocumentId) -> String {
    let folder = match kind {
        DocumentKind::Union => "unions",
        DocumentKind::Subsidy => "subsidies",
        DocumentKind::Fund => "funds",
        DocumentKind::Organisation
        | DocumentKind::SameAs
        | DocumentKind::Federation
        | DocumentKind::Campaign => "organisations",
    };
    format!("/{folder}/{id}")
}

/// The page of a record, where its kind has one.
pub(super) fn href_of(kind: DocumentKind, id: DocumentId) -> Option<String> {
    KINDS.contains(&kind).then(|| href(kind, id))
}

/// Where the entries of a record are made.
pub(super) fn entries_href(id: DocumentId) -> String {
    format!("/entries/{id}")
}

/// The part of the navigation that a kind belongs to.
pub(super) fn section(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Union => "nav.unions",
        DocumentKind::Subsidy | DocumentKind::Fund => "nav.subsidies",
        DocumentKind::Organisation
        | DocumentKind::SameAs
        | DocumentKind::Federation
        | DocumentKind::Campaign => "nav.organisations",
    }
}

/// The record of a kind that holds a code, as its own or as one it took later.
pub(super) fn held(
    replica: &Replica,
    kind: DocumentKind,
    code: &str,
) -> Result<Option<DocumentId>, ReplicaError> {
    match replica.find(code, &[kind]) {
        Ok(id) => Ok(Some(id)),
        Err(ReplicaError::NoDocument(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether this node keeps a record, and so may write it.
pub(super) fn is_kept(replica: &Replica, id: DocumentId) -> Result<bool, ReplicaError> {
    let written = replica.scopes_written()?;
    let homes = replica.store().read(|reader| reader.homes_of(id))?;
    Ok(Replica::keeps(&written, &homes))
}

/// What one end keeps apart of a record, in words.
pub(super) fn refusals(
    frame: &Frame,
    replica: &Replica,
    id: DocumentId,
) -> Result<Vec<RefusalRow>, ReplicaError> {
    let kept = replica.store().read(|reader| reader.quarantine_of(id))?;
    let here = kept
        .into_iter()
        .filter(|row| row.released_ms.is_none())
        .map(|row| RefusalRow {
            at: frame.locale.moment(row.first_seen_ms),
            message: frame.sentence(&row.refused.code, &row.refused.message),
            code: row.refused.code,
            here: true,
        });
    Ok(here.collect())
}

/// What a record is called on pages.
pub(super) fn name(frame: &Frame, replica: &Replica, id: DocumentId) -> Result<String, ReplicaError> {
    let row = replica.store().read(|reader| reader.listing(id))?;
    Ok(match row {
        Some(row) if row.kind == DocumentKind::Subsidy => match replica.record(id)?.0 {
            Record::Subsidy(case) => {
                let payee = payee(
                    replica,
                    case.payee_union.as_deref(),
                    case.payee_federation.as_ref(),
                )?
                .0;
                format!("{payee} · {}", frame.term("subsidy", case.kind.name()))
            }
            _ => id.to_string(),
        },
        Some(row) if row.kind == DocumentKind::Fund => match replica.record(id)?.0 {
            Record::Fund(fund) => {
                let federation = words::division(fund.federation.as_str());
                frame.fill("subsidies.fund_of", &[&federation, &fund.year.to_string()])
            }
            _ => id.to_string(),
        },
        Some(row) if !row.listing.name.is_empty() => row.listing.name,
        _ => id.to_string(),
    })
}

/// Who gets a subsidy, with the page where there is one.
pub(super) fn payee(
    replica: &Replica,
    union: Option<&str>,
    federation: Option<&rollcall_core::id::FederationId>,
) -> Result<(String, Option<String>), ReplicaError> {
    let Some(union) = union else {
        let name = federation.map_or_else(String::new, |federation| words::division(federation.as_str()));
        return Ok((name, None));
    };
    match replica.find(union, &[DocumentKind::Union]) {
        Ok(id) => {
            let row = replica.store().read(|reader| reader.listing(id))?;
            let name = row.map(|row| row.listing.name).filter(|name| !name.is_empty());
            let name = name.unwrap_or_else(|| union.to_owned());
            Ok((name, Some(href(DocumentKind::Union, id))))
        }
        Err(ReplicaError::NoDocument(_)) => Ok((union.to_owned(), None)),
        Err(error) => Err(error),
    }
}

/// One agreed field of a profile.
pub(super) fn field_row(field: &'static str, text: Option<String>) -> FieldRow {
    FieldRow {
        field,
        values: text
            .into_iter()
            .map(|text| ValueLine {
                text,
                from: None,
                source: None,
                document: None,
            })
            .collect(),
        change_href: None,
    }
}

/// What is odd about a record, in words; that it is large, too.
pub(super) fn problem_rows(
    frame: &Frame,
    replica: &Replica,
    id: DocumentId,
    problems: &[Problem],
) -> Result<Vec<ProblemRow>, ReplicaError> {
    let row = replica.store().read(|reader| reader.document(id))?;
    let bytes = row.map_or(0, |row| row.bytes_total);
    let large = large::is_large(bytes).then(|| ProblemRow {
        code: "DOCUMENT_LARGE".to_owned(),
        tone: Tone::Waiting,
        message: frame.sentence("DOCUMENT_LARGE", &large::sentence(bytes)),
    });
    Ok(problems
        .iter()
        .map(|problem| ProblemRow {
            code: problem.code.clone(),
            tone: words::tone(problem.severity),
            message: words::sentence(frame, problem),
        })
        .chain(large)
        .collect())
}

/// Which conflict is settled.
#[derive(Debug, Deserialize)]
pub struct SettleQuery {
    field: String,
}

/// Which value is taken.
#[derive(Debug, Deserialize)]
pub struct SettleForm {
    take: String,
    reason: String,
}

/// Takes one of the values of a conflict, in a record of any kind that has a page.
///
/// # Errors
/// `REASON_MISSING`, `CONFLICT_UNKNOWN`, `FOREIGN_JURISDICTION`, the store's.
pub async fn settle(
    State(app): State<App>,
    Head(signed_in): Head,
    Path(reference): Path<String>,
    CheckedQuery(query): CheckedQuery<SettleQuery>,
    form: CheckedForm<SettleForm>,
) -> Result<Response, Error> {
    let by = editing(&signed_in, &form.value.reason);
    if by.reason.is_empty() {
        return Err(Error::refused(
            "REASON_MISSING",
            "Say why this value is taken; it is kept with the edit.",
        ));
    }
    form.submit_once(|value| async move {
        let address = app
            .with(move |app| {
                let id = app.replica.find(&reference, &KINDS)?;
                app.replica
                    .edit(id, &by, |document| document.settle(&query.field, &value.take))?;
                let detail = format!("{id} {}", query.field);
                audit(
                    app.replica.store(),
                    &by.author,
                    "conflict_settled",
                    &detail,
                    by.now_ms,
                )?;
                let kind = app.replica.document(id)?.kind();
                Ok(href(kind, id))
            })
            .await?;
        Ok(with_notice(&address, "settled"))
    })
    .await
}
