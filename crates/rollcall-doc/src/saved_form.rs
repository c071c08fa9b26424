//! A document's changes in the form in which Automerge saves documents, written without Automerge.
//!
//! Loading this form costs a fraction of applying changes, saving and loading, and proves more: Automerge makes every
//! change anew from the operations and compares the hashes it comes to with those stated as heads, so what is loaded is
//! those changes to the last bit (`protocol.md` L21). The gate tries changes in this form, and documents are loaded from
//! the store in it, so that what was tried is what is done later. What stands in such a document is read from the same
//! operations, not out of Automerge again.

mod column;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::content::{Cell, Content, Held, OpName};
use crate::gate::walker::PlainChange;
use crate::genesis::Genesis;
use crate::scalar::{Scalar, ScalarRef};
use crate::schema;

use column::{deltas, put_signed, put_text, put_unsigned, put_unsigned_of, run_lengths, signed_deltas};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const DOCUMENT: u8 = 0;
const MAKE_MAP: u64 = 0;
const SET: u64 = 1;
/// Type of raw bytes in the column of value types.
const RAW: u64 = 7;

/// A decoded change and its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    /// What it holds.
    pub(crate) change: &'a PlainChange<'a>,
    /// Its name.
    pub(crate) hash: [u8; 32],
}

/// The genesis change of a document and others after it, as a whole.
pub(crate) struct SavedForm<'a> {
    genesis: Genesis,
    changes: Vec<Named<'a>>,
    /// Of each change, those it follows; the genesis change is number 0.
    follows: Vec<Vec<u64>>,
    heads: Heads,
    /// Ascending.
    actors: Vec<[u8; 16]>,
    rows: Vec<Row<'a>>,
}

/// Latest changes by hash, with their numbers.
type Heads = BTreeMap<[u8; 32], u64>;

/// Name of an operation: counter, then position of its actor; ordered as Automerge orders them.
type Name = (u64, u64);

/// An operation as a row of the document.
struct Row<'a> {
    /// Counter of the genesis operation that made its container; `None` at the root.
    container: Option<u64>,
    key: &'a str,
    name: Name,
    /// Number of its change; 0 is the genesis change.
    of: usize,
    value: ScalarRef<'a>,
    /// Operations that replaced it, ascending.
    replaced_by: Vec<Name>,
}

impl<'a> SavedForm<'a> {
    /// The form of these changes, which come in an order that respects what they follow; `None` where they have none
    /// that is surely right: something is missing, or is of another shape than what is written here.
    pub(crate) fn of(genesis: Genesis, changes: Vec<Named<'a>>) -> Option<Self> {
        let founder = genesis.actor;
        // Number and last operation of each change.
        let mut known = BTreeMap::from([(genesis.hash, (0, genesis.max_op()))]);
        let mut heads = Heads::from([(genesis.hash, 0)]);
        let mut follows = Vec::with_capacity(changes.len());
        for (number, Named { change, hash }) in (1..).zip(&changes) {
            let mut floor = 0;
            let mut deps = Vec::with_capacity(change.deps.len());
            for dep in &change.deps {
                let (number, last) = known.get(dep)?;
                floor = floor.max(*last);
                deps.push(*number);
                heads.remove(dep);
            }
            // The form counts a change's operations from the last one that it follows.
            if deps.is_empty() || change.start_op != floor + 1 || change.actor == founder.0 {
                return None;
            }
            if known.insert(*hash, (number, change.max_op())).is_some() {
                return None;
            }
            heads.insert(*hash, number);
            follows.push(deps);
        }
        let actors: BTreeSet<[u8; 16]> = std::iter::once(founder.0)
            .chain(changes.iter().map(|named| named.change.actor))
            .collect();
        let actors: Vec<[u8; 16]> = actors.into_iter().collect();
        let rows = rows(&genesis, &actors, &changes)?;
        Some(Self {
            genesis,
            changes,
            follows,
            heads,
            actors,
            rows,
        })
    }

    /// Which document it is the form of.
    pub(crate) fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Hashes of the latest changes, ascending.
    pub(crate) fn heads(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.heads.keys()
    }

