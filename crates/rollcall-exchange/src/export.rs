//! Rows of the lists that we write about organisations and unions, with heads that an import understands: a list that
//! was written, edited in a spreadsheet and read again changes the documents it came from, by their ids.

use rollcall_core::date::{Day, PartialDate};
use rollcall_core::id::DocumentId;
use rollcall_core::record::{CountEntry, Dated, OrganisationRecord, UnionRecord};

use crate::columns::Field;

const ORGANISATION: &[Field] = &[
    Field::Id,
    Field::Code,
    Field::Name,
    Field::Kind,
    Field::Category,
    Field::RegisteredOn,
    Field::RegistrationStatus,
    Field::StatusOn,
    Field::RegistrationAuthority,
    Field::Location,
    Field::Address,
    Field::SupervisingUnit,
    Field::Responsible,
    Field::Workers,
    Field::Members,
    Field::FemaleMembers,
    Field::CountedOn,
    Field::LegacyNumber,
];
const UNION: &[Field] = &[
    Field::Id,
    Field::Code,
    Field::Name,
    Field::Form,
    Field::HigherUnion,
    Field::Employer,
];

/// Heads of a list of organisations.
pub fn organisation_heads() -> Vec<&'static str> {
    ORGANISATION.iter().map(|field| field.title()).collect()
}

/// Heads of a list of unions.
pub fn union_heads() -> Vec<&'static str> {
    UNION.iter().map(|field| field.title()).collect()
}

/// One organisation as of a day, in the order of [`organisation_heads`].
pub fn organisation_cells(id: DocumentId, record: &OrganisationRecord, as_of: Day) -> Vec<String> {
    let counts = latest_counts(&record.counts, as_of);
    let count = |value: fn(&CountEntry) -> Option<u32>| counts.and_then(value).map(|count| count.to_string());
    let status = current(&record.registration_status, as_of);
    let cell = |field: &Field| match field {
        Field::Id => Some(id.to_string()),
        Field::Code => record.code.clone(),
        Field::Name => current(&record.name, as_of).cloned(),
        Field::Kind => record.kind.map(|kind| kind.name().to_owned()),
        Field::Category => current(&record.category, as_of).map(|category| category.name().to_owned()),
        Field::RegisteredOn => record.registered_on.map(|date| date.to_string()),
        Field::RegistrationStatus => status.map(|status| status.name().to_owned()),
        Field::StatusOn => status_on(record, as_of).map(|date| date.to_string()),
        Field::RegistrationAuthority => current(&record.registration_authority, as_of).cloned(),
        Field::Location => current(&record.location, as_of).cloned(),
        Field::Address => record.address.clone(),
        Field::SupervisingUnit => record.supervising_unit.clone(),
        Field::Responsible => current(&record.responsible, as_of).map(ToString::to_string),
        Field::Workers => count(|entry| entry.workers),
        Field::Members => count(|entry| entry.members),
        Field::FemaleMembers => count(|entry| entry.female_members),
        Field::CountedOn => counts.map(|entry| entry.on.to_string()),
        Field::LegacyNumber => record.legacy_numbers.first().cloned(),
        _ => None,
    };
    ORGANISATION
        .iter()
        .map(|field| cell(field).unwrap_or_default())
        .collect()
}

/// One union, in the order of [`union_heads`].
pub fn union_cells(id: DocumentId, record: &UnionRecord) -> Vec<String> {
    let cell = |field: &Field| match field {
        Field::Id => Some(id.to_string()),
        Field::Code => record.code.clone(),
        Field::Name => record.name.clone(),
        Field::Form => record.form.map(|form| form.name().to_owned()),
        Field::HigherUnion => record.higher_union.as_ref().map(ToString::to_string),
        Field::Employer => record.organisation.clone(),
        _ => None,
    };
    UNION
        .iter()
        .map(|field| cell(field).unwrap_or_default())
        .collect()
}

/// The value with the latest start by then.
fn current<T>(dated: &Option<Dated<T>>, as_of: Day) -> Option<&T> {
    match dated.as_ref()? {
        Dated::Scalar(value) => Some(value),
        Dated::List(entries) => entries
            .iter()
            .filter(|entry| entry.withdrawn.is_none())
            .map(|entry| (entry.from.map_or(Day::MIN, PartialDate::last_day), entry))
            .filter(|(from, _)| *from <= as_of)
            .max_by_key(|(from, entry)| (*from, std::cmp::Reverse(entry.source)))
            .map(|(_, entry)| &entry.value),
    }
}

fn status_on(record: &OrganisationRecord, as_of: Day) -> Option<PartialDate> {
    use rollcall_core::term::RegistrationStatus::Registered;
    if current(&record.registration_status, as_of).is_none_or(|status| *status == Registered) {
        return None;
    }
    match record.registration_status.as_ref()? {
        Dated::Scalar(_) => record.status_on,
        Dated::List(entries) => entries
            .iter()
            .filter(|entry| entry.withdrawn.is_none() && entry.value != Registered)
            .filter_map(|entry| entry.from)
            .filter(|from| from.last_day() <= as_of)
            .max_by_key(|from| from.last_day()),
    }
}

fn latest_counts(counts: &[CountEntry], as_of: Day) -> Option<&CountEntry> {
    counts
        .iter()
        .filter(|entry| entry.withdrawn.is_none() && entry.on <= as_of)
        .max_by_key(|entry| (entry.on, std::cmp::Reverse(entry.source)))
}
