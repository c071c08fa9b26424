//! `/entries/{document}/{list}` and `/entries/{document}/{list}/{entry}`: making, completing, taking back and reversing
//! one entry of any record. Like every edit, from the heads that the form showed, with a reason.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rollcall_command::accounts::audit;
use rollcall_command::clock::{random, time_text};
use rollcall_core::date::Day;
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use rollcall_doc::{Document, Edit as DocumentEdit};
use rollcall_replica::Replica;
use rollcall_replica::handover::Right;
use rollcall_web::form::{CheckedForm, Standing};
use rollcall_web::layout::Frame;
use rollcall_web::login::Clerk;
use rollcall_web::page::edit::Edit;
use rollcall_web::{Error, Page};
use serde_json::{Map, Value};

use super::entry_list::{self, EntryList, HANDOVERS, ListForm};
use super::form_field::{self, FormField, Input, Values, entered, required, with_reason};
use super::{doubt, editing, entry_rule, form_again, heads, record_page, today, words};
use crate::app::App;

/// What a reversal is entered with; all else follows from what it reverses.
const REVERSAL: [FormField; 1] = [required("on", Input::Date)];

/// Where a form leads: a record, one of its lists, and the entry where there is one.
struct Target {
    id: DocumentId,
    list: &'static EntryList,
    entry: Option<String>,
    /// All that may be written is the acceptance of a handover, which this entry is.
    signs: bool,
}

impl Target {
    fn find(
        replica: &Replica,
        (document, list, entry): (String, String, Option<String>),
    ) -> Result<Self, rollcall_replica::Error> {
        let absent = || rollcall_replica::Error::NoDocument(document.clone());
        let id: DocumentId = document.parse().map_err(|_| absent())?;
        let row = replica
            .store()
            .read(|reader| reader.document(id))?
            .ok_or_else(absent)?;
        let list = entry_list::find(row.kind, &list).ok_or_else(absent)?;
        let right = replica.right(&replica.document(id)?)?;
        let signs = match (&right, &entry) {
            (Right::Acceptance(open), Some(entry)) => list.name == HANDOVERS && open.contains(entry),
            _ => false,
        };
        if !signs {
            right.to_all(id)?;
        }
        Ok(Self {
            id,
            list,
            entry,
            signs,
        })
    }

    fn action(&self) -> String {
        let href = record_page::entries_href(self.id);
        match &self.entry {
            None => self.list.href(&href),
            Some(entry) => self.list.entry_href(&href, entry),
        }
    }

    /// The entry as the document holds it.
    fn standing(&self, record: &Value) -> Option<Value> {
        let wanted = self.entry.as_deref()?;
        self.list
            .standing(record)
            .find(|entry| self.list.key(entry) == wanted)
            .cloned()
    }

    /// The fields that the form offers.
    fn fields(&self) -> Vec<FormField> {
        let all = self.list.fields.iter().copied();
        match (&self.entry, self.list.form) {
            // Why a case was refused or dropped is the reason of the edit.
            (None, ListForm::Ledger) => all.filter(|field| field.name != "reason").collect(),
            (None, _) => all.collect(),
            (Some(_), ListForm::Ledger) => REVERSAL.to_vec(),
            (Some(_), _) => all.filter(|field| field.amend).collect(),
        }
    }

