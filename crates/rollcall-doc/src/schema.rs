//! What a document of each kind may hold: agreed fields, containers, who may be amended.
//! Owns the tables and the two questions put to them: does a value have its type, does a key have its form.
//! Leaves reading to `read` and `facts`, refusing foreign changes to `gate`.
//!
//! The order of the containers is frozen: it is the genesis change (`genesis`). New ones go into an extension.

mod directory;
mod money;
mod organisation;
mod union;
mod value;

use rollcall_core::date::{Day, PartialDate};
use rollcall_core::id::DocumentKind;
use rollcall_core::term::Source;
use serde_json::Value;

use crate::members::{Member, Members};
use crate::scalar::ScalarRef;

pub(crate) use value::Type;

/// Longest key of a map, bytes.
pub(crate) const KEY_BYTES_MAX: usize = 256;
/// Longest text value, bytes.
pub(crate) const VALUE_BYTES_MAX: usize = 32 * 1024;

/// What a document of one kind may hold.
#[derive(Debug)]
pub(crate) struct Schema {
    /// Agreed values: keys of the root.
    pub(crate) agreed: &'static [Field],
    /// Containers in the order of the genesis change.
    pub(crate) containers: &'static [Container],
}

/// One agreed value, or one field of an entry.
#[derive(Debug)]
pub(crate) struct Field {
    /// Name, as in the record.
    pub(crate) name: &'static str,
    /// What it may hold.
    pub(crate) value: Type,
    /// In an entry: whether it may change after the entry was made.
    pub(crate) amend: bool,
    /// In an entry: whether the entry means nothing without it.
    pub(crate) required: bool,
}

/// One map below the root, made by the genesis change.
#[derive(Debug)]
pub(crate) struct Container {
    /// Name, as in the record.
    pub(crate) name: &'static str,
    /// How its keys and values are formed.
    pub(crate) form: Form,
}

/// How the keys and values of a container are formed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// `{from}|{source}` to a text, or to `{"value":..,"document":..}`.
    Dated(Type),
    /// `{on}|{source}` to `{"workers":..,"members":..,"female_members":..}`.
    Counts,
    /// The text itself to `true`.
    Names,
    /// The name to its last day, or to an empty text.
    NamesUntil,
    /// Entry id to the entry as first entered; later changes are amendments.
    Set(&'static [Field]),
    /// Entry id to the entry; never changed.
    Ledger(&'static [Field]),
    /// `{container}/{entry}/{field}` to the later value of that field.
    Amendments,
}

pub(crate) const fn agreed(name: &'static str, value: Type) -> Field {
    Field {
        name,
        value,
        amend: true,
        required: false,
    }
}

/// A field of an entry that stays as entered.
pub(crate) const fn fixed(name: &'static str, value: Type) -> Field {
    Field {
        name,
        value,
        amend: false,
        required: false,
    }
}

/// A field without which an entry means nothing.
pub(crate) const fn required(name: &'static str, value: Type) -> Field {
    Field {
        name,
        value,
        amend: false,
        required: true,
    }
}

pub(crate) const fn container(name: &'static str, form: Form) -> Container {
    Container { name, form }
}

/// A `Type::Term` of one of the lists in `term`.
macro_rules! term {
    ($name:ident) => {
        $crate::schema::Type::Term(|text| rollcall_core::term::$name::from_name(text).is_some())
    };
}
pub(crate) use term;

/// A list of entry fields: its own ones, then those that every entry may carry.
macro_rules! entry {
    ($($field:expr),+ $(,)?) => {
        &[
            $($field,)+
            $crate::schema::fixed("at", $crate::schema::Type::Text),
            $crate::schema::fixed("by", $crate::schema::Type::Text),
            $crate::schema::fixed("source", $crate::schema::term!(Source)),
            $crate::schema::agreed("withdrawn", $crate::schema::Type::Withdrawn),
        ]
    };
}
pub(crate) use entry;

/// The fields of an entry of headcounts.
pub(crate) const COUNT_FIELDS: &[Field] = &[
    agreed("workers", Type::Count),
    agreed("members", Type::Count),
    agreed("female_members", Type::Count),
];

/// The schema of a kind.
pub(crate) fn of(kind: DocumentKind) -> &'static Schema {
    match kind {
        DocumentKind::Organisation => &organisation::ORGANISATION,
        DocumentKind::Union => &union::UNION,
        DocumentKind::Fund => &money::FUND,
        DocumentKind::Subsidy => &money::SUBSIDY,
        DocumentKind::SameAs => &directory::SAME_AS,
        DocumentKind::Federation => &directory::FEDERATION,
        DocumentKind::Campaign => &directory::CAMPAIGN,
    }
}

