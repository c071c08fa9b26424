//! Fields and values of documents in the reader's words: names of fields, terms, dates, divisions.
//! Owns no texts: those are the toolkit's; what has none there is shown as it stands in records.

use std::collections::BTreeMap;

use rollcall_core::date::PartialDate;
use rollcall_core::division::Divisions;
use rollcall_core::problem::{Problem, Severity};
use rollcall_store::{Reader, Store};
use rollcall_web::layout::{Frame, Tone};
use serde_json::Value;

/// Fields whose values are terms, with the prefix of their texts.
const TERMS: [(&str, &str); 12] = [
    ("category", "category"),
    ("registration_status", "registration_status"),
    ("operating_state", "operating_state"),
    ("state", "operating_state"),
    ("stage", "stage"),
    ("form", "form"),
    ("event", "event"),
    ("channel", "channel"),
    ("result", "contact_result"),
    ("service", "service"),
    ("area_level", "area_level"),
    ("rule", "rule"),
];

/// Lists and fields of entries whose text stands under another key than `field.`.
const KEYS: [(&str, &str); 23] = [
    ("counts", "organisation.counts"),
    ("coverage", "organisation.coverage"),
    ("exclusions", "organisation.exclusions"),
    ("stages", "organisation.way"),
    ("contacts", "list.contacts"),
    ("organisers", "list.organisers"),
    ("handovers", "list.handovers"),
    ("services", "list.services"),
    ("checks", "list.checks"),
    ("other_units", "list.other_units"),
    ("events", "list.events"),
    ("entries", "list.entries"),
    ("from", "value.from"),
    ("until", "value.until"),
    ("on", "value.on"),
    ("at", "value.at"),
    ("by", "value.by"),
    ("source", "value.source"),
    ("state", "field.operating_state"),
    ("consent_on", "organisation.consent"),
    ("approved_on", "organisation.approved"),
    ("reason", "organisation.exclusion_reason"),
    ("stage", "organisations.stage"),
];

/// The key under which the name of a field, or of a field of an entry, stands.
pub(super) fn key(name: &str) -> String {
    match KEYS.iter().find(|(known, _)| *known == name) {
        Some((_, key)) => (*key).to_owned(),
        None => format!("field.{name}"),
    }
}

/// The name of a field or of a field of an entry.
pub(super) fn word(frame: &Frame, name: &str) -> String {
    frame
        .locale
        .lookup(&key(name))
        .map_or_else(|| name.to_owned(), str::to_owned)
}

/// A field as histories and conflicts name it: `address`, `name/2023-01-01|registry`, `coverage/c1/until`.
pub(super) fn field(frame: &Frame, field: &str) -> String {
    let (name, rest) = field.split_once('/').unwrap_or((field, ""));
    let name = word(frame, name);
    if rest.is_empty() {
        return name;
    }
    let (entry, of) = rest
        .split_once('/')
        .map_or((rest, None), |(entry, of)| (entry, Some(of)));
    let entry = match entry.split_once('|') {
        Some(("", source)) => frame.term("source", source),
        Some((from, source)) => format!("{} · {}", date(frame, from), frame.term("source", source)),
        None => entry.to_owned(),
    };
    match of {
        Some(of) => format!("{name} ({entry}) {}", word(frame, of)),
        None => format!("{name} ({entry})"),
    }
}

/// A value of a field, on one line.
pub(super) fn value(frame: &Frame, field: &str, value: &Value) -> String {
    let mut parts = field.split('/');
    let first = parts.next().unwrap_or_default();
    let name = parts.nth(1).unwrap_or(first);
    plain(frame, name, value)
}

fn plain(frame: &Frame, name: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text_of(frame, name, text),
        Value::Object(fields) => match (
            fields.get("value"),
            fields.get("document").and_then(Value::as_str),
        ) {
            (Some(value), Some(document)) => format!("{} ({document})", plain(frame, name, value)),
            (Some(value), None) => plain(frame, name, value),
            (None, _) => {
                // Who entered it and when is said beside every edit already.
                let told = |key: &str| !matches!(key, "id" | "at" | "by");
                let known = fields.iter().filter(|(key, value)| told(key) && !value.is_null());
                let parts =
                    known.map(|(key, value)| format!("{} {}", word(frame, key), plain(frame, key, value)));
                parts.collect::<Vec<_>>().join(", ")
            }
        },
        // Documents hold fen; people read yuan.
        Value::Number(fen) if name == "amount_fen" => fen
            .as_i64()
            .map_or_else(|| fen.to_string(), |fen| frame.locale.yuan(fen)),
        Value::Bool(answer) => frame
            .text(if *answer { "value.yes" } else { "value.no" })
            .to_owned(),
        other => other.to_string(),
    }
}

