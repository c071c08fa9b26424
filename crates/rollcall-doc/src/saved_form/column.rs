//! Writing the columns of Automerge's storage format: run lengths, differences, numbers in as few bytes as they take.
//! `gate::bytes` reads what this writes.

/// A run-length column: two or more of the same are a run, others are literal, nothing is counted.
pub(super) fn run_lengths<T: Copy + PartialEq>(
    bytes: &mut Vec<u8>,
    values: impl Iterator<Item = Option<T>>,
    put: impl Fn(&mut Vec<u8>, T),
) {
    let mut literals: Vec<T> = Vec::new();
    let flush = |bytes: &mut Vec<u8>, literals: &mut Vec<T>| {
        if !literals.is_empty() {
            put_signed(bytes, -(literals.len() as i64));
            literals.drain(..).for_each(|literal| put(bytes, literal));
        }
    };
    let mut values = values.peekable();
    while let Some(value) = values.next() {
        let mut count = 1_u64;
        while values.next_if_eq(&value).is_some() {
            count += 1;
        }
        match value {
            Some(value) if count == 1 => {
                if literals.is_empty() {
                    literals.reserve(1 + values.size_hint().0);
                }
                literals.push(value);
            }
            Some(value) => {
                flush(bytes, &mut literals);
                put_signed(bytes, count as i64);
                put(bytes, value);
            }
            None => {
                flush(bytes, &mut literals);
                bytes.push(0);
                put_unsigned(bytes, count);
            }
        }
    }
    flush(bytes, &mut literals);
}

/// Differences of numbers below 2^63, as a run-length column.
pub(super) fn deltas(bytes: &mut Vec<u8>, values: impl IntoIterator<Item = u64>) {
    signed_deltas(bytes, values.into_iter().map(u64::cast_signed));
}

pub(super) fn signed_deltas(bytes: &mut Vec<u8>, values: impl IntoIterator<Item = i64>) {
    let mut before = 0_i64;
    let steps = values.into_iter().map(|value| {
        let step = value.wrapping_sub(before);
        before = value;
        Some(step)
    });
    run_lengths(bytes, steps, put_signed_of);
}

pub(super) fn put_unsigned_of(bytes: &mut Vec<u8>, value: u64) {
    put_unsigned(bytes, value);
}

pub(super) fn put_signed_of(bytes: &mut Vec<u8>, value: i64) {
    put_signed(bytes, value);
}

pub(super) fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_unsigned(bytes, text.len() as u64);
    bytes.extend(text.as_bytes());
}

pub(super) fn put_unsigned(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

pub(super) fn put_signed(bytes: &mut Vec<u8>, mut value: i64) {
    loop {
        let low = value as u8 & 0x7f;
        value >>= 7;
        let last = (value == 0 && low & 0x40 == 0) || (value == -1 && low & 0x40 != 0);
        if last {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}
