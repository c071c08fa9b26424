//! Entering a subsidy case or a special fund, and editing the fields of a case; steps and payments are entries.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rollcall_command::accounts::audit;
use rollcall_command::clock::time_text;
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use rollcall_core::term::SubsidyKind;
use rollcall_doc::{Document, Edit as DocumentEdit};
use rollcall_replica::Replica;
use rollcall_replica::edit::Editing;
use rollcall_web::form::{CheckedForm, CheckedQuery, Standing, with_notice};
use rollcall_web::login::{Clerk, SignedIn};
use rollcall_web::page::edit::Edit;
use rollcall_web::{Error, Page};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::entry_edit::new_id;
use super::form_field::{FormField, Input, Values, entered, fixed, required};
use super::record_edit::{RecordForm, filled, read_fields, submit_changes};
use super::{doubt, editing, entry_rule, form_again, record_page, today};
use crate::app::App;

const KIND: Input = Input::Term("subsidy", || {
    SubsidyKind::ALL.iter().map(|kind| kind.name()).collect()
});

/// What a case is.
const FIELDS: &[FormField] = &[
    fixed("payee_union", Input::Union),
    fixed("payee_federation", Input::Federation),
    required("kind", KIND),
    fixed("rule", Input::Text),
    fixed("period", Input::Text),
    fixed("fund", Input::Fund),
];

/// The application with which a case begins.
const APPLICATION: &[FormField] = &[
    required("applied_on", Input::Date),
    required("amount_fen", Input::Amount),
];

/// What a fund is, with what it begins with.
const FUND_FIELDS: &[FormField] = &[
    required("federation", Input::Federation),
    required("year", Input::Year),
    required("on", Input::Date),
    fixed("opening_fen", Input::Amount),
    fixed("set_aside_fen", Input::Amount),
];

/// For whom a new case is.
#[derive(Debug, Default, Deserialize)]
pub struct ForUnion {
    #[serde(default)]
    union: String,
}

fn case_form() -> RecordForm {
    let payer = [required("federation", Input::Federation)];
    RecordForm {
        title_key: Some("subsidies.new"),
        id: None,
        action: "/subsidies/new".to_owned(),
        back_href: "/subsidies".to_owned(),
        heads: String::new(),
        fields: payer.iter().chain(FIELDS).chain(APPLICATION).copied().collect(),
    }
}

fn fund_form() -> RecordForm {
    RecordForm {
        title_key: Some("subsidies.new_fund"),
        id: None,
        action: "/funds/new".to_owned(),
        back_href: "/subsidies".to_owned(),
        heads: String::new(),
        fields: FUND_FIELDS.to_vec(),
    }
}

/// The form of a new case.
///
/// # Errors
/// The store's.
pub async fn form_new(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    CheckedQuery(query): CheckedQuery<ForUnion>,
) -> Result<Page<Edit>, Error> {
    let as_of = today(&signed_in);
    let page = app
        .with(move |app| {
            let mut values = Values::new();
            if let Some(home) = app.replica.scopes_written()?.first() {
                values.insert("federation".to_owned(), home.to_string());
            }
            values.insert("payee_union".to_owned(), query.union);
            values.insert("kind".to_owned(), SubsidyKind::FixedSubsidy.name().to_owned());
            values.insert("period".to_owned(), as_of.ymd().0.to_string());
            values.insert("applied_on".to_owned(), as_of.to_string());
            case_form().page(signed_in.frame("nav.subsidies"), &app.replica, &values, &[])
        })
        .await?;
    Ok(Page(page))
}

