//! Fuzz targets over the gate (`reliability.md` 3.3): F2, the walker and what it lets through to the library, and F3, the
//! whole gate with what must hold of a document afterwards. For `xtask` and tests; no product path leads here.
//! Every input comes out of a seed and of real documents made in code. Time and memory are measured by the caller, which
//! also catches what panics.

mod attack;
mod bend;
pub(crate) mod corpus;
pub(crate) mod forge;

use std::collections::HashSet;

use automerge::{Automerge, Change};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rollcall_core::id::DocumentKind;

use self::corpus::Line;
use self::forge::Forge;
use crate::document::Document;
use crate::gate::{self, Admission, frame, walker};
use crate::samples::by;
use crate::{conflict, genesis};

pub use self::attack::{Attack, attacks, orphan, rival};

/// Rounds of one input of F3: what a round accepts is what the next one builds on.
const ROUNDS_MAX: usize = 3;
/// Changes of a flood: as many small ones of one document as a batch holds, and more.
const FLOOD_MAX: u64 = 3_000;
/// Steps in which a log is applied to see that it makes the same document. Each costs as much as the document is long by
/// then, so that one for every change of a flood took longer than everything that is tried.
const REPLAY_STEPS_MAX: usize = 256;
/// Of documents with more changes than this, all are applied in one step.
const REPLAY_CHANGES_MAX: usize = 500;

/// The documents that inputs are made from.
pub struct GateTargets {
    lines: Vec<Line>,
    attacks: Vec<Vec<u8>>,
}

impl Default for GateTargets {
    fn default() -> Self {
        Self::new()
    }
}

/// A change bent at random, its checksum right nearly always: for targets that send changes on.
pub fn bend_change(change: &[u8], seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    bend::bend(change, std::slice::from_ref(&change.to_vec()), &mut rng)
}

impl GateTargets {
    /// Makes them.
    pub fn new() -> Self {
        let union = crate::samples::sample(DocumentKind::Union).0;
        Self {
            lines: corpus::lines(),
            attacks: attacks(&union).into_iter().map(|attack| attack.bytes).collect(),
        }
    }

