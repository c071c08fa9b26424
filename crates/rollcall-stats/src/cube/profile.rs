//! Everything of an organisation's state that figures split, filter or count by, but for the place.
//! Owns the shape and the numbering of the distinct states; what a state comes to is computed in `establishment`.

use rollcall_core::coverage::Form;
use rollcall_core::scope::OutReason;
use rollcall_core::term::{Category, ExclusionReason, Kind, Level, Stage};

use super::Interned;
use crate::key::{self, ProfileRanks};
use crate::sums::{Weight, contribution};

/// Whether and how an organisation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Standing {
    /// In scope and registered.
    In {
        /// Group A.
        a: bool,
        /// Group B.
        b: bool,
    },
    /// Out, for the first reason.
    Out(OutReason),
    /// Counted under another document, or a mistake: in no figure.
    Absent,
}

/// Bands of the number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Size {
    Unknown,
    Zero,
    Below25,
    Below100,
    Below200,
    From200,
}

impl Size {
    pub(crate) const ALL: [Self; 6] = [
        Self::Unknown,
        Self::Zero,
        Self::Below25,
        Self::Below100,
        Self::Below200,
        Self::From200,
    ];

    pub(crate) fn of(workers: Option<u32>) -> Self {
        match workers {
            None => Self::Unknown,
            Some(0) => Self::Zero,
            Some(1..25) => Self::Below25,
            Some(25..100) => Self::Below100,
            Some(100..200) => Self::Below200,
            Some(_) => Self::From200,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Zero => "0",
            Self::Below25 => "1-24",
            Self::Below100 => "25-99",
            Self::Below200 => "100-199",
            Self::From200 => "200+",
        }
    }
}

/// Everything of a segment that figures split, filter or count by, but for the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Profile {
    pub(crate) standing: Standing,
    pub(crate) kind: Kind,
    pub(crate) category: Category,
    pub(crate) level: Level,
    pub(crate) form: Form,
    pub(crate) strict: bool,
    pub(crate) term_unknown: bool,
    pub(crate) excluded: Option<ExclusionReason>,
    pub(crate) pending: bool,
    pub(crate) stage: Stage,
    pub(crate) size: Size,
    /// Covered, and members and workers are known from one entry.
    pub(crate) members_known: bool,
    pub(crate) date_unknown: bool,
    pub(crate) unresolved_links: u8,
    /// Something about it waits for a decision.
    pub(crate) in_conflict: bool,
}

impl Profile {
    /// Of a document that counts under another one or is a mistake.
    pub(crate) const ABSENT: Self = Self {
        standing: Standing::Absent,
        kind: Kind::Other,
        category: Category::Other,
        level: Level::County,
        form: Form::None,
        strict: false,
        term_unknown: false,
        excluded: None,
        pending: false,
        stage: Stage::Identified,
        size: Size::Unknown,
        members_known: false,
        date_unknown: false,
        unresolved_links: 0,
        in_conflict: false,
    };

    pub(crate) fn in_scope(&self) -> bool {
        matches!(self.standing, Standing::In { .. })
    }

    pub(crate) fn eligible(&self) -> bool {
        self.in_scope() && self.excluded.is_none()
    }

    pub(crate) fn covered(&self) -> bool {
        self.form != Form::None
    }
}

/// Distinct profiles by number, each with the number of its class: what it contributes to the figures of a row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Profiles {
    profiles: Interned<Profile>,
    ranks: Vec<ProfileRanks>,
    classes: Interned<Profile>,
    weights: Vec<Weight>,
    class: Vec<u32>,
}

impl Profiles {
    pub(crate) fn number(&mut self, profile: Profile) -> u32 {
        let number = self.profiles.number(profile);
        if self.class.len() < self.profiles.values().len() {
            let contribution = contribution(&profile);
            let class = self.classes.number(contribution);
            if self.weights.len() < self.classes.values().len() {
                self.weights.push(Weight::of(&contribution));
            }
            self.class.push(class);
            self.ranks.push(key::ranks(&profile));
        }
        number
    }

    pub(crate) fn value(&self, number: u32) -> &Profile {
        self.profiles.value(number)
    }

    pub(crate) fn values(&self) -> &[Profile] {
        self.profiles.values()
    }

    /// The class of each profile.
    pub(crate) fn class(&self) -> &[u32] {
        &self.class
    }

    /// The ranks of each profile in the dimensions that do not go by places.
    pub(crate) fn ranks(&self) -> &[ProfileRanks] {
        &self.ranks
    }

    /// A class: the profile that stands for all of it, and what one organisation of it adds to the rates.
    pub(crate) fn class_of(&self, class: u32) -> (&Profile, &Weight) {
        (self.classes.value(class), &self.weights[class as usize])
    }
}