    fn page(
        &self,
        frame: Frame,
        replica: &Replica,
        document: &Document,
        values: &Values,
        problems: &[Problem],
    ) -> Result<Edit, rollcall_replica::Error> {
        let record = as_json(document);
        let standing = match self.standing(&record) {
            None if self.entry.is_some() => {
                return Err(rollcall_replica::Error::NoDocument(self.action()));
            }
            None => Vec::new(),
            Some(entry) => self
                .list
                .fields
                .iter()
                .filter(|field| !field.amend)
                .map(|field| {
                    (
                        words::word(&frame, field.name),
                        self.list.told(&frame, field, &entry),
                    )
                })
                .filter(|(_, text)| !text.is_empty())
                .collect(),
        };
        let title = self.list.title(&frame);
        let ledger = self.list.form == ListForm::Ledger;
        let about = match &self.entry {
            None => frame.fill("edit.new_entry", &[&title]),
            Some(_) if ledger => frame.text("edit.reverse_hint").to_owned(),
            Some(_) => frame.fill("edit.change_entry", &[&title]),
        };
        let fields = form_field::shown(&frame, replica, &self.fields(), values, problems)?;
        Ok(Edit {
            title: record_page::name(&frame, replica, self.id)?,
            about: Some(about),
            action: self.action(),
            back_href: record_page::href(self.list.kind, self.id),
            heads: heads::text(document),
            told: String::new(),
            standing,
            reason: entered(values, "reason").to_owned(),
            problems: form_field::refusals(&frame, &fields, problems),
            fields,
            save_key: if ledger && self.entry.is_some() {
                "edit.reverse"
            } else {
                "edit.save"
            },
            may_withdraw: self.entry.is_some() && !ledger && !self.signs,
            frame,
        })
    }
}

/// A record as JSON, as records files have it.
fn as_json(document: &Document) -> Value {
    serde_json::to_value(document.record().0).unwrap_or_default()
}

/// The form of a new entry.
///
/// # Errors
/// `NOT_FOUND`, `FOREIGN_JURISDICTION`, the store's.
pub async fn form_new(
    State(app): State<App>,
    clerk: Clerk,
    Path((document, list)): Path<(String, String)>,
) -> Result<Page<Edit>, Error> {
    form(app, clerk, (document, list, None)).await
}

/// The form of an entry that stands.
///
/// # Errors
/// `NOT_FOUND`, `FOREIGN_JURISDICTION`, the store's.
pub async fn form_entry(
    State(app): State<App>,
    clerk: Clerk,
    Path((document, list, entry)): Path<(String, String, String)>,
) -> Result<Page<Edit>, Error> {
    form(app, clerk, (document, list, Some(entry))).await
}

async fn form(
    app: App,
    Clerk(signed_in): Clerk,
    path: (String, String, Option<String>),
) -> Result<Page<Edit>, Error> {
    let as_of = today(&signed_in);
    let page = app
        .with(move |app| {
            let target = Target::find(&app.replica, path)?;
            let document = app.replica.document(target.id)?;
            let frame = signed_in.frame(record_page::section(target.list.kind));
            let values = first_values(&target, &document, as_of);
            target.page(frame, &app.replica, &document, &values, &[])
        })
        .await?;
    Ok(Page(page))
}

/// What stands in the form at first: what the entry says, or the likeliest for a new one.
fn first_values(target: &Target, document: &Document, as_of: Day) -> Values {
    let record = as_json(document);
    let fields = target.fields();
    let standing = target.standing(&record);
    let of_ledger = target.list.form == ListForm::Ledger;
    fields
        .iter()
        .filter_map(|field| {
            let text = match &standing {
                Some(entry) if !of_ledger => EntryList::entered(field, entry),
                _ => match field.name {
                    "on" | "from" | "elected_on" => as_of.to_string(),
                    "source" => "check".to_owned(),
                    _ => String::new(),
                },
            };
            (!text.is_empty()).then(|| (field.posted().to_owned(), text))
        })
        .collect()
}

/// Makes an entry.
///
/// # Errors
/// `NOT_FOUND`, `HEADS_UNKNOWN`, `FOREIGN_JURISDICTION`, the store's. What is wrong with the values is shown on the form.
pub async fn submit_new(
    State(app): State<App>,
    clerk: Clerk,
    Path((document, list)): Path<(String, String)>,
    form: CheckedForm<Values>,
) -> Result<Response, Error> {
    submit(app, clerk, (document, list, None), form).await
}

/// Completes, takes back or reverses an entry.
///
/// # Errors
/// As for a new one.
pub async fn submit_entry(
    State(app): State<App>,
    clerk: Clerk,
    Path((document, list, entry)): Path<(String, String, String)>,
    form: CheckedForm<Values>,
) -> Result<Response, Error> {
    submit(app, clerk, (document, list, Some(entry)), form).await
}