impl Container {
    /// Whether its entries are made once and never overwritten.
    pub(crate) fn makes_once(&self) -> bool {
        matches!(self.form, Form::Set(_) | Form::Ledger(_))
    }
}

impl Schema {
    /// The agreed field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.agreed.iter().find(|field| field.name == name)
    }

    /// Position of the container of this name; its genesis operation is one more.
    pub(crate) fn container(&self, name: &str) -> Option<usize> {
        self.containers
            .iter()
            .position(|container| container.name == name)
    }

    /// Position of the amendments, where the kind has any.
    pub(crate) fn amendments(&self) -> Option<usize> {
        self.containers
            .iter()
            .position(|container| matches!(container.form, Form::Amendments))
    }

    /// Whether an agreed value of this key and content may be written at the root; else what is expected.
    pub(crate) fn check_agreed(&self, key: &str, value: ScalarRef<'_>) -> Result<(), &'static str> {
        let field = self.field(key).ok_or("a field of this kind of document")?;
        field.value.check_scalar(value)
    }

    /// Whether this key and content may be written into the container; else what is expected.
    pub(crate) fn check_entry(
        &self,
        container: usize,
        key: &str,
        value: ScalarRef<'_>,
    ) -> Result<(), &'static str> {
        match self.containers[container].form {
            Form::Dated(of) => {
                split_dated(key).ok_or("a key {from}|{source}")?;
                check_dated(of, value)
            }
            Form::Counts => {
                split_count(key).ok_or("a key {date}|{source}")?;
                check_object(COUNT_FIELDS, value)
            }
            Form::Names => match value {
                ScalarRef::Flag(true) if !key.is_empty() => Ok(()),
                _ => Err("a name with the value true"),
            },
            Form::NamesUntil => match value {
                ScalarRef::Text("") if !key.is_empty() => Ok(()),
                _ if key.is_empty() => Err("a name"),
                _ => Type::Date.check_scalar(value),
            },
            Form::Set(fields) | Form::Ledger(fields) if !key.is_empty() => check_object(fields, value),
            Form::Set(_) | Form::Ledger(_) => Err("an entry id"),
            Form::Amendments => {
                let field = self
                    .amended(key)
                    .ok_or("a key {container}/{entry}/{field} that may be amended")?;
                field.1.check_scalar(value)
            }
        }
    }

    /// What an amendment with this key amends: the container and the type of the field.
    pub(crate) fn amended(&self, key: &str) -> Option<(usize, Type)> {
        let (name, entry, field) = split_amendment(key)?;
        let container = self.container(name)?;
        let value = match self.containers[container].form {
            Form::Dated(_) if split_dated(entry).is_some() && field == "withdrawn" => Type::Withdrawn,
            Form::Counts if split_count(entry).is_some() && field == "withdrawn" => Type::Withdrawn,
            Form::Set(fields) => fields.iter().find(|of| of.name == field && of.amend)?.value,
            _ => return None,
        };
        Some((container, value))
    }
}

/// Container, entry and field of an amendment's key.
pub(crate) fn split_amendment(key: &str) -> Option<(&str, &str, &str)> {
    let (container, rest) = key.split_once('/')?;
    let (entry, field) = rest.rsplit_once('/')?;
    Some((container, entry, field)).filter(|_| !entry.is_empty())
}

/// Start and source of a dated value's key.
pub(crate) fn split_dated(key: &str) -> Option<(Option<PartialDate>, Source)> {
    let (from, source) = key.split_once('|')?;
    let from = if from.is_empty() {
        None
    } else {
        Some(from.parse().ok()?)
    };
    Some((from, Source::from_name(source)?))
}