    /// F2: one bent change through frame and walker; what passes is tried by the library without the checks between.
    /// Gives whether the walker let it through.
    ///
    /// # Errors
    /// What must not be: walker and library read different things out of the same bytes.
    pub fn walk(&self, seed: u64) -> Result<bool, String> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let line = self.line(&mut rng);
        let at = match rng.random_range(0..3) {
            0 => 0,
            _ => rng.random_range(0..line.changes.len()),
        };
        let chunk = match rng.random_range(0..100) {
            0 => line.foreign_chunk(&mut rng),
            1 => self.attack(&mut rng),
            2 => (0..rng.random_range(0..300)).map(|_| rng.random()).collect(),
            _ => bend::bend(&line.changes[at], &line.changes, &mut rng),
        };
        let Ok(framed) = frame::open(&chunk) else {
            return Ok(false);
        };
        let Ok(walked) = walker::walk(framed.body) else {
            return Ok(false);
        };
        self.agrees(&chunk, framed.hash, &walked)?;
        let held = line.document(at);
        let admission = gate::try_alone(&held, &chunk);
        match admission {
            Some(document) => sound(&document).map(|()| true),
            None => Ok(true),
        }
    }

    /// The library decodes what the walker has decoded; where it cannot, or stops, the trial refuses the change.
    fn agrees(&self, chunk: &[u8], hash: [u8; 32], walked: &walker::PlainChange<'_>) -> Result<(), String> {
        let decoded = std::panic::catch_unwind(|| Change::from_bytes(chunk.to_vec()));
        let Ok(Ok(change)) = decoded else { return Ok(()) };
        let same = change.hash().0 == hash
            && change.seq() == walked.seq
            && change.start_op().get() == walked.start_op
            && change.len() == walked.operations.len()
            && change.max_op() == walked.max_op()
            && change.timestamp() == walked.time
            && change.actor_id().to_bytes() == walked.actor
            && change
                .deps()
                .iter()
                .map(|dep| dep.0)
                .eq(walked.deps.iter().copied());
        if same {
            Ok(())
        } else {
            Err(format!("walker and library differ over {}", hex(chunk)))
        }
    }

    /// F3: bundles of right and bent changes through the gate, round after round. Gives how many changes were accepted.
    ///
    /// # Errors
    /// What must not be: a change without a fate, a document that does not come back as it was, cannot be replayed or
    /// cannot be written any more.
    pub fn admit(&self, seed: u64) -> Result<usize, String> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let line = self.line(&mut rng);
        let mut next = match rng.random_range(0..3) {
            0 => 0,
            _ => rng.random_range(0..line.changes.len()),
        };
        let mut held = line.document(next);
        let mut log: Vec<Vec<u8>> = line.changes[..next].to_vec();
        let mut accepted = 0;
        for _ in 0..rng.random_range(1..=ROUNDS_MAX) {
            let mut incoming: Vec<Vec<u8>> = Vec::new();
            let until = rng.random_range(next..=line.changes.len());
            incoming.extend(line.changes[next..until].iter().cloned());
            next = until;
            for _ in 0..rng.random_range(1..=3) {
                let bent = match rng.random_range(0..40) {
                    0 => line.foreign_chunk(&mut rng),
                    1 => self.attack(&mut rng),
                    2..=12 => {
                        let fresh = line.fresh(&held, &mut rng);
                        bend::bend(&fresh, &line.changes, &mut rng)
                    }
                    _ => bend::bend(
                        line.changes.choose(&mut rng).expect("a line has changes"),
                        &line.changes,
                        &mut rng,
                    ),
                };
                incoming.push(bent);
            }
            if rng.random_ratio(1, 4_000) {
                incoming.extend(flood(&held, &mut rng));
            }
            if rng.random_bool(0.5) {
                incoming.shuffle(&mut rng);
            }
            let hashes: HashSet<[u8; 32]> = log.iter().filter_map(|bytes| hash_of(bytes)).collect();
            let slices: Vec<&[u8]> = incoming.iter().map(Vec::as_slice).collect();
            let stored: Vec<&[u8]> = log.iter().map(Vec::as_slice).collect();
            let admission = gate::Opened::new(held.kind(), held.id(), &slices)
                .admit(&stored, &hashes)
                .map_err(|error| format!("what was let in cannot be loaded: {error}"))?;
            same_fates(&admission, &gate::admit(&held, &hashes, &slices))?;
            let fates = admission.accepted.len()
                + admission.duplicates
                + admission.pending.len()
                + admission.refused.len();
            if fates != incoming.len() {
                return Err(format!("{} changes, {fates} fates", incoming.len()));
            }
            let Some(document) = admission.document else {
                if admission.accepted.is_empty() {
                    continue;
                }
                return Err("changes were accepted into no document".to_owned());
            };
            accepted += admission.accepted.len();
            log.extend(admission.accepted.iter().map(|change| change.bytes.clone()));
            check_heads(&held, &document, &admission.accepted)?;
            let before = held.history().len();
            if document.history().len() != before + admission.accepted.len() {
                return Err("the history has not grown by what was accepted".to_owned());
            }
            sound(&document)?;
            replays(&document, &log)?;
            stays_writable(&document, line)?;
            held = document;
        }
        Ok(accepted)
    }

    /// One of the measured attacks, perhaps bent further.
    fn attack(&self, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let attack = self.attacks.choose(rng).expect("there are attacks");
        if rng.random_bool(0.5) {
            return attack.clone();
        }
        bend::bend(attack, &self.attacks, rng)
    }

    fn line(&self, rng: &mut ChaCha8Rng) -> &Line {
        self.lines.choose(rng).expect("there are documents")
    }
}

fn hash_of(bytes: &[u8]) -> Option<[u8; 32]> {
    frame::open(bytes).ok().map(|framed| framed.hash)
}

/// Bytes as text, so that a finding can be replayed without its seed.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(4_096)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Many small changes apart, or in a row, or each poisoned; of a document that has `area_level`.
fn flood(held: &Document, rng: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
    let count = rng.random_range(100..FLOOD_MAX);
    let shape = rng.random_range(0..3);
    let mut last = Forge::after(held);
    let mut out = Vec::new();
    for number in 0..count {
        let actor = [&number.to_be_bytes()[..], &[9; 8]].concat();
        let mut forge = Forge {
            actor,
            ..Forge::after(held)
        }
        .text(&number.to_string());
        if shape == 1 {
            forge.start_op = last.start_op + 1;
            forge.deps = hash_of(&last.bytes()).into_iter().collect();
        } else if shape == 2 {
            forge = forge.column(112, vec![0x7f, 1]).column(113, vec![0x7f, 0]);
            forge = forge.column(115, vec![0x7f, 2]);
        }
        out.push(forge.bytes());
        last = forge;
    }
    out
}

fn check_heads(
    held: &Document,
    document: &Document,
    accepted: &[gate::AcceptedChange],
) -> Result<(), String> {
    let mut heads: HashSet<[u8; 32]> = held.heads().into_iter().collect();
    for change in accepted {
        let decoded = Change::from_bytes(change.bytes.clone()).map_err(|error| error.to_string())?;
        for dep in decoded.deps() {
            heads.remove(&dep.0);
        }
        heads.insert(decoded.hash().0);
    }
    let mut heads: Vec<[u8; 32]> = heads.into_iter().collect();
    heads.sort_unstable();
    if document.heads() == heads {
        Ok(())
    } else {
        Err("the heads are not those of what was accepted".to_owned())
    }
}

