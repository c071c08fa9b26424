//! Fits checked changes into the history of a document (`reliability.md` 5.1, step 5, and rows 79 and 80):
//! duplicates out, dependencies known, number next for its actor, operations after those they depend on.
//! What passes goes to `trial`; nothing here calls the library on foreign bytes.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rollcall_core::id::{ActorId, DocumentId, DocumentKind};

use super::frame::{self, Frame};
use super::trial;
use super::walker::{self, PlainChange};
use super::{AcceptedChange, Admission, PendingChange, Refusal, RefusedChange, rules};
use crate::document::Document;
use crate::error::Error;
use crate::genesis::Genesis;
use crate::saved_form::Named;
use crate::{mention, rescue};

/// How far operation numbers may run ahead of what a change depends on.
const OPERATIONS_AHEAD_MAX: u64 = 1_000_000;
/// No operation is numbered higher, so that Automerge's 32 bits never run out for those who write next.
const OPERATION_NUMBER_MAX: u64 = 4_000_000_000;

/// A change that passed frame, walker and schema.
pub(crate) struct Checked<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) hash: [u8; 32],
    pub(super) change: PlainChange<'a>,
}

impl Checked<'_> {
    /// As part of a saved form.
    pub(crate) fn named(&self) -> Named<'_> {
        Named {
            change: &self.change,
            hash: self.hash,
        }
    }
}

/// Stored changes, decoded again; `None` where one cannot be. They passed the gate when they came.
pub(crate) fn walk_stored<'a>(stored: &[&'a [u8]]) -> Option<Vec<Checked<'a>>> {
    let walked = stored.iter().map(|bytes| {
        let Frame { hash, body } = frame::open(bytes).ok()?;
        let change = walker::walk(body).ok()?;
        Some(Checked { bytes, hash, change })
    });
    walked.collect()
}

/// Lets changes into a document: `held` as it stands, `held_hashes` its changes without the genesis change,
/// `incoming` plain chunks in any order.
pub fn admit(held: &Document, held_hashes: &HashSet<[u8; 32]>, incoming: &[&[u8]]) -> Admission {
    let mut opened = Opened::new(held.kind(), held.id(), incoming);
    opened.leave_out(held_hashes);
    let Opened {
        genesis,
        waiting,
        mut admission,
        ..
    } = opened;
    admission.take(held, &genesis, waiting);
    admission
}

/// Changes that came in for a document, opened and decoded before anything is asked about what is held of it.
pub struct Opened<'a> {
    genesis: Genesis,
    /// Of each change, in the order in which they came; `None` where the frame is wrong.
    hashes: Vec<Option<[u8; 32]>>,
    waiting: Vec<Checked<'a>>,
    admission: Admission,
}

impl<'a> Opened<'a> {
    /// Opens plain chunks in any order; what does not pass frame, walker and schema is refused.
    pub fn new(kind: DocumentKind, id: DocumentId, incoming: &[&'a [u8]]) -> Self {
        let genesis = Genesis::of(kind, id);
        let (mut hashes, mut waiting) = (Vec::with_capacity(incoming.len()), Vec::new());
        let mut admission = Admission::default();
        let mut seen = BTreeSet::new();
        for bytes in incoming {
            let opened = frame::open(bytes);
            hashes.push(opened.as_ref().ok().map(|frame| frame.hash));
            match opened {
                Ok(Frame { hash, .. }) if !seen.insert(hash) => admission.duplicates += 1,
                Ok(Frame { hash, body }) => match check(&genesis, body) {
                    Ok(change) => waiting.push(Checked { bytes, hash, change }),
                    Err(refusal) => admission.refuse(Some(hash), bytes, refusal, false),
                },
                Err(refusal) => admission.refuse(None, bytes, refusal, false),
            }
        }
        Self {
            genesis,
            hashes,
            waiting,
            admission,
        }
    }

    /// Names of the changes, in the order in which they came; `None` where the frame is wrong.
    pub fn hashes(&self) -> &[Option<[u8; 32]>] {
        &self.hashes
    }

    /// Whether there are changes, all sound, that follow the genesis change and one another only: they are a document by
    /// themselves, whether or not it is held.
    pub fn are_whole(&self) -> bool {
        let own: BTreeSet<[u8; 32]> = self.waiting.iter().map(|checked| checked.hash).collect();
        let mut followed = self.waiting.iter().flat_map(|checked| &checked.change.deps);
        !self.waiting.is_empty()
            && self.admission.refused.is_empty()
            && followed.all(|dep| *dep == self.genesis.hash || own.contains(dep))
    }

    /// Lets them into the document that `stored` make, its changes in stored order: it is loaded together with what comes
    /// in, and by itself only where that fails.
    ///
    /// # Errors
    /// `ChangeDamaged`, `Apply` or `HistoryIncomplete` where the bytes are not what was stored.
    pub fn admit(mut self, stored: &[&[u8]], held_hashes: &HashSet<[u8; 32]>) -> Result<Admission, Error> {
        let genesis = self.genesis;
        let load = || Document::load(genesis.kind, genesis.id, stored.iter().copied());
        self.leave_out(held_hashes);
        let Self {
            waiting,
            mut admission,
            ..
        } = self;
        if waiting.is_empty() {
            return Ok(admission);
        }
        let Some(held) = walk_stored(stored) else {
            admission.take(&load()?, &genesis, waiting);
            return Ok(admission);
        };
        let mut history = History::begun(&genesis);
        held.iter().for_each(|checked| history.add(checked));
        let ready = order(&mut history, waiting, &mut admission);
        if !ready.is_empty() {
            let outcome = match trial::whole(&genesis, &held, &ready) {
                Some(document) => trial::Outcome {
                    document: Some(document),
                    passed: ready,
                    refused: Vec::new(),
                },
                None => trial::run(&load()?, ready),
            };
            admission.settle(&genesis, outcome);
        }
        Ok(admission)
    }

    /// Counts as duplicates what is held, whatever is thought of it today: it has passed the gate before.
    fn leave_out(&mut self, held: &HashSet<[u8; 32]>) {
        if held.is_empty() {
            return;
        }
        let Self {
            waiting, admission, ..
        } = self;
        let before = waiting.len() + admission.refused.len();
        waiting.retain(|checked| !held.contains(&checked.hash));
        let is_held = |refused: &RefusedChange| refused.hash.is_some_and(|hash| held.contains(&hash));
        admission.refused.retain(|refused| !is_held(refused));
        admission.duplicates += before - waiting.len() - admission.refused.len();
    }
}

fn check<'a>(genesis: &Genesis, body: &'a [u8]) -> Result<PlainChange<'a>, Refusal> {
    let change = walker::walk(body)?;
    if change.actor == genesis.actor.0 {
        return Err(Refusal::new(
            "ACTOR_FOREIGN",
            "the genesis actor makes no other change",
        ));
    }
    if change.deps.is_empty() {
        return Err(Refusal::new(
            "OP_RANGE",
            "the change follows nothing, not even the genesis change",
        ));
    }
    rules::check(genesis.kind, genesis.actor, &change)?;
    Ok(change)
}

