//! The fields of a form as a table: what each is called, how it is entered, and what an entered text means.
//! Owns reading texts into values of records; which fields a form has is said by the tables that use it.

use std::collections::BTreeMap;

use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::PartialDate;
use rollcall_core::division::Divisions;
use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use rollcall_replica::{Error, Replica};
use rollcall_store::listing::{ListingOrder, ListingQuery};
use rollcall_web::layout::Frame;
use rollcall_web::page::edit::{EditField, EditInput, EditProblem};
use serde_json::Value;

use super::words;

/// What was entered, by field.
pub(super) type Values = BTreeMap<String, String>;

/// Name under which the reason of an entry is posted, beside that of the edit.
const ENTRY_REASON: &str = "entry_reason";
/// Suggestions offered for one field.
const SUGGESTIONS_MAX: usize = 500;

/// One field.
#[derive(Debug, Clone, Copy)]
pub(super) struct FormField {
    /// Name, as in records.
    pub(super) name: &'static str,
    /// How it is entered and what it holds.
    pub(super) input: Input,
    /// Whether it may be empty.
    pub(super) required: bool,
    /// Whether it may change after the entry was made.
    pub(super) amend: bool,
}

/// How a field is entered and what it holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input {
    /// Any text.
    Text,
    /// A date, perhaps known only to the month or year.
    Date,
    /// A day.
    Day,
    /// A whole number from 0.
    Count,
    /// Yuan with up to two decimals, kept as fen; above 0.
    Amount,
    /// A calendar year.
    Year,
    /// Yes or no.
    Flag,
    /// A union's credit code, prefix 81 or 89.
    UnionCode,
    /// One of a closed list: prefix of its words, and its names.
    Term(&'static str, fn() -> Vec<&'static str>),
    /// A division code.
    Division,
    /// A federation.
    Federation,
    /// A union: code, record id or document id.
    Union,
    /// An organisation, the same.
    Organisation,
    /// A fund, the same.
    Fund,
}

impl FormField {
    /// The name under which it is posted: `reason` is that of the edit itself.
    pub(super) fn posted(&self) -> &'static str {
        match self.name {
            "reason" => ENTRY_REASON,
            name => name,
        }
    }
}

/// A field that stays as entered.
pub(super) const fn fixed(name: &'static str, input: Input) -> FormField {
    FormField {
        name,
        input,
        required: false,
        amend: false,
    }
}

/// A field without which the form means nothing.
pub(super) const fn required(name: &'static str, input: Input) -> FormField {
    FormField {
        name,
        input,
        required: true,
        amend: false,
    }
}

/// A field that may change later.
pub(super) const fn later(name: &'static str, input: Input) -> FormField {
    FormField {
        name,
        input,
        required: false,
        amend: true,
    }
}

/// What was entered in a field, without blanks around it.
pub(super) fn entered<'a>(values: &'a Values, name: &str) -> &'a str {
    values.get(name).map(|text| text.trim()).unwrap_or_default()
}

/// Dates and counts as the program writes them, whatever way they were typed; what is neither stays, to be refused.
pub(super) fn plainly(mut values: Values, fields: impl IntoIterator<Item = (&'static str, Typed)>) -> Values {
    for (name, typed) in fields {
        let Some(text) = values.get_mut(name).filter(|text| !text.trim().is_empty()) else {
            continue;
        };
        let read = match typed {
            Typed::Date => rollcall_exchange::read_date(text).map(|date| date.to_string()),
            Typed::Count => rollcall_exchange::read_count(text).map(|count| count.to_string()),
        };
        if let Ok(plain) = read {
            *text = plain;
        }
    }
    values
}

/// What may be typed in several ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    /// A date.
    Date,
    /// A whole number.
    Count,
}

