//! A document's changes in the form in which Automerge saves documents, written without Automerge.
//!
//! Loading this form costs a fraction of applying changes, saving and loading, and proves more: Automerge makes every
//! change anew from the operations and compares the hashes it comes to with those stated as heads, so what is loaded is
//! those changes to the last bit (`protocol.md` L21). The gate tries changes in this form, and documents are loaded from
//! the store in it, so that what was tried is what is done later. What stands in such a document is read from the same
//! operations, not out of Automerge again.

mod column;

use std::collections::{BTreeMap, BTreeSet, HashMap};

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
        let mut known = HashMap::from([(genesis.hash, (0, genesis.max_op()))]);
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
            let filled = columns.iter().filter(|(_, column)| !column.is_empty());
            put_unsigned(&mut bytes, filled.clone().count() as u64);
            for (specification, column) in filled {
                put_unsigned(&mut bytes, *specification);
                put_unsigned(&mut bytes, column.len() as u64);
            }
        }
        for (_, column) in changes.iter().chain(&operations) {
            bytes.extend(column);
        }
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
        let messages: Vec<Option<&str>> = messages
            .map(|message| (!message.is_empty()).then_some(message))
            .collect();
        let followed = std::iter::once(0).chain(self.follows.iter().map(Vec::len));
        let footers = std::iter::once(0).chain(plain().map(|change| change.footer.len()));
        vec![
            (
                1,
                run_lengths(
                    authors.map(|actor| Some(self.position_of(actor))),
                    put_unsigned_of,
                ),
            ),
            (
                3,
                deltas(std::iter::once(1).chain(plain().map(|change| change.seq))),
            ),
            (
                19,
                deltas(std::iter::once(made).chain(plain().map(PlainChange::max_op))),
            ),
            (
                35,
                signed_deltas(std::iter::once(0).chain(plain().map(|change| change.time))),
            ),
            (
                53,
                if messages.iter().all(Option::is_none) {
                    Vec::new()
                } else {
                    run_lengths(messages.into_iter(), put_text)
                },
            ),
            (
                64,
                run_lengths(followed.map(|count| Some(count as u64)), put_unsigned_of),
            ),
            (67, deltas(self.follows.iter().flatten().copied())),
            (
                86,
                run_lengths(
                    footers.map(|length| Some((length as u64) << 4 | RAW)),
                    put_unsigned_of,
                ),
            ),
            (87, plain().flat_map(|change| change.footer).copied().collect()),
        ]
    }

    fn operation_columns(&self) -> Columns {
        let rows = &self.rows;
        let founder = self.position_of(self.genesis.actor.0);
        let at_root_only = rows.iter().all(|row| row.container.is_none());
        let unless_all_at_root = |column: Vec<u8>| if at_root_only { Vec::new() } else { column };
        let (mut kinds, mut values) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let before = values.len();
            let form = match row.value {
                ScalarRef::Null => 0,
                ScalarRef::Flag(flag) => 1 + u64::from(flag),
                ScalarRef::Integer(number) => {
                    put_signed(&mut values, number);
                    4
                }
                ScalarRef::Text(text) => {
                    values.extend(text.as_bytes());
                    6
                }
            };
            kinds.push(((values.len() - before) as u64) << 4 | form);
        }
        let mut inserted = Vec::new();
        put_unsigned(&mut inserted, rows.len() as u64);
        let action_of = |row: &Row<'_>| if row.of == 0 { MAKE_MAP } else { SET };
        let later = || rows.iter().flat_map(|row| &row.replaced_by);
        vec![
            (
                1,
                unless_all_at_root(run_lengths(
                    rows.iter().map(|row| row.container.map(|_| founder)),
                    put_unsigned_of,
                )),
            ),
            (
                2,
                unless_all_at_root(run_lengths(rows.iter().map(|row| row.container), put_unsigned_of)),
            ),
            (21, run_lengths(rows.iter().map(|row| Some(row.key)), put_text)),
            (
                33,
                run_lengths(rows.iter().map(|row| Some(row.name.1)), put_unsigned_of),
            ),
            (35, deltas(rows.iter().map(|row| row.name.0))),
            (52, inserted),
            (
                66,
                run_lengths(rows.iter().map(|row| Some(action_of(row))), put_unsigned_of),
            ),
            (86, run_lengths(kinds.into_iter().map(Some), put_unsigned_of)),
            (87, values),
            (
                128,
                run_lengths(
                    rows.iter().map(|row| Some(row.replaced_by.len() as u64)),
                    put_unsigned_of,
                ),
            ),
            (
                129,
                run_lengths(later().map(|(_, actor)| Some(*actor)), put_unsigned_of),
            ),
            (131, deltas(later().map(|(counter, _)| *counter))),
        ]
    }
}

type Columns = Vec<(u64, Vec<u8>)>;

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
    let places: HashMap<Name, usize> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| (row.name, place))
        .collect();
    for Named { change, .. } in changes {
        let by = position_of(actors, change.actor);
        for (counter, operation) in (change.start_op..).zip(&change.operations) {
            let name = (counter, by);
            let own = *places.get(&name)?;
            for (actor, counter) in &change.preds[operation.preds.clone()] {
                let actor = actors.binary_search(&change.actor_at(*actor)).ok()?;
                let earlier = *places.get(&(*counter, actor as u64))?;
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
