//! Entering a union and editing its fields; what happens to it later are entries of its own lists.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rollcall_command::accounts::audit;
use rollcall_core::id::DocumentKind;
use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use rollcall_core::term::UnionForm;
use rollcall_doc::{Document, Edit as DocumentEdit};
use rollcall_replica::Replica;
use rollcall_web::form::{CheckedForm, Standing, with_notice};
use rollcall_web::login::Clerk;
use rollcall_web::page::edit::Edit;
use rollcall_web::{Error, Page};
use serde_json::{Map, Value, json};

use super::entry_edit::new_id;
use super::form_field::{FormField, Input, Values, entered, fixed, required};
use super::record_edit::{RecordForm, filled, read_fields, submit_changes};
use super::{doubt, editing, form_again, record_page};
use crate::app::App;

/// What a union is.
const FIELDS: &[FormField] = &[
    required("name", Input::Text),
    fixed("code", Input::UnionCode),
    required(
        "form",
        Input::Term("form", || UnionForm::ALL.iter().map(|form| form.name()).collect()),
    ),
    required("higher_union", Input::Federation),
    fixed("organisation", Input::Organisation),
    fixed("full_time_chair", Input::Flag),
    fixed("womens_committee", Input::Flag),
];

/// How it was founded, where it is known as the union is entered.
const FOUNDING: &[FormField] = &[
    fixed("applied_on", Input::Date),
    fixed("elected_on", Input::Date),
    fixed("established_on", Input::Date),
    fixed("founding_number", Input::Text),
    fixed("term_years", Input::Count),
];

fn all_fields() -> Vec<FormField> {
    FIELDS.iter().chain(FOUNDING).copied().collect()
}

/// The form of a new union.
///
/// # Errors
/// The store's.
pub async fn form_new(State(app): State<App>, Clerk(signed_in): Clerk) -> Result<Page<Edit>, Error> {
    let page = app
        .with(move |app| {
            let mut values = Values::new();
            if let Some(home) = app.replica.scopes_written()?.first() {
                values.insert("higher_union".to_owned(), home.to_string());
            }
            new_form().page(signed_in.frame("nav.unions"), &app.replica, &values, &[])
        })
        .await?;
    Ok(Page(page))
}

fn new_form() -> RecordForm {
    RecordForm {
        title_key: Some("unions.new"),
        id: None,
        action: "/unions/new".to_owned(),
        back_href: "/unions".to_owned(),
        heads: String::new(),
        fields: all_fields(),
    }
}

/// Enters a union.
///
/// # Errors
/// `CODE_HELD`, `FOREIGN_JURISDICTION`, the store's. What is wrong with the values is shown on the form.
pub async fn submit_new(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    form: CheckedForm<Values>,
) -> Result<Response, Error> {
    let values = form.value.clone();
    let by = editing(&signed_in, entered(&values, "reason"));
    let who = by.clone();
    let frame = signed_in.frame("nav.unions");
    let again = match form.standing() {
        Standing::Fresh => None,
        Standing::Repeated(answer) => return Ok(answer),
        Standing::Again(again) => Some(again),
    };
    if let Some(again) = again {
        return app
            .with(move |app| {
                let problems = [form_again::problem(&again, true)];
                let page = new_form().page(frame, &app.replica, &values, &problems)?;
                Ok(form_again::answer(page, &again))
            })
            .await;
    }
    let planned = app
        .with(move |app| {
            let replica = &app.replica;
            let mut doubts = Vec::new();
            let problems = match new_record(replica, &values, &who)? {
                Ok((record, empty, edits)) => {
                    doubts = doubt::check(replica, &empty, &edits, &who)?;
                    if doubt::are_meant(&doubts, &values) {
                        return Ok(Ok(record));
                    }
                    doubt::problems(&doubts)
                }
                Err(problems) => problems,
            };
            let mut page = new_form().page(frame, replica, &values, &problems)?;
            let code = entered(&values, "code");
            if let Some(id) = record_page::held(replica, DocumentKind::Union, code)? {
                page.link("CODE_HELD", &record_page::href(DocumentKind::Union, id));
            }
            doubt::ask(&mut page, &doubts);
            Ok(Err(page))
        })
        .await?;
    let record = match planned {
        Ok(record) => record,
        Err(page) => return Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response()),
    };
    form.submit_once(|_| async move {
        let key = record.key().unwrap_or_default();
        let id = record.document_id().ok_or(Error::NotFound)?;
        let held = app
            .with(move |app| record_page::held(&app.replica, DocumentKind::Union, &key))
            .await?;
        if held.is_some() {
            let message = "A union with this code is held already; find it by its code and edit it.";
            return Err(Error::refused("CODE_HELD", message));
        }
        app.with(move |app| {
            app.replica
                .edit_or_create(id, DocumentKind::Union, &by, |document| document.plan(&record))?;
            let store = app.replica.store();
            Ok(audit(
                store,
                &by.author,
                "union_entered",
                &id.to_string(),
                by.now_ms,
            )?)
        })
        .await?;
        Ok(with_notice(&record_page::href(DocumentKind::Union, id), "saved"))
    })
    .await
}

