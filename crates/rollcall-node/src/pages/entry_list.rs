//! The lists of entries that a record may have, as tables: which fields an entry has, which of them may change later.
//! Owns the tables and how an entry is told in words; what entries mean is the documents' to say.

use std::collections::BTreeSet;

use rollcall_core::id::DocumentKind;
use rollcall_core::term::{
    Category, ExclusionReason, FundEntryKind, OperatingState, RegistrationStatus, Source, Stage,
    SubsidyEntryKind, UnionEvent,
};
use rollcall_web::form::encode;
use rollcall_web::layout::Frame;
use rollcall_web::page::entries::{EntryColumn, EntryRow, EntryTable};
use serde_json::Value;

use super::form_field::{FormField, Input, fixed, later, required, yuan};
use super::words::{self, AuthorNames};

/// The list that the taker of an organisation signs in.
pub(super) const HANDOVERS: &str = "handovers";

/// One list of a kind of record.
#[derive(Debug)]
pub(super) struct EntryList {
    /// Name, as in records.
    pub(super) name: &'static str,
    /// Whose.
    pub(super) kind: DocumentKind,
    /// What kind of list.
    pub(super) form: ListForm,
    /// The fields of an entry.
    pub(super) fields: &'static [FormField],
}

/// Where the entries of a record are made and changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryLinks<'a> {
    /// Of all its lists.
    pub(super) href: &'a str,
    /// Keys of the only entries that may be changed, where none may be made.
    pub(super) only: Option<&'a BTreeSet<String>>,
}

impl<'a> EntryLinks<'a> {
    /// Everything may be written.
    pub(super) fn all(href: &'a str) -> Self {
        Self { href, only: None }
    }
}

/// What kind of list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListForm {
    /// Values of a field, each from a date: named by date and source.
    Dated,
    /// Headcounts: named by day and source.
    Counts,
    /// Entries with ids of their own, which may be completed and withdrawn.
    Set,
    /// Entries with ids of their own, which may only be reversed.
    Ledger,
}

const SOURCE: Input = Input::Term("source", || names(Source::ALL, Source::name));

fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|value| name(*value)).collect()
}

macro_rules! dated {
    ($name:literal, $input:expr) => {
        EntryList {
            name: $name,
            kind: DocumentKind::Organisation,
            form: ListForm::Dated,
            fields: &[
                required("value", $input),
                required("from", Input::Date),
                required("source", SOURCE),
                fixed("document", Input::Text),
            ],
        }
    };
}

macro_rules! list {
    ($kind:ident $form:ident $name:expr, $($field:expr),+ $(,)?) => {
        EntryList {
            name: $name,
            kind: DocumentKind::$kind,
            form: ListForm::$form,
            fields: &[$($field),+],
        }
    };
}

/// Every list that can be written on a page.
const LISTS: &[EntryList] = &[
    dated!("name", Input::Text),
    dated!(
        "category",
        Input::Term("category", || names(Category::ALL, Category::name))
    ),
    dated!(
        "registration_status",
        Input::Term("registration_status", || names(
            RegistrationStatus::ALL,
            RegistrationStatus::name
        ))
    ),
    dated!("registration_authority", Input::Division),
    dated!("location", Input::Division),
    dated!(
        "operating_state",
        Input::Term("operating_state", || names(
            OperatingState::ALL,
            OperatingState::name
        ))
    ),
    list!(
        Organisation Counts "counts",
        required("on", Input::Day),
        required("source", SOURCE),
        later("workers", Input::Count),
        later("members", Input::Count),
        later("female_members", Input::Count),
    ),
    list!(
        Organisation Set "coverage",
        required("union", Input::Union),
        required("from", Input::Date),
        later("until", Input::Date),
        later("consent_on", Input::Date),
    ),
    list!(
        Organisation Set "exclusions",
        required("reason", Input::Term("exclusion", || names(ExclusionReason::ALL, ExclusionReason::name))),
        required("from", Input::Date),
        later("until", Input::Date),
        later("evidence", Input::Text),
        later("approved_on", Input::Date),
        later("refused_on", Input::Date),
    ),
    list!(
        Organisation Set "stages",
        required("stage", Input::Term("stage", own_stages)),
        required("on", Input::Date),
        later("number", Input::Text),
    ),
    list!(
        Organisation Set "contacts",
        required("on", Input::Date),
        later("channel", Input::Term("channel", || vec!["visit", "letter", "telephone"])),
        later("result", Input::Text),
        later("next_on", Input::Date),
    ),
    list!(
        Organisation Set "organisers",
        required("elected_on", Input::Date),
        later("ended_on", Input::Date),
    ),
    list!(
        Organisation Set HANDOVERS,
        required("to", Input::Federation),
        required("on", Input::Date),
        later("accepted_on", Input::Date),
    ),
    list!(
        Organisation Set "services",
        required("on", Input::Date),
        required("service", Input::Text),
        later("note", Input::Text),
    ),
    list!(
        Union Set "events",
        required("event", Input::Term("event", || names(UnionEvent::ALL, UnionEvent::name))),
        required("on", Input::Date),
        fixed("cycle", Input::Count),
        later("number", Input::Text),
        later("approved_by", Input::Federation),
        later("term_years", Input::Count),
        later("until", Input::Date),
        later("months", Input::Count),
    ),
    list!(
        Union Set "other_units",
        required("on", Input::Date),
        required("count", Input::Count),
    ),
    list!(
        Subsidy Ledger "entries",
        required("entry", Input::Term("case_entry", case_entries)),
        required("on", Input::Date),
        fixed("amount_fen", Input::Amount),
        fixed("reason", Input::Text),
    ),
    list!(
        Fund Ledger "entries",
        required("entry", Input::Term("fund_entry", fund_entries)),
        required("on", Input::Date),
        required("amount_fen", Input::Amount),
        fixed("counterparty", Input::Federation),
        fixed("transfer", Input::Text),
    ),
];

