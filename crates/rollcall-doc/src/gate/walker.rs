//! Decodes a plain change with bounds, before any library sees it (`reliability.md` 5.1, step 4).
//! Owns the form of what we accept: operations that set a scalar at a text key, 16-byte actors, known columns.
//! Every count is checked before anything is allocated for it. What may stand where is asked of the schema in
//! `rules`; whether the change fits the history is for `admit`. The same decoder reads our own history.

use std::ops::Range;

use super::Refusal;
use super::bytes::{Bytes, Column};
use crate::actor::is_author;
use crate::scalar::ScalarRef;
use crate::schema::VALUE_BYTES_MAX;

/// Most operations in a change (`protocol.md` 1.18).
pub(crate) const OPERATIONS_MAX: u64 = 10_000;
/// Most changes that one change follows directly.
pub(crate) const DEPENDENCIES_MAX: u64 = 64;
/// Most actors that a change refers to besides its own.
pub(crate) const OTHER_ACTORS_MAX: u64 = 64;
/// 9999-12-31, in seconds: nothing is dated later.
pub(crate) const TIME_MAX: i64 = 253_402_300_799;

const SET: u64 = 1;
const AUTHOR_FOOTER: u64 = 1;

/// The columns that a change of `set` operations has, in their order, by column specification.
mod spec {
    pub(super) const OBJECT_ACTOR: u64 = 1;
    pub(super) const OBJECT_COUNTER: u64 = 2;
    pub(super) const KEY: u64 = 21;
    pub(super) const INSERT: u64 = 52;
    pub(super) const ACTION: u64 = 66;
    pub(super) const VALUE_META: u64 = 86;
    pub(super) const VALUE: u64 = 87;
    pub(super) const PRED_COUNT: u64 = 112;
    pub(super) const PRED_ACTOR: u64 = 113;
    pub(super) const PRED_COUNTER: u64 = 115;
    pub(super) const ALL: [u64; 10] = [
        OBJECT_ACTOR,
        OBJECT_COUNTER,
        KEY,
        INSERT,
        ACTION,
        VALUE_META,
        VALUE,
        PRED_COUNT,
        PRED_ACTOR,
        PRED_COUNTER,
    ];
}

/// A change of `set` operations, decoded.
#[derive(Debug)]
pub(crate) struct PlainChange<'a> {
    /// Changes it follows; ascending.
    pub(crate) deps: Vec<[u8; 32]>,
    /// Who made it.
    pub(crate) actor: [u8; 16],
    /// Its number among the actor's changes.
    pub(crate) seq: u64,
    /// Counter of its first operation.
    pub(crate) start_op: u64,
    /// Seconds since 1970, as its author claims.
    pub(crate) time: i64,
    /// Reason.
    pub(crate) message: &'a str,
    /// What stands behind its columns: its author, in an actor's first change.
    pub(crate) footer: &'a [u8],
    /// Actors that operations refer to, after the first.
    pub(crate) other_actors: Vec<[u8; 16]>,
    /// What it writes.
    pub(crate) operations: Vec<Operation<'a>>,
    /// Predecessors of all operations: position of the actor (0 is its own) and counter.
    pub(crate) preds: Vec<Pred>,
}

/// An operation that another replaces: position of its actor and counter.
pub(crate) type Pred = (usize, u64);

/// One `set`.
#[derive(Debug)]
pub(crate) struct Operation<'a> {
    /// Map it writes into: position of the actor and counter; `None` is the root.
    pub(crate) object: Option<(usize, u64)>,
    /// Key.
    pub(crate) key: &'a str,
    /// What it sets.
    pub(crate) value: ScalarRef<'a>,
    /// Which of the change's predecessors are its own.
    pub(crate) preds: Range<usize>,
}

impl PlainChange<'_> {
    /// Counter of the last operation.
    pub(crate) fn max_op(&self) -> u64 {
        self.start_op + self.operations.len() as u64 - 1
    }

    /// The actor at a position that an operation names; the decoder has checked that there is one.
    pub(crate) fn actor_at(&self, position: usize) -> [u8; 16] {
        position
            .checked_sub(1)
            .map_or(self.actor, |other| self.other_actors[other])
    }
}