/// The fields of a form that may be typed in several ways, by the names under which they are posted.
pub(super) fn typed(fields: &[FormField]) -> Vec<(&'static str, Typed)> {
    let typed = |field: &FormField| match field.input {
        Input::Date | Input::Day => Some((field.posted(), Typed::Date)),
        Input::Count => Some((field.posted(), Typed::Count)),
        Input::Text
        | Input::Amount
        | Input::Year
        | Input::Flag
        | Input::UnionCode
        | Input::Term(..)
        | Input::Division
        | Input::Federation
        | Input::Union
        | Input::Organisation
        | Input::Fund => None,
    };
    fields.iter().filter_map(typed).collect()
}

/// The same problem, of this field.
pub(super) fn of_field(mut problem: Problem, name: &str) -> Problem {
    problem.place = name.to_owned();
    problem
}

/// The reason entered, or that it is missing.
pub(super) fn with_reason(reason: &str) -> Result<(), Problem> {
    if reason.trim().is_empty() {
        return Err(Problem::error(
            "REASON_MISSING",
            "",
            "Say why; the reason is kept with the edit.",
        ));
    }
    without_personal_number("reason", reason)
}

/// Numbers of persons stay out of documents (V37).
pub(super) fn without_personal_number(name: &str, text: &str) -> Result<(), Problem> {
    if rollcall_exchange::holds_personal_number(text) {
        let message = "The text holds an identity, mobile or bank card number.";
        return Err(Problem::error("V37", name, message));
    }
    Ok(())
}

/// Fields with what stands in them and what is wrong with it.
pub(super) fn shown(
    frame: &Frame,
    replica: &Replica,
    fields: &[FormField],
    values: &Values,
    problems: &[Problem],
) -> Result<Vec<EditField>, Error> {
    let mut shown = Vec::with_capacity(fields.len());
    for field in fields {
        let is_meant = |problem: &&Problem| {
            let mut parts = problem.place.split(['@', '/']);
            parts.any(|part| part == field.name)
        };
        shown.push(EditField {
            name: field.posted(),
            label: words::word(frame, field.name),
            value: values.get(field.posted()).cloned().unwrap_or_default(),
            input: input(frame, replica, field.input)?,
            required: field.required,
            hint: hint(frame, field),
            problem: problems
                .iter()
                .find(is_meant)
                .map(|problem| frame.sentence(&problem.code, &problem.message)),
        });
    }
    Ok(shown)
}

/// What was refused, each once, with the field of the form that it is about.
pub(super) fn refusals(frame: &Frame, fields: &[EditField], problems: &[Problem]) -> Vec<EditProblem> {
    let mut refusals: Vec<EditProblem> = Vec::with_capacity(problems.len());
    for problem in problems {
        let text = words::refusal(frame, problem);
        if refusals.iter().any(|told| told.text == text) {
            continue;
        }
        let parts: Vec<&str> = problem.place.split(['@', '/']).collect();
        let meant = fields.iter().find(|field| {
            let name = if field.name == ENTRY_REASON {
                "reason"
            } else {
                field.name
            };
            field.problem.is_some() && parts.contains(&name)
        });
        let of_reason = problem.code == "REASON_MISSING" || problem.place == "reason";
        refusals.push(EditProblem {
            code: problem.code.clone(),
            text,
            field: match meant {
                Some(field) => Some(field.name.to_owned()),
                None => of_reason.then(|| "reason".to_owned()),
            },
            href: None,
        });
    }
    refusals
}

fn hint(frame: &Frame, field: &FormField) -> Option<String> {
    let key = match field.input {
        Input::Amount => "edit.yuan_hint",
        Input::Union => "edit.union_hint",
        Input::Federation | Input::Division => "edit.federation_hint",
        Input::Date => "edit.date_hint",
        Input::Count if field.name == "cycle" => "edit.cycle_hint",
        _ => return None,
    };
    Some(frame.text(key).to_owned())
}

