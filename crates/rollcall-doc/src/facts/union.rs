//! The facts of a union's document.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::PartialDate;
use rollcall_core::fact::{UnionEventFact, UnionFacts};
use rollcall_core::id::DocumentKind;
use rollcall_core::record::{OtherUnitsEntry, UnionEventEntry};
use rollcall_core::term::UnionForm;

use super::Reader;
use crate::conflict;

impl Reader<'_> {
    pub(super) fn union(&mut self) -> UnionFacts {
        let (mut events, disputed_events) = self.disputable("events", |entry: UnionEventEntry| {
            Some(UnionEventFact {
                event: entry.event,
                on: entry.on,
                cycle: entry.cycle,
                has_number: entry.number.is_some_and(|number| !number.trim().is_empty()),
                approved_by: entry.approved_by,
                term_years: entry.term_years,
                until: entry.until.map(PartialDate::first_day),
                months: entry.months,
            })
        });
        events.sort_by_key(|event| (event.on.last_day(), event.cycle, event.event));
        let other_units = self.entries::<OtherUnitsEntry>("other_units").into_iter();
        let mut other_units: Vec<_> = other_units
            .map(|entry| (entry.on.last_day(), entry.count))
            .collect();
        other_units.sort_unstable();
        UnionFacts {
            code: self.shown("code", |text| CreditCode::parse(text).ok()),
            record_id: self.record_id(),
            name: self.text("name", |text| Some(text.to_owned())),
            form: self.text("form", UnionForm::from_name),
            higher_union: self.text("higher_union", |text| text.parse().ok()),
            organisation: self.reference(DocumentKind::Organisation, "organisation"),
            full_time_chair: self.flag("full_time_chair"),
            womens_committee: self.flag("womens_committee"),
            mistaken: self.is_mistaken(),
            other_units,
            events,
            disputed_events,
            open_conflicts: conflict::count(self.content),
        }
    }
}
