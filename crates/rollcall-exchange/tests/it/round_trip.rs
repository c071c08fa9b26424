//! What is written is read again: any text as CSV and XLSX, and exported lists as updates by id.

use std::io::Cursor;

use proptest::prelude::*;
use rollcall_core::date::Day;
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::record::{OrganisationRecord, Record};
use rollcall_exchange::{
    ListFormat, ListWriter, ReadOptions, organisation_cells, organisation_heads, read_list, union_heads,
};

use crate::Register;
use crate::archive_builder::{Part, archive, text_row, workbook_parts};

fn write(format: ListFormat, heads: &[&str], rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = ListWriter::begin(format, Cursor::new(Vec::new()), heads).expect("memory does not fail");
    for row in rows {
        writer.row(row).expect("memory does not fail");
    }
    writer.finish().expect("memory does not fail").into_inner()
}

#[test]
fn no_exported_cell_is_computed() {
    for (cell, written) in [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1+1", "'＝1+1"),
        ("-5", "-5"),
        ("-5.5", "-5.5"),
        ("-5+1", "'-5+1"),
        ("a,b", "\"a,b\""),
        ("plain", "plain"),
    ] {
        let bytes = write(ListFormat::Csv, &["名称"], &[vec![cell.to_owned()]]);
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert_eq!(text, format!("\u{feff}名称\r\n{written}\r\n"), "{cell}");
    }
}

#[test]
fn an_exported_list_comes_back_as_updates_of_the_same_documents() {
    let line = concat!(
        r#"{"type":"organisation","code":"52140829MJ1938921G","name":"某校","kind":"private_non_enterprise","category":"school","#,
        r#""registered_on":"2009-08-12","registration_status":[{"value":"registered","from":"2009-08-12","source":"registry"},"#,
        r#"{"value":"deregistered","from":"2024-03-01","source":"registry"}],"location":"140829","address":"=某路","#,
        r#""counts":[{"on":"2023-12-31","source":"check","workers":19,"members":3}]}"#
    );
    let Record::Organisation(coded) = serde_json::from_str(line).expect("a record") else {
        panic!("an organisation")
    };
    let held = OrganisationRecord {
        code: None,
        id: Some("held-1".to_owned()),
        ..(*coded).clone()
    };
    let as_of = Day::from_ymd(2024, 12, 31).expect("a day");
    let ids = ["52140829MJ1938921G", "held-1"]
        .map(|key| DocumentId::from_reference(DocumentKind::Organisation, key));
    let rows = [
        organisation_cells(ids[0], &coded, as_of),
        organisation_cells(ids[1], &held, as_of),
    ];
    for (format, name) in [(ListFormat::Csv, "a.csv"), (ListFormat::Xlsx, "a.xlsx")] {
        let bytes = write(format, &organisation_heads(), &rows);
        let list = read_list(&bytes, name, &ReadOptions::default()).expect(name);
        assert!(list.warnings.is_empty(), "{:?}", list.warnings);
        let plan = Register::default().plan(&list);
        assert_eq!(plan.summary.new, 2, "{:?}", plan.summary.problems);
        let candidates: Vec<_> = plan.candidates(&list).collect();
        assert_eq!([candidates[0].id, candidates[1].id], ids);
        let text = serde_json::to_value(&candidates[0].record).expect("plain data");
        for (field, value) in [
            ("code", "52140829MJ1938921G"),
            ("name", "某校"),
            ("category", "school"),
            ("registration_status", "deregistered"),
            ("status_on", "2024-03-01"),
            ("address", "=某路"),
            ("location", "140829"),
        ] {
            assert_eq!(text[field], value, "{field} in {name}");
        }
        assert_eq!(text["counts"][0]["members"], 3);
    }
}

#[test]
fn a_list_of_unions_has_heads_that_are_understood() {
    let row = ["", "81530400560076062A", "某工会委员会", "own", "530400", ""]
        .map(str::to_owned)
        .to_vec();
    let bytes = write(ListFormat::Xlsx, &union_heads(), &[row]);
    let list = read_list(&bytes, "a.xlsx", &ReadOptions::default()).expect("readable");
    assert!(list.warnings.is_empty(), "{:?}", list.warnings);
    assert_eq!(Register::default().plan(&list).summary.new, 1);
}

fn cell() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[a-z0-9 ,;\"'=+@\u{4e00}-\u{4e40}（）\n-]{0,12}").expect("a pattern")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cells_survive_writing_and_reading(rows in proptest::collection::vec((cell(), cell()), 1..6)) {
        let rows: Vec<Vec<String>> = rows.into_iter().map(|(a, b)| vec![format!("名{a}"), b]).collect();
        for (format, name) in [(ListFormat::Csv, "a.csv"), (ListFormat::Xlsx, "a.xlsx")] {
            let bytes = write(format, &["名称", "地址"], &rows);
            let list = read_list(&bytes, name, &ReadOptions::default()).expect(name);
            let back: Vec<Vec<String>> = list.sample(10).into_iter().map(|(_, cells)| cells).collect();
            let expected: Vec<Vec<String>> = rows
                .iter()
                .map(|row| row.iter().map(|cell| guarded(cell, format)).collect())
                .collect();
            prop_assert_eq!(back, expected);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), archive in any::<bool>()) {
        let mut file = if archive { b"PK\x03\x04".to_vec() } else { "名称,地址\n".as_bytes().to_vec() };
        file.extend(bytes);
        if let Ok(list) = read_list(&file, "", &ReadOptions::default()) {
            Register::default().plan(&list);
        }
    }

    #[test]
    fn no_changed_byte_of_a_workbook_makes_it_panic(at in 0_usize..4000, to in any::<u8>()) {
        let mut bytes = write(ListFormat::Xlsx, &["名称", "地址"], &[vec!["某校".to_owned(), "某路".to_owned()]]);
        let at = at % bytes.len();
        bytes[at] = to;
        if let Ok(list) = read_list(&bytes, "a.xlsx", &ReadOptions::default()) {
            Register::default().plan(&list);
        }
    }

    #[test]
    fn no_changed_byte_of_its_parts_makes_it_panic(part in 0_usize..6, at in any::<usize>(), to in any::<u8>(), cut in 0_usize..4) {
        let rows = text_row(1, &["名称", "注册日期"]) + &text_row(2, &["某校", "2020-01-02"])
            + r#"<row r="3"><c r="A3" s="1"><f>B2</f><v>43853</v></c><c r="B3" t="s"><v>0</v></c></row>"#;
        let merged = r#"<mergeCells count="1"><mergeCell ref="A1:B1"/></mergeCells>"#;
        let mut parts = workbook_parts(&rows, merged, r#"date1904="1""#);
        parts.push(Part::new("xl/sharedStrings.xml", r#"<sst count="1"><si><t>x</t></si></sst>"#));
        let content = &mut parts[part].content;
        let at = at % content.len();
        content[at] = to;
        if cut == 0 {
            content.truncate(at);
        }
        if let Ok(list) = read_list(&archive(&parts), "a.xlsx", &ReadOptions::default()) {
            Register::default().plan(&list);
        }
    }
}

/// What stands in the file: CSV has the guard before what a spreadsheet would compute.
fn guarded(cell: &str, format: ListFormat) -> String {
    let number = cell
        .strip_prefix('-')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    let formula = cell.starts_with(['=', '+', '-', '@', '\n']) && !number;
    if format == ListFormat::Csv && formula {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}
