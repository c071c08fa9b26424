//! The table of bad inputs (`reliability.md` 4, rows 1 to 61, those about files), as CSV and as XLSX.
//! Rows 47, 48 and 61 (known elsewhere, imported before, another federation) are answers of the caller.

use rollcall_core::problem::Problem;
use rollcall_exchange::{Known, Outcome, ReadOptions, plan, read_list};

use crate::archive_builder::{Part, archive, sheets_parts, text_row, workbook_parts};
use crate::{check_sums, settings};

/// Result of a file as a whole, or of its first row below the head.
fn verdict(bytes: &[u8], file_name: &str, options: &ReadOptions) -> String {
    let list = match read_list(bytes, file_name, options) {
        Ok(list) => list,
        Err(problem) => return format!("file {}", problem.code),
    };
    let plan = plan(&list, settings(), &mut |_| Known::New);
    check_sums(&list, &plan);
    match &plan.rows[0].outcome {
        Outcome::Refused(problems) => format!("row {}", problems[0].code),
        // Most of these lists name no place; that is no bad input.
        _ => match plan
            .summary
            .warnings
            .iter()
            .find(|warning| warning.code != "PLACE_UNKNOWN")
        {
            None => "fine".to_owned(),
            Some(warning) => format!("warning {}", warning.code),
        },
    }
}

fn csv(text: &str) -> String {
    verdict(text.as_bytes(), "list.csv", &ReadOptions::default())
}

/// A list with a valid code and one more column.
fn with_column(head: &str, cell: &str) -> String {
    csv(&format!(
        "名称,统一社会信用代码,{head}\n某学校,52140829MJ1938921G,{cell}\n"
    ))
}

fn xlsx(rows: &str) -> String {
    verdict(
        &archive(&workbook_parts(rows, "", "")),
        "list.xlsx",
        &ReadOptions::default(),
    )
}

#[test]
fn files_that_cannot_be_read_are_refused_as_a_whole() {
    let long = "x".repeat(33_000);
    let row = format!("{}甲", "x,".repeat(20).replace('x', &"x".repeat(20_000)));
    let wide = ",".repeat(1_000);
    let rows = |count: usize| format!("名称\n{}", "a\n".repeat(count));
    for (number, text, expected) in [
        ("1", String::new(), "file FILE_EMPTY"),
        ("1", " \n\n".to_owned(), "file FILE_EMPTY"),
        ("2", "名称,地址\n".to_owned(), "file NO_ROWS"),
        (
            "3",
            "某学校,某路1号\n另一学校,某路2号\n".to_owned(),
            "file NO_HEADER",
        ),
        (
            "4",
            "统一社会信用代码,地址\n52140829MJ1938921G,某路\n".to_owned(),
            "file COLUMN_MISSING",
        ),
        ("5", "名称,地址, 名称\na,b,c\n".to_owned(), "file COLUMN_TWICE"),
        ("6", "名称,颜色\na,b\n".to_owned(), "warning COLUMN_UNKNOWN"),
        ("7", "ADDRESS ,Ｎａｍｅ\nb,a\n".to_owned(), "fine"),
        ("8", "名称,地址\na\n".to_owned(), "row ROW_WIDTH"),
        ("8", "名称,地址\na,b,c\n".to_owned(), "row ROW_WIDTH"),
        ("9", "名称,地址\na,\"b\nc,d\n".to_owned(), "file QUOTE_OPEN"),
        ("10", format!("名称\n{long}\n"), "file FIELD_TOO_LONG"),
        ("10", format!("名称\n{row}\n"), "file ROW_TOO_LONG"),
        ("10", format!("名称\n{wide}\n"), "file TOO_MANY_COLUMNS"),
        ("11", rows(200_001), "file FILE_TOO_BIG"),
        ("11", rows(200_000), "warning DUPLICATE_SAME"),
        ("11", "x".repeat(21 * 1024 * 1024), "file FILE_TOO_BIG"),
        ("12", rows(65_535), "file MAYBE_CUT"),
        ("12", rows(1_048_575), "file MAYBE_CUT"),
        ("14", "名称,地址\na\0,b\n".to_owned(), "file BINARY_IN_TEXT"),
        ("15", "\u{feff}名称,地址\na,b\n".to_owned(), "fine"),
        (
            "22",
            "鍚嶇О,鍦板潃\n浣犲ソ浣犲ソ,浣犲ソ\n".to_owned(),
            "file ENCODING_SUSPECT",
        ),
        ("26", "名称;地址\na;b\n".to_owned(), "fine"),
        ("26", "名称\t地址\na\tb\n".to_owned(), "fine"),
        (
            "26",
            "名称;地址,城市\na;b,c\n".to_owned(),
            "file SEPARATOR_UNSURE",
        ),
        ("27", "名称,地址\ra,b\rc,d\n".to_owned(), "fine"),
        ("30", "PK\u{3}\u{4}".to_owned(), "file TYPE_MISMATCH"),
    ] {
        assert_eq!(csv(&text), expected, "row {number} of the table");
    }
}

