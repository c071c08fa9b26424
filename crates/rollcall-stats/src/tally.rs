//! What a scan found: how many organisations count in which way in which row at which date.
//! Owns the counts and how parts of a scan are put together; what they mean is left to `sums` and `layout`.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::plan::Plan;
use crate::union_tally::UnionTally;

/// Organisations that count in one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) organisations: i64,
    /// Of them, those in scope whose federation has not been heard.
    pub(crate) unheard: i64,
    /// Workers that count in the membership rates.
    pub(crate) workers: i64,
    /// Members that count in them.
    pub(crate) members: i64,
}

impl Cell {
    pub(crate) fn add(&mut self, other: &Self) {
        self.organisations += other.organisations;
        self.unheard += other.unheard;
        self.workers += other.workers;
        self.members += other.members;
    }

    pub(crate) fn take(&mut self, other: &Self) {
        self.organisations -= other.organisations;
        self.unheard -= other.unheard;
        self.workers -= other.workers;
        self.members -= other.members;
    }

    /// Adds an organisation to a span of dates, of which sums along the dates give the counts: `unheard_from` is the
    /// first date at which it counts as not heard.
    pub(crate) fn add_span(
        cells: &mut [Self],
        mut one: Self,
        (from, to): (usize, usize),
        unheard_from: usize,
    ) {
        let unheard = std::mem::take(&mut one.unheard);
        cells[from].add(&one);
        if let Some(end) = cells.get_mut(to) {
            end.take(&one);
        }
        if unheard_from.max(from) < to {
            cells[unheard_from.max(from)].unheard += unheard;
            if let Some(end) = cells.get_mut(to) {
                end.unheard -= unheard;
            }
        }
    }

    pub(crate) fn sum_along(cells: &mut [Self]) {
        for date in 1..cells.len() {
            let before = cells[date - 1];
            cells[date].add(&before);
        }
    }
}

/// Counts by row part of the place and target, sorted; for each as many cells as there are dates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    pub(crate) keys: Vec<(u32, u32)>,
    pub(crate) cells: Vec<Cell>,
}

impl Found {
    /// Whether the last row part of this is also the first of another.
    fn shares_row_part(&self, next: &Self) -> bool {
        let (last, first) = (self.keys.last(), next.keys.first());
        last.zip(first).is_some_and(|(last, first)| last.0 == first.0)
    }

    /// Adds what comes after everything known, or belongs to the last key.
    pub(crate) fn push(&mut self, key: (u32, u32), cells: &[Cell]) {
        if self.keys.last() == Some(&key) {
            let start = self.cells.len() - cells.len();
            for (known, cell) in self.cells[start..].iter_mut().zip(cells) {
                known.add(cell);
            }
        } else {
            self.keys.push(key);
            self.cells.extend_from_slice(cells);
        }
    }

    fn merge(self, other: Self, width: usize) -> Self {
        let mut merged = Self::default();
        let mut mine = self.keys.iter().zip(self.cells.chunks_exact(width)).peekable();
        let mut theirs = other.keys.iter().zip(other.cells.chunks_exact(width)).peekable();
        loop {
            let order = match (mine.peek(), theirs.peek()) {
                (Some((one, _)), Some((another, _))) => one.cmp(another),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return merged,
            };
            let next = if order == Ordering::Greater {
                theirs.next()
            } else {
                mine.next()
            };
            let (key, cells) = next.expect("just looked at");
            merged.push(*key, cells);
        }
    }
}

/// What the scan found.
#[derive(Debug)]
pub(crate) struct Tally {
    /// In pieces: the row parts of one come before those of the next.
    pub(crate) found: Vec<Found>,
    /// Organisations that other federations were responsible for before, found outside their row part.
    pub(crate) strays: Found,
    /// Organisations in scope by place and date.
    pub(crate) in_scope_by_place: Vec<i64>,
    pub(crate) unions: UnionTally,
    /// Organisations in open conflict: how many have this set of readings, by date.
    pub(crate) conflicts: HashMap<u32, Vec<i64>>,
}

impl Tally {
    pub(crate) fn new(plan: &Plan, unions: usize) -> Self {
        Self {
            found: Vec::new(),
            strays: Found::default(),
            in_scope_by_place: vec![0; plan.place_row.len() * plan.dates.len()],
            unions: UnionTally::new(unions),
            conflicts: HashMap::new(),
        }
    }

