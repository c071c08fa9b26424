//! The fields of the edit form: what they show of a document, and what was entered as edits of it.
//! Only what differs from what the form showed becomes an edit, so that a stale form cannot undo others' work.
//!
//! Dated values are corrected where they stand; a state of operation is a check of today; counts are a check of their
//! own date. An end of registration takes the date entered beside it.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::{Day, PartialDate};
use rollcall_core::id::FederationId;
use rollcall_core::problem::Problem;
use rollcall_core::record::{CountEntry, Dated, OrganisationRecord, Record};
use rollcall_core::term::{Category, Kind, OperatingState, RegistrationStatus, Source};
use rollcall_doc::{Document, Edit};
use rollcall_web::layout::Frame;
use rollcall_web::page::edit::{EditField, EditInput};

use super::form_field::{self, Typed, Values, entered, of_field, without_personal_number};
use super::words;

/// How a field stands in a document.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stands {
    /// As one agreed value.
    Agreed,
    /// As a dated value.
    Dated,
    /// In an entry of counts, new at each edit.
    Count,
    /// As the date of another field.
    Beside,
}

/// Who is responsible: stated when an organisation is entered, changed by handover (`domain.md` 6 rule 5).
const RESPONSIBLE: &str = "responsible";

/// Every field, in reading order.
const FIELDS: [(&str, Stands); 17] = [
    ("name", Stands::Dated),
    ("code", Stands::Agreed),
    ("kind", Stands::Agreed),
    ("category", Stands::Dated),
    ("registered_on", Stands::Agreed),
    ("registration_status", Stands::Dated),
    ("status_on", Stands::Beside),
    ("registration_authority", Stands::Dated),
    ("location", Stands::Dated),
    ("address", Stands::Agreed),
    ("supervising_unit", Stands::Agreed),
    (RESPONSIBLE, Stands::Dated),
    ("operating_state", Stands::Dated),
    ("counted_on", Stands::Count),
    ("workers", Stands::Count),
    ("members", Stands::Count),
    ("female_members", Stands::Count),
];

/// What a document says, as the form shows it.
pub(super) fn shown(record: &OrganisationRecord) -> Values {
    let texts = [
        ("name", latest(record.name.as_ref(), String::clone)),
        ("code", record.code.clone()),
        ("kind", record.kind.map(|kind| kind.name().to_owned())),
        (
            "category",
            latest(record.category.as_ref(), |value| value.name().to_owned()),
        ),
        ("registered_on", record.registered_on.map(|on| on.to_string())),
        (
            "registration_status",
            latest(record.registration_status.as_ref(), |value| {
                value.name().to_owned()
            }),
        ),
        (
            "registration_authority",
            latest(record.registration_authority.as_ref(), String::clone),
        ),
        ("location", latest(record.location.as_ref(), String::clone)),
        ("address", record.address.clone()),
        ("supervising_unit", record.supervising_unit.clone()),
        (
            "responsible",
            latest(record.responsible.as_ref(), ToString::to_string),
        ),
        (
            "operating_state",
            latest(record.operating_state.as_ref(), |value| value.name().to_owned()),
        ),
    ];
    texts
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), text?)))
        .collect()
}

fn latest<T>(value: Option<&Dated<T>>, text: impl Fn(&T) -> String) -> Option<String> {
    match value? {
        Dated::Scalar(value) => Some(text(value)),
        Dated::List(entries) => entries
            .iter()
            .filter(|entry| entry.withdrawn.is_none())
            .max_by_key(|entry| {
                (
                    entry.from.map(PartialDate::last_day),
                    std::cmp::Reverse(entry.source),
                )
            })
            .map(|entry| text(&entry.value)),
    }
}

