//! What rows say besides what organisations come to: covering unions, every union of their place, whose answers they
//! rest on, what they are called. Owns the counting of unions by row; which unions cover whom is in `union_tally`.

use std::collections::HashMap;

use rollcall_core::figure::{Completeness, PlacePart, ProfilePart, Text, UnionCounts};
use rollcall_core::term::UnionForm;

use crate::answer::Answer;
use crate::cube::date_index::DateIndex;
use crate::cube::segment::NONE;
use crate::layout::Scope;

/// Up to this many, rows are found by a table of all that there may be.
const TABLE_MAX: usize = 1 << 20;

/// What rows say besides what organisations come to.
pub(crate) struct Around {
    /// Every established union by row part of the place and date, where rows and filters go by places alone.
    unions_all: Option<Vec<UnionCounts>>,
    /// By row part of the place and date.
    completeness: Vec<Completeness>,
}

impl Around {
    pub(crate) fn new(answer: &Answer<'_>) -> Self {
        Self {
            unions_all: answer.layout.by_places.then(|| unions_all(answer)),
            completeness: completeness(answer),
        }
    }

    /// Row parts of places in which a union is established at some date; none where the question has one row.
    pub(crate) fn places_with_unions(&self, width: usize) -> impl Iterator<Item = u32> {
        let all = self.unions_all.as_deref().unwrap_or_default();
        let places = (0..).zip(all.chunks_exact(width.max(1)));
        places
            .filter(|(_, dates)| dates.iter().any(|counts| *counts != UnionCounts::default()))
            .map(|(place, _)| place)
    }

    /// Whether a union is established in a row part of places on a date.
    pub(crate) fn has_unions(&self, width: usize, place: u32, date: usize) -> bool {
        let index = place as usize * width + date;
        let counts = self.unions_all.as_ref().and_then(|all| all.get(index));
        counts.is_some_and(|counts| *counts != UnionCounts::default())
    }

    /// What the rows of each place and date, and of each profile, have in common.
    pub(crate) fn parts(&self, answer: &Answer<'_>, dated: bool) -> (Vec<PlacePart>, Vec<ProfilePart>) {
        let (layout, cube) = (answer.layout, answer.cube);
        let width = layout.dates.len();
        let mut places = Vec::with_capacity(layout.plan.place_rows.max(1) * width);
        let mut codes: HashMap<u32, Text> = HashMap::new();
        for (date, day) in layout.dates.iter().enumerate() {
            let mut names: HashMap<u32, Text> = HashMap::new();
            for place in 0..layout.plan.place_rows.max(1) {
                let mut part = PlacePart {
                    as_of: dated.then_some(*day),
                    ..PlacePart::default()
                };
                for (rank, federation) in layout.federations_of(place) {
                    let Some(federation) = federation else {
                        part.values.push(None);
                        // The remainder of a place is direct, that of anything else are others.
                        part.names.push(Text::Term("直属"));
                        continue;
                    };
                    let code = codes
                        .entry(rank)
                        .or_insert_with(|| Text::Federation(federation.as_str().into()));
                    let name = names
                        .entry(rank)
                        .or_insert_with(|| Text::Federation(cube.directory.name_at(federation, *day).into()));
                    part.values.push(Some(code.clone()));
                    part.names.push(name.clone());
                }
                if layout.by.is_empty() {
                    let name = cube.directory.name_at(&layout.area, *day);
                    part.names.push(Text::Federation(name.into()));
                }
                let index = place * width + date;
                let scopes = self.completeness.get(index);
                part.completeness = scopes.cloned().unwrap_or_default();
                part.unions_all = self
                    .unions_all
                    .as_ref()
                    .map(|all| all.get(index).copied().unwrap_or_default());
                places.push(part);
            }
        }
        let profiles = (0..layout.profile_parts.len()).map(|part| ProfilePart {
            values: layout
                .terms_of(cube, part)
                .map(|term| term.map(Text::Term))
                .collect(),
            names: layout
                .terms_of(cube, part)
                .map(|term| Text::Term(term.unwrap_or("其他")))
                .collect(),
        });
        (places, profiles.collect())
    }
}

/// Distinct covering unions by row (in the order given) and date, in the order of `UnionForm::ALL`.
pub(crate) fn unions(answer: &Answer<'_>, rows: &[u32]) -> Vec<[u32; 3]> {
    let width = answer.layout.dates.len();
    let mut counts = vec![[0; 3]; rows.len() * width];
    let all = answer.layout.plan.rows();
    let mut table = Vec::new();
    if all <= TABLE_MAX {
        table.resize(all, NONE);
        for (position, row) in (0..).zip(rows) {
            if let Some(known) = table.get_mut(*row as usize) {
                *known = position;
            }
        }
    }
    answer.tally.unions.each(|union, row, dates| {
        let position = match table.get(row as usize) {
            Some(position) => Some(*position as usize),
            None => rows.binary_search(&row).ok(),
        };
        let Some(start) = position.map(|position| position * width) else {
            return;
        };
        let form = first_form(answer.cube.union_forms[union as usize]) as usize;
        let mut left = dates;
        while left != 0 {
            counts[start + left.trailing_zeros() as usize][form] += 1;
            left &= left - 1;
        }
    });
    counts
}

/// Every established union by row part of its higher union and date.
fn unions_all(answer: &Answer<'_>) -> Vec<UnionCounts> {
    let (plan, width) = (&answer.layout.plan, answer.layout.dates.len());
    let mut counts = vec![UnionCounts::default(); plan.place_rows * width];
    let mut count = |place: u32, form: u32, from: usize, to: usize| {
        let row = plan.place_row[place as usize];
        let form = UnionForm::ALL.get(form as usize);
        if let (Some(form), true) = (form, row != NONE) {
            for counts in &mut counts[row as usize * width..][from..to] {
                match form {
                    UnionForm::Own => counts.own += 1,
                    UnionForm::Joint => counts.joint += 1,
                    UnionForm::Federation => counts.federation += 1,
                }
            }
        }
    };
    let index = DateIndex::new(&plan.dates);
    let unions = &answer.cube.union_segments;
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
fn completeness(answer: &Answer<'_>) -> Vec<Completeness> {
    let (layout, cube) = (answer.layout, answer.cube);
    let width = layout.dates.len();
    let mut rows = vec![Completeness::default(); layout.plan.place_rows * width];
    for scope in &layout.scopes {
        for (date, day) in layout.dates.iter().enumerate() {
            let expected = scope.heard.enrolled
                || match &scope.whose {
                    Scope::Place(place) => {
                        answer.tally.in_scope_by_place[*place as usize * width + date] > 0
                            || cube.directory.is_active(cube.places.value(*place), *day)
                    }
                    Scope::Silent(federation) => cube.directory.is_active(federation, *day),
                };
            if expected {
                scope
                    .heard
                    .count(&mut rows[scope.row as usize * width + date], *day);
            }
        }
    }
    rows
}

/// The form under which a union counts: the first of several in conflict.
fn first_form(forms: u8) -> UnionForm {
    let first = UnionForm::ALL.get(forms.trailing_zeros() as usize);
    first.copied().unwrap_or(UnionForm::Own)
}
