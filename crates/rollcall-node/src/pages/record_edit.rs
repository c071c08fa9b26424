//! The form of a record's agreed fields, whatever its kind: shown, read, saved as the fields that changed.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rollcall_command::accounts::audit;
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_doc::Document;
use rollcall_replica::{Error as ReplicaError, Replica};
use rollcall_web::form::{CheckedForm, Standing};
use rollcall_web::layout::Frame;
use rollcall_web::login::SignedIn;
use rollcall_web::page::edit::Edit;
use rollcall_web::{Error, Page};
use serde_json::{Map, Value};

use super::entry_list::EntryList;
use super::form_field::{self, FormField, Values, entered, with_reason};
use super::{doubt, editing, form_again, heads, record_page};
use crate::app::App;

/// A form of agreed fields.
pub(super) struct RecordForm {
    /// Its heading where there is no record yet.
    pub(super) title_key: Option<&'static str>,
    /// The record.
    pub(super) id: Option<DocumentId>,
    /// Where it is posted to.
    pub(super) action: String,
    /// Where "back" leads.
    pub(super) back_href: String,
    /// The heads that it shows.
    pub(super) heads: String,
    /// Its fields.
    pub(super) fields: Vec<FormField>,
}

impl RecordForm {
    /// The form of a record that is held.
    pub(super) fn of(document: &Document, fields: &[FormField]) -> Self {
        let href = record_page::href(document.kind(), document.id());
        Self {
            title_key: None,
            id: Some(document.id()),
            action: format!("{href}/edit"),
            back_href: href,
            heads: heads::text(document),
            fields: fields.to_vec(),
        }
    }

    /// The form as a page.
    pub(super) fn page(
        self,
        frame: Frame,
        replica: &Replica,
        values: &Values,
        problems: &[Problem],
    ) -> Result<Edit, ReplicaError> {
        let title = match (self.id, self.title_key) {
            (Some(id), _) => record_page::name(&frame, replica, id)?,
            (None, key) => key.map(|key| frame.text(key).to_owned()).unwrap_or_default(),
        };
        let fields = form_field::shown(&frame, replica, &self.fields, values, problems)?;
        Ok(Edit {
            title,
            about: None,
            action: self.action,
            back_href: self.back_href,
            heads: self.heads,
            told: String::new(),
            standing: Vec::new(),
            reason: entered(values, "reason").to_owned(),
            problems: form_field::refusals(&frame, &fields, problems),
            fields,
            save_key: "edit.save",
            may_withdraw: false,
            frame,
        })
    }
}

/// What a record says in these fields, as it is entered.
pub(super) fn filled(fields: &[FormField], document: &Document) -> Values {
    let record = serde_json::to_value(document.record().0).unwrap_or_default();
    let told = |field: &FormField| (field.posted().to_owned(), EntryList::entered(field, &record));
    fields
        .iter()
        .map(told)
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// What was entered in all fields, as a record holds it; the reason is checked along.
///
/// # Errors
/// The store's.
pub(super) fn read_fields(
    replica: &Replica,
    fields: &[FormField],
    values: &Values,
    reason: &str,
) -> Result<Result<Map<String, Value>, Vec<Problem>>, ReplicaError> {
    let (mut object, mut problems) = (Map::new(), Vec::new());
    for field in fields {
        match form_field::read(replica, field, entered(values, field.posted()))? {
            Ok(Some(value)) => {
                object.insert(field.name.to_owned(), value);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    problems.extend(with_reason(reason).err());
    Ok(if problems.is_empty() {
        Ok(object)
    } else {
        Err(problems)
    })
}

/// Saves what differs from what the form showed.
///
/// # Errors
/// `NOT_FOUND`, `HEADS_UNKNOWN`, `FOREIGN_JURISDICTION`, the store's. What is wrong is shown on the form.
pub(super) async fn submit_changes(
    app: App,
    signed_in: SignedIn,
    reference: String,
    kind: DocumentKind,
    fields: &'static [FormField],
    form: CheckedForm<Values>,
) -> Result<Response, Error> {
    let values = form.value.clone();
    let again = match form.standing() {
        Standing::Fresh => None,
        Standing::Repeated(answer) => return Ok(answer),
        Standing::Again(again) => Some(again),
    };
    if let Some(again) = again {
        let page = app
            .with(move |app| {
                let id = app.replica.find(&reference, &[kind])?;
                let form = RecordForm {
                    heads: form_again::heads(&app.replica, id, &again, entered(&values, "heads"))?,
                    ..RecordForm::of(&app.replica.document(id)?, fields)
                };
                let frame = signed_in.frame(record_page::section(kind));
                let problems = [form_again::problem(&again, false)];
                let page = form.page(frame, &app.replica, &values, &problems)?;
                Ok(form_again::answer(page, &again))
            })
            .await?;
        return Ok(page);
    }
    let values = form_field::plainly(values, form_field::typed(fields));
    let seen = heads::parse(entered(&values, "heads")).ok_or_else(heads::unknown)?;
    let mut by = editing(&signed_in, entered(&values, "reason"));
    by.heads = Some(seen.clone());
    let (reason, judged) = (by.reason.clone(), by.clone());
    let planned = app
        .with(move |app| {
            let replica = &app.replica;
            let id = replica.find(&reference, &[kind])?;
            let Some(document) = heads::document_at(replica, id, &seen)? else {
                return Ok(None);
            };
            let planned = match read_fields(replica, fields, &values, &reason)? {
                Ok(object) => changes(&document, fields, &values, &object),
                Err(problems) => Err(problems),
            };
            let mut doubts = Vec::new();
            let problems = match planned {
                Ok(edits) => {
                    doubts = doubt::check(replica, &document, &edits, &judged)?;
                    if doubt::are_meant(&doubts, &values) {
                        return Ok(Some(Ok((id, edits))));
                    }
                    doubt::problems(&doubts)
                }
                Err(problems) => problems,
            };
            let frame = signed_in.frame(record_page::section(kind));
            let mut page = RecordForm::of(&document, fields).page(frame, replica, &values, &problems)?;
            doubt::ask(&mut page, &doubts);
            Ok(Some(Err(page)))
        })
        .await?
        .ok_or_else(heads::unknown)?;
    let (id, edits) = match planned {
        Ok(planned) => planned,
        Err(page) => return Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response()),
    };
    form.submit_once(|_| async move {
        let address = record_page::href(kind, id);
        let saved = app
            .with(move |app| {
                let saved = app.replica.edit(id, &by, |_| Ok(edits.clone()))?;
                if saved.is_some() {
                    let action = format!("{}_edited", kind.name());
                    audit(
                        app.replica.store(),
                        &by.author,
                        &action,
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

fn changes(
    document: &Document,
    fields: &[FormField],
    values: &Values,
    object: &Map<String, Value>,
) -> Result<Vec<rollcall_doc::Edit>, Vec<Problem>> {
    let before = filled(fields, document);
    let (mut edits, mut problems) = (Vec::new(), Vec::new());
    for field in fields.iter().filter(|field| values.contains_key(field.posted())) {
        if entered(values, field.posted()) == entered(&before, field.posted()) {
            continue;
        }
        let text = match object.get(field.name) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        match document.set(field.name, &text) {
            Ok(more) => edits.extend(more),
            Err(more) => problems.extend(more),
        }
    }
    if problems.is_empty() {
        Ok(edits)
    } else {
        Err(problems)
    }
}
