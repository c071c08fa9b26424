//! Makes one change out of edits: operations that set values, and nothing else.
//! Owns what each operation replaces. Automerge's own transactions are not used: where a wanted value already wins a
//! conflict they delete the others, and the gate lets no deletion in.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use automerge::legacy::{Key, ObjectId, Op, OpId, OpType};
use automerge::{Automerge, Change, ChangeHash, ExpandedChange, ObjId, ROOT, ReadDoc, Value};
use rollcall_core::id::{DocumentId, DocumentKind};

use crate::document::EditBy;
use crate::edit::Edit;
use crate::error::Error;
use crate::gate::walker::{OTHER_ACTORS_MAX, TIME_MAX};
use crate::scalar::Scalar;
use crate::{actor, genesis, schema};

/// Actors whose operations one change may replace: what the gate takes, less the genesis actor.
const ACTORS_MAX: usize = OTHER_ACTORS_MAX as usize - 1;

/// The change that writes these edits on the state at `heads`; `None` if all of it stands there already.
pub(crate) fn compose(
    document: &Automerge,
    kind_and_id: (DocumentKind, DocumentId),
    heads: &[ChangeHash],
    edits: &[Edit],
    by: &EditBy,
) -> Result<Option<Change>, Error> {
    let mut operations: Vec<Op> = Vec::with_capacity(edits.len());
    let mut named = BTreeSet::new();
    for (index, edit) in edits.iter().enumerate() {
        // Of two edits of one place the later one counts.
        let again = edits[index + 1..].iter().any(|later| later.place == edit.place);
        if !again {
            operations.extend(operation(document, kind_and_id, heads, edit, &mut named)?);
        }
    }
    if operations.is_empty() {
        return Ok(None);
    }
    let actor_id = actor::to_automerge(by.actor);
    let history = document.get_changes_meta(&[]);
    let of_actor = history.iter().filter(|change| *change.actor == actor_id);
    let seq = of_actor.map(|change| change.seq).max().unwrap_or(0) + 1;
    let max_op = history.iter().map(|change| change.max_op).max().unwrap_or(0);
    // The author stands at the end of an actor's first change: footer 1, length, bytes.
    let extra_bytes = if seq == 1 {
        [&[1, by.author.len() as u8], by.author.as_bytes()].concat()
    } else {
        Vec::new()
    };
    Ok(Some(Change::from(ExpandedChange {
        operations,
        actor_id,
        hash: None,
        seq,
        start_op: NonZeroU64::new(max_op + 1).expect("one more than something"),
        time: (by.time_ms / 1000).clamp(0, TIME_MAX),
        message: Some(by.reason.clone()).filter(|reason| !reason.is_empty()),
        deps: heads.to_vec(),
        extra_bytes,
        author: None,
    })))
}

/// Sets one value over everything that stands at its place, unless nothing else stands there. Entries replace none:
/// what was made apart under one id stays beside it.
fn operation(
    document: &Automerge,
    (kind, id): (DocumentKind, DocumentId),
    heads: &[ChangeHash],
    edit: &Edit,
    named: &mut BTreeSet<automerge::ActorId>,
) -> Result<Option<Op>, Error> {
    let object = edit
        .place
        .container
        .map_or(ROOT, |position| genesis::container(id, position));
    let key = edit.place.key.as_str();
    let standing = document.get_all_at(&object, key, heads).map_err(Error::Edit)?;
    let same = |value: &Value<'_>| match value {
        Value::Scalar(value) => Scalar::from_owned(value).is_some_and(|value| value == edit.value),
        Value::Object(_) => false,
    };
    let made_once = edit
        .place
        .container
        .is_some_and(|position| schema::of(kind).containers[position].makes_once());
    let stands = if made_once {
        standing.iter().any(|(value, _)| same(value))
    } else {
        !standing.is_empty() && standing.iter().all(|(value, _)| same(value))
    };
    if stands {
        return Ok(None);
    }
    let mut replaced = Vec::new();
    for (_, op) in standing.into_iter().filter(|_| !made_once) {
        let ObjId::Id(counter, actor, _) = op else {
            continue;
        };
        // A change may name so many actors and no more; what does not fit stays a conflict for the next one.
        if named.contains(&actor) || named.len() < ACTORS_MAX {
            named.insert(actor.clone());
            replaced.push(OpId(counter, actor));
        }
    }
    Ok(Some(Op {
        action: OpType::Put(edit.value.to_automerge()),
        obj: match object {
            ObjId::Root => ObjectId::Root,
            ObjId::Id(counter, actor, _) => ObjectId::Id(OpId(counter, actor)),
        },
        key: Key::Map(key.into()),
        pred: replaced.into(),
        insert: false,
    }))
}