/// A record that may be entered, with the empty document and the edits that make it.
type New = (Record, Document, Vec<DocumentEdit>);

fn new_record(
    replica: &Replica,
    values: &Values,
    by: &rollcall_replica::edit::Editing,
) -> Result<Result<New, Vec<Problem>>, rollcall_replica::Error> {
    let mut object = match read_fields(replica, &all_fields(), values, &by.reason)? {
        Ok(object) => object,
        Err(problems) => return Ok(Err(problems)),
    };
    // An own union is that of its organisation; without one it would cover nobody.
    if object.get("form") == Some(&json!(UnionForm::Own.name())) && !object.contains_key("organisation") {
        let message = "Enter the organisation whose own union it is.";
        return Ok(Err(vec![Problem::error(
            "FIELD_MISSING",
            "organisation",
            message,
        )]));
    }
    let founding: Map<String, Value> = FOUNDING
        .iter()
        .filter_map(|field| Some((field.name.to_owned(), object.remove(field.name)?)))
        .collect();
    object.insert("type".to_owned(), json!("union"));
    if !object.contains_key("code") {
        object.insert("id".to_owned(), json!(format!("by-hand-{}", new_id())));
    }
    object.insert("events".to_owned(), Value::from(events(&founding, by)));
    let record: Record = match serde_json::from_value(Value::Object(object)) {
        Ok(record) => record,
        Err(error) => {
            let message = format!("This is no record: {error}.");
            return Ok(Err(vec![Problem::error("RECORD_INVALID", "", message)]));
        }
    };
    let Some(id) = record.document_id() else {
        return Ok(Err(vec![Problem::error("ID_MISSING", "code", "Enter the code.")]));
    };
    if let Some(key) = record.key()
        && record_page::held(replica, DocumentKind::Union, &key)?.is_some()
    {
        let message = "A union with this code is held already; find it by its code and edit it.";
        return Ok(Err(vec![Problem::error("CODE_HELD", "code", message)]));
    }
    let empty = Document::create(DocumentKind::Union, id);
    let edits = match empty.plan(&record) {
        Ok(edits) => edits,
        Err(problems) => return Ok(Err(problems)),
    };
    let mut problems = super::entry_rule::check(replica, &empty, &edits, by)?;
    for problem in &mut problems {
        problem.place = match problem.place.as_str() {
            "number" => "founding_number".to_owned(),
            "on" => dated(&founding, &problem.message).to_owned(),
            other => other.to_owned(),
        };
    }
    Ok(if problems.is_empty() {
        Ok((record, empty, edits))
    } else {
        Err(problems)
    })
}

/// The field whose date a sentence begins with; that of the establishment where it is about all of them.
fn dated(founding: &Map<String, Value>, message: &str) -> &'static str {
    let begins = |name: &&str| {
        let on = founding.get(*name).and_then(Value::as_str);
        on.is_some_and(|on| message.starts_with(on))
    };
    let fields = ["applied_on", "elected_on", "established_on"];
    fields.into_iter().find(begins).unwrap_or("established_on")
}

/// The events of the founding that were entered with the union.
fn events(founding: &Map<String, Value>, by: &rollcall_replica::edit::Editing) -> Vec<Value> {
    let steps = [
        ("applied", "applied_on"),
        ("elected", "elected_on"),
        ("established", "established_on"),
    ];
    let mut events = Vec::new();
    for (event, date) in steps {
        let Some(on) = founding.get(date) else { continue };
        let mut entry = json!({
            "id": new_id(), "event": event, "on": on, "cycle": 0,
            "at": rollcall_command::clock::time_text(by.now_ms), "by": by.author,
        });
        if event == "established" {
            for (name, given) in [("number", "founding_number"), ("term_years", "term_years")] {
                if let Some(value) = founding.get(given) {
                    entry[name] = value.clone();
                }
            }
        }
        events.push(entry);
    }
    events
}

/// The form of a union that is held.
///
/// # Errors
/// `NOT_FOUND`, the store's.
pub async fn form(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    Path(reference): Path<String>,
) -> Result<Page<Edit>, Error> {
    let page = app
        .with(move |app| {
            let id = app.replica.find(&reference, &[DocumentKind::Union])?;
            let document = app.replica.document(id)?;
            let values = filled(FIELDS, &document);
            let frame = signed_in.frame("nav.unions");
            RecordForm::of(&document, FIELDS).page(frame, &app.replica, &values, &[])
        })
        .await?;
    Ok(Page(page))
}

/// Saves the fields of a union.
///
/// # Errors
/// `NOT_FOUND`, `HEADS_UNKNOWN`, `FOREIGN_JURISDICTION`, the store's. What is wrong is shown on the form.
pub async fn submit(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    Path(reference): Path<String>,
    form: CheckedForm<Values>,
) -> Result<Response, Error> {
    submit_changes(app, signed_in, reference, DocumentKind::Union, FIELDS, form).await
}
