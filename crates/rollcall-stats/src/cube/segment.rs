//! The states of all organisations: per organisation a few segments of days in which it counts in one way, kept in
//! blocks by place. Owns where each one stands and moves it when its shape changes; the columns are in `block`, what
//! a segment says is computed in `establishment`.

use std::collections::HashMap;

use super::block::{Block, Shape, grow};

/// No number.
pub(crate) const NONE: u32 = u32::MAX;
/// Marks a number that means a set instead of one thing.
pub(crate) const SET: u32 = 1 << 31;

/// One way of counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Reading {
    /// Number of the responsible federation.
    pub(crate) place: u32,
    /// Number of the profile.
    pub(crate) profile: u32,
    /// Number of the covering union, of a set of them (with [`SET`]), or [`NONE`].
    pub(crate) cover: u32,
    /// Workers that count in the membership rates.
    pub(crate) workers: u32,
    /// Members that count in the membership rates.
    pub(crate) members: u32,
}

/// How an organisation counts from a day on. With [`SET`] in `profile` it is in open conflict, and the rest of the
/// number is that of a [`Readings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// First day; the first segment begins with the first day of all.
    pub(crate) from: i32,
    pub(crate) reading: Reading,
}

/// The ways in which an organisation in open conflict may count, sorted by content.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Readings {
    pub(crate) options: Box<[Reading]>,
    /// Too many to try: everything is possible.
    pub(crate) all: bool,
}

/// Where an organisation's segments are.
#[derive(Debug, Clone, Copy)]
struct Home {
    /// Number of the block, or [`NONE`]: among the odd ones, or nowhere.
    block: u32,
    slot: u32,
}

const NOWHERE: Home = Home {
    block: NONE,
    slot: NONE,
};

/// Segments of all organisations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Segments {
    homes: Vec<Home>,
    blocks: Vec<Block>,
    /// The block of a shape that last had room.
    open: HashMap<Shape, u32>,
    /// Of organisations in open conflict, and those that no column is wide enough for.
    odd: Vec<Box<[Segment]>>,
    odd_free: Vec<u32>,
}

impl Segments {
    /// The segment that holds on a day.
    pub(crate) fn at(&self, number: u32, day: i32) -> Option<Segment> {
        let home = self.homes.get(number as usize)?;
        if let Some(block) = self.blocks.get(home.block as usize) {
            return block.at(home.slot, day);
        }
        let segments = self.odd.get(home.slot as usize)?;
        segments.iter().rev().find(|segment| segment.from <= day).copied()
    }

    /// Organisations.
    pub(crate) fn len(&self) -> u32 {
        self.homes.len() as u32
    }

    /// Segments in use.
    pub(crate) fn segments(&self) -> usize {
        let odd = self.odd.iter().map(|segments| segments.len());
        self.blocks.iter().map(Block::len).chain(odd).sum()
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// What is in no block.
    pub(crate) fn odd(&self) -> &[Box<[Segment]>] {
        &self.odd
    }

    /// Puts an organisation's segments in the place of those it had; `in_scope` tells of a profile whether its workers,
    /// members and covers count.
    pub(crate) fn replace(&mut self, number: u32, segments: &[Segment], in_scope: impl Fn(u32) -> bool) {
        let index = number as usize;
        if self.homes.len() <= index {
            let more = index + 1 - self.homes.len();
            grow(&mut self.homes, more);
            self.homes.resize(index + 1, NOWHERE);
        }
        let shape = Shape::of(segments, in_scope);
        let home = self.homes[index];
        let known = self.blocks.get_mut(home.block as usize);
        if let Some(block) = known {
            if shape == Some(block.shape) {
                block.write(home.slot, segments);
                return;
            }
            block.remove(home.slot);
            self.open.insert(block.shape, home.block);
        } else if home.slot != NONE {
            self.odd[home.slot as usize] = Box::default();
            self.odd_free.push(home.slot);
        }
        self.homes[index] = match shape {
            Some(shape) => self.insert(shape, segments),
            None => self.insert_odd(segments),
        };
    }

    fn insert(&mut self, shape: Shape, segments: &[Segment]) -> Home {
        let open = self.open.get(&shape).copied();
        let block = open.filter(|block| !self.blocks[*block as usize].is_full());
        let block = block.unwrap_or_else(|| {
            self.blocks.push(Block::new(shape));
            self.blocks.len() as u32 - 1
        });
        self.open.insert(shape, block);
        let slot = self.blocks[block as usize].insert(segments);
        Home { block, slot }
    }

    fn insert_odd(&mut self, segments: &[Segment]) -> Home {
        if segments.is_empty() {
            return NOWHERE;
        }
        let slot = self.odd_free.pop().unwrap_or_else(|| {
            self.odd.push(Box::default());
            self.odd.len() as u32 - 1
        });
        self.odd[slot as usize] = segments.into();
        Home { block: NONE, slot }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(from: i32, place: u32, workers: u32) -> Segment {
        Segment {
            from,
            reading: Reading {
                place,
                profile: u32::from(workers > 0),
                cover: NONE,
                workers,
                members: 0,
            },
        }
    }

    #[test]
    fn organisations_are_found_wherever_their_shape_puts_them() {
        let mut segments = Segments::default();
        let mut replace = |number: u32, of: &[Segment]| {
            segments.replace(number, of, |profile| profile == 1);
            let at = |day: i32| segments.at(number, day).map(|found| found.reading);
            for (index, segment) in of.iter().enumerate() {
                let until = of.get(index + 1).map_or(i32::MAX, |next| next.from - 1);
                assert_eq!(at(segment.from), Some(segment.reading), "{number} {of:?}");
                assert_eq!(at(until), Some(segment.reading), "{number} {of:?}");
            }
        };
        for number in 0..10_000 {
            replace(
                number,
                &[
                    segment(i32::MIN, number % 3, 0),
                    segment(number as i32, number % 3, 0),
                ],
            );
        }
        for number in (0..10_000).step_by(7) {
            // In scope; moved; too many workers for a column; and back.
            replace(
                number,
                &[segment(i32::MIN, number % 3, 0), segment(9, number % 3, 5)],
            );
            replace(
                number,
                &[segment(i32::MIN, 2, 0), segment(9, 1, 5), segment(19, 0, 6)],
            );
            replace(number, &[segment(i32::MIN, 2, 70_000)]);
            replace(
                number,
                &[segment(i32::MIN, number % 3, 0), segment(8, number % 3, 0)],
            );
        }
        assert_eq!((segments.len(), segments.segments()), (10_000, 20_000));
        assert!(segments.odd.len() <= 1, "room of odd ones is used again");
        assert_eq!(segments.at(10_000, 0), None);
        segments.replace(3, &[], |_| false);
        assert_eq!(segments.at(3, 0), None);
    }
}
