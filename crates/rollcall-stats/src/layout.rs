//! The rows of one question: which organisation, union and federation goes where.
//! Owns the way from places and profiles to rows and the order of the rows; the scan is in `scan`, finished rows are
//! written in `answer`.

use std::collections::HashMap;

use rollcall_core::date::Day;
use rollcall_core::federation::Place;
use rollcall_core::figure::{Dimension, RowKey};
use rollcall_core::id::FederationId;

use crate::completeness::{Heard, HeardOf};
use crate::cube::Cube;
use crate::cube::profile::Standing;
use crate::cube::segment::{NONE, Reading};
use crate::key::{self, Value};
use crate::plan::{Plan, Target, Way};
use crate::query::FiguresQuery;

/// Days that share one hierarchy, and what is known of it.
pub(crate) struct Span<'a> {
    pub(crate) dates: &'a [Day],
    /// Where each place of the cube lies.
    pub(crate) located: &'a [Place],
    /// Federations that may be expected though the cube has no place for them, and where they lie.
    pub(crate) silent: Vec<(FederationId, Place)>,
}

/// A federation that may be expected to answer.
pub(crate) struct ExpectedScope {
    pub(crate) federation: FederationId,
    pub(crate) heard: HeardOf,
    /// Row part of its place.
    pub(crate) row: u32,
    /// Its place, where it may have organisations.
    pub(crate) place: Option<u32>,
}

/// Rows of one question and where each place and profile goes.
pub(crate) struct Layout {
    pub(crate) plan: Plan,
    /// Values of the place dimensions, by row part.
    pub(crate) place_values: Vec<Vec<Value>>,
    /// Values of the other dimensions, by row part.
    pub(crate) profile_values: Vec<Vec<Value>>,
    pub(crate) scopes: Vec<ExpectedScope>,
    pub(crate) by: Vec<Dimension>,
    /// Whether rows and filters go by places alone.
    pub(crate) by_places: bool,
    pub(crate) dates: Vec<Day>,
    pub(crate) area: FederationId,
}

impl Layout {
    pub(crate) fn new(
        cube: &Cube,
        query: &FiguresQuery,
        by: &[Dimension],
        span: Span<'_>,
        heard: &Heard,
    ) -> Self {
        let Span {
            dates,
            located,
            silent,
        } = span;
        let (place_by, profile_by): (Vec<Dimension>, Vec<Dimension>) =
            by.iter().partition(|dimension| dimension.is_place());
        let hierarchy_day = query.boundaries.or(dates.first().copied()).unwrap_or(query.as_of);
        let mut place_numbers: HashMap<Vec<Value>, u32> = HashMap::new();
        let mut place_values = Vec::new();
        let mut part_of = |federation: &FederationId, place: &Place| -> u32 {
            let inside = query
                .area
                .as_ref()
                .is_none_or(|area| is_within(cube, area, federation, place, hierarchy_day))
                && query
                    .filters
                    .iter()
                    .filter(|(dimension, _)| dimension.is_place())
                    .all(|(dimension, text)| key::of_place(*dimension, federation, place).is_meant_by(text));
            if !inside {
                return NONE;
            }
            if place_by.is_empty() {
                if place_values.is_empty() {
                    place_values.push(Vec::new());
                }
                return 0;
            }
            let values: Vec<Value> = place_by
                .iter()
                .map(|dimension| key::of_place(*dimension, federation, place))
                .collect();
            *place_numbers.entry(values).or_insert_with_key(|values| {
                place_values.push(values.clone());
                place_values.len() as u32 - 1
            })
        };
        let mut place_row = Vec::new();
        let mut scopes = Vec::new();
        let mut unheard_from = Vec::new();
        for (number, (federation, place)) in (0..).zip(cube.places.values().iter().zip(located)) {
            let row = part_of(federation, place);
            place_row.push(row);
            let mut unheard = 0;
            if row != NONE {
                let heard = heard.of(federation);
                unheard = dates.partition_point(|date| heard.after(*date));
                scopes.push(ExpectedScope {
                    federation: federation.clone(),
                    heard,
                    row,
                    place: Some(number),
                });
            }
            unheard_from.push(unheard as u32);
        }
        for (federation, place) in silent {
            let row = part_of(&federation, &place);
            if row != NONE {
                scopes.push(ExpectedScope {
                    heard: heard.of(&federation),
                    federation,
                    row,
                    place: None,
                });
            }
        }

        let filters: Vec<&(Dimension, String)> = query
            .filters
            .iter()
            .filter(|(dimension, _)| !dimension.is_place())
            .collect();
        let mut profile_numbers: HashMap<u64, u32> = HashMap::new();
        let mut profile_values: Vec<Vec<Value>> = Vec::new();
        let mut profile_target = Vec::new();
        for (profile, class) in cube.profiles.values().iter().zip(cube.profiles.class()) {
            let passes = profile.standing != Standing::Absent
                && filters
                    .iter()
                    .all(|(dimension, text)| key::of_profile(*dimension, profile).is_meant_by(text));
            profile_target.push(passes.then(|| {
                let values = profile_by
                    .iter()
                    .map(|dimension| key::of_profile(*dimension, profile));
                // A few dimensions of a few values each: their ranks side by side are one number.
                let ranks = values
                    .clone()
                    .fold(0, |ranks, value| ranks << 8 | u64::from(value.rank()));
                let row = *profile_numbers.entry(ranks).or_insert_with(|| {
                    profile_values.push(values.collect());
                    profile_values.len() as u32 - 1
                });
                Target { row, class: *class }
            }));
        }
        let mut targets: Vec<Target> = profile_target.iter().copied().flatten().collect();
        targets.sort_unstable();
        targets.dedup();
        let ways = cube
            .profiles
            .values()
            .iter()
            .zip(profile_target)
            .map(|(profile, target)| Way {
                target: target
                    .and_then(|target| targets.binary_search(&target).ok())
                    .map_or(NONE, |target| target as u32),
                in_scope: profile.in_scope(),
            });
        Self {
            plan: Plan {
                dates: dates.iter().map(|date| date.0).collect(),
                place_rows: place_values.len(),
                place_row,
                profile_rows: profile_values.len(),
                ways: ways.collect(),
                targets,
                unheard_from,
                headline_only: false,
            },
            place_values,
            profile_values,
            scopes,
            by: by.to_vec(),
            by_places: by
                .iter()
                .chain(query.filters.iter().map(|(dimension, _)| dimension))
                .all(|dimension| dimension.is_place()),
            dates: dates.to_vec(),
            area: query.area.clone().unwrap_or_else(FederationId::national),
        }
    }

