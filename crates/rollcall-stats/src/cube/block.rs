//! The columns of organisations of one place: per organisation its segments of days, side by side with the next one's.
//! Owns their layout; which organisation stands where is known to `segment`, what a number means to the cube.
//!
//! A segment is four bytes, twelve where the organisation is ever in scope: days are offsets in two bytes, the
//! place is written once for the block. Whatever does not fit these widths is kept elsewhere.

use super::date_index::DateIndex;
use super::segment::{NONE, Reading, SET, Segment};

/// Day 0 of the columns, 1889-12-31: the first segment of an organisation holds from it.
const EPOCH: i32 = -29_220;
/// The last day that a column can state, in 2069.
const LAST: u16 = u16::MAX - 1;
/// Organisations of one block; bounds what is moved when one of them gets longer.
pub(crate) const SLOTS_MAX: usize = 4_096;

/// A day as the columns state it, where they can.
fn short(day: i32) -> Option<u16> {
    let offset = u16::try_from(day.checked_sub(EPOCH)?).ok()?;
    (1..=LAST).contains(&offset).then_some(offset)
}

/// A day of a question: before the first day that columns state, only first segments hold; after the last, all do.
pub(crate) fn asked(day: i32) -> u16 {
    let offset = day.saturating_sub(EPOCH).clamp(0, i32::from(LAST));
    u16::try_from(offset).unwrap_or(LAST)
}

/// What the organisations of a block have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// Number of the federation that is responsible last.
    pub(crate) place: u32,
    /// In scope at some time: covers, workers and members have columns.
    pub(crate) counted: bool,
    /// Another federation was responsible before: places have a column.
    pub(crate) moved: bool,
}

impl Shape {
    /// The shape of an organisation's segments, if they fit columns.
    pub(crate) fn of(segments: &[Segment], in_scope: impl Fn(u32) -> bool) -> Option<Self> {
        let place = segments.last()?.reading.place;
        let mut shape = Self {
            place,
            counted: false,
            moved: false,
        };
        for (index, Segment { from, reading }) in segments.iter().enumerate() {
            let dated = if index == 0 {
                *from == i32::MIN
            } else {
                short(*from).is_some()
            };
            let fits = dated
                && reading.profile & SET == 0
                && u16::try_from(reading.profile).is_ok()
                && u16::try_from(reading.workers).is_ok()
                && u16::try_from(reading.members).is_ok();
            if !fits {
                return None;
            }
            let counted = in_scope(reading.profile);
            let bare = reading.cover == NONE && reading.workers == 0 && reading.members == 0;
            if !(counted || bare) {
                return None;
            }
            shape.counted |= counted;
            shape.moved |= reading.place != place;
        }
        Some(shape)
    }
}

/// The part of a segment that only organisations have that are ever in scope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rest {
    pub(crate) cover: u32,
    pub(crate) workers: u16,
    pub(crate) members: u16,
}

/// The columns.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) shape: Shape,
    /// Counts up with every change.
    version: u64,
    /// Where the segments of each slot begin, and one end.
    starts: Vec<u32>,
    free: Vec<u16>,
    from: Vec<u16>,
    pub(crate) profile: Vec<u16>,
    rest: Vec<Rest>,
    place: Vec<u32>,
}

