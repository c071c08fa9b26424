//! The record format (`cli.md` Records): the full content of what people keep, one JSON object a line.
//! Owns shape and names; unknown keys are refused. What a record means is read by `fact`.

use serde::{Deserialize, Serialize};

use crate::date::{Day, PartialDate};
use crate::id::{DocumentId, DocumentKind, FederationId};
use crate::term::{
    Category, ExclusionReason, FundEntryKind, Kind, Level, OperatingState, RegistrationStatus, Source, Stage,
    SubsidyEntryKind, SubsidyKind, UnionEvent, UnionForm,
};

/// One line of a records file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// An employer.
    Organisation(Box<OrganisationRecord>),
    /// A grassroots union.
    Union(Box<UnionRecord>),
    /// A special fund of one year.
    Fund(FundRecord),
    /// A subsidy case.
    Subsidy(Box<SubsidyRecord>),
    /// Two documents that are one thing.
    SameAs(SameAsRecord),
    /// A federation in the directory.
    Federation(FederationRecord),
    /// The campaign's settings.
    Campaign(CampaignRecord),
}

impl Record {
    /// Which kind of document holds it.
    pub fn kind(&self) -> DocumentKind {
        match self {
            Self::Organisation(_) => DocumentKind::Organisation,
            Self::Union(_) => DocumentKind::Union,
            Self::Fund(_) => DocumentKind::Fund,
            Self::Subsidy(_) => DocumentKind::Subsidy,
            Self::SameAs(_) => DocumentKind::SameAs,
            Self::Federation(_) => DocumentKind::Federation,
            Self::Campaign(_) => DocumentKind::Campaign,
        }
    }

    /// The key its document id comes from: code, else record id (`protocol.md` 1.7); `None` where it has neither.
    pub fn key(&self) -> Option<String> {
        let first = |code: &Option<String>, id: &Option<String>| {
            code.as_deref()
                .filter(|code| !code.is_empty())
                .or(id.as_deref())
                .map(str::to_owned)
        };
        match self {
            Self::Organisation(record) => first(&record.code, &record.id),
            Self::Union(record) => first(&record.code, &record.id),
            Self::Fund(record) => record.id.clone(),
            Self::Subsidy(record) => record.id.clone(),
            Self::SameAs(record) => {
                let (low, high) = if record.a <= record.b {
                    (&record.a, &record.b)
                } else {
                    (&record.b, &record.a)
                };
                Some(format!("{low}={high}"))
            }
            Self::Federation(record) => Some(record.code.to_string()),
            Self::Campaign(record) => Some(record.id.clone().unwrap_or_else(|| "campaign".to_owned())),
        }
    }

    /// The document this record belongs to, where it has a key.
    pub fn document_id(&self) -> Option<DocumentId> {
        self.key()
            .map(|key| DocumentId::from_reference(self.kind(), &key))
    }
}

/// A value that changes by date: one scalar (from the registration date) or a list of entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dated<T> {
    /// Holds from the registration date, from the registry.
    Scalar(T),
    /// Every entry ever made.
    List(Vec<DatedEntry<T>>),
}

/// One entry of a dated value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatedEntry<T> {
    /// What holds.
    pub value: T,
    /// Since when; unknown: always.
    #[serde(default)]
    pub from: Option<PartialDate>,
    /// Who says so.
    #[serde(default = "registry")]
    pub source: Source,
    /// Number of the paper it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// Taken back: it never held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Withdrawn>,
}

fn registry() -> Source {
    Source::Registry
}

/// An entry taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Withdrawn {
    /// When.
    pub at: PartialDate,
    /// Why.
    pub reason: String,
}

macro_rules! record {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }
    };
}

macro_rules! entry {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Name of the entry within its list; kept for ever.
            pub id: String,
            $($(#[$field_doc])* pub $field: $type,)*
            /// When it was entered.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub at: Option<String>,
            /// Account that entered it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub by: Option<String>,
            /// Where it comes from.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub source: Option<Source>,
            /// Taken back: it never held.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub withdrawn: Option<Withdrawn>,
        }
    };
}

