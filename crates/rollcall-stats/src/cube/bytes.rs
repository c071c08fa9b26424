//! Bytes written and read in the same order: small numbers in few bytes, a day as the distance from the one before.
//! Owns the two ends; what is written in which form is `pack`. Reading trusts the bytes: they never leave the process.

use rollcall_core::date::Day;

/// Where bytes are put.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    day: i64,
}

/// Where bytes are taken from.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    day: i64,
}

impl Writer {
    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// A day with a few bits beside it.
    pub(crate) fn day(&mut self, day: Day, bits: u32, beside: u64) {
        let code = match day {
            Day::MIN => 1,
            Day::MAX => 2,
            Day(number) => {
                let distance = i64::from(number) - std::mem::replace(&mut self.day, number.into());
                if distance == 0 { 0 } else { folded(distance) + 2 }
            }
        };
        self.number(code << bits | beside);
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, day: 0 }
    }

    /// The next byte, left where it is.
    pub(crate) fn peek(&self) -> u8 {
        self.bytes.first().copied().unwrap_or(0)
    }

    pub(crate) fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, left) = self.bytes.split_at(len);
        self.bytes = left;
        taken
    }

    pub(crate) fn array<const LEN: usize>(&mut self) -> [u8; LEN] {
        self.take(LEN).try_into().expect("as many as asked for")
    }

    pub(crate) fn number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..).step_by(7) {
            let [byte] = self.array();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }

    pub(crate) fn day(&mut self, bits: u32) -> (Day, u64) {
        let number = self.number();
        let day = match number >> bits {
            1 => Day::MIN,
            2 => Day::MAX,
            code => {
                self.day += if code == 0 { 0 } else { unfolded(code - 2) };
                Day(i32::try_from(self.day).expect("a day was written here"))
            }
        };
        (day, number & ((1 << bits) - 1))
    }
}

pub(crate) fn folded(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

pub(crate) fn unfolded(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
