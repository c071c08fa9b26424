//! What a federation has noted of an organisation: counts, stages, contacts, checks, services.
//! Owns their dates and order; whether the organisation is covered is decided by `organisation`.

use rollcall_core::date::Day;
use rollcall_core::record::{
    CheckEntry, ContactEntry, CountEntry, OrganisationRecord, ServiceEntry, StageEntry,
};
use rollcall_core::term::{OperatingState, Source, Stage};

use super::chance::Chance;
use super::country::Place;
use super::organisation::{Body, account};
use super::{HORIZON, day};

/// Counts, stages, contacts, checks and services.
pub(crate) fn notes(
    record: &mut OrganisationRecord,
    place: &Place,
    body: &Body,
    covered: Option<Day>,
    chance: &mut Chance,
) {
    let last = body.ended.unwrap_or(HORIZON).previous();
    let known = |on: Day| on >= body.registered_on && on <= last;
    let mut workers = body.workers;
    for (on, source) in [
        (day(2022, 12, 31), Source::Registry),
        (day(2023, 12, 31), Source::Check),
        (day(2024, 12, 30), Source::Check),
    ] {
        if !known(on) || chance.permille(60) {
            continue;
        }
        if workers > 10 {
            workers = (i64::from(workers) + chance.between(-2, 2)) as u32;
        }
        let members = covered
            .filter(|from| *from <= on && source == Source::Check)
            .map(|_| {
                (workers * chance.between(900, 980) as u32 / 1000)
                    .max(1)
                    .min(workers)
            });
        let female_members = members.map(|members| members * chance.between(350, 800) as u32 / 1000);
        record.counts.push(CountEntry {
            on,
            source,
            workers: Some(workers),
            members,
            female_members,
            withdrawn: None,
        });
    }
    if record.counts.is_empty() && chance.permille(800) {
        record.counts.push(CountEntry {
            on: body.registered_on,
            source: Source::Registry,
            workers: Some(body.workers),
            members: None,
            female_members: None,
            withdrawn: None,
        });
    }
    let mapped = chance.day(
        Day(body.registered_on.0.max(day(2023, 5, 24).0) + 5),
        day(2023, 9, 30),
    );
    let contacted = Day(mapped.0 + chance.between(7, 60) as i32);
    for (stage, on) in [
        (Stage::Identified, Day(mapped.0 - 4)),
        (Stage::Mapped, mapped),
        (Stage::Contacted, contacted),
    ] {
        if known(on) {
            record.stages.push(StageEntry {
                id: format!("s{}", record.stages.len() + 1),
                stage,
                on: on.into(),
                number: None,
                at: Some(format!(
                    "{on}T0{}:{:02}:00Z",
                    chance.between(1, 9),
                    chance.between(0, 59)
                )),
                by: Some(account(place, chance)),
                source: None,
                withdrawn: None,
            });
        }
    }
    if known(contacted) {
        record.contacts.push(ContactEntry {
            id: "k1".to_owned(),
            on: contacted.into(),
            channel: Some(chance.pick(&["visit", "letter", "telephone"]).to_owned()),
            result: Some(
                chance
                    .pick(&["willing", "undecided", "refused", "applied"])
                    .to_owned(),
            ),
            next_on: Some(Day(contacted.0 + 30).into()),
            at: None,
            by: Some(account(place, chance)),
            source: None,
            withdrawn: None,
        });
    }
    let state = if body.dormant {
        OperatingState::Dormant
    } else {
        OperatingState::Operating
    };
    for on in [mapped, Day(mapped.0 + 365)] {
        if known(on) {
            record.checks.push(CheckEntry {
                id: format!("q{}", record.checks.len() + 1),
                on: on.into(),
                state,
                at: None,
                by: Some(account(place, chance)),
                source: Some(Source::Check),
                withdrawn: None,
            });
        }
    }
    for (id, on, service, note) in [
        (
            "v1",
            day(2024, 3, 8),
            "collective_contract",
            "签订集体合同和女职工权益保护专项集体合同",
        ),
        ("v2", day(2024, 8, 1), "summer_care", "高温慰问"),
    ] {
        if covered.is_some_and(|from| from < on) && known(on) && chance.permille(500) {
            record.services.push(ServiceEntry {
                id: id.to_owned(),
                on: on.into(),
                service: service.to_owned(),
                note: Some(note.to_owned()),
                at: None,
                by: None,
                source: None,
                withdrawn: None,
            });
        }
    }
}
