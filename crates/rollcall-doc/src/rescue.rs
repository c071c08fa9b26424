//! Writing changes again that cannot stay as they are (`protocol.md` 4.7, R4): the branch of an actor that wrote twice
//! under one number, or changes saved out of a damaged store. Each is made anew by a fresh actor, from the same place in
//! the history, by the same author and at the same time, so that both edits are kept and a conflict shows as one.

use std::collections::{HashMap, HashSet};

use rollcall_core::id::ActorId;

use crate::document::{Document, EditBy, LocalChange};
use crate::edit::Edit;
use crate::error::Error;
use crate::gate::frame;
use crate::gate::walker::{self, PlainChange};
use crate::scalar::Scalar;
use crate::{genesis, place};

/// How the reason of a change begins that writes another one of a fork again; its hash in hexadecimal follows.
const FORK_RESCUE: &str = "fork rescue ";
/// The same for a change out of a damaged store.
const TAKEN_BACK: &str = "taken back ";
/// Author of changes whose own author is not known any more.
const NOBODY: &str = "system";

/// Why changes are written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Their actor wrote twice under one number.
    Fork,
    /// Their store was damaged.
    Damage,
}

impl Occasion {
    fn reason(self, hash: &[u8; 32], before: &str) -> String {
        let opening = match self {
            Self::Fork => FORK_RESCUE,
            Self::Damage => TAKEN_BACK,
        };
        let mut reason = opening.to_owned();
        for byte in hash {
            reason.push_str(&format!("{byte:02x}"));
        }
        if !before.is_empty() {
            reason.push_str(": ");
            reason.push_str(before);
        }
        reason
    }
}

/// The change of a fork that a change with this reason writes again.
pub(crate) fn rescued(reason: &str) -> Option<[u8; 32]> {
    let digits = reason.strip_prefix(FORK_RESCUE)?.as_bytes().get(..64)?;
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

impl Document {
    /// The changes named and everything that follows one of them, in causal order.
    pub fn branch(&self, from: &HashSet<[u8; 32]>) -> Vec<[u8; 32]> {
        let mut members: HashSet<[u8; 32]> = HashSet::new();
        let mut branch = Vec::new();
        for change in self.automerge().get_changes(&[]) {
            let hash = change.hash().0;
            let follows = change.deps().iter().any(|dep| members.contains(&dep.0));
            if from.contains(&hash) || follows {
                members.insert(hash);
                branch.push(hash);
            }
        }
        branch
    }

    /// Writes changes of `whole` again that this document lacks, in causal order. `fresh` gives an actor that nobody has
    /// used for each. What stands already is not written twice: there may be fewer changes than asked for.
    ///
    /// # Errors
    /// `EditTooBig` where a change fits only as it was; `HeadsUnknown` where one follows what neither has.
    pub fn write_again(
        &mut self,
        whole: &Self,
        branch: &[[u8; 32]],
        occasion: Occasion,
        fresh: &mut dyn FnMut(&[u8; 32]) -> ActorId,
    ) -> Result<Vec<LocalChange>, Error> {
        let wanted: HashSet<&[u8; 32]> = branch.iter().collect();
        // Where in the new history each change now stands; one that changed nothing stands where it began.
        let mut stands: HashMap<[u8; 32], Vec<[u8; 32]>> = HashMap::new();
        let mut written = Vec::new();
        for change in whole.automerge().get_changes(&[]) {
            let hash = change.hash().0;
            if !wanted.contains(&hash) {
                continue;
            }
            let decoded = frame::open(change.raw_bytes()).and_then(|frame| walker::walk(frame.body));
            let decoded = decoded.expect("only changes that passed the walker are in a document");
            let mut heads: Vec<[u8; 32]> = Vec::new();
            for dep in change.deps() {
                match stands.get(&dep.0) {
                    Some(moved) => heads.extend(moved),
                    None => heads.push(dep.0),
                }
            }
            heads.sort_unstable();
            heads.dedup();
            let author = whole.automerge().get_author_for_actor(change.actor_id());
            let by = EditBy {
                actor: fresh(&hash),
                author: author.map_or_else(
                    || NOBODY.to_owned(),
                    |author| String::from_utf8_lossy(author.as_bytes()).into_owned(),
                ),
                reason: occasion.reason(&hash, decoded.message),
                time_ms: decoded.time.saturating_mul(1000),
                heads: Some(heads.clone()),
            };
            let edits = self.edits_of(&decoded);
            let made = self.apply_edits(&edits, &by)?;
            stands.insert(hash, made.as_ref().map_or(heads, |made| vec![made.hash]));
            written.extend(made);
        }
        Ok(written)
    }

    /// Heads that somebody was shown before their branch was written again, as they stand in this document; `None` where
    /// one of them is nowhere in it.
    pub fn moved_heads(&self, shown: &[[u8; 32]]) -> Option<Vec<[u8; 32]>> {
        let history = self.history();
        let mut heads = shown
            .iter()
            .map(|head| {
                let known = history.iter().find(|entry| entry.change == *head);
                let moved = || history.iter().find(|entry| rescued(&entry.reason) == Some(*head));
                known.or_else(moved).map(|entry| entry.change)
            })
            .collect::<Option<Vec<_>>>()?;
        heads.sort_unstable();
        heads.dedup();
        Some(heads)
    }

    /// What a change sets, as edits.
    fn edits_of(&self, change: &PlainChange<'_>) -> Vec<Edit> {
        let genesis = genesis::actor(self.id());
        change
            .operations
            .iter()
            .filter_map(|operation| {
                let place = place::of_operation(self.kind(), genesis, change, operation)?;
                Some(Edit {
                    field: place.field(self.kind()),
                    old: None,
                    new: None,
                    value: Scalar::from_ref(operation.value),
                    place: place::Place {
                        container: place.container,
                        key: place.key.to_owned(),
                    },
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
