//! Questions for establishment figures: dimensions, filters, dates; and their answers in the shape of `cli.md`.
//! Owns rows and totals; the scan is in `tally`, the choice under open conflicts in `bounds`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use rollcall_core::coverage::Form;
use rollcall_core::date::Day;
use rollcall_core::federation::Place;
use rollcall_core::figure::{
    BoundedRate, Completeness, Dimension, Figures, FiguresAnswer, FiguresRow, FiguresTotal, MembershipRate,
    Rate, RowKey, TargetVerdict, UnionCounts,
};
use rollcall_core::id::FederationId;
use rollcall_core::ratio::Ratio;
use rollcall_core::scope::OutReason;
use rollcall_core::term::{Category, Kind, Level, Stage, UnionForm};

use crate::Error;
use crate::bounds::{Bounds, Pair, Possible};
use crate::completeness::{Heard, may_be_expected};
use crate::cube::segment::{NONE, Profile, Reading, Size, Standing};
use crate::cube::{Cube, forms_of};
use crate::key::{self, Value};
use crate::tally::{Cell, Plan, Tally, covering, for_spans};

/// Dates of one series.
pub const SERIES_MAX: usize = 1200;

/// Dates that are scanned at once.
const BATCH: usize = 24;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiguresQuery {
    /// The day to describe.
    pub as_of: Day,
    /// Dimensions of the rows.
    pub by: Vec<Dimension>,
    /// Only organisations of this federation and those below it.
    pub area: Option<FederationId>,
    /// Only organisations with these values; an empty value means the remainder of a place dimension.
    pub filters: Vec<(Dimension, String)>,
    /// Rows for every month end within these days.
    pub series: Option<(Day, Day)>,
    /// The day whose hierarchy is used; that of each date unless given.
    pub boundaries: Option<Day>,
}

impl FiguresQuery {
    /// The total of everything at a day.
    pub fn at(as_of: Day) -> Self {
        Self {
            as_of,
            by: Vec::new(),
            area: None,
            filters: Vec::new(),
            series: None,
            boundaries: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        for (index, dimension) in self.by.iter().enumerate() {
            if self.by[..index].contains(dimension) {
                return Err(Error::DimensionTwice(*dimension));
            }
        }
        self.filters
            .iter()
            .try_for_each(|(dimension, value)| key::check(*dimension, value))
    }

    /// Dates of the rows.
    fn dates(&self) -> Result<Vec<Day>, Error> {
        let Some((from, to)) = self.series else {
            return Ok(vec![self.as_of]);
        };
        if to < from {
            return Err(Error::PeriodBackwards { from, to });
        }
        let mut dates = Vec::new();
        let mut end = from.month_end();
        while end <= to {
            if dates.len() == SERIES_MAX {
                return Err(Error::SeriesTooLong {
                    dates: dates.len() + 1,
                    max: SERIES_MAX,
                });
            }
            dates.push(end);
            end = end.next().month_end();
        }
        Ok(dates)
    }
}

impl Cube {
    /// Answers a question. `known_at` of the answer is left for the caller to fill in.
    ///
    /// # Errors
    /// An unknown value of a filter, a dimension asked for twice, a series that is backwards or too long.
    pub fn figures(&self, query: &FiguresQuery, heard: &Heard) -> Result<FiguresAnswer, Error> {
        query.check()?;
        let row_dates = query.dates()?;
        let mut rows = Vec::new();
        // A question for one row on one day is answered by the total.
        let split = !query.by.is_empty() || query.series.is_some();
        for batch in row_dates.chunks(BATCH).filter(|_| split) {
            rows.extend(self.rows(query, &query.by, batch, heard).into_iter().map(|mut row| {
                row.row.as_of = query.series.is_some().then_some(row.date);
                row.row
            }));
        }
        let reached = |date: Day| (date <= query.as_of).then_some(date);
        let mut total_dates: Vec<Day> = self
            .settings
            .targets
            .iter()
            .filter_map(|target| reached(target.date))
            .chain([query.as_of])
            .collect();
        total_dates.sort_unstable();
        total_dates.dedup();
        let mut totals = BTreeMap::new();
        for batch in total_dates.chunks(BATCH) {
            for row in self.rows(query, &[], batch, heard) {
                totals.insert(row.date, (row.row.figures.clone(), row.group_b));
                if !split && row.date == query.as_of {
                    rows.push(row.row);
                }
            }
        }
        let (figures, group_b) = totals.get(&query.as_of).cloned().unwrap_or_default();
        let targets = self.settings.targets.iter().map(|target| {
            let found = reached(target.date).and_then(|date| totals.get(&date));
            let rate = found.map(|(figures, _)| &figures.establishment_rate);
            TargetVerdict {
                date: target.date,
                percent: target.percent,
                numerator: rate.map(|rate| rate.rate.ratio.numerator),
                denominator: rate.map(|rate| rate.rate.ratio.denominator),
                met: rate.and_then(|rate| rate.rate.ratio.reaches(target.percent)),
                low_met: rate.and_then(|rate| rate.low.reaches(target.percent)),
                high_met: rate.and_then(|rate| rate.high.reaches(target.percent)),
            }
        });
        Ok(FiguresAnswer {
            as_of: query.as_of,
            known_at: None,
            settings: (&self.settings).into(),
            by: query.by.clone(),
            rows,
            total: FiguresTotal {
                group_b_all: group_b.into(),
                figures,
            },
            targets: targets.collect(),
        })
    }

