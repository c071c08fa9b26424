//! Questions for establishment figures: dimensions, filters, dates; and their answers in the shape of `cli.md`.
//! Owns dates and what is counted together; rows are laid out in `layout`, counted in `scan`, written in `answer`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rollcall_core::campaign::Target;
use rollcall_core::date::Day;
use rollcall_core::figure::{
    BoundedRate, Dimension, FiguresAnswer, FiguresTable, FiguresTotal, SettingsInForce, TargetVerdict,
};
use rollcall_core::id::FederationId;
use rollcall_core::ratio::Ratio;

use crate::Error;
use crate::answer::Answer;
use crate::completeness::{Heard, HeardPlaces};
use crate::cube::Cube;
use crate::key;
use crate::layout::{Layout, Span};
use crate::scan::{scan, scan_headlines};
use crate::tally::Tally;
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

/// What an answer states beside its rows.
#[derive(Clone)]
struct Beside {
    settings: SettingsInForce,
    total: FiguresTotal,
    targets: Vec<TargetVerdict>,
}

impl Beside {
    fn answer(self, as_of: Day, by: Vec<Dimension>, rows: FiguresTable) -> FiguresAnswer {
        FiguresAnswer {
            as_of,
            rebuilding: None,
            known_at: None,
            settings: self.settings,
            by,
            rows,
            total: self.total,
            targets: self.targets,
        }
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
        let target_dates = self.target_dates(query.as_of);
        let heard = HeardPlaces::new(self, &self.located(query.as_of).order, heard);
        let mut headlines: BTreeMap<Day, BoundedRate> = BTreeMap::new();
        let mut rows = FiguresTable::default();
        let mut total: Option<(FiguresTable, Ratio)> = None;
        let only_total = query.by.is_empty() && query.series.is_none();
        for dates in row_dates.chunks(BATCH).filter(|_| !only_total) {
            for span in self.spans(query, &query.by, dates, &heard) {
                let layout = Layout::new(self, query, &query.by, &span, &heard);
                let tally = scan(self, &layout.plan);
                // The total and the headlines of these dates are counted together with the rows.
                let asked = |day: &Day| *day == query.as_of || target_dates.contains(day);
                let dates = span.dates.iter().enumerate().filter(|(_, day)| asked(day));
                let in_one_row = |(date, day): (usize, &Day)| {
                    let of_total = Layout::new(self, query, &[], &span.on(*day), &heard);
                    let tally = tally.within(&layout.plan, &of_total.plan, date);
                    (*day, of_total, tally)
                };
                let totals: Vec<(Day, Layout, Tally)> = dates.map(in_one_row).collect();
                let (answered, ()) = rayon::join(
                    || Answer::new(self, &layout, tally).table(query.series.is_some()),
                    || {
                        for (day, of_total, tally) in totals {
                            let answer = Answer::new(self, &of_total, tally);
                            headlines.extend(answer.headlines());
                            if day == query.as_of {
                                total = Some((answer.table(false), answer.group_b()));
                            }
                        }
                    },
                );
                rows.append(answered);
            }
        }
        if total.is_none() {
            for span in self.spans(query, &[], &[query.as_of], &heard) {
                let layout = Layout::new(self, query, &[], &span, &heard);
                let answer = Answer::new(self, &layout, scan(self, &layout.plan));
                total = Some((answer.table(false), answer.group_b()));
            }
        }
        let total = total.expect("a day has one hierarchy");
        if only_total {
            rows = total.0.clone();
        }
        let beside = self.beside(query, total, headlines, &heard);
        Ok(beside.answer(query.as_of, query.by.clone(), rows))
    }

    /// Answers a question at its day once for each of its dimensions, as if asked by that alone; all are counted together.
    ///
    /// # Errors
    /// As of [`Cube::figures`].
    pub fn figures_by_each(&self, query: &FiguresQuery, heard: &Heard) -> Result<Vec<FiguresAnswer>, Error> {
        query.check()?;
        let heard = HeardPlaces::new(self, &self.located(query.as_of).order, heard);
        let mut spans = self.spans(query, &query.by, &[query.as_of], &heard);
        let span = spans.pop().expect("a day has one hierarchy");
        let layout = Layout::new(self, query, &query.by, &span, &heard);
        let tally = scan(self, &layout.plan);
        let asked_by = |by: &[Dimension]| Layout::new(self, query, by, &span, &heard);
        let within = |of: &Layout| tally.within(&layout.plan, &of.plan, 0);
        let of_total = asked_by(&[]);
        let total = Answer::new(self, &of_total, within(&of_total));
        let total = (total.table(false), total.group_b());
        let beside = self.beside(query, total, BTreeMap::new(), &heard);
        let each = query.by.iter().map(|dimension| {
            let by = vec![*dimension];
            let of_one = asked_by(&by);
            let rows = Answer::new(self, &of_one, within(&of_one)).table(false);
            beside.clone().answer(query.as_of, by, rows)
        });
        Ok(each.collect())
    }

