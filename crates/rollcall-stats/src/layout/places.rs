//! Where the places of a question go: which the area and the filters leave in, and the row part of each.
//! Owns the numbering of federations that are not in the hierarchy of the cube's places because nothing names them.

use std::collections::HashMap;
use std::sync::Arc;

use rollcall_core::figure::Dimension;
use rollcall_core::id::FederationId;

use super::{ExpectedScope, Scope, Span, in_order};
use crate::completeness::{HeardOf, HeardPlaces, may_be_expected};
use crate::cube::Cube;
use crate::cube::located::{Located, Ranks, rank_index};
use crate::cube::segment::NONE;
use crate::query::FiguresQuery;

/// Where the places of a question go.
pub(super) struct PlacePlan {
    /// By place: its row part, or [`NONE`] where the question leaves it out.
    pub(super) row: Vec<u32>,
    /// Ranks in the place dimensions asked for, by row part, ascending.
    pub(super) parts: Vec<Vec<u32>>,
    pub(super) federations: Federations,
    /// By place.
    pub(super) unheard_from: Vec<u32>,
    pub(super) scopes: Vec<ExpectedScope>,
}

impl PlacePlan {
    pub(super) fn new(
        cube: &Cube,
        query: &FiguresQuery,
        by: &[Dimension],
        span: &Span,
        heard: &HeardPlaces,
    ) -> Self {
        let mut federations = Federations {
            located: Arc::clone(&span.located),
            others: Vec::new(),
        };
        let silent: Vec<Ranks> = heard
            .silent
            .iter()
            .zip(&span.silent)
            .map(|((federation, _), place)| {
                let above = [&place.province, &place.prefecture, &place.county];
                let [province, prefecture, county] = above.map(|above| federations.number(above.as_ref()));
                [province, prefecture, county, federations.number(Some(federation))]
            })
            .collect();
        let filters = query.filters.iter().filter_map(|(dimension, text)| {
            let index = rank_index(*dimension)?;
            let rank = if text.is_empty() {
                Some(NONE)
            } else {
                text.parse()
                    .ok()
                    .and_then(|federation| federations.rank(&federation))
            };
            Some((index, rank))
        });
        let mut parts = PlaceParts {
            by: by.iter().filter_map(|dimension| rank_index(*dimension)).collect(),
            filters: filters.collect(),
            numbers: HashMap::new(),
            parts: Vec::new(),
        };
        let hierarchy_day = query
            .boundaries
            .or(span.dates.first().copied())
            .unwrap_or(query.as_of);
        let area = query
            .area
            .as_ref()
            .filter(|area| **area != FederationId::national());
        let area_rank = area.and_then(|area| federations.rank(area));
        let is_inside = |ranks: &Ranks, federation: &FederationId| {
            area.is_none_or(|area| {
                area_rank.is_some_and(|rank| ranks.contains(&rank))
                    || (area.line().is_some() && cube.directory.is_within(area, federation, hierarchy_day))
            })
        };
        let mut row = Vec::with_capacity(span.located.ranks.len());
        let mut unheard_from = Vec::with_capacity(span.located.ranks.len());
        let mut scopes = Vec::new();
        let mut expect = |federation: &FederationId, row: u32, heard: HeardOf, whose: Scope| {
            if row != NONE && may_be_expected(federation) {
                scopes.push(ExpectedScope { heard, row, whose });
            }
        };
        for (number, (federation, ranks)) in (0..).zip(cube.places.values().iter().zip(&span.located.ranks)) {
            let inside = is_inside(ranks, federation);
            let part = if inside { parts.part_of(ranks) } else { NONE };
            row.push(part);
            let heard = heard.of(number);
            let unheard = if part == NONE {
                0
            } else {
                span.dates.partition_point(|date| heard.after(*date))
            };
            unheard_from.push(unheard as u32);
            expect(federation, part, heard, Scope::Place(number));
        }
        for ((federation, heard), ranks) in heard.silent.iter().zip(&silent) {
            if is_inside(ranks, federation) {
                expect(
                    federation,
                    parts.part_of(ranks),
                    *heard,
                    Scope::Silent(federation.clone()),
                );
            }
        }
        let depth = parts.by.len();
        let (parts, numbers) = if federations.others.is_empty() {
            in_order(&parts.parts, |ranks| *ranks)
        } else {
            let name = |rank: &u32| {
                let federation = federations.get(*rank);
                (federation.is_none(), federation)
            };
            in_order(&parts.parts, |ranks| {
                let names: Vec<_> = ranks[..depth].iter().map(name).collect();
                names
            })
        };
        for part in row.iter_mut().filter(|part| **part != NONE) {
            *part = numbers[*part as usize];
        }
        for scope in &mut scopes {
            scope.row = numbers[scope.row as usize];
        }
        Self {
            row,
            parts: parts.iter().map(|ranks| ranks[..depth].to_vec()).collect(),
            federations,
            unheard_from,
            scopes,
        }
    }
}

/// Federations by rank: those of a hierarchy, and after them those that it does not have.
pub(super) struct Federations {
    located: Arc<Located>,
    others: Vec<FederationId>,
}

impl Federations {
    fn rank(&self, federation: &FederationId) -> Option<u32> {
        let known = &self.located.federations;
        let other = || {
            let other = self.others.iter().position(|other| other == federation);
            other.map(|other| known.len() + other)
        };
        let rank = known.binary_search(federation).ok().or_else(other);
        rank.map(|rank| rank as u32)
    }

    /// The rank of a federation that may not be one of the hierarchy's.
    fn number(&mut self, federation: Option<&FederationId>) -> u32 {
        let Some(federation) = federation else { return NONE };
        self.rank(federation).unwrap_or_else(|| {
            self.others.push(federation.clone());
            (self.located.federations.len() + self.others.len() - 1) as u32
        })
    }

    /// The federation of a rank; the remainder has none.
    pub(super) fn get(&self, rank: u32) -> Option<&FederationId> {
        let known = &self.located.federations;
        let rank = rank as usize;
        known
            .get(rank)
            .or_else(|| self.others.get(rank.wrapping_sub(known.len())))
    }
}

/// Which places a question asks for, and the row part of each.
struct PlaceParts {
    /// Which ranks rows go by.
    by: Vec<usize>,
    /// Ranks that places must have.
    filters: Vec<(usize, Option<u32>)>,
    numbers: HashMap<Ranks, u32>,
    parts: Vec<Ranks>,
}

impl PlaceParts {
    /// The row part of a place inside the area, [`NONE`] where a filter leaves it out.
    fn part_of(&mut self, ranks: &Ranks) -> u32 {
        let passes = |(index, rank): &(usize, Option<u32>)| Some(ranks[*index]) == *rank;
        if !self.filters.iter().all(passes) {
            return NONE;
        }
        let mut key = [0; 4];
        for (of, index) in key.iter_mut().zip(&self.by) {
            *of = ranks[*index];
        }
        if self.parts.last() == Some(&key) {
            return self.parts.len() as u32 - 1;
        }
        *self.numbers.entry(key).or_insert_with(|| {
            self.parts.push(key);
            self.parts.len() as u32 - 1
        })
    }
}
