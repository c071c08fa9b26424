//! From counts to figures: what each profile adds to which rate, both bounds of each, and the organisations in open
//! conflict as one row sees them. Owns the sums of a row; where the row comes from is `layout`.

use std::cmp::Reverse;

use rollcall_core::coverage::Form;
use rollcall_core::figure::{BoundedRate, RowCounts, Share};
use rollcall_core::id::DocumentId;
use rollcall_core::ratio::Ratio;
use rollcall_core::scope::OutReason;
use rollcall_core::term::{Category, ExclusionReason, Kind, Level, Stage};

use crate::bounds::{Ends, Pair, Possible, add};
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

/// What one organisation of a class adds to the rates that have bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weight {
    establishment: Ends,
    identified: Ends,
    strict: Ends,
    group_b: Pair,
}

impl Weight {
    pub(crate) fn of(profile: &Profile) -> Self {
        Self {
            establishment: possible(profile, establishment_pair).into(),
            identified: possible(profile, identified_pair).into(),
            strict: possible(profile, strict_pair).into(),
            group_b: possible(profile, group_b_pair).low(),
        }
    }

    fn of_judged(judged: &Judged) -> Self {
        Self {
            establishment: judged.establishment.into(),
            identified: judged.identified.into(),
            strict: judged.strict.into(),
            group_b: judged.group_b.low(),
        }
    }
}

/// Sums of a row on a date.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sums {
    /// But for the unions.
    pub(crate) counts: RowCounts,
    group_b: Share,
    /// Whether anything was added.
    pub(crate) any: bool,
}

impl Sums {
    /// Organisations of one class.
    pub(crate) fn add(&mut self, (profile, weight): (&Profile, &Weight), cell: &Cell) {
        let organisations = small(cell.organisations);
        if organisations == 0 {
            return;
        }
        self.add_weight(weight, organisations);
        self.counts.open_conflicts += u32::from(profile.in_conflict) * organisations;
        self.add_rest(profile, cell);
    }

    /// Organisations in open conflict, so many of them not heard.
    pub(crate) fn add_judged(&mut self, cube: &Cube, judged: &Judged, organisations: u64, unheard: u64) {
        let count = small(organisations as i64);
        self.add_weight(&Weight::of_judged(judged), count);
        self.counts.open_conflicts += count;
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

    fn add_weight(&mut self, weight: &Weight, organisations: u32) {
        self.any = true;
        let counts = &mut self.counts;
        weight
            .establishment
            .add_to(&mut counts.establishment, organisations);
        weight.identified.add_to(&mut counts.identified, organisations);
        weight.strict.add_to(&mut counts.strict, organisations);
        add(&mut self.group_b, weight.group_b, organisations);
    }

    /// Everything but the rates that have bounds.
    fn add_rest(&mut self, profile: &Profile, cell: &Cell) {
        let organisations = small(cell.organisations);
        let members = Ratio::new(
            u64::try_from(cell.members).unwrap_or(0),
            u64::try_from(cell.workers).unwrap_or(0),
        );
        let counts = &mut self.counts;
        counts.unheard += small(cell.unheard);
        match profile.standing {
            Standing::Absent => {}
            Standing::Out(reason) => counts.out_of_scope[reason as usize] += organisations,
            Standing::In { .. } => {
                if let Some(reason) = profile.excluded {
                    counts.excluded[reason as usize] += organisations;
                } else if !profile.covered() {
                    counts.all_members = counts.all_members.plus(members);
                } else if profile.members_known {
                    counts.covered_members = counts.covered_members.plus(members);
                    counts.all_members = counts.all_members.plus(members);
                } else {
                    counts.units_unknown += organisations;
                }
                counts.exclusions_pending += u32::from(profile.pending) * organisations;
                counts.date_unknown += u32::from(profile.date_unknown) * organisations;
                counts.unresolved_links += u64::from(profile.unresolved_links) * u64::from(organisations);
                counts.term_unknown += u32::from(profile.term_unknown) * organisations;
            }
        }
    }

    /// Group B in full.
    pub(crate) fn group_b(&self) -> Ratio {
        self.group_b.into()
    }

    /// The headline.
    pub(crate) fn establishment(&self) -> BoundedRate {
        self.counts.establishment.into()
    }
}

/// A number of organisations, which are numbered in 32 bits.
fn small(organisations: i64) -> u32 {
    u32::try_from(organisations).unwrap_or(0)
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