fn undecodable(what: &str) -> Refusal {
    Refusal::new("POISON_CHANGE", format!("the change cannot be decoded: {what}"))
}

fn not_in_schema(what: impl Into<String>) -> Refusal {
    Refusal::new("SCHEMA", what)
}

/// Decodes the body of a framed change.
pub(crate) fn walk(body: &[u8]) -> Result<PlainChange<'_>, Refusal> {
    let mut bytes = Bytes::new(body);
    let cut = || undecodable("it ends too early or holds a number that is none");

    let count = bytes.unsigned().ok_or_else(cut)?;
    at_most("dependencies", count, DEPENDENCIES_MAX)?;
    let mut deps = Vec::new();
    for _ in 0..count {
        deps.push(bytes.hash().ok_or_else(cut)?);
    }
    if !deps.is_sorted_by(|a, b| a < b) {
        return Err(undecodable("its dependencies are not in order"));
    }
    let actor = read_actor(&mut bytes)?;
    let seq = bytes.unsigned().ok_or_else(cut)?;
    let start_op = bytes.unsigned().ok_or_else(cut)?;
    let time = bytes.signed().ok_or_else(cut)?;
    if !(0..=TIME_MAX).contains(&time) {
        return Err(Refusal::new(
            "OP_RANGE",
            format!("the time {time} is not between the years 1970 and 9999"),
        ));
    }
    let length = bytes.unsigned().ok_or_else(cut)?;
    at_most("bytes in the reason", length, VALUE_BYTES_MAX as u64)?;
    let message = bytes.take(length).ok_or_else(cut)?;
    let message = std::str::from_utf8(message).map_err(|_| undecodable("its reason is not UTF-8"))?;

    let count = bytes.unsigned().ok_or_else(cut)?;
    at_most("other actors", count, OTHER_ACTORS_MAX)?;
    let mut other_actors = Vec::new();
    for _ in 0..count {
        other_actors.push(read_actor(&mut bytes)?);
    }
    if !other_actors.is_sorted_by(|a, b| a < b) || other_actors.contains(&actor) {
        return Err(undecodable("its other actors are not in order"));
    }

    let columns = Columns::read(&mut bytes)?;
    check_footer(bytes, seq)?;
    let footer = bytes.rest();
    let (operations, preds) = columns.operations(start_op, other_actors.len(), rows_max(body))?;
    Ok(PlainChange {
        deps,
        actor,
        seq,
        start_op,
        time,
        message,
        footer,
        other_actors,
        operations,
        preds,
    })
}

/// Most rows that the columns of this body may claim. An honest operation has a key of its own and what it replaces has
/// an actor, each a byte at least; run lengths alone must not make millions of operations out of a batch.
fn rows_max(body: &[u8]) -> u64 {
    OPERATIONS_MAX.min(body.len() as u64)
}

fn at_most(what: &str, count: u64, limit: u64) -> Result<(), Refusal> {
    if count > limit {
        return Err(Refusal::too_big(format!("{count} {what}, the limit is {limit}")));
    }
    Ok(())
}

fn read_actor(bytes: &mut Bytes<'_>) -> Result<[u8; 16], Refusal> {
    let length = bytes.unsigned().ok_or_else(|| undecodable("an actor is cut"))?;
    if length != 16 {
        return Err(Refusal::new(
            "ACTOR_FOREIGN",
            format!("an actor of {length} bytes; ours have 16"),
        ));
    }
    let actor = bytes.take(length).and_then(|actor| actor.try_into().ok());
    actor.ok_or_else(|| undecodable("an actor is cut"))
}

/// The author stands at the end of an actor's first change and nowhere else, so that every change is attributed.
fn check_footer(mut bytes: Bytes<'_>, seq: u64) -> Result<(), Refusal> {
    if seq != 1 {
        let empty = bytes.is_empty();
        return if empty {
            Ok(())
        } else {
            Err(undecodable("bytes after its columns"))
        };
    }
    let mut read = || {
        let footer = bytes.unsigned()?;
        let length = bytes.unsigned()?;
        let author = bytes.take(length)?;
        (footer == AUTHOR_FOOTER && bytes.is_empty() && is_author(author)).then_some(())
    };
    read().ok_or_else(|| not_in_schema("author: an actor's first change names its author, such as 330106/7"))
}

