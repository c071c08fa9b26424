//! Questions for establishment figures: dimensions, filters, dates; and their answers in the shape of `cli.md`.
//! Owns dates and what is counted together; rows are laid out in `layout`, counted in `scan`, written in `answer`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rollcall_core::campaign::Target;
use rollcall_core::date::Day;
use rollcall_core::federation::Place;
use rollcall_core::figure::{BoundedRate, Dimension, FiguresAnswer, FiguresRow, FiguresTotal, TargetVerdict};
use rollcall_core::id::FederationId;
use rollcall_core::ratio::Ratio;

use crate::Error;
use crate::answer::Answer;
use crate::completeness::Heard;
use crate::cube::Cube;
use crate::key;
use crate::layout::{Layout, Span};
use crate::scan::scan;
use crate::union_tally::DATES_MAX;

/// Dates of one series.
pub const SERIES_MAX: usize = 1200;

/// Dates that are scanned at once.
const BATCH: usize = 24;
const _: () = assert!(BATCH <= DATES_MAX);

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
        let targets = self.targets(query.as_of);
        let mut target_dates: Vec<Day> = targets
            .iter()
            .map(|target| target.date)
            .filter(|date| *date < query.as_of)
            .collect();
        target_dates.sort_unstable();
        target_dates.dedup();
        let mut headlines: BTreeMap<Day, BoundedRate> = BTreeMap::new();
        for dates in target_dates.chunks(BATCH) {
            for layout in self.layouts(query, &[], dates, heard) {
                let layout = layout.headline_only();
                let answer = Answer::new(self, &layout, scan(self, &layout.plan));
                headlines.extend(
                    answer
                        .headlines()
                        .into_iter()
                        .map(|(date, sums)| (date, sums.establishment())),
                );
            }
        }
        let mut rows: Vec<FiguresRow> = Vec::new();
        let mut total: Option<(FiguresRow, Ratio)> = None;
        let only_total = query.by.is_empty() && query.series.is_none();
        for dates in row_dates.chunks(BATCH).filter(|_| !only_total) {
            let of_total = query
                .series
                .is_none()
                .then(|| self.layouts(query, &[], dates, heard));
            for layout in self.layouts(query, &query.by, dates, heard) {
                let tally = scan(self, &layout.plan);
                // A question for one day counts the total together with the rows.
                if let Some([of_total]) = of_total.as_deref() {
                    let tally = tally.in_one_row(&layout.plan, &of_total.plan);
                    total = Some(Answer::new(self, of_total, tally).total());
                }
                let mut answered = Answer::new(self, &layout, tally).rows(query.series.is_some());
                if rows.is_empty() {
                    rows = answered;
                } else {
                    rows.append(&mut answered);
                }
            }
        }
        if total.is_none() {
            for layout in self.layouts(query, &[], &[query.as_of], heard) {
                total = Some(Answer::new(self, &layout, scan(self, &layout.plan)).total());
            }
        }
        let (total, group_b) = total.expect("a day has one layout");
        if only_total {
            rows.push(total.clone());
        }
        let figures = total.figures;
        headlines.insert(query.as_of, figures.establishment_rate.clone());
        let targets = targets.into_iter().map(|target| {
            let rate = headlines.get(&target.date);
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
            rebuilding: None,
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

    /// The campaign's targets; after the last of them its line at every month end up to a day (edge rule 12), at most as many
    /// as a series has.
    fn targets(&self, as_of: Day) -> Vec<Target> {
        let mut targets = self.settings.targets.clone();
        if let Some(Target { date, percent }) = targets.last().copied() {
            let ends =
                std::iter::successors(Some(date.next().month_end()), |end| Some(end.next().month_end()));
            let ends = ends.take_while(|end| *end <= as_of).take(SERIES_MAX);
            targets.extend(ends.map(|date| Target { date, percent }));
        }
        targets
    }

    /// The rows of some dates: dates of one hierarchy share a layout.
    fn layouts(&self, query: &FiguresQuery, by: &[Dimension], dates: &[Day], heard: &Heard) -> Vec<Layout> {
        let by_place = query
            .area
            .as_ref()
            .is_some_and(|area| *area != FederationId::national())
            || by
                .iter()
                .chain(query.filters.iter().map(|(dimension, _)| dimension))
                .any(|by| by.is_place());
        let silent = self.silent_scopes(heard);
        let hierarchy = |date: Day| {
            let day = query.boundaries.unwrap_or(date);
            let places: Vec<Place> = silent
                .iter()
                .map(|federation| self.directory.place_at(federation, day))
                .collect();
            (self.located(day), places)
        };
        let mut layouts = Vec::new();
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
            let dates = &dates[start..start + len];
            start += len;
            let span = Span {
                dates,
                located: &located,
                silent: silent.iter().cloned().zip(places).collect(),
            };
            layouts.push(Layout::new(self, query, by, span, heard));
        }
        layouts
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