fn input(frame: &Frame, replica: &Replica, input: Input) -> Result<EditInput, Error> {
    let unknown = || (String::new(), frame.text("value.unknown").to_owned());
    Ok(match input {
        Input::Text | Input::UnionCode => EditInput::Text,
        Input::Date | Input::Day => EditInput::Date,
        Input::Count | Input::Year => EditInput::Number,
        Input::Amount => EditInput::Amount,
        Input::Flag => EditInput::Select(vec![
            unknown(),
            ("true".to_owned(), frame.text("value.yes").to_owned()),
            ("false".to_owned(), frame.text("value.no").to_owned()),
        ]),
        Input::Term(prefix, names) => {
            let named = names()
                .into_iter()
                .map(|name| (name.to_owned(), frame.term(prefix, name)));
            EditInput::Select(std::iter::once(unknown()).chain(named).collect())
        }
        Input::Division | Input::Federation => EditInput::Suggest(divisions_near(replica)?),
        Input::Union => EditInput::Suggest(held(replica, DocumentKind::Union)?),
        Input::Organisation => EditInput::Suggest(held(replica, DocumentKind::Organisation)?),
        Input::Fund => EditInput::Suggest(funds(frame, replica)?),
    })
}

/// The scopes written here with the federations above them.
fn divisions_near(replica: &Replica) -> Result<Vec<(String, String)>, Error> {
    let mut codes = Vec::new();
    for scope in replica.scopes_written()? {
        let code = scope.division();
        codes.extend([code, code / 100 * 100, code / 10_000 * 10_000, 100_000]);
    }
    codes.sort_unstable();
    codes.dedup();
    let named = codes.into_iter().filter_map(|code| {
        let name = Divisions::get().name(code)?;
        Some((format!("{code:06}"), name.to_owned()))
    });
    Ok(named.take(SUGGESTIONS_MAX).collect())
}

/// The records of a kind by name, as references.
fn held(replica: &Replica, kind: DocumentKind) -> Result<Vec<(String, String)>, Error> {
    let query = ListingQuery {
        kind: Some(kind),
        order: ListingOrder::Name,
        limit: SUGGESTIONS_MAX,
        ..ListingQuery::default()
    };
    let page = replica.store().read(|reader| reader.listings(&query))?;
    let named = page.rows.into_iter().map(|row| {
        let reference = row.listing.code.unwrap_or_else(|| row.document_id.to_string());
        (reference, row.listing.name)
    });
    Ok(named.collect())
}

/// The funds of the scopes written here, newest first.
fn funds(frame: &Frame, replica: &Replica) -> Result<Vec<(String, String)>, Error> {
    let query = ListingQuery {
        kind: Some(DocumentKind::Fund),
        limit: SUGGESTIONS_MAX,
        ..ListingQuery::default()
    };
    let page = replica.store().read(|reader| reader.listings(&query))?;
    let mut funds = Vec::new();
    for row in page.rows {
        if let Record::Fund(fund) = replica.record(row.document_id)?.0 {
            let reference = fund.id.unwrap_or_else(|| row.document_id.to_string());
            let name = words::division(fund.federation.as_str());
            let text = frame.fill("subsidies.fund_of", &[&name, &fund.year.to_string()]);
            funds.push((fund.year, reference, text));
        }
    }
    funds.sort_by(|one, other| other.cmp(one));
    Ok(funds
        .into_iter()
        .map(|(_, reference, text)| (reference, text))
        .collect())
}

