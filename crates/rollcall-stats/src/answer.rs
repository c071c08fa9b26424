//! The finished rows of one layout: what the scan found, summed up and named.
//! Owns the rows in their order; rows and places are numbered in `layout`, sums and bounds are in `sums`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use rollcall_core::date::Day;
use rollcall_core::figure::{Completeness, FiguresRow, UnionCounts};
use rollcall_core::ratio::Ratio;
use rollcall_core::term::UnionForm;

use crate::completeness::may_be_expected;
use crate::cube::Cube;
use crate::cube::block::DateIndex;
use crate::cube::segment::NONE;
use crate::key::Value;
use crate::layout::Layout;
use crate::scan::covering;
use crate::sums::{Judged, Sums};
use crate::tally::{Cell, Tally};
use crate::union_tally::mask;

/// More rows than this are written on all threads.
const THREAD_MIN: usize = 2_000;
/// Up to this many, rows are found by a table of all that there may be.
const TABLE_MAX: usize = 1 << 20;

/// Organisations in open conflict, as one row sees them.
struct Disputed {
    judged: Judged,
    /// How many, by date.
    organisations: Vec<u64>,
    unheard_from: usize,
}

/// What a tally comes to.
pub(crate) struct Answer<'a> {
    cube: &'a Cube,
    layout: &'a Layout,
    tally: Tally,
    disputed: BTreeMap<usize, Vec<Disputed>>,
}

impl<'a> Answer<'a> {
    /// Takes a tally as the answer to the layout's plan.
    pub(crate) fn new(cube: &'a Cube, layout: &'a Layout, tally: Tally) -> Self {
        let mut answer = Self {
            cube,
            layout,
            tally,
            disputed: BTreeMap::new(),
        };
        answer.judge();
        answer
    }

    fn width(&self) -> usize {
        self.layout.dates.len()
    }

    /// Organisations in open conflict reach every row in which one of their readings puts them.
    fn judge(&mut self) {
        let (cube, plan, width) = (self.cube, &self.layout.plan, self.width());
        for (set, counts) in std::mem::take(&mut self.tally.conflicts) {
            let readings = cube.readings.value(set);
            let organisations: Vec<u64> = counts
                .iter()
                .map(|count| u64::try_from(*count).unwrap_or(0))
                .collect();
            let in_scope = readings
                .options
                .iter()
                .find(|reading| cube.profiles.value(reading.profile).in_scope());
            if let Some(reading) = in_scope {
                let start = reading.place as usize * width;
                for (known, count) in self.tally.in_scope_by_place[start..].iter_mut().zip(&counts) {
                    *known += count;
                }
            }
            let rows: BTreeSet<usize> = readings
                .options
                .iter()
                .filter_map(|reading| plan.row(reading))
                .collect();
            for row in rows {
                let judged = Judged::new(cube, readings, |reading| plan.row(reading) == Some(row));
                let mut unheard_from = width;
                if let Some(reading) = judged.shown {
                    if cube.profiles.value(reading.profile).in_scope() {
                        unheard_from = plan.unheard_from[reading.place as usize] as usize;
                    }
                    let dates = (0..width).filter(|date| organisations[*date] > 0);
                    let dates = dates.fold(0, |dates, date| dates | mask(date, date + 1));
                    let single = [reading.cover];
                    for union in covering(cube, reading.cover, &single) {
                        if dates != 0 && !plan.headline_only {
                            self.tally.unions.count(*union, row as u32, dates);
                        }
                    }
                }
                self.disputed.entry(row).or_default().push(Disputed {
                    judged,
                    organisations: organisations.clone(),
                    unheard_from,
                });
            }
        }
    }

    /// The cells of a row: target and one cell a date.
    fn cells(&self, row: usize) -> impl Iterator<Item = (u32, &[Cell])> {
        let found = &self.tally.found;
        let plan = &self.layout.plan;
        let (place, profile) = self.layout.parts(row);
        let first = plan
            .targets
            .partition_point(|target| (target.row as usize) < profile);
        let start = found
            .keys
            .partition_point(|key| *key < (place as u32, first as u32));
        let cells = found.cells.chunks_exact(self.width().max(1)).skip(start);
        found.keys[start..]
            .iter()
            .zip(cells)
            .take_while(move |((of, target), _)| {
                *of as usize == place && plan.targets[*target as usize].row as usize == profile
            })
            .map(|((_, target), cells)| (*target, cells))
    }

    /// What a row sums up to on a date; `None` where nothing counts in it.
    fn sums(&self, row: usize, date: usize) -> Option<Sums> {
        let mut sums: Option<Sums> = None;
        for (target, cells) in self.cells(row) {
            if cells[date].organisations > 0 {
                let class = self.layout.plan.targets[target as usize].class;
                let profile = &self.cube.profiles.classes()[class as usize];
                sums.get_or_insert_default().add(profile, &cells[date]);
            }
        }
        for disputed in self.disputed.get(&row).into_iter().flatten() {
            let organisations = disputed.organisations[date];
            if organisations > 0 {
                let unheard = if disputed.unheard_from <= date {
                    organisations
                } else {
                    0
                };
                sums.get_or_insert_default()
                    .add_judged(self.cube, &disputed.judged, organisations, unheard);
            }
        }
        sums
    }