record! {
    /// An employer of the register.
    #[derive(Default)]
    OrganisationRecord {
        /// Own name of the record, for organisations without a code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Unified social credit code; `None`: held for clarification.
        #[serde(default)]
        code: Option<String>,
        /// Name.
        #[serde(default)]
        name: Option<Dated<String>>,
        /// Kind as recorded.
        #[serde(default)]
        kind: Option<Kind>,
        /// Category as recorded.
        #[serde(default)]
        category: Option<Dated<Category>>,
        /// Where the category comes from (certificate, supervising unit, name).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        category_source: Option<String>,
        /// Registration date.
        #[serde(default)]
        registered_on: Option<PartialDate>,
        /// Registration status.
        #[serde(default)]
        registration_status: Option<Dated<RegistrationStatus>>,
        /// Date of a scalar status that ends the registration.
        #[serde(default)]
        status_on: Option<PartialDate>,
        /// Division code of the registration authority.
        #[serde(default)]
        registration_authority: Option<Dated<String>>,
        /// Division code of the location.
        #[serde(default)]
        location: Option<Dated<String>>,
        /// Address.
        #[serde(default)]
        address: Option<String>,
        /// Body that supervises its business.
        #[serde(default)]
        supervising_unit: Option<String>,
        /// Responsible federation.
        #[serde(default)]
        responsible: Option<Dated<FederationId>>,
        /// Operating state.
        #[serde(default)]
        operating_state: Option<Dated<OperatingState>>,
        /// Numbers of before 2015.
        #[serde(default)]
        legacy_numbers: Vec<String>,
        /// Former names.
        #[serde(default)]
        former_names: Vec<FormerName>,
        /// Organisation it was merged into.
        #[serde(default)]
        successor: Option<String>,
        /// Why the record was closed as a mistake; it is in no figure from then on (`protocol.md` 1.7).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mistaken: Option<String>,
        /// Workers and members by date and source.
        #[serde(default)]
        counts: Vec<CountEntry>,
        /// Exclusions from the eligible.
        #[serde(default)]
        exclusions: Vec<ExclusionEntry>,
        /// Links to joint unions and union federations.
        #[serde(default)]
        coverage: Vec<CoverageEntry>,
        /// Elected organisers.
        #[serde(default)]
        organisers: Vec<OrganiserEntry>,
        /// Handovers to other federations.
        #[serde(default)]
        handovers: Vec<HandoverEntry>,
        /// Stages 0 to 2 and refusals.
        #[serde(default)]
        stages: Vec<StageEntry>,
        /// Contacts with it.
        #[serde(default)]
        contacts: Vec<ContactEntry>,
        /// Checks of its state (mapping).
        #[serde(default)]
        checks: Vec<CheckEntry>,
        /// Services of its union.
        #[serde(default)]
        services: Vec<ServiceEntry>,
    }
}

record! {
    /// A name it had before.
    FormerName {
        /// The name.
        name: String,
        /// Last day it was used.
        #[serde(default)]
        until: Option<PartialDate>,
    }
}

record! {
    /// Headcounts of one date from one source.
    CountEntry {
        /// Date of the figure.
        on: Day,
        /// Who says so.
        #[serde(default = "registry")]
        source: Source,
        /// Workers.
        #[serde(default)]
        workers: Option<u32>,
        /// Members.
        #[serde(default)]
        members: Option<u32>,
        /// Female members.
        #[serde(default)]
        female_members: Option<u32>,
        /// Taken back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        withdrawn: Option<Withdrawn>,
    }
}

entry! {
    /// A reason why it does not count as eligible; approved or only proposed.
    ExclusionEntry {
        /// Why.
        reason: ExclusionReason,
        /// First day.
        from: PartialDate,
        /// Last day that counts.
        #[serde(default)]
        until: Option<PartialDate>,
        /// What it rests on.
        #[serde(default)]
        evidence: Option<String>,
        /// Day of the approval; `None`: proposed.
        #[serde(default)]
        approved_on: Option<PartialDate>,
        /// Day of a refusal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused_on: Option<PartialDate>,
    }
}

entry! {
    /// A link to a joint union or union federation that names the organisation.
    CoverageEntry {
        /// The union: its code, record id or document id.
        union: String,
        /// First day.
        from: PartialDate,
        /// Last day that counts.
        #[serde(default)]
        until: Option<PartialDate>,
        /// The union's consent; without it the link does not count.
        #[serde(default)]
        consent_on: Option<PartialDate>,
    }
}

