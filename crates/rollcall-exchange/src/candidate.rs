//! What one row of a list says, as a record, with what is odd about it.
//! Owns the reading of cells into a record, the id the record goes by and its scope; whether the row is new or may be
//! written is for `plan` and its caller.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::{Day, PartialDate};
use rollcall_core::division::{Divisions, ResolveError};
use rollcall_core::id::{DocumentId, FederationId};
use rollcall_core::organisation::{category_of_name, is_accounting_firm, kind_of_prefix, level_of_code};
use rollcall_core::problem::Problem;
use rollcall_core::record::{CountEntry, Dated, OrganisationRecord, Record, UnionRecord};
use rollcall_core::scope::{OutReason, Scope, classify};
use rollcall_core::term::{Category, Kind, Level, RegistrationStatus, Source, UnionForm};
use sha2::{Digest, Sha256};

use crate::clean::{PersonalNumber, clean_text, normalise, personal_number};
use crate::code_cell::{CodeCell, read_code};
use crate::columns::Field;
use crate::count_cell::parse_count;
use crate::date_cell::parse_date;
use crate::limit::NAME_CHARS_MAX;
use crate::list::{List, ListKind};
use crate::place::{PlaceNames, Places, deeper, present_division};
use crate::plan::PlanSettings;
use crate::sheet::{Mark, Row};

/// A row that could become a document or change one.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateRow {
    /// Row number as a spreadsheet shows it.
    pub row: u64,
    /// How the document was found.
    pub key: RowKey,
    /// The document.
    pub id: DocumentId,
    /// What the row says and no more: an absent field changes nothing.
    pub record: Record,
    /// What is odd about it. None of them refuses the row.
    pub problems: Vec<Problem>,
    /// Scope by the row alone.
    pub scope: ScopeTag,
}

/// How the document of a row is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowKey {
    /// By its code or by the id in the row.
    Document(DocumentId),
    /// Held without a code: by normalised name, region and address.
    Held {
        /// The three, separated by `|`.
        key: String,
    },
}

/// Where a row is counted in a summary: group A (in both groups too), group B, or the reason for being out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeTag {
    /// In scope, group A.
    A,
    /// In scope, group B only.
    B,
    /// Out.
    Out(OutReason),
}

impl ScopeTag {
    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::Out(reason) => reason.name(),
        }
    }
}

/// A row once read.
pub(crate) enum ReadRow {
    Candidate(Box<CandidateRow>),
    /// Set aside, for every one of these reasons.
    Refused {
        scope: ScopeTag,
        problems: Vec<Problem>,
    },
}

/// Reads rows of one list.
pub(crate) struct RowReader<'l> {
    list: &'l List,
    settings: &'l PlanSettings,
    columns: Vec<Option<usize>>,
    places: Places,
}

/// A row while it is read.
struct Reading<'l> {
    row: Row<'l>,
    errors: Vec<Problem>,
    problems: Vec<Problem>,
}

impl<'l> RowReader<'l> {
    pub(crate) fn new(list: &'l List, settings: &'l PlanSettings) -> Self {
        let columns = Field::ALL.iter().map(|field| list.position(*field)).collect();
        Self {
            list,
            settings,
            columns,
            places: Places::default(),
        }
    }

