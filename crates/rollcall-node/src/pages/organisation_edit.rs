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
use rollcall_doc::{Document, Edit as DocumentEdit};
use rollcall_replica::Replica;
use rollcall_replica::edit::Editing;
use rollcall_web::form::{Again, CheckedForm, Standing, with_notice};
use rollcall_web::login::{Clerk, SignedIn};
use rollcall_web::page::edit::Edit;
use rollcall_web::{Error, Page};

use super::doubt::{self, Doubt};
use super::form_field::{self, Values, entered, with_reason};
use super::organisation_form::{edits, fields, new_record, plainly, shown};
use super::{editing, entry_rule, form_again, heads, record_page, today};
use crate::app::App;

/// The form of an organisation that is held.
///
/// # Errors
/// `NOT_FOUND`, the store's.
pub async fn form(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    Path(reference): Path<String>,
) -> Result<Page<Edit>, Error> {
    let (id, document) = app.with(move |app| open(&app.replica, &reference)).await?;
    let Record::Organisation(record) = document.record().0 else {
        return Err(Error::NotFound);
    };
    let heads = heads::text(&document);
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
    match form.standing() {
        Standing::Fresh => {}
        Standing::Repeated(answer) => return Ok(answer),
        Standing::Again(again) => return show_again(app, signed_in, reference, values, again).await,
    }
    let values = plainly(values);
    let text = |name: &str| entered(&values, name).to_owned();
    let heads_text = text("heads");
    let heads = heads::parse(&heads_text).ok_or_else(heads::unknown)?;
    let mut by = editing(&signed_in, &text("reason"));
    by.heads = Some(heads.clone());
    let asked = heads.clone();
    let (entered, judged, day) = (values.clone(), by.clone(), today(&signed_in));
    let (id, planned) = app
        .with(move |app| {
            let (id, _) = open(&app.replica, &reference)?;
            let Some(before) = heads::document_at(&app.replica, id, &asked)? else {
                return Ok((id, None));
            };
            let planned = edits(&before, &entered, day).and_then(|edits| match with_reason(&judged.reason) {
                Ok(()) => Ok(edits),
                Err(problem) => Err(vec![problem]),
            });
            Ok((
                id,
                Some(judge(&app.replica, &before, planned, &entered, &judged)?),
            ))
        })
        .await?;
    let edits = match planned.ok_or_else(heads::unknown)? {
        Ok(edits) => edits,
        Err(Held { problems, doubts }) => {
            let reason = by.reason.clone();
            let mut page = page(&signed_in, Some(id), values, &heads_text, &reason, &problems);
            doubt::ask(&mut page, &doubts);
            return Ok(refused(page));
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
        Ok(form_again::outcome(&address, "saved", saved))
    })
    .await
}

/// The form with what was entered, of which nothing is saved.
async fn show_again(
    app: App,
    signed_in: SignedIn,
    reference: String,
    values: Values,
    again: Again,
) -> Result<Response, Error> {
    app.with(move |app| {
        let (id, _) = open(&app.replica, &reference)?;
        let heads = form_again::heads(&app.replica, id, &again, entered(&values, "heads"))?;
        let reason = entered(&values, "reason").to_owned();
        let problems = [form_again::problem(&again, false)];
        let page = page(&signed_in, Some(id), values, &heads, &reason, &problems);
        Ok(form_again::answer(page, &again))
    })
    .await
}

/// Why a form is shown instead of saved: what is wrong, or what it asks about.
struct Held {
    problems: Vec<Problem>,
    doubts: Vec<Doubt>,
}

impl From<Vec<Problem>> for Held {
    fn from(problems: Vec<Problem>) -> Self {
        Self {
            problems,
            doubts: Vec::new(),
        }
    }
}

