//! One pass over the columns for one or several dates, on as many threads as there are cores.
//! Owns the order of the pass: blocks of one row part after the other, so that counts stay in a small table until the
//! row part is done. Where things go is a `Plan`, what comes out a `Tally`.
//!
//! A segment covers a span of the dates asked for: it is added where the span begins and taken off where it ends,
//! and sums along the dates give the counts. So a series costs little more than one date.

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::cube::Cube;
use crate::cube::block::{Block, DateIndex, asked};
use crate::cube::segment::{NONE, SET, Segment};
use crate::plan::Plan;
use crate::tally::{Cell, Found, Tally};
use crate::union_tally::mask;

/// Fewer segments than this are scanned on one thread.
const THREAD_MIN: usize = 100_000;

/// What one thread scans: blocks, and what is in no block.
type Share<'a> = (&'a [&'a Block], &'a [Box<[Segment]>]);

/// Scans all organisations for a plan.
pub(crate) fn scan(cube: &Cube, plan: &Plan) -> Tally {
    let row = |block: &Block| plan.place_row[block.shape.place as usize];
    let mut blocks: Vec<&Block> = cube
        .segments
        .blocks()
        .iter()
        .filter(|block| {
            (row(block) != NONE || block.shape.moved) && (block.shape.counted || !plan.headline_only)
        })
        .collect();
    blocks.sort_by_key(|block| row(block));
    let segments = blocks.iter().map(|block| block.len()).sum::<usize>();
    let parts = if segments < THREAD_MIN {
        1
    } else {
        rayon::current_num_threads()
    };
    let shares = shares(&blocks, segments.div_ceil(parts));
    let odd = cube.segments.odd();
    let odd_part = odd.len().div_ceil(shares.len()).max(1);
    let work: Vec<Share<'_>> = shares
        .into_iter()
        .enumerate()
        .map(|(index, blocks)| {
            let start = (index * odd_part).min(odd.len());
            (blocks, &odd[start..(start + odd_part).min(odd.len())])
        })
        .collect();
    let part = |(blocks, odd): Share<'_>| Scan::new(cube, plan).run(blocks, odd);
    if parts == 1 {
        work.into_iter()
            .map(part)
            .reduce(|mine, theirs| mine.merge(theirs, plan))
    } else {
        let tallies: Vec<Tally> = work.into_par_iter().map(part).collect();
        tallies
            .into_iter()
            .reduce(|mine, theirs| mine.merge(theirs, plan))
    }
    .unwrap_or_else(|| Tally::new(plan, cube.unions.len()))
}

/// The blocks in runs of about so many segments each; at least one run.
fn shares<'a, 'b>(blocks: &'a [&'b Block], segments: usize) -> Vec<&'a [&'b Block]> {
    let mut shares = Vec::new();
    let (mut start, mut held) = (0, 0);
    for (index, block) in blocks.iter().enumerate() {
        held += block.len();
        if held >= segments.max(1) {
            shares.push(&blocks[start..=index]);
            (start, held) = (index + 1, 0);
        }
    }
    if start < blocks.len() || shares.is_empty() {
        shares.push(&blocks[start..]);
    }
    shares
}

/// An organisation found outside the row part at hand.
struct Stray {
    key: (u32, u32),
    span: (usize, usize),
    unheard_from: usize,
    cell: Cell,
}

/// One thread's share of a scan.
struct Scan<'a> {
    cube: &'a Cube,
    plan: &'a Plan,
    width: usize,
    /// Cells of the row part at hand, by target, as many each as there are dates.
    cells: Vec<Cell>,
    /// Which targets have been counted in them.
    counted: Vec<bool>,
    touched: Vec<u32>,
    strays: Vec<Stray>,
    tally: Tally,
}

impl<'a> Scan<'a> {
    fn new(cube: &'a Cube, plan: &'a Plan) -> Self {
        let width = plan.dates.len();
        Self {
            cube,
            plan,
            width,
            cells: vec![Cell::default(); plan.targets.len() * width],
            counted: vec![false; plan.targets.len()],
            touched: Vec::new(),
            strays: Vec::new(),
            tally: Tally::new(plan, cube.unions.len()),
        }
    }

    fn run(mut self, blocks: &[&Block], odd: &[Box<[Segment]>]) -> Tally {
        let index = DateIndex::new(&self.plan.dates);
        let mut room = Vec::new();
        let mut row_part = NONE;
        for block in blocks {
            let row = self.plan.place_row[block.shape.place as usize];
            if row != row_part {
                self.finish(row_part);
                row_part = row;
            }
            if let [date] = self.plan.dates[..] {
                for position in block.holding(asked(date), &mut room) {
                    self.count(block, *position as usize, row_part, (0, 1));
                }
            } else {
                block.spans(&index, |position, from, to| {
                    self.count(block, position, row_part, (from, to));
                });
            }
        }
        self.finish(row_part);
        for segments in odd {
            self.count_odd(segments);
        }
        let mut tally = self.tally;
        for dates in tally.in_scope_by_place.chunks_exact_mut(self.width.max(1)) {
            sum_along(dates);
        }
        tally.conflicts.values_mut().for_each(|dates| sum_along(dates));
        let strays = found_of(self.strays, self.width);
        let mine = Tally {
            found: strays,
            ..Tally::new(self.plan, 0)
        };
        tally.merge(mine, self.plan)
    }

