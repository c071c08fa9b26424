//! From what stands in a document to facts, typed and dated, ready for figures.
//! Owns the edge rules of reading (`domain.md` 6): a start counts from the last day it could be, an ending from the
//! first; alternatives stay side by side as conflicts; what was withdrawn is no fact. No rule of counting is here.
//! Bad content is left out and named as a problem.

pub(crate) mod entry;
#[cfg(test)]
mod tests;
mod union;

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::{Day, PartialDate};
use rollcall_core::fact::CampaignFacts;
use rollcall_core::fact::{
    Agreed, CountFact, DatedFact, Disputed, DisputedEntries, ExclusionFact, Facts, FederationFacts,
    FundEntryFact, FundFacts, LinkFact, OrganisationFacts, SameAsFacts, SubsidyEntryFact, SubsidyFacts,
};
use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_core::problem::Problem;
use rollcall_core::record::{
    CheckEntry, ContactEntry, CoverageEntry, ExclusionEntry, FundEntry, HandoverEntry, OrganiserEntry,
    StageEntry, SubsidyEntry, TargetEntry,
};
use rollcall_core::term::{Category, Kind, Level, OperatingState, RegistrationStatus, Source, SubsidyKind};
use serde::Deserialize;

use crate::conflict;
use crate::content::Content;
use crate::read::{dated_text, unreadable, withdrawn};
use crate::scalar::Scalar;
use crate::schema;

/// What the document states.
pub(crate) fn facts(content: &Content) -> (Facts, Vec<Problem>) {
    let mut reader = Reader {
        content,
        problems: Vec::new(),
    };
    let facts = match content.kind {
        DocumentKind::Organisation => Facts::Organisation(Box::new(reader.organisation())),
        DocumentKind::Union => Facts::Union(Box::new(reader.union())),
        DocumentKind::Fund => Facts::Fund(reader.fund()),
        DocumentKind::Subsidy => Facts::Subsidy(Box::new(reader.subsidy())),
        DocumentKind::SameAs => Facts::SameAs(reader.same_as()),
        DocumentKind::Federation => Facts::Federation(reader.federation()),
        DocumentKind::Campaign => Facts::Campaign(reader.campaign()),
    };
    (facts, reader.problems)
}