/// The fields of the form with what stands in them and what is wrong with it. Who is responsible is asked of a new
/// organisation only.
pub(super) fn fields(frame: &Frame, values: &Values, problems: &[Problem], new: bool) -> Vec<EditField> {
    let terms = |prefix: &str, names: Vec<&'static str>| {
        let none = (String::new(), frame.text("value.unknown").to_owned());
        let named = names
            .into_iter()
            .map(|name| (name.to_owned(), frame.term(prefix, name)));
        EditInput::Select(std::iter::once(none).chain(named).collect())
    };
    let input = |name: &str| match name {
        "kind" => terms("kind", Kind::ALL.iter().map(|value| value.name()).collect()),
        "category" => terms(
            "category",
            Category::ALL.iter().map(|value| value.name()).collect(),
        ),
        "registration_status" => terms(
            "registration_status",
            RegistrationStatus::ALL.iter().map(|value| value.name()).collect(),
        ),
        "operating_state" => terms(
            "operating_state",
            OperatingState::ALL.iter().map(|value| value.name()).collect(),
        ),
        "registered_on" | "status_on" | "counted_on" => EditInput::Date,
        "workers" | "members" | "female_members" => EditInput::Number,
        _ => EditInput::Text,
    };
    FIELDS
        .iter()
        .filter(|(name, _)| new || *name != RESPONSIBLE)
        .map(|(name, _)| EditField {
            name,
            label: words::word(frame, name),
            hint: place(name, values),
            value: values.get(*name).cloned().unwrap_or_default(),
            input: input(name),
            required: *name == "name",
            problem: problems
                .iter()
                .find(|problem| problem.place.split(['@', '/']).next() == Some(name))
                .map(|problem| frame.sentence(&problem.code, &problem.message)),
        })
        .collect()
}

/// The name of the place whose code stands in a field.
fn place(name: &str, values: &Values) -> Option<String> {
    let holds_code = matches!(name, "registration_authority" | "location" | "responsible");
    let code = values.get(name).filter(|code| holds_code && !code.is_empty())?;
    let named = words::division(code);
    (named != *code).then_some(named)
}

/// What was entered, with dates and counts as the program writes them.
pub(super) fn plainly(values: Values) -> Values {
    let typed = |(name, _): (&'static str, Stands)| match name {
        "registered_on" | "status_on" | "counted_on" => Some((name, Typed::Date)),
        "workers" | "members" | "female_members" => Some((name, Typed::Count)),
        _ => None,
    };
    form_field::plainly(values, FIELDS.into_iter().filter_map(typed))
}

/// What was entered, as edits of the document that the form showed.
pub(super) fn edits(document: &Document, values: &Values, today: Day) -> Result<Vec<Edit>, Vec<Problem>> {
    let Record::Organisation(record) = document.record().0 else {
        return Err(vec![Problem::error("KIND", "", "This is no organisation.")]);
    };
    let before = shown(&record);
    let (mut edits, mut problems) = (Vec::new(), Vec::new());
    for (name, stands) in FIELDS {
        let new = entered(values, name);
        let standing = before.get(name).map(String::as_str).unwrap_or_default();
        if new == standing || !values.contains_key(name) || matches!(stands, Stands::Count | Stands::Beside) {
            continue;
        }
        if name == RESPONSIBLE {
            let message = "Who is responsible changes by handover.";
            problems.push(Problem::error("HANDOVER_NEEDED", name, message));
            continue;
        }
        if stands == Stands::Dated && new.is_empty() {
            problems.push(Problem::error(
                "FIELD_EMPTY",
                name,
                "This cannot be left empty; enter what is right.",
            ));
            continue;
        }
        if let Err(problem) = check(name, new) {
            problems.push(problem);
            continue;
        }
        if let Err(problem) = check_ending(name, new, standing, values) {
            problems.push(problem);
            continue;
        }
        let place = match (name, stands) {
            ("operating_state", _) => format!("operating_state@{today}|check"),
            ("registration_status", _) if entered_date(values) => {
                format!("registration_status@{}", entered(values, "status_on"))
            }
            (_, Stands::Dated) if standing.is_empty() => {
                format!("{name}@{}", entered(values, "registered_on"))
            }
            _ => name.to_owned(),
        };
        match document.set(&place, new) {
            Ok(more) => edits.extend(more),
            Err(more) => problems.extend(more),
        }
    }
    match counted(values, today) {
        Ok(None) => {}
        Ok(Some(count)) => {
            let record = OrganisationRecord {
                counts: vec![count],
                ..OrganisationRecord::default()
            };
            match document.plan(&Record::Organisation(Box::new(record))) {
                Ok(more) => edits.extend(more),
                Err(more) => problems.extend(more),
            }
        }
        Err(more) => problems.extend(more),
    }
    if problems.is_empty() {
        Ok(edits)
    } else {
        Err(problems)
    }
}

