//! One pass over the columns for one or several dates: how many organisations count in which way in which row.
//! Owns the scan and its threads; leaves what the counts mean to `bounds` and `query`.
//!
//! A segment covers a span of the dates asked for: it is added where the span begins and taken off where it ends,
//! and sums along the dates give the counts. So a series costs little more than one date.

use std::collections::HashMap;

use crate::cube::Cube;
use crate::cube::segment::{NONE, Profile, Reading, SET, Segment};

/// Dense cells up to this number; beyond, only those that occur are kept.
const CELLS_DENSE_MAX: usize = 2_000_000;
/// Fewer organisations than this are scanned on one thread.
const THREAD_MIN: u32 = 20_000;
const THREADS: u32 = 2;

/// Where the scan puts what it finds.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Day numbers, ascending, distinct.
    pub(crate) dates: Vec<i32>,
    /// Row part of each place, or [`NONE`] where the question leaves it out.
    pub(crate) place_row: Vec<u32>,
    pub(crate) place_rows: usize,
    /// Row part of each profile, or [`NONE`].
    pub(crate) profile_row: Vec<u32>,
    pub(crate) profile_rows: usize,
    /// What each profile contributes, as a number of `classes`.
    pub(crate) class: Vec<u32>,
    pub(crate) classes: Vec<Profile>,
    /// First date (by index) at which the place counts as not heard.
    pub(crate) unheard_from: Vec<u32>,
}

impl Plan {
    /// The row of a reading, if the question asks for it.
    pub(crate) fn row(&self, reading: &Reading) -> Option<usize> {
        let place = self.place_row[reading.place as usize];
        let profile = self.profile_row[reading.profile as usize];
        (place != NONE && profile != NONE).then(|| place as usize * self.profile_rows + profile as usize)
    }

    pub(crate) fn rows(&self) -> usize {
        self.place_rows * self.profile_rows
    }
}

/// Organisations that count in one way, with what they bring to the membership rates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) organisations: i64,
    pub(crate) workers: i64,
    pub(crate) members: i64,
}

impl Cell {
    fn add(&mut self, other: &Self) {
        self.organisations += other.organisations;
        self.workers += other.workers;
        self.members += other.members;
    }

    fn take(&mut self, other: &Self) {
        self.organisations -= other.organisations;
        self.workers -= other.workers;
        self.members -= other.members;
    }
}

/// What the scan found.
#[derive(Debug)]
pub(crate) struct Tally {
    cells: Cells,
    width: usize,
    /// Organisations in scope by place and date.
    in_scope_by_place: Vec<i64>,
    /// Of the row's organisations in scope, those not heard, by row and date.
    unheard: HashMap<usize, Vec<i64>>,
    /// The first row in which each union covers somebody, by union and date: mostly there is no other.
    first_row: Vec<u32>,
    /// The other rows: union and date as an index of `first_row`, row.
    other_rows: Vec<(u32, u32)>,
    /// Organisations in open conflict: how many have this set of readings, by date.
    pub(crate) conflicts: HashMap<u32, Vec<i64>>,
}

#[derive(Debug)]
enum Cells {
    Dense(Vec<Cell>),
    Sparse(HashMap<usize, Vec<Cell>>),
}

