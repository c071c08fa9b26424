//! A document that holds its genesis change and one change more, in the form in which Automerge saves documents.
//!
//! Nearly every document comes so: made once, sent once. Loading this form costs less than half of applying two
//! changes, saving and loading, and proves more: Automerge makes the changes anew from the operations and compares
//! their hash with the one stated as head, so what is loaded is that change to the last bit (`protocol.md` L21).
//! Documents are loaded from the store in the same way, so that what was tried is what is done later. What stands in
//! such a document is read from the same operations, not out of Automerge again.

use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use sha2::{Digest, Sha256};

use crate::content::{Cell, Content, Held, OpName};
use crate::gate::walker::PlainChange;
use crate::scalar::{Scalar, ScalarRef};
use crate::{genesis, schema};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const DOCUMENT: u8 = 0;
const MAKE_MAP: u64 = 0;
const SET: u64 = 1;
/// Type of raw bytes in the column of value types.
const RAW: u64 = 7;

/// A first change, told apart from others: its operations in the document's order.
pub(crate) struct Founding<'a> {
    kind: DocumentKind,
    id: DocumentId,
    founder: ActorId,
    change: &'a PlainChange<'a>,
    hash: [u8; 32],
    rows: Vec<Row<'a>>,
}

impl<'a> Founding<'a> {
    /// `None` where the change is of another shape: it follows more than the genesis change, or it writes a key twice.
    /// `hash` is its name.
    pub(crate) fn of(
        kind: DocumentKind,
        id: DocumentId,
        change: &'a PlainChange<'a>,
        hash: [u8; 32],
    ) -> Option<Self> {
        let founder = genesis::actor(id);
        if change.deps != [genesis::hash(kind, id)] || !change.preds.is_empty() || change.actor == founder.0 {
            return None;
        }
        Some(Self {
            kind,
            id,
            founder,
            change,
            hash,
            rows: rows(kind, founder, change)?,
        })
    }

    /// What the document is about.
    pub(crate) fn kind(&self) -> DocumentKind {
        self.kind
    }

    /// The document's name.
    pub(crate) fn id(&self) -> DocumentId {
        self.id
    }

    /// The document that both changes make, as Automerge saves it.
    pub(crate) fn saved(&self) -> Vec<u8> {
        let (founder, author) = (self.founder.0, self.change.actor);
        let mut actors = [founder, author];
        actors.sort_unstable();
        let position_of = |actor: [u8; 16]| u64::from(actor == actors[1]);
        let authors = [position_of(founder), position_of(author)];

        let mut bytes = Vec::with_capacity(1024);
        put_unsigned(&mut bytes, actors.len() as u64);
        for actor in actors {
            put_unsigned(&mut bytes, actor.len() as u64);
            bytes.extend(actor);
        }
        put_unsigned(&mut bytes, 1);
        bytes.extend(self.hash);
        let changes = change_columns(self.kind, self.change, authors);
        let operations = operation_columns(&self.rows, authors);
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
        // The head is the second change.
        put_unsigned(&mut bytes, 1);
        framed(&bytes)
    }

    /// What stands in that document: each key was written once, so that the operations say it themselves.
    pub(crate) fn content(&self) -> Content {
        let mut content = Content::empty(self.kind, self.id);
        for row in self.rows.iter().filter(|row| !row.of_genesis) {
            let cells = match row.container {
                None => &mut content.root,
                // The genesis change made the containers in the order of the schema, from 1 on; `rows` has checked it.
                Some(made_by) => &mut content.containers[made_by as usize - 1],
            };
            cells.push(Cell {
                key: row.key.to_owned(),
                winner: Held {
                    value: Scalar::from_ref(row.value),
                    op: OpName {
                        counter: row.counter,
                        actor: self.change.actor,
                    },
                },
                losers: Vec::new(),
            });
        }
        content
    }
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

/// An operation as a row of the document.
struct Row<'a> {
    /// Counter of the genesis operation that made its container; `None` at the root.
    container: Option<u64>,
    key: &'a str,
    /// Whether it is one of the genesis change.
    of_genesis: bool,
    counter: u64,
    value: ScalarRef<'a>,
}

