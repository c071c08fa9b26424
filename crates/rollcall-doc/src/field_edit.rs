//! Edits of single fields: `FIELD=VALUE` of the command line, and the choice that settles a conflict.
//! Owns how fields are named: `address`, `name@2024-01-01`, `name@2024-01-01|check`, `coverage/c1/until`,
//! `counts/2023-12-31|check/workers`.

use rollcall_core::problem::Problem;
use serde_json::Value;

use crate::conflict;
use crate::content::Content;
use crate::edit::Edit;
use crate::place::Place;
use crate::read::{self, Object};
use crate::record_edit::{amendable, check_name, dated_scalar, normal_code};
use crate::scalar::Scalar;
use crate::schema::{self, COUNT_FIELDS, Form, KEY_BYTES_MAX, Type, VALUE_BYTES_MAX};

/// What setting one field to one value would change. An empty value takes an agreed value or amendment out.
pub(crate) fn set(content: &Content, field: &str, value: &str) -> Result<Vec<Edit>, Vec<Problem>> {
    let (place, scalar) = target(content, field, value).map_err(|problem| vec![problem])?;
    if place.key.len() > KEY_BYTES_MAX || scalar.as_text().is_some_and(|text| text.len() > VALUE_BYTES_MAX) {
        let message =
            format!("a name may have {KEY_BYTES_MAX} bytes and a text {VALUE_BYTES_MAX}; shorten it");
        return Err(vec![Problem::error("CHANGE_TOO_BIG", field, message)]);
    }
    let standing = content.at(&place);
    let unchanged = standing.is_some_and(|cell| cell.losers.is_empty() && cell.winner.value == scalar)
        || (standing.is_none() && scalar == Scalar::Null);
    Ok(if unchanged {
        Vec::new()
    } else {
        vec![Edit::new(content, place, scalar)]
    })
}

/// What choosing one of the values of a conflict would change.
pub(crate) fn settle(content: &Content, field: &str, value_id: &str) -> Result<Vec<Edit>, Vec<Problem>> {
    let mut open = conflict::open(content);
    let Some((place, cell)) = open.find(|(place, _)| place.field(content.kind) == field) else {
        let message = format!("{field} is not in conflict; nothing is left to decide");
        return Err(vec![Problem::error("CONFLICT_UNKNOWN", field, message)]);
    };
    let Some(held) = cell.values().find(|held| held.op.to_string() == value_id) else {
        let message = format!("{value_id} is none of the values of {field}; look at them again");
        return Err(vec![Problem::error("CONFLICT_UNKNOWN", field, message)]);
    };
    let place = Place {
        container: place.container,
        key: place.key.to_owned(),
    };
    Ok(vec![Edit::new(content, place, held.value.clone())])
}

fn target(content: &Content, field: &str, value: &str) -> Result<(Place, Scalar), Problem> {
    let schema = schema::of(content.kind);
    if let Some(known) = schema.field(field) {
        let value = if field == "code" {
            normal_code(value)
        } else {
            value.to_owned()
        };
        check_name(content, field, &value)?;
        return Ok((
            Place {
                container: None,
                key: field.to_owned(),
            },
            scalar(field, known.value, &value)?,
        ));
    }
    let name = field.split(['@', '/']).next().unwrap_or_default();
    let Some(position) = schema.container(name) else {
        return Err(unknown(field));
    };
    let form = schema.containers[position].form;
    let rest = &field[name.len()..];
    if let Some(of) = dated_of(form).filter(|_| !rest.starts_with('/') || !rest.ends_with("/withdrawn")) {
        let key = dated_key(content, position, field, rest)?;
        let place = Place {
            container: Some(position),
            key,
        };
        let Some(text) = of
            .parse(value)
            .and_then(|value| value.as_str().map(str::to_owned))
        else {
            return Err(not_of(field, of));
        };
        let standing = content
            .at(&place)
            .and_then(|cell| cell.winner.value.as_text())
            .and_then(read::dated_text);
        let document = standing
            .filter(|said| said.value == text)
            .and_then(|said| said.document);
        return Ok((place, dated_scalar(&text, document)));
    }
    let Some((entry, of)) = rest.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')) else {
        return Err(unknown(field));
    };
    if matches!(form, Form::Counts) && COUNT_FIELDS.iter().any(|known| known.name == of) {
        return count(content, position, field, entry, of, value);
    }
    let Some(of_type) = amendable(form, of) else {
        let message = "this stays as entered: withdraw the entry and make a new one, or enter a reversal";
        return Err(Problem::error("ENTRY_FIXED", field, message));
    };
    let key = entry.split_once('~').map_or(entry, |(key, _)| key);
    let held = |key| {
        content
            .at(&Place {
                container: Some(position),
                key,
            })
            .is_some()
    };
    if !held(entry) && !held(key) {
        return Err(Problem::error(
            "ENTRY_UNKNOWN",
            field,
            format!("there is no entry {entry} in {name}"),
        ));
    }
    let place = Place {
        container: schema.amendments(),
        key: format!("{name}/{entry}/{of}"),
    };
    Ok((place, scalar(field, of_type, value)?))
}

