//! From a record to the edits that bring a document to it; none where it is there already.
//! Owns what a record means against the present content: absent fields change nothing, a scalar of a dated value is
//! an entry of the registry from the registration date, entries are made once and only amended after that.

use std::collections::BTreeMap;

use rollcall_core::credit_code::CreditCode;
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use serde_json::Value;

use crate::content::Content;
use crate::edit::Edit;
use crate::place::Place;
use crate::read::{self, Object};
use crate::scalar::Scalar;
use crate::schema::{self, COUNT_FIELDS, Container, Field, Form, KEY_BYTES_MAX, Type, VALUE_BYTES_MAX};

/// What importing the record would change.
pub(crate) fn plan(content: &Content, record: &Record) -> Result<Vec<Edit>, Vec<Problem>> {
    if record.kind() != content.kind {
        let message = format!(
            "the record is of a {}, the document of a {}",
            record.kind().name(),
            content.kind.name()
        );
        return Err(vec![Problem::error("KIND", "type", message)]);
    }
    let Ok(Value::Object(mut object)) = serde_json::to_value(record) else {
        return Err(vec![Problem::error(
            "CONTENT_UNREADABLE",
            "",
            "the record cannot be read",
        )]);
    };
    normalise(content, &mut object);
    let mut planner = Planner {
        content,
        planned: BTreeMap::new(),
        problems: Vec::new(),
    };
    let schema = schema::of(content.kind);
    for (name, value) in &object {
        let nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        let known = schema.field(name).is_some() || schema.container(name).is_some();
        if !known && !nothing && !matches!(name.as_str(), "type" | "status_on") {
            planner.refuse(
                "FIELD_UNKNOWN",
                name.clone(),
                "documents of this kind have no place for this; leave it out",
            );
        }
    }
    for field in schema.agreed {
        if let Some(value) = present(&object, field.name) {
            planner.agreed(field, value);
        }
    }
    for (position, container) in schema.containers.iter().enumerate() {
        if let Some(value) = present(&object, container.name) {
            planner.container(position, container, value, &object);
        }
    }
    planner.finish()
}

/// A problem where the document's id comes from this code or name, so that it can only be replaced by another document.
pub(crate) fn check_name(content: &Content, field: &str, new: &str) -> Result<(), Problem> {
    let standing = content.agreed(field).and_then(|cell| cell.winner.value.as_text());
    let Some(standing) = standing.filter(|standing| *standing != new) else {
        return Ok(());
    };
    if !matches!(field, "code" | "id") || DocumentId::from_reference(content.kind, standing) != content.id {
        return Ok(());
    }
    let code = if field == "code" { "CODE_FIXED" } else { "ID_FIXED" };
    let message = format!(
        "the document is known by {standing}, which stays; close it as a mistake and enter {new} as a document of its own"
    );
    Err(Problem::error(code, field, message))
}

/// A code as it is kept: the valid one in normal form, any other as it came.
pub(crate) fn normal_code(text: &str) -> String {
    CreditCode::parse(text).map_or_else(|_| text.trim().to_owned(), |code| code.as_str().to_owned())
}

fn present<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

/// One way of writing what can be written in several: codes, the document's own id as a name, pairs.
fn normalise(content: &Content, object: &mut Object) {
    for name in ["id", "code"] {
        let text = object.get(name).and_then(Value::as_str).map(str::to_owned);
        if text.is_some_and(|text| text.trim().is_empty() || text.parse() == Ok(content.id)) {
            object.remove(name);
        }
    }
    match content.kind {
        DocumentKind::Organisation | DocumentKind::Union => {
            if let Some(Value::String(code)) = object.get_mut("code") {
                *code = normal_code(code);
            }
        }
        DocumentKind::SameAs => {
            let text = |name: &str| {
                object
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let (a, b) = (text("a"), text("b"));
            if a > b {
                object.insert("a".to_owned(), Value::from(b));
                object.insert("b".to_owned(), Value::from(a));
            }
        }
        DocumentKind::Fund | DocumentKind::Subsidy | DocumentKind::Federation | DocumentKind::Campaign => {}
    }
}

struct Planner<'a> {
    content: &'a Content,
    planned: BTreeMap<Place, Scalar>,
    problems: Vec<Problem>,
}