/// All operations in the document's order: container by container, key by key.
fn rows<'a>(kind: DocumentKind, founder: ActorId, change: &PlainChange<'a>) -> Option<Vec<Row<'a>>> {
    let containers = schema::of(kind).containers;
    let mut rows = Vec::with_capacity(containers.len() + change.operations.len());
    rows.extend((1..).zip(containers).map(|(counter, container)| Row {
        container: None,
        key: container.name,
        of_genesis: true,
        counter,
        value: ScalarRef::Null,
    }));
    for (counter, operation) in (change.start_op..).zip(&change.operations) {
        let container = match operation.object {
            None => None,
            Some((actor, made_by)) => {
                let known =
                    change.actor_at(actor) == founder.0 && (1..=containers.len() as u64).contains(&made_by);
                Some(known.then_some(made_by)?)
            }
        };
        rows.push(Row {
            container,
            key: operation.key,
            of_genesis: false,
            counter,
            value: operation.value,
        });
    }
    rows.sort_unstable_by_key(|row| (row.container, row.key));
    let twice = rows
        .windows(2)
        .any(|pair| (pair[0].container, pair[0].key) == (pair[1].container, pair[1].key));
    (!twice).then_some(rows)
}

type Columns = Vec<(u64, Vec<u8>)>;

fn change_columns(kind: DocumentKind, change: &PlainChange<'_>, authors: [u64; 2]) -> Columns {
    let made = schema::of(kind).containers.len() as u64;
    let message = (!change.message.is_empty()).then_some(change.message);
    vec![
        (1, run_lengths(authors.into_iter().map(Some), put_unsigned_of)),
        (3, deltas([1, change.seq])),
        (19, deltas([made, change.max_op()])),
        (35, signed_deltas([0, change.time])),
        (
            53,
            message.map_or_else(Vec::new, |message| {
                run_lengths([None, Some(message)].into_iter(), put_text)
            }),
        ),
        (64, run_lengths([0_u64, 1].into_iter().map(Some), put_unsigned_of)),
        (67, deltas([0])),
        (
            86,
            run_lengths(
                [RAW, (change.footer.len() as u64) << 4 | RAW]
                    .into_iter()
                    .map(Some),
                put_unsigned_of,
            ),
        ),
        (87, change.footer.to_vec()),
    ]
}

fn operation_columns(rows: &[Row<'_>], [founder, author]: [u64; 2]) -> Columns {
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
    let author_of = |row: &Row<'_>| if row.of_genesis { founder } else { author };
    let action_of = |row: &Row<'_>| if row.of_genesis { MAKE_MAP } else { SET };
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
            run_lengths(rows.iter().map(|row| Some(author_of(row))), put_unsigned_of),
        ),
        (35, deltas(rows.iter().map(|row| row.counter))),
        (52, inserted),
        (
            66,
            run_lengths(rows.iter().map(|row| Some(action_of(row))), put_unsigned_of),
        ),
        (86, run_lengths(kinds.into_iter().map(Some), put_unsigned_of)),
        (87, values),
        (
            128,
            run_lengths(rows.iter().map(|_| Some(0_u64)), put_unsigned_of),
        ),
    ]
}

/// A run-length column: two or more of the same are a run, others are literal, nothing is counted.
fn run_lengths<T: Copy + PartialEq>(
    values: impl Iterator<Item = Option<T>>,
    put: impl Fn(&mut Vec<u8>, T),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut literals: Vec<T> = Vec::new();
    let flush = |bytes: &mut Vec<u8>, literals: &mut Vec<T>| {
        if !literals.is_empty() {
            put_signed(bytes, -(literals.len() as i64));
            literals.drain(..).for_each(|literal| put(bytes, literal));
        }
    };
    let mut values = values.peekable();
    while let Some(value) = values.next() {
        let mut count = 1_u64;
        while values.next_if_eq(&value).is_some() {
            count += 1;
        }
        match value {
            Some(value) if count == 1 => literals.push(value),
            Some(value) => {
                flush(&mut bytes, &mut literals);
                put_signed(&mut bytes, count as i64);
                put(&mut bytes, value);
            }
            None => {
                flush(&mut bytes, &mut literals);
                bytes.push(0);
                put_unsigned(&mut bytes, count);
            }
        }
    }
    flush(&mut bytes, &mut literals);
    bytes
}