    /// The same, asked for nothing but the headline.
    pub(crate) fn headline_only(mut self) -> Self {
        self.plan.headline_only = true;
        self
    }

    /// Row part of the places and of the profiles that a row is made of.
    pub(crate) fn parts(&self, row: usize) -> (usize, usize) {
        let profile_rows = self.plan.profile_rows.max(1);
        (row / profile_rows, row % profile_rows)
    }

    /// Values of a row in the order of the dimensions asked for.
    pub(crate) fn values(&self, row: usize) -> Vec<&Value> {
        let (place, profile) = self.parts(row);
        let mut places = self.place_values.get(place).into_iter().flatten();
        let mut profiles = self.profile_values.get(profile).into_iter().flatten();
        let next = |dimension: &Dimension| {
            if dimension.is_place() {
                places.next()
            } else {
                profiles.next()
            }
        };
        self.by.iter().filter_map(next).collect()
    }

    /// How many rows there may be.
    pub(crate) fn rows(&self) -> usize {
        self.plan.rows()
    }

    /// The row of a reading.
    pub(crate) fn row(&self, reading: &Reading) -> Option<usize> {
        self.plan.row(reading)
    }

    /// The key of a row by its number.
    pub(crate) fn key_of_row(&self, row: usize) -> RowKey {
        key::row_key(&self.by, &self.values(row))
    }

    /// Puts rows in the order in which an answer has them: by the values of the dimensions asked for.
    pub(crate) fn sort_rows(&self, rows: &mut [usize]) {
        // Each value becomes its rank within its dimension, the ranks of a row part one number.
        let mut place_ranks = vec![0_u128; self.place_values.len()];
        let mut profile_ranks = vec![0_u128; self.profile_values.len()];
        let (mut place_index, mut profile_index) = (0, 0);
        for dimension in &self.by {
            let (values, index, ranks, others) = if dimension.is_place() {
                (
                    &self.place_values,
                    &mut place_index,
                    &mut place_ranks,
                    &mut profile_ranks,
                )
            } else {
                (
                    &self.profile_values,
                    &mut profile_index,
                    &mut profile_ranks,
                    &mut place_ranks,
                )
            };
            let of: Vec<&Value> = values.iter().map(|values| &values[*index]).collect();
            *index += 1;
            let mut distinct = of.clone();
            distinct.sort_unstable();
            distinct.dedup();
            let bits = usize::BITS - distinct.len().leading_zeros();
            for (rank, value) in ranks.iter_mut().zip(of) {
                *rank = (*rank << bits) | distinct.binary_search(&value).unwrap_or(0) as u128;
            }
            for rank in others.iter_mut() {
                *rank <<= bits;
            }
        }
        let rank = |row: &usize| {
            let (place, profile) = self.parts(*row);
            let of = |ranks: &[u128], part: usize| ranks.get(part).copied().unwrap_or(0);
            of(&place_ranks, place) | of(&profile_ranks, profile)
        };
        rows.sort_by_cached_key(rank);
    }
}

fn is_within(cube: &Cube, area: &FederationId, federation: &FederationId, place: &Place, on: Day) -> bool {
    *area == FederationId::national()
        || area == federation
        || [&place.province, &place.prefecture, &place.county]
            .into_iter()
            .flatten()
            .any(|above| above == area)
        || (area.line().is_some() && cube.directory.is_within(area, federation, on))
}