/// What the organisation's own record holds; later stages follow from the events of its union (`domain.md` 8).
fn own_stages() -> Vec<&'static str> {
    names(&[Stage::Mapped, Stage::Contacted], Stage::name)
}

/// A reversal is made from the entry that it reverses.
fn case_entries() -> Vec<&'static str> {
    let mut entries = names(SubsidyEntryKind::ALL, SubsidyEntryKind::name);
    entries.retain(|name| *name != SubsidyEntryKind::Reversal.name());
    entries
}

fn fund_entries() -> Vec<&'static str> {
    let mut entries = names(FundEntryKind::ALL, FundEntryKind::name);
    entries.retain(|name| *name != FundEntryKind::Reversal.name());
    entries
}

/// The list of this name.
pub(super) fn find(kind: DocumentKind, name: &str) -> Option<&'static EntryList> {
    LISTS.iter().find(|list| list.kind == kind && list.name == name)
}

impl EntryList {
    /// What the list is called.
    pub(super) fn title(&self, frame: &Frame) -> String {
        match self.form {
            ListForm::Dated => words::word(frame, self.name),
            ListForm::Counts | ListForm::Set | ListForm::Ledger => {
                frame.text(&format!("list.{}", self.name)).to_owned()
            }
        }
    }

    /// What stands in a field of an entry, as it is entered.
    pub(super) fn entered(field: &FormField, entry: &Value) -> String {
        match (entry.get(field.name), field.input) {
            (None | Some(Value::Null), _) => String::new(),
            (Some(Value::Number(fen)), Input::Amount) => fen.as_i64().map(yuan).unwrap_or_default(),
            (Some(Value::String(text)), _) => text.clone(),
            (Some(other), _) => other.to_string(),
        }
    }

    /// What stands in a field of an entry, in words.
    pub(super) fn told(&self, frame: &Frame, field: &FormField, entry: &Value) -> String {
        let text = Self::entered(field, entry);
        match field.input {
            _ if text.is_empty() => text,
            Input::Term(prefix, _) => frame.term(prefix, &text),
            Input::Amount => entry
                .get(field.name)
                .and_then(Value::as_i64)
                .map_or(text, |fen| frame.locale.yuan(fen)),
            Input::Flag => frame
                .text(if text == "true" { "value.yes" } else { "value.no" })
                .to_owned(),
            Input::Date | Input::Day => words::date(frame, &text),
            Input::Division | Input::Federation => words::division(&text),
            // What lists of other systems give as a word, such as the kind of a service.
            Input::Text => words::term(frame, field.name, &text),
            Input::Count
            | Input::Year
            | Input::UnionCode
            | Input::Union
            | Input::Organisation
            | Input::Fund => text,
        }
    }

    /// The name of an entry within its list.
    pub(super) fn key(&self, entry: &Value) -> String {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        match self.form {
            ListForm::Dated => format!("{}|{}", text("from"), text("source")),
            ListForm::Counts => format!("{}|{}", text("on"), text("source")),
            ListForm::Set | ListForm::Ledger => text("id").to_owned(),
        }
    }

