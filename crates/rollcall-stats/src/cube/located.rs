//! Where the places of the cube lie at a date: the federations above each one, as numbers that sort like the federations
//! themselves. Owns how long this is kept; the hierarchy itself is in `rollcall-core`.

use std::collections::BTreeSet;
use std::sync::Arc;

use rollcall_core::date::Day;
use rollcall_core::federation::Place;
use rollcall_core::figure::Dimension;
use rollcall_core::id::FederationId;

use super::Cube;
use super::segment::NONE;

/// Spans of days for which the hierarchy is kept ready.
const LOCATED_MAX: usize = 64;

/// Ranks of a place's province, prefecture and county, and its own; [`NONE`] for the remainder, which comes last.
pub(crate) type Ranks = [u32; 4];

/// Which of the ranks a dimension of places goes by.
pub(crate) fn rank_index(dimension: Dimension) -> Option<usize> {
    let places = [
        Dimension::Province,
        Dimension::Prefecture,
        Dimension::County,
        Dimension::Federation,
    ];
    places.iter().position(|place| *place == dimension)
}

/// Where every known place lies in one hierarchy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Located {
    /// Every place and every federation above one, in order; a rank is an index of it.
    pub(crate) federations: Vec<FederationId>,
    /// By number of the place.
    pub(crate) ranks: Vec<Ranks>,
    /// Numbers of the places in order of their federations.
    pub(crate) order: Vec<u32>,
}

impl Located {
    fn new(cube: &Cube, on: Day) -> Self {
        let places = cube.places.values();
        let located: Vec<Place> = places
            .iter()
            .map(|place| cube.directory.place_at(place, on))
            .collect();
        let above = located
            .iter()
            .flat_map(|place| [&place.province, &place.prefecture, &place.county]);
        let federations: BTreeSet<&FederationId> = above.flatten().chain(places).collect();
        let federations: Vec<FederationId> = federations.into_iter().cloned().collect();
        let mut order: Vec<u32> = (0..places.len() as u32).collect();
        order.sort_unstable_by_key(|number| &places[*number as usize]);
        let ranks = places.iter().zip(&located).map(|(federation, place)| {
            let above = [
                place.province.as_ref(),
                place.prefecture.as_ref(),
                place.county.as_ref(),
                Some(federation),
            ];
            above.map(|above| {
                let rank = above.and_then(|above| federations.binary_search(above).ok());
                rank.map_or(NONE, |rank| rank as u32)
            })
        });
        let ranks = ranks.collect();
        Self {
            federations,
            ranks,
            order,
        }
    }
}

impl Cube {
    /// Where every known place lies at a date.
    pub(crate) fn located(&self, on: Day) -> Arc<Located> {
        let on = self.directory.unchanged_since(on);
        let known = {
            let located = self
                .located
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            located.get(&on).cloned()
        };
        if let Some(known) = known.filter(|known| known.ranks.len() == self.places.values().len()) {
            return known;
        }
        let mut new = Arc::new(Located::new(self, on));
        let mut located = self
            .located
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if located.len() >= LOCATED_MAX {
            located.clear();
        }
        // Days with one hierarchy share it, so that it can be compared by address.
        if let Some(same) = located.values().find(|known| **known == new) {
            new = Arc::clone(same);
        }
        located.insert(on, Arc::clone(&new));
        new
    }
}