    /// The rows of some dates, in order of date and key.
    fn rows(
        &self,
        query: &FiguresQuery,
        by: &[Dimension],
        dates: &[Day],
        heard: &Heard,
    ) -> Vec<DatedRow> {
        let by_place = query.area.as_ref().is_some_and(|area| *area != FederationId::national())
            || by.iter().chain(query.filters.iter().map(|(dimension, _)| dimension)).any(|by| by.is_place());
        let silent = self.silent_scopes(heard);
        let hierarchy = |date: Day| {
            let day = query.boundaries.unwrap_or(date);
            let places: Vec<Place> = silent
                .iter()
                .map(|federation| self.directory.place_at(federation, day))
                .collect();
            (self.located(day), places)
        };
        let mut rows = Vec::new();
        let mut start = 0;
        while start < dates.len() {
            // Dates with one hierarchy are scanned together; without rows or filters by place it does not matter.
            let (located, places) = hierarchy(dates[start]);
            let same = |date: &&Day| {
                !by_place || {
                    let (other, other_places) = hierarchy(**date);
                    Arc::ptr_eq(&other, &located) && other_places == places
                }
            };
            let len = 1 + dates[start + 1..].iter().take_while(same).count();
            let span = &dates[start..start + len];
            start += len;
            let silent = silent.iter().cloned().zip(places);
            let layout = Layout::new(self, query, by, &located, silent, span, heard);
            rows.extend(layout.answer(self, by, span, heard));
        }
        rows.sort_by(|a, b| (a.date, &a.values).cmp(&(b.date, &b.values)));
        rows
    }

