//! The rows of one question: which organisation, union and federation goes where.
//! Owns the way from places and profiles to rows, which are numbered in the order of their values; the scan is in `scan`,
//! finished rows are written in `answer`.

mod places;
mod profiles;

use std::sync::Arc;

use rollcall_core::date::Day;
use rollcall_core::federation::Place;
use rollcall_core::figure::{Dimension, RowKey};
use rollcall_core::id::FederationId;

use crate::completeness::{HeardOf, HeardPlaces};
use crate::cube::Cube;
use crate::cube::located::Located;
use crate::cube::segment::Reading;
use crate::key;
use crate::plan::Plan;
use crate::query::FiguresQuery;

use places::{Federations, PlacePlan};
use profiles::ProfilePlan;

/// Days that share one hierarchy, and what is known of it.
pub(crate) struct Span {
    pub(crate) dates: Vec<Day>,
    /// Where each place of the cube lies.
    pub(crate) located: Arc<Located>,
    /// Where the federations lie that may be expected though the cube has no place for them.
    pub(crate) silent: Vec<Place>,
}

impl Span {
    /// One of its dates.
    pub(crate) fn on(&self, date: Day) -> Self {
        Self {
            dates: vec![date],
            located: Arc::clone(&self.located),
            silent: self.silent.clone(),
        }
    }
}

/// A federation that may be expected to answer.
pub(crate) struct ExpectedScope {
    pub(crate) heard: HeardOf,
    /// Row part of its place.
    pub(crate) row: u32,
    pub(crate) whose: Scope,
}

/// Whose answer is expected.
pub(crate) enum Scope {
    /// That of a place of the cube.
    Place(u32),
    /// That of a federation that the cube has no place for, and so no organisations.
    Silent(FederationId),
}

/// Rows of one question and where each place and profile goes.
pub(crate) struct Layout {
    pub(crate) plan: Plan,
    /// Ranks in the place dimensions asked for, by row part, ascending.
    pub(crate) place_parts: Vec<Vec<u32>>,
    /// The federations behind the ranks.
    federations: Federations,
    /// Ranks in the other dimensions asked for, by row part, ascending.
    pub(crate) profile_parts: Vec<Vec<u32>>,
    /// A profile of each row part.
    profile_examples: Vec<u32>,
    pub(crate) scopes: Vec<ExpectedScope>,
    pub(crate) by: Vec<Dimension>,
    /// Whether rows and filters go by places alone.
    pub(crate) by_places: bool,
    pub(crate) dates: Vec<Day>,
    pub(crate) area: FederationId,
}

/// Numbers parts anew in the order of their values: the parts in order, and the new number of each.
fn in_order<T: Clone, K: Ord>(parts: &[T], key: impl Fn(&T) -> K) -> (Vec<T>, Vec<u32>) {
    let mut order: Vec<u32> = (0..parts.len() as u32).collect();
    order.sort_by_cached_key(|part| key(&parts[*part as usize]));
    let mut numbers = vec![0; parts.len()];
    for (number, part) in (0..).zip(&order) {
        numbers[*part as usize] = number;
    }
    let sorted = order.iter().map(|part| parts[*part as usize].clone());
    (sorted.collect(), numbers)
}

impl Layout {
    pub(crate) fn new(
        cube: &Cube,
        query: &FiguresQuery,
        by: &[Dimension],
        span: &Span,
        heard: &HeardPlaces,
    ) -> Self {
        let places = PlacePlan::new(cube, query, by, span, heard);
        let profiles = ProfilePlan::new(cube, query, by);
        Self {
            plan: Plan {
                dates: span.dates.iter().map(|date| date.0).collect(),
                place_rows: places.parts.len(),
                place_row: places.row,
                profile_rows: profiles.parts.len(),
                ways: profiles.ways,
                targets: profiles.targets,
                unheard_from: places.unheard_from,
                headline_only: false,
            },
            place_parts: places.parts,
            federations: places.federations,
            profile_parts: profiles.parts,
            profile_examples: profiles.examples,
            scopes: places.scopes,
            by: by.to_vec(),
            by_places: by
                .iter()
                .chain(query.filters.iter().map(|(dimension, _)| dimension))
                .all(|dimension| dimension.is_place()),
            dates: span.dates.clone(),
            area: query.area.clone().unwrap_or_else(FederationId::national),
        }
    }

    /// The same, asked for nothing but the headline.
    pub(crate) fn headline_only(mut self) -> Self {
        self.plan.headline_only = true;
        self
    }

    /// Row part of the places and of the profiles that a row is made of.
    pub(crate) fn parts(&self, row: u32) -> (u32, u32) {
        let profile_rows = self.plan.profile_rows.max(1) as u32;
        (row / profile_rows, row % profile_rows)
    }

    /// The row of a reading.
    pub(crate) fn row(&self, reading: &Reading) -> Option<u32> {
        self.plan.row(reading)
    }

    /// The federations of a row part of places, in the order of the place dimensions; `None`: the remainder.
    pub(crate) fn federations_of(&self, part: usize) -> impl Iterator<Item = (u32, Option<&FederationId>)> {
        let ranks = self.place_parts.get(part).into_iter().flatten();
        ranks.map(|rank| (*rank, self.federations.get(*rank)))
    }

    /// What a row part of profiles is called, in the order of the other dimensions; `None`: the remainder.
    pub(crate) fn terms_of(&self, cube: &Cube, part: usize) -> impl Iterator<Item = Option<&'static str>> {
        let profile = self.profile_examples.get(part).copied();
        let profile = profile.map(|profile| *cube.profiles.value(profile));
        let by = self.by.iter().filter(|dimension| !dimension.is_place());
        by.filter_map(move |dimension| profile.map(|profile| key::name(*dimension, &profile)))
    }

    /// The key of a row by its number.
    pub(crate) fn key_of_row(&self, cube: &Cube, row: u32) -> RowKey {
        let (place, profile) = self.parts(row);
        let mut places = self.federations_of(place as usize);
        let mut terms = self.terms_of(cube, profile as usize);
        let mut values = Vec::with_capacity(self.by.len());
        for dimension in &self.by {
            let value = if dimension.is_place() {
                places
                    .next()
                    .map(|(_, federation)| federation.map(|of| of.to_string().into()))
            } else {
                terms.next().map(|term| term.map(Into::into))
            };
            values.extend(value.map(|value| (*dimension, value)));
        }
        RowKey(values)
    }
}
