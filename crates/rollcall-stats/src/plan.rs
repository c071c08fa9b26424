//! Where a scan puts what it finds: which row each place and each profile belongs to, and what is not asked for.
//! Owns the numbering; the rows themselves are laid out in `layout`, the scan is in `scan`.

use crate::cube::segment::{NONE, Reading};

/// A row part of profiles together with what they contribute to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Target {
    /// Row part of the profiles.
    pub(crate) row: u32,
    /// Number of the class of the cube's profiles.
    pub(crate) class: u32,
}

/// What happens to the organisations of one profile, in one number: thousands of them stay in the fastest memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way(u32);

impl Way {
    /// Marks those in scope.
    const IN_SCOPE: u32 = 1 << 31;
    /// No target.
    const LEFT_OUT: u32 = Self::IN_SCOPE - 1;

    /// To a target by its number; `None` where the question leaves them out.
    pub(crate) fn new(target: Option<u32>, in_scope: bool) -> Self {
        let scope = if in_scope { Self::IN_SCOPE } else { 0 };
        Self(target.unwrap_or(Self::LEFT_OUT) | scope)
    }

    pub(crate) fn in_scope(self) -> bool {
        self.0 & Self::IN_SCOPE != 0
    }

    pub(crate) fn target(self) -> Option<u32> {
        let target = self.0 & Self::LEFT_OUT;
        (target != Self::LEFT_OUT).then_some(target)
    }
}

/// Where the scan puts what it finds.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Day numbers, ascending, distinct.
    pub(crate) dates: Vec<i32>,
    /// Row part of each place, or [`NONE`] where the question leaves it out.
    pub(crate) place_row: Vec<u32>,
    pub(crate) place_rows: usize,
    pub(crate) profile_rows: usize,
    /// By profile.
    pub(crate) ways: Vec<Way>,
    /// Sorted, distinct.
    pub(crate) targets: Vec<Target>,
    /// First date (by index) at which the place counts as not heard.
    pub(crate) unheard_from: Vec<u32>,
    /// Only the headline is wanted: organisations in scope are counted, and nothing else about them.
    pub(crate) headline_only: bool,
}

impl Plan {
    /// The row of a reading, if the question asks for it.
    pub(crate) fn row(&self, reading: &Reading) -> Option<u32> {
        let place = self.place_row[reading.place as usize];
        let target = self.ways[reading.profile as usize].target()?;
        (place != NONE).then(|| self.row_of(place, target))
    }

    /// The row of a place's part and a target.
    pub(crate) fn row_of(&self, place_row: u32, target: u32) -> u32 {
        place_row * self.profile_rows as u32 + self.targets[target as usize].row
    }

    /// Where the row parts and targets of this plan stand in one that asks for the same organisations by fewer dimensions.
    pub(crate) fn within(&self, coarser: &Self) -> Within {
        let mut places = vec![NONE; self.place_rows.max(1)];
        for (mine, theirs) in self.place_row.iter().zip(&coarser.place_row) {
            if *mine != NONE {
                places[*mine as usize] = *theirs;
            }
        }
        let mut targets = vec![NONE; self.targets.len()];
        for (mine, theirs) in self.ways.iter().zip(&coarser.ways) {
            if let (Some(mine), Some(theirs)) = (mine.target(), theirs.target()) {
                targets[mine as usize] = theirs;
            }
        }
        let mut profiles = vec![NONE; self.profile_rows.max(1)];
        for (mine, theirs) in self.targets.iter().zip(&targets) {
            profiles[mine.row as usize] = coarser.targets[*theirs as usize].row;
        }
        Within {
            places,
            targets,
            profiles,
            coarser_profiles: coarser.profile_rows as u32,
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.place_rows * self.profile_rows
    }
}

/// Where the parts of a plan stand in a coarser one.
pub(crate) struct Within {
    /// By row part of places.
    places: Vec<u32>,
    /// By target.
    targets: Vec<u32>,
    /// By row part of profiles.
    profiles: Vec<u32>,
    coarser_profiles: u32,
}

impl Within {
    /// Where a target in a row part of places stands.
    pub(crate) fn key(&self, (place, target): (u32, u32)) -> (u32, u32) {
        (self.places[place as usize], self.targets[target as usize])
    }

    /// Where a row stands.
    pub(crate) fn row(&self, row: u32) -> u32 {
        let width = self.profiles.len() as u32;
        let (place, profile) = (row / width, row % width);
        self.places[place as usize] * self.coarser_profiles + self.profiles[profile as usize]
    }
}
