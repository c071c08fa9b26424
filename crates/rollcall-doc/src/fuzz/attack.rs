//! The attacks that were measured against the library (`reliability.md` 0.1, 3.4 H12; `protocol.md` 3.4), as chunks on a
//! document, each with what the gate says to it. Every byte is made here.

use automerge::Change;

use super::forge::{Forge, signed, unsigned};
use crate::document::Document;
use crate::genesis;

/// Bytes that the bomb inflates to.
const BOMB_BYTES: usize = 16 * 1024 * 1024;
/// Maps in each other.
const NESTED: u64 = 2_000;

/// One attack.
pub struct Attack {
    /// What it is.
    pub name: &'static str,
    /// The chunk.
    pub bytes: Vec<u8>,
    /// Code of the refusal; nothing where the change waits for what never comes.
    pub code: Option<&'static str>,
}

/// Every one of them, on a union's document at its heads.
pub fn attacks(document: &Document) -> Vec<Attack> {
    let forge = || Forge::after(document);
    let run = |count: i64, value: u64| [signed(count), unsigned(value)].concat();
    let attack = |name, forge: Forge, code| Attack {
        name,
        bytes: forge.bytes(),
        code: Some(code),
    };
    let with = |edit: fn(&mut Forge)| {
        let mut bent = forge();
        edit(&mut bent);
        bent
    };
    let mut all = vec![
        Attack {
            name: "a sync message with an empty filter",
            bytes: vec![0x42, 0, 0, 1, 0, 3, 1, 0, 7, 0],
            code: Some("ENVELOPE_DAMAGED"),
        },
        Attack {
            name: "a sync message with four billion probes",
            bytes: [
                &[0x42, 0, 0, 1, 0, 8, 1, 8][..],
                &unsigned(u64::from(u32::MAX)),
                &[0, 0],
            ]
            .concat(),
            code: Some("ENVELOPE_DAMAGED"),
        },
        Attack {
            name: "a chunk that inflates to megabytes",
            bytes: bomb(),
            code: Some("CHUNK_TYPE"),
        },
        Attack {
            name: "a document chunk",
            bytes: document.automerge().save(),
            code: Some("CHUNK_TYPE"),
        },
        attack(
            "16,777,216 operations in a run",
            forge().column(66, run(1 << 24, 1)),
            "CHANGE_TOO_BIG",
        ),
        attack(
            "2^30 operations in a run",
            forge().column(66, run(1 << 30, 1)),
            "CHANGE_TOO_BIG",
        ),
        attack("a run in every column", runs(forge(), 9_999), "CHANGE_TOO_BIG"),
        attack(
            "ten thousand replaced in a run",
            preds(forge(), 10_000),
            "CHANGE_TOO_BIG",
        ),
        attack(
            "a number that skips one",
            with(|bent| (bent.seq, bent.footer) = (2, Vec::new())),
            "SEQ_GAP",
        ),
        attack(
            "the last number there is",
            with(|bent| (bent.seq, bent.footer) = (u64::MAX, Vec::new())),
            "SEQ_GAP",
        ),
        attack(
            "operations at the end of 32 bits",
            with(|bent| bent.start_op = u64::from(u32::MAX)),
            "OP_RANGE",
        ),
        attack(
            "operations at the end of 64 bits",
            with(|bent| bent.start_op = u64::MAX),
            "OP_RANGE",
        ),
        attack(
            "a time before all times",
            with(|bent| bent.time = i64::MIN),
            "OP_RANGE",
        ),
        attack(
            "a time after all times",
            with(|bent| bent.time = i64::MAX),
            "OP_RANGE",
        ),
        attack("2,000 maps in each other", nested(forge()), "SCHEMA"),
        attack(
            "an actor that nobody knows",
            with(|bent| bent.others = vec![vec![8; 16]]),
            "SCHEMA",
        ),
        attack(
            "the genesis actor",
            Forge {
                actor: genesis::actor(document.id()).0.to_vec(),
                ..forge()
            },
            "ACTOR_FOREIGN",
        ),
        attack("one place written twice", twice(forge()), "SCHEMA"),
        attack("a predecessor that never was", preds(forge(), 1), "POISON_CHANGE"),
    ];
    all.push(Attack {
        name: "an orphan",
        bytes: orphan(document, 0),
        code: None,
    });
    all
}

