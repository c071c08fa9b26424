//! Taking in the facts of one document and computing anew whatever they reach: the organisations that are one with
//! it, those that a union covers, the unions that end with an organisation. Facts replace what the document
//! stated before; nothing is kept of the order of arrival. What a document says anew of what counts nowhere (contacts,
//! checks) changes nothing: each kind's `upsert` tells whether something did.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use rollcall_core::fact::{
    CampaignFacts, Facts, FederationFacts, OrganisationFacts, SameAsFacts, UnionFacts,
};
use rollcall_core::id::{DocumentId, DocumentKind};

use super::Cube;
use super::component::Component;
use super::pack::Pack;
use super::stored::{Names, StoredOrganisation, StoredUnion};

impl Cube {
    /// Takes in what a document states, in place of what it stated before.
    pub fn upsert(&mut self, id: DocumentId, facts: Facts) {
        let changed = match facts {
            Facts::Organisation(facts) => self.upsert_organisation(id, *facts),
            Facts::Union(facts) => self.upsert_union(id, *facts),
            Facts::SameAs(facts) => self.upsert_same_as(id, facts),
            Facts::Fund(facts) => self.funds.insert(id, facts.clone()) != Some(facts),
            Facts::Subsidy(facts) => self.subsidies.replace(id, &facts),
            Facts::Federation(facts) => self.upsert_federation(id, facts),
            Facts::Campaign(facts) => self.upsert_campaign(id, facts),
        };
        if changed {
            self.headlines.clear();
        }
    }

    fn upsert_federation(&mut self, id: DocumentId, facts: FederationFacts) -> bool {
        let before = self.federations.insert(id, facts.clone());
        if before.as_ref() == Some(&facts) {
            return false;
        }
        if let Some(before) = before {
            self.directory.remove(&before);
        }
        self.directory.insert(facts);
        self.located
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        true
    }

    fn upsert_campaign(&mut self, id: DocumentId, facts: CampaignFacts) -> bool {
        if self.campaigns.insert(id, facts.clone()) == Some(facts) {
            return false;
        }
        let newest = self
            .campaigns
            .iter()
            .max_by_key(|(id, facts)| (facts.version, **id));
        let settings = newest.map(|(_, facts)| self.settings_default.with(facts));
        if let Some(settings) = settings.filter(|settings| *settings != self.settings) {
            self.settings = settings;
            self.recompute_all();
        }
        true
    }

    pub(crate) fn stored_organisation(&self, number: u32) -> StoredOrganisation {
        Pack::unpack(self.organisations.packed(number))
    }

    pub(crate) fn stored_union(&self, number: u32) -> StoredUnion {
        Pack::unpack(self.unions.packed(number))
    }

    /// Every id under which an organisation may be named.
    pub(super) fn organisation_aliases(&self, number: u32) -> Vec<DocumentId> {
        let (id, packed) = (self.organisations.id(number), self.organisations.packed(number));
        Names::of(packed).aliases(DocumentKind::Organisation, id)
    }

    fn union_aliases(&self, number: u32) -> Vec<DocumentId> {
        Names::of(self.unions.packed(number)).aliases(DocumentKind::Union, self.unions.id(number))
    }

    pub(crate) fn organisation_component(&self, number: u32) -> Component {
        self.component(&self.organisations, number, |number| {
            self.organisation_aliases(number)
        })
    }

    pub(crate) fn union_component(&self, number: u32) -> Component {
        self.component(&self.unions, number, |number| self.union_aliases(number))
    }

    fn upsert_organisation(&mut self, id: DocumentId, facts: OrganisationFacts) -> bool {
        let stored = StoredOrganisation::new(facts);
        let packed = stored.pack();
        let mut reached = BTreeSet::new();
        let mut named = BTreeSet::from([id]);
        let number = match self.organisations.find(id) {
            Some(number) if *self.organisations.packed(number) == *packed => return false,
            Some(number) => {
                reached.extend(self.organisation_component(number).members);
                let before = self.stored_organisation(number);
                let aliases = before.aliases(id);
                for union in before.linked_unions() {
                    self.linked_by_union.remove(&union, number);
                }
                self.organisations.remove_aliases(number, &aliases);
                named.extend(aliases);
                number
            }
            None => self.organisations.number(id),
        };
        let aliases = stored.aliases(id);
        for union in stored.linked_unions() {
            self.linked_by_union.add(union, number);
        }
        self.organisations.add_aliases(number, &aliases);
        self.organisations.replace(number, &packed);
        named.extend(aliases);
        reached.extend(self.organisation_component(number).members);
        self.recompute_organisations(&reached);
        self.recompute_counts_of_unions_naming(&reached, named);
        true
    }

