//! The finished rows of one layout: what the scan found, row by row, summed up.
//! Owns which rows there are and where the counts of each stand; rows and places are numbered in `layout`, sums and
//! bounds are in `sums`, what rows say besides in `around`.

use std::collections::BTreeSet;
use std::ops::Range;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use rollcall_core::date::Day;
use rollcall_core::figure::{BoundedRate, FiguresTable, TableRow};
use rollcall_core::ratio::Ratio;

use crate::around::{Around, unions};
use crate::cube::Cube;
use crate::cube::segment::NONE;
use crate::layout::Layout;
use crate::order::order;
use crate::scan::covering;
use crate::sums::{Judged, Sums};
use crate::tally::{Found, Tally};
use crate::union_tally::mask;

/// More rows than this are written on all threads.
const THREAD_MIN: usize = 2_000;

/// Organisations in open conflict, as one row sees them.
struct Disputed {
    row: u32,
    judged: Judged,
    /// How many, by date.
    organisations: Vec<u64>,
    unheard_from: usize,
}

/// Where the counts of a row stand.
#[derive(Debug, Clone)]
struct RowCells {
    row: u32,
    /// Which piece of what was found.
    piece: u32,
    /// Which of its cells.
    cells: Range<u32>,
    /// Index of what else counts in the row, or [`NONE`].
    besides: u32,
}

/// What counts in a row besides the cells of its piece.
#[derive(Debug, Clone)]
struct Besides {
    strays: Range<usize>,
    disputed: Range<usize>,
}

/// What a tally comes to.
pub(crate) struct Answer<'a> {
    pub(crate) cube: &'a Cube,
    pub(crate) layout: &'a Layout,
    pub(crate) tally: Tally,
    /// In order of their rows.
    disputed: Vec<Disputed>,
    /// In order.
    rows: Vec<RowCells>,
    besides: Vec<Besides>,
}

impl<'a> Answer<'a> {
    /// Takes a tally as the answer to the layout's plan.
    pub(crate) fn new(cube: &'a Cube, layout: &'a Layout, tally: Tally) -> Self {
        let mut answer = Self {
            cube,
            layout,
            tally,
            disputed: Vec::new(),
            rows: Vec::new(),
            besides: Vec::new(),
        };
        answer.judge();
        answer.tally.unions.finish();
        answer.find_rows();
        answer
    }

    fn width(&self) -> usize {
        self.layout.dates.len()
    }

    /// Organisations in open conflict reach every row in which one of their readings puts them.
    fn judge(&mut self) {
        let (cube, plan, width) = (self.cube, &self.layout.plan, self.width());
        for (set, counts) in std::mem::take(&mut self.tally.conflicts) {
            let readings = cube.readings.value(set);
            let organisations: Vec<u64> = counts
                .iter()
                .map(|count| u64::try_from(*count).unwrap_or(0))
                .collect();
            let in_scope = readings
                .options
                .iter()
                .find(|reading| cube.profiles.value(reading.profile).in_scope());
            if let Some(reading) = in_scope {
                let start = reading.place as usize * width;
                for (known, count) in self.tally.in_scope_by_place[start..].iter_mut().zip(&counts) {
                    *known += count;
                }
            }
            let rows: BTreeSet<u32> = readings
                .options
                .iter()
                .filter_map(|reading| plan.row(reading))
                .collect();
            for row in rows {
                let judged = Judged::new(cube, readings, |reading| plan.row(reading) == Some(row));
                let mut unheard_from = width;
                if let Some(reading) = judged.shown {
                    if cube.profiles.value(reading.profile).in_scope() {
                        unheard_from = plan.unheard_from[reading.place as usize] as usize;
                    }
                    let dates = (0..width).filter(|date| organisations[*date] > 0);
                    let dates = dates.fold(0, |dates, date| dates | mask(date, date + 1));
                    let single = [reading.cover];
                    for union in covering(cube, reading.cover, &single) {
                        if dates != 0 && !plan.headline_only {
                            self.tally.unions.count(*union, row, dates);
                        }
                    }
                }
                self.disputed.push(Disputed {
                    row,
                    judged,
                    organisations: organisations.clone(),
                    unheard_from,
                });
            }
        }
        self.disputed.sort_by_key(|disputed| disputed.row);
    }

    /// Rows in which some organisation counts at some date, and the one row of a question that is not split.
    fn find_rows(&mut self) {
        let plan = &self.layout.plan;
        for (piece, found) in (0..).zip(&self.tally.found) {
            each_row(
                found,
                |(place, target)| plan.row_of(place, target),
                |row, cells| {
                    self.rows.push(RowCells {
                        row,
                        piece,
                        cells: cells.start as u32..cells.end as u32,
                        besides: NONE,
                    });
                },
            );
        }
        let strays = &self.tally.strays;
        let mut besides: Vec<(u32, Besides)> = Vec::new();
        each_row(
            strays,
            |(place, target)| plan.row_of(place, target),
            |row, strays| {
                besides.push((
                    row,
                    Besides {
                        strays,
                        disputed: 0..0,
                    },
                ));
            },
        );
        let mut start = 0;
        for same in self.disputed.chunk_by(|one, other| one.row == other.row) {
            let disputed = start..start + same.len();
            start = disputed.end;
            let strays = 0..0;
            besides.push((same[0].row, Besides { strays, disputed }));
        }
        // A row with strays and with conflicts is here twice, in this order.
        besides.sort_by_key(|(row, _)| *row);
        let found = self.rows.len();
        let place_of =
            |rows: &[RowCells], row: u32| rows[..found].binary_search_by_key(&row, |known| known.row);
        for same in besides.chunk_by(|one, other| one.0 == other.0) {
            let (row, mut together) = same[0].clone();
            if let Some((_, conflicts)) = same.get(1) {
                together.disputed = conflicts.disputed.clone();
            }
            let index = self.besides.len() as u32;
            self.besides.push(together);
            match place_of(&self.rows, row) {
                Ok(place) => self.rows[place].besides = index,
                Err(_) => self.rows.push(RowCells::without_cells(row, index)),
            }
        }
        if self.layout.by.is_empty() && self.rows.is_empty() {
            self.rows.push(RowCells::without_cells(0, NONE));
        }
        self.rows.sort_by_key(|row| row.row);
    }

