//! From what stands in a document to its record. Bad content never fails: it is left out and named as a problem.
//! Owns how cells, entries and amendments are read; `facts` and `record_edit` use the same readers.
//! Importing the record again changes nothing, so it shows one value of each conflict and every entry there is.

use std::borrow::Cow;

use rollcall_core::id::{DocumentKind, FederationId};
use rollcall_core::problem::Problem;
use rollcall_core::record::{
    CampaignRecord, FederationRecord, FundRecord, OrganisationRecord, Record, SameAsRecord, SubsidyRecord,
    UnionRecord,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::content::{Cell, Content, Held};
use crate::members::{Member, Members};
use crate::schema::{self, COUNT_FIELDS, Field, Form, Type};

/// An object of JSON.
pub(crate) type Object = Map<String, Value>;

/// What a text at a dated key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatedText<'a> {
    /// What holds.
    pub(crate) value: Cow<'a, str>,
    /// Number of the paper it rests on.
    pub(crate) document: Option<String>,
}

/// Reads a dated value: a plain text, or an object of value and document.
pub(crate) fn dated_text(text: &str) -> Option<DatedText<'_>> {
    if !text.starts_with('{') {
        return Some(DatedText {
            value: Cow::Borrowed(text),
            document: None,
        });
    }
    let Members(mut members) = Members::read(text)?;
    let Some(Member::Text(value)) = members.remove("value") else {
        return None;
    };
    let document = members.get("document").and_then(Member::as_text);
    let document = document.map(str::to_owned);
    Some(DatedText { value, document })
}

/// Whether, when and why an entry was taken back.
pub(crate) fn withdrawn(content: &Content, container: &str, entry: &str) -> Option<Value> {
    let (_, cell) = content
        .amendments(container, entry)
        .find(|(field, _)| *field == "withdrawn")?;
    Some(cell.winner.value.as_ref().open()).filter(|value| Type::Withdrawn.check(value))
}

/// The values of a cell of a set or ledger, each an entry of its own, with the name it goes by: the oldest has the
/// entry's id, others that were entered apart under the same id have that of their operation added.
pub(crate) fn named_entries(cell: &Cell) -> impl Iterator<Item = (Cow<'_, str>, &Held)> {
    cell.values().enumerate().map(|(index, held)| {
        let name = if index == 0 {
            Cow::from(&cell.key)
        } else {
            Cow::from(format!("{}~{}", cell.key, held.op))
        };
        (name, held)
    })
}

/// One entry of a set or ledger as an object with its id, amendments worked in; problems where it holds more or less
/// than it should. Of a field amended differently by several it has the value that is shown.
pub(crate) fn entry(
    content: &Content,
    container: &str,
    fields: &[Field],
    name: &str,
    held: &Held,
    problems: &mut Vec<Problem>,
) -> Option<Object> {
    entry_reading(
        content,
        container,
        fields,
        name,
        held,
        |cell| &cell.winner,
        problems,
    )
}

/// Like [`entry`], with the value of each amended field that `choose` picks.
pub(crate) fn entry_reading<'a>(
    content: &'a Content,
    container: &str,
    fields: &[Field],
    name: &str,
    held: &Held,
    mut choose: impl FnMut(&'a Cell) -> &'a Held,
    problems: &mut Vec<Problem>,
) -> Option<Object> {
    let place = || format!("{container}/{name}");
    let text = held.value.as_text().unwrap_or_default();
    let Ok(mut object) = serde_json::from_str::<Object>(text) else {
        problems.push(unreadable(place(), "the entry"));
        return None;
    };
    for (field, cell) in content.amendments(container, name) {
        object.insert(field.to_owned(), choose(cell).value.as_ref().open());
    }
    object.retain(|name, value| {
        let known = fields.iter().find(|field| field.name == name);
        if known.is_none() {
            problems.push(Problem::warning(
                "FIELD_UNKNOWN",
                place(),
                format!("{name} is of a newer release; left out"),
            ));
        } else if !value.is_null() && !known.is_some_and(|field| field.value.check(value)) {
            problems.push(unreadable(format!("{}/{name}", place()), "the value"));
        }
        known.is_some_and(|field| field.value.check(value))
    });
    if fields
        .iter()
        .any(|field| field.required && !object.contains_key(field.name))
    {
        problems.push(unreadable(place(), "the entry"));
        return None;
    }
    object.insert("id".to_owned(), Value::from(name));
    Some(object)
}

