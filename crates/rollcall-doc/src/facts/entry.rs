//! The entries of sets and ledgers as typed facts, those taken back left out.
//! Owns the short way: an entry without amendments is read straight into its type; everything odd goes the long way
//! of `read::entry`, which names problems. Owns the readings of an entry whose amendments contradict each other.

use std::fmt;
use std::marker::PhantomData;

use rollcall_core::problem::Problem;
use rollcall_core::record::{
    CheckEntry, ContactEntry, CoverageEntry, ExclusionEntry, FundEntry, HandoverEntry, OrganiserEntry,
    OtherUnitsEntry, StageEntry, SubsidyEntry, TargetEntry, UnionEventEntry,
};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
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

/// The readings of one entry; `None` is an entry taken back or unreadable.
pub(crate) struct Readings<T> {
    /// The one shown.
    pub(crate) shown: Option<T>,
    /// Others, where an amended field holds several values.
    pub(crate) others: Vec<Option<T>>,
}

impl<T> Readings<T> {
    /// Every one of them that is an entry.
    pub(crate) fn all(self) -> impl Iterator<Item = T> {
        self.shown.into_iter().chain(self.others.into_iter().flatten())
    }
}

/// The entries of the container of this name, as they are shown.
pub(super) fn entries<T: Entry>(content: &Content, container: &str, problems: &mut Vec<Problem>) -> Vec<T> {
    let readings = readings(content, container, problems).into_iter();
    readings.filter_map(|readings| readings.shown).collect()
}

/// The readings of each entry of the container of this name.
pub(crate) fn readings<T: Entry>(
    content: &Content,
    container: &str,
    problems: &mut Vec<Problem>,
) -> Vec<Readings<T>> {
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
                read.push(Readings {
                    shown: Some(direct).filter(|direct| !direct.is_withdrawn()),
                    others: Vec::new(),
                });
                continue;
            }
            let disputed: Vec<&Cell> = amendments
                .map(|(_, cell)| cell)
                .filter(|cell| !cell.losers.is_empty())
                .collect();
            let combinations: usize = disputed.iter().map(|cell| cell.losers.len() + 1).product();
            let mut reading = |number: usize| {
                let value_of = |cell| value_in(number, &disputed, cell);
                let object = entry_reading(content, container, fields, &name, held, value_of, problems)?;
                let typed = serde_json::from_value::<T>(Value::Object(object)).ok();
                if typed.is_none() {
                    problems.push(unreadable(format!("{container}/{name}"), "the entry"));
                }
                typed.filter(|typed| !typed.is_withdrawn())
            };
            read.push(Readings {
                shown: reading(0),
                others: (1..combinations.min(READINGS_MAX)).map(reading).collect(),
            });
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
    let mut json = serde_json::Deserializer::from_str(text);
    let entry = json.deserialize_map(Named(name, PhantomData)).ok()?;
    json.end().ok()?;
    Some(entry)
}

/// An entry that goes by this name.
struct Named<'n, T>(&'n str, PhantomData<T>);

impl<'de, T: Entry> Visitor<'de> for Named<'_, T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an entry")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(WithId {
            id: self.0,
            turn: Turn::Key,
            members,
        }))
    }
}

/// The members of an entry, after its id.
struct WithId<'n, A> {
    id: &'n str,
    turn: Turn,
    members: A,
}

/// What comes next.
enum Turn {
    Key,
    Id,
    Members,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithId<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        if let Turn::Key = self.turn {
            self.turn = Turn::Id;
            return seed.deserialize("id".into_deserializer()).map(Some);
        }
        self.members.next_key_seed(seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        if let Turn::Id = self.turn {
            self.turn = Turn::Members;
            return seed.deserialize(self.id.into_deserializer());
        }
        self.members.next_value_seed(seed)
    }
}
