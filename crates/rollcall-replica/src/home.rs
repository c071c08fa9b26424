//! Which federation keeps a record (`cli.md` import, `domain.md` 6 rule 5): the responsible one if given, else the default.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::federation::default_responsible;
use rollcall_core::id::FederationId;
use rollcall_core::organisation::level_of_code;
use rollcall_core::record::{Dated, OrganisationRecord, Record};
use rollcall_core::term::Level;

/// The federation that keeps a record; `None` where nothing says so.
pub(crate) fn home_of(record: &Record) -> Option<FederationId> {
    match record {
        Record::Organisation(record) => home_of_organisation(record),
        Record::Union(record) => record.higher_union.clone(),
        Record::Fund(record) => Some(record.federation.clone()),
        Record::Subsidy(record) => Some(record.federation.clone()),
        Record::SameAs(record) => record.federation.clone(),
        Record::Federation(record) => record.parent.clone().or_else(|| Some(FederationId::national())),
        Record::Campaign(_) => Some(FederationId::national()),
    }
}

/// The federation that would keep a record taken in at a node: a held organisation whose place nobody knows stays with
/// whoever has it on a list.
pub(crate) fn home_at(record: &Record, own: Option<&FederationId>) -> Option<FederationId> {
    match (home_of(record), record) {
        (None, Record::Organisation(_)) => own.cloned(),
        (home, _) => home,
    }
}

/// A new organisation always says who keeps it, so that both ends know its scope from the change alone.
pub(crate) fn with_home(record: Record, new: bool, own: Option<&FederationId>) -> Record {
    let home = home_at(&record, own);
    match record {
        Record::Organisation(mut record) if new && record.responsible.is_none() => {
            record.responsible = home.map(Dated::Scalar);
            Record::Organisation(record)
        }
        other => other,
    }
}

fn home_of_organisation(record: &OrganisationRecord) -> Option<FederationId> {
    if let Some(responsible) = latest(record.responsible.as_ref()) {
        return Some(responsible.clone());
    }
    let code = record
        .code
        .as_deref()
        .and_then(|code| CreditCode::parse(code).ok());
    let division = |stated: Option<&String>| stated.and_then(|text| text.parse::<u32>().ok());
    let location = division(latest(record.location.as_ref()));
    let authority =
        division(latest(record.registration_authority.as_ref())).or(code.map(|code| code.division()));
    if location.is_none() && authority.is_none() {
        return None;
    }
    let level = code.as_ref().map_or(Level::County, level_of_code);
    Some(default_responsible(level, authority, location))
}

fn latest<T>(dated: Option<&Dated<T>>) -> Option<&T> {
    match dated? {
        Dated::Scalar(value) => Some(value),
        Dated::List(entries) => entries
            .iter()
            .filter(|entry| entry.withdrawn.is_none())
            .max_by_key(|entry| entry.from.map(|from| from.last_day()))
            .map(|entry| &entry.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_responsible_federation_wins_over_the_default() {
        let record = |text: &str| {
            let text = format!(r#"{{"type":"organisation",{text}}}"#);
            serde_json::from_str::<Record>(&text).expect("a record")
        };
        for (text, home) in [
            (r#""code":"51330000XXXX00019Q""#, Some("330000")),
            (
                r#""code":"51330000XXXX00019Q","responsible":"330106""#,
                Some("330106"),
            ),
            (
                r#""code":"52330106XXXX000357","location":"330105""#,
                Some("330105"),
            ),
            (
                r#""code":"51100000500002862F","location":"110101""#,
                Some("100000"),
            ),
            (r#""id":"x","location":"330106""#, Some("330106")),
            (r#""id":"x""#, None),
        ] {
            assert_eq!(
                home_of(&record(text)).map(|home| home.to_string()).as_deref(),
                home,
                "{text}"
            );
        }
    }
}
