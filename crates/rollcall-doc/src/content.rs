//! What stands in a document now, taken out of Automerge once: cells by key, each with its alternatives.
//! Owns the reading of Automerge's maps; everything above works on this and never on Automerge.

use std::fmt;

use automerge::iter::{DocItem, DocObjItem, MapRangeItem};
use automerge::{Automerge, ObjId, ReadDoc, Value, ValueRef};
use rollcall_core::id::{DocumentId, DocumentKind};

use crate::place::Place;
use crate::scalar::Scalar;
use crate::{actor, genesis, schema};

/// Name of the operation that wrote a value; ordered as Automerge orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OpName {
    pub(crate) counter: u64,
    pub(crate) actor: [u8; 16],
}

impl fmt::Display for OpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@", self.counter)?;
        self.actor.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl OpName {
    fn of(id: &ObjId) -> Option<Self> {
        match id {
            ObjId::Root => None,
            ObjId::Id(counter, actor, _) => Some(Self {
                counter: *counter,
                actor: actor.to_bytes().try_into().ok()?,
            }),
        }
    }

    /// As Automerge names it.
    pub(crate) fn to_automerge(self) -> ObjId {
        ObjId::Id(self.counter, automerge::ActorId::from(self.actor), 0)
    }
}

/// One value that stands at a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) value: Scalar,
    pub(crate) op: OpName,
}

/// Everything that stands at one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) key: String,
    /// The value that Automerge shows: of the latest operation.
    pub(crate) winner: Held,
    /// Values set at the same time elsewhere that differ from it and from each other, oldest first.
    pub(crate) losers: Vec<Held>,
}

impl Cell {
    /// Every different value, oldest first.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Held> {
        self.losers.iter().chain(std::iter::once(&self.winner))
    }

    /// Whether one of the values is this one.
    pub(crate) fn holds(&self, value: &Scalar) -> bool {
        self.values().any(|held| held.value == *value)
    }
}

/// Everything that stands in a document; cells are in order of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) kind: DocumentKind,
    pub(crate) id: DocumentId,
    /// Agreed values.
    pub(crate) root: Vec<Cell>,
    /// Cells of each container, in the order of the schema.
    pub(crate) containers: Vec<Vec<Cell>>,
}

impl Content {
    /// Nothing stands in it yet.
    pub(crate) fn empty(kind: DocumentKind, id: DocumentId) -> Self {
        Self {
            kind,
            id,
            root: Vec::new(),
            containers: vec![Vec::new(); schema::of(kind).containers.len()],
        }
    }

    /// Takes everything out of a document, in one pass over all its maps.
    pub(crate) fn read(kind: DocumentKind, id: DocumentId, document: &Automerge) -> Self {
        let genesis = actor::to_automerge(genesis::actor(id));
        let mut content = Self::empty(kind, id);
        for DocObjItem { obj, item } in document.iter() {
            let DocItem::Map(item) = item else { continue };
            let cells = match &*obj {
                ObjId::Root => Some(&mut content.root),
                ObjId::Id(counter, actor, _) if *actor == genesis => {
                    let position = counter
                        .checked_sub(1)
                        .and_then(|position| usize::try_from(position).ok());
                    position.and_then(|position| content.containers.get_mut(position))
                }
                ObjId::Id(..) => None,
            };
            if let Some(cells) = cells {
                cells.extend(read_item(document, &obj, item));
            }
        }
        for cells in std::iter::once(&mut content.root).chain(&mut content.containers) {
            if !cells.is_sorted_by(|a, b| a.key < b.key) {
                cells.sort_by(|a, b| a.key.cmp(&b.key));
            }
        }
        content
    }

    /// The cells of a container, or of the root.
    pub(crate) fn cells(&self, container: Option<usize>) -> &[Cell] {
        container.map_or(&self.root, |position| &self.containers[position])
    }

    /// What stands at a place.
    pub(crate) fn at<K: AsRef<str>>(&self, place: &Place<K>) -> Option<&Cell> {
        find(self.cells(place.container), place.key.as_ref())
    }

    /// The cell of an agreed value.
    pub(crate) fn agreed(&self, name: &str) -> Option<&Cell> {
        find(&self.root, name)
    }

    /// The cells of the container of this name; none where the kind has no such container.
    pub(crate) fn container(&self, name: &str) -> &[Cell] {
        schema::of(self.kind)
            .container(name)
            .map_or(&[], |position| &self.containers[position])
    }

    /// The amendments of one entry: field and cell.
    pub(crate) fn amendments<'a>(
        &'a self,
        container: &str,
        entry: &str,
    ) -> impl Iterator<Item = (&'a str, &'a Cell)> + use<'a> {
        let cells = schema::of(self.kind)
            .amendments()
            .map_or(&[][..], |position| &self.containers[position]);
        let prefix = if cells.is_empty() {
            String::new()
        } else {
            format!("{container}/{entry}/")
        };
        let first = cells.partition_point(|cell| cell.key < prefix);
        cells[first..]
            .iter()
            .map_while(move |cell| cell.key.strip_prefix(prefix.as_str()).map(|field| (field, cell)))
            .filter(|(field, _)| !field.contains('/'))
    }
}

fn find<'a>(cells: &'a [Cell], key: &str) -> Option<&'a Cell> {
    cells
        .binary_search_by(|cell| cell.key.as_str().cmp(key))
        .ok()
        .map(|index| &cells[index])
}

fn read_item(document: &Automerge, map: &ObjId, item: MapRangeItem<'_>) -> Option<Cell> {
    let ValueRef::Scalar(value) = &item.value else {
        return None;
    };
    let winner = Held {
        value: Scalar::from_automerge(value)?,
        op: OpName::of(&item.id())?,
    };
    let losers = if item.conflict {
        read_losers(document, map, &item.key, &winner)
    } else {
        Vec::new()
    };
    Some(Cell {
        key: item.key.into_owned(),
        winner,
        losers,
    })
}

fn read_losers(document: &Automerge, map: &ObjId, key: &str, winner: &Held) -> Vec<Held> {
    let mut losers: Vec<Held> = Vec::new();
    for (value, op) in document.get_all(map, key).unwrap_or_default() {
        let Value::Scalar(value) = value else { continue };
        let (Some(value), Some(op)) = (Scalar::from_owned(&value), OpName::of(&op)) else {
            continue;
        };
        if value != winner.value && losers.iter().all(|held| held.value != value) {
            losers.push(Held { value, op });
        }
    }
    losers.sort_by_key(|held| held.op);
    losers
}
