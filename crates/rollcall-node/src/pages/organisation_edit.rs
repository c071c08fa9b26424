//! Editing one organisation and entering a new one by hand. The edit is made from the heads that the form showed:
//! what somebody else changed meanwhile stays beside it as a conflict.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rollcall_command::accounts::audit;
use rollcall_command::clock::random;
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_core::record::{OrganisationRecord, Record};
use rollcall_doc::Document;
use rollcall_replica::Replica;
use rollcall_replica::edit::Editing;
use rollcall_web::form::{CheckedForm, with_notice};
use rollcall_web::login::{Clerk, SignedIn};
use rollcall_web::page::organisation::OrganisationEdit;
use rollcall_web::{Error, Page};

use super::organisation_form::{Values, edits, fields, new_record, shown};
use super::{editing, today, words};
use crate::app::App;

/// The form of an organisation that is held.
///
/// # Errors
/// `NOT_FOUND`, the store's.
pub async fn form(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    Path(reference): Path<String>,
) -> Result<Page<OrganisationEdit>, Error> {
    let (id, document) = app.with(move |app| open(&app.replica, &reference)).await?;
    let Record::Organisation(record) = document.record().0 else {
        return Err(Error::NotFound);
    };
    let heads = document
        .heads()
        .into_iter()
        .map(crate::organisation::hex)
        .collect::<Vec<_>>()
        .join(",");
    Ok(Page(page(&signed_in, Some(id), shown(&record), &heads, "", &[])))
}

/// Saves what was entered.
///
/// # Errors
/// `NOT_FOUND`, `HEADS_UNKNOWN`, `FOREIGN_JURISDICTION`, the store's. What is wrong with the values is shown on the form.
pub async fn submit(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    Path(reference): Path<String>,
    form: CheckedForm<Values>,
) -> Result<Response, Error> {
    let values = form.value.clone();
    let text = |name: &str| {
        values
            .get(name)
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    };
    let heads_text = text("heads");
    let heads = parse_heads(&heads_text).ok_or_else(heads_unknown)?;
    let mut by = editing(&signed_in, &text("reason"));
    by.heads = Some(heads.clone());
    let asked = heads.clone();
    let (id, before) = app
        .with(move |app| {
            let (id, _) = open(&app.replica, &reference)?;
            Ok((id, as_of_heads(&app.replica, id, &asked)?))
        })
        .await?;
    let before = before.ok_or_else(heads_unknown)?;
    let planned = edits(&before, &values, today(&signed_in)).and_then(|edits| match with_reason(&by) {
        Ok(()) => Ok(edits),
        Err(problem) => Err(vec![problem]),
    });
    let edits = match planned {
        Ok(edits) => edits,
        Err(problems) => {
            let reason = by.reason.clone();
            return Ok(refused(page(
                &signed_in,
                Some(id),
                values,
                &heads_text,
                &reason,
                &problems,
            )));
        }
    };
    form.submit_once(|_| async move {
        let address = format!("/organisations/{id}");
        let saved = app
            .with(move |app| {
                let saved = app.replica.edit(id, &by, |_| Ok(edits.clone()))?;
                if saved.is_some() {
                    audit(
                        app.replica.store(),
                        &by.author,
                        "organisation_edited",
                        &id.to_string(),
                        by.now_ms,
                    )?;
                }
                Ok(saved)
            })
            .await?;
        Ok(if saved.is_some() {
            with_notice(&address, "saved")
        } else {
            address
        })
    })
    .await
}

/// The form of an organisation that is not held yet.
///
/// # Errors
/// The store's.
pub async fn form_new(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
) -> Result<Page<OrganisationEdit>, Error> {
    let written = app.with(|app| app.replica.scopes_written()).await?;
    let home = written.first().map(ToString::to_string).unwrap_or_default();
    let values = [
        ("responsible", home.as_str()),
        ("registration_status", "registered"),
        ("location", &home),
    ];
    let values = values
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect();
    Ok(Page(page(&signed_in, None, values, "", "", &[])))
}