    /// What a row sums up to on a date.
    fn sums(&self, row: &RowCells, date: usize) -> Sums {
        let width = self.width();
        let mut sums = Sums::default();
        let mut add = |found: &Found, cells: Range<usize>| {
            for index in cells {
                let (_, target) = found.keys[index];
                let class = self.layout.plan.targets[target as usize].class;
                sums.add(
                    self.cube.profiles.class_of(class),
                    &found.cells[index * width + date],
                );
            }
        };
        if let Some(found) = self.tally.found.get(row.piece as usize) {
            add(found, row.cells.start as usize..row.cells.end as usize);
        }
        if let Some(besides) = self.besides.get(row.besides as usize) {
            add(&self.tally.strays, besides.strays.clone());
            for disputed in &self.disputed[besides.disputed.clone()] {
                let organisations = disputed.organisations[date];
                if organisations > 0 {
                    let unheard = if disputed.unheard_from <= date {
                        organisations
                    } else {
                        0
                    };
                    sums.add_judged(self.cube, &disputed.judged, organisations, unheard);
                }
            }
        }
        sums
    }

    /// Whether something counts in a row on a date.
    fn counts(&self, row: &RowCells, date: usize) -> bool {
        let width = self.width();
        let mut cells = row.cells.clone();
        let found = self.tally.found.get(row.piece as usize);
        found.is_some_and(|found| {
            cells.any(|index| found.cells[index as usize * width + date].organisations > 0)
        }) || (row.besides != NONE && self.sums(row, date).any)
    }

    /// The headline alone, as one row, by date.
    pub(crate) fn headlines(&self) -> Vec<(Day, BoundedRate)> {
        let dates = self.layout.dates.iter().enumerate();
        dates
            .map(|(date, day)| (*day, self.sums(&self.rows[0], date).establishment()))
            .collect()
    }

    /// The rows, date by date, in order of their values; `dated` rows say their date.
    pub(crate) fn table(&self, dated: bool) -> FiguresTable {
        let (layout, width) = (self.layout, self.width());
        let around = Around::new(self);
        let mut rows = self.rows.clone();
        // A place that only has unions is a row as well.
        let without = around
            .places_with_unions(width)
            .map(|place| place * layout.plan.profile_rows.max(1) as u32);
        let without = without.filter(|row| self.rows.binary_search_by_key(row, |known| known.row).is_err());
        rows.extend(without.map(|row| RowCells::without_cells(row, NONE)));
        rows.sort_by_key(|row| row.row);
        let numbers: Vec<u32> = rows.iter().map(|row| row.row).collect();
        let unions = unions(self, &numbers);
        let parts: Vec<(u32, u32)> = numbers.iter().map(|row| layout.parts(*row)).collect();
        let order = order(&layout.by, &layout.place_parts, &layout.profile_parts, &parts);
        let mut wanted: Vec<(u32, u32)> = Vec::with_capacity(order.len() * width);
        for date in 0..width {
            let of_date = order.iter().filter(|index| {
                let (row, (place, _)) = (&rows[**index as usize], parts[**index as usize]);
                layout.by.is_empty() || self.counts(row, date) || around.has_unions(width, place, date)
            });
            wanted.extend(of_date.map(|index| (*index, date as u32)));
        }
        let place_rows = layout.plan.place_rows.max(1) as u32;
        let write = |(index, date): &(u32, u32)| {
            let (place, profile) = parts[*index as usize];
            let mut counts = self.sums(&rows[*index as usize], *date as usize).counts;
            counts.unions = unions[*index as usize * width + *date as usize];
            TableRow {
                place: date * place_rows + place,
                profile,
                counts,
            }
        };
        let written = if wanted.len() < THREAD_MIN {
            wanted.iter().map(write).collect()
        } else {
            wanted.par_iter().map(write).collect()
        };
        let (places, profiles) = around.parts(self, dated);
        FiguresTable::new(layout.by.clone(), places, profiles, written)
    }

    /// Group B in full on the first date, of a question that is not split.
    pub(crate) fn group_b(&self) -> Ratio {
        self.sums(&self.rows[0], 0).group_b()
    }
}

impl RowCells {
    /// A row of which nothing was found in its place.
    fn without_cells(row: u32, besides: u32) -> Self {
        Self {
            row,
            piece: NONE,
            cells: 0..0,
            besides,
        }
    }
}

/// Calls `row` once for each row of what was found, with its cells.
fn each_row(found: &Found, row_of: impl Fn((u32, u32)) -> u32, mut row: impl FnMut(u32, Range<usize>)) {
    let mut start = 0;
    while let Some(first) = found.keys.get(start) {
        let number = row_of(*first);
        let same = found.keys[start..]
            .iter()
            .take_while(|key| row_of(**key) == number);
        let end = start + same.count();
        row(number, start..end);
        start = end;
    }
}