/// Several entries under one id: both stay, both count (`protocol.md` 1.12).
pub(crate) fn report_doubles(container: &str, cell: &Cell, problems: &mut Vec<Problem>) {
    if !cell.losers.is_empty() {
        problems.push(Problem::alert(
            "ENTRY_TWICE",
            format!("{container}/{}", cell.key),
            "two different entries were made apart under one id; both are kept, withdraw or reverse the wrong one",
        ));
    }
}

pub(crate) fn unreadable(place: impl Into<String>, what: &str) -> Problem {
    Problem::error(
        "CONTENT_UNREADABLE",
        place,
        format!("{what} cannot be read and was left out; enter it again"),
    )
}

/// The record of a document.
pub(crate) fn record(content: &Content) -> (Record, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut object = agreed(content, &mut problems);
    for (position, container) in schema::of(content.kind).containers.iter().enumerate() {
        let cells = &content.containers[position];
        if cells.is_empty() {
            continue;
        }
        let value = match container.form {
            Form::Dated(of) => dated(content, container.name, of, cells, &mut object, &mut problems),
            Form::Counts => counts(content, cells, &mut problems),
            Form::Names => cells.iter().map(|cell| Value::from(cell.key.as_str())).collect(),
            Form::NamesUntil => cells.iter().map(former_name).collect(),
            Form::Set(fields) | Form::Ledger(fields) => {
                let mut entries = Vec::new();
                for cell in cells {
                    report_doubles(container.name, cell, &mut problems);
                    for (name, held) in named_entries(cell) {
                        let read = entry(content, container.name, fields, &name, held, &mut problems);
                        entries.extend(read.map(Value::Object));
                    }
                }
                Value::Array(entries)
            }
            Form::Amendments => continue,
        };
        object.insert(container.name.to_owned(), value);
    }
    (shape(content, object, &mut problems), problems)
}

fn agreed(content: &Content, problems: &mut Vec<Problem>) -> Object {
    let mut object = Object::new();
    for field in schema::of(content.kind).agreed {
        let Some(cell) = content.agreed(field.name) else {
            continue;
        };
        let value = cell.winner.value.as_ref();
        let value = if matches!(field.value, Type::Withdrawn) {
            value.open()
        } else {
            value.to_json()
        };
        if field.value.check(&value) {
            object.insert(field.name.to_owned(), value);
        } else if !value.is_null() {
            problems.push(unreadable(field.name, "the value"));
        }
    }
    if matches!(
        content.kind,
        DocumentKind::Organisation | DocumentKind::Union | DocumentKind::Fund | DocumentKind::Subsidy
    ) && !object.contains_key("id")
        && !object.contains_key("code")
    {
        object.insert("id".to_owned(), Value::from(content.id.to_string()));
    }
    object
}

/// A scalar where a scalar says everything, else the list.
fn dated(
    content: &Content,
    name: &str,
    of: Type,
    cells: &[Cell],
    object: &mut Object,
    problems: &mut Vec<Problem>,
) -> Value {
    let mut entries = Vec::new();
    for cell in cells {
        let withdrawn = withdrawn(content, name, &cell.key);
        for held in cell.values() {
            let read = schema::split_dated(&cell.key).zip(held.value.as_text().and_then(dated_text));
            let Some(((from, source), read)) = read.filter(|(_, read)| of.check(&Value::from(&*read.value)))
            else {
                problems.push(unreadable(format!("{name}/{}", cell.key), "the value"));
                continue;
            };
            let mut entry = Object::new();
            entry.insert("value".to_owned(), Value::from(read.value.into_owned()));
            entry.insert(
                "from".to_owned(),
                from.map_or(Value::Null, |from| Value::from(from.to_string())),
            );
            entry.insert("source".to_owned(), Value::from(source.name()));
            entry.extend(
                read.document
                    .map(|document| ("document".to_owned(), Value::from(document))),
            );
            entry.extend(
                withdrawn
                    .clone()
                    .map(|withdrawn| ("withdrawn".to_owned(), withdrawn)),
            );
            entries.push(Value::Object(entry));
        }
    }
    let registered_on = object.get("registered_on").cloned().unwrap_or(Value::Null);
    let plain = |entry: &Value| {
        entry["source"] == "registry" && entry.get("document").is_none() && entry.get("withdrawn").is_none()
    };
    match entries.as_slice() {
        [only] if plain(only) && only["from"] == registered_on => only["value"].clone(),
        [a, b] if name == "registration_status" && plain(a) && plain(b) => {
            let (start, end) = if a["value"] == "registered" {
                (a, b)
            } else {
                (b, a)
            };
            let scalar = start["value"] == "registered"
                && start["from"] == registered_on
                && end["value"] != "registered"
                && end["from"].is_string()
                && end["from"] != registered_on;
            if scalar {
                object.insert("status_on".to_owned(), end["from"].clone());
                end["value"].clone()
            } else {
                Value::Array(entries)
            }
        }
        _ => Value::Array(entries),
    }
}