/// What was entered, as the record of a new organisation. `own_id` names it while its code is unknown.
pub(super) fn new_record(
    values: &Values,
    today: Day,
    own_id: String,
) -> Result<OrganisationRecord, Vec<Problem>> {
    let mut problems = Vec::new();
    let text = |name: &str| Some(entered(values, name).to_owned()).filter(|text| !text.is_empty());
    if text("name").is_none() {
        problems.push(Problem::error("NAME_MISSING", "name", "Enter the name."));
    }
    for (name, _) in FIELDS {
        problems.extend(check(name, entered(values, name)).err());
    }
    let status = entered(values, "registration_status");
    problems.extend(check_ending("registration_status", status, "", values).err());
    let counts = counted(values, today).unwrap_or_else(|more| {
        problems.extend(more);
        None
    });
    let code = text("code")
        .and_then(|code| CreditCode::parse(&code).ok())
        .map(|code| code.as_str().to_owned());
    let record = OrganisationRecord {
        id: code.is_none().then_some(own_id),
        code,
        name: text("name").map(Dated::Scalar),
        kind: text("kind").and_then(|name| Kind::from_name(&name)),
        category: text("category")
            .and_then(|name| Category::from_name(&name))
            .map(Dated::Scalar),
        registered_on: text("registered_on").and_then(|on| on.parse().ok()),
        registration_status: text("registration_status")
            .and_then(|name| RegistrationStatus::from_name(&name))
            .map(Dated::Scalar),
        status_on: text("status_on").and_then(|on| on.parse().ok()),
        registration_authority: text("registration_authority").map(Dated::Scalar),
        location: text("location").map(Dated::Scalar),
        address: text("address"),
        supervising_unit: text("supervising_unit"),
        responsible: text("responsible")
            .and_then(|code| code.parse().ok())
            .map(Dated::Scalar),
        operating_state: text("operating_state")
            .and_then(|name| OperatingState::from_name(&name))
            .map(Dated::Scalar),
        counts: counts.into_iter().collect(),
        ..OrganisationRecord::default()
    };
    if problems.is_empty() {
        Ok(record)
    } else {
        Err(problems)
    }
}

/// An end of registration needs its day: without one it would be taken for a correction of the whole time before.
fn check_ending(name: &str, new: &str, standing: &str, values: &Values) -> Result<(), Problem> {
    let ends = |status: &str| !matches!(status, "" | "registered");
    if name == "registration_status" && ends(new) && !ends(standing) && !entered_date(values) {
        let message = "Enter the day on which the registration ended.";
        return Err(Problem::error("DATE_MISSING", "status_on", message));
    }
    Ok(())
}

fn entered_date(values: &Values) -> bool {
    !entered(values, "status_on").is_empty()
}

/// What documents would take as a text but nobody could use: a code that is none, a division that is none.
fn check(name: &str, text: &str) -> Result<(), Problem> {
    if text.is_empty() {
        return Ok(());
    }
    match name {
        "code" => match CreditCode::parse(text) {
            Ok(_) => Ok(()),
            Err(error) => {
                let message = format!("{error}; compare it with the certificate.");
                Err(Problem::error(error.rule(), name, message))
            }
        },
        "name" | "address" | "supervising_unit" => without_personal_number(name, text),
        "registered_on" | "status_on" => match rollcall_exchange::read_date(text) {
            Ok(_) => Ok(()),
            Err(problem) => Err(of_field(problem, name)),
        },
        "location" | "registration_authority" if words::division(text) == text => {
            let message = format!("{text:?} is not a division code such as 330106.");
            Err(Problem::error("PLACE_UNKNOWN", name, message))
        }
        "responsible" => match text.parse::<FederationId>() {
            Ok(_) => Ok(()),
            Err(error) => Err(Problem::error("PLACE_UNKNOWN", name, format!("{error}."))),
        },
        _ => Ok(()),
    }
}

