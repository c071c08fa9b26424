//! The rows of one question: which organisation, union and federation goes where, and the finished row.
//! Owns the way from places and profiles to rows; the scan is in `tally`, sums and bounds in `sums`.

use std::collections::{BTreeMap, HashMap};

use rollcall_core::date::Day;
use rollcall_core::federation::Place;
use rollcall_core::figure::{Completeness, Dimension, FiguresRow, RowKey, UnionCounts};
use rollcall_core::id::FederationId;
use rollcall_core::ratio::Ratio;
use rollcall_core::term::UnionForm;

use crate::completeness::{Heard, may_be_expected};
use crate::cube::segment::{Hot, NONE, Profile, Reading, Standing};
use crate::cube::{Cube, forms_of};
use crate::key::{self, Value};
use crate::query::FiguresQuery;
use crate::sums::{Judged, Sums, contribution};
use crate::tally::{Plan, Tally, covering, for_spans};

/// A finished row of one date.
pub(crate) struct DatedRow {
    pub(crate) date: Day,
    pub(crate) values: Vec<Value>,
    pub(crate) row: FiguresRow,
    /// Group B in full.
    pub(crate) group_b: Ratio,
}

/// Rows of one question and where each place and profile goes.
pub(crate) struct Layout {
    pub(crate) plan: Plan,
    /// Values of the place dimensions, by row part.
    place_values: Vec<Vec<Value>>,
    /// Values of the other dimensions, by row part.
    profile_values: Vec<Vec<Value>>,
    /// Federations that are expected whatever their organisations, or have some, with their row part and, where they
    /// have organisations, their place.
    scopes: Vec<(FederationId, u32, Option<u32>)>,
    by: Vec<Dimension>,
    /// Whether rows and filters go by places alone.
    by_places: bool,
    dates: Vec<Day>,
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
            by_places: by
                .iter()
                .chain(query.filters.iter().map(|(dimension, _)| dimension))
                .all(|dimension| dimension.is_place()),
            dates: dates.to_vec(),
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

    /// The rows of what the scan found.
    pub(crate) fn answer(&self, cube: &Cube, mut tally: Tally, heard: &Heard) -> Vec<DatedRow> {
        let (by, dates) = (&self.by, &self.dates);
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
        let unions_all = if self.by_places {
            self.unions_all(cube, dates)
        } else {
            BTreeMap::new()
        };
        let completeness = self.completeness(cube, &tally, dates, heard);

        if by.is_empty() {
            for date in 0..dates.len() {
                sums.entry((date, 0)).or_default();
            }
        } else {
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
                    key::row_name(&cube.directory, by, &values, on)
                };
                let (group_b, unheard) = (sums.group_b.low, sums.unheard);
                let mut figures = sums.figures();
                figures.unions = unions.get(&(date, row)).copied().unwrap_or_default();
                figures.unions_all = self
                    .by_places
                    .then(|| unions_all.get(&(date, place)).copied().unwrap_or_default());
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
            let in_scope = readings
                .options
                .iter()
                .find(|reading| cube.profiles.value(reading.profile).in_scope());
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
                let Hot {
                    place, profile: form, ..
                } = hot[position];
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
