//! The cube: facts of all documents, kept in columns that answer questions by scanning (`design.md` 5).
//! Owns which documents are one thing and when their columns are computed anew; leaves how an organisation counts
//! to `establishment` and questions to `query`. Whatever the order of arrival, the answers are the same.

mod arena;
pub(crate) mod block;
mod bytes;
mod case;
mod component;
pub(crate) mod date_index;
mod headlines;
mod index;
mod intern;
pub(crate) mod located;
mod organisation_state;
mod pack;
pub(crate) mod profile;
mod register;
pub(crate) mod segment;
pub(crate) mod stored;
mod union_row;
mod union_state;
mod upsert;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use rollcall_core::campaign::Settings;
use rollcall_core::date::Day;
use rollcall_core::fact::{CampaignFacts, FederationFacts, FundFacts, SameAsFacts};
use rollcall_core::federation::Directory;
use rollcall_core::id::{DocumentId, FederationId};
use rollcall_core::term::UnionForm;

pub(crate) use intern::Interned;
pub(crate) use register::Register;
pub(crate) use union_row::{UnionRow, UnionsOfCube, forms_of};

use case::Cases;
use headlines::Headlines;
use index::Index;
use located::Located;
use profile::Profiles;
use segment::{Readings, Segments};

use crate::kept_counts::KeptCounts;

/// Facts of all documents, ready for questions.
#[derive(Debug)]
pub struct Cube {
    settings_default: Settings,
    pub(crate) settings: Settings,
    campaigns: BTreeMap<DocumentId, CampaignFacts>,
    federations: BTreeMap<DocumentId, FederationFacts>,
    pub(crate) directory: Directory,
    same_as: BTreeMap<DocumentId, SameAsFacts>,
    same_as_by_end: HashMap<DocumentId, Vec<DocumentId>>,
    pub(crate) funds: BTreeMap<DocumentId, FundFacts>,
    pub(crate) subsidies: Cases,

    pub(crate) organisations: Register,
    pub(crate) segments: Segments,
    /// Organisations by the union that a link of theirs names.
    pub(crate) linked_by_union: Index,

    pub(crate) unions: Register,
    /// States of the unions that several documents are; those of the others are read out of their own facts.
    pub(crate) united_unions: HashMap<u32, UnionRow>,
    /// Where each union counts among all, as columns: the profile is the number of its form, or [`UNCOUNTED`].
    pub(crate) union_segments: Segments,
    /// Forms of each union, as bits.
    pub(crate) union_forms: Vec<u8>,
    /// Unions by the organisation that they name.
    pub(crate) naming_by_organisation: Index,

    pub(crate) places: Interned<FederationId>,
    pub(crate) profiles: Profiles,
    pub(crate) covers: Interned<Box<[u32]>>,
    pub(crate) readings: Interned<Readings>,
    /// Where each place lies, by the first day of each span without a change; dropped when the directory changes.
    located: Mutex<BTreeMap<Day, Arc<Located>>>,
    /// Of questions asked since the facts changed last.
    pub(crate) headlines: Headlines,
    pub(crate) kept_counts: KeptCounts,
}

/// The profile of a union that does not count: no form.
pub(crate) const UNCOUNTED: u32 = UnionForm::ALL.len() as u32;

impl Cube {
    /// A cube without documents. The settings hold until a campaign's document states others.
    pub fn new(settings_default: Settings) -> Self {
        Self {
            settings: settings_default.clone(),
            settings_default,
            campaigns: BTreeMap::new(),
            federations: BTreeMap::new(),
            directory: Directory::default(),
            same_as: BTreeMap::new(),
            same_as_by_end: HashMap::new(),
            funds: BTreeMap::new(),
            subsidies: Cases::default(),
            organisations: Register::default(),
            segments: Segments::default(),
            linked_by_union: Index::default(),
            unions: Register::default(),
            united_unions: HashMap::new(),
            union_segments: Segments::default(),
            union_forms: Vec::new(),
            naming_by_organisation: Index::default(),
            places: Interned::default(),
            profiles: Profiles::default(),
            covers: Interned::default(),
            readings: Interned::default(),
            located: Mutex::new(BTreeMap::new()),
            headlines: Headlines::default(),
            kept_counts: KeptCounts::default(),
        }
    }

    /// Documents held.
    pub fn len(&self) -> usize {
        self.organisations.len()
            + self.unions.len()
            + self.same_as.len()
            + self.funds.len()
            + self.subsidies.len()
            + self.federations.len()
            + self.campaigns.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much it holds, for logs: documents, segments and distinct values.
    pub fn describe(&self) -> String {
        format!(
            "{} organisations in {} segments, {} unions, {} places, {} profiles, {} sets of unions, {} sets of readings",
            self.organisations.len(),
            self.segments.segments(),
            self.unions.len(),
            self.places.values().len(),
            self.profiles.values().len(),
            self.covers.values().len(),
            self.readings.values().len()
        )
    }

    /// Settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The hierarchy of federations.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }
}
