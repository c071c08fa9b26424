//! One pass over the columns for one or several dates: how many organisations count in which way in which row.
//! Owns the scan and its threads; leaves what the counts mean to `bounds` and `query`.
//!
//! A segment covers a span of the dates asked for: it is added where the span begins and taken off where it ends,
//! and sums along the dates give the counts. So a series costs little more than one date.

use std::collections::HashMap;

use crate::cube::Cube;
use crate::cube::segment::{Hot, NONE, Profile, Reading, SET};

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
    unheard: Unheard,
    /// The first row in which each union covers somebody, by union and date: mostly there is no other.
    first_row: Vec<u32>,
    /// The other rows: union and date as an index of `first_row`, row.
    other_rows: Vec<(u32, u32)>,
    /// Organisations in open conflict: how many have this set of readings, by date.
    pub(crate) conflicts: HashMap<u32, Vec<i64>>,
}

#[derive(Debug)]
enum Unheard {
    Dense(Vec<i64>),
    Sparse(HashMap<usize, Vec<i64>>),
}

#[derive(Debug)]
enum Cells {
    Dense(Vec<Cell>),
    Sparse(HashMap<usize, Vec<Cell>>),
}

impl Tally {
    /// Scans all organisations once for several plans; one tally each.
    pub(crate) fn take(cube: &Cube, plans: &[&Plan]) -> Vec<Self> {
        let len = cube.segments.len();
        let mut tallies = if len < THREAD_MIN {
            scan(cube, plans, 0..len)
        } else {
            let parts: Vec<Vec<Self>> = std::thread::scope(|scope| {
                let part = len.div_ceil(THREADS);
                let handles: Vec<_> = (0..THREADS)
                    .map(|number| (number * part).min(len)..((number + 1) * part).min(len))
                    .map(|numbers| scope.spawn(move || scan(cube, plans, numbers)))
                    .collect();
                let join = |handle: std::thread::ScopedJoinHandle<'_, Vec<Self>>| {
                    handle
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                };
                handles.into_iter().map(join).collect()
            });
            let merge = |mine: Vec<Self>, theirs: Vec<Self>| {
                mine.into_iter()
                    .zip(theirs)
                    .map(|(mine, theirs)| mine.merge(theirs))
                    .collect()
            };
            parts.into_iter().reduce(merge).unwrap_or_default()
        };
        for (tally, plan) in tallies.iter_mut().zip(plans) {
            tally.sum_along_dates(plan.dates.len());
        }
        tallies
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
            unheard: if dense <= CELLS_DENSE_MAX {
                Unheard::Dense(vec![0; plan.rows() * width])
            } else {
                Unheard::Sparse(HashMap::new())
            },
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
        match &self.unheard {
            Unheard::Dense(counts) => counts.get(row * self.width + date).copied().unwrap_or(0),
            Unheard::Sparse(counts) => counts.get(&row).map_or(0, |dates| dates[date]),
        }
    }

    fn cells_mut(&mut self, index: usize) -> &mut [Cell] {
        let width = self.width;
        match &mut self.cells {
            Cells::Dense(cells) => &mut cells[index * width..(index + 1) * width],
            Cells::Sparse(cells) => cells.entry(index).or_insert_with(|| vec![Cell::default(); width]),
        }
    }

    /// Counts one segment over the dates `from..to`. A profile without a target is a set of readings.
    #[expect(
        clippy::too_many_arguments,
        reason = "the inner loop of every scan; a struct would be built per call"
    )]
    fn count_segment(
        &mut self,
        cube: &Cube,
        plan: &Plan,
        target: Option<Target>,
        segment: &Hot,
        position: usize,
        from: usize,
        to: usize,
    ) {
        let Hot { place, profile, .. } = *segment;
        let Some(target) = target else {
            let width = self.width;
            let counts = self
                .conflicts
                .entry(profile & !SET)
                .or_insert_with(|| vec![0; width]);
            counts[from] += 1;
            counts[to] -= 1;
            return;
        };
        if target.in_scope {
            self.count_in_scope(place, from, to);
        }
        let place_row = plan.place_row[place as usize];
        if place_row == NONE || target.row == NONE {
            return;
        }
        let row = place_row as usize * plan.profile_rows + target.row as usize;
        let cell = row * plan.classes.len() + target.class as usize;
        if !target.in_scope {
            self.count(
                cell,
                &Cell {
                    organisations: 1,
                    workers: 0,
                    members: 0,
                },
                from,
                to,
            );
            return;
        }
        let rest = cube.segments.rest(position);
        let (workers, members) = (i64::from(rest.workers), i64::from(rest.members));
        self.count(
            cell,
            &Cell {
                organisations: 1,
                workers,
                members,
            },
            from,
            to,
        );
        self.count_unheard(row, from.max(plan.unheard_from[place as usize] as usize), to);
        if rest.cover != NONE {
            let (single, dates) = ([rest.cover], plan.dates.len());
            for union in covering(cube, rest.cover, &single) {
                for date in from..to {
                    self.count_union(dates, date, row, *union);
                }
            }
        }
    }

    /// Counts organisations of one row and class over the dates `from..to`.
    fn count(&mut self, index: usize, cell: &Cell, from: usize, to: usize) {
        let cells = self.cells_mut(index);
        cells[from].add(cell);
        cells[to].take(cell);
    }

    fn count_in_scope(&mut self, place: u32, from: usize, to: usize) {
        let place = place as usize * self.width;
        self.in_scope_by_place[place + from] += 1;
        self.in_scope_by_place[place + to] -= 1;
    }

    /// Counts organisations of a place after the scan.
    pub(crate) fn add_in_scope(&mut self, place: u32, date: usize, organisations: i64) {
        self.in_scope_by_place[place as usize * self.width + date] += organisations;
    }

    fn count_unheard(&mut self, row: usize, from: usize, to: usize) {
        if from < to {
            let width = self.width;
            let dates = match &mut self.unheard {
                Unheard::Dense(counts) => &mut counts[row * width..(row + 1) * width],
                Unheard::Sparse(counts) => counts.entry(row).or_insert_with(|| vec![0; width]),
            };
            dates[from] += 1;
            dates[to] -= 1;
        }
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
        match (&mut self.unheard, other.unheard) {
            (Unheard::Dense(mine), Unheard::Dense(theirs)) => add_all(mine, &theirs),
            (Unheard::Sparse(mine), Unheard::Sparse(theirs)) => {
                for (key, dates) in theirs {
                    add_all(mine.entry(key).or_insert_with(|| vec![0; dates.len()]), &dates);
                }
            }
            (Unheard::Dense(_), Unheard::Sparse(_)) | (Unheard::Sparse(_), Unheard::Dense(_)) => {
                unreachable!("both parts are made from one plan")
            }
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
        match &mut self.unheard {
            Unheard::Dense(counts) => counts.chunks_exact_mut(dates + 1).for_each(sum),
            Unheard::Sparse(counts) => counts.values_mut().for_each(|counts| sum(counts)),
        }
        self.conflicts.values_mut().for_each(|counts| sum(counts));
    }
}