impl Block {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            shape,
            version: 0,
            starts: vec![0],
            free: Vec::new(),
            from: Vec::new(),
            profile: Vec::new(),
            rest: Vec::new(),
            place: Vec::new(),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.free.is_empty() && self.starts.len() > SLOTS_MAX
    }

    /// Another one after every change; 0 before the first.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Segments.
    pub(crate) fn len(&self) -> usize {
        self.from.len()
    }

    /// Takes in one more organisation; gives its slot.
    pub(crate) fn insert(&mut self, segments: &[Segment]) -> u32 {
        let slot = match self.free.pop() {
            Some(slot) => u32::from(slot),
            None => {
                grow(&mut self.starts, 1);
                self.starts.push(self.from.len() as u32);
                self.starts.len() as u32 - 2
            }
        };
        self.write(slot, segments);
        slot
    }

    pub(crate) fn remove(&mut self, slot: u32) {
        self.write(slot, &[]);
        self.free.push(slot as u16);
    }

    fn span(&self, slot: u32) -> std::ops::Range<usize> {
        self.starts[slot as usize] as usize..self.starts[slot as usize + 1] as usize
    }

    /// Puts segments of the block's shape in the place of a slot's; the same ones change nothing.
    pub(crate) fn write(&mut self, slot: u32, segments: &[Segment]) {
        let span = self.span(slot);
        let holds = |(position, segment): (usize, &Segment)| self.segment(position, span.start) == *segment;
        if span.len() == segments.len() && span.clone().zip(segments).all(holds) {
            return;
        }
        self.version += 1;
        let days = segments.iter().map(|segment| short(segment.from).unwrap_or(0));
        put(&mut self.from, span.clone(), days);
        let profiles = segments.iter().map(|segment| segment.reading.profile as u16);
        put(&mut self.profile, span.clone(), profiles);
        if self.shape.counted {
            let rest = segments.iter().map(|segment| Rest {
                cover: segment.reading.cover,
                workers: segment.reading.workers as u16,
                members: segment.reading.members as u16,
            });
            put(&mut self.rest, span.clone(), rest);
        }
        if self.shape.moved {
            let places = segments.iter().map(|segment| segment.reading.place);
            put(&mut self.place, span.clone(), places);
        }
        if segments.len() != span.len() {
            for start in &mut self.starts[slot as usize + 1..] {
                *start = (*start as usize - span.len() + segments.len()) as u32;
            }
        }
    }

    /// The segment of a slot that holds on a day.
    pub(crate) fn at(&self, slot: u32, day: i32) -> Option<Segment> {
        let (span, day) = (self.span(slot), asked(day));
        let first = span.start;
        let position = span.rev().find(|position| self.from[*position] <= day)?;
        Some(self.segment(position, first))
    }

    /// The segment at a position; the first of its slot holds from the first day of all.
    fn segment(&self, position: usize, first: usize) -> Segment {
        let from = if position == first {
            i32::MIN
        } else {
            i32::from(self.from[position]) + EPOCH
        };
        let rest = self.rest(position);
        let reading = Reading {
            place: self.place(position),
            profile: u32::from(self.profile[position]),
            cover: rest.cover,
            workers: rest.workers.into(),
            members: rest.members.into(),
        };
        Segment { from, reading }
    }

    pub(crate) fn rest(&self, position: usize) -> Rest {
        let none = Rest {
            cover: NONE,
            workers: 0,
            members: 0,
        };
        self.rest.get(position).copied().unwrap_or(none)
    }

    pub(crate) fn place(&self, position: usize) -> u32 {
        self.place.get(position).copied().unwrap_or(self.shape.place)
    }

    /// Calls `found` with the position of each segment that holds on some day of `first..=last`, in order.
    pub(crate) fn holding(&self, first: u16, last: u16, mut found: impl FnMut(usize)) {
        // A next segment of day 0 is another organisation's.
        let holds = |from: u16, next: u16| (from <= last) & (next.wrapping_sub(1) >= first);
        let mut start = 0;
        while start < self.from.len() {
            // Comparisons without a branch, packed into one number: most segments are not of the day.
            let mut flags = [0_u8; RUN];
            if let (Some(from), Some(next)) = (run(&self.from, start), run(&self.from, start + 1)) {
                for (flag, (from, next)) in flags.iter_mut().zip(from.iter().zip(next)) {
                    *flag = u8::from(holds(*from, *next));
                }
            } else {
                let from = &self.from[start..];
                let next = from.iter().skip(1).chain([&0]);
                for (flag, (from, next)) in flags.iter_mut().zip(from.iter().zip(next)) {
                    *flag = u8::from(holds(*from, *next));
                }
            }
            let mut held = packed(&flags);
            while held != 0 {
                found(start + held.trailing_zeros() as usize);
                held &= held - 1;
            }
            start += RUN;
        }
    }

    /// Calls `found` with the position of each segment that holds at some of the dates, and the span of their indices.
    /// The spans of an organisation follow each other: the first begins with the first date, the last ends with the last.
    pub(crate) fn spans(&self, dates: &DateIndex, mut found: impl FnMut(usize, usize, usize)) {
        let mut from = 0;
        self.holding(dates.first, dates.last, |position| {
            let next = self.from.get(position + 1).copied().unwrap_or(0);
            let to = if next == 0 {
                dates.len
            } else {
                dates.first_from(next)
            };
            if from < to {
                found(position, from, to);
            }
            from = if to == dates.len { 0 } else { to };
        });
    }
}

/// Segments looked at together.
const RUN: usize = 64;

fn run(column: &[u16], start: usize) -> Option<&[u16; RUN]> {
    column.get(start..start + RUN)?.try_into().ok()
}

/// Flags of 0 or 1 as the bits of one number.
fn packed(flags: &[u8; RUN]) -> u64 {
    let mut bits = 0;
    for (index, eight) in flags.as_chunks::<8>().0.iter().enumerate() {
        // Each of eight bytes is moved to its own bit of the topmost byte; no two of the products meet.
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= gathered << (8 * index);
    }
    bits
}

/// Makes room by an eighth: columns of a million organisations must not be half empty.
pub(crate) fn grow<T>(column: &mut Vec<T>, more: usize) {
    if column.capacity() - column.len() < more {
        column.reserve_exact(more + column.len() / 8);
    }
}