/// Day and source of a headcount's key.
pub(crate) fn split_count(key: &str) -> Option<(Day, Source)> {
    let (on, source) = key.split_once('|')?;
    Some((on.parse().ok()?, Source::from_name(source)?))
}

fn check_dated(of: Type, value: ScalarRef<'_>) -> Result<(), &'static str> {
    let ScalarRef::Text(text) = value else {
        return Err("a text");
    };
    if !text.starts_with('{') {
        return of.check_scalar(value);
    }
    let Members(members) = Members::read(text).ok_or("a text, or an object of value and document")?;
    let held = members.get("value").ok_or("an object with a value")?;
    if !of.check_member(held) || members.values().any(|member| member.as_text().is_none()) {
        return Err(of.expected());
    }
    Ok(())
}

/// Known members have their type; unknown ones (a newer release's) are kept, but hold no fraction.
fn check_object(fields: &[Field], value: ScalarRef<'_>) -> Result<(), &'static str> {
    let ScalarRef::Text(text) = value else {
        return Err("an object as JSON text");
    };
    let Members(members) = Members::read(text).ok_or("an object as JSON text")?;
    for (name, member) in &members {
        match fields.iter().find(|field| field.name == name) {
            Some(field) if !field.value.check_member(member) => return Err(field.value.expected()),
            Some(_) => {}
            None if name == "id" => return Err("an entry without its id: the key is the id"),
            None => match member {
                Member::Other(value) if holds_fraction(value) => return Err("whole numbers"),
                Member::Other(_) | Member::Text(_) => {}
            },
        }
    }
    match fields
        .iter()
        .find(|field| field.required && !members.contains_key(field.name))
    {
        Some(_) => Err("an entry with the fields it cannot do without"),
        None => Ok(()),
    }
}

fn holds_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(holds_fraction),
        Value::Object(members) => members.values().any(holds_fraction),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amendments_touch_what_may_change_and_nothing_else() {
        let schema = of(DocumentKind::Organisation);
        for key in [
            "coverage/c1/until",
            "coverage/a/b/until",
            "name/2023-01-01|registry/withdrawn",
            "counts/2023-12-31|check/withdrawn",
        ] {
            assert!(schema.amended(key).is_some(), "{key}");
        }
        for key in [
            "coverage/c1/union",
            "coverage//until",
            "coverage/until",
            "name/x/withdrawn",
            "name/2023|registry/value",
            "nothing/c1/until",
        ] {
            assert!(schema.amended(key).is_none(), "{key}");
        }
        assert!(of(DocumentKind::Fund).amended("entries/m1/withdrawn").is_none());
    }

    #[test]
    fn an_entry_with_a_fraction_or_a_text_for_an_amount_is_refused() {
        let schema = of(DocumentKind::Fund);
        let entries = schema.container("entries").expect("a fund has entries");
        let check = |text: &str| schema.check_entry(entries, "m1", ScalarRef::Text(text)).is_ok();
        assert!(check(r#"{"amount_fen":5,"entry":"spent","on":"2023-06-01"}"#));
        assert!(check(
            r#"{"amount_fen":5,"entry":"spent","later":[1,2],"on":"2023-06-01"}"#
        ));
        for text in [
            r#"{"amount_fen":5.5,"entry":"spent","on":"2023-06-01"}"#,
            r#"{"amount_fen":"5","entry":"spent","on":"2023-06-01"}"#,
            r#"{"amount_fen":5,"entry":"spent"}"#,
            r#"{"amount_fen":5,"entry":"spent","later":[1.5],"on":"2023-06-01"}"#,
            r#"{"amount_fen":5,"entry":"lost","on":"2023-06-01"}"#,
            "[]",
            "",
        ] {
            assert!(!check(text), "{text}");
        }
    }

    #[test]
    fn every_kind_has_distinct_names() {
        for kind in DocumentKind::ALL {
            let schema = of(kind);
            let mut names: Vec<&str> = schema.agreed.iter().map(|field| field.name).collect();
            names.extend(schema.containers.iter().map(|container| container.name));
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{kind:?}");
        }
    }
}
