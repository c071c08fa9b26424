//! Unions of a generated federation: own ones as asked for, joint ones and union federations that fill up with units.
//! Owns founding, terms and re-elections; who joins what is decided by `organisation`.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::{Day, PartialDate};
use rollcall_core::id::FederationId;
use rollcall_core::record::{OtherUnitsEntry, Record, UnionEventEntry, UnionRecord};
use rollcall_core::term::{UnionEvent, UnionForm};

use super::chance::Chance;
use super::country::Place;
use super::{HORIZON, name};

/// Of the unions whose term has ended, so many in a thousand had no re-election; about 6% of all are overdue then.
const NO_RE_ELECTION: u64 = 180;
/// More unions than this are not kept open for further units.
const OPEN_MAX: usize = 8;

/// A founded union, as the money needs it.
pub(crate) struct Founded {
    pub(crate) reference: String,
    pub(crate) form: UnionForm,
    pub(crate) established: Day,
    pub(crate) ended: Option<Day>,
}

struct Open {
    reference: String,
    form: UnionForm,
    established: Day,
    seats: u64,
}

/// The unions of one federation.
pub(crate) struct Unions<'a> {
    place: &'a Place,
    region: &'a str,
    open: Vec<Open>,
    records: Vec<Record>,
    founded: Vec<Founded>,
    own_count: u64,
    shared_count: u64,
}

/// Record id of the joint union that every federation with enough organisations has had since before the campaign.
pub(crate) fn anchor(place: &Place) -> String {
    format!("J-{}-0", place.federation)
}

/// Whether a federation has one.
pub(crate) fn has_anchor(place: &Place) -> bool {
    place.organisations >= 12
}

/// Since when the anchor has been established.
pub(crate) fn anchor_established() -> Day {
    Day::from_ymd(2021, 6, 15).expect("a calendar date")
}

impl<'a> Unions<'a> {
    /// None yet, but the anchor where there are units enough for it.
    pub(crate) fn new(place: &'a Place, region: &'a str, chance: &mut Chance) -> Self {
        let mut unions = Self {
            place,
            region,
            open: Vec::new(),
            records: Vec::new(),
            founded: Vec::new(),
            own_count: 0,
            shared_count: u64::from(!has_anchor(place)),
        };
        if has_anchor(place) {
            unions.found_shared(UnionForm::Joint, anchor_established(), 8, chance);
        }
        unions
    }

    /// Founds an own union; gives its day.
    pub(crate) fn found_own(&mut self, employer: &Employer<'_>, established: Day, chance: &mut Chance) {
        self.own_count += 1;
        let certified = chance.permille(120);
        let code = certified.then(|| self.union_code()).flatten();
        let id = format!("U-{}-{}", self.place.federation, self.own_count);
        let reference = code.map_or_else(|| id.clone(), |code| code.to_string());
        let mut events = founding(established, &self.place.federation, chance);
        if code.is_some() {
            push_event(
                &mut events,
                UnionEvent::LegalPerson,
                established.plus_months(2),
                0,
            );
        }
        if let Some(ended) = employer.ended {
            events.retain(|event| event.on.last_day() < ended);
            if chance.permille(700) {
                push_event(&mut events, UnionEvent::Dissolved, ended, 0);
            }
        } else if chance.permille(3) && established.plus_months(6) < HORIZON {
            push_event(&mut events, UnionEvent::Suspended, established.plus_months(5), 0);
        }
        // What came after the employer's end was taken out again, so the ids are given only now.
        for (number, event) in events.iter_mut().enumerate() {
            event.id = event_id(number);
        }
        self.records.push(Record::Union(Box::new(UnionRecord {
            id: code.is_none().then_some(id),
            code: code.map(|code| code.to_string()),
            name: Some(name::own_union(employer.name)),
            form: Some(UnionForm::Own),
            higher_union: Some(self.place.federation.clone()),
            organisation: Some(employer.code.to_owned()),
            area_level: None,
            full_time_chair: (employer.workers >= 200).then(|| chance.permille(600)),
            womens_committee: (employer.workers >= 25).then(|| chance.permille(850)),
            other_units: Vec::new(),
            mistaken: None,
            events,
        })));
        self.founded.push(Founded {
            reference,
            form: UnionForm::Own,
            established,
            ended: employer.ended,
        });
    }

    /// A seat in a joint union or union federation that stands on the day; a new one is founded where none has room.
    pub(crate) fn join(&mut self, form: UnionForm, on: Day, chance: &mut Chance) -> String {
        let fits = |union: &&mut Open| union.form == form && union.established <= on && union.seats > 0;
        if let Some(union) = self.open.iter_mut().find(fits) {
            union.seats -= 1;
            let reference = union.reference.clone();
            self.open.retain(|union| union.seats > 0);
            return reference;
        }
        let mean = if form == UnionForm::Joint { 4 } else { 22 };
        let seats = 2 + chance.geometric(mean);
        let established = Day(on.0 - chance.between(0, 15) as i32);
        let reference = self.found_shared(form, established, seats - 1, chance);
        if self.open.len() > OPEN_MAX {
            self.open.remove(0);
        }
        reference
    }

    /// All records and what the money needs of them.
    pub(crate) fn finish(self) -> (Vec<Record>, Vec<Founded>) {
        (self.records, self.founded)
    }

