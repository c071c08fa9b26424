//! Two changes under one number: the branch that lost is written again, both edits stand, and both ends are equal.

use std::collections::HashSet;

use rollcall_core::id::{ActorId, DocumentKind};

use super::*;
use crate::gate;
use crate::samples::{by, sample, write};

/// A document that two copies of one machine went on from, with the same actor.
fn copies() -> (Document, Vec<u8>, Document, Vec<Vec<u8>>) {
    let (base, first) = sample(DocumentKind::Organisation);
    let mut winner = base.clone();
    let set = winner.set("address", "甲").expect("a field");
    let won = write(&mut winner, &set, &by(1));
    let mut loser = base.clone();
    let mut sent = Vec::new();
    for (field, value) in [
        ("address", "乙"),
        ("supervising_unit", "民政局"),
        ("address", "丙"),
    ] {
        let set = loser.set(field, value).expect("a field");
        sent.push(write(&mut loser, &set, &by(1)).bytes);
    }
    assert_eq!(won.seq, first.seq + 1);
    (winner, first.bytes, loser, sent)
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    frame::open(bytes).expect("a frame").hash
}

fn hashes(document: &Document) -> HashSet<[u8; 32]> {
    document.history().into_iter().map(|entry| entry.change).collect()
}

#[test]
fn the_branch_that_lost_its_number_is_written_again_and_both_edits_stand() {
    let (winner, first, loser, sent) = copies();
    let incoming: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
    let refused = gate::admit(&winner, &hashes(&winner), &incoming);
    assert!(
        refused.accepted.is_empty() && refused.refused[0].forked,
        "{refused:?}"
    );

    let branch = loser.branch(&[hash(&sent[0])].into());
    let expected: Vec<_> = sent.iter().map(|bytes| hash(bytes)).collect();
    assert_eq!(
        branch, expected,
        "what follows the forked change is of its branch"
    );
    let base = Document::load(DocumentKind::Organisation, loser.id(), [first.as_slice()]).expect("loads");
    let mut rescued = base.clone();
    let mut number = 100;
    let mut fresh = |_: &[u8; 32]| {
        number += 1;
        ActorId([number; 16])
    };
    let written = rescued
        .write_again(&loser, &branch, Occasion::Fork, &mut fresh)
        .expect("written");
    assert_eq!(written.len(), 3);
    assert_eq!(loser.record(), rescued.record(), "it says what the branch said");
    for (entry, lost) in rescued.history().iter().skip(1).zip(&branch) {
        assert_eq!(rescued_of(entry), Some(*lost), "{}", entry.reason);
        assert_eq!(entry.author, by(1).author);
        assert!(entry.reason.ends_with(": as reported"), "{}", entry.reason);
    }

    let shown = rescued.moved_heads(&loser.heads()).expect("a form of before");
    assert_eq!(shown, rescued.heads(), "it goes on where its branch stands now");
    assert_eq!(rescued.moved_heads(&[[9; 32]]), None);

    let incoming: Vec<&[u8]> = written.iter().map(|change| change.bytes.as_slice()).collect();
    let taken = gate::admit(&winner, &hashes(&winner), &incoming);
    assert_eq!(taken.refused, []);
    assert_eq!(
        taken
            .accepted
            .iter()
            .filter_map(|change| change.rescues)
            .collect::<Vec<_>>(),
        branch
    );
    let merged = taken.document.expect("taken");
    let conflicts = merged.conflicts();
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0].field, "address");
    let won = winner.history().pop().expect("a change").change;
    let theirs: Vec<Vec<u8>> = winner
        .automerge()
        .get_changes(&[])
        .iter()
        .filter(|change| change.hash().0 == won)
        .map(|change| change.raw_bytes().to_vec())
        .collect();
    let incoming: Vec<&[u8]> = theirs.iter().map(Vec::as_slice).collect();
    let other = gate::admit(&rescued, &hashes(&rescued), &incoming);
    assert_eq!(
        other.document.expect("taken").digest(),
        merged.digest(),
        "both ends are equal"
    );
}

fn rescued_of(entry: &crate::HistoryEntry) -> Option<[u8; 32]> {
    rescued(&entry.reason)
}

#[test]
fn only_the_reason_of_a_rescue_names_a_change() {
    let hash = [0xab; 32];
    for (reason, expected) in [
        (Occasion::Fork.reason(&hash, ""), Some(hash)),
        (Occasion::Fork.reason(&hash, "核实"), Some(hash)),
        (Occasion::Damage.reason(&hash, ""), None),
        ("fork rescue abc".to_owned(), None),
        (format!("fork rescue {}", "é".repeat(40)), None),
        (String::new(), None),
    ] {
        assert_eq!(rescued(&reason), expected, "{reason}");
    }
}