/// What a text entered in a field means, as a record holds it; `None` where nothing was entered.
///
/// # Errors
/// What is wrong with it, with the field as its place; the store's.
pub(super) fn read(
    replica: &Replica,
    field: &FormField,
    text: &str,
) -> Result<Result<Option<Value>, Problem>, Error> {
    let text = text.trim();
    let wrong = |code: &str, message: &str| {
        Ok(Err(Problem::error(
            code,
            field.name,
            format!("{text:?} {message}"),
        )))
    };
    if text.is_empty() {
        return Ok(if field.required {
            let code = if matches!(field.input, Input::Date | Input::Day) {
                "DATE_MISSING"
            } else {
                "FIELD_MISSING"
            };
            Err(Problem::error(code, field.name, "This is missing; enter it."))
        } else {
            Ok(None)
        });
    }
    let value = match field.input {
        Input::Text => match without_personal_number(field.name, text) {
            Ok(()) => Value::from(text),
            Err(problem) => return Ok(Err(problem)),
        },
        Input::Date => match rollcall_exchange::read_date(text) {
            Ok(date) => Value::from(date.to_string()),
            Err(problem) => return Ok(Err(of_field(problem, field.name))),
        },
        Input::Day => match rollcall_exchange::read_date(text) {
            Ok(PartialDate::Day(day)) => Value::from(day.to_string()),
            Ok(PartialDate::Month { .. } | PartialDate::Year(_)) => {
                return wrong("DATE_INVALID", "is not a day such as 2024-12-31.");
            }
            Err(problem) => return Ok(Err(of_field(problem, field.name))),
        },
        Input::Count => match rollcall_exchange::read_count(text) {
            Ok(count) => Value::from(count),
            Err(problem) => return Ok(Err(of_field(problem, field.name))),
        },
        Input::Amount => match fen(text) {
            Some(fen) => Value::from(fen),
            None => {
                return wrong(
                    "V32",
                    "is not an amount above 0 in yuan, with up to two decimals.",
                );
            }
        },
        Input::Year => match text.parse::<i32>() {
            Ok(year) if (1949..=9999).contains(&year) => Value::from(year),
            _ => return wrong("DATE_YEAR", "is not a year such as 2024."),
        },
        Input::Flag => Value::Bool(text == "true"),
        Input::UnionCode => match CreditCode::parse(text) {
            Ok(code) if matches!(code.prefix(), "81" | "89") => Value::from(code.as_str()),
            Ok(_) => return wrong("V24", "is no code of a trade union."),
            Err(error) => return wrong(error.rule(), &format!("is no credit code ({error}).")),
        },
        Input::Term(_, names) if names().contains(&text) => Value::from(text),
        Input::Term(..) => return wrong("VALUE_UNKNOWN", "is none of the choices."),
        Input::Division if words::division(text) != text => Value::from(text),
        Input::Division => return wrong("PLACE_UNKNOWN", "is not a division code such as 330106."),
        Input::Federation => match text.parse::<FederationId>() {
            Ok(federation) if Divisions::get().name(federation.division()).is_some() => {
                Value::from(federation.as_str())
            }
            _ => return wrong("PLACE_UNKNOWN", "is not a federation such as 330106."),
        },
        Input::Union => match reference(replica, DocumentKind::Union, text)? {
            Some(reference) => Value::from(reference),
            None => return wrong("UNION_UNKNOWN", "is no union that is known here."),
        },
        Input::Organisation => match reference(replica, DocumentKind::Organisation, text)? {
            Some(reference) => Value::from(reference),
            None => return wrong("ORGANISATION_UNKNOWN", "is no organisation that is known here."),
        },
        Input::Fund => match reference(replica, DocumentKind::Fund, text)? {
            Some(reference) => Value::from(reference),
            None => return wrong("FUND_UNKNOWN", "is no fund that is known here."),
        },
    };
    Ok(Ok(Some(value)))
}