    /// The form itself.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1024);
        put_unsigned(&mut bytes, self.actors.len() as u64);
        for actor in &self.actors {
            put_unsigned(&mut bytes, actor.len() as u64);
            bytes.extend(actor);
        }
        put_unsigned(&mut bytes, self.heads.len() as u64);
        for head in self.heads.keys() {
            bytes.extend(head);
        }
        let changes = self.change_columns();
        let operations = self.operation_columns();
        for columns in [&changes, &operations] {
            put_unsigned(&mut bytes, columns.lengths.len() as u64);
            for (specification, length) in &columns.lengths {
                put_unsigned(&mut bytes, *specification);
                put_unsigned(&mut bytes, *length as u64);
            }
        }
        bytes.extend(changes.bytes);
        bytes.extend(operations.bytes);
        for number in self.heads.values() {
            put_unsigned(&mut bytes, *number);
        }
        framed(&bytes)
    }

    /// What stands in the document. Automerge shows of a key the latest value that none replaced.
    pub(crate) fn content(&self) -> Content {
        let mut content = Content::empty(self.genesis.kind, self.genesis.id);
        let standing = self
            .rows
            .iter()
            .filter(|row| row.of > 0 && row.replaced_by.is_empty());
        for row in standing {
            let cells = match row.container {
                None => &mut content.root,
                // The genesis change made the containers in the order of the schema, from 1 on; `rows` has checked it.
                Some(made_by) => &mut content.containers[made_by as usize - 1],
            };
            let held = Held {
                value: Scalar::from_ref(row.value),
                op: OpName {
                    counter: row.name.0,
                    actor: self.actors[row.name.1 as usize],
                },
            };
            match cells.last_mut().filter(|cell| cell.key == row.key) {
                Some(cell) => {
                    let earlier = std::mem::replace(&mut cell.winner, held);
                    if cell.losers.iter().all(|held| held.value != earlier.value) {
                        cell.losers.push(earlier);
                    }
                }
                None => cells.push(Cell {
                    key: row.key.to_owned(),
                    winner: held,
                    losers: Vec::new(),
                }),
            }
        }
        for cell in std::iter::once(&mut content.root)
            .chain(&mut content.containers)
            .flatten()
        {
            let Cell { winner, losers, .. } = cell;
            losers.retain(|held| held.value != winner.value);
        }
        content
    }

    fn position_of(&self, actor: [u8; 16]) -> u64 {
        position_of(&self.actors, actor)
    }

    fn change_columns(&self) -> Columns {
        let made = self.genesis.max_op();
        let plain = || self.changes.iter().map(|named| named.change);
        let founder = self.genesis.actor.0;
        let authors = std::iter::once(founder).chain(plain().map(|change| change.actor));
        let messages = std::iter::once("").chain(plain().map(|change| change.message));
        let messages = messages.map(|message| (!message.is_empty()).then_some(message));
        let followed = std::iter::once(0).chain(self.follows.iter().map(Vec::len));
        let footers = std::iter::once(0).chain(plain().map(|change| change.footer.len()));
        let mut columns = Columns::default();
        columns.put(1, |bytes| {
            let authors = authors.map(|actor| Some(self.position_of(actor)));
            run_lengths(bytes, authors, put_unsigned_of);
        });
        columns.put(3, |bytes| {
            deltas(bytes, std::iter::once(1).chain(plain().map(|change| change.seq)))
        });
        columns.put(19, |bytes| {
            deltas(
                bytes,
                std::iter::once(made).chain(plain().map(PlainChange::max_op)),
            )
        });
        columns.put(35, |bytes| {
            signed_deltas(bytes, std::iter::once(0).chain(plain().map(|change| change.time)));
        });
        if messages.clone().any(|message| message.is_some()) {
            columns.put(53, |bytes| run_lengths(bytes, messages, put_text));
        }
        columns.put(64, |bytes| {
            run_lengths(bytes, followed.map(|count| Some(count as u64)), put_unsigned_of)
        });
        columns.put(67, |bytes| deltas(bytes, self.follows.iter().flatten().copied()));
        columns.put(86, |bytes| {
            let kinds = footers.map(|length| Some((length as u64) << 4 | RAW));
            run_lengths(bytes, kinds, put_unsigned_of);
        });
        columns.put(87, |bytes| bytes.extend(plain().flat_map(|change| change.footer)));
        columns
    }

    fn operation_columns(&self) -> Columns {
        let rows = &self.rows;
        let founder = self.position_of(self.genesis.actor.0);
        let at_root_only = rows.iter().all(|row| row.container.is_none());
        let action_of = |row: &Row<'_>| if row.of == 0 { MAKE_MAP } else { SET };
        let later = || rows.iter().flat_map(|row| &row.replaced_by);
        let mut columns = Columns::default();
        if !at_root_only {
            columns.put(1, |bytes| {
                let actors = rows.iter().map(|row| row.container.map(|_| founder));
                run_lengths(bytes, actors, put_unsigned_of);
            });
            columns.put(2, |bytes| {
                run_lengths(bytes, rows.iter().map(|row| row.container), put_unsigned_of);
            });
        }
        columns.put(21, |bytes| {
            run_lengths(bytes, rows.iter().map(|row| Some(row.key)), put_text)
        });
        columns.put(33, |bytes| {
            run_lengths(bytes, rows.iter().map(|row| Some(row.name.1)), put_unsigned_of);
        });
        columns.put(35, |bytes| deltas(bytes, rows.iter().map(|row| row.name.0)));
        columns.put(52, |bytes| put_unsigned(bytes, rows.len() as u64));
        columns.put(66, |bytes| {
            run_lengths(
                bytes,
                rows.iter().map(|row| Some(action_of(row))),
                put_unsigned_of,
            );
        });
        let mut values = Vec::with_capacity(1024);
        columns.put(86, |bytes| {
            let kinds = rows.iter().map(|row| Some(put_value(&mut values, row.value)));
            run_lengths(bytes, kinds, put_unsigned_of);
        });
        columns.put(87, |bytes| bytes.extend(values));
        columns.put(128, |bytes| {
            let counts = rows.iter().map(|row| Some(row.replaced_by.len() as u64));
            run_lengths(bytes, counts, put_unsigned_of);
        });
        columns.put(129, |bytes| {
            run_lengths(bytes, later().map(|(_, actor)| Some(*actor)), put_unsigned_of);
        });
        columns.put(131, |bytes| deltas(bytes, later().map(|(counter, _)| *counter)));
        columns
    }
}

