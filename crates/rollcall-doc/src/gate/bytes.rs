//! A reader over bytes that never reads past their end, and the run-length columns made of such bytes.
//! Owns the encodings of Automerge's storage format; allocates nothing, so that no count can ask for memory.

/// What is left to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    /// All of these.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Everything left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The next `count` bytes.
    pub(crate) fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let count = usize::try_from(count).ok()?;
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next 32 bytes.
    pub(crate) fn hash(&mut self) -> Option<[u8; 32]> {
        self.take(32)?.try_into().ok()
    }

    /// An unsigned LEB128 number in its shortest form.
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for index in 0..10 {
            let byte = *self.take(1)?.first()?;
            let bits = u64::from(byte & 0x7f);
            if index == 9 && bits > 1 {
                return None;
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                return (index == 0 || byte != 0).then_some(value);
            }
        }
        None
    }

    /// A signed LEB128 number in its shortest form.
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let mut value = 0_i64;
        let mut previous = 0_u8;
        for index in 0..10_u32 {
            let byte = *self.take(1)?.first()?;
            let bits = i64::from(byte & 0x7f);
            if index == 9 && byte != 0 && byte != 0x7f {
                return None;
            }
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                let extended = previous & 0x40 != 0;
                if index > 0 && ((byte == 0 && !extended) || (byte == 0x7f && extended)) {
                    return None;
                }
                if index < 9 && byte & 0x40 != 0 {
                    value |= -1 << (7 * (index + 1));
                }
                return Some(value);
            }
            previous = byte;
        }
        None
    }

    /// A length and as many bytes of UTF-8.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let length = self.unsigned()?;
        std::str::from_utf8(self.take(length)?).ok()
    }
}

/// How one value of a run-length column is read.
pub(crate) trait Item<'a>: Copy {
    /// The next value.
    fn read(bytes: &mut Bytes<'a>) -> Option<Self>;
}

impl<'a> Item<'a> for u64 {
    fn read(bytes: &mut Bytes<'a>) -> Option<Self> {
        bytes.unsigned()
    }
}

impl<'a> Item<'a> for i64 {
    fn read(bytes: &mut Bytes<'a>) -> Option<Self> {
        bytes.signed()
    }
}

impl<'a> Item<'a> for &'a str {
    fn read(bytes: &mut Bytes<'a>) -> Option<Self> {
        bytes.text()
    }
}

/// A run-length column: runs of one value, literal values, runs of nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a, T> {
    bytes: Bytes<'a>,
    left: u64,
    run: Run<T>,
}

#[derive(Debug, Clone, Copy)]
enum Run<T> {
    Same(T),
    Literal,
    Nothing,
}

impl<'a, T: Item<'a>> Column<'a, T> {
    /// The column in these bytes.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: Bytes::new(bytes),
            left: 0,
            run: Run::Nothing,
        }
    }

    /// How many values the column claims, summed without reading runs out; `None` where it cannot be read.
    pub(crate) fn count(mut self) -> Option<u64> {
        let mut sum = 0_u64;
        while !self.bytes.is_empty() {
            self.next_run()?;
            sum = sum.checked_add(self.left)?;
            if matches!(self.run, Run::Literal) {
                // Each literal takes at least a byte, so this ends with the bytes.
                for _ in 0..self.left {
                    T::read(&mut self.bytes)?;
                }
            }
            self.left = 0;
        }
        Some(sum)
    }

    /// The next value: `None` at the end or where it cannot be read, `Some(None)` for nothing.
    pub(crate) fn next(&mut self) -> Option<Option<T>> {
        if self.left == 0 {
            self.next_run()?;
        }
        self.left -= 1;
        match self.run {
            Run::Same(value) => Some(Some(value)),
            Run::Literal => T::read(&mut self.bytes).map(Some),
            Run::Nothing => Some(None),
        }
    }

    fn next_run(&mut self) -> Option<()> {
        let count = self.bytes.signed()?;
        (self.left, self.run) = match count {
            0 => (self.bytes.unsigned().filter(|count| *count > 0)?, Run::Nothing),
            1.. => (count.unsigned_abs(), Run::Same(T::read(&mut self.bytes)?)),
            ..0 => (count.unsigned_abs(), Run::Literal),
        };
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_their_shortest_form_only() {
        let unsigned: [(&[u8], Option<u64>); 6] = [
            (&[0], Some(0)),
            (&[0x81, 0x01], Some(129)),
            (&[0x81, 0x00], None),
            (&[0x80], None),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                Some(u64::MAX),
            ),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                None,
            ),
        ];
        for (bytes, value) in unsigned {
            assert_eq!(Bytes::new(bytes).unsigned(), value, "{bytes:?}");
        }
        let signed: [(&[u8], Option<i64>); 7] = [
            (&[0x7f], Some(-1)),
            (&[0xff, 0x7f], None),
            (&[0x80, 0x7f], Some(-128)),
            (&[0xc0, 0x00], Some(64)),
            (&[0xbf, 0x00], None),
            (
                &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f],
                Some(i64::MIN),
            ),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                None,
            ),
        ];
        for (bytes, value) in signed {
            assert_eq!(Bytes::new(bytes).signed(), value, "{bytes:?}");
        }
    }

    #[test]
    fn a_run_of_billions_is_counted_without_being_read_out() {
        // 2^40 times the value 1.
        let bytes = [0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0x01];
        assert_eq!(Column::<u64>::new(&bytes).count(), Some(1 << 40));
        let literals_that_are_not_there = [0x80, 0x80, 0x80, 0x80, 0x80, 0x60, 0x01];
        assert_eq!(Column::<u64>::new(&literals_that_are_not_there).count(), None);
    }

    #[test]
    fn runs_literals_and_nothing_come_back_in_order() {
        // 2 times 7, literals 1 2, nothing 2 times.
        let mut column = Column::<u64>::new(&[0x02, 7, 0x7e, 1, 2, 0, 2]);
        assert_eq!(column.count(), Some(6));
        let values: Vec<Option<u64>> = std::iter::from_fn(|| column.next()).collect();
        assert_eq!(values, [Some(7), Some(7), Some(1), Some(2), None, None]);
    }
}
