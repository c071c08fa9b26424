//! Open conflicts: fields at which different values were set apart and nobody has decided yet.
//! Owns which places can be in conflict at all. Entries of sets and ledgers cannot: two under one id are two.

use automerge::Automerge;
use serde_json::Value;

use crate::content::{Cell, Content, Held};
use crate::place::Place;
use crate::schema::{self, Form};

/// A field with several values.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// Its name, such as `address` or `name/2023-01-01|registry`.
    pub field: String,
    /// The values, oldest first; the last is the one shown meanwhile.
    pub values: Vec<ConflictValue>,
}

/// One of several values of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct ConflictValue {
    /// Names the value when the conflict is settled.
    pub id: String,
    /// The value.
    pub value: Value,
    /// Account that set it.
    pub author: String,
    /// When, by its author's clock.
    pub time_ms: i64,
    /// Why.
    pub reason: String,
    /// The change that set it.
    pub change: [u8; 32],
}

/// The places in conflict, with their cells.
pub(crate) fn open(content: &Content) -> impl Iterator<Item = (Place<&str>, &Cell)> {
    let containers = schema::of(content.kind).containers.iter().enumerate();
    let may_conflict = containers
        .filter(|(_, container)| !matches!(container.form, Form::Set(_) | Form::Ledger(_) | Form::Names))
        .map(|(position, _)| Some(position));
    std::iter::once(None).chain(may_conflict).flat_map(|container| {
        let cells = content
            .cells(container)
            .iter()
            .filter(|cell| !cell.losers.is_empty());
        cells.map(move |cell| {
            (
                Place {
                    container,
                    key: cell.key.as_str(),
                },
                cell,
            )
        })
    })
}

/// How many fields are in conflict.
pub(crate) fn count(content: &Content) -> u32 {
    u32::try_from(open(content).count()).unwrap_or(u32::MAX)
}

/// The conflicts with who set what.
pub(crate) fn conflicts(content: &Content, document: &Automerge) -> Vec<Conflict> {
    open(content)
        .map(|(place, cell)| Conflict {
            field: place.field(content.kind),
            values: cell
                .values()
                .map(|held| describe(&place, held, document))
                .collect(),
        })
        .collect()
}

fn describe(place: &Place<&str>, held: &Held, document: &Automerge) -> ConflictValue {
    let value = held.value.as_ref();
    let value = if place.container.is_some() {
        value.open()
    } else {
        value.to_json()
    };
    let change = document.hash_for_opid(&held.op.to_automerge());
    let meta = change.and_then(|hash| document.get_change_meta_by_hash(&hash));
    let author = document.get_author_for_actor(&automerge::ActorId::from(held.op.actor));
    ConflictValue {
        id: held.op.to_string(),
        value,
        author: author
            .map(|author| String::from_utf8_lossy(author.as_bytes()).into_owned())
            .unwrap_or_default(),
        time_ms: meta
            .as_ref()
            .map_or(0, |meta| meta.timestamp.saturating_mul(1000)),
        reason: meta
            .and_then(|meta| meta.message.map(|text| text.into_owned()))
            .unwrap_or_default(),
        change: change.map_or([0; 32], |hash| hash.0),
    }
}
