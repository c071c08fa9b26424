//! Questions for subsidy totals (`domain.md` 7): sums of the cases' and funds' movements by row, duplicates found
//! across all cases. Transfers between federations are matched in `transit`, the ledger rules are in `rollcall-core`.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_core::amount::Fen;
use rollcall_core::date::Day;
use rollcall_core::fact::SubsidyFacts;
use rollcall_core::figure::{SubsidiesAnswer, SubsidiesRow, SubsidyDimension, SubsidyFigures};
use rollcall_core::id::{DocumentId, FederationId};
use rollcall_core::subsidy::{
    CaseSums, case_sums, claims_since, fund_movements, outstanding_at, standing_entries, state_at,
};
use rollcall_core::term::{FundEntryKind, SubsidyEntryKind, SubsidyKind};

use crate::{Cube, Error};

/// A question for subsidy totals.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubsidiesQuery {
    /// First day; from the beginning unless given.
    pub from: Option<Day>,
    /// Last day; to the end unless given.
    pub to: Option<Day>,
    /// By what the rows are split; one row unless given.
    pub by: Option<SubsidyDimension>,
    /// Only payers of this federation and those below it.
    pub area: Option<FederationId>,
}

impl SubsidiesQuery {
    /// One calendar year.
    pub fn year(year: i32) -> Self {
        Self {
            from: Day::from_ymd(year, 1, 1),
            to: Day::from_ymd(year, 12, 31),
            by: None,
            area: None,
        }
    }
}

/// A value of a dimension; places in order of code, the remainder last.
type Key = (bool, Option<String>);

/// What a fixed subsidy may be granted for once: rule, union, period.
type Claim = (String, DocumentId, String);

