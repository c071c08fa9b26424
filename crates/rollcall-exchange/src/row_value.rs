//! What the cells of a row say: texts, dates, figures, places and states, and what is wrong with them.
//! Owns the reading of one value from one or a few cells; which values make a record is for `candidate`. A fault of a
//! value refuses the row, an oddity is carried along.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::{Day, PartialDate};
use rollcall_core::division::{Divisions, NATIONAL, ResolveError};
use rollcall_core::id::FederationId;
use rollcall_core::organisation::kind_of_prefix;
use rollcall_core::problem::Problem;
use rollcall_core::record::CountEntry;
use rollcall_core::term::{Kind, RegistrationStatus, Source};

use crate::candidate::RowReader;
use crate::clean::{PersonalNumber, clean_text, personal_number};
use crate::columns::Field;
use crate::count_cell::parse_count;
use crate::date_cell::parse_date;
use crate::limit::NAME_CHARS_MAX;
use crate::place::{PlaceNames, deeper, present_division};
use crate::sheet::{Mark, Row};
use crate::word::{kind_of, status_of};

/// A row while it is read.
pub(crate) struct Reading<'l> {
    pub(crate) row: Row<'l>,
    /// Each of them refuses the row.
    pub(crate) errors: Vec<Problem>,
    /// None of them does.
    pub(crate) problems: Vec<Problem>,
}

impl<'l> RowReader<'l> {
    pub(crate) fn head(&self, field: Field) -> String {
        self.columns[field as usize].map_or_else(
            || field.title().to_owned(),
            |column| self.list.columns[column].head.clone(),
        )
    }

    /// The clean text of a cell; `None` where it is blank, missing or was refused.
    pub(crate) fn text(&self, reading: &mut Reading<'l>, field: Field) -> Option<String> {
        let column = self.columns[field as usize]?;
        let head = &self.list.columns[column].head;
        match reading.row.mark(column) {
            Some(Mark::FormulaWithoutValue) => {
                let message =
                    "The formula was never computed; open the workbook, let it compute and save it.";
                reading
                    .errors
                    .push(Problem::error("FORMULA_NO_VALUE", head.as_str(), message));
                return None;
            }
            Some(Mark::ErrorValue) => {
                let message = format!(
                    "The cell shows {}; correct the formula.",
                    reading.row.cell(column)
                );
                reading
                    .errors
                    .push(Problem::error("CELL_ERROR", head.as_str(), message));
                return None;
            }
            None => {}
        }
        match clean_text(reading.row.cell(column)) {
            Ok(text) => text,
            Err(fault) => {
                reading
                    .errors
                    .push(Problem::error(fault.code(), head.as_str(), fault.sentence()));
                None
            }
        }
    }

    /// A text that somebody wrote freely: numbers of persons are blanked (V37).
    pub(crate) fn free_text(&self, reading: &mut Reading<'l>, field: Field) -> Option<String> {
        let text = self.text(reading, field)?;
        if field == Field::Name && text.chars().count() > NAME_CHARS_MAX {
            let message = format!("The name has more than {NAME_CHARS_MAX} characters.");
            reading
                .errors
                .push(Problem::error("FIELD_TOO_LONG", self.head(field), message));
            return None;
        }
        let what = match personal_number(&text) {
            None => return Some(text),
            Some(PersonalNumber::PerhapsIdentity) => {
                let message = "The cell holds 15 digits that may be an identity number; look at it.";
                reading
                    .problems
                    .push(Problem::warning("V37", self.head(field), message));
                return Some(text);
            }
            Some(PersonalNumber::Identity) => "an identity number",
            Some(PersonalNumber::Mobile) => "a mobile number",
            Some(PersonalNumber::BankCard) => "a bank card number",
        };
        let message = format!("The cell holds {what} and was left blank; the row is kept.");
        reading
            .problems
            .push(Problem::warning("V37", self.head(field), message));
        None
    }

    pub(crate) fn date(&self, reading: &mut Reading<'l>, field: Field) -> Option<PartialDate> {
        let text = self.text(reading, field)?;
        let column = self.columns[field as usize]?;
        match parse_date(&text, self.list.day_orders[column], self.list.sheet.epoch_1904) {
            Ok(date) => Some(date),
            Err(fault) => {
                let message = format!("{text:?} {}.", fault.sentence());
                reading
                    .errors
                    .push(Problem::error(fault.code(), self.head(field), message));
                None
            }
        }
    }

