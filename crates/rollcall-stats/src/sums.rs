//! From counts to figures: what each profile adds to which rate, both bounds of each, and the organisations in open
//! conflict as one row sees them. Owns the sums of a row; where the row comes from is `layout`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rollcall_core::coverage::Form;
use rollcall_core::figure::{BoundedRate, Completeness, Figures, MembershipRate, Rate, UnionCounts};
use rollcall_core::id::DocumentId;
use rollcall_core::ratio::Ratio;
use rollcall_core::scope::OutReason;
use rollcall_core::term::{Category, ExclusionReason, Kind, Level, Stage};

use crate::bounds::{Bounds, Pair, Possible};
use crate::cube::Cube;
use crate::cube::profile::{Profile, Size, Standing};
use crate::cube::segment::{Reading, Readings};
use crate::scan::covering;
use crate::tally::Cell;

/// A profile reduced to what it contributes to the figures of its row.
pub(crate) fn contribution(profile: &Profile) -> Profile {
    let standing = match profile.standing {
        Standing::In { b, .. } => Standing::In { a: true, b },
        other => other,
    };
    Profile {
        standing,
        kind: Kind::Other,
        category: Category::Other,
        level: Level::County,
        stage: Stage::Identified,
        size: Size::Unknown,
        form: if profile.covered() && profile.in_scope() {
            Form::Own
        } else {
            Form::None
        },
        ..*profile
    }
}

/// Sums of a row on a date.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sums {
    establishment: Bounds,
    identified: Bounds,
    strict: Bounds,
    group_b: Bounds,
    covered_members: Ratio,
    all_members: Ratio,
    units_unknown: u64,
    excluded: BTreeMap<&'static str, u64>,
    out: BTreeMap<&'static str, u64>,
    pending: u64,
    held: u64,
    date_unknown: u64,
    unresolved_links: u64,
    term_unknown: u64,
    open_conflicts: u64,
    unheard: u64,
}

impl Sums {
    /// Organisations of one profile.
    pub(crate) fn add(&mut self, profile: &Profile, cell: &Cell) {
        let organisations = u64::try_from(cell.organisations).unwrap_or(0);
        self.establishment
            .add_possible(possible(profile, establishment_pair), organisations);
        self.identified
            .add_possible(possible(profile, identified_pair), organisations);
        self.strict
            .add_possible(possible(profile, strict_pair), organisations);
        self.group_b
            .add_possible(possible(profile, group_b_pair), organisations);
        self.open_conflicts += u64::from(profile.in_conflict) * organisations;
        self.add_rest(profile, cell);
    }

    /// Organisations in open conflict, so many of them not heard.
    pub(crate) fn add_judged(&mut self, cube: &Cube, judged: &Judged, organisations: u64, unheard: u64) {
        self.establishment
            .add_possible(judged.establishment, organisations);
        self.identified.add_possible(judged.identified, organisations);
        self.strict.add_possible(judged.strict, organisations);
        self.group_b.add_possible(judged.group_b, organisations);
        self.open_conflicts += organisations;
        if let Some(reading) = judged.shown {
            let times = |number: u32| i64::from(number).saturating_mul(organisations as i64);
            let cell = Cell {
                organisations: organisations as i64,
                unheard: unheard as i64,
                workers: times(reading.workers),
                members: times(reading.members),
            };
            self.add_rest(cube.profiles.value(reading.profile), &cell);
        }
    }

    /// Everything but the rates that have bounds.
    fn add_rest(&mut self, profile: &Profile, cell: &Cell) {
        let organisations = u64::try_from(cell.organisations).unwrap_or(0);
        let members = Ratio::new(
            u64::try_from(cell.members).unwrap_or(0),
            u64::try_from(cell.workers).unwrap_or(0),
        );
        self.unheard += u64::try_from(cell.unheard).unwrap_or(0);
        match profile.standing {
            Standing::Absent => {}
            Standing::Out(reason) => {
                *self.out.entry(reason.name()).or_default() += organisations;
                self.held += u64::from(reason == OutReason::NoCode) * organisations;
            }
            Standing::In { .. } => {
                if let Some(reason) = profile.excluded {
                    *self.excluded.entry(reason.name()).or_default() += organisations;
                } else if !profile.covered() {
                    self.all_members = self.all_members.plus(members);
                } else if profile.members_known {
                    self.covered_members = self.covered_members.plus(members);
                    self.all_members = self.all_members.plus(members);
                } else {
                    self.units_unknown += organisations;
                }
                self.pending += u64::from(profile.pending) * organisations;
                self.date_unknown += u64::from(profile.date_unknown) * organisations;
                self.unresolved_links += u64::from(profile.unresolved_links) * organisations;
                self.term_unknown += u64::from(profile.term_unknown) * organisations;
            }
        }
    }

    /// Group B in full.
    pub(crate) fn group_b(&self) -> Ratio {
        self.group_b.low
    }

    /// The headline.
    pub(crate) fn establishment(&self) -> BoundedRate {
        BoundedRate::new(self.establishment.low, self.establishment.high)
    }