/// The form of a new fund.
///
/// # Errors
/// The store's.
pub async fn form_new_fund(State(app): State<App>, Clerk(signed_in): Clerk) -> Result<Page<Edit>, Error> {
    let as_of = today(&signed_in);
    let page = app
        .with(move |app| {
            let mut values = Values::new();
            if let Some(home) = app.replica.scopes_written()?.first() {
                values.insert("federation".to_owned(), home.to_string());
            }
            values.insert("year".to_owned(), as_of.ymd().0.to_string());
            values.insert("on".to_owned(), as_of.to_string());
            fund_form().page(signed_in.frame("nav.subsidies"), &app.replica, &values, &[])
        })
        .await?;
    Ok(Page(page))
}

/// Enters a case with its application.
///
/// # Errors
/// `FOREIGN_JURISDICTION`, the store's. What is wrong with the values is shown on the form.
pub async fn submit_new(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    form: CheckedForm<Values>,
) -> Result<Response, Error> {
    enter(app, signed_in, DocumentKind::Subsidy, case_form, new_case, form).await
}

/// Enters a fund with what it begins with.
///
/// # Errors
/// `FOREIGN_JURISDICTION`, the store's. What is wrong with the values is shown on the form.
pub async fn submit_new_fund(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    form: CheckedForm<Values>,
) -> Result<Response, Error> {
    enter(app, signed_in, DocumentKind::Fund, fund_form, new_fund, form).await
}

/// The record that a form's content makes, or what is wrong with it.
type Made = Result<Map<String, Value>, Vec<Problem>>;

async fn enter(
    app: App,
    signed_in: SignedIn,
    kind: DocumentKind,
    blank: fn() -> RecordForm,
    make: fn(Map<String, Value>, &Editing) -> Made,
    form: CheckedForm<Values>,
) -> Result<Response, Error> {
    let values = form.value.clone();
    let by = editing(&signed_in, entered(&values, "reason"));
    let who = by.clone();
    let frame = signed_in.frame("nav.subsidies");
    let again = match form.standing() {
        Standing::Fresh => None,
        Standing::Repeated(answer) => return Ok(answer),
        Standing::Again(again) => Some(again),
    };
    if let Some(again) = again {
        return app
            .with(move |app| {
                let problems = [form_again::problem(&again, true)];
                let page = blank().page(frame, &app.replica, &values, &problems)?;
                Ok(form_again::answer(page, &again))
            })
            .await;
    }
    let planned = app
        .with(move |app| {
            let replica = &app.replica;
            let made = match read_fields(replica, &blank().fields, &values, &who.reason)? {
                Ok(object) => make(object, &who),
                Err(problems) => Err(problems),
            };
            let made = match made {
                Ok(object) => check_new(replica, kind, object, &who)?,
                Err(problems) => Err(problems),
            };
            let mut doubts = Vec::new();
            let problems = match made {
                Ok((id, record, edits)) => {
                    doubts = doubt::check(replica, &Document::create(kind, id), &edits, &who)?;
                    if doubt::are_meant(&doubts, &values) {
                        return Ok(Ok((id, record)));
                    }
                    doubt::problems(&doubts)
                }
                Err(problems) => problems,
            };
            let mut page = blank().page(frame, replica, &values, &problems)?;
            doubt::ask(&mut page, &doubts);
            Ok(Err(page))
        })
        .await?;
    let (id, record) = match planned {
        Ok(made) => made,
        Err(page) => return Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response()),
    };
    form.submit_once(|_| async move {
        app.with(move |app| {
            app.replica
                .edit_or_create(id, kind, &by, |document| document.plan(&record))?;
            let action = format!("{}_entered", kind.name());
            Ok(audit(
                app.replica.store(),
                &by.author,
                &action,
                &id.to_string(),
                by.now_ms,
            )?)
        })
        .await?;
        Ok(with_notice(&record_page::href(kind, id), "saved"))
    })
    .await
}

/// A new record, and the edits that make its document.
type Planned = (DocumentId, Record, Vec<DocumentEdit>);

