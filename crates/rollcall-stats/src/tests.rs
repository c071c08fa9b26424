//! Tests that need whole cubes: the worked example of `domain.md` 6, edge rules, laws, and a look at speed.
//! Owns the small builders of facts that they share.

mod edges;
mod laws;
mod money;
mod rows;
mod speed;
mod vector;

use rollcall_core::campaign::Settings;
use rollcall_core::date::{Day, PartialDate};
use rollcall_core::fact::{
    CountFact, DatedFact, ExclusionFact, Facts, LinkFact, OrganisationFacts, UnionEventFact, UnionFacts,
};
use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_core::term::{Category, ExclusionReason, Source, UnionEvent, UnionForm};

use crate::{Cube, FiguresQuery, Heard};

pub(crate) fn day(text: &str) -> Day {
    text.parse().expect("a day")
}

pub(crate) fn date(text: &str) -> PartialDate {
    text.parse().expect("a date")
}

pub(crate) fn federation(text: &str) -> FederationId {
    text.parse().expect("a federation")
}

pub(crate) fn dated<T>(from: &str, value: T) -> DatedFact<T> {
    DatedFact {
        from: day(from),
        source: Source::Registry,
        value,
    }
}

/// An organisation of the register, by its code.
pub(crate) fn organisation(
    code: &str,
    category: Category,
    responsible: &str,
    registered_on: &str,
) -> OrganisationFacts {
    OrganisationFacts {
        code: Some(code.parse().expect("a valid code")),
        category: vec![dated(registered_on, category)],
        registered_on: vec![date(registered_on)],
        responsible: vec![dated(registered_on, federation(responsible))],
        ..OrganisationFacts::default()
    }
}

pub(crate) fn organisation_id(code: &str) -> DocumentId {
    DocumentId::derive(DocumentKind::Organisation, code)
}

pub(crate) fn union_id(key: &str) -> DocumentId {
    DocumentId::derive(DocumentKind::Union, key)
}

pub(crate) fn workers(on: &str, workers: u32) -> CountFact {
    CountFact {
        on: day(on),
        source: Source::Registry,
        workers: Some(workers),
        members: None,
        female_members: None,
    }
}

pub(crate) fn link(union: &str, from: &str) -> LinkFact {
    LinkFact {
        union: union_id(union),
        from: day(from),
        until: None,
        consent_on: Some(day(from)),
    }
}

pub(crate) fn exclusion(reason: ExclusionReason, from: &str) -> ExclusionFact {
    ExclusionFact {
        reason,
        from: day(from),
        until: None,
        approved_on: Some(day(from)),
        refused_on: None,
        has_evidence: true,
    }
}

pub(crate) fn event(event: UnionEvent, on: &str, term_years: Option<u32>) -> UnionEventFact {
    UnionEventFact {
        event,
        on: date(on),
        cycle: 0,
        has_number: true,
        approved_by: None,
        term_years,
        until: None,
        months: None,
    }
}

/// A union with approvals, election and result all on one day.
pub(crate) fn established(key: &str, form: UnionForm, higher: &str, on: &str, term_years: u32) -> UnionFacts {
    UnionFacts {
        record_id: Some(key.to_owned()),
        form: vec![form],
        higher_union: vec![federation(higher)],
        events: vec![
            event(UnionEvent::Applied, on, None),
            event(UnionEvent::FoundingApproved, on, None),
            event(UnionEvent::Elected, on, Some(term_years)),
            event(UnionEvent::Established, on, None),
        ],
        ..UnionFacts::default()
    }
}

/// An own union of an organisation, named `own-` and its code.
pub(crate) fn own_union(code: &str, higher: &str, on: &str, term_years: u32) -> (DocumentId, Facts) {
    let key = format!("own-{code}");
    let facts = UnionFacts {
        organisation: vec![organisation_id(code)],
        ..established(&key, UnionForm::Own, higher, on, term_years)
    };
    (union_id(&key), Facts::Union(Box::new(facts)))
}

pub(crate) fn cube_of(documents: impl IntoIterator<Item = (DocumentId, Facts)>) -> Cube {
    let mut cube = Cube::new(Settings::default());
    for (id, facts) in documents {
        cube.upsert(id, facts);
    }
    cube
}

/// Numerator and denominator of the headline, in all.
pub(crate) fn headline(cube: &Cube, as_of: &str) -> (u64, u64) {
    let answer = cube
        .figures(&FiguresQuery::at(day(as_of)), &Heard::default())
        .expect("a plain question");
    let rate = answer.total.figures.establishment_rate.rate.ratio;
    (rate.numerator, rate.denominator)
}
