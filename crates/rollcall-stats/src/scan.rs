//! One pass over the columns for one or several dates, on as many threads as there are cores.
//! Owns the order of the pass: blocks of one row part after the other, so that counts stay in a small table until the
//! row part is done. Where things go is a `Plan`, what comes out a `Tally`.
//!
//! A segment covers a span of the dates asked for: it is added where the span begins and taken off where it ends,
//! and sums along the dates give the counts. So a series costs little more than one date.

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use rollcall_core::figure::Dimension;

use crate::cube::Cube;
use crate::cube::block::{Block, asked};
use crate::cube::date_index::DateIndex;
use crate::cube::segment::{NONE, SET, Segment};
use crate::kept_counts::keeps;
use crate::plan::Plan;
use crate::stray::{Stray, found_of};
use crate::tally::{Cell, Found, Tally};
use crate::union_tally::mask;

/// Fewer segments than this are scanned on one thread.
const THREAD_MIN: usize = 100_000;

/// What one thread scans: blocks, and what is in no block.
type Share<'a> = (&'a [&'a Block], &'a [Box<[Segment]>]);

/// Scans all organisations for a plan.
pub(crate) fn scan(cube: &Cube, plan: &Plan) -> Tally {
    scan_blocks(cube, plan, |_| true)
}

/// Scans for a plan that asks for nothing but headlines, in one row; what has been counted before and still holds is not
/// counted again. The filters are those that the plan was made with.
pub(crate) fn scan_headlines(cube: &Cube, plan: &Plan, filters: &[(Dimension, String)]) -> Tally {
    let kept = cube.kept_counts.tally(&cube.segments, plan, filters);
    let others = scan_blocks(cube, plan, |block| block.shape.counted && !keeps(block));
    kept.merge(others, plan)
}

/// Scans the organisations of some of the blocks, and of none.
fn scan_blocks(cube: &Cube, plan: &Plan, wanted: impl Fn(&Block) -> bool) -> Tally {
    let row = |block: &Block| plan.place_row[block.shape.place as usize];
    let mut blocks: Vec<&Block> = cube
        .segments
        .blocks()
        .iter()
        .filter(|block| (row(block) != NONE || block.shape.moved) && wanted(block))
        .collect();
    blocks.sort_by_key(|block| row(block));
    let segments = blocks.iter().map(|block| block.len()).sum::<usize>();
    let parts = if segments < THREAD_MIN {
        1
    } else {
        rayon::current_num_threads()
    };
    let shares = shares(&blocks, segments.div_ceil(parts), row);
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
    let unions = if parts == 1 || plan.headline_only {
        0
    } else {
        cube.unions.len()
    };
    let part = |(blocks, odd): Share<'_>| Scan::new(cube, plan, unions).run(blocks, odd);
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
    .unwrap_or_else(|| Tally::new(plan, unions))
}

/// The blocks in runs of about so many segments each; at least one run. A run goes on to the end of its row part where
/// that is near, so that what two threads find can stand side by side.
fn shares<'a, 'b>(
    blocks: &'a [&'b Block],
    segments: usize,
    row: impl Fn(&Block) -> u32,
) -> Vec<&'a [&'b Block]> {
    let mut shares = Vec::new();
    let (mut start, mut held) = (0, 0);
    for (index, block) in blocks.iter().enumerate() {
        held += block.len();
        let cut = blocks.get(index + 1).is_none_or(|next| row(next) != row(block));
        if held >= segments.max(1) && (cut || held > segments + segments / 16) {
            shares.push(&blocks[start..=index]);
            (start, held) = (index + 1, 0);
        }
    }
    if start < blocks.len() || shares.is_empty() {
        shares.push(&blocks[start..]);
    }
    shares
}

/// How one segment counts in the row part at hand.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    target: Option<u32>,
    in_scope: bool,
    workers: i64,
    members: i64,
}

impl Held {
    fn cell(&self) -> Cell {
        Cell {
            organisations: 1,
            unheard: 0,
            workers: self.workers,
            members: self.members,
        }
    }
}

/// One thread's share of a scan.
struct Scan<'a> {
    cube: &'a Cube,
    plan: &'a Plan,
    width: usize,
    /// Cells of the row part at hand, by target, as many each as there are dates.
    cells: Vec<Cell>,
    /// Which targets have been counted in them, as bits.
    touched: Vec<u64>,
    found: Found,
    strays: Vec<Stray>,
    tally: Tally,
}

impl<'a> Scan<'a> {
    fn new(cube: &'a Cube, plan: &'a Plan, unions: usize) -> Self {
        let width = plan.dates.len();
        Self {
            cube,
            plan,
            width,
            cells: vec![Cell::default(); plan.targets.len() * width],
            touched: vec![0; plan.targets.len().div_ceil(64)],
            found: Found::default(),
            strays: Vec::new(),
            tally: Tally::new(plan, unions),
        }
    }