#[derive(Debug, Default)]
struct Row {
    figures: SubsidyFigures,
    duplicates_open: Fen,
    payees: BTreeSet<Payee>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Payee {
    Union(DocumentId),
    Federation(FederationId),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Period {
    pub(crate) from: Day,
    pub(crate) to: Day,
}

impl Period {
    pub(crate) fn holds(self, day: Day) -> bool {
        self.from <= day && day <= self.to
    }
}

/// By what the rows of a part are split.
enum Split {
    /// Everything into one row.
    Into(Key),
    By(Option<SubsidyDimension>),
}

/// Rows of one period.
struct Part {
    period: Period,
    split: Split,
    rows: BTreeMap<Key, Row>,
}

impl Part {
    fn new(period: Period, split: Split) -> Self {
        Self {
            period,
            split,
            rows: BTreeMap::new(),
        }
    }

    fn row(&mut self, cube: &Cube, subject: &Subject<'_>, at: Day) -> &mut Row {
        let key = match &self.split {
            Split::Into(key) => key.clone(),
            Split::By(by) => cube.key(*by, subject, at),
        };
        self.rows.entry(key).or_default()
    }
}

impl Cube {
    /// Every subsidy case.
    pub fn subsidy_cases(&self) -> impl Iterator<Item = (DocumentId, SubsidyFacts)> {
        self.subsidies.iter()
    }

    /// The documents of unions that an id means, each once.
    pub fn unions_named(&self, id: DocumentId) -> impl Iterator<Item = DocumentId> {
        self.unions.holders(id).map(|number| self.unions.id(number))
    }

    /// Answers a question for subsidies. `known_at` of the answer is left for the caller to fill in.
    ///
    /// # Errors
    /// A period that ends before it begins.
    pub fn subsidies(&self, query: &SubsidiesQuery) -> Result<SubsidiesAnswer, Error> {
        let period = Period {
            from: query.from.unwrap_or(Day::MIN),
            to: query.to.unwrap_or(Day::MAX),
        };
        if period.to < period.from {
            return Err(Error::PeriodBackwards {
                from: period.from,
                to: period.to,
            });
        }
        let mut parts = vec![Part::new(period, Split::Into((true, None)))];
        match query.by {
            Some(SubsidyDimension::Month) => {
                parts.extend(self.months(query, period).into_iter().map(|month| {
                    let (year, number, _) = month.from.ymd();
                    Part::new(
                        month,
                        Split::Into((false, Some(format!("{year:04}-{number:02}")))),
                    )
                }))
            }
            by => parts.push(Part::new(period, Split::By(by))),
        }
        self.add_up(query, period.to, &mut parts);
        let mut parts = parts.into_iter();
        let total = parts
            .next()
            .and_then(|mut total| total.rows.remove(&(true, None)));
        let total = total.unwrap_or_default().finish();
        let rows: BTreeMap<Key, Row> = parts.flat_map(|part| part.rows).collect();
        let place_name = |code: &str| {
            let federation = code.parse::<FederationId>().ok()?;
            Some(self.directory().name_at(&federation, period.to))
        };
        let rows = rows.into_iter().map(|((_, value), row)| {
            let name = match (query.by, &value) {
                (None, _) => "全国".to_owned(),
                (Some(_), None) => "直属".to_owned(),
                (Some(_), Some(value)) => place_name(value).unwrap_or_else(|| value.clone()),
            };
            SubsidiesRow {
                key: query.by.map(|by| (by, value)),
                name,
                figures: row.finish(),
            }
        });
        Ok(SubsidiesAnswer {
            from: query.from,
            to: query.to,
            known_at: None,
            by: query.by,
            rows: rows.collect(),
            total,
            in_transit: self
                .transits(query, period)
                .into_iter()
                .map(|(_, transit)| transit)
                .collect(),
        })
    }

    /// Fixed subsidies that another one for the same rule, union and period came before, with the one that stands.
    pub(crate) fn duplicates(&self, on: Day) -> BTreeMap<DocumentId, DocumentId> {
        let mut claims: BTreeMap<Claim, Vec<(Day, DocumentId)>> = BTreeMap::new();
        for (id, case) in self.subsidies.iter() {
            if case.kind.first() != Some(&SubsidyKind::FixedSubsidy) {
                continue;
            }
            let since = claims_since(&case.entries, on);
            let first = |texts: Vec<String>| texts.into_iter().next();
            if let (Some(since), Some(rule), Some(union), Some(period)) = (
                since,
                first(case.rule),
                case.payee_union.first(),
                first(case.period),
            ) {
                let claim = (rule, self.union_lead(*union, on), period);
                claims.entry(claim).or_default().push((since, id));
            }
        }
        let mut duplicates = BTreeMap::new();
        for mut claims in claims.into_values() {
            claims.sort_unstable();
            let mut claims = claims.into_iter().map(|(_, id)| id);
            if let Some(stands) = claims.next() {
                duplicates.extend(claims.map(|duplicate| (duplicate, stands)));
            }
        }
        duplicates
    }

    /// The months in which a case or fund of the area booked something, or a transfer that belongs to it was booked.
    fn months(&self, query: &SubsidiesQuery, period: Period) -> Vec<Period> {
        let cases = self
            .cases(query)
            .flat_map(|(_, case)| case.entries.into_iter().map(|entry| (entry.on, true)));
        let funds = self.funds.values().flat_map(|fund| {
            let inside = self.within(query, fund.federation.first(), period.to);
            fund.entries.iter().map(move |entry| (entry.on, inside))
        });
        let mut ends: BTreeMap<Day, bool> = BTreeMap::new();
        for (day, inside) in cases.chain(funds).filter(|(day, _)| period.holds(*day)) {
            *ends.entry(day.month_end()).or_default() |= inside;
        }
        let months = ends.into_iter().map(|(end, inside)| {
            let first = Day(end.0.saturating_sub(i32::from(end.ymd().2)).saturating_add(1));
            let month = Period {
                from: period.from.max(first),
                to: period.to.min(end),
            };
            (month, inside)
        });
        months
            .filter(|(month, inside)| *inside || !self.transits(query, *month).is_empty())
            .map(|(month, _)| month)
            .collect()
    }

    pub(crate) fn within(&self, query: &SubsidiesQuery, federation: Option<&FederationId>, on: Day) -> bool {
        match (&query.area, federation) {
            (None, _) => true,
            (Some(area), Some(federation)) => self.directory().is_within(area, federation, on),
            (Some(area), None) => *area == FederationId::national(),
        }
    }

    fn cases(&self, query: &SubsidiesQuery) -> impl Iterator<Item = (DocumentId, SubsidyFacts)> {
        let on = query.to.unwrap_or(Day::MAX);
        self.subsidies
            .iter()
            .filter(move |(_, case)| self.within(query, case.federation.first(), on))
    }

    fn key(&self, by: Option<SubsidyDimension>, subject: &Subject<'_>, on: Day) -> Key {
        let province = |federation: Option<&FederationId>| {
            federation.and_then(|federation| self.directory().place_at(federation, on).province)
        };
        let value = match by {
            None | Some(SubsidyDimension::Month) => None,
            Some(SubsidyDimension::Kind) => match subject {
                Subject::Case(case) => case.kind.first().map(|kind| kind.name().to_owned()),
                Subject::Fund(_) => Some(SubsidyKind::SpecialFund.name().to_owned()),
            },
            Some(SubsidyDimension::Province) => province(subject.payer()).map(|found| found.to_string()),
            Some(SubsidyDimension::Federation) => subject.payer().map(FederationId::to_string),
            Some(SubsidyDimension::PayeeArea) => match subject {
                Subject::Case(case) => {
                    province(self.payee_federation(case).as_ref()).map(|found| found.to_string())
                }
                Subject::Fund(_) => None,
            },
            Some(SubsidyDimension::State) => match subject {
                Subject::Case(case) => Some(state_at(&case.entries, on).name().to_owned()),
                Subject::Fund(_) => None,
            },
        };
        (value.is_none(), value)
    }

    /// The federation of a payee: itself, or the higher union of the paid union.
    fn payee_federation(&self, case: &SubsidyFacts) -> Option<FederationId> {
        if let Some(federation) = case.payee_federation.first() {
            return Some(federation.clone());
        }
        let union = self.unions.holders(*case.payee_union.first()?).next()?;
        self.stored_union(union).facts.higher_union.first().cloned()
    }

    /// Adds what was booked to the rows of each part, the cases as they stand at the end of day `at`.
    fn add_up(&self, query: &SubsidiesQuery, at: Day, parts: &mut [Part]) {
        let duplicates = self.duplicates(at);
        for (id, case) in self.cases(query) {
            for part in &mut *parts {
                self.add_case(&case, duplicates.contains_key(&id), at, part);
            }
        }
        for part in parts {
            self.add_funds(query, at, part);
        }
    }

    /// A case has a row where something of it was booked in the period or is outstanding at its end.
    fn add_case(&self, case: &SubsidyFacts, is_duplicate: bool, at: Day, part: &mut Part) {
        let period = part.period;
        let CaseSums {
            approved,
            disbursed,
            recovered,
        } = case_sums(&case.entries, period.from, period.to, at);
        let outstanding = outstanding_at(&case.entries, period.to);
        let active = case.entries.iter().any(|entry| period.holds(entry.on));
        if !active && outstanding == Fen::ZERO {
            return;
        }
        let row = part.row(self, &Subject::Case(case), at);
        let figures = &mut row.figures;
        figures.approved_fen = figures.approved_fen.plus(approved);
        figures.disbursed_fen = figures.disbursed_fen.plus(disbursed);
        figures.recovered_fen = figures.recovered_fen.plus(recovered);
        figures.outstanding_fen = figures.outstanding_fen.plus(outstanding);
        figures.cases += 1;
        if is_duplicate {
            figures.duplicate_fen = figures.duplicate_fen.plus(disbursed);
            row.duplicates_open = row.duplicates_open.plus(disbursed).minus(recovered);
        }
        let payee = match (case.payee_federation.first(), case.payee_union.first()) {
            (Some(federation), _) => {
                figures.to_federations_fen = figures.to_federations_fen.plus(disbursed);
                Some(Payee::Federation(federation.clone()))
            }
            (None, Some(union)) => Some(Payee::Union(self.union_lead(*union, at))),
            (None, None) => None,
        };
        let paid = standing_entries(&case.entries, at)
            .any(|entry| entry.entry == SubsidyEntryKind::Disbursed && period.holds(entry.on));
        row.payees.extend(payee.filter(|_| paid));
    }

    fn add_funds(&self, query: &SubsidiesQuery, at: Day, part: &mut Part) {
        let period = part.period;
        for fund in self.funds.values() {
            let federation = fund.federation.first();
            if !self.within(query, federation, period.to) {
                continue;
            }
            for (movement, _) in fund_movements(&fund.entries) {
                if !period.holds(movement.on) {
                    continue;
                }
                let figures = &mut part.row(self, &Subject::Fund(federation), at).figures;
                let column = match movement.column {
                    FundEntryKind::SetAside => &mut figures.set_aside_fen,
                    FundEntryKind::Received => &mut figures.received_fen,
                    FundEntryKind::PassedDown => &mut figures.passed_down_fen,
                    FundEntryKind::Opening
                    | FundEntryKind::ReturnedIn
                    | FundEntryKind::Spent
                    | FundEntryKind::ReturnedOut
                    | FundEntryKind::Reversal => continue,
                };
                *column = column.plus(movement.amount);
            }
        }
        for (federation, transit) in self.transits(query, period) {
            let figures = &mut part.row(self, &Subject::Fund(Some(&federation)), at).figures;
            figures.in_transit_fen = figures.in_transit_fen.plus(transit.amount_fen);
        }
    }
}

enum Subject<'a> {
    Case(&'a SubsidyFacts),
    Fund(Option<&'a FederationId>),
}

impl Subject<'_> {
    fn payer(&self) -> Option<&FederationId> {
        match self {
            Self::Case(case) => case.federation.first(),
            Self::Fund(federation) => *federation,
        }
    }
}

impl Row {
    fn finish(self) -> SubsidyFigures {
        let mut figures = self.figures;
        figures.net_fen = figures
            .disbursed_fen
            .minus(figures.recovered_fen)
            .minus(self.duplicates_open);
        figures.payees = self.payees.len() as u64;
        figures
    }
}