/// What a form asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Make,
    Complete,
    Withdraw,
    Reverse,
}

async fn submit(
    app: App,
    Clerk(signed_in): Clerk,
    path: (String, String, Option<String>),
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
                let target = Target::find(&app.replica, path)?;
                let document = app.replica.document(target.id)?;
                let frame = signed_in.frame(record_page::section(target.list.kind));
                let problems = [form_again::problem(&again, target.entry.is_none())];
                let mut page = target.page(frame, &app.replica, &document, &values, &problems)?;
                page.heads = form_again::heads(&app.replica, target.id, &again, entered(&values, "heads"))?;
                Ok(form_again::answer(page, &again))
            })
            .await?;
        return Ok(page);
    }
    let seen = heads::parse(entered(&values, "heads")).ok_or_else(heads::unknown)?;
    let mut by = editing(&signed_in, entered(&values, "reason"));
    by.heads = Some(seen.clone());
    let as_of = today(&signed_in);
    let who = by.clone();
    let planned = app
        .with(move |app| {
            let replica = &app.replica;
            let target = Target::find(replica, path)?;
            let values = form_field::plainly(values, form_field::typed(&target.fields()));
            let Some(document) = heads::document_at(replica, target.id, &seen)? else {
                return Ok(None);
            };
            let act = match (&target.entry, target.list.form) {
                (None, _) => Act::Make,
                (Some(_), ListForm::Ledger) => Act::Reverse,
                (Some(_), _) if entered(&values, "act") == "withdraw" => Act::Withdraw,
                (Some(_), _) => Act::Complete,
            };
            let mut planned = plan(replica, &target, act, &document, &values, as_of, &who)?;
            if let Err(problem) = with_reason(&who.reason) {
                planned = Err(match planned {
                    Ok(_) => vec![problem],
                    Err(mut problems) => {
                        problems.push(problem);
                        problems
                    }
                });
            }
            if let Ok(edits) = &planned {
                let problems = entry_rule::check(replica, &document, edits, &who)?;
                if !problems.is_empty() {
                    planned = Err(problems);
                }
            }
            let mut doubts = Vec::new();
            let problems = match planned {
                Ok(edits) => {
                    doubts = doubt::check(replica, &document, &edits, &who)?;
                    if doubt::are_meant(&doubts, &values) {
                        return Ok(Some(Ok((target, act, edits))));
                    }
                    doubt::problems(&doubts)
                }
                Err(problems) => problems,
            };
            let frame = signed_in.frame(record_page::section(target.list.kind));
            let mut page = target.page(frame, replica, &document, &values, &problems)?;
            doubt::ask(&mut page, &doubts);
            Ok(Some(Err(page)))
        })
        .await?
        .ok_or_else(heads::unknown)?;
    let (target, act, edits) = match planned {
        Ok(planned) => planned,
        Err(page) => return Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response()),
    };
    form.submit_once(|_| async move {
        let address = record_page::href(target.list.kind, target.id);
        let saved = app
            .with(move |app| {
                let saved = app.replica.edit(target.id, &by, |_| Ok(edits.clone()))?;
                if saved.is_some() {
                    let action = match act {
                        Act::Make => "entry_made",
                        Act::Complete => "entry_completed",
                        Act::Withdraw => "entry_withdrawn",
                        Act::Reverse => "entry_reversed",
                    };
                    let detail = format!("{} {}", target.id, target.list.name);
                    audit(app.replica.store(), &by.author, action, &detail, by.now_ms)?;
                }
                Ok(saved)
            })
            .await?;
        let notice = match act {
            Act::Make | Act::Complete => "saved",
            Act::Withdraw => "withdrawn",
            Act::Reverse => "reversed",
        };
        Ok(form_again::outcome(&address, notice, saved))
    })
    .await
}