    /// Reads one row.
    pub(crate) fn read(&mut self, row: Row<'l>) -> ReadRow {
        let mut reading = Reading {
            row,
            errors: Vec::new(),
            problems: Vec::new(),
        };
        self.check_width(&mut reading);
        let own_id = self.text(&mut reading, Field::Id);
        let code_text = self.text(&mut reading, Field::Code);
        let code_cell = read_code(code_text.as_deref());
        let name = self.free_text(&mut reading, Field::Name);
        let code = if let CodeCell::Valid(code) = code_cell {
            Some(code)
        } else {
            None
        };
        let held_by_id = own_id.is_some() && code_cell == CodeCell::Missing;
        if self.list.has(Field::Code) && !held_by_id {
            // First of all reasons: what the row is about is not even known.
            let head = self.head(Field::Code);
            reading.errors.splice(0..0, code_cell.problem(&head));
        }
        if let Some(code) = code {
            self.check_code(&mut reading, &code);
        }
        if name.is_none() && (code.is_none() || reading.problems.iter().all(|problem| problem.code != "V37"))
        {
            let head = self.head(Field::Name);
            reading
                .errors
                .push(Problem::error("MISSING_VALUE", head, "The name is missing."));
        }
        // An exported list names the document itself, in 32 digits; that is no name of the record.
        let document: Option<DocumentId> = own_id.as_deref().and_then(|id| id.parse().ok());
        let said = Said {
            own_id: own_id.filter(|_| document.is_none()),
            code,
            name,
            held: !held_by_id,
        };
        let (record, held_key, scope) = match self.list.kind {
            ListKind::Organisations => self.organisation(&mut reading, said),
            ListKind::Unions => self.union(&mut reading, said),
        };
        let Reading {
            row,
            errors,
            problems,
        } = reading;
        let id = document.or_else(|| record.document_id());
        match (id, errors.is_empty()) {
            (Some(id), true) => {
                let key = held_key.map_or(RowKey::Document(id), |key| RowKey::Held { key });
                let row = row.place();
                ReadRow::Candidate(Box::new(CandidateRow {
                    row,
                    key,
                    id,
                    record,
                    problems,
                    scope,
                }))
            }
            _ => ReadRow::Refused {
                scope,
                problems: errors,
            },
        }
    }

    fn head(&self, field: Field) -> String {
        self.columns[field as usize].map_or_else(
            || field.title().to_owned(),
            |column| self.list.columns[column].head.clone(),
        )
    }

    fn check_width(&self, reading: &mut Reading<'l>) {
        let (found, expected) = (reading.row.width(), self.list.columns.len());
        let more = (expected..found).any(|column| !reading.row.cell(column).trim().is_empty());
        if more || (found < expected && self.list.sheet.exact_width) {
            reading.errors.push(Problem::error(
                "ROW_WIDTH",
                "",
                format!("The row has {found} cells, the heading {expected}; a separator is missing or one too many."),
            ));
        }
    }

    fn check_code(&self, reading: &mut Reading<'l>, code: &CreditCode) {
        let head = self.head(Field::Code);
        match (self.list.kind, code.prefix().starts_with('8')) {
            (ListKind::Organisations, true) => reading.errors.push(Problem::error(
                "IS_UNION",
                head.as_str(),
                format!("{code} is the code of a trade union; import it with a list of unions."),
            )),
            (ListKind::Unions, false) => reading.errors.push(Problem::error(
                "V24",
                head.as_str(),
                format!("{code} is no code of a trade union, which begins with 81 or 89."),
            )),
            _ => {}
        }
        if kind_of_prefix(code.prefix()).is_none() {
            reading.problems.push(Problem::warning(
                "V04",
                head.as_str(),
                format!("The prefix of {code} is not known."),
            ));
        }
        if Divisions::get().level(code.division()).is_none() {
            reading.problems.push(Problem::warning(
                "V05",
                head.as_str(),
                format!(
                    "The division {:06} of {code} never was in the standard.",
                    code.division()
                ),
            ));
        }
    }