    fn run(mut self, blocks: &[&Block], odd: &[Box<[Segment]>]) -> Tally {
        let index = DateIndex::new(&self.plan.dates);
        let mut row_part = NONE;
        for block in blocks {
            let row = self.plan.place_row[block.shape.place as usize];
            if row != row_part {
                self.finish(row_part);
                row_part = row;
            }
            if let [date] = self.plan.dates[..] {
                self.count_day(block, row_part, asked(date));
            } else {
                self.count_dates(block, row_part, &index);
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
        tally.found.push(self.found);
        tally.strays = found_of(self.strays, self.width);
        tally
    }

    /// Counts the segments of a block that hold on the one date of the plan.
    fn count_day(&mut self, block: &Block, row_part: u32, day: u16) {
        let (plan, place) = (self.plan, block.shape.place);
        let unheard = i64::from(plan.unheard_from[place as usize] == 0);
        let mut in_scope = 0;
        block.holding(day, day, |position| {
            if block.shape.moved && block.place(position) != place {
                self.count_moved(block, position, (0, 1));
                return;
            }
            let way = plan.ways[usize::from(block.profile[position])];
            if row_part == NONE {
                return;
            }
            in_scope += i64::from(way.in_scope());
            let Some(target) = way.target() else { return };
            let cell = &mut self.cells[target as usize];
            if plan.headline_only {
                if !way.in_scope() {
                    return;
                }
                cell.organisations += 1;
            } else if way.in_scope() {
                let rest = block.rest(position);
                cell.add(&Cell {
                    organisations: 1,
                    unheard,
                    workers: rest.workers.into(),
                    members: rest.members.into(),
                });
                if rest.cover != NONE {
                    self.count_cover(rest.cover, plan.row_of(row_part, target), (0, 1));
                }
            } else {
                cell.organisations += 1;
            }
            self.touched[target as usize / 64] |= 1 << (target % 64);
        });
        self.tally.in_scope_by_place[place as usize] += in_scope;
    }

    /// Counts the segments of a block at all dates. What changes from one segment of an organisation to the next is
    /// written where the next one begins; sums along the dates give the counts.
    fn count_dates(&mut self, block: &Block, row_part: u32, index: &DateIndex) {
        let (plan, place, width) = (self.plan, block.shape.place, self.width);
        let unheard_from = plan.unheard_from[place as usize] as usize;
        let mut held = Held::default();
        block.spans(index, |position, from, to| {
            if from == 0 {
                held = Held::default();
            }
            let next = self.held(block, position, row_part, (from, to));
            if next.in_scope != held.in_scope {
                self.tally.in_scope_by_place[place as usize * width + from] +=
                    i64::from(next.in_scope) - i64::from(held.in_scope);
            }
            let change = Cell {
                workers: next.workers - held.workers,
                members: next.members - held.members,
                ..Cell::default()
            };
            if next.target != held.target {
                if let Some(target) = held.target {
                    self.cells[target as usize * width + from].take(&held.cell());
                }
                if let Some(target) = next.target {
                    self.cells[target as usize * width + from].add(&next.cell());
                    self.touched[target as usize / 64] |= 1 << (target % 64);
                }
            } else if let Some(target) = next.target.filter(|_| change != Cell::default()) {
                self.cells[target as usize * width + from].add(&change);
            }
            if let Some(target) = next.target.filter(|_| next.in_scope && unheard_from < to) {
                let cells = &mut self.cells[target as usize * width..][..width];
                cells[unheard_from.max(from)].unheard += 1;
                if let Some(end) = cells.get_mut(to) {
                    end.unheard -= 1;
                }
            }
            held = next;
        });
    }

    /// How a segment of a block counts in the row part at hand over a span of dates. What counts elsewhere, and its
    /// unions, are counted here.
    fn held(&mut self, block: &Block, position: usize, row_part: u32, span: (usize, usize)) -> Held {
        let plan = self.plan;
        if block.shape.moved && block.place(position) != block.shape.place {
            self.count_moved(block, position, span);
            return Held::default();
        }
        if row_part == NONE {
            return Held::default();
        }
        let way = plan.ways[usize::from(block.profile[position])];
        let mut held = Held {
            in_scope: way.in_scope(),
            ..Held::default()
        };
        if plan.headline_only && !held.in_scope {
            return held;
        }
        held.target = way.target();
        if let Some(target) = held.target.filter(|_| held.in_scope && !plan.headline_only) {
            let rest = block.rest(position);
            held.workers = rest.workers.into();
            held.members = rest.members.into();
            if rest.cover != NONE {
                self.count_cover(rest.cover, plan.row_of(row_part, target), span);
            }
        }
        held
    }

    /// Counts a segment of a block from the time when another federation was responsible.
    fn count_moved(&mut self, block: &Block, position: usize, span: (usize, usize)) {
        let rest = block.rest(position);
        let numbers = (rest.cover, rest.workers.into(), rest.members.into());
        let reading = (block.place(position), u32::from(block.profile[position]));
        self.count_stray(reading, numbers, span);
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
        if way.in_scope() {
            self.count_in_scope(place, span);
        }
        let row_part = self.plan.place_row[place as usize];
        let Some(target) = way.target().filter(|_| row_part != NONE) else {
            return;
        };
        if self.plan.headline_only && !way.in_scope() {
            return;
        }
        if cover != NONE && !self.plan.headline_only {
            self.count_cover(cover, self.plan.row_of(row_part, target), span);
        }
        self.strays.push(Stray {
            key: (row_part, target),
            span,
            unheard_from: self.plan.unheard_from[place as usize] as usize,
            cell: Cell {
                organisations: 1,
                unheard: i64::from(way.in_scope()),
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
        for (word, touched) in self.touched.iter_mut().enumerate() {
            let mut left = std::mem::take(touched);
            while left != 0 {
                let target = word * 64 + left.trailing_zeros() as usize;
                left &= left - 1;
                let cells = &mut self.cells[target * self.width..(target + 1) * self.width];
                Cell::sum_along(cells);
                self.found.push((row_part, target as u32), cells);
                cells.fill(Cell::default());
            }
        }
        self.tally.unions.settle();
    }
}

/// Counts one more over a span of dates; sums along them give the counts.
pub(crate) fn count_span(counts: &mut [i64], (from, to): (usize, usize)) {
    counts[from] += 1;
    if let Some(end) = counts.get_mut(to) {
        *end -= 1;
    }
}

/// Turns what begins and ends at each date into what stands there.
pub(crate) fn sum_along(counts: &mut [i64]) {
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