    fn upsert_union(&mut self, id: DocumentId, facts: UnionFacts) -> bool {
        let stored = StoredUnion::new(facts);
        let packed = stored.pack();
        let mut reached = BTreeSet::new();
        let mut organisations = BTreeSet::new();
        let number = match self.unions.find(id) {
            Some(number) if *self.unions.packed(number) == *packed => return false,
            Some(number) => {
                self.reach_of_unions(
                    &self.union_component(number).members,
                    &mut reached,
                    &mut organisations,
                );
                let before = self.stored_union(number);
                for organisation in &before.facts.organisation {
                    self.naming_by_organisation.remove(organisation, number);
                }
                self.unions.remove_aliases(number, &before.aliases(id));
                number
            }
            None => {
                let number = self.unions.number(id);
                self.union_forms.push(0);
                number
            }
        };
        for organisation in &stored.facts.organisation {
            self.naming_by_organisation.add(*organisation, number);
        }
        self.unions.add_aliases(number, &stored.aliases(id));
        self.unions.replace(number, &packed);
        self.reach_of_unions(
            &self.union_component(number).members,
            &mut reached,
            &mut organisations,
        );
        self.recompute_unions(&reached);
        self.recompute_organisations(&organisations);
        true
    }

    fn upsert_same_as(&mut self, id: DocumentId, facts: SameAsFacts) -> bool {
        let before = self.same_as.get(&id).cloned();
        if before.as_ref() == Some(&facts) {
            return false;
        }
        let ends: BTreeSet<DocumentId> = before
            .iter()
            .chain([&facts])
            .flat_map(|facts| [facts.a, facts.b])
            .collect();
        let (mut unions, mut organisations) = (BTreeSet::new(), BTreeSet::new());
        let mut named = BTreeSet::new();
        self.reach_of_ends(&ends, &mut unions, &mut organisations, &mut named);
        if let Some(before) = before {
            for end in [before.a, before.b] {
                if let Some(known) = self.same_as_by_end.get_mut(&end) {
                    known.retain(|known| *known != id);
                }
            }
        }
        for end in BTreeSet::from([facts.a, facts.b]) {
            self.same_as_by_end.entry(end).or_default().push(id);
        }
        self.same_as.insert(id, facts);
        self.reach_of_ends(&ends, &mut unions, &mut organisations, &mut named);
        self.recompute_unions(&unions);
        self.recompute_organisations(&organisations);
        self.recompute_counts_of_unions_naming(&organisations, named);
        true
    }

    fn reach_of_ends(
        &self,
        ends: &BTreeSet<DocumentId>,
        unions: &mut BTreeSet<u32>,
        organisations: &mut BTreeSet<u32>,
        named: &mut BTreeSet<DocumentId>,
    ) {
        for end in ends {
            named.insert(*end);
            for number in self.unions.holders(*end) {
                self.reach_of_unions(&self.union_component(number).members, unions, organisations);
            }
            for number in self.organisations.holders(*end) {
                organisations.extend(self.organisation_component(number).members);
            }
        }
    }

    /// The unions themselves, and every organisation that links to them or that they name.
    fn reach_of_unions(
        &self,
        members: &[u32],
        unions: &mut BTreeSet<u32>,
        organisations: &mut BTreeSet<u32>,
    ) {
        for number in members {
            unions.insert(*number);
            let stored = self.stored_union(*number);
            for alias in stored.aliases(self.unions.id(*number)) {
                for organisation in self.linked_by_union.get(&alias) {
                    organisations.extend(self.organisation_component(*organisation).members);
                }
            }
            for named in &stored.facts.organisation {
                for organisation in self.organisations.holders(*named) {
                    organisations.extend(self.organisation_component(organisation).members);
                }
            }
        }
    }

    fn recompute_all(&mut self) {
        let unions: BTreeSet<u32> = (0..self.unions.len() as u32).collect();
        self.recompute_unions(&unions);
        let organisations: BTreeSet<u32> = (0..self.organisations.len() as u32).collect();
        self.recompute_organisations(&organisations);
    }
}