/// Reads one document; collects problems on the way.
struct Reader<'a> {
    content: &'a Content,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// Every different value of an agreed field, in order.
    fn agreed<T: PartialEq>(&mut self, name: &str, read: impl Fn(&Scalar) -> Option<T>) -> Agreed<T> {
        let mut values = Agreed::new();
        let Some(cell) = self.content.agreed(name) else {
            return values;
        };
        let mut scalars: Vec<&Scalar> = cell.values().map(|held| &held.value).collect();
        scalars.sort();
        for scalar in scalars.into_iter().filter(|scalar| **scalar != Scalar::Null) {
            match read(scalar) {
                Some(value) if !values.contains(&value) => values.push(value),
                Some(_) => {}
                None => self.problems.push(unreadable(name, "the value")),
            }
        }
        values
    }

    fn text<T: PartialEq>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>) -> Agreed<T> {
        self.agreed(name, |scalar| scalar.as_text().and_then(&read))
    }

    fn flag(&mut self, name: &str) -> Agreed<bool> {
        self.agreed(name, |scalar| match scalar {
            Scalar::Flag(flag) => Some(*flag),
            Scalar::Null | Scalar::Integer(_) | Scalar::Text(_) => None,
        })
    }

    fn number<T: PartialEq + TryFrom<i64>>(&mut self, name: &str) -> Agreed<T> {
        self.agreed(name, |scalar| match scalar {
            Scalar::Integer(number) => T::try_from(*number).ok(),
            Scalar::Null | Scalar::Flag(_) | Scalar::Text(_) => None,
        })
    }

    /// The value shown of an agreed field, for facts that have room for one.
    fn shown<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.content
            .agreed(name)
            .and_then(|cell| cell.winner.value.as_text())
            .and_then(read)
    }

    fn reference(&mut self, kind: DocumentKind, name: &str) -> Agreed<DocumentId> {
        let mut ids = self.text(name, |text| refer(kind, text));
        ids.sort_unstable();
        ids
    }

    fn record_id(&self) -> Option<String> {
        self.shown("id", |text| Some(text.to_owned()).filter(|text| !text.is_empty()))
    }

    /// One voice that calls it a mistake is enough until it is settled.
    fn is_mistaken(&mut self) -> bool {
        self.text("mistaken", |reason| Some(!reason.is_empty()))
            .contains(&true)
    }

    /// The entries of a dated value in order of their start.
    fn dated<T: PartialEq>(
        &mut self,
        name: &str,
        with_document_only: bool,
        start: impl Fn(&T, PartialDate) -> Day,
        read: impl Fn(&str) -> Option<T>,
    ) -> Vec<DatedFact<T>> {
        let mut facts: Vec<DatedFact<T>> = Vec::new();
        for cell in self.content.container(name) {
            if withdrawn(self.content, name, &cell.key).is_some() {
                continue;
            }
            for held in cell.values() {
                let said = schema::split_dated(&cell.key).zip(held.value.as_text().and_then(dated_text));
                let value = said.and_then(|((from, source), said)| {
                    Some((from, source, read(&said.value)?, said.document))
                });
                let Some((from, source, value, document)) = value else {
                    self.problems
                        .push(unreadable(format!("{name}/{}", cell.key), "the value"));
                    continue;
                };
                if document.is_none() && with_document_only {
                    continue;
                }
                let from = from.map_or(Day::MIN, |from| start(&value, from));
                facts.push(DatedFact { from, source, value });
            }
        }
        facts.sort_by_key(|fact| (fact.from, fact.source));
        facts
    }

    fn starting<T: PartialEq>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>) -> Vec<DatedFact<T>> {
        self.dated(name, false, |_, from| from.last_day(), read)
    }

    /// The entries of a set as facts, and those of which there are several readings. What `read` makes nothing of is no
    /// fact.
    fn disputable<E: entry::Entry, T: Clone + PartialEq>(
        &mut self,
        name: &str,
        read: impl Fn(E) -> Option<T>,
    ) -> (Vec<T>, Vec<Disputed<T>>) {
        let (mut shown, mut disputed) = (Vec::new(), Vec::new());
        for readings in entry::readings::<E>(self.content, name, &mut self.problems) {
            let first = readings.shown.and_then(&read);
            let mut others = Vec::new();
            for other in readings.others {
                let other = other.and_then(&read);
                if other != first && !others.contains(&other) {
                    others.push(other);
                }
            }
            shown.extend(first.clone());
            if !others.is_empty() {
                disputed.push(Disputed { shown: first, others });
            }
        }
        (shown, disputed)
    }

    /// The entries of a set or ledger that were not taken back.
    fn entries<T: entry::Entry>(&mut self, name: &str) -> Vec<T> {
        entry::entries(self.content, name, &mut self.problems)
    }

    fn organisation(&mut self) -> OrganisationFacts {
        let mut status = self.dated(
            "registration_status",
            false,
            |status, from| match status {
                RegistrationStatus::Registered => from.last_day(),
                RegistrationStatus::Deregistered
                | RegistrationStatus::Revoked
                | RegistrationStatus::Banned => from.first_day(),
            },
            RegistrationStatus::from_name,
        );
        // On one date the better source holds (edge rule 9); the entries are in order of date and source.
        let mut best: Option<(Day, Source)> = None;
        status.retain(|fact| {
            let held = *best.get_or_insert((fact.from, fact.source));
            if held.0 != fact.from {
                best = Some((fact.from, fact.source));
            }
            held.0 != fact.from || held.1 == fact.source
        });
        let mut responsible = self.starting("responsible", |text| text.parse::<FederationId>().ok());
        let (handed_over, disputed_handovers) = self.disputable("handovers", |handover: HandoverEntry| {
            Some(DatedFact {
                from: handover.on.last_day().max(handover.accepted_on?.last_day()),
                source: Source::Registry,
                value: handover.to,
            })
        });
        for fact in handed_over {
            if !responsible.contains(&fact) {
                responsible.push(fact);
            }
        }
        responsible.sort_by_key(|fact| (fact.from, fact.source));
        let (exclusions, disputed_exclusions) = self.disputable("exclusions", |entry: ExclusionEntry| {
            Some(ExclusionFact {
                reason: entry.reason,
                from: entry.from.last_day(),
                until: entry.until.map(PartialDate::first_day),
                approved_on: entry.approved_on.map(PartialDate::last_day),
                refused_on: entry.refused_on.map(PartialDate::first_day),
                has_evidence: entry.evidence.is_some_and(|evidence| !evidence.trim().is_empty()),
            })
        });
        let (coverage, disputed_coverage) = self.disputable("coverage", |entry: CoverageEntry| {
            Some(LinkFact {
                union: DocumentId::from_reference(DocumentKind::Union, &entry.union),
                from: entry.from.last_day(),
                until: entry.until.map(PartialDate::first_day),
                consent_on: entry.consent_on.map(PartialDate::last_day),
            })
        });
        let (organisers, disputed_organisers) = self.disputable("organisers", |entry: OrganiserEntry| {
            Some((
                entry.elected_on.last_day(),
                entry.ended_on.map(PartialDate::first_day),
            ))
        });
        let stages = self.entries::<StageEntry>("stages");
        let contacts = self.entries::<ContactEntry>("contacts");
        let checks = self.entries::<CheckEntry>("checks");
        OrganisationFacts {
            code: self.shown("code", |text| CreditCode::parse(text).ok()),
            record_id: self.record_id(),
            names: self.starting("name", |text| Some(text.to_owned())),
            kind: self.text("kind", Kind::from_name),
            category: self.starting("category", Category::from_name),
            registered_on: self.text("registered_on", |text| text.parse().ok()),
            status,
            authority: self.dated(
                "registration_authority",
                true,
                |_, from| from.last_day(),
                division,
            ),
            location: self.starting("location", division),
            responsible,
            operating: self.starting("operating_state", OperatingState::from_name),
            counts: self.counts(),
            exclusions,
            coverage,
            organisers,
            disputed: DisputedEntries {
                responsible: disputed_handovers,
                exclusions: disputed_exclusions,
                coverage: disputed_coverage,
                organisers: disputed_organisers,
            },
            stages: stages
                .into_iter()
                .map(|entry| (entry.stage, entry.on.last_day()))
                .collect(),
            contacts: contacts.into_iter().map(|entry| entry.on.last_day()).collect(),
            checks: checks.into_iter().map(|entry| entry.on.last_day()).collect(),
            successor: self.shown("successor", |text| refer(DocumentKind::Organisation, text)),
            mistaken: self.is_mistaken(),
            open_conflicts: conflict::count(self.content),
        }
    }

    fn counts(&mut self) -> Vec<CountFact> {
        #[derive(Deserialize)]
        struct Figures {
            workers: Option<u32>,
            members: Option<u32>,
            female_members: Option<u32>,
        }
        let mut facts = Vec::new();
        for cell in self.content.container("counts") {
            if withdrawn(self.content, "counts", &cell.key).is_some() {
                continue;
            }
            for held in cell.values() {
                let figures = held
                    .value
                    .as_text()
                    .and_then(|text| serde_json::from_str::<Figures>(text).ok());
                match schema::split_count(&cell.key).zip(figures) {
                    Some((
                        (on, source),
                        Figures {
                            workers,
                            members,
                            female_members,
                        },
                    )) => {
                        facts.push(CountFact {
                            on,
                            source,
                            workers,
                            members,
                            female_members,
                        });
                    }
                    None => self
                        .problems
                        .push(unreadable(format!("counts/{}", cell.key), "the figures")),
                }
            }
        }
        facts.sort_by_key(|fact| (fact.on, fact.source));
        facts
    }

    fn fund(&mut self) -> FundFacts {
        let entries = self
            .entries::<FundEntry>("entries")
            .into_iter()
            .map(|entry| FundEntryFact {
                id: entry.id,
                entry: entry.entry,
                on: entry.on.last_day(),
                amount_fen: entry.amount_fen,
                counterparty: entry.counterparty,
                transfer: entry.transfer,
                of: entry.of,
            });
        FundFacts {
            entries: entries.collect(),
            record_id: self.record_id(),
            federation: self.text("federation", |text| text.parse().ok()),
            year: self.number("year"),
            open_conflicts: conflict::count(self.content),
        }
    }

    fn subsidy(&mut self) -> SubsidyFacts {
        let entries = self
            .entries::<SubsidyEntry>("entries")
            .into_iter()
            .map(|entry| SubsidyEntryFact {
                id: entry.id,
                entry: entry.entry,
                on: entry.on.last_day(),
                amount_fen: entry.amount_fen,
                by: entry.by,
                of: entry.of,
            });
        SubsidyFacts {
            entries: entries.collect(),
            record_id: self.record_id(),
            federation: self.text("federation", |text| text.parse().ok()),
            payee_union: self.reference(DocumentKind::Union, "payee_union"),
            payee_federation: self.text("payee_federation", |text| text.parse().ok()),
            kind: self.text("kind", SubsidyKind::from_name),
            rule: self.text("rule", |text| Some(text.to_owned())),
            period: self.text("period", |text| Some(text.to_owned())),
            fund: self.reference(DocumentKind::Fund, "fund"),
            open_conflicts: conflict::count(self.content),
        }
    }

    fn same_as(&mut self) -> SameAsFacts {
        let of = self.shown("of", |text| {
            DocumentKind::ALL.into_iter().find(|kind| kind.name() == text)
        });
        let of = of.unwrap_or(DocumentKind::Organisation);
        let side = |reader: &Self, name| reader.shown(name, |text| refer(of, text)).unwrap_or_default();
        SameAsFacts {
            a: side(self, "a"),
            b: side(self, "b"),
            from: self.shown("from", date).map_or(Day::MIN, PartialDate::last_day),
            until: self.shown("until", date).map(PartialDate::first_day),
            withdrawn: self.shown("withdrawn", |_| Some(())).is_some(),
            open_conflicts: conflict::count(self.content),
        }
    }

    fn federation(&mut self) -> FederationFacts {
        let federation = |text: &str| text.parse::<FederationId>().ok();
        let id = self.shown("code", federation);
        if id.is_none() {
            self.problems.push(Problem::error(
                "FIELD_MISSING",
                "code",
                "the federation has no code; enter it",
            ));
        }
        FederationFacts {
            id: id.unwrap_or_else(FederationId::national),
            name: self
                .shown("name", |text| Some(text.to_owned()))
                .unwrap_or_default(),
            level: self.shown("level", Level::from_name).unwrap_or(Level::County),
            parent: self.shown("parent", federation),
            from: self.shown("from", date).map(PartialDate::last_day),
            until: self.shown("until", date).map(PartialDate::first_day),
            active: self.flag("active").contains(&true),
        }
    }

    fn campaign(&mut self) -> CampaignFacts {
        let mut targets: Vec<(Day, u32)> = self
            .entries::<TargetEntry>("targets")
            .into_iter()
            .map(|entry| (entry.on.last_day(), entry.percent))
            .collect();
        targets.sort_unstable();
        CampaignFacts {
            version: self.number("version").pop(),
            organiser_counts: self.flag("organiser_counts").pop(),
            clinics_are_hospitals: self.flag("clinics_are_hospitals").pop(),
            nurseries_in_scope: self.flag("nurseries_in_scope").pop(),
            grace_months: self.number("grace_months").pop(),
            deadline_months: self.number("deadline_months").pop(),
            womens_committee_from: self.number("womens_committee_from").pop(),
            targets,
        }
    }
}

fn date(text: &str) -> Option<PartialDate> {
    text.parse().ok()
}

fn refer(kind: DocumentKind, text: &str) -> Option<DocumentId> {
    (!text.is_empty()).then(|| DocumentId::from_reference(kind, text))
}

/// The first six digits of a division code; townships and villages have more.
fn division(text: &str) -> Option<u32> {
    let digits = text.trim();
    let fits = (6..=12).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fits { digits[..6].parse().ok() } else { None }
}
