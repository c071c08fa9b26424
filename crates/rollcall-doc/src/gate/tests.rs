//! Attacks on the gate, built byte by byte: those of `reliability.md` 0.1 and `protocol.md` 3.4 that can reach it.

mod forge;

use std::collections::HashSet;
use std::time::Duration;

use rollcall_core::id::DocumentKind;

use super::*;
use crate::fuzz::forge::{Forge, signed, unsigned, with_checksum};
use crate::samples::{by, sample, write};
use crate::{conflict, genesis, schema};

/// Time that this thread has worked, so that a busy machine does not make a test fail.
struct Stopwatch(Duration);

impl Stopwatch {
    fn start() -> Self {
        Self(Self::worked())
    }

    fn elapsed(&self) -> Duration {
        Self::worked().saturating_sub(self.0)
    }

    /// Since the thread began, by the kernel's books.
    fn worked() -> Duration {
        let books = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel keeps books");
        let first = books
            .split(' ')
            .next()
            .and_then(|nanoseconds| nanoseconds.parse().ok());
        Duration::from_nanos(first.expect("a number of nanoseconds"))
    }
}

fn hashes(document: &Document) -> HashSet<[u8; 32]> {
    document
        .automerge()
        .get_changes_meta(&[])
        .into_iter()
        .map(|change| change.hash.0)
        .collect()
}

fn admit_one(document: &Document, bytes: &[u8]) -> Admission {
    admit(document, &hashes(document), &[bytes])
}

/// The code with which a change is refused; `accepted`, `pending` or `duplicate` where it is not.
fn verdict(document: &Document, bytes: &[u8]) -> &'static str {
    let admission = admit_one(document, bytes);
    match (
        admission.refused.first(),
        admission.accepted.len(),
        admission.pending.len(),
        admission.duplicates,
    ) {
        (Some(refused), 0, 0, 0) => refused.code,
        (None, 1, 0, 0) => "accepted",
        (None, 0, 1, 0) => "pending",
        (None, 0, 0, 1) => "duplicate",
        other => panic!("one change has one fate: {other:?}"),
    }
}

#[test]
fn a_forged_change_without_fault_is_accepted() {
    let (document, _) = sample(DocumentKind::Union);
    let admission = admit_one(&document, &Forge::after(&document).bytes());
    assert_eq!(admission.refused, []);
    let (document, accepted) = (admission.document.expect("a document"), &admission.accepted[0]);
    assert_eq!(document.heads(), [accepted.hash]);
    assert_eq!(document.record().1, []);
    assert_eq!(verdict(&document, &accepted.bytes), "duplicate");
}

