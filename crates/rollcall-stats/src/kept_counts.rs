//! What blocks of organisations add to headlines, kept from one question to the next: a block is counted again only when
//! something in it has changed. Between two looks at an overview a few federations' organisations change, and the series
//! of its trend asks about all of them.
//! Owns when a count no longer holds; how blocks are scanned otherwise is in `scan`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
use rollcall_core::figure::Dimension;

use crate::cube::block::{Block, SLOTS_MAX};
use crate::cube::date_index::DateIndex;
use crate::cube::segment::{NONE, Segments};
use crate::plan::Plan;
use crate::scan::{count_span, sum_along};
use crate::tally::{Cell, Found, Tally};

/// Questions whose counts are kept.
const QUESTIONS_MAX: usize = 4;

/// What the counts of a block depend on besides its content. The area does not matter: it is a choice of blocks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    filters: Vec<(Dimension, String)>,
    dates: Vec<i32>,
}

/// Counts by question; by block within.
#[derive(Debug, Default)]
pub(crate) struct KeptCounts(Mutex<HashMap<Question, Vec<BlockCounts>>>);

/// Organisations of one block that are in scope.
#[derive(Debug, Clone, Default)]
struct BlockCounts {
    /// The block's when they were counted; 0 before.
    version: u64,
    /// Classes of profiles that some of them have at some date.
    classes: Box<[u32]>,
    /// By class, then by date.
    organisations: Box<[u16]>,
}
const _: () = assert!(SLOTS_MAX <= u16::MAX as usize, "a count of a block fits");

/// Whether a block's counts are kept: of no other place than its own, and in scope at some time.
pub(crate) fn keeps(block: &Block) -> bool {
    block.shape.counted && !block.shape.moved
}

impl KeptCounts {
    /// What the blocks whose counts are kept add to a plan that asks for nothing but headlines, in one row; the filters
    /// are those that the plan was made with.
    pub(crate) fn tally(&self, segments: &Segments, plan: &Plan, filters: &[(Dimension, String)]) -> Tally {
        let question = Question {
            filters: filters.to_vec(),
            dates: plan.dates.clone(),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= QUESTIONS_MAX && !kept.contains_key(&question) {
            kept.clear();
        }
        let counts = kept.entry(question).or_default();
        bring_up(counts, segments, plan);
        let width = plan.dates.len();
        let mut cells = vec![Cell::default(); plan.targets.len() * width];
        let classes = plan.targets.iter().map(|target| target.class as usize + 1);
        let mut target_of = vec![0; classes.max().unwrap_or(0)];
        for (number, target) in plan.targets.iter().enumerate() {
            target_of[target.class as usize] = number;
        }
        for (block, counts) in segments.blocks().iter().zip(counts.iter()) {
            let place = block.shape.place as usize;
            if !keeps(block) || plan.place_row[place] == NONE {
                continue;
            }
            let unheard_from = plan.unheard_from[place] as usize;
            for (class, dates) in counts
                .classes
                .iter()
                .zip(counts.organisations.chunks_exact(width))
            {
                let start = target_of[*class as usize] * width;
                for (date, (cell, organisations)) in cells[start..].iter_mut().zip(dates).enumerate() {
                    cell.organisations += i64::from(*organisations);
                    if unheard_from <= date {
                        cell.unheard += i64::from(*organisations);
                    }
                }
            }
        }
        let mut found = Found::default();
        for (target, cells) in (0..).zip(cells.chunks_exact(width)) {
            if cells.iter().any(|cell| cell.organisations > 0) {
                found.push((0, target), cells);
            }
        }
        let mut tally = Tally::new(plan, 0);
        tally.found.push(found);
        tally
    }
}

/// Counts the blocks that are new or have changed.
fn bring_up(counts: &mut Vec<BlockCounts>, segments: &Segments, plan: &Plan) {
    let blocks = segments.blocks();
    counts.resize_with(blocks.len(), BlockCounts::default);
    let changed = blocks.iter().zip(counts);
    let mut changed: Vec<(&Block, &mut BlockCounts)> = changed
        .filter(|(block, counts)| keeps(block) && block.version() != counts.version)
        .collect();
    let index = DateIndex::new(&plan.dates);
    changed
        .par_iter_mut()
        .for_each(|(block, counts)| **counts = count(block, plan, &index));
}

/// Counts a block by class and date. What changes is written where it begins; sums along the dates give the counts.
fn count(block: &Block, plan: &Plan, index: &DateIndex) -> BlockCounts {
    let width = plan.dates.len();
    let mut counts = vec![0; plan.targets.len() * width];
    let mut met = vec![false; plan.targets.len()];
    block.spans(index, |position, from, to| {
        let way = plan.ways[usize::from(block.profile[position])];
        let Some(target) = way.target().filter(|_| way.in_scope()) else {
            return;
        };
        let target = target as usize;
        met[target] = true;
        count_span(&mut counts[target * width..][..width], (from, to));
    });
    let met = (0..).zip(met).filter_map(|(target, met)| met.then_some(target));
    let met: Vec<usize> = met.collect();
    counts.chunks_exact_mut(width).for_each(sum_along);
    let organisations = met.iter().flat_map(|target| &counts[target * width..][..width]);
    let organisations =
        organisations.map(|count| u16::try_from(*count).expect("a block holds no more organisations"));
    BlockCounts {
        version: block.version(),
        organisations: organisations.collect(),
        classes: met.iter().map(|target| plan.targets[*target].class).collect(),
    }
}