    /// What another part of the scan found, whose row parts do not come before those of this, put to this.
    pub(crate) fn merge(mut self, other: Self, plan: &Plan) -> Self {
        let width = plan.dates.len();
        for piece in other.found {
            match self.found.last_mut().filter(|last| last.shares_row_part(&piece)) {
                Some(last) => *last = std::mem::take(last).merge(piece, width),
                None => self.found.push(piece),
            }
        }
        self.strays = self.strays.merge(other.strays, width);
        add_all(&mut self.in_scope_by_place, &other.in_scope_by_place);
        self.unions.merge(other.unions);
        for (set, dates) in other.conflicts {
            add_all(
                self.conflicts.entry(set).or_insert_with(|| vec![0; width]),
                &dates,
            );
        }
        self
    }

    /// One of the dates, given by its index, in a coarser plan: what a scan for that would find, whose question differs
    /// only in the date and in being asked by fewer dimensions.
    pub(crate) fn within(&self, plan: &Plan, coarser: &Plan, date: usize) -> Self {
        let (width, within) = (plan.dates.len(), plan.within(coarser));
        // Row parts stand together in what was found, so that most is summed up before anything is put in order.
        let mut sums = vec![Cell::default(); coarser.targets.len()];
        let mut cells: Vec<((u32, u32), Cell)> = Vec::new();
        let mut put = |sums: &mut [Cell], place: u32| {
            let counted = (0..).zip(sums).filter(|(_, sum)| sum.organisations > 0);
            cells.extend(counted.map(|(target, sum)| ((place, target), std::mem::take(sum))));
        };
        let mut at = 0;
        for found in self.found.iter().chain([&self.strays]) {
            let of_date = found.cells.iter().skip(date).step_by(width);
            for (key, cell) in found.keys.iter().zip(of_date) {
                let (place, target) = within.key(*key);
                if place != at {
                    put(&mut sums, at);
                    at = place;
                }
                sums[target as usize].add(cell);
            }
        }
        put(&mut sums, at);
        cells.sort_unstable_by_key(|(key, _)| *key);
        let mut found = Found::default();
        for (key, cell) in cells {
            found.push(key, &[cell]);
        }
        Self {
            found: vec![found],
            strays: Found::default(),
            in_scope_by_place: self
                .in_scope_by_place
                .iter()
                .skip(date)
                .step_by(width)
                .copied()
                .collect(),
            unions: self.unions.within(date, |row| within.row(row)),
            conflicts: self
                .conflicts
                .iter()
                .filter(|(_, dates)| dates[date] > 0)
                .map(|(set, dates)| (*set, vec![dates[date]]))
                .collect(),
        }
    }
}

fn add_all(mine: &mut [i64], theirs: &[i64]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        *mine += theirs;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(keys: &[(u32, u32)]) -> Found {
        let mut found = Found::default();
        for key in keys {
            let one = Cell {
                organisations: 1,
                ..Cell::default()
            };
            found.push(*key, &[one, one]);
        }
        found
    }

    #[test]
    fn parts_are_put_together_key_by_key() {
        for (one, other, keys, counts) in [
            (&[][..], &[(0, 1)][..], &[(0, 1)][..], &[1][..]),
            (
                &[(0, 1), (1, 0)],
                &[(1, 0), (1, 2)],
                &[(0, 1), (1, 0), (1, 2)],
                &[1, 2, 1],
            ),
            (
                &[(5, 0)],
                &[(0, 3), (5, 0), (6, 0)],
                &[(0, 3), (5, 0), (6, 0)],
                &[1, 2, 1],
            ),
        ] {
            let merged = found(one).merge(found(other), 2);
            assert_eq!(merged.keys, keys);
            let organisations: Vec<i64> = merged
                .cells
                .chunks_exact(2)
                .map(|cells| cells[1].organisations)
                .collect();
            assert_eq!(organisations, counts);
        }
    }

    #[test]
    fn a_span_counts_from_its_first_date_to_before_its_end_and_is_unheard_from_a_date_on() {
        let mut cells = vec![Cell::default(); 4];
        let one = Cell {
            organisations: 1,
            unheard: 1,
            workers: 7,
            members: 3,
        };
        Cell::add_span(&mut cells, one, (1, 3), 2);
        Cell::add_span(&mut cells, one, (0, 4), 4);
        Cell::sum_along(&mut cells);
        let counts: Vec<_> = cells
            .iter()
            .map(|cell| (cell.organisations, cell.unheard, cell.workers))
            .collect();
        assert_eq!(counts, [(1, 0, 7), (2, 0, 14), (2, 1, 14), (1, 0, 7)]);
    }
}