/// A text that stands in a field: a term, a date, a division, or as it is.
pub(super) fn text_of(frame: &Frame, name: &str, text: &str) -> String {
    if matches!(name, "kind" | "entry") {
        // Organisations and subsidies have kinds, cases and funds have entries: whichever list knows the word.
        let prefixes: [&str; 2] = if name == "kind" {
            ["kind", "subsidy"]
        } else {
            ["case_entry", "fund_entry"]
        };
        let known = prefixes
            .iter()
            .find_map(|prefix| frame.locale.lookup(&format!("{prefix}.{text}")));
        return known.unwrap_or(text).to_owned();
    }
    if TERMS.iter().any(|(known, _)| *known == name) {
        return term(frame, name, text);
    }
    match name {
        "location"
        | "registration_authority"
        | "responsible"
        | "to"
        | "higher_union"
        | "federation"
        | "approved_by"
        | "counterparty"
        | "payee_federation" => division(text),
        // What the program closes or withdraws has the act as its reason.
        "mistaken" => reason(frame, text.to_owned()),
        "reason" => reason(frame, frame.term("exclusion", text)),
        "source" => frame.term("source", text),
        _ => date(frame, text),
    }
}

/// A word of a list in the reader's words; any other text as it is.
pub(super) fn term(frame: &Frame, name: &str, text: &str) -> String {
    match TERMS.iter().find(|(known, _)| *known == name) {
        Some((_, prefix)) => frame.term(prefix, text),
        None => text.to_owned(),
    }
}

/// A date in words; any other text as it is.
pub(super) fn date(frame: &Frame, text: &str) -> String {
    text.parse::<PartialDate>()
        .map_or_else(|_| text.to_owned(), |date| frame.locale.partial_date(date))
}

/// A character of double width, as Chinese input writes letters, digits and signs, as that of single width.
pub(super) fn half_width(character: char) -> char {
    match character {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(character) - 0xFEE0).unwrap_or(character),
        '\u{3000}' => ' ',
        other => other,
    }
}

/// A division code with its name: `330106 西湖区`.
pub(super) fn division(code: &str) -> String {
    let number = code.split('/').next().and_then(|digits| digits.parse().ok());
    match number.and_then(|number| Divisions::get().name(number)) {
        Some(name) => format!("{code} {name}"),
        None => code.to_owned(),
    }
}

/// A column of an import: in words where it is a field of records, such as `responsible`; heads of lists stand as they do
/// in the file.
pub(super) fn column(frame: &Frame, column: &str) -> String {
    let name = column.split(['/', '@']).next().unwrap_or_default();
    if frame.locale.lookup(&key(name)).is_some() {
        field(frame, column.split('@').next().unwrap_or_default())
    } else {
        column.to_owned()
    }
}

/// What is wrong, with its place, in words.
pub(super) fn sentence(frame: &Frame, problem: &Problem) -> String {
    let sentence = frame.sentence(&problem.code, &problem.message);
    let place = field(frame, &problem.place);
    // A sentence that names its field itself needs no heading.
    if problem.place.is_empty() || sentence.starts_with(&place) {
        sentence
    } else {
        format!("{place}: {sentence}")
    }
}

/// A refusal on a form: what is wrong, and the code that can be quoted.
pub(super) fn refusal(frame: &Frame, problem: &Problem) -> String {
    format!("{} [{}]", sentence(frame, problem), problem.code)
}

/// The reason of an edit: as it was given, or in words where the program gave it.
pub(super) fn reason(frame: &Frame, reason: String) -> String {
    let of_program = [
        ("import ", "reason.import"),
        ("undo import ", "reason.undo_import"),
    ];
    let told = of_program
        .iter()
        .find_map(|(opening, key)| Some(frame.fill(key, &[reason.strip_prefix(opening)?])));
    told.unwrap_or(reason)
}

/// How pressing a problem is.
pub(super) fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Error | Severity::Alert => Tone::Attention,
        Severity::Warning => Tone::Waiting,
    }
}

/// Names of this store's own accounts by id; other federations' accounts stay ids.
pub(super) struct AuthorNames(BTreeMap<String, String>);

impl AuthorNames {
    pub(super) fn read(reader: &Reader) -> Result<Self, rollcall_store::Error> {
        let accounts = reader.accounts()?;
        Ok(Self(
            accounts
                .into_iter()
                .map(|account| (account.account_id, account.name))
                .collect(),
        ))
    }

    pub(super) fn load(store: &Store) -> Result<Self, rollcall_store::Error> {
        store.read(Self::read)
    }

    pub(super) fn show(&self, frame: &Frame, author: &str) -> String {
        match (self.0.get(author), author.strip_suffix("/command-line")) {
            (Some(name), _) => format!("{name} ({author})"),
            (None, Some(federation)) => frame.fill("author.command_line", &[&division(federation)]),
            (None, None) => author.to_owned(),
        }
    }
}
