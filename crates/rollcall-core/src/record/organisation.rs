//! An employer of the register as a record, and the entries of its lists.

use serde::{Deserialize, Serialize};

use super::{Dated, Withdrawn, registry};
use crate::date::{Day, PartialDate};
use crate::id::FederationId;
use crate::term::{Category, ExclusionReason, Kind, OperatingState, RegistrationStatus, Source, Stage};

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