/// The bytes of each column.
struct Columns<'a>([&'a [u8]; spec::ALL.len()]);

impl<'a> Columns<'a> {
    fn read(bytes: &mut Bytes<'a>) -> Result<Self, Refusal> {
        let cut = || undecodable("its columns are cut");
        let count = bytes.unsigned().ok_or_else(cut)?;
        if count > spec::ALL.len() as u64 {
            return Err(not_in_schema(
                "columns: more than operations that set a value have",
            ));
        }
        let mut lengths = [0; spec::ALL.len()];
        let mut next = 0;
        for _ in 0..count {
            let found = bytes.unsigned().ok_or_else(cut)?;
            let position = spec::ALL.iter().position(|known| *known == found);
            let position = position.filter(|position| *position >= next).ok_or_else(|| {
                not_in_schema(format!(
                    "columns: specification {found} is not one of operations that set a value"
                ))
            })?;
            next = position + 1;
            lengths[position] = bytes.unsigned().filter(|length| *length > 0).ok_or_else(cut)?;
        }
        let mut columns = [&[][..]; spec::ALL.len()];
        for (column, length) in columns.iter_mut().zip(lengths) {
            *column = bytes.take(length).ok_or_else(cut)?;
        }
        Ok(Self(columns))
    }

    fn get(&self, spec: u64) -> &'a [u8] {
        let position = spec::ALL
            .iter()
            .position(|known| *known == spec)
            .expect("the specification is one of ALL");
        self.0[position]
    }

    fn operations(
        &self,
        start_op: u64,
        other_actors: usize,
        rows_max: u64,
    ) -> Result<(Vec<Operation<'a>>, Vec<Pred>), Refusal> {
        let mut action = Column::<u64>::new(self.get(spec::ACTION));
        let count = claimed("operations", action.count(), rows_max)?;
        if count == 0 {
            return Err(not_in_schema("operations: the change writes nothing"));
        }
        if start_op == 0 || start_op.checked_add(count).is_none() {
            return Err(Refusal::new(
                "OP_RANGE",
                format!("the first operation is numbered {start_op}"),
            ));
        }
        let mut object_actor = Column::<u64>::new(self.get(spec::OBJECT_ACTOR));
        let mut object_counter = Column::<u64>::new(self.get(spec::OBJECT_COUNTER));
        let all_at_root =
            self.get(spec::OBJECT_ACTOR).is_empty() && self.get(spec::OBJECT_COUNTER).is_empty();
        let mut key = Column::<&str>::new(self.get(spec::KEY));
        let mut value_meta = Column::<u64>::new(self.get(spec::VALUE_META));
        let mut pred_count = Column::<u64>::new(self.get(spec::PRED_COUNT));
        let mut pred_actor = Column::<u64>::new(self.get(spec::PRED_ACTOR));
        let mut pred_counter = Column::<i64>::new(self.get(spec::PRED_COUNTER));
        let preds_in_all = claimed("predecessors", pred_actor.count(), rows_max)?;
        let objects = if all_at_root { 0 } else { count };
        for (name, found, due) in [
            ("object", object_actor.count(), objects),
            ("object", object_counter.count(), objects),
            ("key", key.count(), count),
            ("value", value_meta.count(), count),
            ("predecessor count", pred_count.count(), count),
            ("predecessor", pred_counter.count(), preds_in_all),
        ] {
            let found = claimed(name, found, rows_max)?;
            if found != due {
                return Err(undecodable(&format!(
                    "{name} column of {found} rows where {due} are due"
                )));
            }
        }
        self.check_nothing_inserted(count)?;

        let mut values = Bytes::new(self.get(spec::VALUE));
        let mut operations = Vec::with_capacity(count as usize);
        let mut preds: Vec<Pred> = Vec::with_capacity(preds_in_all as usize);
        let mut counter = 0_i64;
        for index in 0..count {
            let short = || undecodable("a column is shorter than it claims");
            let action = action.next().flatten().ok_or_else(short)?;
            let key = key.next().ok_or_else(short)?;
            let key = key.ok_or_else(|| {
                not_in_schema(format!("operation {index}: a key that is a text is expected"))
            })?;
            if action != SET {
                return Err(not_in_schema(format!(
                    "{key}: action {action} where only setting a value is expected"
                )));
            }
            let object = if all_at_root {
                None
            } else {
                match (
                    object_actor.next().ok_or_else(short)?,
                    object_counter.next().ok_or_else(short)?,
                ) {
                    (None, None) => None,
                    (Some(actor), Some(counter)) => Some((known_actor(actor, other_actors)?, counter)),
                    _ => return Err(undecodable("half an object")),
                }
            };
            let meta = value_meta.next().flatten().ok_or_else(short)?;
            let value = read_value(key, meta, &mut values)?;
            let from = preds.len();
            for _ in 0..pred_count.next().flatten().ok_or_else(short)? {
                let actor = pred_actor.next().flatten().ok_or_else(short)?;
                let step = pred_counter.next().flatten().ok_or_else(short)?;
                counter = counter.checked_add(step).ok_or_else(short)?;
                let found = u64::try_from(counter)
                    .ok()
                    .filter(|counter| (1..start_op + index).contains(counter));
                let found = found.ok_or_else(|| {
                    not_in_schema(format!(
                        "{key}: replaces operation {counter}, which does not come before it"
                    ))
                })?;
                preds.push((known_actor(actor, other_actors)?, found));
            }
            operations.push(Operation {
                object,
                key,
                value,
                preds: from..preds.len(),
            });
        }
        if preds.len() as u64 != preds_in_all || !values.is_empty() {
            return Err(undecodable("columns are longer than its operations"));
        }
        Ok((operations, preds))
    }

    /// The insert column counts how often false, true, false follow; all are false.
    fn check_nothing_inserted(&self, count: u64) -> Result<(), Refusal> {
        let mut bytes = Bytes::new(self.get(spec::INSERT));
        match bytes.unsigned() {
            Some(found) if found == count && bytes.is_empty() => Ok(()),
            Some(_) => Err(not_in_schema("operations: nothing is inserted into lists here")),
            None => Err(undecodable("the insert column is missing")),
        }
    }
}