fn counts(content: &Content, cells: &[Cell], problems: &mut Vec<Problem>) -> Value {
    let mut entries = Vec::new();
    for cell in cells {
        for held in cell.values() {
            let text = held.value.as_text().unwrap_or_default();
            let key = schema::split_count(&cell.key);
            let Some(((on, source), mut entry)) = key.zip(serde_json::from_str::<Object>(text).ok()) else {
                problems.push(unreadable(format!("counts/{}", cell.key), "the entry"));
                continue;
            };
            entry.retain(|name, value| {
                COUNT_FIELDS
                    .iter()
                    .any(|field| field.name == name && field.value.check(value))
            });
            entry.insert("on".to_owned(), Value::from(on.to_string()));
            entry.insert("source".to_owned(), Value::from(source.name()));
            let withdrawn = withdrawn(content, "counts", &cell.key);
            entry.extend(withdrawn.map(|withdrawn| ("withdrawn".to_owned(), withdrawn)));
            entries.push(Value::Object(entry));
        }
    }
    Value::Array(entries)
}

fn former_name(cell: &Cell) -> Value {
    let until = cell
        .winner
        .value
        .as_text()
        .filter(|until| Type::Date.check(&Value::from(*until)));
    let mut entry = Object::new();
    entry.insert("name".to_owned(), Value::from(cell.key.as_str()));
    entry.insert("until".to_owned(), until.map_or(Value::Null, Value::from));
    Value::Object(entry)
}

/// Gives the object its type. Its members have theirs already, so that only what must be there can be missing;
/// a stand-in takes that place, with a problem.
fn shape(content: &Content, mut object: Object, problems: &mut Vec<Problem>) -> Record {
    let national = || Value::from(FederationId::national().as_str());
    let stand_ins: Vec<(&str, Value)> = match content.kind {
        DocumentKind::Organisation | DocumentKind::Union | DocumentKind::Campaign => Vec::new(),
        DocumentKind::Fund => vec![("federation", national()), ("year", Value::from(1000))],
        DocumentKind::Subsidy => vec![("federation", national()), ("kind", Value::from("special_fund"))],
        DocumentKind::SameAs => vec![("a", Value::from("")), ("b", Value::from(""))],
        DocumentKind::Federation => {
            vec![
                ("code", national()),
                ("name", Value::from("")),
                ("level", Value::from("county")),
            ]
        }
    };
    for (name, value) in stand_ins {
        if !object.contains_key(name) {
            problems.push(Problem::error(
                "FIELD_MISSING",
                name,
                format!("{name} is missing; enter it"),
            ));
            object.insert(name.to_owned(), value);
        }
    }
    match content.kind {
        DocumentKind::Organisation => Record::Organisation(Box::new(typed::<OrganisationRecord>(object))),
        DocumentKind::Union => Record::Union(Box::new(typed::<UnionRecord>(object))),
        DocumentKind::Fund => Record::Fund(typed::<FundRecord>(object)),
        DocumentKind::Subsidy => Record::Subsidy(Box::new(typed::<SubsidyRecord>(object))),
        DocumentKind::SameAs => Record::SameAs(typed::<SameAsRecord>(object)),
        DocumentKind::Federation => Record::Federation(typed::<FederationRecord>(object)),
        DocumentKind::Campaign => Record::Campaign(typed::<CampaignRecord>(object)),
    }
}

fn typed<T: DeserializeOwned>(object: Object) -> T {
    serde_json::from_value(Value::Object(object)).expect("every member has been checked against the schema")
}