/// Enters a new organisation.
///
/// # Errors
/// `FOREIGN_JURISDICTION`, the store's. What is wrong with the values is shown on the form.
pub async fn submit_new(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    form: CheckedForm<Values>,
) -> Result<Response, Error> {
    let values = form.value.clone();
    let by = editing(
        &signed_in,
        values.get("reason").map(String::as_str).unwrap_or_default(),
    );
    let as_of = today(&signed_in);
    let own_id: String = random::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
    let checked = new_record(&values, as_of, format!("by-hand-{own_id}"))
        .and_then(|record| with_reason(&by).map_err(|problem| vec![problem]).map(|()| record))
        .and_then(check_new);
    let (id, record) = match checked {
        Ok(checked) => checked,
        Err(problems) => {
            let reason = by.reason.clone();
            return Ok(refused(page(&signed_in, None, values, "", &reason, &problems)));
        }
    };
    let code = record.key().unwrap_or_default();
    form.submit_once(|_| async move {
        if app.with(move |app| is_held(&app.replica, &code)).await? {
            let message = "An organisation with this code is held already; find it by its code and edit it.";
            return Err(Error::refused("CODE_HELD", message));
        }
        app.with(move |app| {
            let kind = DocumentKind::Organisation;
            app.replica
                .edit_or_create(id, kind, &by, |document| document.plan(&record))?;
            Ok(audit(
                app.replica.store(),
                &by.author,
                "organisation_entered",
                &id.to_string(),
                by.now_ms,
            )?)
        })
        .await?;
        Ok(with_notice(&format!("/organisations/{id}"), "saved"))
    })
    .await
}

fn open(replica: &Replica, reference: &str) -> Result<(DocumentId, Document), rollcall_replica::Error> {
    let id = replica.find(reference, &[DocumentKind::Organisation])?;
    Ok((id, replica.document(id)?))
}

/// The document as a form with these heads showed it; `None` where it never stood so. Changes are stored in the order
/// in which they came, so a past state is a beginning of them.
fn as_of_heads(
    replica: &Replica,
    id: DocumentId,
    heads: &[[u8; 32]],
) -> Result<Option<Document>, rollcall_replica::Error> {
    let Some((row, changes)) = replica.store().read(|reader| reader.load(id))? else {
        return Ok(None);
    };
    let Some(last) = changes.iter().rposition(|change| heads.contains(&change.hash)) else {
        return Ok(None);
    };
    let then = changes
        .iter()
        .take(last + 1)
        .map(|change| change.bytes.as_slice());
    let document =
        Document::load(row.kind, id, then).map_err(|source| rollcall_replica::Error::Document {
            id,
            source: Box::new(source),
        })?;
    let mut wanted = heads.to_vec();
    wanted.sort_unstable();
    Ok((document.heads() == wanted).then_some(document))
}

/// The new document's id and record, once its plan is sound.
fn check_new(record: OrganisationRecord) -> Result<(DocumentId, Record), Vec<Problem>> {
    let record = Record::Organisation(Box::new(record));
    let Some(id) = record.document_id() else {
        return Err(vec![Problem::error("ID_MISSING", "code", "Enter the code.")]);
    };
    Document::create(DocumentKind::Organisation, id).plan(&record)?;
    Ok((id, record))
}

/// Whether an organisation of this code is held, as its id or as one it took later.
fn is_held(replica: &Replica, code: &str) -> Result<bool, rollcall_replica::Error> {
    match replica.find(code, &[DocumentKind::Organisation]) {
        Ok(_) => Ok(true),
        Err(rollcall_replica::Error::NoDocument(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn page(
    signed_in: &SignedIn,
    id: Option<DocumentId>,
    values: Values,
    heads: &str,
    reason: &str,
    problems: &[Problem],
) -> OrganisationEdit {
    let frame = signed_in.frame("nav.organisations");
    let (title, action, back_href) = match id {
        Some(id) => {
            let name = values.get("name").filter(|name| !name.is_empty()).cloned();
            let address = format!("/organisations/{id}");
            (
                name.unwrap_or_else(|| id.to_string()),
                format!("{address}/edit"),
                address,
            )
        }
        None => {
            let title = frame.text("organisations.new").to_owned();
            (
                title,
                "/organisations/new".to_owned(),
                "/organisations".to_owned(),
            )
        }
    };
    OrganisationEdit {
        title,
        action,
        back_href,
        heads: heads.to_owned(),
        fields: fields(&frame, &values, problems),
        reason: reason.to_owned(),
        problems: problems
            .iter()
            .map(|problem| words::refusal(&frame, problem))
            .collect(),
        frame,
    }
}

fn refused(page: OrganisationEdit) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response()
}

fn with_reason(by: &Editing) -> Result<(), Problem> {
    if by.reason.is_empty() {
        return Err(Problem::error(
            "REASON_MISSING",
            "",
            "Say why; the reason is kept with the edit.",
        ));
    }
    Ok(())
}

fn heads_unknown() -> Error {
    let message =
        "The form shows a state of this organisation that is not known here. Open it again and edit anew.";
    Error::refused("HEADS_UNKNOWN", message)
}

/// Hashes in hexadecimal, separated by commas.
fn parse_heads(text: &str) -> Option<Vec<[u8; 32]>> {
    let parse = |text: &str| {
        let mut hash = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(hash)
    };
    text.split(',').map(parse).collect()
}