fn plan(
    replica: &Replica,
    target: &Target,
    act: Act,
    document: &Document,
    values: &Values,
    as_of: Day,
    by: &rollcall_replica::edit::Editing,
) -> Result<Result<Vec<DocumentEdit>, Vec<Problem>>, rollcall_replica::Error> {
    let record = as_json(document);
    let list = target.list;
    let standing = target.standing(&record);
    if target.entry.is_some() && standing.is_none() {
        let message = "There is no such entry.";
        return Ok(Err(vec![Problem::error("ENTRY_UNKNOWN", list.name, message)]));
    }
    let path = target
        .entry
        .as_deref()
        .map(|entry| format!("{}/{entry}", list.name));
    if let (Act::Withdraw, Some(path)) = (act, &path) {
        let value = format!("{as_of} {}", by.reason);
        return Ok(document.set(&format!("{path}/withdrawn"), &value));
    }
    let (mut entry, mut problems) = (Map::new(), Vec::new());
    for field in target.fields() {
        match form_field::read(replica, &field, entered(values, field.posted()))? {
            Ok(Some(value)) => {
                entry.insert(field.name.to_owned(), value);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Ok(Err(problems));
    }
    match (act, list.form, standing) {
        (Act::Complete, ListForm::Set, Some(standing)) => {
            return Ok(complete(document, target, &standing, values, path.as_deref()));
        }
        (Act::Complete, _, Some(standing)) => {
            for field in list.fields.iter().filter(|field| !field.amend) {
                entry.insert(field.name.to_owned(), standing[field.name].clone());
            }
        }
        (Act::Reverse, _, Some(standing)) => {
            entry.insert("entry".to_owned(), Value::from("reversal"));
            entry.insert("of".to_owned(), standing["id"].clone());
            entry.insert("amount_fen".to_owned(), standing["amount_fen"].clone());
        }
        _ => {}
    }
    let needs_reason = |entry: &Value| matches!(entry.as_str(), Some("rejected" | "cancelled" | "reversal"));
    if list.kind == DocumentKind::Subsidy && entry.get("entry").is_some_and(needs_reason) {
        entry.insert("reason".to_owned(), Value::from(by.reason.as_str()));
    }
    if matches!(list.form, ListForm::Set | ListForm::Ledger) {
        entry.insert("id".to_owned(), Value::from(new_id()));
        entry.insert("at".to_owned(), Value::from(time_text(by.now_ms)));
        entry.insert("by".to_owned(), Value::from(by.author.as_str()));
    }
    Ok(with_entry(document, list, entry).and_then(|record| document.plan(&record)))
}

/// Later values of an entry's fields, each as an amendment; an emptied field is taken out.
fn complete(
    document: &Document,
    target: &Target,
    standing: &Value,
    values: &Values,
    path: Option<&str>,
) -> Result<Vec<DocumentEdit>, Vec<Problem>> {
    let (mut edits, mut problems) = (Vec::new(), Vec::new());
    for field in target.fields() {
        let new = entered(values, field.posted());
        if new == EntryList::entered(&field, standing) || !values.contains_key(field.posted()) {
            continue;
        }
        match document.set(&format!("{}/{}", path.unwrap_or_default(), field.name), new) {
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

/// The record with nothing in it but what its kind cannot do without and this entry.
fn with_entry(
    document: &Document,
    list: &EntryList,
    entry: Map<String, Value>,
) -> Result<Record, Vec<Problem>> {
    let whole = as_json(document);
    let needed: &[&str] = match list.kind {
        DocumentKind::Fund => &["federation", "year"],
        DocumentKind::Subsidy => &["federation", "kind"],
        _ => &[],
    };
    let mut record = Map::new();
    record.insert("type".to_owned(), Value::from(list.kind.name()));
    for name in needed {
        record.insert((*name).to_owned(), whole[*name].clone());
    }
    record.insert(list.name.to_owned(), Value::from(vec![Value::Object(entry)]));
    serde_json::from_value(Value::Object(record)).map_err(|error| {
        let message = format!("The entry is no record: {error}.");
        vec![Problem::error("RECORD_INVALID", list.name, message)]
    })
}

/// A name for an entry that no other entry has.
pub(super) fn new_id() -> String {
    random::<8>().iter().map(|byte| format!("{byte:02x}")).collect()
}