    pub(crate) fn count(&self, reading: &mut Reading<'l>, field: Field) -> Option<u32> {
        self.columns[field as usize]?;
        let before = reading.errors.len();
        let Some(text) = self.text(reading, field) else {
            if reading.errors.len() == before {
                let message = "The figure is missing and stays unknown; blank is not zero.";
                reading
                    .problems
                    .push(Problem::warning("MISSING_VALUE", self.head(field), message));
            }
            return None;
        };
        match parse_count(&text) {
            Ok(count) => Some(count),
            Err(fault) => {
                let message = format!("{text:?} {}.", fault.sentence());
                reading
                    .errors
                    .push(Problem::error(fault.code(), self.head(field), message));
                None
            }
        }
    }

    pub(crate) fn federation(&self, reading: &mut Reading<'l>, field: Field) -> Option<FederationId> {
        let text = self.text(reading, field)?;
        let table = Divisions::get();
        let refused = match text.parse::<FederationId>() {
            Ok(federation) if federation.division() == NATIONAL => {
                return Some(federation);
            }
            Ok(federation) if table.find_in_use(federation.division()).is_some() => return Some(federation),
            Ok(federation) => match table.find(federation.division()) {
                Some(_) => ("UNIT_CLOSED", format!("The division {text} is no longer in use.")),
                None => ("UNIT_UNKNOWN", format!("There is no division {text}.")),
            },
            Err(_) => (
                "UNIT_UNKNOWN",
                format!("{text:?} is no federation code such as 330106."),
            ),
        };
        reading
            .errors
            .push(Problem::error(refused.0, self.head(field), refused.1));
        None
    }

    pub(crate) fn place_names(&self, reading: &mut Reading<'l>) -> PlaceNames {
        let mut name = |field| self.text(reading, field).unwrap_or_default();
        PlaceNames {
            province: name(Field::Province),
            city: name(Field::City),
            county: name(Field::County),
        }
    }

    /// The location: the column with the code, else the names, else the address, else the code of the organisation.
    pub(crate) fn location(
        &self,
        reading: &mut Reading<'l>,
        code: Option<&CreditCode>,
        names: &PlaceNames,
        texts: [Option<&str>; 2],
    ) -> Option<u32> {
        if let Some(text) = self.text(reading, Field::Location) {
            return self.location_by_code(reading, &text);
        }
        let by_code = code.and_then(|code| present_division(code.division()));
        let by_names = match self.list.places.resolve(names) {
            Ok(found) => Some(found),
            Err(ResolveError::Empty) => None,
            Err(error) => {
                let code = if matches!(error, ResolveError::Unknown(_)) {
                    "PLACE_UNKNOWN"
                } else {
                    "PLACE_AMBIGUOUS"
                };
                let fields = [Field::County, Field::City, Field::Province];
                let field = fields
                    .into_iter()
                    .find(|field| self.list.has(*field))
                    .unwrap_or(Field::City);
                let message = format!("The place cannot be told: {error}.");
                reading
                    .problems
                    .push(Problem::warning(code, self.head(field), message));
                None
            }
        };
        match (by_names, by_code) {
            (Some(by_names), Some(by_code)) => Some(deeper(by_names, by_code)),
            (Some(by_names), None) => Some(by_names),
            (None, Some(by_code)) => Some(by_code),
            (None, None) => texts
                .into_iter()
                .flatten()
                .find_map(|text| self.list.places.in_text(text, self.settings.area)),
        }
    }

    pub(crate) fn location_by_code(&self, reading: &mut Reading<'l>, text: &str) -> Option<u32> {
        let head = self.head(Field::Location);
        let code: Option<u32> = (text.len() == 6).then(|| text.parse().ok()).flatten();
        let Some((code, present)) = code.and_then(|code| Some((code, present_division(code)?))) else {
            reading.errors.push(Problem::error(
                "V10",
                head,
                format!("{text:?} is no division code."),
            ));
            return None;
        };
        if code != present {
            let message = format!("The division {code:06} is not in use; today it is {present:06}.");
            reading.problems.push(Problem::warning("V10", head, message));
        }
        Some(if Divisions::get().level(code).is_some() {
            code
        } else {
            present
        })
    }

