//! Who changed what, when and why: the changes of a document told as edits of fields.
//! Owns the telling; it decodes our own changes by the gate's walker and replays them.

use std::collections::{BTreeMap, HashMap};

use automerge::Automerge;
use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use serde_json::Value;

use crate::gate::frame;
use crate::gate::walker::{self, PlainChange};
use crate::place::{self, Place};
use crate::scalar::ScalarRef;
use crate::{actor, genesis};

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// Its name.
    pub change: [u8; 32],
    /// Who made it.
    pub actor: ActorId,
    /// Its number among the actor's changes.
    pub seq: u64,
    /// Account.
    pub author: String,
    /// When, by its author's clock.
    pub time_ms: i64,
    /// Why.
    pub reason: String,
    /// What it changed.
    pub edits: Vec<FieldEdit>,
}

/// One field changed by a change.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldEdit {
    /// Its name, such as `address` or `coverage/c1/until`.
    pub field: String,
    /// What its author saw before; `None`: nothing.
    pub old: Option<Value>,
    /// What was set; `None`: nothing any more.
    pub new: Option<Value>,
}

/// The history in causal order, without the genesis change.
pub(crate) fn history(kind: DocumentKind, id: DocumentId, document: &Automerge) -> Vec<HistoryEntry> {
    let genesis = genesis::actor(id);
    let mut written: HashMap<(u64, [u8; 16]), Value> = HashMap::new();
    let mut entries = Vec::new();
    for change in document.get_changes(&[]) {
        if actor::from_automerge(change.actor_id()) == Some(genesis) {
            continue;
        }
        let decoded = frame::open(change.raw_bytes()).and_then(|frame| walker::walk(frame.body));
        let decoded = decoded.expect("only changes that passed the walker are in a document");
        let author = document.get_author_for_actor(change.actor_id());
        entries.push(HistoryEntry {
            change: change.hash().0,
            actor: ActorId(decoded.actor),
            seq: decoded.seq,
            author: author
                .map(|author| String::from_utf8_lossy(author.as_bytes()).into_owned())
                .unwrap_or_default(),
            time_ms: decoded.time.saturating_mul(1000),
            reason: decoded.message.to_owned(),
            edits: edits(kind, genesis, &decoded, &mut written),
        });
    }
    entries
}

/// The edits of one change; a field written twice in it is told once.
fn edits(
    kind: DocumentKind,
    genesis: ActorId,
    change: &PlainChange<'_>,
    written: &mut HashMap<(u64, [u8; 16]), Value>,
) -> Vec<FieldEdit> {
    let mut edits: BTreeMap<Place<&str>, FieldEdit> = BTreeMap::new();
    for (counter, operation) in (change.start_op..).zip(&change.operations) {
        let Some(place) = place::of_operation(kind, genesis, change, operation) else {
            continue;
        };
        let value = show(&place, operation.value);
        let replaced = change.preds[operation.preds.clone()]
            .iter()
            .filter_map(|(actor, counter)| written.get(&(*counter, change.actor_at(*actor))))
            .next_back();
        let old = replaced.cloned().filter(|value| !value.is_null());
        let new = Some(value.clone()).filter(|value| !value.is_null());
        written.insert((counter, change.actor), value);
        edits
            .entry(place)
            .and_modify(|edit| edit.new.clone_from(&new))
            .or_insert_with(|| FieldEdit {
                field: place.field(kind),
                old,
                new,
            });
    }
    edits.into_values().collect()
}

fn show(place: &Place<&str>, value: ScalarRef<'_>) -> Value {
    if place.container.is_some() {
        value.open()
    } else {
        value.to_json()
    }
}