fn put<T: Copy>(column: &mut Vec<T>, span: std::ops::Range<usize>, values: impl ExactSizeIterator<Item = T>) {
    if values.len() == span.len() {
        for (known, value) in column[span].iter_mut().zip(values) {
            *known = value;
        }
    } else {
        grow(column, values.len());
        column.splice(span, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(from: i32, profile: u32) -> Segment {
        Segment {
            from,
            reading: Reading {
                place: 3,
                profile,
                cover: NONE,
                workers: 0,
                members: 0,
            },
        }
    }

    fn block() -> Block {
        let segments = [
            segment(i32::MIN, 0),
            segment(10, 1),
            segment(20, 2),
            segment(30, 3),
        ];
        let mut block = Block::new(Shape::of(&segments, |_| false).expect("small numbers"));
        block.insert(&segments);
        block.insert(&[segment(i32::MIN, 4)]);
        block
    }

    #[test]
    fn every_date_falls_into_exactly_one_segment_of_each_organisation() {
        let mut spans = Vec::new();
        let dates = DateIndex::new(&[5, 10, 12, 29, 31]);
        block().spans(&dates, |position, from, to| spans.push((position, from, to)));
        assert_eq!(spans, [(0, 0, 1), (1, 1, 3), (2, 3, 4), (3, 4, 5), (4, 0, 5)]);
        for (day, expected) in [
            (5, [0, 4]),
            (10, [1, 4]),
            (29, [2, 4]),
            (i32::MAX, [3, 4]),
            (i32::MIN, [0, 4]),
        ] {
            let mut held = Vec::new();
            block().holding(asked(day), asked(day), |position| held.push(position as u32));
            assert_eq!(held, expected, "{day}");
            let one = DateIndex::new(&[day]);
            let mut found = Vec::new();
            block().spans(&one, |position, _, _| found.push(position as u32));
            assert_eq!(found, expected, "{day}");
        }
    }

    #[test]
    fn runs_of_many_segments_hold_what_each_of_them_holds() {
        let mut block = Block::new(Shape::of(&[segment(i32::MIN, 0)], |_| false).expect("small numbers"));
        let mut expected = Vec::new();
        for organisation in 0..100 {
            let mut segments = vec![segment(i32::MIN, 0)];
            // One to five segments, the later ones from days that differ.
            segments.extend((1..=organisation % 5).map(|number| segment(10 * number + organisation, 1)));
            let start = block.len() as u32;
            let day = |segment: &Segment| segment.from <= 60;
            let held = segments.iter().take_while(|segment| day(segment)).count() as u32;
            expected.push(start + held - 1);
            block.insert(&segments);
            let mut held = Vec::new();
            block.holding(asked(60), asked(60), |position| held.push(position as u32));
            assert_eq!(held, expected);
        }
    }

    #[test]
    fn what_the_widths_cannot_state_has_no_shape() {
        let good = segment(i32::MIN, 1);
        let with = |reading: Reading| Segment { reading, ..good };
        for odd in [
            segment(0, 1),
            segment(i32::MIN, 70_000),
            segment(i32::MIN, SET | 1),
            with(Reading {
                workers: 70_000,
                ..good.reading
            }),
            with(Reading {
                members: 70_000,
                ..good.reading
            }),
        ] {
            assert_eq!(Shape::of(&[odd], |_| true), None, "{odd:?}");
        }
        for day in [i32::MIN, EPOCH, EPOCH + 65_535, i32::MAX] {
            assert_eq!(Shape::of(&[good, segment(day, 1)], |_| true), None, "{day}");
        }
        assert!(
            Shape::of(&[good, segment(EPOCH + 1, 1), segment(EPOCH + 65_534, 1)], |_| {
                true
            })
            .is_some()
        );
    }

    #[test]
    fn slots_are_used_again_and_move_with_what_is_before_them() {
        let mut block = block();
        let slot = block.insert(&[segment(i32::MIN, 5), segment(40, 6)]);
        block.write(1, &[segment(i32::MIN, 7), segment(50, 8), segment(60, 9)]);
        assert_eq!(block.at(slot, 41).map(|found| found.reading.profile), Some(6));
        assert_eq!(block.at(1, 55), Some(segment(50, 8)));
        let version = block.version();
        block.write(1, &[segment(i32::MIN, 7), segment(50, 8), segment(60, 9)]);
        assert_eq!(block.version(), version, "the same segments");
        block.write(1, &[segment(i32::MIN, 7), segment(50, 8), segment(61, 9)]);
        assert_ne!(block.version(), version, "another day");
        block.remove(0);
        assert_eq!(block.at(1, 49), Some(segment(i32::MIN, 7)));
        assert_eq!(block.insert(&[segment(i32::MIN, 1)]), 0);
        assert_eq!((block.at(0, 9), block.len()), (Some(segment(i32::MIN, 1)), 6));
    }
}