    /// Federations that may be expected though no document of an organisation or union names them.
    fn silent_scopes(&self, heard: &Heard) -> Vec<FederationId> {
        let active = self
            .directory
            .stated()
            .filter(|facts| facts.active)
            .map(|facts| &facts.id);
        let expected: BTreeSet<&FederationId> = heard.enrolled.iter().chain(active).collect();
        expected
            .into_iter()
            .filter(|federation| !self.places.contains(federation))
            .cloned()
            .collect()
    }
}

struct DatedRow {
    date: Day,
    values: Vec<Value>,
    row: FiguresRow,
    group_b: Ratio,
}

/// Rows of one question and where each place and profile goes.
pub(crate) struct Layout {
    plan: Plan,
    /// Values of the place dimensions, by row part.
    place_values: Vec<Vec<Value>>,
    /// Values of the other dimensions, by row part.
    profile_values: Vec<Vec<Value>>,
    /// Federations that are expected whatever their organisations, or have some, with their row part and, where they
    /// have organisations, their place.
    scopes: Vec<(FederationId, u32, Option<u32>)>,
    by: Vec<Dimension>,
    area: FederationId,
}

impl Layout {
    pub(crate) fn new(
        cube: &Cube,
        query: &FiguresQuery,
        by: &[Dimension],
        located: &[Place],
        silent: impl Iterator<Item = (FederationId, Place)>,
        dates: &[Day],
        heard: &Heard,
    ) -> Self {
        let place_by: Vec<Dimension> = by
            .iter()
            .copied()
            .filter(|dimension| dimension.is_place())
            .collect();
        let profile_by: Vec<Dimension> = by
            .iter()
            .copied()
            .filter(|dimension| !dimension.is_place())
            .collect();
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
            let values: Vec<Value> = place_by
                .iter()
                .map(|dimension| key::of_place(*dimension, federation, place))
                .collect();
            *place_numbers.entry(values).or_insert_with_key(|values| {
                place_values.push(values.clone());
                place_values.len() as u32 - 1
            })
        };
        let places = cube.places.values();
        let place_row: Vec<u32> = places
            .iter()
            .zip(located)
            .map(|(federation, place)| part_of(federation, place))
            .collect();
        let mut scopes: Vec<(FederationId, u32, Option<u32>)> = (0..)
            .zip(places.iter().zip(&place_row))
            .map(|(number, (federation, row))| (federation.clone(), *row, Some(number)))
            .collect();
        for (federation, place) in silent {
            let row = part_of(&federation, &place);
            scopes.push((federation, row, None));
        }
        let unheard_from = places
            .iter()
            .map(|federation| {
                dates
                    .iter()
                    .position(|date| !heard.after(federation, *date))
                    .unwrap_or(dates.len()) as u32
            })
            .collect();

        let mut profile_numbers: HashMap<Vec<Value>, u32> = HashMap::new();
        let mut profile_values = Vec::new();
        let mut class_numbers: HashMap<Profile, u32> = HashMap::new();
        let mut classes = Vec::new();
        let (mut profile_row, mut class) = (Vec::new(), Vec::new());
        for profile in cube.profiles.values() {
            let reduced = contribution(profile);
            class.push(*class_numbers.entry(reduced).or_insert_with(|| {
                classes.push(reduced);
                classes.len() as u32 - 1
            }));
            let passes = profile.standing != Standing::Absent
                && query
                    .filters
                    .iter()
                    .filter(|(dimension, _)| !dimension.is_place())
                    .all(|(dimension, text)| key::of_profile(*dimension, profile).is_meant_by(text));
            profile_row.push(if passes {
                let values: Vec<Value> = profile_by
                    .iter()
                    .map(|dimension| key::of_profile(*dimension, profile))
                    .collect();
                *profile_numbers.entry(values).or_insert_with_key(|values| {
                    profile_values.push(values.clone());
                    profile_values.len() as u32 - 1
                })
            } else {
                NONE
            });
        }
        Self {
            plan: Plan {
                dates: dates.iter().map(|date| date.0).collect(),
                place_rows: place_values.len(),
                place_row,
                profile_rows: profile_values.len(),
                profile_row,
                class,
                classes,
                unheard_from,
            },
            place_values,
            profile_values,
            scopes,
            by: by.to_vec(),
            area: query.area.clone().unwrap_or_else(FederationId::national),
        }
    }

    /// Values of a row in the order of the dimensions asked for.
    fn values(&self, place: usize, profile: usize) -> Vec<Value> {
        let mut places = self.place_values[place].iter();
        let mut profiles = self
            .profile_values
            .get(profile)
            .map_or(&[][..], Vec::as_slice)
            .iter();
        self.by
            .iter()
            .filter_map(|dimension| {
                if dimension.is_place() {
                    places.next()
                } else {
                    profiles.next()
                }
            })
            .cloned()
            .collect()
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
        let profile_rows = self.plan.profile_rows.max(1);
        key::row_key(&self.by, &self.values(row / profile_rows, row % profile_rows))
    }

