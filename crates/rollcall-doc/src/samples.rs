//! Documents and records for tests and fuzz targets.

use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use rollcall_core::record::Record;

use crate::document::{Document, EditBy, LocalChange};
use crate::edit::Edit;

/// One record of every kind, as the format's contract shows them.
pub(crate) const RECORDS: [&str; 7] = [
    r#"{"type":"organisation","code":"52140829MJ1938921G","name":"平陆县供销社常乐双语学校","kind":"private_non_enterprise","category":"school",
 "registered_on":"2009-08-12","registration_status":"registered","status_on":null,"registration_authority":"140829","location":"140829",
 "address":"常乐镇","supervising_unit":"教育局","responsible":"140829","operating_state":"operating","legacy_numbers":["66195133-X"],
 "former_names":[{"name":"常乐学校","until":"2015-01-01"},{"name":"常乐小学","until":null}],"successor":null,
 "counts":[{"on":"2023-12-31","source":"check","workers":19,"members":null,"female_members":null},{"on":"2022-12-31","workers":18,"members":9}],
 "exclusions":[{"id":"x1","reason":"DORMANT","from":"2023-05-01","until":"2023-10-31","evidence":"report","approved_on":"2023-05-01"}],
 "coverage":[{"id":"c1","union":"J1","from":"2023-11-01","until":null,"consent_on":"2023-11-01"}],
 "organisers":[{"id":"o1","elected_on":"2023-09","ended_on":null}],
 "handovers":[{"id":"h1","to":"140830","on":"2024-01-10","accepted_on":"2024-01-20"}],
 "stages":[{"id":"s1","stage":"contacted","on":"2023-06-01","number":null}],
 "contacts":[{"id":"k1","on":"2023-06-01","channel":"visit","result":"undecided","next_on":"2023-07-01"}],
 "checks":[{"id":"q1","on":"2023-06-01","state":"operating"}],
 "services":[{"id":"v1","on":"2024-03-08","service":"collective_contract","note":"first"}]}"#,
    r#"{"type":"union","id":"J1","code":null,"name":"联合工会委员会","form":"joint","higher_union":"140829","organisation":null,"area_level":null,
 "other_units":[{"id":"u1","on":"2023-10-20","count":3}],
 "events":[{"id":"e1","event":"applied","on":"2023-09-01","cycle":0},{"id":"e2","event":"founding_approved","on":"2023-09-20","number":"12"},
 {"id":"e3","event":"elected","on":"2023-10-10","term_years":5},{"id":"e4","event":"established","on":"2023-10-20","number":"13"}]}"#,
    r#"{"type":"fund","id":"F2023","federation":"140829","year":2023,"entries":[{"id":"m1","entry":"set_aside","on":"2023-06-01","amount_fen":20000000,"counterparty":null,"transfer":null}]}"#,
    r#"{"type":"subsidy","id":"S1","federation":"140829","payee_union":"J1","payee_federation":null,"kind":"fixed_subsidy","rule":"new-union","period":"2023","fund":"F2023",
 "entries":[{"id":"p1","entry":"applied","on":"2023-11-01","amount_fen":500000,"by":"140829/7"},{"id":"p2","entry":"approved","on":"2023-11-05","amount_fen":500000,"by":"140829/2"}]}"#,
    r#"{"type":"same_as","a":"52140829MJ1938921G","b":"O7","from":"2024-02-01","until":null,"reason":"re-registered"}"#,
    r#"{"type":"federation","code":"330000/education","line":"education","name":"教育工会","level":"province","parent":"330000","from":"2001-01-01","until":null}"#,
    r#"{"type":"campaign","version":1,"organiser_counts":false,"grace_months":6,"targets":[{"id":"t1","on":"2023-12-31","percent":60},{"id":"t2","on":"2024-12-31","percent":85}]}"#,
];

/// The sample record of a kind.
pub(crate) fn record(kind: DocumentKind) -> Record {
    let text = RECORDS[usize::from(kind.number()) - 1];
    serde_json::from_str(text).expect("the sample is a record")
}

/// A record from JSON.
#[cfg(test)]
pub(crate) fn parse(text: &str) -> Record {
    serde_json::from_str(text).expect("a record")
}

/// An editor: every number is another process start and account.
pub(crate) fn by(number: u8) -> EditBy {
    EditBy {
        actor: ActorId([number; 16]),
        author: format!("330106/{number}"),
        reason: "as reported".to_owned(),
        time_ms: 1_700_000_000_000 + i64::from(number) * 1000,
        heads: None,
    }
}

/// The document a record belongs to, still empty.
pub(crate) fn empty(record: &Record) -> Document {
    let id = record.document_id().unwrap_or(DocumentId([9; 16]));
    Document::create(record.kind(), id)
}

/// Writes edits; there must be something to write.
pub(crate) fn write(document: &mut Document, edits: &[Edit], by: &EditBy) -> LocalChange {
    document
        .apply_edits(edits, by)
        .expect("the edits can be written")
        .expect("something changes")
}

/// Imports a record; something must change.
pub(crate) fn import(document: &mut Document, record: &Record, by: &EditBy) -> LocalChange {
    let edits = document.plan(record).expect("the record can be imported");
    write(document, &edits, by)
}

/// A document that holds the sample record, and the change that made it.
pub(crate) fn sample(kind: DocumentKind) -> (Document, LocalChange) {
    let record = record(kind);
    let mut document = empty(&record);
    let change = import(&mut document, &record, &by(1));
    (document, change)
}