fn dated_of(form: Form) -> Option<Type> {
    match form {
        Form::Dated(of) => Some(of),
        _ => None,
    }
}

/// `@DATE` or `@DATE|SOURCE` names an entry, new or not; without it the latest one is meant.
fn dated_key(content: &Content, position: usize, field: &str, rest: &str) -> Result<String, Problem> {
    if let Some(at) = rest.strip_prefix(['@', '/']) {
        let key = if at.contains('|') {
            at.to_owned()
        } else {
            format!("{at}|registry")
        };
        return match schema::split_dated(&key) {
            Some(_) => Ok(key),
            None => Err(Problem::error(
                "DATE_INVALID",
                field,
                format!("{at} is not a date such as 2024-01-01"),
            )),
        };
    }
    if !rest.is_empty() {
        return Err(unknown(field));
    }
    let name = schema::of(content.kind).containers[position].name;
    let cells = content.cells(Some(position)).iter();
    let latest = cells
        .filter(|cell| read::withdrawn(content, name, &cell.key).is_none())
        .max_by_key(|cell| {
            let (from, source) = schema::split_dated(&cell.key)?;
            Some((from.map(|from| from.last_day()), std::cmp::Reverse(source)))
        });
    latest.map(|cell| cell.key.clone()).ok_or_else(|| {
        let message = format!("no {name} is entered yet; say from when: {name}@2024-01-01=...");
        Problem::error("DATE_MISSING", field, message)
    })
}

fn count(
    content: &Content,
    position: usize,
    field: &str,
    entry: &str,
    of: &str,
    value: &str,
) -> Result<(Place, Scalar), Problem> {
    let key = if entry.contains('|') {
        entry.to_owned()
    } else {
        format!("{entry}|registry")
    };
    if schema::split_count(&key).is_none() {
        return Err(Problem::error(
            "DATE_INVALID",
            field,
            format!("{entry} is not a date such as 2024-12-31"),
        ));
    }
    let place = Place {
        container: Some(position),
        key,
    };
    let standing = content.at(&place).and_then(|cell| cell.winner.value.as_text());
    let mut figures: Object = standing
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    if value.is_empty() {
        figures.remove(of);
    } else {
        figures.insert(
            of.to_owned(),
            Type::Count
                .parse(value)
                .ok_or_else(|| not_of(field, Type::Count))?,
        );
    }
    Ok((place, Scalar::Text(Value::Object(figures).to_string())))
}

fn scalar(field: &str, of: Type, value: &str) -> Result<Scalar, Problem> {
    if value.is_empty() {
        return Ok(Scalar::Null);
    }
    of.parse(value)
        .and_then(|value| Scalar::from_json(&value))
        .ok_or_else(|| not_of(field, of))
}

fn unknown(field: &str) -> Problem {
    Problem::error(
        "FIELD_UNKNOWN",
        field,
        format!("there is no field {field} in this kind of document"),
    )
}

fn not_of(field: &str, of: Type) -> Problem {
    Problem::error("SCHEMA", field, format!("{} is expected", of.expected()))
}
