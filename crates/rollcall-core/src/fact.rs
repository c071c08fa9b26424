//! Facts: what one document states, typed and dated, ready for figures (`design.md` 5).
//! Owns the shapes that `rollcall-doc` reads out and `rollcall-stats` counts; holds no rule.
//! Withdrawn entries are not facts. Alternatives of an agreed value or of an amended field are an open conflict.

use serde::{Deserialize, Serialize};

use crate::credit_code::CreditCode;
use crate::date::{Day, PartialDate};
use crate::id::{DocumentId, FederationId};
use crate::term::{
    Category, ExclusionReason, FundEntryKind, Kind, Level, OperatingState, RegistrationStatus, Source, Stage,
    SubsidyEntryKind, SubsidyKind, UnionEvent, UnionForm,
};

/// Facts of one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Facts {
    /// An employer.
    Organisation(Box<OrganisationFacts>),
    /// A grassroots union.
    Union(Box<UnionFacts>),
    /// A special fund.
    Fund(FundFacts),
    /// A subsidy case.
    Subsidy(Box<SubsidyFacts>),
    /// Two documents that are one.
    SameAs(SameAsFacts),
    /// A federation.
    Federation(FederationFacts),
    /// The campaign.
    Campaign(CampaignFacts),
}

/// An agreed value: empty is unknown, one is settled, more is an open conflict. Sorted, distinct.
pub type Agreed<T> = Vec<T>;

/// One entry of a dated value. Several with one `from`, differing in value, may be a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatedFact<T> {
    /// First day it holds; `Day::MIN` where unknown.
    pub from: Day,
    /// Who says so.
    pub source: Source,
    /// What holds.
    pub value: T,
}

/// An entry of which people who did not see each other's edits amended a field differently: an open conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disputed<T> {
    /// The reading that stands among the other entries meanwhile; `None`: it is taken back or says nothing yet.
    pub shown: Option<T>,
    /// The other readings, distinct.
    pub others: Vec<Option<T>>,
}

impl<T: Clone + PartialEq> Disputed<T> {
    /// How many readings there are.
    pub fn readings(&self) -> usize {
        self.others.len() + 1
    }

    /// Puts a reading in the place of the one shown: 0 is the one shown, the others follow in their order.
    pub fn put(&self, entries: &mut Vec<T>, reading: usize) {
        let Some(other) = reading.checked_sub(1).and_then(|other| self.others.get(other)) else {
            return;
        };
        if let Some(position) = entries
            .iter()
            .position(|entry| self.shown.as_ref() == Some(entry))
        {
            entries.remove(position);
        }
        entries.extend(other.clone());
    }
}

/// The disputed entries of an organisation's document.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DisputedEntries {
    /// Of the responsible federations: handovers whose second signature is disputed.
    pub responsible: Vec<Disputed<DatedFact<FederationId>>>,
    /// Of the exclusions.
    pub exclusions: Vec<Disputed<ExclusionFact>>,
    /// Of the coverage links.
    pub coverage: Vec<Disputed<LinkFact>>,
    /// Of the organisers.
    pub organisers: Vec<Disputed<(Day, Option<Day>)>>,
}

/// What an organisation's document states.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OrganisationFacts {
    /// Valid code; `None`: held.
    pub code: Option<CreditCode>,
    /// Own name of the record, where it has one.
    pub record_id: Option<String>,
    /// Names by date.
    pub names: Vec<DatedFact<String>>,
    /// Kind as recorded.
    pub kind: Agreed<Kind>,
    /// Category as recorded.
    pub category: Vec<DatedFact<Category>>,
    /// Registration date: counts from the last day it could be; empty: unknown.
    pub registered_on: Agreed<PartialDate>,
    /// Registration status by date; endings count from the first day they could be.
    pub status: Vec<DatedFact<RegistrationStatus>>,
    /// Division code of the registration authority, where its own document is recorded (edge rule 10).
    pub authority: Vec<DatedFact<u32>>,
    /// Division code of the location.
    pub location: Vec<DatedFact<u32>>,
    /// Responsible federation, handovers with both signatures worked in.
    pub responsible: Vec<DatedFact<FederationId>>,
    /// Operating state.
    pub operating: Vec<DatedFact<OperatingState>>,
    /// Headcounts.
    pub counts: Vec<CountFact>,
    /// Exclusions.
    pub exclusions: Vec<ExclusionFact>,
    /// Coverage links.
    pub coverage: Vec<LinkFact>,
    /// Organisers: election day and the first day they no longer serve.
    pub organisers: Vec<(Day, Option<Day>)>,
    /// Entries that may be read in several ways.
    pub disputed: DisputedEntries,
    /// Stages 0 to 2.
    pub stages: Vec<(Stage, Day)>,
    /// Days of contacts.
    pub contacts: Vec<Day>,
    /// Days of checks.
    pub checks: Vec<Day>,
    /// Merged into.
    pub successor: Option<DocumentId>,
    /// Closed as a mistake: in no figure.
    pub mistaken: bool,
    /// Fields with open conflicts, whether or not they reach a figure.
    pub open_conflicts: u32,
}

/// Headcounts of one date from one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountFact {
    /// Date of the figure.
    pub on: Day,
    /// Who says so.
    pub source: Source,
    /// Workers.
    pub workers: Option<u32>,
    /// Members.
    pub members: Option<u32>,
    /// Female members.
    pub female_members: Option<u32>,
}

/// An exclusion, proposed or approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExclusionFact {
    /// Why.
    pub reason: ExclusionReason,
    /// First day.
    pub from: Day,
    /// Last day that counts.
    pub until: Option<Day>,
    /// Day of the approval; `None`: proposed.
    pub approved_on: Option<Day>,
    /// Day of a refusal: no longer proposed from then.
    pub refused_on: Option<Day>,
    /// Whether evidence is recorded (V29).
    pub has_evidence: bool,
}

