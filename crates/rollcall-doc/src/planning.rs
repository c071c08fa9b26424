//! Cases of planning: what records and single fields mean against what stands in a document.

use rollcall_core::id::{DocumentId, DocumentKind};
use serde_json::json;

use crate::document::Document;
use crate::samples::{by, empty, import, parse, sample, write};

fn fields(document: &Document, record: &str) -> Vec<String> {
    let edits = document.plan(&parse(record)).expect("the record can be imported");
    edits.into_iter().map(|edit| edit.field).collect()
}

fn code(document: &Document, record: &str) -> String {
    document.plan(&parse(record)).expect_err("the record is refused")[0]
        .code
        .clone()
}

#[test]
fn absent_and_empty_fields_change_nothing() {
    let (document, _) = sample(DocumentKind::Organisation);
    for record in [
        r#"{"type":"organisation","code":"52140829MJ1938921G"}"#,
        r#"{"type":"organisation","code":" ５２140829mj1938921g","address":null,"counts":[],"name":null}"#,
        r#"{"type":"organisation","code":"52140829MJ1938921G","coverage":[{"id":"c1","union":"J1","from":"2023-11-01"}]}"#,
        r#"{"type":"organisation","code":"52140829MJ1938921G","counts":[{"on":"2023-12-31","source":"check","workers":19}]}"#,
        r#"{"type":"organisation","code":"52140829MJ1938921G","former_names":[{"name":"常乐学校","until":null}]}"#,
    ] {
        assert_eq!(fields(&document, record), Vec::<String>::new(), "{record}");
    }
}