/// Columns one after the other; those that hold nothing are left out.
#[derive(Default)]
struct Columns {
    bytes: Vec<u8>,
    /// Specification and length of each.
    lengths: Vec<(u64, usize)>,
}

impl Columns {
    fn put(&mut self, specification: u64, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.bytes.len();
        write(&mut self.bytes);
        let length = self.bytes.len() - before;
        if length > 0 {
            self.lengths.push((specification, length));
        }
    }
}

/// Puts a value; its type and length as the format states them.
fn put_value(bytes: &mut Vec<u8>, value: ScalarRef<'_>) -> u64 {
    let before = bytes.len();
    let form = match value {
        ScalarRef::Null => 0,
        ScalarRef::Flag(flag) => 1 + u64::from(flag),
        ScalarRef::Integer(number) => {
            put_signed(bytes, number);
            4
        }
        ScalarRef::Text(text) => {
            bytes.extend(text.as_bytes());
            6
        }
    };
    ((bytes.len() - before) as u64) << 4 | form
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut chunk = Vec::with_capacity(body.len() + 14);
    chunk.extend(MAGIC);
    chunk.extend([0; 4]);
    chunk.push(DOCUMENT);
    put_unsigned(&mut chunk, body.len() as u64);
    chunk.extend(body);
    let digest = Sha256::digest(&chunk[8..]);
    chunk[4..8].copy_from_slice(&digest[..4]);
    chunk
}

fn position_of(actors: &[[u8; 16]], actor: [u8; 16]) -> u64 {
    let position = actors.binary_search(&actor);
    position.expect("every actor of the changes is among them") as u64
}

/// All operations in the document's order: container by container, key by key, the earlier first.
fn rows<'a>(genesis: &Genesis, actors: &[[u8; 16]], changes: &[Named<'a>]) -> Option<Vec<Row<'a>>> {
    let founder = genesis.actor;
    let containers = schema::of(genesis.kind).containers;
    let operations: usize = changes.iter().map(|named| named.change.operations.len()).sum();
    let mut rows = Vec::with_capacity(containers.len() + operations);
    let by_founder = position_of(actors, founder.0);
    rows.extend((1..).zip(containers).map(|(counter, container)| Row {
        container: None,
        key: container.name,
        name: (counter, by_founder),
        of: 0,
        value: ScalarRef::Null,
        replaced_by: Vec::new(),
    }));
    for (of, Named { change, .. }) in (1..).zip(changes) {
        let by = position_of(actors, change.actor);
        for (counter, operation) in (change.start_op..).zip(&change.operations) {
            let container = match operation.object {
                None => None,
                Some((actor, made_by)) => {
                    let known = change.actor_at(actor) == founder.0
                        && (1..=containers.len() as u64).contains(&made_by);
                    Some(known.then_some(made_by)?)
                }
            };
            rows.push(Row {
                container,
                key: operation.key,
                name: (counter, by),
                of,
                value: operation.value,
                replaced_by: Vec::new(),
            });
        }
    }
    rows.sort_unstable_by_key(|row| (row.container, row.key, row.name));
    // A key that the genesis change wrote stays its own, and no change writes one twice.
    let unclear = rows.windows(2).any(|pair| {
        (pair[0].container, pair[0].key) == (pair[1].container, pair[1].key)
            && (pair[0].of == 0 || pair[0].of == pair[1].of)
    });
    if unclear {
        return None;
    }
    if changes.iter().any(|named| !named.change.preds.is_empty()) {
        note_replaced(&mut rows, actors, changes)?;
    }
    Some(rows)
}

/// Notes with each row what replaced it; `None` where a change replaces what does not stand at the same place.
fn note_replaced(rows: &mut [Row<'_>], actors: &[[u8; 16]], changes: &[Named<'_>]) -> Option<()> {
    let mut places: Vec<(Name, usize)> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| (row.name, place))
        .collect();
    places.sort_unstable();
    let place_of = |name: Name| {
        let found = places.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        Some(places[found].1)
    };
    for Named { change, .. } in changes {
        let by = position_of(actors, change.actor);
        for (counter, operation) in (change.start_op..).zip(&change.operations) {
            let name = (counter, by);
            let own = place_of(name)?;
            for (actor, counter) in &change.preds[operation.preds.clone()] {
                let actor = actors.binary_search(&change.actor_at(*actor)).ok()?;
                let earlier = place_of((*counter, actor as u64))?;
                let same_place =
                    (rows[earlier].container, rows[earlier].key) == (rows[own].container, rows[own].key);
                if !same_place || rows[earlier].name >= name {
                    return None;
                }
                rows[earlier].replaced_by.push(name);
            }
        }
    }
    for row in rows {
        row.replaced_by.sort_unstable();
    }
    Some(())
}

#[cfg(test)]
mod tests;