#[test]
fn cells_that_cannot_be_kept_refuse_their_row_only() {
    for (number, head, cell, expected) in [
        ("23", "地址", "𠮷野路·1号", "fine"),
        ("24", "地址", "某\u{202e}路", "row CHAR_NOT_ALLOWED"),
        ("24", "地址", "某\u{200b}路", "row CHAR_NOT_ALLOWED"),
        ("25", "地址", "某\u{e000}路", "row CHAR_PRIVATE"),
        ("21", "地址", "某\u{fffd}路", "row ENCODING_LOSSY"),
        ("28", "地址", "=HYPERLINK(1)", "fine"),
        ("29", "地址", "<script>alert(1)</script>", "fine"),
        ("49", "注册日期", "2026-02-30", "row DATE_INVALID"),
        ("49", "注册日期", "31/04/2020", "row DATE_INVALID"),
        ("49", "注册日期", "2020-13-01", "row DATE_INVALID"),
        ("50", "注册日期", "03/04/2020", "file DATE_AMBIGUOUS"),
        ("51", "注册日期", "43853", "fine"),
        ("51", "注册日期", "60", "row DATE_INVALID"),
        ("52", "注册日期", "2027-01-01", "row DATE_IMPLAUSIBLE"),
        ("52", "注册日期", "1948-12-31", "row DATE_IMPLAUSIBLE"),
        ("53", "注册日期", "01/02/99", "row DATE_YEAR"),
        ("54", "职工人数", "\"1.234,56\"", "row AMOUNT_FORMAT"),
        ("55", "职工人数", "12.5", "row AMOUNT_INVALID"),
        ("55", "职工人数", "NaN", "row AMOUNT_INVALID"),
        ("56", "职工人数", "1e309", "row AMOUNT_RANGE"),
        ("57", "职工人数", "-5", "row COUNT_IMPLAUSIBLE"),
        ("57", "职工人数,会员人数", "5,6", "row COUNT_IMPLAUSIBLE"),
        ("58", "职工人数,会员人数", "0,6", "row RATE_UNDEFINED"),
        ("59", "职工人数", "无", "warning MISSING_VALUE"),
        ("59", "职工人数,统计日期", "-,2024-12-31", "warning MISSING_VALUE"),
        ("60", "负责工会", "999999", "row UNIT_UNKNOWN"),
        ("60", "负责工会", "110103", "row UNIT_CLOSED"),
        ("60", "负责工会", "330106", "fine"),
        ("V37", "地址", "某路1号 13812345678", "warning V37"),
        ("V10", "所在地代码", "990000", "row V10"),
    ] {
        assert_eq!(
            with_column(head, cell),
            expected,
            "row {number} of the table: {cell}"
        );
    }
}

