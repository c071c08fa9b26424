//! From counts to figures: what each profile adds to which rate, both bounds of each, and the organisations in open
//! conflict as one row sees them. Owns the sums of a row; where the row comes from is `layout`.

use std::collections::BTreeMap;

use rollcall_core::coverage::Form;
use rollcall_core::figure::{BoundedRate, Completeness, Figures, MembershipRate, Rate, UnionCounts};
use rollcall_core::ratio::Ratio;
use rollcall_core::scope::OutReason;
use rollcall_core::term::{Category, Kind, Level, Stage};

use crate::bounds::{Bounds, Pair, Possible};
use crate::cube::Cube;
use crate::cube::segment::{Profile, Reading, Readings, Size, Standing};
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
    pub(crate) group_b: Bounds,
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
    /// Organisations in open conflict that are not heard; the others are counted by the scan.
    pub(crate) unheard: u64,
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
        self.add_rest(profile, cell);
    }

    /// Organisations in open conflict.
    pub(crate) fn add_judged(&mut self, cube: &Cube, judged: &Judged, organisations: u64) {
        self.establishment
            .add_possible(judged.establishment, organisations);
        self.identified.add_possible(judged.identified, organisations);
        self.strict.add_possible(judged.strict, organisations);
        self.group_b.add_possible(judged.group_b, organisations);
        if let Some(reading) = judged.shown {
            let times = |number: u32| i64::from(number).saturating_mul(organisations as i64);
            let cell = Cell {
                organisations: organisations as i64,
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
        self.open_conflicts += u64::from(profile.open_conflicts) * organisations;
        match profile.standing {
            Standing::Absent => {}
            Standing::Out(OutReason::NoCode) => self.held += organisations,
            Standing::Out(reason) => *self.out.entry(reason.name()).or_default() += organisations,
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

    /// The figures, but for unions and completeness.
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
            unions_all: UnionCounts::default(),
            open_conflicts: self.open_conflicts,
            frame: None,
            completeness: Completeness::default(),
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

/// An organisation in open conflict as one row sees it.
pub(crate) struct Judged {
    pub(crate) establishment: Possible,
    pub(crate) identified: Possible,
    strict: Possible,
    group_b: Possible,
    /// The reading that everything else of the row shows: the first that gives the headline's low pair.
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
        let low = judged.establishment.low();
        judged.shown = readings
            .options
            .iter()
            .filter(|reading| belongs(reading))
            .find(|reading| establishment_pair(cube.profiles.value(reading.profile)) == low)
            .copied();
        judged
    }
}