/// Changes whose dependencies are known, in an order that respects them; the rest is refused or waits.
fn order<'a>(
    history: &mut History,
    mut waiting: Vec<Checked<'a>>,
    admission: &mut Admission,
) -> Vec<Checked<'a>> {
    let mut ready = Vec::new();
    // Every round either takes a change out or is the last one. Rounds go in order of operation numbers, in which
    // dependencies come first, so that an honest bundle takes a single round in whatever order it comes.
    waiting.sort_by_key(|checked| (checked.change.start_op, checked.change.seq, checked.hash));
    loop {
        let before = waiting.len();
        for checked in std::mem::take(&mut waiting) {
            if checked
                .change
                .deps
                .iter()
                .any(|dep| !history.changes.contains_key(dep))
            {
                waiting.push(checked);
                continue;
            }
            match history.fit(&checked) {
                Ok(()) => {
                    history.add(&checked);
                    ready.push(checked);
                }
                Err((refusal, forked)) => {
                    admission.refuse(Some(checked.hash), checked.bytes, refusal, forked)
                }
            }
        }
        if waiting.len() == before || waiting.is_empty() {
            break;
        }
    }
    for checked in waiting {
        let missing = checked
            .change
            .deps
            .iter()
            .copied()
            .filter(|dep| !history.changes.contains_key(dep))
            .collect();
        admission.pend(&checked, missing);
    }
    ready
}

impl Admission {
    /// Lets new changes into a document as it stands.
    fn take(&mut self, held: &Document, genesis: &Genesis, waiting: Vec<Checked<'_>>) {
        if waiting.is_empty() {
            return;
        }
        let ready = order(&mut History::of(held, genesis), waiting, self);
        if !ready.is_empty() {
            self.settle(genesis, trial::run(held, ready));
        }
    }

    /// Puts every change that was tried in its place.
    fn settle(&mut self, genesis: &Genesis, outcome: trial::Outcome<'_>) {
        let trial::Outcome {
            document,
            passed,
            refused,
        } = outcome;
        self.document = document.filter(|_| !passed.is_empty());
        let orphaned: BTreeSet<[u8; 32]> = refused.iter().map(|(checked, _)| checked.hash).collect();
        for (checked, refusal) in refused {
            // What only depends on a poisoned change is not poisoned itself: it waits.
            let missing: Vec<[u8; 32]> = checked
                .change
                .deps
                .iter()
                .copied()
                .filter(|dep| orphaned.contains(dep))
                .collect();
            if missing.is_empty() {
                self.refuse(Some(checked.hash), checked.bytes, refusal, false);
            } else {
                self.pend(&checked, missing);
            }
        }
        self.accepted.extend(
            passed
                .into_iter()
                .map(|Checked { bytes, hash, change }| AcceptedChange {
                    hash,
                    actor: ActorId(change.actor),
                    seq: change.seq,
                    bytes: bytes.to_vec(),
                    rescues: rescue::rescued(change.message),
                    mentions: mention::of_change(genesis.kind, genesis.actor, &change),
                }),
        );
    }