impl Tally {
    /// Scans all organisations.
    pub(crate) fn take(cube: &Cube, plan: &Plan) -> Self {
        let len = cube.segments.len();
        let mut tally = if len < THREAD_MIN {
            scan(cube, plan, 0, len)
        } else {
            let parts: Vec<Self> = std::thread::scope(|scope| {
                let bounds = (0..THREADS).map(|part| (len / THREADS * part, part));
                let handles: Vec<_> = bounds
                    .map(|(start, part)| {
                        let end = if part + 1 == THREADS {
                            len
                        } else {
                            len / THREADS * (part + 1)
                        };
                        scope.spawn(move || scan(cube, plan, start, end))
                    })
                    .collect();
                let join = |handle: std::thread::ScopedJoinHandle<'_, Self>| {
                    handle
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                };
                handles.into_iter().map(join).collect()
            });
            parts
                .into_iter()
                .reduce(Self::merge)
                .unwrap_or_else(|| Self::new(plan, cube.unions.len()))
        };
        tally.sum_along_dates(plan.dates.len());
        tally
    }

    fn new(plan: &Plan, unions: usize) -> Self {
        let width = plan.dates.len() + 1;
        let dense = plan.rows() * plan.classes.len() * width;
        Self {
            cells: if dense <= CELLS_DENSE_MAX {
                Cells::Dense(vec![Cell::default(); dense])
            } else {
                Cells::Sparse(HashMap::new())
            },
            width,
            in_scope_by_place: vec![0; plan.place_row.len() * width],
            unheard: HashMap::new(),
            first_row: vec![NONE; unions * plan.dates.len()],
            other_rows: Vec::new(),
            conflicts: HashMap::new(),
        }
    }

    /// The cells of one row and class, one a date; `None` where nothing counted.
    pub(crate) fn cells(&self, index: usize) -> Option<&[Cell]> {
        match &self.cells {
            Cells::Dense(cells) => cells.get(index * self.width..(index + 1) * self.width),
            Cells::Sparse(cells) => cells.get(&index).map(Vec::as_slice),
        }
    }

    /// Every row and class that may hold something.
    pub(crate) fn indices(&self) -> Vec<usize> {
        match &self.cells {
            Cells::Dense(cells) => (0..cells.len() / self.width).collect(),
            Cells::Sparse(cells) => cells.keys().copied().collect(),
        }
    }

    pub(crate) fn in_scope(&self, place: usize, date: usize) -> i64 {
        self.in_scope_by_place
            .get(place * self.width + date)
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn unheard(&self, row: usize, date: usize) -> i64 {
        self.unheard.get(&row).map_or(0, |dates| dates[date])
    }

    fn cells_mut(&mut self, index: usize) -> &mut [Cell] {
        let width = self.width;
        match &mut self.cells {
            Cells::Dense(cells) => &mut cells[index * width..(index + 1) * width],
            Cells::Sparse(cells) => cells.entry(index).or_insert_with(|| vec![Cell::default(); width]),
        }
    }

    /// Counts one reading over the dates `from..to`.
    fn count(&mut self, plan: &Plan, reading: &Reading, from: usize, to: usize) -> Option<usize> {
        let class = plan.class[reading.profile as usize] as usize;
        let in_scope = plan.classes[class].in_scope();
        if in_scope {
            let place = reading.place as usize * self.width;
            self.in_scope_by_place[place + from] += 1;
            self.in_scope_by_place[place + to] -= 1;
        }
        let row = plan.row(reading)?;
        let cell = Cell {
            organisations: 1,
            workers: i64::from(reading.workers),
            members: i64::from(reading.members),
        };
        let cells = self.cells_mut(row * plan.classes.len() + class);
        cells[from].add(&cell);
        cells[to].take(&cell);
        let unheard_from = from.max(plan.unheard_from[reading.place as usize] as usize);
        if in_scope && unheard_from < to {
            let width = self.width;
            let dates = self.unheard.entry(row).or_insert_with(|| vec![0; width]);
            dates[unheard_from] += 1;
            dates[to] -= 1;
        }
        Some(row)
    }

    /// Counts a union as covering somebody in a row.
    pub(crate) fn count_union(&mut self, dates: usize, date: usize, row: usize, union: u32) {
        self.count_union_at(union as usize * dates + date, row as u32);
    }

    fn count_union_at(&mut self, index: usize, row: u32) {
        let first = &mut self.first_row[index];
        if *first == NONE {
            *first = row;
        } else if *first != row && self.other_rows.last() != Some(&(index as u32, row)) {
            self.other_rows.push((index as u32, row));
        }
    }

    /// Calls `found` once for each date, row and union that covers somebody there.
    pub(crate) fn each_union(&self, dates: usize, mut found: impl FnMut(usize, usize, usize)) {
        for (index, row) in self.first_row.iter().enumerate().filter(|(_, row)| **row != NONE) {
            found(index % dates, *row as usize, index / dates);
        }
        let mut others = self.other_rows.clone();
        others.sort_unstable();
        others.dedup();
        for (index, row) in others
            .into_iter()
            .filter(|(index, row)| self.first_row[*index as usize] != *row)
        {
            found(index as usize % dates, row as usize, index as usize / dates);
        }
    }

    fn merge(mut self, other: Self) -> Self {
        match (&mut self.cells, other.cells) {
            (Cells::Dense(mine), Cells::Dense(theirs)) => {
                for (mine, theirs) in mine.iter_mut().zip(&theirs) {
                    mine.add(theirs);
                }
            }
            (Cells::Sparse(mine), Cells::Sparse(theirs)) => {
                for (index, cells) in theirs {
                    let known = mine
                        .entry(index)
                        .or_insert_with(|| vec![Cell::default(); cells.len()]);
                    for (mine, theirs) in known.iter_mut().zip(&cells) {
                        mine.add(theirs);
                    }
                }
            }
            (Cells::Dense(_), Cells::Sparse(_)) | (Cells::Sparse(_), Cells::Dense(_)) => {
                unreachable!("both parts are made from one plan")
            }
        }
        add_all(&mut self.in_scope_by_place, &other.in_scope_by_place);
        for (key, dates) in other.unheard {
            add_all(
                self.unheard.entry(key).or_insert_with(|| vec![0; dates.len()]),
                &dates,
            );
        }
        for (key, dates) in other.conflicts {
            add_all(
                self.conflicts.entry(key).or_insert_with(|| vec![0; dates.len()]),
                &dates,
            );
        }
        for (index, row) in other.first_row.into_iter().enumerate() {
            if row != NONE {
                self.count_union_at(index, row);
            }
        }
        self.other_rows.extend(other.other_rows);
        self
    }

    fn sum_along_dates(&mut self, dates: usize) {
        let sum_cells = |cells: &mut [Cell]| {
            for date in 1..dates {
                let before = cells[date - 1];
                cells[date].add(&before);
            }
        };
        match &mut self.cells {
            Cells::Dense(cells) if dates > 1 => cells.chunks_exact_mut(dates + 1).for_each(sum_cells),
            Cells::Dense(_) => {}
            Cells::Sparse(cells) => cells.values_mut().for_each(|cells| sum_cells(cells)),
        }
        let sum = |counts: &mut [i64]| {
            for date in 1..dates {
                counts[date] += counts[date - 1];
            }
        };
        self.in_scope_by_place.chunks_exact_mut(dates + 1).for_each(sum);
        self.unheard.values_mut().for_each(|counts| sum(counts));
        self.conflicts.values_mut().for_each(|counts| sum(counts));
    }
}