fn check_new(
    replica: &Replica,
    kind: DocumentKind,
    mut object: Map<String, Value>,
    by: &Editing,
) -> Result<Result<Planned, Vec<Problem>>, rollcall_replica::Error> {
    object.insert("type".to_owned(), json!(kind.name()));
    object.insert("id".to_owned(), json!(format!("by-hand-{}", new_id())));
    let record: Record = match serde_json::from_value(Value::Object(object)) {
        Ok(record) => record,
        Err(error) => {
            let message = format!("This is no record: {error}.");
            return Ok(Err(vec![Problem::error("RECORD_INVALID", "", message)]));
        }
    };
    let Some(id) = record.document_id() else {
        return Ok(Err(vec![Problem::error(
            "ID_MISSING",
            "",
            "The record has no id.",
        )]));
    };
    let empty = Document::create(kind, id);
    Ok(match empty.plan(&record) {
        Err(problems) => Err(problems),
        Ok(edits) => {
            let problems = entry_rule::check(replica, &empty, &edits, by)?;
            if problems.is_empty() {
                Ok((id, record, edits))
            } else {
                Err(problems)
            }
        }
    })
}

fn ledger_entry(by: &Editing, kind: &str, on: &Value, amount_fen: &Value) -> Value {
    json!({
        "id": new_id(), "entry": kind, "on": on, "amount_fen": amount_fen,
        "at": time_text(by.now_ms), "by": by.author,
    })
}

/// A case has one payee; a fixed subsidy has a rule and a period, which make it claimable once.
fn new_case(mut object: Map<String, Value>, by: &Editing) -> Made {
    let mut problems = Vec::new();
    let payees = ["payee_union", "payee_federation"];
    match payees.iter().filter(|name| object.contains_key(**name)).count() {
        1 => {}
        0 => problems.push(Problem::error(
            "FIELD_MISSING",
            "payee_union",
            "Enter who gets it.",
        )),
        _ => {
            let message = "A case has one payee: a union or a federation.";
            problems.push(Problem::error("ENTRY_TWICE", "payee_federation", message));
        }
    }
    if object.get("kind").and_then(Value::as_str) == Some(SubsidyKind::FixedSubsidy.name()) {
        for name in ["rule", "period"] {
            if !object.contains_key(name) {
                let message = "A fixed subsidy is granted by a rule for a period.";
                problems.push(Problem::error("FIELD_MISSING", name, message));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let on = object.remove("applied_on").unwrap_or_default();
    let amount_fen = object.remove("amount_fen").unwrap_or_default();
    let application = ledger_entry(by, "applied", &on, &amount_fen);
    object.insert("entries".to_owned(), json!([application]));
    Ok(object)
}

fn new_fund(mut object: Map<String, Value>, by: &Editing) -> Made {
    let on = object.remove("on").unwrap_or_default();
    let mut entries = Vec::new();
    for (name, kind) in [("opening_fen", "opening"), ("set_aside_fen", "set_aside")] {
        if let Some(amount_fen) = object.remove(name) {
            entries.push(ledger_entry(by, kind, &on, &amount_fen));
        }
    }
    object.insert("entries".to_owned(), Value::from(entries));
    Ok(object)
}

/// The form of a case that is held.
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
            let id = app.replica.find(&reference, &[DocumentKind::Subsidy])?;
            let document = app.replica.document(id)?;
            let values = filled(FIELDS, &document);
            let frame = signed_in.frame("nav.subsidies");
            RecordForm::of(&document, FIELDS).page(frame, &app.replica, &values, &[])
        })
        .await?;
    Ok(Page(page))
}

/// Saves the fields of a case.
///
/// # Errors
/// `NOT_FOUND`, `HEADS_UNKNOWN`, `FOREIGN_JURISDICTION`, the store's. What is wrong is shown on the form.
pub async fn submit(
    State(app): State<App>,
    Clerk(signed_in): Clerk,
    Path(reference): Path<String>,
    form: CheckedForm<Values>,
) -> Result<Response, Error> {
    submit_changes(app, signed_in, reference, DocumentKind::Subsidy, FIELDS, form).await
}