    /// The figures, but for unions and scopes.
    pub(crate) fn figures(self) -> Figures {
        let rate = |bounds: Bounds| BoundedRate::new(bounds.low, bounds.high);
        let membership = |ratio: Ratio| MembershipRate {
            rate: Rate::from(ratio),
            units_unknown: self.units_unknown,
        };
        Figures {
            in_scope: self.identified.low.denominator,
            eligible: self.establishment.low.denominator,
            covered: self.establishment.low.numerator,
            establishment_rate: rate(self.establishment),
            identified_rate: rate(self.identified),
            strict_rate: rate(self.strict),
            membership_rate: membership(self.covered_members),
            membership_rate_all: membership(self.all_members),
            excluded: self.excluded,
            exclusions_pending: self.pending,
            out_of_scope: self.out,
            held: self.held,
            date_unknown: self.date_unknown,
            unresolved_links: self.unresolved_links,
            term_unknown: self.term_unknown,
            unions: UnionCounts::default(),
            unions_all: None,
            open_conflicts: self.open_conflicts,
            frame: None,
            completeness: Completeness {
                organisations_unheard: self.unheard,
                ..Completeness::default()
            },
        }
    }
}

fn establishment_pair(profile: &Profile) -> Pair {
    (profile.eligible(), profile.eligible() && profile.covered())
}

fn identified_pair(profile: &Profile) -> Pair {
    (profile.in_scope(), profile.in_scope() && profile.covered())
}

fn strict_pair(profile: &Profile) -> Pair {
    (profile.eligible(), profile.eligible() && profile.strict)
}

fn group_b_pair(profile: &Profile) -> Pair {
    let (eligible, covered) = establishment_pair(profile);
    let b = matches!(profile.standing, Standing::In { b: true, .. });
    (b && eligible, b && covered)
}

/// The pairs of a profile about which no value is in conflict: its own, and, where a link of an organisation in scope
/// leads to a union that is not held here, that it is covered after all.
fn possible(profile: &Profile, pair: fn(&Profile) -> Pair) -> Possible {
    let mut possible = Possible::default();
    possible.add(pair(profile));
    if profile.unresolved_links > 0 && profile.in_scope() {
        possible.add(pair(&Profile {
            form: Form::Joint,
            strict: true,
            excluded: None,
            ..*profile
        }));
    }
    possible
}

/// Ranks of the pairs in the headline, the identified and the strict rate of an organisation that is not of the row.
const OUTSIDE: [u8; 3] = [1; 3];

/// Ranks of a way of counting: the pairs in the headline, the identified and the strict rate, then what decides among
/// equals.
pub(crate) type Favour = (
    [u8; 3],
    Option<OutReason>,
    Option<ExclusionReason>,
    [bool; 2],
    Reverse<u8>,
    usize,
);

/// Of several ways of counting, the one with the least rank is what everything without bounds shows: least favourable
/// for the headline, then for the identified, then for the strict rate; among equals the first reason for being out or
/// excluded, what leaves the most open, and the fewest covering unions.
pub(crate) fn favour(profile: &Profile, unions: usize) -> Favour {
    let rank = |pair: Pair| match pair {
        (true, false) => 0,
        (false, _) => 1,
        (true, true) => 2,
    };
    let pairs = [establishment_pair, identified_pair, strict_pair];
    let out = match profile.standing {
        Standing::Out(reason) => Some(reason),
        Standing::In { .. } | Standing::Absent => None,
    };
    (
        pairs.map(|pair| rank(pair(profile))),
        out,
        profile.excluded,
        [!profile.pending, !profile.term_unknown],
        Reverse(profile.unresolved_links),
        unions,
    )
}

/// An organisation in open conflict as one row sees it.
pub(crate) struct Judged {
    pub(crate) establishment: Possible,
    pub(crate) identified: Possible,
    strict: Possible,
    group_b: Possible,
    /// The reading that everything else of the row shows: the least favourable for the headline, then for the identified,
    /// then for the strict rate, then the one with the first reason for being out. `None` where it is least favourable
    /// that the organisation is not of this row.
    pub(crate) shown: Option<Reading>,
}

impl Judged {
    /// A reading that belongs to another row is one in which it does not count here.
    pub(crate) fn new(cube: &Cube, readings: &Readings, belongs: impl Fn(&Reading) -> bool) -> Self {
        let start = if readings.all {
            Possible::ALL
        } else {
            Possible::default()
        };
        let mut judged = Self {
            establishment: start,
            identified: start,
            strict: start,
            group_b: start,
            shown: None,
        };
        for reading in &readings.options {
            let profile = Some(cube.profiles.value(reading.profile)).filter(|_| belongs(reading));
            let outside = Possible {
                outside: true,
                ..Possible::default()
            };
            let of = |pair: fn(&Profile) -> Pair| profile.map_or(outside, |profile| possible(profile, pair));
            judged.establishment = judged.establishment.or(of(establishment_pair));
            judged.identified = judged.identified.or(of(identified_pair));
            judged.strict = judged.strict.or(of(strict_pair));
            judged.group_b = judged.group_b.or(of(group_b_pair));
        }
        let unions = |reading: &Reading| {
            let single = [reading.cover];
            let numbers = covering(cube, reading.cover, &single).iter();
            let mut unions: Vec<DocumentId> = numbers.map(|number| cube.unions.id(*number)).collect();
            unions.sort_unstable();
            unions
        };
        let shown = readings
            .options
            .iter()
            .filter(|reading| belongs(reading))
            .map(|reading| {
                let unions = unions(reading);
                (
                    favour(cube.profiles.value(reading.profile), unions.len()),
                    unions,
                    reading,
                )
            })
            .min_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        let outside = readings.options.iter().any(|reading| !belongs(reading));
        judged.shown = shown
            .filter(|((pairs, ..), ..)| !outside || *pairs <= OUTSIDE)
            .map(|(_, _, reading)| *reading);
        judged
    }
}