#[test]
fn changed_fields_are_named_and_nothing_else() {
    let (document, _) = sample(DocumentKind::Organisation);
    let cases = [
        (r#""address":"新址""#, vec!["address"]),
        (r#""name":"新名""#, vec!["name/2009-08-12|registry"]),
        (
            r#""name":[{"value":"新名","from":"2024-01-01","source":"check"}]"#,
            vec!["name/2024-01-01|check"],
        ),
        (
            r#""counts":[{"on":"2023-12-31","source":"check","members":5}]"#,
            vec!["counts/2023-12-31|check"],
        ),
        (
            r#""coverage":[{"id":"c1","union":"J1","from":"2023-11-01","until":"2024-05-01"}]"#,
            vec!["coverage/c1/until"],
        ),
        (
            r#""coverage":[{"id":"c2","union":"J2","from":"2024-01-01"}]"#,
            vec!["coverage/c2"],
        ),
        (
            r#""registration_status":"deregistered","status_on":"2024-06-30""#,
            vec!["registration_status/2024-06-30|registry"],
        ),
        // A corrected date takes the scalar along; what the old date said agrees with it.
        (
            r#""registered_on":"2010-01-01","location":"330106""#,
            vec![
                "registered_on",
                "location/2009-08-12|registry",
                "location/2010-01-01|registry",
            ],
        ),
    ];
    for (members, expected) in cases {
        let record = format!(r#"{{"type":"organisation","code":"52140829MJ1938921G",{members}}}"#);
        assert_eq!(fields(&document, &record), expected, "{members}");
        let mut changed = document.clone();
        import(&mut changed, &parse(&record), &by(2));
        assert_eq!(
            fields(&changed, &record),
            Vec::<String>::new(),
            "{members}: again"
        );
    }
    let merged = document.plan(&parse(r#"{"type":"organisation","code":"52140829MJ1938921G","counts":[{"on":"2023-12-31","source":"check","members":5}]}"#));
    assert_eq!(
        merged.expect("a record")[0].new,
        Some(json!({"members": 5, "workers": 19}))
    );
}

#[test]
fn what_cannot_be_changed_is_refused() {
    let organisation = sample(DocumentKind::Organisation).0;
    let fund = sample(DocumentKind::Fund).0;
    let long = "长".repeat(20_000);
    let cases = [
        (&organisation, r#"{"type":"organisation","code":"53100000500021676K"}"#.to_owned(), "CODE_FIXED"),
        (&organisation, r#"{"type":"union","id":"J1"}"#.to_owned(), "KIND"),
        (
            &organisation,
            r#"{"type":"organisation","coverage":[{"id":"c1","union":"J2","from":"2023-11-01"}]}"#.to_owned(),
            "ENTRY_FIXED",
        ),
        (
            &organisation,
            r#"{"type":"organisation","stages":[{"id":"","stage":"mapped","on":"2023-11-01"}]}"#.to_owned(),
            "ENTRY_ID",
        ),
        (
            &organisation,
            r#"{"type":"organisation","checks":[{"id":"q","on":"2024","state":"dormant"},{"id":"q","on":"2023","state":"dormant"}]}"#.to_owned(),
            "ENTRY_TWICE",
        ),
        (&organisation, format!(r#"{{"type":"organisation","address":"{long}"}}"#), "CHANGE_TOO_BIG"),
        (
            &fund,
            r#"{"type":"fund","id":"F2023","federation":"140829","year":2023,"entries":[{"id":"m1","entry":"set_aside","on":"2023-06-01","amount_fen":1}]}"#.to_owned(),
            "LEDGER_FIXED",
        ),
        (&fund, r#"{"type":"fund","id":"F2024","federation":"140829","year":2023}"#.to_owned(), "ID_FIXED"),
    ];
    for (document, record, expected) in cases {
        assert_eq!(
            code(document, &record),
            expected,
            "{}",
            record.chars().take(80).collect::<String>()
        );
    }
}

#[test]
fn a_document_known_by_its_id_may_take_a_code_later() {
    let record = parse(r#"{"type":"organisation","id":"O7","name":"七"}"#);
    let mut document = empty(&record);
    import(&mut document, &record, &by(1));
    let change = import(
        &mut document,
        &parse(r#"{"type":"organisation","id":"O7","code":"53100000500021676K"}"#),
        &by(1),
    );
    assert_eq!(
        document.id(),
        DocumentId::derive(DocumentKind::Organisation, "O7")
    );
    let alias = DocumentId::derive(DocumentKind::Organisation, "53100000500021676K");
    assert_eq!(change.mentions.aliases.into_iter().collect::<Vec<_>>(), [alias]);
}

#[test]
fn single_fields_are_set_by_name() {
    let (document, _) = sample(DocumentKind::Organisation);
    let cases = [
        ("address", "新址", Ok(("address", json!("新址")))),
        ("address", "常乐镇", Err("unchanged")),
        ("kind", "foundation", Ok(("kind", json!("foundation")))),
        ("kind", "club", Err("SCHEMA")),
        ("registered_on", "2010-13", Err("SCHEMA")),
        ("name", "新名", Ok(("name/2009-08-12|registry", json!("新名")))),
        (
            "name@2024-01-01",
            "新名",
            Ok(("name/2024-01-01|registry", json!("新名"))),
        ),
        (
            "name@2024-01|check",
            "新名",
            Ok(("name/2024-01|check", json!("新名"))),
        ),
        ("name@yesterday", "新名", Err("DATE_INVALID")),
        (
            "coverage/c1/until",
            "2024-05-01",
            Ok(("coverage/c1/until", json!("2024-05-01"))),
        ),
        ("coverage/c9/until", "2024-05-01", Err("ENTRY_UNKNOWN")),
        ("coverage/c1/union", "J2", Err("ENTRY_FIXED")),
        (
            "counts/2023-12-31|check/workers",
            "20",
            Ok(("counts/2023-12-31|check", json!({"workers": 20}))),
        ),
        ("counts/2024-12-31/workers", "-1", Err("SCHEMA")),
        (
            "exclusions/x1/withdrawn",
            "2024-01-01 twice",
            Ok((
                "exclusions/x1/withdrawn",
                json!({"at": "2024-01-01", "reason": "twice"}),
            )),
        ),
        ("telephone", "1", Err("FIELD_UNKNOWN")),
        ("amendments/x", "1", Err("FIELD_UNKNOWN")),
        ("code", "53100000500021676K", Err("CODE_FIXED")),
    ];
    for (field, value, expected) in cases {
        let found = document.set(field, value);
        match (&found, &expected) {
            (Ok(edits), Ok((place, new))) => {
                assert_eq!(
                    (edits[0].field.as_str(), edits[0].new.as_ref()),
                    (*place, Some(new)),
                    "{field}"
                );
                write(&mut document.clone(), edits, &by(2));
            }
            (Ok(edits), Err("unchanged")) => assert_eq!(edits.len(), 0, "{field}"),
            (Err(problems), Err(code)) => assert_eq!(problems[0].code, *code, "{field}"),
            _ => panic!("{field}={value}: {found:?}, not {expected:?}"),
        }
    }
}

#[test]
fn the_history_tells_who_changed_what_and_why() {
    let (mut document, _) = sample(DocumentKind::Organisation);
    let edits = document.set("address", "新址").expect("a field");
    write(&mut document, &edits, &by(2));
    let edits = document.set("coverage/c1/until", "2024-05-01").expect("a field");
    write(&mut document, &edits, &by(2));
    let history = document.history();
    assert_eq!(history.len(), 3);
    let last = &history[1];
    assert_eq!(
        (last.author.as_str(), last.reason.as_str(), last.seq),
        ("330106/2", "as reported", 1)
    );
    assert_eq!(last.time_ms, 1_700_000_002_000);
    assert_eq!(last.edits.len(), 1);
    let edit = &last.edits[0];
    assert_eq!(
        (edit.field.as_str(), &edit.old, &edit.new),
        ("address", &Some(json!("常乐镇")), &Some(json!("新址")))
    );
    assert_eq!(history[2].edits[0].field, "coverage/c1/until");
    assert_eq!(history[2].seq, 2);
}

#[test]
fn changes_name_homes_documents_and_aliases() {
    let derive = |kind, key: &str| DocumentId::derive(kind, key);
    let expected: [(DocumentKind, &[&str], Vec<DocumentId>, usize); 7] = [
        (
            DocumentKind::Organisation,
            &["140829", "140830"],
            vec![derive(DocumentKind::Union, "J1")],
            1,
        ),
        (DocumentKind::Union, &["140829"], vec![], 1),
        (DocumentKind::Fund, &["140829"], vec![], 1),
        (
            DocumentKind::Subsidy,
            &["140829"],
            vec![derive(DocumentKind::Union, "J1")],
            1,
        ),
        (
            DocumentKind::SameAs,
            &[],
            vec![
                derive(DocumentKind::Organisation, "52140829MJ1938921G"),
                derive(DocumentKind::Organisation, "O7"),
            ],
            0,
        ),
        (
            DocumentKind::Federation,
            &["330000", "330000/education"],
            vec![],
            1,
        ),
        (DocumentKind::Campaign, &["100000"], vec![], 0),
    ];
    for (kind, homes, mut names, aliases) in expected {
        let (_, change) = sample(kind);
        names.sort_unstable();
        let found = change.mentions;
        assert_eq!(
            found.homes.iter().map(|home| home.as_str()).collect::<Vec<_>>(),
            homes,
            "{kind:?}"
        );
        assert_eq!(found.names.into_iter().collect::<Vec<_>>(), names, "{kind:?}");
        assert_eq!(found.aliases.len(), aliases, "{kind:?}");
    }
}
