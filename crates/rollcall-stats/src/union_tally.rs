//! Which unions cover somebody in which row at which dates, each once, however many they cover there.
//! Owns the table; which form a union has and how many there are of each is counted in `around`.

use crate::cube::segment::NONE;

/// Dates that fit one mask.
pub(crate) const DATES_MAX: usize = 32;

/// Dates `from..to` as bits.
pub(crate) fn mask(from: usize, to: usize) -> u32 {
    let below = |date: usize| (1_u64 << date) - 1;
    (below(to) & !below(from)) as u32
}

/// Rows and dates of every union.
#[derive(Debug, Default)]
pub(crate) struct UnionTally {
    /// The first row in which each union covers somebody, with the dates: mostly there is no other. Empty where few are
    /// counted, so that all unions are not gone through for them.
    first: Vec<(u32, u32)>,
    /// The other rows: row, union, dates.
    others: Vec<(u32, u32, u32)>,
    /// Others of the row part at hand, not yet in order.
    fresh: Vec<(u32, u32, u32)>,
}

impl UnionTally {
    pub(crate) fn new(unions: usize) -> Self {
        Self {
            first: vec![(NONE, 0); unions],
            ..Self::default()
        }
    }

    /// Counts a union as covering somebody in a row at the dates of a mask.
    pub(crate) fn count(&mut self, union: u32, row: u32, dates: u32) {
        match self.first.get_mut(union as usize) {
            Some(first) if first.0 == row => first.1 |= dates,
            Some(first) if first.0 == NONE => *first = (row, dates),
            _ => match self.fresh.last_mut() {
                Some(last) if (last.0, last.1) == (row, union) => last.2 |= dates,
                _ => self.fresh.push((row, union, dates)),
            },
        }
    }

    /// Puts what was counted since the last time in order; rows of a part that is done are few and still at hand.
    pub(crate) fn settle(&mut self) {
        self.fresh.sort_unstable();
        self.fresh.dedup_by(put_together);
        self.others.append(&mut self.fresh);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (union, (row, dates)) in (0..).zip(other.first) {
            if row != NONE {
                self.count(union, row, dates);
            }
        }
        for (row, union, dates) in other.others.into_iter().chain(other.fresh) {
            self.count(union, row, dates);
        }
    }

    /// One of the dates, given by its index, with other rows in the place of those counted in.
    pub(crate) fn within(&self, date: usize, row_of: impl Fn(u32) -> u32) -> Self {
        let date = mask(date, date + 1);
        let one = |(row, dates): &(u32, u32)| {
            if dates & date == 0 {
                (NONE, 0)
            } else {
                (row_of(*row), 1)
            }
        };
        let mut tally = Self {
            first: self.first.iter().map(one).collect(),
            ..Self::default()
        };
        for (row, union, dates) in self.others.iter().chain(&self.fresh) {
            if dates & date != 0 {
                tally.count(*union, row_of(*row), 1);
            }
        }
        tally
    }

    /// Puts everything counted in order, for `each`.
    pub(crate) fn finish(&mut self) {
        self.settle();
        // Runs that are in order already are taken as they are by the stable sort.
        self.others.sort();
        self.others.dedup_by(put_together);
    }

    /// Calls `found` once for each union and row with the dates at which it covers somebody there, once `finish` has
    /// been called.
    pub(crate) fn each(&self, mut found: impl FnMut(u32, u32, u32)) {
        for (union, (row, dates)) in (0..).zip(&self.first) {
            if *row != NONE {
                found(union, *row, *dates);
            }
        }
        for (row, union, dates) in &self.others {
            found(*union, *row, *dates);
        }
    }
}

/// Puts the dates of an entry to those of the one before it, if both are of one row and union.
fn put_together(next: &mut (u32, u32, u32), kept: &mut (u32, u32, u32)) -> bool {
    let same = (next.0, next.1) == (kept.0, kept.1);
    if same {
        kept.2 |= next.2;
    }
    same
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_union_is_found_once_in_each_of_its_rows() {
        let mut tally = UnionTally::new(3);
        tally.count(0, 5, mask(0, 1));
        tally.count(0, 6, mask(1, 2));
        tally.count(0, 5, mask(3, 32));
        let mut other = UnionTally::new(3);
        other.count(0, 6, mask(0, 1));
        other.count(2, 5, mask(0, 32));
        other.count(0, 5, mask(1, 2));
        tally.settle();
        tally.merge(other);
        tally.finish();
        let read = |tally: &UnionTally| {
            let mut read = BTreeMap::new();
            tally.each(|union, row, dates| assert!(read.insert((union, row), dates).is_none()));
            read
        };
        let expected = BTreeMap::from([((0, 5), !0b100), ((0, 6), 0b11), ((2, 5), u32::MAX)]);
        assert_eq!(read(&tally), expected);
    }

    #[test]
    fn in_coarser_rows_each_union_is_found_once() {
        let mut tally = UnionTally::new(3);
        let mut few = UnionTally::new(0);
        for (union, row, date) in [(0, 5, 0), (0, 6, 0), (2, 6, 1), (2, 5, 0), (0, 8, 0), (0, 6, 1)] {
            tally.count(union, row, mask(date, date + 1));
            few.count(union, row, mask(date, date + 1));
        }
        for tally in [tally, few] {
            for (date, expected) in [
                (0, vec![(0, 1), (0, 2), (2, 1)]),
                (1, vec![(0, 1), (2, 1)]),
                (2, vec![]),
            ] {
                let mut read = Vec::new();
                let mut coarser = tally.within(date, |row| row / 4);
                coarser.finish();
                coarser.each(|union, row, dates| {
                    assert_eq!(dates, 1);
                    read.push((union, row));
                });
                read.sort_unstable();
                assert_eq!(read, expected, "{date}");
            }
        }
    }

    #[test]
    fn it_does_not_matter_whether_every_union_has_a_place_of_its_own() {
        let (mut all, mut few) = (UnionTally::new(40), UnionTally::new(0));
        let mut number = 7_u32;
        for round in 0..6 {
            let (mut more, mut less) = (UnionTally::new(40), UnionTally::new(0));
            for _ in 0..300 {
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (union, row, date) = (number >> 16 & 31, number >> 21 & 15, (number >> 25) as usize % 24);
                more.count(union, row, mask(date, date + 1));
                less.count(union, row, mask(date, date + 1));
                if row == 0 {
                    more.settle();
                    less.settle();
                }
            }
            all.merge(more);
            few.merge(less);
            let read = |tally: &UnionTally| {
                let mut read = BTreeMap::new();
                tally.each(|union, row, dates| assert!(read.insert((union, row), dates).is_none()));
                read
            };
            all.finish();
            few.finish();
            assert_eq!(read(&all), read(&few), "{round}");
        }
    }
}
