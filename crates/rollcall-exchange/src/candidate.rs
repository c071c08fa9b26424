//! What one row of a list says, as a record, with what is odd about it.
//! Owns the reading of cells into a record, the id the record goes by and its scope; whether the row is new or may be
//! written is for `plan` and its caller.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::division::Divisions;
use rollcall_core::id::{DocumentId, FederationId};
use rollcall_core::organisation::{category_of_name, is_accounting_firm, kind_of_prefix, level_of_code};
use rollcall_core::problem::Problem;
use rollcall_core::record::{Dated, OrganisationRecord, Record, UnionRecord};
use rollcall_core::scope::{OutReason, Scope, classify};
use rollcall_core::term::{Category, Level, RegistrationStatus, UnionForm};
use sha2::{Digest, Sha256};

use crate::clean::normalise;
use crate::code_cell::{CodeCell, read_code};
use crate::columns::Field;
use crate::list::{List, ListKind};
use crate::place::{PlaceNames, present_division};
use crate::plan::PlanSettings;
use crate::row_value::Reading;
use crate::sheet::Row;
use crate::word::{category_of, form_of_name};

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
    pub(crate) list: &'l List,
    pub(crate) settings: &'l PlanSettings,
    /// Where the column of each field is.
    pub(crate) columns: Vec<Option<usize>>,
}

impl<'l> RowReader<'l> {
    pub(crate) fn new(list: &'l List, settings: &'l PlanSettings) -> Self {
        let columns = Field::ALL.iter().map(|field| list.position(*field)).collect();
        Self {
            list,
            settings,
            columns,
        }
    }

    /// Reads one row.
    pub(crate) fn read(&self, row: Row<'l>) -> ReadRow {
        let mut reading = Reading {
            row,
            errors: Vec::new(),
            problems: Vec::new(),
        };
        self.check_width(&mut reading);
        let own_id = self.text(&mut reading, Field::Id);
        let before = reading.errors.len();
        let code_text = self.text(&mut reading, Field::Code);
        let code_was_read = reading.errors.len() == before;
        let code_cell = read_code(code_text.as_deref());
        let name = self.free_text(&mut reading, Field::Name);
        let code = if let CodeCell::Valid(code) = code_cell {
            Some(code)
        } else {
            None
        };
        let held_by_id = own_id.is_some() && code_cell == CodeCell::Missing;
        if self.list.has(Field::Code) && code_was_read && !held_by_id {
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

    fn organisation(&self, reading: &mut Reading<'l>, said: Said) -> (Record, Option<String>, ScopeTag) {
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
        let location = self.location(
            reading,
            code.as_ref(),
            &names,
            [address.as_deref(), name.as_deref()],
        );
        if location.is_none() && names.is_empty() {
            let message = "Nothing in the row tells the place; add columns of province, city or county.";
            reading
                .problems
                .push(Problem::warning("PLACE_UNKNOWN", "", message));
        }
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

    fn union(&self, reading: &mut Reading<'l>, said: Said) -> (Record, Option<String>, ScopeTag) {
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
            None => self.location(reading, None, &names, [address.as_deref(), name.as_deref()]),
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

    fn held_key(&self, name: Option<&str>, names: &PlaceNames, address: Option<&str>) -> String {
        let region = match self.list.places.resolve(names) {
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
