//! The cube: facts of all documents, kept in columns that answer questions by scanning (`design.md` 5).
//! Owns which documents are one thing and when their columns are computed anew; leaves how an organisation counts
//! to `establishment` and questions to `query`. Whatever the order of arrival, the answers are the same.

mod component;
mod intern;
mod register;
pub(crate) mod segment;
pub(crate) mod stored;
mod union_row;
mod upsert;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use rollcall_core::campaign::Settings;
use rollcall_core::date::Day;
use rollcall_core::fact::{CampaignFacts, FederationFacts, FundFacts, SameAsFacts, SubsidyFacts};
use rollcall_core::federation::{Directory, Place};
use rollcall_core::id::{DocumentId, FederationId};

pub(crate) use intern::Interned;
pub(crate) use register::Register;
pub(crate) use union_row::{UnionRow, UnionsOfCube, forms_of};

use segment::{Profile, Readings, Segments};

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
    pub(crate) subsidies: BTreeMap<DocumentId, SubsidyFacts>,

    pub(crate) organisations: Register,
    pub(crate) segments: Segments,
    /// Organisations by the union that a link of theirs names.
    pub(crate) linked_by_union: HashMap<DocumentId, Vec<u32>>,

    pub(crate) unions: Register,
    pub(crate) union_rows: Vec<UnionRow>,
    /// Where each union counts among all, as columns: the profile is the number of its form, or [`segment::NONE`].
    pub(crate) union_segments: Segments,
    /// Forms of each union, as bits.
    pub(crate) union_forms: Vec<u8>,
    /// Unions by the organisation that they name.
    pub(crate) naming_by_organisation: HashMap<DocumentId, Vec<u32>>,

    pub(crate) places: Interned<FederationId>,
    pub(crate) profiles: Interned<Profile>,
    pub(crate) covers: Interned<Box<[u32]>>,
    pub(crate) readings: Interned<Readings>,
    /// Where each place lies, by day; dropped when the directory changes.
    located: Mutex<BTreeMap<Day, Arc<Vec<Place>>>>,
}

/// Days for which the hierarchy is kept ready.
const LOCATED_MAX: usize = 64;

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
            subsidies: BTreeMap::new(),
            organisations: Register::default(),
            segments: Segments::default(),
            linked_by_union: HashMap::new(),
            unions: Register::default(),
            union_rows: Vec::new(),
            union_segments: Segments::default(),
            union_forms: Vec::new(),
            naming_by_organisation: HashMap::new(),
            places: Interned::default(),
            profiles: Interned::default(),
            covers: Interned::default(),
            readings: Interned::default(),
            located: Mutex::new(BTreeMap::new()),
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

    /// Where every known place lies at a date, by its number.
    pub(crate) fn located(&self, on: Day) -> Arc<Vec<Place>> {
        let known = {
            let located = self
                .located
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            located.get(&on).cloned()
        };
        if let Some(known) = known.filter(|known| known.len() == self.places.values().len()) {
            return known;
        }
        let places = self
            .places
            .values()
            .iter()
            .map(|place| self.directory.place_at(place, on))
            .collect();
        let mut places: Arc<Vec<Place>> = Arc::new(places);
        let mut located = self
            .located
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if located.len() >= LOCATED_MAX {
            located.clear();
        }
        // Days with one hierarchy share it, so that it can be compared by address.
        if let Some(same) = located.values().find(|known| **known == places) {
            places = Arc::clone(same);
        }
        located.insert(on, Arc::clone(&places));
        places
    }
}
