//! The record format (`cli.md` Records): the full content of what people keep, one JSON object a line.
//! Owns shape and names; unknown keys are refused. What a record means is read by `fact`.

use serde::{Deserialize, Serialize};

use crate::date::PartialDate;
use crate::id::{DocumentId, DocumentKind};
use crate::term::Source;

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

mod money;
mod office;
mod organisation;
mod union;

pub use money::{FundEntry, FundRecord, SubsidyEntry, SubsidyRecord};
pub use office::{CampaignRecord, FederationRecord, SameAsRecord, TargetEntry};
pub use organisation::{
    CheckEntry, ContactEntry, CountEntry, CoverageEntry, ExclusionEntry, FormerName, HandoverEntry,
    OrganisationRecord, OrganiserEntry, ServiceEntry, StageEntry,
};
pub use union::{OtherUnitsEntry, UnionEventEntry, UnionRecord};
