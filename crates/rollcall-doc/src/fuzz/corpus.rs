//! Documents to begin from: one of every kind with a history of several hands, some of it apart and merged.

use std::collections::HashSet;

use automerge::Change;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rollcall_core::id::{DocumentId, DocumentKind};

use super::forge::with_checksum;
use crate::document::Document;
use crate::gate;
use crate::samples::{by, sample, write};

/// What is edited in a document of each kind, in turns.
const EDITS: [(DocumentKind, [(&str, &str); 5]); 7] = [
    (
        DocumentKind::Organisation,
        [
            ("address", "甲路"),
            ("coverage/c1/until", "2024-05-01"),
            ("name@2024-01-01", "新名"),
            ("supervising_unit", "民政局"),
            ("stages/s1/number", "7"),
        ],
    ),
    (
        DocumentKind::Union,
        [
            ("name", "second"),
            ("full_time_chair", "true"),
            ("events/e4/number", "14"),
            ("area_level", "township"),
            ("womens_committee", "false"),
        ],
    ),
    (
        DocumentKind::Fund,
        [
            ("federation", "990000"),
            ("year", "2024"),
            ("federation", "140829"),
            ("year", "2025"),
            ("federation", "330106"),
        ],
    ),
    (
        DocumentKind::Subsidy,
        [
            ("rule", "older"),
            ("period", "2024"),
            ("basis", "paper"),
            ("fund", "fund of 2024"),
            ("rule", "newer"),
        ],
    ),
    (
        DocumentKind::SameAs,
        [
            ("reason", "one"),
            ("until", "2025-01-01"),
            ("from", "2023-01-01"),
            ("reason", "two"),
            ("b", "O8"),
        ],
    ),
    (
        DocumentKind::Federation,
        [
            ("name", "教育"),
            ("until", "2025-01-01"),
            ("active", "true"),
            ("name", "工会"),
            ("line", "science"),
        ],
    ),
    (
        DocumentKind::Campaign,
        [
            ("grace_months", "7"),
            ("organiser_counts", "true"),
            ("deadline_months", "3"),
            ("grace_months", "8"),
            ("version", "2"),
        ],
    ),
];

/// A document and every change of it, each after those it follows.
pub(super) struct Line {
    kind: DocumentKind,
    id: DocumentId,
    /// Its changes without the genesis change.
    pub(super) changes: Vec<Vec<u8>>,
    /// The document before each of them.
    stages: Vec<Document>,
    /// A field that anybody may edit,
    pub(super) field: &'static str,
    /// and what it may be set to.
    pub(super) values: [&'static str; 2],
    /// Chunks that are no plain change: deflated, a whole document, a change of another document.
    foreign: Vec<Vec<u8>>,
}

/// One of every kind.
pub(super) fn lines() -> Vec<Line> {
    EDITS.iter().map(|(kind, edits)| line(*kind, edits)).collect()
}

/// Kind, id and changes of each, for tests of what is made of histories.
#[cfg(test)]
pub(crate) fn histories() -> Vec<(DocumentKind, DocumentId, Vec<Vec<u8>>)> {
    let told = |line: Line| (line.kind, line.id, line.changes);
    lines().into_iter().map(told).collect()
}

fn line(kind: DocumentKind, edits: &[(&'static str, &'static str); 5]) -> Line {
    let (mut document, first) = sample(kind);
    let mut changes = vec![first.bytes];
    let edit = |document: &mut Document, (field, value): (&str, &str), number| {
        let edits = document.set(field, value).expect("a field of this kind");
        write(document, &edits, &by(number)).bytes
    };
    changes.push(edit(&mut document, edits[0], 2));
    // Two hands at the same time, the same field among what they write.
    let mut apart = document.clone();
    let theirs = [
        edit(&mut apart, edits[1], 3),
        edit(&mut apart, (edits[2].0, edits[2].1), 3),
    ];
    changes.push(edit(&mut document, edits[3], 2));
    changes.push(edit(&mut document, edits[1], 4));
    let slices: Vec<&[u8]> = theirs.iter().map(Vec::as_slice).collect();
    let merged = gate::admit(&document, &HashSet::new(), &slices);
    document = merged.document.expect("what two hands write apart can be merged");
    changes.extend(theirs);
    changes.push(edit(&mut document, edits[4], 2));
    let stages = (0..=changes.len())
        .map(|count| {
            // What waits for its first change is blank, and takes a way of its own through the trial.
            if count == 0 {
                return Document::create(kind, document.id());
            }
            let made = Document::load(kind, document.id(), changes[..count].iter().map(Vec::as_slice));
            made.expect("a document loads from its own changes")
        })
        .collect();
    let mut deflated = Change::from_bytes(changes[0].clone()).expect("our own change");
    let foreign = vec![
        deflated.bytes().into_owned(),
        document.automerge().save(),
        document.automerge().save_nocompress(),
        sample(DocumentKind::Campaign).1.bytes,
    ];
    Line {
        kind,
        id: document.id(),
        changes,
        stages,
        field: edits[0].0,
        values: [edits[0].1, edits[4].1],
        foreign,
    }
}

impl Line {
    /// The document before its change of this number.
    pub(super) fn document(&self, number: usize) -> Document {
        assert_eq!(
            (self.kind, self.id),
            (self.stages[number].kind(), self.stages[number].id())
        );
        self.stages[number].clone()
    }

    /// A right change on a document of this line, as somebody new would make it.
    pub(super) fn fresh(&self, held: &Document, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut document = held.clone();
        let value = if rng.random_bool(0.5) {
            self.values[0]
        } else {
            "330106"
        };
        let made = document.set(self.field, value).ok().and_then(|edits| {
            let editor = by(rng.random_range(10..250));
            document.apply_edits(&edits, &editor).ok().flatten()
        });
        made.map_or_else(|| self.changes[0].clone(), |made| made.bytes)
    }

    /// A chunk that is no change of this document, perhaps damaged.
    pub(super) fn foreign_chunk(&self, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut chunk = self.foreign.choose(rng).expect("there are some").clone();
        if rng.random_bool(0.5) {
            let at = rng.random_range(8..chunk.len());
            chunk[at] ^= 1 << rng.random_range(0..8);
            chunk = with_checksum(chunk);
        }
        chunk
    }
}