    fn found_shared(&mut self, form: UnionForm, established: Day, seats: u64, chance: &mut Chance) -> String {
        let number = self.shared_count;
        self.shared_count += 1;
        let letter = if form == UnionForm::Joint { "J" } else { "F" };
        let reference = format!("{letter}-{}-{number}", self.place.federation);
        let other_units = if chance.permille(200) {
            vec![OtherUnitsEntry {
                id: "u1".to_owned(),
                on: established.into(),
                count: chance.between(1, 12) as u32,
                at: None,
                by: None,
                source: None,
                withdrawn: None,
            }]
        } else {
            Vec::new()
        };
        let union_name = match form {
            UnionForm::Joint => name::joint_union(self.region, number),
            _ => name::federation(self.region, number),
        };
        self.records.push(Record::Union(Box::new(UnionRecord {
            id: Some(reference.clone()),
            code: None,
            name: Some(union_name),
            form: Some(form),
            higher_union: Some(self.place.federation.clone()),
            organisation: None,
            area_level: Some(chance.pick(&["township", "village", "zone"]).to_owned()),
            full_time_chair: None,
            womens_committee: None,
            other_units,
            mistaken: None,
            events: founding(established, &self.place.federation, chance),
        })));
        self.founded.push(Founded {
            reference: reference.clone(),
            form,
            established,
            ended: None,
        });
        if seats > 0 {
            self.open.push(Open {
                reference: reference.clone(),
                form,
                established,
                seats,
            });
        }
        reference
    }

    fn union_code(&self) -> Option<CreditCode> {
        let number = self.place.first_number + self.own_count;
        CreditCode::complete(&format!(
            "81{:06}MC{}",
            self.place.code,
            super::six_characters(number)
        ))
    }
}

/// The employer of an own union.
pub(crate) struct Employer<'a> {
    pub(crate) code: &'a str,
    pub(crate) name: &'a str,
    pub(crate) workers: u32,
    pub(crate) ended: Option<Day>,
}

/// Events from the application to the latest re-election before the horizon.
fn founding(established: Day, federation: &FederationId, chance: &mut Chance) -> Vec<UnionEventEntry> {
    let mut events = Vec::new();
    let back = |days: i64| Day(established.0 - days as i32);
    let elected = back(chance.between(2, 9));
    let approved = back(chance.between(15, 30));
    push_event(&mut events, UnionEvent::Applied, back(chance.between(35, 70)), 0);
    push_event(&mut events, UnionEvent::FoundingApproved, approved, 0);
    push_event(&mut events, UnionEvent::Elected, elected, 0);
    push_event(&mut events, UnionEvent::Established, established, 0);
    let years = if chance.permille(300) { 3 } else { 5 };
    let mut start = elected;
    let mut cycle = 0;
    loop {
        let last = start.plus_years(years).previous();
        if last >= HORIZON || chance.permille(NO_RE_ELECTION) {
            break;
        }
        cycle += 1;
        start = Day(last.0 - chance.between(0, 40) as i32);
        push_event(&mut events, UnionEvent::Elected, start, cycle);
        push_event(
            &mut events,
            UnionEvent::ResultApproved,
            Day((start.0 + 6).min(HORIZON.0)),
            cycle,
        );
    }
    for event in &mut events {
        let (year, month, _) = event.on.last_day().ymd();
        match event.event {
            UnionEvent::Elected => event.term_years = Some(years as u32),
            UnionEvent::FoundingApproved | UnionEvent::Established | UnionEvent::ResultApproved => {
                event.number = Some(format!(
                    "工组〔{year}〕{}号",
                    u32::from(month) * 40 + chance.below(40) as u32
                ));
                event.by = Some(format!("{federation}/{}", chance.between(1, 6)));
            }
            _ => {}
        }
    }
    events
}

fn push_event(events: &mut Vec<UnionEventEntry>, event: UnionEvent, on: Day, cycle: u32) {
    events.push(UnionEventEntry {
        id: event_id(events.len()),
        event,
        on: PartialDate::Day(Day(on.0.min(HORIZON.0))),
        cycle,
        number: None,
        approved_by: None,
        term_years: None,
        until: None,
        months: None,
        at: None,
        by: None,
        source: None,
        withdrawn: None,
    });
}

/// Id of the event in this place of its list.
fn event_id(place: usize) -> String {
    format!("e{}", place + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rollcall_core::term::Level;

    use super::*;

    #[test]
    fn no_event_id_occurs_twice_whenever_the_employer_ends() {
        let place = Place {
            federation: "330106".parse().expect("a federation"),
            code: 330_106,
            level: Level::County,
            organisations: 1,
            first_number: 0,
        };
        let mut chance = Chance::new(1, "330106");
        let mut unions = Unions::new(&place, "杭州市西湖区", &mut chance);
        // Around the first re-election after a term of three years.
        let established = Day::from_ymd(2019, 3, 1).expect("a calendar date");
        for days in (1_000..1_120).cycle().take(12_000) {
            let employer = Employer {
                code: "52330106MJ00000000",
                name: "西湖区某幼儿园",
                workers: 30,
                ended: Some(Day(established.0 + days)),
            };
            unions.found_own(&employer, established, &mut chance);
        }
        for record in unions.finish().0 {
            if let Record::Union(union) = record {
                let ids: BTreeSet<&str> = union.events.iter().map(|event| event.id.as_str()).collect();
                assert_eq!(ids.len(), union.events.len(), "{:?}", union.events);
            }
        }
    }
}