/// What was planned, unless it would bring what must not be entered, or what the form has not been told to save.
fn judge(
    replica: &Replica,
    document: &Document,
    planned: Result<Vec<DocumentEdit>, Vec<Problem>>,
    values: &Values,
    by: &Editing,
) -> Result<Result<Vec<DocumentEdit>, Held>, rollcall_replica::Error> {
    let edits = match planned {
        Ok(edits) => edits,
        Err(problems) => return Ok(Err(problems.into())),
    };
    let mut problems = entry_rule::check(replica, document, &edits, by)?;
    // The form has the day of the counts under a name of its own.
    for problem in problems.iter_mut().filter(|problem| problem.place == "on") {
        problem.place = "counted_on".to_owned();
    }
    if !problems.is_empty() {
        return Ok(Err(problems.into()));
    }
    let doubts = doubt::check(replica, document, &edits, by)?;
    Ok(if doubt::are_meant(&doubts, values) {
        Ok(edits)
    } else {
        let problems = doubt::problems(&doubts);
        Err(Held { problems, doubts })
    })
}

/// The form of an organisation that is not held yet.
///
/// # Errors
/// The store's.
pub async fn form_new(State(app): State<App>, Clerk(signed_in): Clerk) -> Result<Page<Edit>, Error> {
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
    let by = editing(&signed_in, entered(&values, "reason"));
    match form.standing() {
        Standing::Fresh => {}
        Standing::Repeated(answer) => return Ok(answer),
        Standing::Again(again) => {
            let problems = [form_again::problem(&again, true)];
            let page = page(&signed_in, None, values, "", &by.reason, &problems);
            return Ok(form_again::answer(page, &again));
        }
    }
    let values = plainly(values);
    let as_of = today(&signed_in);
    let own_id: String = random::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
    let checked = new_record(&values, as_of, format!("by-hand-{own_id}"))
        .and_then(|record| {
            with_reason(&by.reason)
                .map_err(|problem| vec![problem])
                .map(|()| record)
        })
        .and_then(check_new);
    let (who, sent) = (by.clone(), values.clone());
    let checked = app
        .with(move |app| match checked {
            Ok((id, record)) => {
                let code = record.key().unwrap_or_default();
                if let Some(held) = record_page::held(&app.replica, DocumentKind::Organisation, &code)? {
                    let message =
                        "An organisation with this code is held already; find it by its code and edit it.";
                    let problems = vec![Problem::error("CODE_HELD", "code", message)];
                    return Ok(Err((Held::from(problems), Some(held))));
                }
                let empty = Document::create(DocumentKind::Organisation, id);
                let planned = judge(&app.replica, &empty, empty.plan(&record), &sent, &who)?;
                Ok(match planned {
                    Ok(_) => Ok((id, record)),
                    Err(held) => Err((held, None)),
                })
            }
            Err(problems) => Ok(Err((problems.into(), None))),
        })
        .await?;
    let (id, record) = match checked {
        Ok(checked) => checked,
        Err((Held { problems, doubts }, held)) => {
            let mut page = page(&signed_in, None, values, "", &by.reason, &problems);
            if let Some(held) = held {
                page.link("CODE_HELD", &record_page::href(DocumentKind::Organisation, held));
            }
            doubt::ask(&mut page, &doubts);
            return Ok(refused(page));
        }
    };
    let code = record.key().unwrap_or_default();
    form.submit_once(|_| async move {
        // Somebody else may have entered it since.
        let held = app
            .with(move |app| record_page::held(&app.replica, DocumentKind::Organisation, &code))
            .await?;
        if held.is_some() {
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

/// The new document's id and record, once its plan is sound.
fn check_new(record: OrganisationRecord) -> Result<(DocumentId, Record), Vec<Problem>> {
    let record = Record::Organisation(Box::new(record));
    let Some(id) = record.document_id() else {
        return Err(vec![Problem::error("ID_MISSING", "code", "Enter the code.")]);
    };
    Document::create(DocumentKind::Organisation, id).plan(&record)?;
    Ok((id, record))
}

fn page(
    signed_in: &SignedIn,
    id: Option<DocumentId>,
    values: Values,
    heads: &str,
    reason: &str,
    problems: &[Problem],
) -> Edit {
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
    let fields = fields(&frame, &values, problems, id.is_none());
    Edit {
        title,
        action,
        back_href,
        about: None,
        heads: heads.to_owned(),
        told: String::new(),
        standing: Vec::new(),
        reason: reason.to_owned(),
        problems: form_field::refusals(&frame, &fields, problems),
        fields,
        save_key: "edit.save",
        may_withdraw: false,
        frame,
    }
}

fn refused(page: Edit) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response()
}