    /// The entries of a record that stand.
    pub(super) fn standing<'a>(&self, record: &'a Value) -> impl Iterator<Item = &'a Value> + use<'a> {
        let entries = record.get(self.name).and_then(Value::as_array);
        entries
            .into_iter()
            .flatten()
            .filter(|entry| entry.get("withdrawn").is_none_or(Value::is_null))
    }

    /// Where an entry is made.
    pub(super) fn href(&self, entries_href: &str) -> String {
        format!("{entries_href}/{}", self.name)
    }

    /// Where an entry is changed.
    pub(super) fn entry_href(&self, entries_href: &str, key: &str) -> String {
        format!("{entries_href}/{}/{}", self.name, encode(key))
    }

    /// The list as a table, newest first. `links` where the account may write.
    pub(super) fn table(
        &self,
        frame: &Frame,
        names: &AuthorNames,
        record: &Value,
        links: Option<EntryLinks<'_>>,
    ) -> EntryTable {
        let mut entries: Vec<&Value> = self.standing(record).collect();
        let dated = |entry: &Value| {
            let names = ["on", "from", "elected_on"];
            let on = names.iter().find_map(|name| entry.get(*name)?.as_str());
            on.unwrap_or_default().to_owned()
        };
        entries.sort_by_key(|entry| std::cmp::Reverse((dated(entry), self.key(entry))));
        let reversed = |entry: &Value| {
            let key = self.key(entry);
            entries
                .iter()
                .any(|other| other.get("of").and_then(Value::as_str) == Some(key.as_str()))
        };
        let is_reversal = |entry: &Value| entry.get("of").is_some_and(|of| !of.is_null());
        let ledger = self.form == ListForm::Ledger;
        let mut columns: Vec<EntryColumn> = self
            .fields
            .iter()
            .map(|field| EntryColumn {
                title: words::word(frame, field.name),
                number: matches!(field.input, Input::Amount | Input::Count),
            })
            .collect();
        if ledger {
            columns.push(EntryColumn {
                title: frame.text("field.entered_by").to_owned(),
                number: false,
            });
        }
        let rows = entries.iter().map(|entry| {
            let mut cells: Vec<String> = self
                .fields
                .iter()
                .map(|field| self.told(frame, field, entry))
                .collect();
            if ledger {
                let by = entry.get("by").and_then(Value::as_str);
                cells.push(by.map(|by| names.show(frame, by)).unwrap_or_default());
            }
            let may_change = !ledger || !(reversed(entry) || is_reversal(entry));
            let key = self.key(entry);
            EntryRow {
                cells,
                edit_href: links
                    .filter(|links| may_change && links.only.is_none_or(|only| only.contains(&key)))
                    .map(|links| self.entry_href(links.href, &key)),
                edit_key: if ledger {
                    "edit.reverse"
                } else {
                    "organisation.edit"
                },
                cancelled: ledger && reversed(entry),
            }
        });
        EntryTable {
            name: self.name,
            title: self.title(frame),
            rows: rows.collect(),
            columns,
            new_href: links
                .filter(|links| links.only.is_none())
                .map(|links| self.href(links.href)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rollcall_core::id::DocumentId;
    use rollcall_core::record::Record;
    use rollcall_doc::Document;
    use rollcall_web::locale::Locale;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_list_and_field_has_a_name_in_both_languages() {
        for list in LISTS {
            for locale in Locale::ALL {
                if list.form != ListForm::Dated {
                    assert!(
                        locale.lookup(&format!("list.{}", list.name)).is_some(),
                        "{}",
                        list.name
                    );
                }
                for field in list.fields {
                    let key = words::key(field.name);
                    assert!(locale.lookup(&key).is_some(), "{key}");
                    if let Input::Term(prefix, names) = field.input {
                        for name in names() {
                            assert!(
                                locale.lookup(&format!("{prefix}.{name}")).is_some(),
                                "{prefix}.{name}"
                            );
                        }
                    }
                }
            }
        }
    }

    /// A text that fits the field.
    fn sample(field: &FormField) -> Value {
        match field.input {
            Input::Text => json!("样本"),
            Input::Date | Input::Day => json!("2024-05-01"),
            Input::Count => json!(3),
            Input::Amount => json!(500_000),
            Input::Year => json!(2024),
            Input::Flag => json!(true),
            Input::UnionCode => json!("81330106XXXX00000X"),
            Input::Term(_, names) => json!(names()[0]),
            Input::Division | Input::Federation => json!("330106"),
            Input::Union | Input::Organisation | Input::Fund => json!("X1"),
        }
    }

    #[test]
    fn every_list_can_be_written_into_its_document() {
        for list in LISTS {
            let mut entry = serde_json::Map::new();
            for field in list.fields {
                entry.insert(field.name.to_owned(), sample(field));
            }
            if matches!(list.form, ListForm::Set | ListForm::Ledger) {
                entry.insert("id".to_owned(), json!("e1"));
            }
            let mut record = json!({"type": list.kind.name(), "id": "R1", list.name: [entry]});
            if matches!(list.kind, DocumentKind::Fund | DocumentKind::Subsidy) {
                record["federation"] = json!("330106");
                record["year"] = json!(2024);
                record["kind"] = json!("fixed_subsidy");
                let surplus = if list.kind == DocumentKind::Fund {
                    "kind"
                } else {
                    "year"
                };
                record.as_object_mut().expect("an object").remove(surplus);
            }
            let record: Record = serde_json::from_value(record)
                .unwrap_or_else(|error| panic!("{:?} {}: {error}", list.kind, list.name));
            let id = DocumentId::derive(list.kind, "R1");
            let planned = Document::create(list.kind, id).plan(&record).expect("a plan");
            assert!(
                planned.iter().any(|edit| edit.field.starts_with(list.name)),
                "{:?} {}",
                list.kind,
                list.name
            );
        }
    }
}
