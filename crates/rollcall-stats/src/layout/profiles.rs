//! Where the profiles of a question go: which the filters leave in, the row part of each and what it counts as there.

use std::collections::HashMap;

use rollcall_core::figure::Dimension;

use super::in_order;
use crate::cube::Cube;
use crate::cube::profile::Standing;
use crate::cube::segment::NONE;
use crate::key::{self, ProfileRanks};
use crate::plan::{Target, Way};
use crate::query::FiguresQuery;

/// Where the profiles of a question go.
pub(super) struct ProfilePlan {
    /// Ranks in the other dimensions asked for, by row part, ascending.
    pub(super) parts: Vec<Vec<u32>>,
    /// A profile of each row part.
    pub(super) examples: Vec<u32>,
    /// By profile.
    pub(super) ways: Vec<Way>,
    pub(super) targets: Vec<Target>,
}

impl ProfilePlan {
    pub(super) fn new(cube: &Cube, query: &FiguresQuery, by: &[Dimension]) -> Self {
        let by: Vec<usize> = by
            .iter()
            .filter_map(|dimension| key::profile_index(*dimension))
            .collect();
        let filters = query.filters.iter().filter_map(|(dimension, text)| {
            Some((key::profile_index(*dimension)?, key::rank_of(*dimension, text)))
        });
        let filters: Vec<(usize, Option<u8>)> = filters.collect();
        // A few dimensions of a few values each: their ranks side by side are one number.
        let key_of = |ranks: &ProfileRanks| {
            by.iter()
                .fold(0, |key, index| key << 8 | u64::from(ranks[*index]))
        };
        let profiles = cube.profiles.values();
        let mut numbers: HashMap<u64, u32> = HashMap::new();
        let mut keys: Vec<(u64, u32)> = Vec::new();
        let mut parts = Vec::with_capacity(profiles.len());
        for (number, (profile, ranks)) in (0..).zip(profiles.iter().zip(cube.profiles.ranks())) {
            let passes = profile.standing != Standing::Absent
                && filters.iter().all(|(index, rank)| Some(ranks[*index]) == *rank);
            if !passes {
                parts.push(NONE);
                continue;
            }
            let key = key_of(ranks);
            parts.push(*numbers.entry(key).or_insert_with(|| {
                keys.push((key, number));
                keys.len() as u32 - 1
            }));
        }
        let (keys, numbers) = in_order(&keys, |(key, _)| *key);
        let target = |(part, class): (&u32, &u32)| Target {
            row: numbers[*part as usize],
            class: *class,
        };
        let targets = parts.iter().zip(cube.profiles.class());
        let targets = targets.filter(|(part, _)| **part != NONE).map(target);
        let mut targets: Vec<Target> = targets.collect();
        targets.sort_unstable();
        targets.dedup();
        let ways = profiles
            .iter()
            .zip(parts.iter().zip(cube.profiles.class()))
            .map(|(profile, of)| {
                let target = (*of.0 != NONE).then(|| targets.binary_search(&target(of)).ok());
                Way::new(target.flatten().map(|target| target as u32), profile.in_scope())
            })
            .collect();
        let depth = by.len();
        let ranks = |key: u64| {
            (0..depth)
                .rev()
                .map(|index| (key >> (8 * index) & 0xff) as u32)
                .collect()
        };
        Self {
            parts: keys.iter().map(|(key, _)| ranks(*key)).collect(),
            examples: keys.iter().map(|(_, profile)| *profile).collect(),
            ways,
            targets,
        }
    }
}
