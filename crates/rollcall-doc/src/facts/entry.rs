//! The entries of sets and ledgers as typed facts, those taken back left out.
//! Owns the short way: an entry without amendments is read straight into its type; everything odd goes the long way
//! of `read::entry`, which names problems.

use rollcall_core::problem::Problem;
use rollcall_core::record::{
    CheckEntry, ContactEntry, CoverageEntry, ExclusionEntry, FundEntry, HandoverEntry, OrganiserEntry,
    OtherUnitsEntry, StageEntry, SubsidyEntry, TargetEntry, UnionEventEntry,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::content::Content;
use crate::read::{entry, named_entries, report_doubles, unreadable};
use crate::schema::{self, Form};

/// An entry of the record format that can be taken back.
pub(super) trait Entry: DeserializeOwned {
    /// Whether it was.
    fn is_withdrawn(&self) -> bool;
}

macro_rules! entries {
    ($($name:ident),+ $(,)?) => {
        $(impl Entry for $name {
            fn is_withdrawn(&self) -> bool {
                self.withdrawn.is_some()
            }
        })+
    };
}
entries!(
    CheckEntry,
    ContactEntry,
    CoverageEntry,
    ExclusionEntry,
    FundEntry,
    HandoverEntry,
    OrganiserEntry,
    OtherUnitsEntry,
    StageEntry,
    SubsidyEntry,
    TargetEntry,
    UnionEventEntry,
);

/// The entries of the container of this name.
pub(super) fn entries<T: Entry>(content: &Content, container: &str, problems: &mut Vec<Problem>) -> Vec<T> {
    let form = schema::of(content.kind)
        .containers
        .iter()
        .find(|known| known.name == container)
        .map(|known| known.form);
    let Some(Form::Set(fields) | Form::Ledger(fields)) = form else {
        return Vec::new();
    };
    let mut read = Vec::new();
    for cell in content.container(container) {
        report_doubles(container, cell, problems);
        for (name, held) in named_entries(cell) {
            let amended = content.amendments(container, &name).next().is_some();
            let text = held.value.as_text().unwrap_or_default();
            let direct = if amended { None } else { parse::<T>(&name, text) };
            let found = direct.or_else(|| {
                let object = entry(content, container, fields, &name, held, problems)?;
                let typed = serde_json::from_value(Value::Object(object)).ok();
                if typed.is_none() {
                    problems.push(unreadable(format!("{container}/{name}"), "the entry"));
                }
                typed
            });
            read.extend(found.filter(|found| !found.is_withdrawn()));
        }
    }
    read
}

/// Reads an entry with its id put in front of its members; `None` where anything is out of the ordinary.
fn parse<T: Entry>(name: &str, text: &str) -> Option<T> {
    let members = text
        .strip_prefix('{')
        .filter(|members| !members.starts_with('}'))?;
    let id = serde_json::to_string(name).ok()?;
    serde_json::from_str(&format!("{{\"id\":{id},{members}")).ok()
}