#[test]
fn codes_are_valid_or_their_row_is_refused() {
    let code = |code: &str| csv(&format!("名称,统一社会信用代码\n某学校,{code}\n"));
    for (number, text, expected) in [
        ("43", "1.10101E+17", "row ID_DAMAGED"),
        ("44", "2140829MJ1938921G", "row ID_LENGTH"),
        ("45", "53100000500020462H", "row ID_CHECK"),
        ("45", "52140829mj1938921g", "fine"),
        ("V01", "", "row V01"),
        ("V01", "无", "row V01"),
        ("V01", "企合苏镇分字第0010", "row V01"),
        ("IS_UNION", "81420103931213071P", "row IS_UNION"),
    ] {
        let options = ReadOptions {
            as_kind: Some(rollcall_exchange::ListKind::Organisations),
            ..ReadOptions::default()
        };
        let list = format!("名称,统一社会信用代码\n某学校,{text}\n");
        assert_eq!(
            verdict(list.as_bytes(), "list.csv", &options),
            expected,
            "row {number} of the table: {text}"
        );
    }
    assert_eq!(
        code("81420103931213071P"),
        "fine",
        "without a word of what it is, a list of unions"
    );
    for name in ["null", "true", "NaN", "0", "😀", "一", &"名".repeat(200)] {
        assert_eq!(
            csv(&format!("名称,地址\n{name},某路\n")),
            "fine",
            "row 67 of the table: {name}"
        );
    }
    assert_eq!(
        csv(&format!("名称,地址\n{},某路\n", "名".repeat(201))),
        "row FIELD_TOO_LONG"
    );
}

#[test]
fn encodings_are_accepted_or_refused_for_certain() {
    let text = "名称,地址\n爱华幼儿园,广州市海珠区土华村\n安安幼儿园,新华镇松园大道\n";
    let utf_16 = |big: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| {
                if big {
                    unit.to_be_bytes()
                } else {
                    unit.to_le_bytes()
                }
            })
            .collect()
    };
    let gb18030 = encoding_rs::GB18030.encode(text).0.into_owned();
    for (number, bytes, expected) in [
        ("16", [&[0xff, 0xfe][..], &utf_16(false)].concat(), "fine"),
        ("16", [&[0xfe, 0xff][..], &utf_16(true)].concat(), "fine"),
        ("17", utf_16(false), "file ENCODING_UNSURE"),
        ("18", gb18030.clone(), "fine"),
        ("19", [text.as_bytes(), &gb18030].concat(), "file ENCODING_MIXED"),
        ("20", text.as_bytes()[..text.len() - 2].to_vec(), "file FILE_CUT"),
        ("20", gb18030[..gb18030.len() - 2].to_vec(), "file FILE_CUT"),
        (
            "31",
            [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1].to_vec(),
            "file TYPE_UNSUPPORTED",
        ),
    ] {
        assert_eq!(
            verdict(&bytes, "list.csv", &ReadOptions::default()),
            expected,
            "row {number} of the table"
        );
    }
    let asked = ReadOptions {
        encoding: Some("utf-8".to_owned()),
        ..ReadOptions::default()
    };
    assert_eq!(
        verdict(&gb18030, "list.csv", &asked),
        "file ENCODING_LOSSY",
        "row 21 of the table"
    );
}

#[test]
fn a_control_total_is_kept() {
    let text = "名称\na\nb\n";
    let stated = |rows| ReadOptions {
        rows_expected: Some(rows),
        ..ReadOptions::default()
    };
    assert_eq!(verdict(text.as_bytes(), "a.csv", &stated(2)), "fine");
    assert_eq!(
        verdict(text.as_bytes(), "a.csv", &stated(3)),
        "file CONTROL_TOTAL",
        "row 13 of the table"
    );
    let at_the_limit = format!(
        "名称\n{}",
        (0..65_535).map(|row| format!("a{row}\n")).collect::<String>()
    );
    assert_eq!(
        verdict(at_the_limit.as_bytes(), "a.csv", &stated(65_535)),
        "fine",
        "row 12 of the table"
    );
}

