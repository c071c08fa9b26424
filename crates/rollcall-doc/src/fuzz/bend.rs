//! Bends changes with knowledge of how they are built: numbers, actors, dependencies, columns, run lengths, frames.
//! What comes out has the right checksum nearly always, so that it gets past the frame.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::forge::{Forge, signed, unsigned, with_checksum};
use crate::gate::bytes::Bytes;

/// Numbers at which something may go over an edge.
const EDGES: [u64; 24] = [
    0,
    1,
    2,
    63,
    64,
    65,
    127,
    128,
    255,
    256,
    9_999,
    10_000,
    10_001,
    65_535,
    1_000_000,
    1 << 24,
    1 << 31,
    4_000_000_000,
    (1 << 32) - 1,
    1 << 32,
    1 << 53,
    1 << 62,
    i64::MAX.unsigned_abs(),
    u64::MAX,
];
/// Column specifications that exist somewhere in the format, and some that do not.
const SPECS: [u64; 18] = [
    1,
    2,
    17,
    19,
    21,
    29,
    52,
    66,
    86,
    87,
    112,
    113,
    115,
    148,
    165,
    200,
    1000,
    1 << 40,
];

/// A bent copy of a change; `others` are further changes to take parts of, never none.
pub(super) fn bend(chunk: &[u8], others: &[Vec<u8>], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let Some(mut forge) = Forge::read(chunk) else {
        return bend_bytes(chunk.to_vec(), rng);
    };
    for _ in 0..rng.random_range(1..=3) {
        bend_part(&mut forge, others, rng);
    }
    let mut bytes = forge.bytes();
    if rng.random_ratio(1, 4) {
        bytes = bend_bytes(bytes, rng);
    }
    if rng.random_ratio(1, 60) {
        bytes = bend_frame(bytes, rng);
    }
    bytes
}

fn number(near: u64, rng: &mut ChaCha8Rng) -> u64 {
    match rng.random_range(0..4) {
        0 => near.wrapping_add(rng.random_range(1..4)),
        1 => near.wrapping_sub(rng.random_range(1..4)),
        2 => near ^ (1 << rng.random_range(0..64)),
        _ => EDGES.choose(rng).copied().unwrap_or_default(),
    }
}

fn bend_part(forge: &mut Forge, others: &[Vec<u8>], rng: &mut ChaCha8Rng) {
    match rng.random_range(0..14) {
        0 => forge.seq = number(forge.seq, rng),
        1 => forge.start_op = number(forge.start_op, rng),
        2 => forge.time = number(forge.time.cast_unsigned(), rng).cast_signed(),
        3 => bend_list(&mut forge.message, rng),
        4 => bend_deps(forge, others, rng),
        5 => bend_actor(forge, others, rng),
        6 => bend_others(forge, others, rng),
        7 => bend_list(&mut forge.footer, rng),
        8 => {
            let donor = others.choose(rng).and_then(|other| Forge::read(other));
            if let Some(column) = donor.and_then(|donor| donor.columns.choose(rng).cloned()) {
                *forge = forge.clone().column(column.0, column.1);
            }
        }
        9 => {
            let spec = SPECS.choose(rng).copied().unwrap_or_default();
            let content = run_of(rng);
            *forge = forge.clone().column(spec, content);
        }
        10 if forge.columns.len() > 1 => {
            let (one, other) = (
                rng.random_range(0..forge.columns.len()),
                rng.random_range(0..forge.columns.len()),
            );
            match rng.random_range(0..3) {
                0 => drop(forge.columns.remove(one)),
                1 => forge.columns.swap(one, other),
                _ => forge.columns[one].1 = forge.columns[other].1.clone(),
            }
        }
        11 => bend_text(forge, rng),
        _ => {
            if let Some(index) = (0..forge.columns.len()).collect::<Vec<_>>().choose(rng) {
                let column = &mut forge.columns[*index].1;
                if rng.random_bool(0.6) {
                    *column = bend_runs(column, rng);
                } else {
                    bend_list(column, rng);
                }
            }
        }
    }
}

fn bend_deps(forge: &mut Forge, others: &[Vec<u8>], rng: &mut ChaCha8Rng) {
    match rng.random_range(0..6) {
        0 => drop(forge.deps.pop()),
        1 => forge.deps.push(rng.random()),
        2 => forge.deps.extend(forge.deps.clone()),
        3 => forge.deps.reverse(),
        4 => forge.deps.clear(),
        _ => {
            let more = others.choose(rng).and_then(|other| Forge::read(other));
            forge.deps = more.map_or_else(Vec::new, |more| more.deps);
        }
    }
    if rng.random_bool(0.8) {
        forge.deps.sort_unstable();
    }
}