    /// Counts a segment of a block over a span of dates.
    fn count(&mut self, block: &Block, position: usize, row_part: u32, span: (usize, usize)) {
        let way = self.plan.ways[usize::from(block.profile[position])];
        let place = block.shape.place;
        if block.shape.moved && block.place(position) != place {
            let rest = block.rest(position);
            let numbers = (rest.cover, rest.workers.into(), rest.members.into());
            let reading = (block.place(position), u32::from(block.profile[position]));
            self.count_stray(reading, numbers, span);
            return;
        }
        if row_part == NONE {
            return;
        }
        if way.in_scope {
            self.count_in_scope(place, span);
        }
        if way.target == NONE || (self.plan.headline_only && !way.in_scope) {
            return;
        }
        let target = way.target as usize;
        if !self.counted[target] {
            self.counted[target] = true;
            self.touched.push(way.target);
        }
        let mut one = Cell {
            organisations: 1,
            ..Cell::default()
        };
        if way.in_scope {
            let rest = block.rest(position);
            one.unheard = 1;
            one.workers = rest.workers.into();
            one.members = rest.members.into();
            if rest.cover != NONE && !self.plan.headline_only {
                self.count_cover(rest.cover, self.plan.row_of(row_part, way.target), span);
            }
        }
        let unheard_from = self.plan.unheard_from[place as usize] as usize;
        let cells = &mut self.cells[target * self.width..(target + 1) * self.width];
        if self.width == 1 {
            one.unheard *= i64::from(unheard_from == 0);
            cells[0].add(&one);
        } else {
            Cell::add_span(cells, one, span, unheard_from);
        }
    }

    fn count_odd(&mut self, segments: &[Segment]) {
        let dates = &self.plan.dates;
        let mut to = dates.len();
        for segment in segments.iter().rev() {
            let from = dates.partition_point(|date| *date < segment.from).min(to);
            if from == to {
                continue;
            }
            let reading = &segment.reading;
            if reading.profile & SET != 0 {
                let counts = self.tally.conflicts.entry(reading.profile & !SET);
                let counts = counts.or_insert_with(|| vec![0; dates.len()]);
                count_span(counts, (from, to));
            } else {
                let numbers = (reading.cover, reading.workers, reading.members);
                self.count_stray((reading.place, reading.profile), numbers, (from, to));
            }
            to = from;
        }
    }

    /// Counts a segment whose place is not that of the row part at hand.
    fn count_stray(
        &mut self,
        (place, profile): (u32, u32),
        (cover, workers, members): (u32, u32, u32),
        span: (usize, usize),
    ) {
        let way = self.plan.ways[profile as usize];
        if way.in_scope {
            self.count_in_scope(place, span);
        }
        let row_part = self.plan.place_row[place as usize];
        if row_part == NONE || way.target == NONE || (self.plan.headline_only && !way.in_scope) {
            return;
        }
        if cover != NONE && !self.plan.headline_only {
            self.count_cover(cover, self.plan.row_of(row_part, way.target), span);
        }
        self.strays.push(Stray {
            key: (row_part, way.target),
            span,
            unheard_from: self.plan.unheard_from[place as usize] as usize,
            cell: Cell {
                organisations: 1,
                unheard: i64::from(way.in_scope),
                workers: workers.into(),
                members: members.into(),
            },
        });
    }

    fn count_in_scope(&mut self, place: u32, span: (usize, usize)) {
        let start = place as usize * self.width;
        count_span(&mut self.tally.in_scope_by_place[start..start + self.width], span);
    }

    fn count_cover(&mut self, cover: u32, row: u32, (from, to): (usize, usize)) {
        let single = [cover];
        for union in covering(self.cube, cover, &single) {
            self.tally.unions.count(*union, row, mask(from, to));
        }
    }

    /// Puts the counts of the row part at hand where they stay, in order of target.
    fn finish(&mut self, row_part: u32) {
        self.touched.sort_unstable();
        for target in self.touched.drain(..) {
            let start = target as usize * self.width;
            let cells = &mut self.cells[start..start + self.width];
            Cell::sum_along(cells);
            self.tally.found.push((row_part, target), cells);
            cells.fill(Cell::default());
            self.counted[target as usize] = false;
        }
    }
}

/// Strays by key, counted.
fn found_of(mut strays: Vec<Stray>, width: usize) -> Found {
    strays.sort_unstable_by_key(|stray| stray.key);
    let mut found = Found::default();
    for same in strays.chunk_by(|one, other| one.key == other.key) {
        let mut cells = vec![Cell::default(); width];
        for stray in same {
            Cell::add_span(&mut cells, stray.cell, stray.span, stray.unheard_from);
        }
        Cell::sum_along(&mut cells);
        found.push(same[0].key, &cells);
    }
    found
}

fn count_span(counts: &mut [i64], (from, to): (usize, usize)) {
    counts[from] += 1;
    if let Some(end) = counts.get_mut(to) {
        *end -= 1;
    }
}

fn sum_along(counts: &mut [i64]) {
    for date in 1..counts.len() {
        counts[date] += counts[date - 1];
    }
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