#[test]
fn archives_that_are_unsafe_or_no_workbook_are_refused() {
    let good = workbook_parts(
        &(text_row(1, &["名称", "地址"]) + &text_row(2, &["某学校", "某路"])),
        "",
        "",
    );
    let plus = |part: Part| [good.clone(), vec![part]].concat();
    let changed = |change: &dyn Fn(&mut Part)| {
        let mut parts = good.clone();
        change(&mut parts[0]);
        parts
    };
    let sheet = |body: &str| {
        let mut parts = good.clone();
        parts[0].content = body.as_bytes().to_vec();
        parts
    };
    let many_attributes = format!("<worksheet {}/>", "a='1' ".repeat(100_000));
    for (number, parts, expected) in [
        ("", good.clone(), "fine"),
        ("30", vec![Part::new("letter.txt", "hello")], "file TYPE_MISMATCH"),
        (
            "31",
            vec![Part::new("content.xml", "<x/>")],
            "file TYPE_UNSUPPORTED",
        ),
        (
            "31",
            vec![Part::new("xl/workbook.bin", "x")],
            "file TYPE_UNSUPPORTED",
        ),
        ("32", changed(&|part| part.flags = 1), "file FILE_ENCRYPTED"),
        (
            "33",
            plus(Part::new("xl/big.bin", vec![0; 30 << 20])),
            "file FILE_UNPACKS_TOO_BIG",
        ),
        (
            "33",
            plus(Part {
                declared: Some(10),
                ..Part::new("xl/big.bin", vec![0; 210 << 20])
            }),
            "file FILE_UNPACKS_TOO_BIG",
        ),
        (
            "33",
            (0..1_001)
                .map(|index| Part::new(&format!("xl/{index}"), ""))
                .collect(),
            "file FILE_UNPACKS_TOO_BIG",
        ),
        ("34", plus(Part::new("xl/inner.zip", "x")), "file FILE_DAMAGED"),
        (
            "34",
            plus(Part::new("xl/inner.bin", "PK\u{3}\u{4}")),
            "file FILE_DAMAGED",
        ),
        (
            "34",
            plus(Part::new("xl/WORKBOOK.xml", "<x/>")),
            "file FILE_DAMAGED",
        ),
        (
            "34",
            plus(Part::new("../../etc/passwd", "x")),
            "file FILE_DAMAGED",
        ),
        (
            "34",
            plus(Part {
                attributes: 0o120_777 << 16,
                ..Part::new("xl/link", "x")
            }),
            "file FILE_DAMAGED",
        ),
        (
            "34",
            changed(&|part| part.declared = Some(7)),
            "file FILE_DAMAGED",
        ),
        (
            "35",
            sheet("<!DOCTYPE a [<!ENTITY b 'c'>]><worksheet/>"),
            "file FILE_DAMAGED",
        ),
        ("35", sheet(&many_attributes), "file FILE_DAMAGED"),
        ("35", sheet(&"<a>".repeat(65)), "file FILE_DAMAGED"),
        ("35", sheet("<worksheet><sheetData><row"), "file FILE_DAMAGED"),
        (
            "35, a cell beyond every sheet",
            sheet(
                r#"<worksheet><sheetData><row r="1"><c r="AAAAAAAAA1"><v>1</v></c></row></sheetData></worksheet>"#,
            ),
            "file FILE_DAMAGED",
        ),
    ] {
        assert_eq!(
            verdict(&archive(&parts), "list.xlsx", &ReadOptions::default()),
            expected,
            "row {number} of the table"
        );
    }
    assert_eq!(
        verdict(&archive(&good), "list.csv", &ReadOptions::default()),
        "file TYPE_MISMATCH"
    );
    let cut = archive(&good);
    assert_eq!(
        verdict(&cut[..cut.len() - 30], "list.xlsx", &ReadOptions::default()),
        "file FILE_DAMAGED"
    );
}