fn claimed(what: &str, count: Option<u64>, limit: u64) -> Result<u64, Refusal> {
    let count = count.ok_or_else(|| undecodable(&format!("{what}: the run lengths make no sense")))?;
    at_most(what, count, limit)?;
    Ok(count)
}

fn known_actor(position: u64, other_actors: usize) -> Result<usize, Refusal> {
    usize::try_from(position)
        .ok()
        .filter(|position| *position <= other_actors)
        .ok_or_else(|| undecodable("an operation names an actor that the change does not"))
}

fn read_value<'a>(key: &str, meta: u64, values: &mut Bytes<'a>) -> Result<ScalarRef<'a>, Refusal> {
    let (form, length) = (meta & 15, meta >> 4);
    at_most("bytes in a value", length, VALUE_BYTES_MAX as u64)?;
    let cut = || undecodable("a value is cut");
    let raw = values.take(length).ok_or_else(cut)?;
    match (form, length) {
        (0, 0) => Ok(ScalarRef::Null),
        (1, 0) => Ok(ScalarRef::Flag(false)),
        (2, 0) => Ok(ScalarRef::Flag(true)),
        (4, _) => {
            let mut raw = Bytes::new(raw);
            let number = raw.signed().filter(|_| raw.is_empty()).ok_or_else(cut)?;
            Ok(ScalarRef::Integer(number))
        }
        (6, _) => std::str::from_utf8(raw)
            .map(ScalarRef::Text)
            .map_err(|_| undecodable("a text is not UTF-8")),
        (0..=2, _) => Err(cut()),
        _ => Err(not_in_schema(format!(
            "{}: a text, a whole number, a flag or nothing is expected",
            key.chars().take(64).collect::<String>()
        ))),
    }
}