    /// The headline alone, as one row, by date.
    pub(crate) fn headlines(&self) -> Vec<(Day, Sums)> {
        let dates = self.layout.dates.iter().enumerate();
        dates
            .map(|(date, day)| (*day, self.sums(0, date).unwrap_or_default()))
            .collect()
    }

    /// The rows, date by date, in order of their values; `dated` rows say their date.
    pub(crate) fn rows(&self, dated: bool) -> Vec<FiguresRow> {
        let width = self.width();
        let around = Around::new(self);
        let mut order = around.rows.clone();
        self.layout.sort_rows(&mut order);
        let mut wanted: Vec<(usize, usize)> = Vec::with_capacity(order.len() * width);
        for date in 0..width {
            wanted.extend(order.iter().map(|row| (*row, date)));
        }
        wanted.retain(|(row, date)| self.layout.by.is_empty() || self.holds(&around, *row, *date));
        let write = |(row, date): &(usize, usize)| {
            let mut written = self.row(&around, *row, *date).0;
            written.as_of = dated.then_some(self.layout.dates[*date]);
            written
        };
        if wanted.len() < THREAD_MIN {
            wanted.iter().map(write).collect()
        } else {
            wanted.par_iter().map(write).collect()
        }
    }

    /// The one row of a question that is not split, on its first date, with group B in full.
    pub(crate) fn total(&self) -> (FiguresRow, Ratio) {
        self.row(&Around::new(self), 0, 0)
    }

    /// Whether something counts in a row on a date, or has its union there.
    fn holds(&self, around: &Around, row: usize, date: usize) -> bool {
        let disputed = self.disputed.get(&row).into_iter().flatten();
        self.cells(row).any(|(_, cells)| cells[date].organisations > 0)
            || disputed
                .into_iter()
                .any(|disputed| disputed.organisations[date] > 0)
            || around.unions_all(self, row, date) != UnionCounts::default()
    }

    fn row(&self, around: &Around, row: usize, date: usize) -> (FiguresRow, Ratio) {
        let width = self.width();
        let sums = self.sums(row, date).unwrap_or_default();
        let group_b = sums.group_b();
        let mut figures = sums.figures();
        if let Ok(position) = around.rows.binary_search(&row) {
            figures.unions = around.unions[position * width + date];
        }
        if around.unions_all.is_some() {
            figures.unions_all = Some(around.unions_all(self, row, date));
        }
        let scopes = around.completeness.get(self.layout.parts(row).0 * width + date);
        figures.completeness = Completeness {
            organisations_unheard: figures.completeness.organisations_unheard,
            ..scopes.cloned().unwrap_or_default()
        };
        let row = FiguresRow {
            key: self.layout.key_of_row(row),
            name: around.names[date].of(self.layout, row),
            as_of: None,
            figures,
        };
        (row, group_b)
    }