#[test]
fn sheets_are_read_cell_by_cell() {
    let head = text_row(1, &["名称", "统一社会信用代码", "注册日期"]);
    let row = |cells: &str| {
        format!("{head}<row r=\"2\"><c r=\"A2\" t=\"inlineStr\"><is><t>某校</t></is></c>{cells}</row>")
    };
    let good_code = r#"<c r="B2" t="inlineStr"><is><t>52140829MJ1938921G</t></is></c>"#;
    for (number, rows, expected) in [
        (
            "36",
            format!("{head}<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>"),
            "file SHEET_TOO_WIDE",
        ),
        (
            "36",
            format!("{head}<row r=\"900000\"><c r=\"A900000\"><v>1</v></c></row>"),
            "file SHEET_TOO_WIDE",
        ),
        ("39", row(r#"<c r="B2"><f>A1</f></c>"#), "row FORMULA_NO_VALUE"),
        ("40", row(r#"<c r="B2" t="e"><v>#REF!</v></c>"#), "row CELL_ERROR"),
        (
            "42",
            row(r#"<c r="B2"><v>523607325918361088</v></c>"#),
            "row ID_DAMAGED",
        ),
        (
            "51",
            row(&format!(r#"{good_code}<c r="C2" s="1"><v>43853</v></c>"#)),
            "fine",
        ),
        (
            "51",
            row(&format!(r#"{good_code}<c r="C2" s="1"><v>60</v></c>"#)),
            "row DATE_INVALID",
        ),
        (
            "51",
            row(&format!(r#"{good_code}<c r="C2"><v>43853</v></c>"#)),
            "fine",
        ),
        (
            "8",
            row(&format!(r#"{good_code}<c r="D2"><v>1</v></c>"#)),
            "row ROW_WIDTH",
        ),
        (
            "34",
            format!("{head}{}{}", text_row(3, &["a"]), text_row(2, &["b"])),
            "file FILE_DAMAGED",
        ),
        ("1", String::new(), "file FILE_EMPTY"),
        ("2", head.clone(), "file NO_ROWS"),
    ] {
        assert_eq!(xlsx(&rows), expected, "row {number} of the table");
    }
}

#[test]
fn sheets_and_merged_cells_are_settled_before_rows_are_read() {
    let rows = text_row(1, &["某区名单"]) + &text_row(2, &["名称", "地址"]) + &text_row(3, &["某校", "某路"]);
    let merged = |range: &str| format!(r#"<mergeCells count="1"><mergeCell ref="{range}"/></mergeCells>"#);
    let read = |after: &str| {
        verdict(
            &archive(&workbook_parts(&rows, after, "")),
            "list.xlsx",
            &ReadOptions::default(),
        )
    };
    assert_eq!(read(&merged("A1:B1")), "fine", "a merged title row is no harm");
    assert_eq!(read(&merged("A3:A4")), "file MERGED_CELLS", "row 41 of the table");
    let small = format!(r#"<dimension ref="A1:A1"/><sheetData>{rows}</sheetData>"#);
    let full = format!("<sheetData>{rows}</sheetData>");
    let several = |sheets: &[(&str, &str, &str)], sheet: Option<&str>| {
        let options = ReadOptions {
            sheet: sheet.map(str::to_owned),
            ..ReadOptions::default()
        };
        verdict(&archive(&sheets_parts(sheets, "")), "list.xlsx", &options)
    };
    assert_eq!(
        several(&[("a", "visible", &small)], None),
        "fine",
        "row 37 of the table"
    );
    assert_eq!(
        several(
            &[
                ("a", "visible", &full),
                ("b", "visible", "<sheetData></sheetData>")
            ],
            None
        ),
        "fine"
    );
    let both = [("a", "visible", full.as_str()), ("b", "hidden", full.as_str())];
    assert_eq!(several(&both, Some("b")), "fine");
    assert_eq!(several(&both, Some("c")), "file SHEET_UNKNOWN");
    let problem: Problem = read_list(
        &archive(&sheets_parts(&both, "")),
        "list.xlsx",
        &ReadOptions::default(),
    )
    .expect_err("two");
    assert_eq!(problem.code, "SHEET_CHOOSE", "row 38 of the table");
    assert!(problem.message.contains("b (hidden)"), "{}", problem.message);
}

#[test]
fn rows_of_one_document_are_one_or_are_both_set_aside() {
    let read = |second: &str| {
        let text = format!(
            "名称,统一社会信用代码\n某（民办）学校,52140829MJ1938921G\n{second},52140829MJ1938921G\n"
        );
        let list = read_list(text.as_bytes(), "a.csv", &ReadOptions::default()).expect("readable");
        plan(&list, settings(), &mut |_| Known::New)
            .rows
            .into_iter()
            .map(|row| row.outcome)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        read("某(民办)学校"),
        [Outcome::New, Outcome::Duplicate { of: 2 }],
        "row 46 of the table"
    );
    let codes: Vec<String> = read("另一学校")
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Refused(problems) => problems[0].code.clone(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        codes,
        ["DUPLICATE_DIFFERS", "DUPLICATE_DIFFERS"],
        "row 46 of the table"
    );
}