/// A change that waits for one that never comes; each number makes another.
pub fn orphan(document: &Document, number: u64) -> Vec<u8> {
    let mut dep = [0xee; 32];
    dep[..8].copy_from_slice(&number.to_be_bytes());
    let orphan = Forge {
        deps: vec![dep],
        actor: [&number.to_be_bytes()[..], &[5; 8]].concat(),
        ..Forge::after(document)
    };
    orphan.text(&number.to_string()).bytes()
}

/// Another change at the number that every actor begins with: two of them with one `actor` are a fork.
pub fn rival(document: &Document, actor: [u8; 16], text: &str) -> Vec<u8> {
    let rival = Forge {
        actor: actor.to_vec(),
        ..Forge::after(document)
    };
    rival.text(text).bytes()
}

/// A deflated change whose reason is all one letter.
fn bomb() -> Vec<u8> {
    let wide = Forge {
        deps: Vec::new(),
        actor: vec![7; 16],
        seq: 1,
        start_op: 1,
        time: 0,
        message: vec![b'a'; BOMB_BYTES],
        others: Vec::new(),
        columns: Vec::new(),
        footer: Vec::new(),
    };
    let mut change = Change::from_bytes(wide.bytes()).expect("a change may have a long reason");
    change.bytes().into_owned()
}

/// The same operation so many times, each column a run.
fn runs(forge: Forge, count: i64) -> Forge {
    let run = |value: u64| [signed(count), unsigned(value)].concat();
    forge
        .column(52, unsigned(count.unsigned_abs()))
        .column(66, run(1))
        .column(112, run(0))
        .column(21, [run(4), b"name".to_vec()].concat())
        .column(86, run(0))
        .column(87, Vec::new())
}

/// One operation that replaces many, numbered from the third on.
fn preds(forge: Forge, count: i64) -> Forge {
    let counters = if count == 1 {
        [signed(-1), signed(3)].concat()
    } else {
        [signed(count), signed(1)].concat()
    };
    let actors = if count == 1 {
        [signed(-1), unsigned(0)].concat()
    } else {
        [signed(count), unsigned(0)].concat()
    };
    forge
        .column(112, [signed(-1), unsigned(count.unsigned_abs())].concat())
        .column(113, actors)
        .column(115, counters)
}

/// Two operations at one key.
fn twice(forge: Forge) -> Forge {
    let key = b"area_level";
    let two = |value: u64| [signed(2), unsigned(value)].concat();
    forge
        .column(52, unsigned(2))
        .column(66, two(1))
        .column(112, two(0))
        .column(21, [two(key.len() as u64), key.to_vec()].concat())
        .column(86, two(0x16))
        .column(87, b"ab".to_vec())
}

/// Maps made one in the other.
fn nested(forge: Forge) -> Forge {
    let count = NESTED.cast_signed();
    let run = |value: u64| [signed(count), unsigned(value)].concat();
    let inner = count - 1;
    let mut counters = [signed(0), unsigned(1), signed(-inner)].concat();
    (0..inner.unsigned_abs()).for_each(|step| counters.extend(unsigned(forge.start_op + step)));
    forge
        .column(1, [signed(0), unsigned(1), signed(inner), unsigned(0)].concat())
        .column(2, counters)
        .column(21, [run(1), b"m".to_vec()].concat())
        .column(52, unsigned(NESTED))
        .column(66, run(0))
        .column(86, run(0))
        .column(87, Vec::new())
        .column(112, run(0))
}