    pub(crate) fn kind(&self, reading: &mut Reading<'l>, code: Option<&CreditCode>) -> Option<Kind> {
        let recorded = self.text(reading, Field::Kind).and_then(|text| kind_of(&text));
        let by_prefix = code.and_then(|code| kind_of_prefix(code.prefix()));
        if let (Some(recorded), Some(by_prefix)) = (recorded, by_prefix)
            && recorded != by_prefix
        {
            let message = format!(
                "The list says {}, the code says {}; the code holds.",
                recorded.name(),
                by_prefix.name()
            );
            reading
                .problems
                .push(Problem::warning("V06", self.head(Field::Kind), message));
        }
        by_prefix.or(recorded)
    }

    pub(crate) fn status(
        &self,
        reading: &mut Reading<'l>,
    ) -> (Option<RegistrationStatus>, Option<PartialDate>) {
        let status_on = self.date(reading, Field::StatusOn);
        let Some(text) = self.text(reading, Field::RegistrationStatus) else {
            return (None, None);
        };
        let status = status_of(&text);
        let ends = status.is_some_and(|status| status != RegistrationStatus::Registered);
        if status.is_none() {
            let message =
                format!("{text:?} is no registration status such as 正常, 注销, 撤销; it is left out.");
            reading.problems.push(Problem::warning(
                "VALUE_UNKNOWN",
                self.head(Field::RegistrationStatus),
                message,
            ));
        } else if ends && status_on.is_none() {
            let message = "The date on which the registration ended is missing.";
            reading.problems.push(Problem::warning(
                "MISSING_VALUE",
                self.head(Field::StatusOn),
                message,
            ));
        }
        (status, status_on.filter(|_| ends))
    }

    pub(crate) fn check_registration_date(&self, reading: &mut Reading<'l>, date: Option<PartialDate>) {
        let Some(date) = date else { return };
        let before_1949 = Day::from_ymd(1949, 1, 1).is_some_and(|first| date.last_day() < first);
        if before_1949 || date.first_day() > self.settings.today {
            let message = format!("{date} lies before 1949 or in the future.");
            reading.errors.push(Problem::error(
                "DATE_IMPLAUSIBLE",
                self.head(Field::RegisteredOn),
                message,
            ));
        }
    }

    pub(crate) fn counts(
        &self,
        reading: &mut Reading<'l>,
        registered_on: Option<PartialDate>,
    ) -> Option<CountEntry> {
        let workers = self.count(reading, Field::Workers);
        let members = self.count(reading, Field::Members);
        let female_members = self.count(reading, Field::FemaleMembers);
        let counted_on = self
            .date(reading, Field::CountedOn)
            .map(PartialDate::last_day)
            .or(self.settings.counts_on);
        workers.or(members).or(female_members)?;
        let head = self.head(if members.is_some() {
            Field::Members
        } else {
            Field::Workers
        });
        match (workers, members) {
            (Some(0), Some(members @ 1..)) => reading.errors.push(Problem::error(
                "RATE_UNDEFINED",
                head.as_str(),
                format!("{members} members, but no worker: there is no rate of that."),
            )),
            (Some(workers), Some(members)) if members > workers => reading.errors.push(Problem::error(
                "COUNT_IMPLAUSIBLE",
                head.as_str(),
                format!("{members} members are more than {workers} workers."),
            )),
            _ => {}
        }
        if let (Some(female), Some(members)) = (female_members, members)
            && female > members
        {
            let message = format!("{female} female members are more than {members} members.");
            reading.errors.push(Problem::error(
                "COUNT_IMPLAUSIBLE",
                self.head(Field::FemaleMembers),
                message,
            ));
        }
        let Some(on) = counted_on else {
            let message = "The figures have no date and are left out; add a column 统计日期.";
            reading.problems.push(Problem::warning("V13", head, message));
            return None;
        };
        if on > self.settings.today
            || registered_on.is_some_and(|registered_on| on < registered_on.first_day())
        {
            let message = format!("The figures are dated {on}, in the future or before the registration.");
            reading.errors.push(Problem::error(
                "DATE_IMPLAUSIBLE",
                self.head(Field::CountedOn),
                message,
            ));
            return None;
        }
        Some(CountEntry {
            on,
            source: Source::Import,
            workers,
            members,
            female_members,
            withdrawn: None,
        })
    }
}