entry! {
    /// An elected organiser.
    OrganiserEntry {
        /// Election date.
        elected_on: PartialDate,
        /// No longer from this day.
        #[serde(default)]
        ended_on: Option<PartialDate>,
    }
}

entry! {
    /// Handing the organisation to another federation; two signatures.
    HandoverEntry {
        /// The taker.
        to: FederationId,
        /// The giver's signature.
        on: PartialDate,
        /// The taker's signature; effective on this day.
        #[serde(default)]
        accepted_on: Option<PartialDate>,
    }
}

entry! {
    /// A stage that the organisation's own record holds.
    StageEntry {
        /// Which.
        stage: Stage,
        /// When.
        on: PartialDate,
        /// Number of a paper.
        #[serde(default)]
        number: Option<String>,
    }
}

entry! {
    /// A contact with the organisation.
    ContactEntry {
        /// When.
        on: PartialDate,
        /// Visit, letter, telephone.
        #[serde(default)]
        channel: Option<String>,
        /// What came of it.
        #[serde(default)]
        result: Option<String>,
        /// When to ask again.
        #[serde(default)]
        next_on: Option<PartialDate>,
    }
}

entry! {
    /// A check of its state.
    CheckEntry {
        /// When.
        on: PartialDate,
        /// What was found.
        state: OperatingState,
    }
}

entry! {
    /// A service of its union.
    ServiceEntry {
        /// When.
        on: PartialDate,
        /// Which.
        service: String,
        /// Note.
        #[serde(default)]
        note: Option<String>,
    }
}

record! {
    /// A grassroots union.
    #[derive(Default)]
    UnionRecord {
        /// Own name of the record.
        #[serde(default)]
        id: Option<String>,
        /// Credit code, prefix 81 or 89.
        #[serde(default)]
        code: Option<String>,
        /// Name.
        #[serde(default)]
        name: Option<String>,
        /// Form.
        #[serde(default)]
        form: Option<UnionForm>,
        /// The federation that approves it.
        #[serde(default)]
        higher_union: Option<FederationId>,
        /// The employer of an own union: code, record id or document id.
        #[serde(default)]
        organisation: Option<String>,
        /// Level of the area of a village, zone or township union.
        #[serde(default)]
        area_level: Option<String>,
        /// Why the record was closed as a mistake; it is in no figure from then on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mistaken: Option<String>,
        /// Whether the chair is full-time (T6).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full_time_chair: Option<bool>,
        /// Whether there is a women workers' committee (T15).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        womens_committee: Option<bool>,
        /// Units outside the register, by date.
        #[serde(default)]
        other_units: Vec<OtherUnitsEntry>,
        /// What happened to it.
        #[serde(default)]
        events: Vec<UnionEventEntry>,
    }
}

entry! {
    /// How many units outside the register it covers.
    OtherUnitsEntry {
        /// Date of the figure.
        on: PartialDate,
        /// How many.
        count: u32,
    }
}

entry! {
    /// Something that happened to a union.
    UnionEventEntry {
        /// What.
        event: UnionEvent,
        /// When.
        on: PartialDate,
        /// 0 the founding, 1 the first re-election and so on.
        #[serde(default)]
        cycle: u32,
        /// Number of the approval.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<String>,
        /// Approving federation where it is not the higher union.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<FederationId>,
        /// Term of the committee, years.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        term_years: Option<u32>,
        /// New last day of an extended term.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<PartialDate>,
        /// Months by which a term is extended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        months: Option<u32>,
    }
}

record! {
    /// A federation's special fund of one year.
    FundRecord {
        /// Own name of the record.
        #[serde(default)]
        id: Option<String>,
        /// Whose.
        federation: FederationId,
        /// Calendar year.
        year: i32,
        /// Ledger.
        #[serde(default)]
        entries: Vec<FundEntry>,
    }
}