fn add_all(mine: &mut [i64], theirs: &[i64]) {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        *mine += theirs;
    }
}

fn scan(cube: &Cube, plans: &[&Plan], numbers: std::ops::Range<u32>) -> Vec<Tally> {
    let mut parts: Vec<(&Plan, Vec<Target>, Tally)> = plans
        .iter()
        .map(|plan| (*plan, targets(plan), Tally::new(plan, cube.unions.len())))
        .collect();
    for number in numbers {
        let (hot, first) = cube.segments.hot(number);
        for (plan, targets, tally) in &mut parts {
            for_spans(hot, &plan.dates, |position, from, to| {
                let segment = &hot[position];
                let target = targets.get(segment.profile as usize).copied();
                tally.count_segment(cube, plan, target, segment, first + position, from, to);
            });
        }
    }
    parts.into_iter().map(|(_, _, tally)| tally).collect()
}

/// Where the segments of a profile are counted, but for the place.
#[derive(Debug, Clone, Copy)]
struct Target {
    /// Row part, or [`NONE`].
    row: u32,
    class: u32,
    in_scope: bool,
}

fn targets(plan: &Plan) -> Vec<Target> {
    let rows = plan.profile_row.iter().zip(&plan.class);
    rows.map(|(row, class)| {
        let in_scope = plan.classes[*class as usize].in_scope();
        Target {
            row: *row,
            class: *class,
            in_scope,
        }
    })
    .collect()
}

/// The unions behind a cover.
pub(crate) fn covering<'a>(cube: &'a Cube, cover: u32, single: &'a [u32; 1]) -> &'a [u32] {
    if cover == NONE {
        &[]
    } else if cover & SET != 0 {
        cube.covers.value(cover & !SET)
    } else {
        single
    }
}

/// Calls `found` with the position of each segment that holds at some of the dates, and the span of their indices.
pub(crate) fn for_spans(segments: &[Hot], dates: &[i32], mut found: impl FnMut(usize, usize, usize)) {
    let mut to = dates.len();
    for (position, segment) in segments.iter().enumerate().rev() {
        let mut from = to;
        while from > 0 && dates[from - 1] >= segment.from {
            from -= 1;
        }
        if from < to {
            found(position, from, to);
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
        let segments = [i32::MIN, 10, 20, 30].map(|from| Hot {
            from,
            place: 0,
            profile: 0,
        });
        let mut spans = Vec::new();
        for_spans(&segments, &[5, 10, 12, 29, 31], |position, from, to| {
            spans.push((position, from, to))
        });
        assert_eq!(spans, [(3, 4, 5), (2, 3, 4), (1, 1, 3), (0, 0, 1)]);
    }
}