/// A coverage link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFact {
    /// The union it names, as a derived id; may be an alias (record id or later code) of the union's document.
    pub union: DocumentId,
    /// First day.
    pub from: Day,
    /// Last day that counts.
    pub until: Option<Day>,
    /// Consent of the union; without it the link does not count.
    pub consent_on: Option<Day>,
}

/// What a union's document states.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct UnionFacts {
    /// Valid code.
    pub code: Option<CreditCode>,
    /// Own name of the record.
    pub record_id: Option<String>,
    /// Name.
    pub name: Agreed<String>,
    /// Form.
    pub form: Agreed<UnionForm>,
    /// Approving federation.
    pub higher_union: Agreed<FederationId>,
    /// Employer of an own union; may be an alias.
    pub organisation: Agreed<DocumentId>,
    /// Full-time chair.
    pub full_time_chair: Agreed<bool>,
    /// Women workers' committee.
    pub womens_committee: Agreed<bool>,
    /// Closed as a mistake: in no figure.
    pub mistaken: bool,
    /// Units outside the register: date, how many.
    pub other_units: Vec<(Day, u32)>,
    /// Events.
    pub events: Vec<UnionEventFact>,
    /// Events that may be read in several ways.
    pub disputed_events: Vec<Disputed<UnionEventFact>>,
    /// Fields with open conflicts.
    pub open_conflicts: u32,
}

/// Something that happened to a union.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnionEventFact {
    /// What.
    pub event: UnionEvent,
    /// When; starts count from its last day, endings from its first.
    pub on: PartialDate,
    /// 0 the founding, then the re-elections.
    pub cycle: u32,
    /// Whether a number is recorded (V18).
    pub has_number: bool,
    /// Approving federation where it is not the higher union.
    pub approved_by: Option<FederationId>,
    /// Years.
    pub term_years: Option<u32>,
    /// New last day of an extended term.
    pub until: Option<Day>,
    /// Months by which a term is extended, where no last day is stated.
    pub months: Option<u32>,
}

/// What a fund's document states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FundFacts {
    /// Own name of the record.
    pub record_id: Option<String>,
    /// Whose.
    pub federation: Agreed<FederationId>,
    /// Calendar year.
    pub year: Agreed<i32>,
    /// Ledger.
    pub entries: Vec<FundEntryFact>,
    /// Fields with open conflicts.
    pub open_conflicts: u32,
}

/// One movement of a fund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundEntryFact {
    /// Name of the entry.
    pub id: String,
    /// Which.
    pub entry: FundEntryKind,
    /// Booking date.
    pub on: Day,
    /// Fen.
    pub amount_fen: i64,
    /// The other federation.
    pub counterparty: Option<FederationId>,
    /// Id shared by both sides.
    pub transfer: Option<String>,
    /// Entry that a reversal cancels.
    pub of: Option<String>,
}

/// What a subsidy case's document states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubsidyFacts {
    /// Own name of the record.
    pub record_id: Option<String>,
    /// The payer.
    pub federation: Agreed<FederationId>,
    /// Payee union; may be an alias.
    pub payee_union: Agreed<DocumentId>,
    /// Payee federation.
    pub payee_federation: Agreed<FederationId>,
    /// Which kind.
    pub kind: Agreed<SubsidyKind>,
    /// Rule of a fixed subsidy.
    pub rule: Agreed<String>,
    /// Period of a fixed subsidy.
    pub period: Agreed<String>,
    /// The fund, as a derived id.
    pub fund: Agreed<DocumentId>,
    /// Ledger.
    pub entries: Vec<SubsidyEntryFact>,
    /// Fields with open conflicts.
    pub open_conflicts: u32,
}

/// One step or payment of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubsidyEntryFact {
    /// Name of the entry.
    pub id: String,
    /// Which.
    pub entry: SubsidyEntryKind,
    /// Approval or booking date.
    pub on: Day,
    /// Fen.
    pub amount_fen: i64,
    /// Account that entered it (four eyes).
    pub by: Option<String>,
    /// Entry that a reversal cancels.
    pub of: Option<String>,
}

/// Two documents that are one since a date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SameAsFacts {
    /// One.
    pub a: DocumentId,
    /// The other.
    pub b: DocumentId,
    /// First day; `Day::MIN` where unknown.
    pub from: Day,
    /// Last day.
    pub until: Option<Day>,
    /// Taken back.
    pub withdrawn: bool,
    /// Fields with open conflicts.
    pub open_conflicts: u32,
}

/// What a federation's document states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederationFacts {
    /// Division code and line.
    pub id: FederationId,
    /// Name.
    pub name: String,
    /// Level.
    pub level: Level,
    /// Federation above.
    pub parent: Option<FederationId>,
    /// First day.
    pub from: Option<Day>,
    /// Last day.
    pub until: Option<Day>,
    /// Expected to report.
    pub active: bool,
}

/// What the campaign's document states; `None` keeps the default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CampaignFacts {
    /// Version.
    pub version: Option<u32>,
    /// Organiser alone covers.
    pub organiser_counts: Option<bool>,
    /// Clinics count as hospitals.
    pub clinics_are_hospitals: Option<bool>,
    /// Nurseries are in scope.
    pub nurseries_in_scope: Option<bool>,
    /// Months of grace in the strict rate.
    pub grace_months: Option<u32>,
    /// Months until V15.
    pub deadline_months: Option<u32>,
    /// Threshold of V23.
    pub womens_committee_from: Option<u32>,
    /// Date and percent.
    pub targets: Vec<(Day, u32)>,
}