fn bend_actor(forge: &mut Forge, others: &[Vec<u8>], rng: &mut ChaCha8Rng) {
    match rng.random_range(0..4) {
        0 => forge.actor = rng.random::<[u8; 16]>().to_vec(),
        1 => bend_list(&mut forge.actor, rng),
        2 => {
            let other = others.choose(rng).and_then(|other| Forge::read(other));
            forge.actor = other.map_or_else(Vec::new, |other| other.actor);
        }
        _ => {
            // Another account says the same at the same time.
            forge.actor = rng.random::<[u8; 16]>().to_vec();
            forge.seq = 1;
            forge.footer = b"\x01\x08330106/9".to_vec();
        }
    }
}

fn bend_others(forge: &mut Forge, others: &[Vec<u8>], rng: &mut ChaCha8Rng) {
    match rng.random_range(0..5) {
        0 => drop(forge.others.pop()),
        1 => forge.others.push(rng.random::<[u8; 16]>().to_vec()),
        2 => forge.others.push(forge.actor.clone()),
        3 => forge
            .others
            .extend((0..rng.random_range(1..80)).map(|n: u8| vec![n; 16])),
        _ => {
            let donor = others.choose(rng).and_then(|other| Forge::read(other));
            forge.others.extend(donor.map(|donor| donor.actor));
        }
    }
    if rng.random_bool(0.8) {
        forge.others.sort();
    }
}

/// Letters of what is set, so that the change stays one that may pass.
fn bend_text(forge: &mut Forge, rng: &mut ChaCha8Rng) {
    let values = forge.columns.iter_mut().find(|(spec, _)| *spec == 87);
    if let Some((_, values)) = values.filter(|(_, values)| !values.is_empty()) {
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..values.len());
            values[at] = match rng.random_range(0..4) {
                0 => rng.random_range(b'0'..=b'9'),
                1 => rng.random_range(b'a'..=b'z'),
                2 => *b"{}[]\",:|/-".choose(rng).unwrap_or(&b' '),
                _ => values[at] ^ 1,
            };
        }
    }
}

/// A run of something, perhaps a bomb.
fn run_of(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let count = number(1, rng);
    let head = match rng.random_range(0..3) {
        0 => signed(count.cast_signed()),
        1 => signed(count.wrapping_neg().cast_signed()),
        _ => [signed(0), unsigned(count)].concat(),
    };
    [head, unsigned(number(1, rng))].concat()
}

/// Changes a number somewhere in a column, as if it were read there: a count, a length, a value.
fn bend_runs(column: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let at = rng.random_range(0..=column.len());
    let mut rest = Bytes::new(&column[at..]);
    let found = rest.signed().unwrap_or_default();
    let fresh = if rng.random_bool(0.5) {
        signed(number(found.cast_unsigned(), rng).cast_signed())
    } else {
        unsigned(number(found.unsigned_abs(), rng))
    };
    [&column[..at], &fresh, rest.rest()].concat()
}

fn bend_list(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    *bytes = edit(std::mem::take(bytes), rng);
}

/// One to three edits of raw bytes, the checksum made right again.
fn bend_bytes(mut chunk: Vec<u8>, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let content = chunk.split_off(chunk.len().min(8));
    let mut content = content;
    for _ in 0..rng.random_range(1..=3) {
        content = edit(content, rng);
    }
    chunk.extend(content);
    if rng.random_ratio(1, 40) {
        return chunk;
    }
    with_checksum(chunk)
}

fn edit(mut bytes: Vec<u8>, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let at = rng.random_range(0..=bytes.len());
    let until = rng.random_range(at..=bytes.len().min(at + 40));
    match rng.random_range(0..7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
        1 if at < bytes.len() => bytes[at] = rng.random(),
        2 => drop(bytes.drain(at..until)),
        3 => {
            let twice = bytes[at..until].to_vec();
            drop(bytes.splice(at..at, twice));
        }
        4 => bytes.truncate(at),
        5 => drop(bytes.splice(at..at, unsigned(number(0, rng)))),
        _ => bytes.insert(at, rng.random()),
    }
    bytes
}

/// The frame itself: another type, another length, something behind it, the length in a longer form.
fn bend_frame(mut chunk: Vec<u8>, rng: &mut ChaCha8Rng) -> Vec<u8> {
    match rng.random_range(0..5) {
        0 if chunk.len() > 8 => chunk[8] = rng.random_range(0..5),
        1 => chunk.extend_from_within(..),
        2 => chunk.push(0),
        3 if chunk.len() > 9 => chunk[9] ^= 1 << rng.random_range(0..8),
        _ if chunk.len() > 9 => {
            chunk[9] |= 0x80;
            chunk.insert(10, 0);
        }
        _ => {}
    }
    with_checksum(chunk)
}