#[test]
fn each_attack_is_refused_with_its_code() {
    let (document, first) = sample(DocumentKind::Union);
    let forge = || Forge::after(&document);
    let genesis = genesis::actor(document.id()).0;
    let one = |value: i64| [signed(-1), signed(value)].concat();
    let run = |count: i64, value: u64| [signed(count), unsigned(value)].concat();
    let text = |text: &str| [signed(-1), unsigned(text.len() as u64), text.as_bytes().to_vec()].concat();
    let long = "x".repeat(40_000);
    let in_entries = |key: &str, value: &str| forge().inside(genesis, 2).key(key).text(value);
    let cases: Vec<(&str, Forge, &str)> = vec![
        (
            "bomb of 2^24 operations",
            forge().column(66, run(1 << 24, 1)),
            "CHANGE_TOO_BIG",
        ),
        (
            "bomb of 2^62 operations",
            forge().column(66, run(1 << 62, 1)),
            "CHANGE_TOO_BIG",
        ),
        (
            "runs that sum past 2^64",
            forge().column(
                66,
                [run(i64::MAX, 1), run(i64::MAX, 1), run(i64::MAX, 1)].concat(),
            ),
            "POISON_CHANGE",
        ),
        (
            "bomb in the keys",
            forge().column(21, [signed(1 << 40), text("name")[1..].to_vec()].concat()),
            "CHANGE_TOO_BIG",
        ),
        (
            "bomb of predecessors",
            forge().column(112, run(1, 1 << 60)).column(113, run(1 << 40, 0)),
            "CHANGE_TOO_BIG",
        ),
        (
            "predecessors that are not there",
            forge().column(112, run(-1, 1 << 60)),
            "POISON_CHANGE",
        ),
        ("10,001 operations", forge().repeat(10_001), "CHANGE_TOO_BIG"),
        ("no operation", forge().without_operations(), "SCHEMA"),
        ("seq skips one", forge().seq(2).footer(&[]), "SEQ_GAP"),
        ("seq 0", forge().seq(0).footer(&[]), "SEQ_GAP"),
        ("seq at its end", forge().seq(u64::MAX).footer(&[]), "SEQ_GAP"),
        (
            "start_op u32::MAX",
            forge().start_op(u64::from(u32::MAX)),
            "OP_RANGE",
        ),
        ("start_op u64::MAX", forge().start_op(u64::MAX), "OP_RANGE"),
        ("start_op 0", forge().start_op(0), "OP_RANGE"),
        ("start_op before what it follows", forge().start_op(2), "OP_RANGE"),
        (
            "start_op a million and one ahead",
            forge().ahead(1_000_001),
            "OP_RANGE",
        ),
        ("actor of 21 bytes", forge().actor(&[7; 21]), "ACTOR_FOREIGN"),
        ("actor of no bytes", forge().actor(&[]), "ACTOR_FOREIGN"),
        ("the genesis actor", forge().actor(&genesis), "ACTOR_FOREIGN"),
        (
            "other actor of 21 bytes",
            forge().others(&[&[8; 21]]),
            "ACTOR_FOREIGN",
        ),
        (
            "an actor the document lacks",
            forge().others(&[&[8; 16]]),
            "SCHEMA",
        ),
        (
            "other actors out of order",
            forge().others(&[&[9; 16], &[8; 16]]),
            "POISON_CHANGE",
        ),
        (
            "65 other actors",
            forge().others(&[&[8; 16][..]; 65]),
            "CHANGE_TOO_BIG",
        ),
        (
            "an actor nothing refers to",
            forge().others(&[&[1; 16]]),
            "POISON_CHANGE",
        ),
        ("nested map", forge().column(66, one(0)), "SCHEMA"),
        ("list", forge().column(66, one(2)), "SCHEMA"),
        ("delete", forge().column(66, one(3)), "SCHEMA"),
        ("text object", forge().column(66, one(4)), "SCHEMA"),
        ("increment", forge().column(66, one(5)), "SCHEMA"),
        ("mark", forge().column(66, one(7)), "SCHEMA"),
        ("unknown action", forge().column(66, one(42)), "SCHEMA"),
        ("an author in a later change", forge().seq(2), "POISON_CHANGE"),
        (
            "insert",
            forge().column(52, [unsigned(0), unsigned(1)].concat()),
            "SCHEMA",
        ),
        (
            "no insert column",
            forge().column(52, Vec::new()),
            "POISON_CHANGE",
        ),
        ("key of a list", forge().column(19, one(1)), "SCHEMA"),
        ("expand column", forge().column(148, unsigned(1)), "SCHEMA"),
        ("mark name", forge().column(165, text("bold")), "SCHEMA"),
        ("unknown column", forge().column(1000, one(1)), "SCHEMA"),
        ("deflated column", forge().column(21 | 8, text("name")), "SCHEMA"),
        (
            "no key",
            forge().column(21, [signed(0), unsigned(1)].concat()),
            "SCHEMA",
        ),
        ("float", forge().raw_value(5, &[0; 8]), "SCHEMA"),
        ("bytes", forge().raw_value(7, b"abc"), "SCHEMA"),
        ("counter", forge().raw_value(8, &[1]), "SCHEMA"),
        ("timestamp", forge().raw_value(9, &[1]), "SCHEMA"),
        ("unsigned number", forge().raw_value(3, &[1]), "SCHEMA"),
        ("unknown value", forge().raw_value(12, b"abc"), "SCHEMA"),
        (
            "null of three bytes",
            forge().raw_value(0, b"abc"),
            "POISON_CHANGE",
        ),
        (
            "text that is not UTF-8",
            forge().raw_value(6, &[0xff, 0xfe]),
            "POISON_CHANGE",
        ),
        (
            "value longer than there are bytes",
            forge().column(86, run(-1, (2000 << 4) | 6)),
            "POISON_CHANGE",
        ),
        ("value of 40,000 bytes", forge().text(&long), "CHANGE_TOO_BIG"),
        ("key of 300 bytes", forge().key(&long[..300]), "CHANGE_TOO_BIG"),
        ("key outside the schema", forge().key("telephone"), "SCHEMA"),
        ("a container overwritten", forge().key("events"), "SCHEMA"),
        (
            "a term not in its list",
            forge().key("form").text("loose"),
            "SCHEMA",
        ),
        (
            "text for a flag",
            forge().key("full_time_chair").text("true"),
            "SCHEMA",
        ),
        (
            "a container of nobody",
            forge().inside([1; 16], 2).key("e9").text("{}"),
            "SCHEMA",
        ),
        (
            "a container beyond the last",
            forge().inside(genesis, 4).key("e9").text("{}"),
            "SCHEMA",
        ),
        (
            "container 0",
            forge().inside(genesis, 0).key("e9").text("{}"),
            "SCHEMA",
        ),
        ("an entry without its fields", in_entries("e9", "{}"), "SCHEMA"),
        ("an entry that is no JSON", in_entries("e9", "hello"), "SCHEMA"),
        (
            "JSON of depth 200",
            in_entries(
                "e9",
                &format!("{{\"x\":{}1{}}}", "[".repeat(200), "]".repeat(200)),
            ),
            "SCHEMA",
        ),
        (
            "a fraction in an entry",
            in_entries("e9", r#"{"event":"applied","on":"2023-01-01","cycle":0.5}"#),
            "SCHEMA",
        ),
        (
            "an amendment of what stays",
            forge().inside(genesis, 3).key("events/e1/event").text("elected"),
            "SCHEMA",
        ),
        ("a predecessor to come", forge().replaces(0, 10_000), "SCHEMA"),
        (
            "a predecessor that never was",
            forge().replaces(0, 3),
            "POISON_CHANGE",
        ),
        ("a predecessor numbered 0", forge().replaces(0, 0), "SCHEMA"),
        (
            "a predecessor of actor 9",
            forge().replaces(9, 3),
            "POISON_CHANGE",
        ),
        (
            "an entry overwritten",
            in_entries("e1", r#"{"event":"applied","on":"2023-01-01"}"#).replaces(0, 4),
            "SCHEMA",
        ),
        ("time before 1970", forge().time(-1), "OP_RANGE"),
        ("time i64::MIN", forge().time(i64::MIN), "OP_RANGE"),
        ("time i64::MAX", forge().time(i64::MAX), "OP_RANGE"),
        (
            "a reason of 40,000 bytes",
            forge().message(&long),
            "CHANGE_TOO_BIG",
        ),
        ("65 dependencies", forge().deps(&[[3; 32]; 65]), "CHANGE_TOO_BIG"),
        (
            "the same dependency twice",
            forge().deps(&[document.heads()[0]; 2]),
            "POISON_CHANGE",
        ),
        ("no dependency", forge().deps(&[]), "OP_RANGE"),
        ("an unknown dependency", forge().deps(&[[3; 32]]), "pending"),
        ("no author", forge().footer(&[]), "SCHEMA"),
        ("an author of nothing", forge().footer(&[1, 0]), "SCHEMA"),
        (
            "an author longer than its bytes",
            forge().footer(&[1, 200, b'a']),
            "SCHEMA",
        ),
        ("bytes after the author", forge().footer(b"\x01\x01ab"), "SCHEMA"),
        (
            "a single value as a run",
            forge().column(66, run(1, 1)),
            "POISON_CHANGE",
        ),
        (
            "a run of nothing",
            forge().column(113, [signed(0), unsigned(0)].concat()),
            "POISON_CHANGE",
        ),
    ];
    let mut wrong = Vec::new();
    for (name, forge, code) in cases {
        let bytes = forge.bytes();
        let started = Stopwatch::start();
        let found = verdict(&document, &bytes);
        if found != code || started.elapsed() > Duration::from_secs(2) {
            wrong.push((name, code, found));
        }
    }
    assert_eq!(wrong, []);
    assert_eq!(verdict(&document, &first.bytes), "duplicate");
}

#[test]
fn chunks_other_than_one_plain_change_are_refused() {
    let (document, first) = sample(DocumentKind::Union);
    let mut change = automerge::Change::from_bytes(first.bytes.clone()).expect("our own change");
    let deflated = change.bytes().into_owned();
    assert_eq!(deflated[8], 2, "the sample is long enough to be deflated");
    // A deflate bomb has the same frame: it is refused by its type, before anything is inflated.
    assert_eq!(verdict(&document, &deflated), "CHUNK_TYPE");
    assert_eq!(verdict(&document, &document.automerge().save()), "CHUNK_TYPE");
    assert_eq!(
        verdict(&document, &[first.bytes.clone(), first.bytes.clone()].concat()),
        "ENVELOPE_DAMAGED"
    );
    assert_eq!(
        verdict(&document, &first.bytes[..first.bytes.len() - 1]),
        "ENVELOPE_DAMAGED"
    );
}

#[test]
fn a_second_change_at_a_number_is_a_fork_and_the_first_stays() {
    let (document, _) = sample(DocumentKind::Union);
    let one = Forge::after(&document).text("one").bytes();
    let two = Forge::after(&document).text("two").bytes();
    let admission = admit(&document, &hashes(&document), &[&one, &two]);
    assert_eq!((admission.accepted.len(), admission.refused.len()), (1, 1));
    assert!(admission.refused[0].forked);
    assert_eq!(admission.refused[0].code, "FORKED");
    let held = admission.document.expect("one was accepted");
    let again = admit_one(
        &held,
        if admission.accepted[0].bytes == one {
            &two
        } else {
            &one
        },
    );
    assert!(again.refused[0].forked);
}

#[test]
fn a_change_that_does_not_follow_its_actors_last_is_refused() {
    let (base, _) = sample(DocumentKind::Union);
    let first = Forge::after(&base).bytes();
    let held = admit_one(&base, &first).document.expect("accepted");
    // Number 2 of the actor, but at the heads from before number 1: its operations would bear the same names.
    let second = Forge::after(&base).seq(2).footer(&[]).text("other").bytes();
    assert_eq!(verdict(&held, &second), "SEQ_GAP");
}

#[test]
fn changes_come_in_any_order_and_those_that_lack_something_wait() {
    let (base, _) = sample(DocumentKind::Organisation);
    let mut document = base.clone();
    let mut made = Vec::new();
    for (index, address) in ["甲", "乙", "丙", "丁"].into_iter().enumerate() {
        let edits = document.set("address", address).expect("a field");
        made.push(write(&mut document, &edits, &by(2 + index as u8 % 2)));
    }
    let backwards: Vec<&[u8]> = made.iter().rev().map(|change| change.bytes.as_slice()).collect();
    let all = admit(&base, &hashes(&base), &backwards);
    assert_eq!(
        all.accepted.iter().map(|change| change.hash).collect::<Vec<_>>(),
        made.iter().map(|change| change.hash).collect::<Vec<_>>()
    );
    assert_eq!(all.document.expect("accepted").record(), document.record());
    let gap = admit(&base, &hashes(&base), &backwards[..2]);
    assert_eq!(
        (gap.accepted.len(), gap.pending.len(), gap.document.is_none()),
        (0, 2, true)
    );
    assert_eq!(gap.pending[0].missing, [made[1].hash]);
    let twice = admit(&base, &hashes(&base), &[backwards[3], backwards[3]]);
    assert_eq!((twice.accepted.len(), twice.duplicates), (1, 1));
}

#[test]
fn the_trial_itself_refuses_what_the_library_leaves_waiting() {
    let (document, _) = sample(DocumentKind::Union);
    let orphan = crate::fuzz::orphan(&document, 1);
    assert_eq!(verdict(&document, &orphan), "pending");
    // Automerge takes it without a word and puts it aside: only heads that were worked out here show it.
    assert!(super::try_alone(&document, &orphan).is_none());
}

#[test]
fn one_poisoned_change_does_not_take_others_with_it() {
    let (base, _) = sample(DocumentKind::Union);
    let mut document = base.clone();
    let mut incoming = Vec::new();
    for number in 10..30 {
        let edits = base.set("name", &format!("name {number}")).expect("a field");
        incoming.push(write(&mut document, &edits, &by(number)).bytes);
    }
    let poison = Forge::after(&base).replaces(0, 3).bytes();
    incoming.insert(7, poison.clone());
    let slices: Vec<&[u8]> = incoming.iter().map(Vec::as_slice).collect();
    let admission = admit(&base, &hashes(&base), &slices);
    assert_eq!(
        (
            admission.accepted.len(),
            admission.refused.len(),
            admission.pending.len()
        ),
        (20, 1, 0)
    );
    assert_eq!(admission.refused[0].bytes, poison);
    assert_eq!(admission.document.expect("accepted").heads(), document.heads());
}

/// Every single byte of a change set to every other value, the checksum made right again.
fn sweep(document: &Document, bytes: &[u8], step: usize, (field, value): (&str, &str)) -> usize {
    let held = hashes(document);
    let mut accepted = 0;
    for at in 8..bytes.len() {
        for delta in (1..=255_u8).step_by(step) {
            let mut mutant = bytes.to_vec();
            mutant[at] = mutant[at].wrapping_add(delta);
            let mutant = with_checksum(mutant);
            let admission = admit(document, &held, &[&mutant]);
            let Some(mut changed) = admission.document else {
                continue;
            };
            accepted += 1;
            let mut expected = document.heads();
            let change = automerge::Change::from_bytes(mutant.clone()).expect("accepted");
            expected.retain(|head| !change.deps().iter().any(|dep| dep.0 == *head));
            expected.push(change.hash().0);
            expected.sort_unstable();
            assert_eq!(changed.heads(), expected, "byte {at} + {delta}");
            let reloaded =
                automerge::Automerge::load(&changed.automerge().save()).expect("what was accepted loads");
            let reloaded = Document::from_automerge(changed.kind(), changed.id(), reloaded);
            assert_eq!(reloaded.heads(), expected, "byte {at} + {delta}");
            assert_eq!(reloaded.record(), changed.record(), "byte {at} + {delta}");
            assert_eq!(reloaded.facts(), changed.facts(), "byte {at} + {delta}");
            assert_eq!(changed.history().len(), document.history().len() + 1);
            assert_eq!(
                conflict::count(changed.content()) as usize,
                changed.conflicts().len()
            );
            // And it stays writable.
            let edits = changed.set(field, value).expect("a field");
            write(&mut changed, &edits, &by(200));
        }
    }
    accepted
}

#[test]
fn no_single_byte_mutant_panics_or_makes_a_document_that_cannot_be_loaded() {
    let (base, _) = sample(DocumentKind::Union);
    let mut document = base.clone();
    let edits = document.set("name", "first").expect("a field");
    write(&mut document, &edits, &by(2));
    let before = document.clone();
    let edits = [
        document.set("name", "second").expect("a field"),
        document.set("full_time_chair", "true").expect("a field"),
        document.set("events/e4/number", "14").expect("a field"),
    ]
    .concat();
    let change = write(&mut document, &edits, &by(3));
    let accepted = sweep(&before, &change.bytes, 1, ("area_level", "after"));
    assert!(accepted > 100, "letters of a name may change: {accepted}");
}

#[test]
fn no_mutant_of_a_first_import_panics() {
    let (document, change) = sample(DocumentKind::Fund);
    let empty = Document::create(DocumentKind::Fund, document.id());
    assert!(sweep(&empty, &change.bytes, 5, ("federation", "990000")) > 20);
}

#[test]
fn the_largest_inputs_stay_within_two_seconds() {
    let (document, _) = sample(DocumentKind::Union);
    let timed = |name: &str, incoming: &[Vec<u8>]| {
        let slices: Vec<&[u8]> = incoming.iter().map(Vec::as_slice).collect();
        let held = hashes(&document);
        let started = Stopwatch::start();
        let admission = admit(&document, &held, &slices);
        let elapsed = started.elapsed();
        assert!(
            elapsed < Duration::from_secs(2),
            "{name}: {elapsed:?}, {} refused",
            admission.refused.len()
        );
        admission
    };
    let all = timed(
        "10,000 operations on one key",
        &[Forge::after(&document).repeat(10_000).bytes()],
    );
    assert_eq!(all.refused.len(), 1);
    let apart = |number: u64| {
        let actor = [&number.to_be_bytes()[..], &[9; 8]].concat();
        Forge::after(&document)
            .actor(&actor)
            .text(&number.to_string())
            .bytes()
    };
    let batch: Vec<Vec<u8>> = (0..5_000).map(apart).collect();
    let size: usize = batch.iter().map(Vec::len).sum();
    assert!(
        size > 500_000,
        "the batch is half as large as batches may be: {size}"
    );
    let all = timed("5,000 changes apart on one key", &batch);
    assert_eq!(all.accepted.len(), 5_000);
    // Such a document stays writable, though a change may follow 64 others only and name as many actors.
    let mut crowded = all.document.expect("accepted");
    for number in 20..23 {
        let before = crowded.clone();
        let edits = crowded.set("area_level", "township").expect("a field");
        let made = write(&mut crowded, &edits, &by(number));
        assert_eq!(verdict(&before, &made.bytes), "accepted");
        assert!(crowded.heads().len() < before.heads().len());
    }
    let poisoned: Vec<Vec<u8>> = (0..5_000_u64)
        .map(|number| {
            let actor = [&number.to_be_bytes()[..], &[9; 8]].concat();
            Forge::after(&document)
                .actor(&actor)
                .replaces(0, 3)
                .text(&number.to_string())
                .bytes()
        })
        .collect();
    let all = timed("5,000 poisoned changes", &poisoned);
    assert_eq!(all.refused.len(), 5_000);
}

/// Everything a batch may hold for one document: names apart from each other, a hundred thousand of them.
#[test]
fn a_batch_full_of_operations_stays_within_two_seconds() {
    let (document, _) = sample(DocumentKind::Organisation);
    let container = schema::of(DocumentKind::Organisation)
        .container("legacy_numbers")
        .expect("an organisation has old numbers");
    let genesis = genesis::actor(document.id()).0;
    let change = |number: u64| {
        let actor = [&number.to_be_bytes()[..], &[9; 8]].concat();
        Forge::after(&document)
            .actor(&actor)
            .names((genesis, container as u64 + 1), 9_000)
            .bytes()
    };
    let one = change(0);
    let batch: Vec<Vec<u8>> = (0..(1024 * 1024 / one.len()) as u64).map(change).collect();
    let slices: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
    let held = hashes(&document);
    let started = Stopwatch::start();
    let admission = admit(&document, &held, &slices);
    let elapsed = started.elapsed();
    assert_eq!(
        admission.accepted.len(),
        batch.len(),
        "{:?}",
        admission.refused.first()
    );
    assert!(
        elapsed < Duration::from_secs(2),
        "{} changes of {} bytes: {elapsed:?}",
        batch.len(),
        one.len()
    );
}

/// A history in which every actor begins at the bottom and goes on at the top: whether it follows itself takes a walk
/// over everything between.
#[test]
fn a_history_that_is_long_to_walk_stays_within_two_seconds() {
    let (document, _) = sample(DocumentKind::Union);
    let named = |number: u64| [&number.to_be_bytes()[..], &[9; 8]].concat();
    let mut batch = Vec::new();
    let actors = 1_500_u64;
    let mut heads = Vec::new();
    for number in 0..actors {
        let begun = Forge::after(&document)
            .actor(&named(number))
            .text("begun")
            .bytes();
        heads.push(frame::open(&begun).expect("a change").hash);
        batch.push(begun);
    }
    let mut start_op = Forge::after(&document).start_op;
    let mut above = |deps: &[[u8; 32]], number: u64, seq: u64, batch: &mut Vec<Vec<u8>>| {
        start_op += 1;
        let mut deps = deps.to_vec();
        deps.sort_unstable();
        let forge = Forge::after(&document)
            .actor(&named(number))
            .deps(&deps)
            .start_op(start_op)
            .seq(seq);
        let forge = if seq == 1 { forge } else { forge.footer(&[]) };
        let bytes = forge.text("above").bytes();
        let hash = frame::open(&bytes).expect("a change").hash;
        batch.push(bytes);
        hash
    };
    let mut top = document.heads()[0];
    for (index, group) in heads.chunks(63).enumerate() {
        top = above(&[group, &[top]].concat(), 100_000 + index as u64, 1, &mut batch);
    }
    for number in 0..2_000 {
        top = above(&[top], 200_000 + number, 1, &mut batch);
    }
    for number in 0..actors {
        top = above(&[top], number, 2, &mut batch);
    }
    let size: usize = batch.iter().map(Vec::len).sum();
    assert!(size < 1024 * 1024, "{size} bytes fit a batch");
    let slices: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
    let started = Stopwatch::start();
    let admission = admit(&document, &hashes(&document), &slices);
    let elapsed = started.elapsed();
    assert_eq!(
        admission.accepted.len(),
        batch.len(),
        "{:?}",
        admission.refused.first()
    );
    assert!(
        elapsed < Duration::from_secs(2),
        "{} changes: {elapsed:?}",
        batch.len()
    );
}

/// A large document, and a bundle in which poison is spread so that every half of it fails.
#[test]
fn poison_on_a_large_document_stays_within_two_seconds() {
    let (document, _) = sample(DocumentKind::Union);
    let apart = |number: u64| {
        let actor = [&number.to_be_bytes()[..], &[9; 8]].concat();
        Forge::after(&document).actor(&actor).text(&number.to_string())
    };
    let large: Vec<Vec<u8>> = (0..6_000).map(|number| apart(number).bytes()).collect();
    let slices: Vec<&[u8]> = large.iter().map(Vec::as_slice).collect();
    let held = admit(&document, &hashes(&document), &slices)
        .document
        .expect("accepted");
    let poisoned: Vec<Vec<u8>> = (10_000..11_000)
        .map(|number| match number % 20 {
            0 => apart(number).replaces(0, 3).bytes(),
            _ => apart(number).bytes(),
        })
        .collect();
    let slices: Vec<&[u8]> = poisoned.iter().map(Vec::as_slice).collect();
    let started = Stopwatch::start();
    let admission = admit(&held, &hashes(&held), &slices);
    let elapsed = started.elapsed();
    assert_eq!(
        (
            admission.accepted.len() + admission.refused.len(),
            admission.pending.len()
        ),
        (1_000, 0)
    );
    assert!(
        elapsed < Duration::from_secs(2),
        "{elapsed:?}, {} accepted",
        admission.accepted.len()
    );
}

/// The attacks that were measured against the library, each in a bundle with a right change.
#[test]
fn each_measured_attack_is_refused_and_the_change_beside_it_is_accepted() {
    let (document, _) = sample(DocumentKind::Union);
    let held = hashes(&document);
    let right = Forge::after(&document).actor(&[6; 16]).text("beside").bytes();
    let mut wrong = Vec::new();
    for attack in crate::fuzz::attacks(&document) {
        let started = Stopwatch::start();
        let admission = admit(&document, &held, &[&attack.bytes, &right]);
        let elapsed = started.elapsed();
        let found = admission.refused.first().map(|refused| refused.code);
        let accepted: Vec<&[u8]> = admission
            .accepted
            .iter()
            .map(|change| change.bytes.as_slice())
            .collect();
        if found != attack.code || accepted != [right.as_slice()] || elapsed > Duration::from_secs(1) {
            wrong.push((attack.name, attack.code, found, accepted.len(), elapsed));
        }
    }
    assert_eq!(wrong, []);
}

/// Every bit of a whole change, its checksum left as it is: nothing gets past the frame.
#[test]
fn no_flipped_bit_gets_past_the_frame() {
    let (document, _) = sample(DocumentKind::Union);
    let right = Forge::after(&document).bytes();
    for bit in 0..right.len() * 8 {
        let mut flipped = right.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let code = verdict(&document, &flipped);
        assert!(
            matches!(code, "ENVELOPE_DAMAGED" | "CHUNK_TYPE"),
            "bit {bit}: {code}"
        );
    }
}

#[test]
fn an_edit_too_large_for_a_change_is_refused_and_the_document_stays() {
    let (mut document, _) = sample(DocumentKind::Union);
    let before = document.heads();
    let edits = document.set("name", "new").expect("a field");
    let by = crate::EditBy {
        reason: "x".repeat(40_000),
        ..by(2)
    };
    assert!(matches!(
        document.apply_edits(&edits, &by),
        Err(crate::Error::EditTooBig)
    ));
    assert_eq!(document.heads(), before);
    let nobody = crate::EditBy {
        author: String::new(),
        reason: String::new(),
        ..by
    };
    assert!(matches!(
        document.apply_edits(&edits, &nobody),
        Err(crate::Error::AuthorMissing)
    ));
}
