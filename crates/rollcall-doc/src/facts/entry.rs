//! The entries of sets and ledgers as typed facts, those taken back left out.
//! Owns the short way: an entry without amendments is read straight into its type; everything odd goes the long way
//! of `read::entry`, which names problems. Owns the readings of an entry whose amendments contradict each other.

use rollcall_core::problem::Problem;
use rollcall_core::record::{
    CheckEntry, ContactEntry, CoverageEntry, ExclusionEntry, FundEntry, HandoverEntry, OrganiserEntry,
    OtherUnitsEntry, StageEntry, SubsidyEntry, TargetEntry, UnionEventEntry,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::content::{Cell, Content, Held};
use crate::read::{entry_reading, named_entries, report_doubles, unreadable};
use crate::schema::{self, Form};

/// Readings of one entry that are told apart; an entry with more disputed fields is read in the first of them.
const READINGS_MAX: usize = 64;

/// An entry of the record format that can be taken back.
pub(crate) trait Entry: DeserializeOwned {
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

/// The entries of the container of this name, as they are shown.
pub(super) fn entries<T: Entry>(content: &Content, container: &str, problems: &mut Vec<Problem>) -> Vec<T> {
    let entries = readings(content, container, problems).into_iter();
    entries
        .filter_map(|readings| readings.into_iter().next()?)
        .collect()
}

/// The readings of each entry, the one shown first: several where an amended field holds several values. `None` is an
/// entry taken back or unreadable.
pub(crate) fn readings<T: Entry>(
    content: &Content,
    container: &str,
    problems: &mut Vec<Problem>,
) -> Vec<Vec<Option<T>>> {
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
            let mut amendments = content.amendments(container, &name).peekable();
            if amendments.peek().is_none()
                && let Some(direct) = parse::<T>(&name, held.value.as_text().unwrap_or_default())
            {
                read.push(vec![Some(direct).filter(|direct| !direct.is_withdrawn())]);
                continue;
            }
            let disputed: Vec<&Cell> = amendments
                .map(|(_, cell)| cell)
                .filter(|cell| !cell.losers.is_empty())
                .collect();
            let combinations: usize = disputed.iter().map(|cell| cell.losers.len() + 1).product();
            let reading = |number: usize| {
                let value_of = |cell| value_in(number, &disputed, cell);
                let object = entry_reading(content, container, fields, &name, held, value_of, problems)?;
                let typed = serde_json::from_value::<T>(Value::Object(object)).ok();
                if typed.is_none() {
                    problems.push(unreadable(format!("{container}/{name}"), "the entry"));
                }
                typed.filter(|typed| !typed.is_withdrawn())
            };
            read.push((0..combinations.min(READINGS_MAX)).map(reading).collect());
        }
    }
    read
}

/// The value of a cell in one of the combinations of the disputed cells' values; in the first, the one shown.
fn value_in<'a>(mut number: usize, disputed: &[&'a Cell], cell: &'a Cell) -> &'a Held {
    for known in disputed {
        let values = known.losers.len() + 1;
        if std::ptr::eq(*known, cell) {
            return match number % values {
                0 => &cell.winner,
                loser => &cell.losers[loser - 1],
            };
        }
        number /= values;
    }
    &cell.winner
}

/// Reads an entry with its id put in front of its members; `None` where anything is out of the ordinary.
fn parse<T: Entry>(name: &str, text: &str) -> Option<T> {
    let members = text
        .strip_prefix('{')
        .filter(|members| !members.starts_with('}'))?;
    let id = serde_json::to_string(name).ok()?;
    serde_json::from_str(&format!("{{\"id\":{id},{members}")).ok()
}