/// The counts entered, if any; without a date they are of today.
fn counted(values: &Values, today: Day) -> Result<Option<CountEntry>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut number = |name: &'static str| {
        let text = entered(values, name);
        match rollcall_exchange::read_count(text) {
            _ if text.is_empty() => None,
            Ok(number) => Some(number),
            Err(problem) => {
                problems.push(of_field(problem, name));
                None
            }
        }
    };
    let (workers, members, female_members) = (number("workers"), number("members"), number("female_members"));
    let on = match entered(values, "counted_on") {
        "" => today,
        text => text.parse().unwrap_or_else(|_| {
            let message = format!("{text:?} is not a day such as 2024-12-31.");
            problems.push(Problem::error("DATE_INVALID", "counted_on", message));
            today
        }),
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let any = workers.or(members).or(female_members).is_some();
    if !any && !entered(values, "counted_on").is_empty() {
        let message = "A day of counting needs a count; enter one, or clear the day.";
        return Err(vec![Problem::error("COUNT_MISSING", "counted_on", message)]);
    }
    Ok(any.then_some(CountEntry {
        on,
        source: Source::Check,
        workers,
        members,
        female_members,
        withdrawn: None,
    }))
}

#[cfg(test)]
mod tests {
    use rollcall_core::id::{DocumentId, DocumentKind};

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn what_is_wrong_is_named_by_its_field() {
        let today: Day = "2025-01-03".parse().expect("a day");
        for (entered, place, code) in [
            (vec![("code", "52330106XXXX000350")], "code", "V02"),
            (
                vec![("registered_on", "2026-02-30")],
                "registered_on",
                "DATE_INVALID",
            ),
            (vec![("workers", "十九")], "workers", "NUMBER_INVALID"),
            (vec![("workers", "-1")], "workers", "COUNT_IMPLAUSIBLE"),
            (
                vec![("workers", "3"), ("counted_on", "2024")],
                "counted_on",
                "DATE_INVALID",
            ),
            (vec![("counted_on", "2024-12-31")], "counted_on", "COUNT_MISSING"),
            (vec![("location", "西湖区")], "location", "PLACE_UNKNOWN"),
            (vec![("responsible", "33")], "responsible", "PLACE_UNKNOWN"),
            (vec![("name", " ")], "name", "NAME_MISSING"),
            (
                vec![("registration_status", "revoked")],
                "status_on",
                "DATE_MISSING",
            ),
        ] {
            let mut all = values(&[("name", "一所学校")]);
            all.extend(values(&entered));
            let problems = new_record(&all, today, "x".to_owned()).expect_err("it is refused");
            let found: Vec<_> = problems
                .iter()
                .map(|problem| (problem.place.as_str(), problem.code.as_str()))
                .collect();
            assert_eq!(found, [(place, code)], "{entered:?}");
        }
    }

    #[test]
    fn fields_left_as_shown_are_no_edits() {
        let today: Day = "2025-01-03".parse().expect("a day");
        let id = DocumentId::derive(DocumentKind::Organisation, "x");
        let document = Document::create(DocumentKind::Organisation, id);
        let entered = values(&[("name", "一所学校"), ("address", ""), ("kind", "")]);
        let fields: Vec<String> = edits(&document, &entered, today)
            .expect("it is accepted")
            .into_iter()
            .map(|edit| edit.field)
            .collect();
        assert_eq!(fields, ["name/|registry"]);
    }
}