    fn answer(&self, cube: &Cube, by: &[Dimension], dates: &[Day], heard: &Heard) -> Vec<DatedRow> {
        let mut tally = Tally::take(cube, &self.plan);
        let mut sums: BTreeMap<(usize, usize), Sums> = BTreeMap::new();
        let classes = self.plan.classes.len().max(1);
        for index in tally.indices() {
            let Some(cells) = tally.cells(index) else { continue };
            let (row, class) = (index / classes, index % classes);
            for (date, cell) in cells.iter().take(dates.len()).enumerate() {
                if cell.organisations > 0 {
                    sums.entry((date, row))
                        .or_default()
                        .add(&self.plan.classes[class], cell);
                }
            }
        }
        self.add_conflicts(cube, &mut tally, &mut sums);
        let unions = self.unions(cube, &tally);
        let unions_all = self.unions_all(cube, dates);
        let completeness = self.completeness(cube, &tally, dates, heard);

        if by.is_empty() {
            for date in 0..dates.len() {
                sums.entry((date, 0)).or_default();
            }
        } else if by.iter().all(|dimension| dimension.is_place()) {
            for (date, place) in unions_all.keys() {
                sums.entry((*date, *place)).or_default();
            }
        }
        let profile_rows = self.plan.profile_rows.max(1);
        sums.into_iter()
            .map(|((date, row), sums)| {
                let (place, profile) = (row / profile_rows, row % profile_rows);
                let values = if self.place_values.is_empty() {
                    Vec::new()
                } else {
                    self.values(place, profile)
                };
                let on = dates[date];
                let name = if by.is_empty() {
                    cube.directory.name_at(&self.area, on)
                } else {
                    key::row_name(&cube.directory, &values, on)
                };
                let (group_b, unheard) = (sums.group_b.low, sums.unheard);
                let mut figures = sums.figures();
                figures.unions = unions.get(&(date, row)).copied().unwrap_or_default();
                figures.unions_all = unions_all.get(&(date, place)).copied().unwrap_or_default();
                figures.completeness = completeness.get(&(date, place)).cloned().unwrap_or_default();
                figures.completeness.organisations_unheard =
                    u64::try_from(tally.unheard(row, date)).unwrap_or(0) + unheard;
                let key = key::row_key(by, &values);
                DatedRow {
                    date: on,
                    values,
                    row: FiguresRow {
                        key,
                        name,
                        as_of: None,
                        figures,
                    },
                    group_b,
                }
            })
            .collect()
    }

    fn add_conflicts(&self, cube: &Cube, tally: &mut Tally, sums: &mut BTreeMap<(usize, usize), Sums>) {
        let dates = self.plan.dates.len();
        for (set, counts) in std::mem::take(&mut tally.conflicts) {
            let readings = cube.readings.value(set);
            let in_scope = readings.options.iter().find(|reading| cube.profiles.value(reading.profile).in_scope());
            if let Some(reading) = in_scope {
                for (date, count) in counts.iter().take(dates).enumerate() {
                    tally.add_in_scope(reading.place, date, *count);
                }
            }
            let mut rows: Vec<usize> = readings
                .options
                .iter()
                .filter_map(|reading| self.plan.row(reading))
                .collect();
            rows.sort_unstable();
            rows.dedup();
            for row in rows {
                let judged = Judged::new(cube, readings, |reading| self.plan.row(reading) == Some(row));
                for (date, count) in counts.iter().take(dates).enumerate() {
                    let Ok(organisations @ 1..) = u64::try_from(*count) else {
                        continue;
                    };
                    let known = sums.entry((date, row)).or_default();
                    known.add_judged(cube, &judged, organisations);
                    let Some(reading) = judged.shown else { continue };
                    let in_scope = cube.profiles.value(reading.profile).in_scope();
                    if in_scope && self.plan.unheard_from[reading.place as usize] as usize <= date {
                        known.unheard += organisations;
                    }
                    let single = [reading.cover];
                    for union in covering(cube, reading.cover, &single) {
                        tally.count_union(dates, date, row, *union);
                    }
                }
            }
        }
    }

