//! Which unions cover somebody in which row at which dates, each once, however many they cover there.
//! Owns the table; which form a union has and how many there are of each is counted in `layout`.

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
    /// The first row in which each union covers somebody, with the dates: mostly there is no other.
    first: Vec<(u32, u32)>,
    /// The other rows: union, row, dates.
    others: Vec<(u32, u32, u32)>,
}

impl UnionTally {
    pub(crate) fn new(unions: usize) -> Self {
        Self {
            first: vec![(NONE, 0); unions],
            others: Vec::new(),
        }
    }

    /// Counts a union as covering somebody in a row at the dates of a mask.
    pub(crate) fn count(&mut self, union: u32, row: u32, dates: u32) {
        let first = &mut self.first[union as usize];
        if first.0 == row {
            first.1 |= dates;
        } else if first.0 == NONE {
            *first = (row, dates);
        } else {
            match self.others.last_mut() {
                Some(last) if (last.0, last.1) == (union, row) => last.2 |= dates,
                _ => self.others.push((union, row, dates)),
            }
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (union, (row, dates)) in (0..).zip(other.first) {
            if row != NONE {
                self.count(union, row, dates);
            }
        }
        for (union, row, dates) in other.others {
            self.count(union, row, dates);
        }
    }

    /// The same with row 0 in the place of every row.
    pub(crate) fn in_one_row(&self) -> Self {
        let first = self
            .first
            .iter()
            .map(|(row, dates)| if *row == NONE { (NONE, 0) } else { (0, *dates) });
        let mut tally = Self {
            first: first.collect(),
            others: Vec::new(),
        };
        for (union, _, dates) in &self.others {
            tally.count(*union, 0, *dates);
        }
        tally
    }

    /// Calls `found` once for each union and row with the dates at which it covers somebody there.
    pub(crate) fn each(&self, mut found: impl FnMut(u32, usize, u32)) {
        let mut others = self.others.clone();
        others.sort_unstable();
        for (union, (row, dates)) in (0..).zip(&self.first) {
            if *row != NONE {
                found(union, *row as usize, *dates);
            }
        }
        for same in others.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
            let (union, row, _) = same[0];
            found(
                union,
                row as usize,
                same.iter().fold(0, |all, (_, _, dates)| all | dates),
            );
        }
    }
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
        tally.merge(other);
        let read = |tally: &UnionTally| {
            let mut read = BTreeMap::new();
            tally.each(|union, row, dates| assert!(read.insert((union, row), dates).is_none()));
            read
        };
        let expected = BTreeMap::from([((0, 5), !0b100), ((0, 6), 0b11), ((2, 5), u32::MAX)]);
        assert_eq!(read(&tally), expected);
        assert_eq!(
            read(&tally.in_one_row()),
            BTreeMap::from([((0, 0), !0b100), ((2, 0), u32::MAX)])
        );
    }
}