/// A document that was loaded and one that is only stored let in the same.
fn same_fates(stored: &Admission, loaded: &Admission) -> Result<(), String> {
    let accepted = |admission: &Admission| -> Vec<[u8; 32]> {
        admission.accepted.iter().map(|change| change.hash).collect()
    };
    let refused = |admission: &Admission| -> Vec<(Option<[u8; 32]>, &'static str)> {
        let refused = admission.refused.iter();
        refused.map(|change| (change.hash, change.code)).collect()
    };
    if accepted(stored) == accepted(loaded)
        && refused(stored) == refused(loaded)
        && stored.pending == loaded.pending
        && stored.duplicates == loaded.duplicates
    {
        Ok(())
    } else {
        Err("a stored document and a loaded one let in different changes".to_owned())
    }
}

/// Saved and loaded, the document is the same, and everything can be read out of it.
fn sound(document: &Document) -> Result<(), String> {
    let loaded = Automerge::load(&document.automerge().save())
        .map_err(|error| format!("what was saved cannot be loaded: {error}"))?;
    let loaded = Document::from_automerge(document.kind(), document.id(), loaded);
    same(document, &loaded, "saved and loaded")?;
    let counted = conflict::count(document.content()) as usize;
    if counted != document.conflicts().len() {
        return Err("conflicts are counted and listed differently".to_owned());
    }
    Ok(())
}

/// Every change from the first on, as stored, makes the same document: as we load it, and applied one by one, or in as
/// many steps as [`REPLAY_STEPS_MAX`] and [`REPLAY_CHANGES_MAX`] allow.
fn replays(document: &Document, log: &[Vec<u8>]) -> Result<(), String> {
    let mut applied = Automerge::new();
    let changes = log.iter().map(|bytes| Change::from_bytes(bytes.clone()));
    let changes = std::iter::once(Ok(genesis::change(document.kind(), document.id()))).chain(changes);
    let changes: Vec<Change> = changes
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    // Automerge goes through the whole document for each actor that is new: what a flood made is applied at once.
    let steps = if changes.len() > REPLAY_CHANGES_MAX {
        1
    } else {
        REPLAY_STEPS_MAX
    };
    for step in changes.chunks(changes.len().div_ceil(steps)) {
        applied
            .apply_changes(step.to_vec())
            .map_err(|error| error.to_string())?;
    }
    let applied = Document::from_automerge(document.kind(), document.id(), applied);
    same(document, &applied, "applied change by change")?;
    let again = Document::load(document.kind(), document.id(), log.iter().map(Vec::as_slice))
        .map_err(|error| format!("the stored changes cannot be loaded: {error}"))?;
    same(document, &again, "replayed")
}

fn same(one: &Document, other: &Document, how: &str) -> Result<(), String> {
    if one.heads() != other.heads() {
        return Err(format!("{how}, it has other heads"));
    }
    if one.content() != other.content() || one.record() != other.record() || one.facts() != other.facts() {
        return Err(format!("{how}, it has other content"));
    }
    Ok(())
}

/// Somebody can still write here, and whoever holds the document takes it.
fn stays_writable(document: &Document, line: &Line) -> Result<(), String> {
    let mut written = document.clone();
    for (turn, number) in [251, 252].into_iter().enumerate() {
        let before = written.clone();
        let edits = written
            .set(line.field, line.values[turn])
            .map_err(|problems| format!("no edit: {problems:?}"))?;
        let made = written
            .apply_edits(&edits, &by(number))
            .map_err(|error| format!("not writable: {error}"))?;
        let Some(made) = made else { continue };
        let admission = gate::admit(&before, &HashSet::new(), &[&made.bytes]);
        if admission.accepted.len() != 1 {
            return Err(format!("our own edit is not accepted: {:?}", admission.refused));
        }
        sound(&written)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_taken_apart_and_put_together_is_the_same() {
        for line in corpus::lines() {
            for change in &line.changes {
                assert_eq!(Forge::read(change).expect("a change").bytes(), *change);
            }
        }
    }

    #[test]
    fn a_seed_gives_the_same_input_and_inputs_reach_both_fates() {
        let targets = GateTargets::new();
        let (mut passed, mut accepted) = (0, 0);
        for seed in 0..400 {
            let walked = targets.walk(seed).expect("sound");
            assert_eq!(targets.walk(seed), Ok(walked));
            passed += usize::from(walked);
            accepted += targets.admit(seed).expect("sound");
        }
        assert!((1..400).contains(&passed), "{passed} of 400 pass the walker");
        assert!(accepted > 100, "{accepted} changes accepted");
    }
}