/// How records name the document that a person means: by its code, else its record id, else its document id. A valid
/// code may name a document that is not held here; a name must be that of one document.
fn reference(replica: &Replica, kind: DocumentKind, text: &str) -> Result<Option<String>, Error> {
    let id = match replica.find(text, &[kind]) {
        Ok(id) => Some(id),
        Err(Error::NoDocument(_)) => by_name(replica, kind, text)?,
        Err(error) => return Err(error),
    };
    let Some(id) = id else {
        let code = CreditCode::parse(text).ok();
        let of_union = |code: &CreditCode| matches!(code.prefix(), "81" | "89");
        return Ok(code
            .filter(|code| kind != DocumentKind::Fund && of_union(code) == (kind == DocumentKind::Union))
            .map(|code| code.as_str().to_owned()));
    };
    let (record, _) = replica.record(id)?;
    let (code, record_id) = match record {
        Record::Union(union) => (union.code, union.id),
        Record::Organisation(organisation) => (organisation.code, organisation.id),
        Record::Fund(fund) => (None, fund.id),
        _ => (None, None),
    };
    // Only what leads back to this document names it; a code that it took later may be another document's.
    let names_it = |reference: &String| replica.find(reference, &[kind]).is_ok_and(|found| found == id);
    Ok(Some(
        code.filter(names_it)
            .or(record_id.filter(names_it))
            .unwrap_or_else(|| id.to_string()),
    ))
}

fn by_name(replica: &Replica, kind: DocumentKind, text: &str) -> Result<Option<DocumentId>, Error> {
    let query = ListingQuery {
        kind: Some(kind),
        text: text.to_lowercase(),
        order: ListingOrder::Name,
        limit: SUGGESTIONS_MAX,
        ..ListingQuery::default()
    };
    let page = replica.store().read(|reader| reader.listings(&query))?;
    let mut same = page.rows.into_iter().filter(|row| row.listing.name == text);
    Ok(match (same.next(), same.next()) {
        (Some(row), None) => Some(row.document_id),
        _ => None,
    })
}

/// Yuan as entered, in fen: `5000`, `5,000.5`, `５０００元`. `None` for anything else, for 0 and for more than 10^15 fen
/// (`reliability.md` 4 row 56).
pub(super) fn fen(text: &str) -> Option<i64> {
    const FEN_MAX: i64 = 1_000_000_000_000_000;
    let half = |character: char| match character {
        '０'..='９' => char::from_u32(u32::from(character) - 0xFEE0).unwrap_or(character),
        '．' => '.',
        '，' => ',',
        other => other,
    };
    let text: String = text.trim().trim_end_matches('元').chars().map(half).collect();
    let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
    let groups: Vec<&str> = whole.split(',').collect();
    let grouped = groups.len() == 1
        || (groups.iter().skip(1).all(|group| group.len() == 3) && (1..=3).contains(&groups[0].len()));
    let whole = groups.concat();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !grouped || !digits(&whole) || !digits(part) || part.len() > 2 {
        return None;
    }
    let yuan: i64 = whole.parse().ok()?;
    let part: i64 = format!("{part:0<2}").parse().ok()?;
    let fen = yuan.checked_mul(100)?.checked_add(part)?;
    (1..=FEN_MAX).contains(&fen).then_some(fen)
}

/// Fen as it is entered: `5000.00`.
pub(super) fn yuan(fen: i64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_to_the_fen_or_not_at_all() {
        for (text, fen_expected) in [
            ("5000", Some(500_000)),
            ("5,000.5", Some(500_050)),
            ("1，234，567.89元", Some(123_456_789)),
            ("５０００", Some(500_000)),
            ("0.01", Some(1)),
            ("0", None),
            ("-1", None),
            ("1.234", None),
            ("1,23", None),
            ("1e3", None),
            ("5.", None),
            ("", None),
            ("10000000000000.01", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(fen(text), fen_expected, "{text}");
        }
        assert_eq!(fen(&yuan(123_456)), Some(123_456));
    }

    #[test]
    fn dates_and_counts_are_taken_as_they_are_typed_and_the_rest_stays() {
        let typed = [
            ("on", Typed::Date),
            ("workers", Typed::Count),
            ("members", Typed::Count),
        ];
        let values = [
            ("on", "2026年11月4日"),
            ("workers", "１,234"),
            ("members", "十"),
            ("name", "2026/1/1"),
        ];
        let values = values.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let plain = plainly(values.into(), typed);
        let texts: Vec<&str> = plain.values().map(String::as_str).collect();
        assert_eq!(texts, ["十", "2026/1/1", "2026-11-04", "1234"]);
    }
}