fn add_all(mine: &mut [i64], theirs: &[i64]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        *mine += theirs;
    }
}

fn scan(cube: &Cube, plan: &Plan, start: u32, end: u32) -> Tally {
    let mut tally = Tally::new(plan, cube.unions.len());
    let dates = plan.dates.len();
    for number in start..end {
        let segments = cube.segments.of(number);
        for_spans(segments, &plan.dates, |segment, from, to| {
            let reading = &segment.reading;
            if reading.profile & SET != 0 {
                let set = reading.profile & !SET;
                let counts = tally.conflicts.entry(set).or_insert_with(|| vec![0; dates + 1]);
                counts[from] += 1;
                counts[to] -= 1;
                return;
            }
            let Some(row) = tally.count(plan, reading, from, to) else {
                return;
            };
            if reading.cover == NONE {
                return;
            }
            let single = [reading.cover];
            for union in covering(cube, reading, &single) {
                for date in from..to {
                    tally.count_union(dates, date, row, *union);
                }
            }
        });
    }
    tally
}

/// The unions behind a reading's cover.
pub(crate) fn covering<'a>(cube: &'a Cube, reading: &Reading, single: &'a [u32; 1]) -> &'a [u32] {
    if reading.cover == NONE {
        &[]
    } else if reading.cover & SET != 0 {
        cube.covers.value(reading.cover & !SET)
    } else {
        single
    }
}

/// Calls `found` with each segment that holds at some of the dates, and the span of their indices.
pub(crate) fn for_spans(segments: &[Segment], dates: &[i32], mut found: impl FnMut(&Segment, usize, usize)) {
    let mut to = dates.len();
    for segment in segments.iter().rev() {
        let mut from = to;
        while from > 0 && dates[from - 1] >= segment.from {
            from -= 1;
        }
        if from < to {
            found(segment, from, to);
            to = from;
        }
        if to == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_date_falls_into_exactly_one_segment() {
        let reading = Reading {
            place: 0,
            profile: 0,
            cover: NONE,
            workers: 0,
            members: 0,
        };
        let segments = [i32::MIN, 10, 20, 30].map(|from| Segment { from, reading });
        let mut spans = Vec::new();
        for_spans(&segments, &[5, 10, 12, 29, 31], |segment, from, to| {
            spans.push((segment.from, from, to))
        });
        assert_eq!(spans, [(30, 4, 5), (20, 3, 4), (10, 1, 3), (i32::MIN, 0, 1)]);
    }
}