entry! {
    /// One movement of a fund.
    FundEntry {
        /// Which.
        entry: FundEntryKind,
        /// Booking date.
        on: PartialDate,
        /// Fen, above 0.
        amount_fen: i64,
        /// The other federation of a transfer.
        #[serde(default)]
        counterparty: Option<FederationId>,
        /// Id shared by both sides of a transfer.
        #[serde(default)]
        transfer: Option<String>,
        /// The entry that a reversal cancels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
    }
}

record! {
    /// One subsidy case.
    SubsidyRecord {
        /// Own name of the record.
        #[serde(default)]
        id: Option<String>,
        /// The payer.
        federation: FederationId,
        /// Who gets it: a union.
        #[serde(default)]
        payee_union: Option<String>,
        /// Who gets it: a federation.
        #[serde(default)]
        payee_federation: Option<FederationId>,
        /// Which kind.
        kind: SubsidyKind,
        /// Rule of a fixed subsidy.
        #[serde(default)]
        rule: Option<String>,
        /// Period of a fixed subsidy.
        #[serde(default)]
        period: Option<String>,
        /// The fund it is paid from.
        #[serde(default)]
        fund: Option<String>,
        /// Heads of the facts it was computed from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        basis: Option<String>,
        /// Ledger.
        #[serde(default)]
        entries: Vec<SubsidyEntry>,
    }
}

entry! {
    /// One step or payment of a case.
    SubsidyEntry {
        /// Which.
        entry: SubsidyEntryKind,
        /// Approval or booking date.
        on: PartialDate,
        /// Fen, above 0 where money moves.
        #[serde(default)]
        amount_fen: i64,
        /// The entry that a reversal cancels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        /// Reason of a rejection, cancellation or reversal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    }
}

record! {
    /// Two documents that are one thing since a date.
    SameAsRecord {
        /// One: code, record id or document id.
        a: String,
        /// The other.
        b: String,
        /// What they are; organisations unless said.
        #[serde(default = "organisation", skip_serializing_if = "is_organisation")]
        of: DocumentKind,
        /// Since when.
        #[serde(default)]
        from: Option<PartialDate>,
        /// Last day.
        #[serde(default)]
        until: Option<PartialDate>,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
        /// Taken back: both stand alone again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        withdrawn: Option<Withdrawn>,
        /// Federation that says so; the writer's unless given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        federation: Option<FederationId>,
    }
}

fn organisation() -> DocumentKind {
    DocumentKind::Organisation
}

fn is_organisation(kind: &DocumentKind) -> bool {
    *kind == DocumentKind::Organisation
}

record! {
    /// A federation in the directory; each version of it valid from a date to a date.
    FederationRecord {
        /// Division code and line.
        code: FederationId,
        /// Industrial line.
        #[serde(default)]
        line: Option<String>,
        /// Name.
        name: String,
        /// Level.
        level: Level,
        /// Federation above.
        #[serde(default)]
        parent: Option<FederationId>,
        /// First day.
        #[serde(default)]
        from: Option<PartialDate>,
        /// Last day.
        #[serde(default)]
        until: Option<PartialDate>,
        /// Expected to report even without organisations.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        active: Option<bool>,
    }
}

record! {
    /// The campaign's switches, deadlines and targets; what is not given keeps its default.
    CampaignRecord {
        /// Own name of the record.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Version, counted up by the national office.
        #[serde(default)]
        version: Option<u32>,
        /// Whether an organiser alone covers.
        #[serde(default)]
        organiser_counts: Option<bool>,
        /// Whether clinics count as hospitals.
        #[serde(default)]
        clinics_are_hospitals: Option<bool>,
        /// Whether day nurseries are in scope.
        #[serde(default)]
        nurseries_in_scope: Option<bool>,
        /// Months a term may be overdue in the strict rate.
        #[serde(default)]
        grace_months: Option<u32>,
        /// Months a new unit has until V15 asks (T17).
        #[serde(default)]
        deadline_months: Option<u32>,
        /// Female members from which a committee is due (T15).
        #[serde(default)]
        womens_committee_from: Option<u32>,
        /// Targets.
        #[serde(default)]
        targets: Vec<TargetEntry>,
    }
}

entry! {
    /// A target.
    TargetEntry {
        /// Its date.
        on: PartialDate,
        /// Percent of the eligible.
        percent: u32,
    }
}