    fn refuse(&mut self, hash: Option<[u8; 32]>, bytes: &[u8], refusal: Refusal, forked: bool) {
        let Refusal { code, message } = refusal;
        self.refused.push(RefusedChange {
            hash,
            bytes: bytes.to_vec(),
            code,
            message,
            forked,
        });
    }

    fn pend(&mut self, checked: &Checked<'_>, missing: Vec<[u8; 32]>) {
        self.pending.push(PendingChange {
            hash: checked.hash,
            bytes: checked.bytes.to_vec(),
            missing,
        });
    }
}

/// What is known of the changes in a document, those accepted on the way included.
struct History {
    changes: BTreeMap<[u8; 32], Known>,
    last_by_actor: BTreeMap<[u8; 16], Last>,
}

struct Known {
    deps: Vec<[u8; 32]>,
    max_op: u64,
}

struct Last {
    seq: u64,
    hash: [u8; 32],
}

impl History {
    /// Of a document that holds its genesis change only.
    fn begun(genesis: &Genesis) -> Self {
        let known = Known {
            deps: Vec::new(),
            max_op: genesis.max_op(),
        };
        let mut history = Self {
            changes: BTreeMap::from([(genesis.hash, known)]),
            last_by_actor: BTreeMap::new(),
        };
        history.note_last(genesis.actor.0, 1, genesis.hash);
        history
    }

    fn of(document: &Document, genesis: &Genesis) -> Self {
        if document.is_blank() {
            return Self::begun(genesis);
        }
        let mut history = Self {
            changes: BTreeMap::new(),
            last_by_actor: BTreeMap::new(),
        };
        for change in document.automerge().get_changes_meta(&[]) {
            let deps = change.deps.iter().map(|dep| dep.0).collect();
            history.changes.insert(
                change.hash.0,
                Known {
                    deps,
                    max_op: change.max_op,
                },
            );
            if let Ok(actor) = <[u8; 16]>::try_from(change.actor.to_bytes()) {
                history.note_last(actor, change.seq, change.hash.0);
            }
        }
        history
    }

    fn note_last(&mut self, actor: [u8; 16], seq: u64, hash: [u8; 32]) {
        let last = self.last_by_actor.entry(actor).or_insert(Last { seq, hash });
        if seq > last.seq {
            *last = Last { seq, hash };
        }
    }

    fn add(&mut self, checked: &Checked<'_>) {
        let Checked { hash, change, .. } = checked;
        self.changes.insert(
            *hash,
            Known {
                deps: change.deps.clone(),
                max_op: change.max_op(),
            },
        );
        self.note_last(change.actor, change.seq, *hash);
    }

    /// Whether a change whose dependencies are known fits; the flag says that another stands in its place.
    fn fit(&self, checked: &Checked<'_>) -> Result<(), (Refusal, bool)> {
        let change = &checked.change;
        let refuse = |code, message: String| Err((Refusal::new(code, message), false));
        let last = self.last_by_actor.get(&change.actor);
        let due = last.map_or(1, |last| last.seq + 1);
        if (1..due).contains(&change.seq) {
            let message = format!(
                "another change of the same actor is held as number {}",
                change.seq
            );
            return Err((Refusal::new("FORKED", message), true));
        }
        if change.seq != due {
            return refuse(
                "SEQ_GAP",
                format!("number {} of its actor where {due} is next", change.seq),
            );
        }
        if let Some(last) = last
            && !self.follows(&change.deps, last.hash)
        {
            return refuse(
                "SEQ_GAP",
                "it does not follow its actor's change before".to_owned(),
            );
        }
        for other in &change.other_actors {
            if !self.last_by_actor.contains_key(other) {
                return refuse(
                    "SCHEMA",
                    "it refers to an actor that the document does not know".to_owned(),
                );
            }
        }
        let floor = change
            .deps
            .iter()
            .filter_map(|dep| self.changes.get(dep))
            .map(|dep| dep.max_op)
            .max();
        let floor = floor.unwrap_or(0);
        if change.start_op <= floor
            || change.start_op > floor + OPERATIONS_AHEAD_MAX
            || change.max_op() > OPERATION_NUMBER_MAX
        {
            return refuse(
                "OP_RANGE",
                format!(
                    "operations from number {} where the last it follows is {floor}",
                    change.start_op
                ),
            );
        }
        Ok(())
    }

    /// Whether `wanted` is among `deps` or before them. Operation numbers grow along the history, so nothing
    /// numbered below `wanted` can follow it.
    fn follows(&self, deps: &[[u8; 32]], wanted: [u8; 32]) -> bool {
        let floor = self.changes.get(&wanted).map_or(0, |known| known.max_op);
        let mut seen = BTreeSet::new();
        let mut stack: Vec<[u8; 32]> = deps.to_vec();
        while let Some(hash) = stack.pop() {
            if hash == wanted {
                return true;
            }
            if seen.insert(hash)
                && let Some(known) = self.changes.get(&hash).filter(|known| known.max_op > floor)
            {
                stack.extend(&known.deps);
            }
        }
        false
    }
}