    /// Rows in which some organisation counts at some date, ascending.
    fn row_numbers(&self) -> Vec<usize> {
        let plan = &self.layout.plan;
        let keys = self.tally.found.keys.iter();
        let mut rows: Vec<usize> = keys
            .map(|(place, target)| plan.row_of(*place, *target) as usize)
            .collect();
        rows.dedup();
        rows.extend(self.disputed.keys());
        if self.layout.by.is_empty() {
            rows.push(0);
        }
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// Distinct covering unions by row (in the order given) and date.
    fn unions(&self, rows: &[usize]) -> Vec<UnionCounts> {
        let width = self.width();
        let mut counts = vec![UnionCounts::default(); rows.len() * width];
        let all = self.layout.rows();
        let mut table = Vec::new();
        if all <= TABLE_MAX {
            table.resize(all, NONE);
            for (position, row) in (0..).zip(rows) {
                if let Some(known) = table.get_mut(*row) {
                    *known = position;
                }
            }
        }
        self.tally.unions.each(|union, row, dates| {
            let position = match table.get(row) {
                Some(position) => Some(*position as usize),
                None => rows.binary_search(&row).ok(),
            };
            let Some(start) = position.map(|position| position * width) else {
                return;
            };
            let form = first_form(self.cube.union_forms[union as usize]);
            let mut left = dates;
            while left != 0 {
                add_union(&mut counts[start + left.trailing_zeros() as usize], form);
                left &= left - 1;
            }
        });
        counts
    }

    /// Every established union by row part of its higher union and date.
    fn unions_all(&self) -> Vec<UnionCounts> {
        let (plan, width) = (&self.layout.plan, self.width());
        let mut counts = vec![UnionCounts::default(); plan.place_rows * width];
        let mut count = |place: u32, form: u32, from: usize, to: usize| {
            let row = plan.place_row[place as usize];
            let form = UnionForm::ALL.get(form as usize);
            if let (Some(form), true) = (form, row != NONE) {
                for counts in &mut counts[row as usize * width..][from..to] {
                    add_union(counts, *form);
                }
            }
        };
        let index = DateIndex::new(&plan.dates);
        let unions = &self.cube.union_segments;
        for block in unions.blocks() {
            block.spans(&index, |position, from, to| {
                count(block.place(position), block.profile[position].into(), from, to);
            });
        }
        for segments in unions.odd() {
            for (number, segment) in segments.iter().enumerate() {
                let first = |day: i32| plan.dates.partition_point(|date| *date < day);
                let to = segments.get(number + 1).map_or(width, |next| first(next.from));
                let from = first(segment.from).min(to);
                count(segment.reading.place, segment.reading.profile, from, to);
            }
        }
        counts
    }

    /// Whose answers there are, by row part of the place and date.
    fn completeness(&self) -> Vec<Completeness> {
        let (layout, width) = (self.layout, self.width());
        let mut rows = vec![Completeness::default(); layout.plan.place_rows * width];
        for scope in layout
            .scopes
            .iter()
            .filter(|scope| may_be_expected(&scope.federation))
        {
            for (date, day) in layout.dates.iter().enumerate() {
                let has_organisations = scope
                    .place
                    .is_some_and(|place| self.tally.in_scope_by_place[place as usize * width + date] > 0);
                if has_organisations
                    || scope.heard.enrolled
                    || self.cube.directory.is_active(&scope.federation, *day)
                {
                    scope
                        .heard
                        .count(&mut rows[scope.row as usize * width + date], *day);
                }
            }
        }
        rows
    }
}

/// What rows say besides what organisations come to.
struct Around {
    /// Every row that may be written, ascending.
    rows: Vec<usize>,
    /// Distinct covering unions by row and date.
    unions: Vec<UnionCounts>,
    /// Every established union by row part of the place and date, where rows and filters go by places alone.
    unions_all: Option<Vec<UnionCounts>>,
    /// By row part of the place and date.
    completeness: Vec<Completeness>,
    /// By date.
    names: Vec<Names>,
}

impl Around {
    fn new(answer: &Answer<'_>) -> Self {
        let (layout, width) = (answer.layout, answer.width());
        let unions_all = layout.by_places.then(|| answer.unions_all());
        let mut rows = answer.row_numbers();
        if let Some(unions_all) = unions_all.as_ref().filter(|_| !layout.by.is_empty()) {
            let places = unions_all.chunks_exact(width).enumerate();
            let held =
                places.filter(|(_, dates)| dates.iter().any(|counts| *counts != UnionCounts::default()));
            rows.extend(held.map(|(place, _)| place * layout.plan.profile_rows.max(1)));
            rows.sort_unstable();
            rows.dedup();
        }
        Self {
            unions: answer.unions(&rows),
            rows,
            unions_all,
            completeness: answer.completeness(),
            names: layout
                .dates
                .iter()
                .map(|date| Names::new(answer.cube, layout, *date))
                .collect(),
        }
    }

    fn unions_all(&self, answer: &Answer<'_>, row: usize, date: usize) -> UnionCounts {
        let index = answer.layout.parts(row).0 * answer.width() + date;
        let counts = self.unions_all.as_ref().and_then(|all| all.get(index));
        counts.copied().unwrap_or_default()
    }
}

/// What the parts of rows are called at a date.
struct Names {
    places: Vec<Vec<Cow<'static, str>>>,
    profiles: Vec<Vec<Cow<'static, str>>>,
    /// The name of a row that is not split.
    area: String,
}

impl Names {
    fn new(cube: &Cube, layout: &Layout, on: Day) -> Self {
        let of = |values: &Vec<Value>, remainder| {
            values
                .iter()
                .map(|value| value.name_at(&cube.directory, remainder, on))
                .collect()
        };
        // The remainder of a place is direct, that of anything else are others.
        Self {
            places: layout
                .place_values
                .iter()
                .map(|values| of(values, "直属"))
                .collect(),
            profiles: layout
                .profile_values
                .iter()
                .map(|values| of(values, "其他"))
                .collect(),
            area: cube.directory.name_at(&layout.area, on),
        }
    }

    fn of(&self, layout: &Layout, row: usize) -> String {
        if layout.by.is_empty() {
            return self.area.clone();
        }
        let (place, profile) = layout.parts(row);
        let mut places = self.places.get(place).into_iter().flatten();
        let mut profiles = self.profiles.get(profile).into_iter().flatten();
        let mut name = String::new();
        for dimension in &layout.by {
            let part = if dimension.is_place() {
                places.next()
            } else {
                profiles.next()
            };
            if let Some(part) = part {
                if !name.is_empty() {
                    name.push(' ');
                }
                name.push_str(part);
            }
        }
        name
    }
}

/// The form under which a union counts: the first of several in conflict.
fn first_form(forms: u8) -> UnionForm {
    let first = UnionForm::ALL.get(forms.trailing_zeros() as usize);
    first.copied().unwrap_or(UnionForm::Own)
}

fn add_union(counts: &mut UnionCounts, form: UnionForm) {
    match form {
        UnionForm::Own => counts.own += 1,
        UnionForm::Joint => counts.joint += 1,
        UnionForm::Federation => counts.federation += 1,
    }
}