impl Planner<'_> {
    fn finish(self) -> Result<Vec<Edit>, Vec<Problem>> {
        let Self {
            content,
            planned,
            mut problems,
        } = self;
        for (place, value) in &planned {
            if place.key.len() > KEY_BYTES_MAX
                || value.as_text().is_some_and(|text| text.len() > VALUE_BYTES_MAX)
            {
                let message =
                    format!("a name may have {KEY_BYTES_MAX} bytes and a text {VALUE_BYTES_MAX}; shorten it");
                problems.push(Problem::error(
                    "CHANGE_TOO_BIG",
                    place.field(content.kind),
                    message,
                ));
            }
        }
        if problems.is_empty() {
            Ok(planned
                .into_iter()
                .map(|(place, value)| Edit::new(content, place, value))
                .collect())
        } else {
            Err(problems)
        }
    }

    fn refuse(&mut self, code: &str, place: String, message: &str) {
        self.problems.push(Problem::error(code, place, message));
    }

    /// Plans a value for a place unless it is one of those that stand there.
    fn put(&mut self, place: Place, value: Scalar) {
        if self.content.at(&place).is_some_and(|cell| cell.holds(&value)) {
            return;
        }
        match self.planned.get(&place) {
            Some(other) if *other != value => {
                let field = place.field(self.content.kind);
                self.refuse(
                    "ENTRY_TWICE",
                    field,
                    "the record holds two different values for this; leave one",
                );
            }
            Some(_) => {}
            None => {
                self.planned.insert(place, value);
            }
        }
    }

    fn put_json(&mut self, place: Place, value: &Value) {
        match Scalar::from_json(value) {
            Some(scalar) => self.put(place, scalar),
            None => self.refuse(
                "NUMBER_RANGE",
                place.field(self.content.kind),
                "a whole number below 2^63 is expected",
            ),
        }
    }

    fn agreed(&mut self, field: &Field, value: &Value) {
        if let Err(problem) = check_name(self.content, field.name, value.as_str().unwrap_or_default()) {
            self.problems.push(problem);
            return;
        }
        self.put_json(
            Place {
                container: None,
                key: field.name.to_owned(),
            },
            value,
        );
    }

    fn container(&mut self, position: usize, container: &Container, value: &Value, record: &Object) {
        let items = value.as_array().map_or(&[][..], Vec::as_slice);
        match container.form {
            Form::Dated(_) => match value {
                Value::String(text) => self.dated_scalar(position, container.name, text, record),
                _ => {
                    for item in items {
                        self.dated_entry(position, container.name, item);
                    }
                }
            },
            Form::Counts => {
                for item in items {
                    self.count(position, item);
                }
            }
            Form::Names => {
                for name in items
                    .iter()
                    .filter_map(Value::as_str)
                    .filter(|name| !name.is_empty())
                {
                    self.put(
                        Place {
                            container: Some(position),
                            key: name.to_owned(),
                        },
                        Scalar::Flag(true),
                    );
                }
            }
            Form::NamesUntil => {
                for item in items {
                    self.former_name(position, item);
                }
            }
            Form::Set(fields) => {
                for item in items {
                    self.entry(position, container.name, fields, item, true);
                }
            }
            Form::Ledger(fields) => {
                for item in items {
                    self.entry(position, container.name, fields, item, false);
                }
            }
            Form::Amendments => {}
        }
    }

    /// The registry says so from the registration date; an ended registration was one from that date until then.
    fn dated_scalar(&mut self, position: usize, name: &str, text: &str, record: &Object) {
        let standing = self
            .content
            .agreed("registered_on")
            .and_then(|cell| cell.winner.value.as_text());
        let given = present(record, "registered_on").and_then(Value::as_str);
        let from = given.or(standing).unwrap_or_default();
        let ended_on = present(record, "status_on").and_then(Value::as_str);
        let ended_on = ended_on.filter(|_| name == "registration_status" && text != "registered");
        let first = if ended_on.is_some() { "registered" } else { text };
        let at = |from: &str| Place {
            container: Some(position),
            key: format!("{from}|registry"),
        };
        self.put(at(from), dated_scalar(first, None));
        if let Some(ended_on) = ended_on {
            self.put(at(ended_on), dated_scalar(text, None));
        }
        // With a corrected registration date the entry of the old date must not go on saying something else.
        let old = at(standing.unwrap_or_default());
        let stands = self.content.at(&old).and_then(|cell| cell.winner.value.as_text());
        if standing.unwrap_or_default() != from
            && let Some(said) = stands.and_then(read::dated_text)
            && said.value != first
            && ended_on != standing
        {
            self.put(old, dated_scalar(first, said.document));
        }
    }

    fn dated_entry(&mut self, position: usize, name: &str, item: &Value) {
        let text = |member: &str| item.get(member).and_then(Value::as_str);
        let (from, source) = (
            text("from").unwrap_or_default(),
            text("source").unwrap_or("registry"),
        );
        let Some(value) = text("value") else { return };
        let place = Place {
            container: Some(position),
            key: format!("{from}|{source}"),
        };
        let document = text("document").map(str::to_owned);
        let said = self.content.at(&place).map(|cell| {
            let said = cell
                .values()
                .filter_map(|held| held.value.as_text().and_then(read::dated_text));
            said.map(|said| (said.value == value, said.document))
                .collect::<Vec<_>>()
        });
        let unchanged = said.is_some_and(|said| {
            said.iter()
                .any(|(same, held)| *same && (document.is_none() || *held == document))
        });
        let key = place.key.clone();
        if !unchanged {
            self.put(place, dated_scalar(value, document));
        }
        self.withdrawn(name, &key, item);
    }

    fn count(&mut self, position: usize, item: &Value) {
        let text = |member: &str| item.get(member).and_then(Value::as_str);
        let (Some(on), source) = (text("on"), text("source").unwrap_or("registry")) else {
            return;
        };
        let place = Place {
            container: Some(position),
            key: format!("{on}|{source}"),
        };
        let given: Object = COUNT_FIELDS
            .iter()
            .filter_map(|field| {
                item.get(field.name)
                    .filter(|value| !value.is_null())
                    .map(|value| (field, value))
            })
            .map(|(field, value)| (field.name.to_owned(), value.clone()))
            .collect();
        let standing: Vec<Object> = self.content.at(&place).map_or_else(Vec::new, |cell| {
            let texts = cell.values().filter_map(|held| held.value.as_text());
            texts.filter_map(|text| serde_json::from_str(text).ok()).collect()
        });
        let key = place.key.clone();
        let says_so = |held: &Object| given.iter().all(|(name, value)| held.get(name) == Some(value));
        if !given.is_empty() && !standing.iter().any(says_so) {
            // Figures that the record does not give stay as they are.
            let mut merged = standing.into_iter().next_back().unwrap_or_default();
            merged.extend(given);
            self.put_json(place, &Value::Object(merged));
        }
        self.withdrawn("counts", &key, item);
    }

    fn former_name(&mut self, position: usize, item: &Value) {
        let Some(name) = item
            .get("name")
            .and_then(Value::as_str)
            .filter(|name| !name.is_empty())
        else {
            return;
        };
        let until = item.get("until").and_then(Value::as_str);
        let place = Place {
            container: Some(position),
            key: name.to_owned(),
        };
        if until.is_none() && self.content.at(&place).is_some() {
            return;
        }
        self.put(place, Scalar::Text(until.unwrap_or_default().to_owned()));
    }

    fn withdrawn(&mut self, container: &str, entry: &str, item: &Value) {
        let Some(withdrawn) = item.get("withdrawn").filter(|value| !value.is_null()) else {
            return;
        };
        if read::withdrawn(self.content, container, entry).as_ref() != Some(withdrawn) {
            self.amend(container, entry, "withdrawn", withdrawn);
        }
    }

    fn amend(&mut self, container: &str, entry: &str, field: &str, value: &Value) {
        let position = schema::of(self.content.kind).amendments();
        self.put_json(
            Place {
                container: position,
                key: format!("{container}/{entry}/{field}"),
            },
            value,
        );
    }

    fn entry(&mut self, position: usize, name: &str, fields: &[Field], item: &Value, amends: bool) {
        let Some(given) = item.as_object() else { return };
        let id = given.get("id").and_then(Value::as_str).unwrap_or_default();
        let path = format!("{name}/{id}");
        if id.is_empty() {
            self.refuse("ENTRY_ID", path, "an entry needs an id that stays its own");
            return;
        }
        let given: Object = given
            .iter()
            .filter(|(field, value)| *field != "id" && !value.is_null())
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect();
        let Some(standing) = self.standing(position, name, fields, id) else {
            self.put_json(
                Place {
                    container: Some(position),
                    key: id.to_owned(),
                },
                &Value::Object(given),
            );
            return;
        };
        for (field, value) in &given {
            // A whole number may stand where the record has it by default.
            let same = standing.get(field) == Some(value) || (!standing.contains_key(field) && *value == 0);
            if same {
                continue;
            }
            let may = amends && fields.iter().any(|known| known.name == field && known.amend);
            if may {
                self.amend(name, id, field, value);
            } else if amends {
                let message = "the entry is made and this stays as it is; withdraw it and enter a new one";
                self.refuse("ENTRY_FIXED", format!("{path}/{field}"), message);
            } else {
                let message = "ledger entries are never changed; enter a reversal of it";
                self.refuse("LEDGER_FIXED", format!("{path}/{field}"), message);
            }
        }
    }

    /// The entry that goes by this id, as it stands; an unreadable one is empty, so that nothing is taken for equal.
    fn standing(&self, position: usize, name: &str, fields: &[Field], id: &str) -> Option<Object> {
        let key = id.split_once('~').map_or(id, |(key, _)| key);
        for key in [id, key] {
            let Some(cell) = self.content.at(&Place {
                container: Some(position),
                key,
            }) else {
                continue;
            };
            if let Some((_, held)) = read::named_entries(cell).find(|(entry, _)| *entry == id) {
                let read = read::entry(self.content, name, fields, id, held, &mut Vec::new());
                return Some(read.unwrap_or_default());
            }
        }
        None
    }
}

/// A dated value as it is kept: plain where there is nothing but the value.
pub(crate) fn dated_scalar(value: &str, document: Option<String>) -> Scalar {
    if document.is_none() && !value.starts_with('{') {
        return Scalar::Text(value.to_owned());
    }
    let mut object = Object::new();
    object.insert("value".to_owned(), Value::from(value));
    object.extend(document.map(|document| ("document".to_owned(), Value::from(document))));
    Scalar::Text(Value::Object(object).to_string())
}

/// Whether a field of an entry of this form may be set later, and what it may hold.
pub(crate) fn amendable(form: Form, field: &str) -> Option<Type> {
    match form {
        Form::Dated(_) | Form::Counts if field == "withdrawn" => Some(Type::Withdrawn),
        Form::Set(fields) => fields
            .iter()
            .find(|known| known.name == field && known.amend)
            .map(|known| known.value),
        _ => None,
    }
}
