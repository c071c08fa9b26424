//! The last step of the gate: tries changes on a copy (`reliability.md` 5.1, steps 6 and 7).
//! Canonical form first (decoded and encoded again, the hash must stay), then apply, save, load, and the heads and
//! everything that stands in the document must be what they should be. Where changes and document have a saved form
//! (`saved_form`), that is loaded at once instead, and Automerge checks it against the hashes. A panic of the library is
//! caught and counts as refused; the walker has bounded what it can cost.

use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, Change, ExpandedChange, ReadDoc};

use super::Refusal;
use super::admit::Checked;
use crate::document::Document;
use crate::genesis::Genesis;
use crate::saved_form::SavedForm;

/// Trials of one bundle: enough to single out a few poisoned changes, too few to be kept busy by many.
const TRIALS_MAX: usize = 48;
/// What the trials of one bundle may cost together, in operations; the first one is made whatever it costs. A trial takes
/// the whole document, so that of a large one fewer are made.
const TRIAL_COST_MAX: u64 = 250_000;
/// What a change costs beside its operations, in operations.
const CHANGE_COST: u64 = 10;

/// What became of the changes.
pub(super) struct Outcome<'a> {
    /// The document after those that passed.
    pub(super) document: Option<Document>,
    /// In the given order.
    pub(super) passed: Vec<Checked<'a>>,
    /// With reasons.
    pub(super) refused: Vec<(Checked<'a>, Refusal)>,
}

/// Tries changes that are in dependency order. All at once; where that fails, halves, to find out which.
pub(super) fn run<'a>(held: &Document, ready: Vec<Checked<'a>>) -> Outcome<'a> {
    let mut outcome = Outcome {
        document: None,
        passed: Vec::new(),
        refused: Vec::new(),
    };
    let mut left = Left {
        trials: TRIALS_MAX,
        cost: TRIAL_COST_MAX,
    };
    try_part(held, ready, &mut left, &mut outcome);
    outcome
}

/// Tries changes together with everything that is held, in the saved form of all; `None` where that has none or does not
/// hold, and each must be tried on the document as it is.
pub(super) fn whole(genesis: &Genesis, held: &[Checked<'_>], ready: &[Checked<'_>]) -> Option<Document> {
    let all = held.iter().chain(ready).map(Checked::named).collect();
    Document::from_saved(&SavedForm::of(*genesis, all)?)
}

/// What may still be tried.
struct Left {
    trials: usize,
    cost: u64,
}

impl Left {
    /// Takes the trial of these changes on this document out of what is left; that of a whole bundle is always made.
    fn take(&mut self, document: &Document, part: &[Checked<'_>]) -> bool {
        let new: usize = part.iter().map(|checked| checked.change.operations.len()).sum();
        let (mut operations, mut changes) = (new as u64, part.len() as u64);
        // What is still blank costs nothing, and must not be made only to be counted.
        if !document.is_blank() {
            let stats = document.automerge().stats();
            (operations, changes) = (operations + stats.num_ops, changes + stats.num_changes);
        }
        let cost = operations + CHANGE_COST * changes;
        let first = self.trials == TRIALS_MAX;
        if self.trials == 0 || (cost > self.cost && !first) {
            self.trials = 0;
            return false;
        }
        self.trials -= 1;
        self.cost = self.cost.saturating_sub(cost);
        true
    }
}

fn try_part<'a>(held: &Document, mut part: Vec<Checked<'a>>, left: &mut Left, outcome: &mut Outcome<'a>) {
    let refused: HashSet<[u8; 32]> = outcome.refused.iter().map(|(checked, _)| checked.hash).collect();
    let (orphaned, rest): (Vec<_>, Vec<_>) = part
        .into_iter()
        .partition(|checked| checked.change.deps.iter().any(|dep| refused.contains(dep)));
    if !orphaned.is_empty() {
        let refusal = || Refusal::new("POISON_CHANGE", "it follows a refused change");
        outcome
            .refused
            .extend(orphaned.into_iter().map(|checked| (checked, refusal())));
        // What followed the orphaned ones is orphaned in turn.
        return try_part(held, rest, left, outcome);
    }
    part = rest;
    if part.is_empty() {
        return;
    }
    let document = outcome.document.as_ref().unwrap_or(held);
    let refusal = if left.take(document, &part) {
        match try_all(document, &part) {
            Ok(document) => {
                outcome.document = Some(document);
                outcome.passed.extend(part);
                return;
            }
            Err(refusal) => refusal,
        }
    } else {
        Refusal::new(
            "POISON_CHANGE",
            "too many changes of the same bundle failed their trial",
        )
    };
    if part.len() == 1 || left.trials == 0 {
        outcome
            .refused
            .extend(part.into_iter().map(|checked| (checked, refusal.clone())));
        return;
    }
    let second = part.split_off(part.len() / 2);
    try_part(held, part, left, outcome);
    try_part(held, second, left, outcome);
}

fn try_all(held: &Document, part: &[Checked<'_>]) -> Result<Document, Refusal> {
    let poison = |what: &str| Refusal::new("POISON_CHANGE", format!("the change failed its trial: {what}"));
    // The copies touched in here are dropped with the panic; `held` is only read.
    catch_unwind(AssertUnwindSafe(|| trial(held, part)))
        .unwrap_or(Err("the library stopped"))
        .map_err(poison)
}

fn trial(held: &Document, part: &[Checked<'_>]) -> Result<Document, &'static str> {
    if held.is_blank()
        && let Some(form) = SavedForm::of(
            Genesis::of(held.kind(), held.id()),
            part.iter().map(Checked::named).collect(),
        )
    {
        return Document::from_saved(&form).ok_or("its saved form cannot be loaded");
    }
    let mut changes = Vec::with_capacity(part.len());
    let mut heads: BTreeSet<[u8; 32]> = held.heads().into_iter().collect();
    for checked in part {
        let change = Change::try_from(checked.bytes).map_err(|_| "it cannot be decoded")?;
        let again = Change::from(ExpandedChange::from(&change));
        if change.hash().0 != checked.hash || again.hash().0 != checked.hash {
            return Err("it is not in canonical form");
        }
        for dep in &checked.change.deps {
            heads.remove(dep);
        }
        heads.insert(checked.hash);
        changes.push(change);
    }
    let copy = held.with_changes(changes).map_err(|_| "it cannot be applied")?;
    if !copy.heads().iter().eq(&heads) {
        return Err("the heads are not those that it should lead to");
    }
    let saved = copy.automerge().save_nocompress();
    let loaded = Automerge::load(&saved).map_err(|_| "what was saved cannot be loaded")?;
    let loaded = Document::from_automerge(held.kind(), held.id(), loaded);
    if !loaded.heads().iter().eq(&heads) {
        return Err("what was saved comes back with other heads");
    }
    // The same bytes again hold the same operations; where they differ, what can be read of them must not.
    if loaded.automerge().save_nocompress() != saved && copy.content() != loaded.content() {
        return Err("what was saved comes back with other content");
    }
    Ok(loaded)
}
