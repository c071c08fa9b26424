//! What a plan asks of its caller and what it gives back.

use std::io::Cursor;

use rollcall_core::problem::Problem;
use rollcall_core::record::Record;
use rollcall_exchange::{
    Known, ListFormat, ListKind, Outcome, ReadOptions, RowKey, plan, read_list, write_rejects,
};

use crate::{Register, check_sums, settings};

const LIST: &str = "社会组织名称,统一社会信用代码,登记状态,联系电话,职工人数,统计日期\n\
    甲学校,52140829MJ1938921G,正常,13800000000,19,2024-12-31\n\
    乙学校,523607325918361088,注销,,5,2024-12-31\n\
    丙学校,320722NA000624X,正常,,5,2024-12-31\n\
    甲学校,52140829MJ1938921G,正常,13800000000,19,2024-12-31\n\
    中国自动化学会,51100000500002862F,正常,,40,2024-12-31\n";

#[test]
fn the_answer_has_the_keys_of_the_contract_and_counts_every_row() {
    let list = read_list(LIST.as_bytes(), "list.csv", &ReadOptions::default()).expect("readable");
    let plan = plan(&list, settings(), &mut |row| match row.row {
        6 => Known::Refused(Problem::error("FOREIGN_JURISDICTION", "", "Not ours.")),
        _ => Known::New,
    });
    check_sums(&list, &plan);
    let json = serde_json::to_value(&plan.summary).expect("plain data");
    for (key, value) in [
        ("as", "organisations".into()),
        ("import_id", "i1".into()),
        ("encoding", "UTF-8".into()),
        ("rows_read", 5.into()),
        ("new", 2.into()),
        ("updated", 0.into()),
        ("unchanged", 0.into()),
        ("duplicate", 1.into()),
        ("refused", 2.into()),
        (
            "scope",
            serde_json::json!({"A": 1, "B": 2, "NO_CODE": 1, "NOT_REGISTERED": 1}),
        ),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    assert_eq!(json["file_sha256"].as_str().map(str::len), Some(64));
    assert_eq!(json["problems"][0]["row"], 4);
    assert_eq!(json["problems"][0]["column"], "统一社会信用代码");
    assert_eq!(json["problems"][1]["code"], "FOREIGN_JURISDICTION");
    let warnings: Vec<&str> = plan
        .summary
        .warnings
        .iter()
        .map(|warning| warning.code.as_str())
        .collect();
    assert_eq!(warnings, ["COLUMN_PERSONAL", "MISSING_VALUE", "DUPLICATE_SAME"]);
}

#[test]
fn columns_of_persons_reach_neither_record_nor_preview_nor_reject_file() {
    let list = read_list(LIST.as_bytes(), "list.csv", &ReadOptions::default()).expect("readable");
    let plan = plan(&list, settings(), &mut |_| {
        Known::Refused(Problem::error("X", "", "No."))
    });
    let mut rejects = Cursor::new(Vec::new());
    assert_eq!(
        write_rejects(&list, &plan, ListFormat::Csv, &mut rejects).expect("memory does not fail"),
        4
    );
    let rejects = String::from_utf8(rejects.into_inner()).expect("UTF-8");
    assert!(!rejects.contains("13800000000") && !format!("{:?}", list.sample(9)).contains("13800000000"));
    assert!(
        rejects.contains("320722NA000624X") && rejects.contains("退回原因"),
        "{rejects}"
    );
}

#[test]
fn a_corrected_reject_file_is_imported_as_it_is() {
    for format in [ListFormat::Csv, ListFormat::Xlsx] {
        let list = read_list(LIST.as_bytes(), "list.csv", &ReadOptions::default()).expect("readable");
        let plan = Register::default().plan(&list);
        let mut rejects = Cursor::new(Vec::new());
        write_rejects(&list, &plan, format, &mut rejects).expect("memory does not fail");
        let name = if format == ListFormat::Csv {
            "rejects.csv"
        } else {
            "rejects.xlsx"
        };
        let back = read_list(&rejects.into_inner(), name, &ReadOptions::default()).expect(name);
        let again = Register::default().plan(&back);
        assert_eq!(again.summary.rows_read, 1, "{name}");
        assert!(
            matches!(&again.rows[0].outcome, Outcome::Refused(problems) if problems[0].code == "V01"),
            "{name}"
        );
        assert!(
            !again
                .summary
                .warnings
                .iter()
                .any(|warning| warning.code == "COLUMN_UNKNOWN"),
            "{name}"
        );
    }
}

#[test]
fn without_a_code_column_organisations_are_held_by_name_region_and_address() {
    let read = |text: &str| {
        let list = read_list(text.as_bytes(), "list.csv", &ReadOptions::default()).expect("readable");
        let plan = Register::default().plan(&list);
        plan.candidates(&list).collect::<Vec<_>>()
    };
    let first =
        read("名称,省份,城市,地址\n爱心（民办）幼儿园,广东省,广州市,某路1号\n爱心幼儿园,广东,广州,某路2号\n");
    let second = read("name,province,city,address\n爱心(民办)幼儿园 ,广东,广州,某路１号\n");
    assert_eq!(first.len(), 2);
    assert_eq!((first[0].id, &first[0].key), (second[0].id, &second[0].key));
    assert_ne!(first[0].id, first[1].id);
    assert!(matches!(first[0].key, RowKey::Held { .. }));
    assert_eq!(
        first[0].record.document_id(),
        Some(first[0].id),
        "the record alone names the same document"
    );
    let Record::Organisation(record) = &first[0].record else {
        panic!("an organisation")
    };
    assert_eq!(record.code, None);
}

#[test]
fn unions_and_organisations_do_not_mix() {
    let text = "名称,统一社会信用代码\n\
        某工会委员会,81530400560076062A\n\
        江汉区工会联合会,81420103931213071P\n\
        甲学校,52140829MJ1938921G\n";
    for (kind, read_as, expected) in [
        (None, "unions", [None, None, Some("V24")]),
        (
            Some(ListKind::Organisations),
            "organisations",
            [Some("IS_UNION"), Some("IS_UNION"), None],
        ),
    ] {
        let options = ReadOptions {
            as_kind: kind,
            ..ReadOptions::default()
        };
        let list = read_list(text.as_bytes(), "list.csv", &options).expect("readable");
        let plan = Register::default().plan(&list);
        assert_eq!(plan.summary.read_as, read_as);
        assert_eq!((plan.summary.scope["UNION"], plan.summary.scope["B"]), (2, 1));
        let codes: Vec<Option<&str>> = plan
            .rows
            .iter()
            .map(|row| match &row.outcome {
                Outcome::Refused(problems) => Some(problems[0].code.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(codes, expected);
    }
}

#[test]
fn a_number_of_a_person_blanks_its_cell_and_keeps_the_row() {
    let text = "名称,统一社会信用代码,地址\n甲学校,52140829MJ1938921G,某路1号 电话13812345678\n";
    let list = read_list(text.as_bytes(), "list.csv", &ReadOptions::default()).expect("readable");
    let plan = Register::default().plan(&list);
    let candidate = plan.candidates(&list).next().expect("the row is kept");
    let Record::Organisation(record) = candidate.record else {
        panic!("an organisation")
    };
    assert_eq!(record.address, None);
    assert_eq!(candidate.problems[0].code, "V37");
    assert!(
        !serde_json::to_string(&plan.summary)
            .expect("plain data")
            .contains("13812345678")
    );
}