    /// The clean text of a cell; `None` where it is blank, missing or was refused.
    fn text(&self, reading: &mut Reading<'l>, field: Field) -> Option<String> {
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
    fn free_text(&self, reading: &mut Reading<'l>, field: Field) -> Option<String> {
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

    fn date(&self, reading: &mut Reading<'l>, field: Field) -> Option<PartialDate> {
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

    fn count(&self, reading: &mut Reading<'l>, field: Field) -> Option<u32> {
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

    fn federation(&self, reading: &mut Reading<'l>, field: Field) -> Option<FederationId> {
        let text = self.text(reading, field)?;
        let table = Divisions::get();
        let refused = match text.parse::<FederationId>() {
            Ok(federation) if federation.division() == rollcall_core::division::NATIONAL => {
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

    fn place_names(&self, reading: &mut Reading<'l>) -> PlaceNames {
        let mut name = |field| self.text(reading, field).unwrap_or_default();
        PlaceNames {
            province: name(Field::Province),
            city: name(Field::City),
            county: name(Field::County),
        }
    }

    /// The location: the column with the code, else the names, else the address, else the code of the organisation.
    fn location(
        &mut self,
        reading: &mut Reading<'l>,
        code: Option<&CreditCode>,
        names: &PlaceNames,
        address: Option<&str>,
    ) -> Option<u32> {
        if let Some(text) = self.text(reading, Field::Location) {
            return self.location_by_code(reading, &text);
        }
        let by_code = code.and_then(|code| present_division(code.division()));
        let by_names = match self.places.resolve(names) {
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
            (None, None) => self.places.in_address(address?, self.settings.area),
        }
    }

    fn location_by_code(&self, reading: &mut Reading<'l>, text: &str) -> Option<u32> {
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

    fn organisation(&mut self, reading: &mut Reading<'l>, said: Said) -> (Record, Option<String>, ScopeTag) {
        let Said {
            own_id,
            code,
            name,
            held,
        } = said;
        let registered_on = self.date(reading, Field::RegisteredOn);
        self.check_registration_date(reading, registered_on);
        let (registration_status, status_on) = self.status(reading);
        let category = self
            .text(reading, Field::Category)
            .and_then(|text| category_of(&text));
        let names = self.place_names(reading);
        let address = self.free_text(reading, Field::Address);
        let location = self.location(reading, code.as_ref(), &names, address.as_deref());
        let registration_authority = self
            .text(reading, Field::RegistrationAuthority)
            .filter(|text| text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .or_else(|| code.map(|code| format!("{:06}", code.division())));
        let scope = self.scope(code.as_ref(), category, name.as_deref(), registration_status);
        let held =
            (code.is_none() && held).then(|| self.held_key(name.as_deref(), &names, address.as_deref()));
        let record = OrganisationRecord {
            id: held.as_deref().map(held_id).or(own_id),
            code: code.map(|code| code.to_string()),
            name: name.map(Dated::Scalar),
            kind: self.kind(reading, code.as_ref()),
            category: category.map(Dated::Scalar),
            category_source: category.map(|_| "certificate".to_owned()),
            registered_on,
            registration_status: registration_status.map(Dated::Scalar),
            status_on,
            registration_authority: registration_authority.map(Dated::Scalar),
            location: location.map(|code| Dated::Scalar(format!("{code:06}"))),
            address,
            supervising_unit: self.free_text(reading, Field::SupervisingUnit),
            responsible: self.federation(reading, Field::Responsible).map(Dated::Scalar),
            legacy_numbers: self.text(reading, Field::LegacyNumber).into_iter().collect(),
            counts: self.counts(reading, registered_on).into_iter().collect(),
            ..OrganisationRecord::default()
        };
        (Record::Organisation(Box::new(record)), held, scope)
    }

    fn union(&mut self, reading: &mut Reading<'l>, said: Said) -> (Record, Option<String>, ScopeTag) {
        let Said {
            own_id,
            code,
            name,
            held,
        } = said;
        let names = self.place_names(reading);
        let address = self.free_text(reading, Field::Address);
        let scope = self.scope(code.as_ref(), None, name.as_deref(), None);
        // The code names the federation that registered it; the place only where there is no code.
        let above = match code.and_then(|code| present_division(code.division())) {
            Some(division) => Some(division),
            None => self.location(reading, None, &names, address.as_deref()),
        };
        let higher_union = self
            .federation(reading, Field::HigherUnion)
            .or_else(|| above.map(FederationId::of_division));
        let form = match self.text(reading, Field::Form) {
            Some(text) => UnionForm::from_name(&text).or_else(|| Some(form_of_name(&text))),
            None => name.as_deref().map(form_of_name),
        };
        let held =
            (code.is_none() && held).then(|| self.held_key(name.as_deref(), &names, address.as_deref()));
        let record = UnionRecord {
            id: held.as_deref().map(held_id).or(own_id),
            code: code.map(|code| code.to_string()),
            name,
            form,
            higher_union,
            organisation: self.text(reading, Field::Employer),
            ..UnionRecord::default()
        };
        (Record::Union(Box::new(record)), held, scope)
    }

    fn held_key(&mut self, name: Option<&str>, names: &PlaceNames, address: Option<&str>) -> String {
        let region = match self.places.resolve(names) {
            Ok(code) => format!("{code:06}"),
            Err(_) => normalise(&[names.province.as_str(), &names.city, &names.county].concat()),
        };
        format!(
            "{}|{region}|{}",
            normalise(name.unwrap_or_default()),
            normalise(address.unwrap_or_default())
        )
    }

    fn scope(
        &self,
        code: Option<&CreditCode>,
        category: Option<Category>,
        name: Option<&str>,
        status: Option<RegistrationStatus>,
    ) -> ScopeTag {
        let name = name.unwrap_or_default();
        let category = category.unwrap_or_else(|| category_of_name(name));
        let level = code.map_or(Level::County, level_of_code);
        match classify(
            code,
            category,
            level,
            is_accounting_firm(name),
            &self.settings.campaign,
        ) {
            Scope::Out(reason) => ScopeTag::Out(reason),
            Scope::In { .. } if status.is_some_and(|status| status != RegistrationStatus::Registered) => {
                ScopeTag::Out(OutReason::NotRegistered)
            }
            Scope::In { a: true, .. } => ScopeTag::A,
            Scope::In { a: false, .. } => ScopeTag::B,
        }
    }

    fn kind(&self, reading: &mut Reading<'l>, code: Option<&CreditCode>) -> Option<Kind> {
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

    fn status(&self, reading: &mut Reading<'l>) -> (Option<RegistrationStatus>, Option<PartialDate>) {
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

    fn check_registration_date(&self, reading: &mut Reading<'l>, date: Option<PartialDate>) {
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

    fn counts(&self, reading: &mut Reading<'l>, registered_on: Option<PartialDate>) -> Option<CountEntry> {
        let workers = self.count(reading, Field::Workers);
        let members = self.count(reading, Field::Members);
        let female_members = self.count(reading, Field::FemaleMembers);
        let counted_on = self
            .date(reading, Field::CountedOn)
            .map(PartialDate::last_day)
            .or(self.settings.counts_on);
        if workers.or(members).or(female_members).is_none() {
            return None;
        }
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

struct Said {
    own_id: Option<String>,
    code: Option<CreditCode>,
    name: Option<String>,
    /// Whether a row without a code goes by name, region and address.
    held: bool,
}

/// Own name of a record that is held without a code: short, and the same for the same key everywhere.
fn held_id(key: &str) -> String {
    let digest = Sha256::digest(format!("held|{key}").as_bytes());
    let digits: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("held-{digits}")
}

fn form_of_name(name: &str) -> UnionForm {
    if name.contains("工会联合会") {
        UnionForm::Federation
    } else if name.contains("联合工会") {
        UnionForm::Joint
    } else {
        UnionForm::Own
    }
}

fn kind_of(text: &str) -> Option<Kind> {
    Kind::from_name(text).or(match text {
        "社会团体" | "社团" => Some(Kind::SocialGroup),
        "民办非企业单位" | "民办非企业" | "民非" | "社会服务机构" => {
            Some(Kind::PrivateNonEnterprise)
        }
        "基金会" => Some(Kind::Foundation),
        "企业" => Some(Kind::Enterprise),
        "事业单位" => Some(Kind::PublicInstitution),
        "律师事务所" => Some(Kind::LawFirm),
        _ => None,
    })
}

fn category_of(text: &str) -> Option<Category> {
    Category::from_name(text).or(match text {
        "幼儿园" => Some(Category::Kindergarten),
        "托儿所" => Some(Category::Nursery),
        "学校" => Some(Category::School),
        "医院" => Some(Category::Hospital),
        "诊所" | "门诊部" => Some(Category::Clinic),
        _ => None,
    })
}

fn status_of(text: &str) -> Option<RegistrationStatus> {
    RegistrationStatus::from_name(text).or(match text {
        "正常" | "存续" | "在业" | "已登记" => Some(RegistrationStatus::Registered),
        "注销" | "已注销" => Some(RegistrationStatus::Deregistered),
        "撤销" | "已撤销" | "吊销" => Some(RegistrationStatus::Revoked),
        "取缔" | "已取缔" => Some(RegistrationStatus::Banned),
        _ => None,
    })
}

/// Whether a column is read as a field that this kind of list keeps.
pub(crate) fn is_kept(kind: ListKind, field: Field) -> bool {
    let for_unions = matches!(
        field,
        Field::Id
            | Field::Code
            | Field::Name
            | Field::Province
            | Field::City
            | Field::County
            | Field::Location
            | Field::Address
            | Field::Form
            | Field::HigherUnion
            | Field::Employer
            | Field::Ignore
    );
    match kind {
        ListKind::Organisations => !matches!(field, Field::Form | Field::HigherUnion | Field::Employer),
        ListKind::Unions => for_unions,
    }
}