    /// Distinct covering unions by date and row.
    fn unions(&self, cube: &Cube, tally: &Tally) -> BTreeMap<(usize, usize), UnionCounts> {
        let dates = self.plan.dates.len();
        let mut counts = vec![UnionCounts::default(); self.plan.rows() * dates];
        tally.each_union(dates, |date, row, union| {
            let form = forms_of(cube.union_forms[union]).first().copied();
            add_union(&mut counts[row * dates + date], form.unwrap_or(UnionForm::Own));
        });
        by_date_and_row(&counts, dates)
    }

    /// Every established union by date and row part of its higher union.
    fn unions_all(&self, cube: &Cube, dates: &[Day]) -> BTreeMap<(usize, usize), UnionCounts> {
        let mut counts = vec![UnionCounts::default(); self.place_values.len() * dates.len()];
        for number in 0..cube.union_segments.len() {
            let hot = cube.union_segments.hot(number).0;
            for_spans(hot, &self.plan.dates, |position, from, to| {
                let (place, form) = cube.union_segments.pairs()[hot[position].pair as usize];
                let place = self.plan.place_row[place as usize];
                let form = UnionForm::ALL.get(form as usize);
                if let (Some(form), true) = (form, place != NONE) {
                    for counts in &mut counts[place as usize * dates.len()..][from..to] {
                        add_union(counts, *form);
                    }
                }
            });
        }
        by_date_and_row(&counts, dates.len())
    }

    fn completeness(
        &self,
        cube: &Cube,
        tally: &Tally,
        dates: &[Day],
        heard: &Heard,
    ) -> BTreeMap<(usize, usize), Completeness> {
        let mut rows: BTreeMap<(usize, usize), Completeness> = BTreeMap::new();
        for (federation, row, place) in &self.scopes {
            if *row == NONE || !may_be_expected(federation) {
                continue;
            }
            for (date, day) in dates.iter().enumerate() {
                let has_organisations = place.is_some_and(|place| tally.in_scope(place as usize, date) > 0);
                if has_organisations
                    || heard.enrolled.contains(federation)
                    || cube.directory.is_active(federation, *day)
                {
                    heard.count(rows.entry((date, *row as usize)).or_default(), federation, *day);
                }
            }
        }
        rows
    }
}

fn by_date_and_row(counts: &[UnionCounts], dates: usize) -> BTreeMap<(usize, usize), UnionCounts> {
    let positions = counts.iter().enumerate();
    let found = positions.filter(|(_, counts)| **counts != UnionCounts::default());
    found
        .map(|(index, counts)| ((index % dates, index / dates), *counts))
        .collect()
}

fn add_union(counts: &mut UnionCounts, form: UnionForm) {
    match form {
        UnionForm::Own => counts.own += 1,
        UnionForm::Joint => counts.joint += 1,
        UnionForm::Federation => counts.federation += 1,
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

/// A profile reduced to what it contributes to the figures of its row.
fn contribution(profile: &Profile) -> Profile {
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
struct Sums {
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
    /// Organisations in open conflict that are not heard; the others are counted by the scan.
    unheard: u64,
}

impl Sums {
    fn add(&mut self, profile: &Profile, cell: &Cell) {
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

    fn add_judged(&mut self, cube: &Cube, judged: &Judged, organisations: u64) {
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

    fn figures(self) -> Figures {
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
    pub(crate) fn new(
        cube: &Cube,
        readings: &crate::cube::segment::Readings,
        belongs: impl Fn(&Reading) -> bool,
    ) -> Self {
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