/// Differences of numbers below 2^63, as a run-length column.
fn deltas(values: impl IntoIterator<Item = u64>) -> Vec<u8> {
    signed_deltas(values.into_iter().map(u64::cast_signed))
}

fn signed_deltas(values: impl IntoIterator<Item = i64>) -> Vec<u8> {
    let mut before = 0_i64;
    let steps = values.into_iter().map(|value| {
        let step = value.wrapping_sub(before);
        before = value;
        Some(step)
    });
    run_lengths(steps, put_signed_of)
}

fn put_unsigned_of(bytes: &mut Vec<u8>, value: u64) {
    put_unsigned(bytes, value);
}

fn put_signed_of(bytes: &mut Vec<u8>, value: i64) {
    put_signed(bytes, value);
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_unsigned(bytes, text.len() as u64);
    bytes.extend(text.as_bytes());
}

fn put_unsigned(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn put_signed(bytes: &mut Vec<u8>, mut value: i64) {
    loop {
        let low = value as u8 & 0x7f;
        value >>= 7;
        let last = (value == 0 && low & 0x40 == 0) || (value == -1 && low & 0x40 != 0);
        if last {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::gate::{frame, walker};
    use crate::samples::{by, empty, import, parse, sample, write};

    /// The saved form of a document that this change made; its content is compared on the way.
    fn saved_of(document: &Document, bytes: &[u8]) -> Option<Vec<u8>> {
        let framed = frame::open(bytes).expect("framed");
        let change = walker::walk(framed.body).expect("walked");
        let (kind, id) = (document.kind(), document.id());
        let founding = Founding::of(kind, id, &change, framed.hash)?;
        assert_eq!(founding.content(), Content::read(kind, id, document.automerge()));
        Some(founding.saved())
    }

    #[test]
    fn the_saved_form_is_what_automerge_saves() {
        for kind in DocumentKind::ALL {
            let (document, change) = sample(kind);
            let made = saved_of(&document, &change.bytes).expect("a first change");
            assert!(made == document.automerge().save_nocompress(), "{kind:?}");
        }
        // Actors on either side of the genesis actor, reasons and none, one entry and many.
        for number in 1..=120_u8 {
            let workers: Vec<String> = (0..u32::from(number % 7))
                .map(|index| {
                    let (year, count) = (2000 + index, index * 70 * u32::from(number));
                    format!(r#"{{"on":"{year}-12-31","source":"check","workers":{count},"members":null,"female_members":null}}"#)
                })
                .collect();
            let text = format!(
                r#"{{"type":"organisation","code":"52140829MJ1938921G","name":"校{number}","counts":[{}]}}"#,
                workers.join(",")
            );
            let record = parse(&text);
            let mut document = empty(&record);
            let mut editor = by(number.wrapping_mul(37));
            if number % 3 == 0 {
                editor.reason = String::new();
            }
            let edits = document.plan(&record).expect("a record");
            let change = write(&mut document, &edits, &editor);
            let made = saved_of(&document, &change.bytes).expect("a first change");
            assert!(made == document.automerge().save_nocompress(), "{number}");
        }
    }

    #[test]
    fn a_change_that_follows_others_has_no_such_form() {
        let (mut document, _) = sample(DocumentKind::Organisation);
        let record = parse(
            r#"{"type":"organisation","code":"52140829MJ1938921G","name":"平陆县供销社常乐双语学校","address":"别处"}"#,
        );
        let second = import(&mut document, &record, &by(2));
        assert_eq!(saved_of(&document, &second.bytes), None);
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for value in [0, 1, -1, 63, 64, -64, -65, 8191, -8192, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, value);
            assert_eq!(crate::gate::bytes::Bytes::new(&bytes).signed(), Some(value));
        }
    }
}