    /// What stands beside the rows of a question: its total, given with group B in full, and the targets, of whose days
    /// some headlines are known.
    fn beside(
        &self,
        query: &FiguresQuery,
        (total, group_b): (FiguresTable, Ratio),
        mut headlines: BTreeMap<Day, BoundedRate>,
        heard: &HeardPlaces,
    ) -> Beside {
        let mut unknown = self.target_dates(query.as_of);
        unknown.retain(|date| !headlines.contains_key(date));
        headlines.extend(self.headlines_at(query, unknown, heard));
        let figures = total
            .get(0)
            .expect("a table that is not split has one row")
            .figures;
        headlines.insert(query.as_of, figures.establishment_rate.clone());
        let targets = self.targets(query.as_of).into_iter().map(|target| {
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
        Beside {
            settings: (&self.settings).into(),
            total: FiguresTotal {
                group_b_all: group_b.into(),
                figures,
            },
            targets: targets.collect(),
        }
    }

    /// The headline at each date of a question, without rows. What is found is kept for the
    /// questions that follow, until the facts change.
    ///
    /// # Errors
    /// As of [`Cube::figures`].
    pub fn headlines(
        &self,
        query: &FiguresQuery,
        heard: &Heard,
    ) -> Result<BTreeMap<Day, BoundedRate>, Error> {
        query.check()?;
        let heard = HeardPlaces::new(self, &self.located(query.as_of).order, heard);
        Ok(self.headlines_at(query, query.dates()?, &heard))
    }

    /// The headline of a question at some days; what is not known from another of the same area and filters is counted.
    fn headlines_at(
        &self,
        query: &FiguresQuery,
        mut days: Vec<Day>,
        heard: &HeardPlaces,
    ) -> BTreeMap<Day, BoundedRate> {
        if days.is_empty() {
            return BTreeMap::new();
        }
        let mut headlines = self.headlines.of(query);
        headlines.retain(|day, _| days.contains(day));
        days.retain(|day| !headlines.contains_key(day));
        for days in days.chunks(BATCH) {
            for span in self.spans(query, &[], days, heard) {
                let layout = Layout::new(self, query, &[], &span, heard).headline_only();
                let tally = scan_headlines(self, &layout.plan, &query.filters);
                headlines.extend(Answer::new(self, &layout, tally).headlines());
            }
        }
        if !days.is_empty() {
            self.headlines.keep(query, &headlines);
        }
        headlines
    }

    /// Days of the targets before a day, ascending, distinct.
    fn target_dates(&self, as_of: Day) -> Vec<Day> {
        let dates = self.targets(as_of).into_iter().map(|target| target.date);
        let mut dates: Vec<Day> = dates.filter(|date| *date < as_of).collect();
        dates.sort_unstable();
        dates.dedup();
        dates
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

    /// Some dates in spans of one hierarchy, which are scanned together; without rows or filters by place it does not
    /// matter.
    fn spans(&self, query: &FiguresQuery, by: &[Dimension], dates: &[Day], heard: &HeardPlaces) -> Vec<Span> {
        let by_place = query
            .area
            .as_ref()
            .is_some_and(|area| *area != FederationId::national())
            || by
                .iter()
                .chain(query.filters.iter().map(|(dimension, _)| dimension))
                .any(|by| by.is_place());
        let span_of = |date: Day| {
            let day = query.boundaries.unwrap_or(date);
            let silent = heard.silent.iter();
            Span {
                dates: vec![date],
                located: self.located(day),
                silent: silent
                    .map(|(federation, _)| self.directory.place_at(federation, day))
                    .collect(),
            }
        };
        let mut spans: Vec<Span> = Vec::new();
        for date in dates {
            if let Some(last) = spans.last_mut().filter(|_| !by_place) {
                last.dates.push(*date);
                continue;
            }
            let next = span_of(*date);
            let same =
                |last: &&mut Span| Arc::ptr_eq(&last.located, &next.located) && last.silent == next.silent;
            match spans.last_mut().filter(same) {
                Some(last) => last.dates.push(*date),
                None => spans.push(next),
            }
        }
        spans
    }
}
