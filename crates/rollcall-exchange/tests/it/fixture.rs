//! The excerpts of real lists in `tests/fixtures/lists`, with what is known about them.

use rollcall_core::record::Record;
use rollcall_exchange::{List, ReadOptions, read_list};

use crate::Register;

fn fixture(name: &str) -> List {
    let path = format!("{}/../../tests/fixtures/lists/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).expect("the fixture is part of the repository");
    read_list(&bytes, name, &ReadOptions::default()).expect(name)
}

#[test]
fn every_excerpt_is_sorted_as_known_and_changes_nothing_the_second_time() {
    for (name, read_as, encoding, rows, new, duplicate, scope) in [
        (
            "social_and_public_organisations.csv",
            "organisations",
            "UTF-8",
            37,
            35,
            0,
            &[][..],
        ),
        (
            "for_profit_schools_hospitals.csv",
            "organisations",
            "UTF-8",
            35,
            34,
            0,
            &[("OUT_FOR_PROFIT", 34), ("NO_CODE", 1)],
        ),
        (
            "legacy_registration_numbers.csv",
            "organisations",
            "UTF-8",
            35,
            0,
            0,
            &[("NO_CODE", 35)],
        ),
        ("unions.csv", "unions", "UTF-8", 35, 35, 0, &[("UNION", 35)]),
        (
            "kindergartens_gb18030.csv",
            "organisations",
            "GB18030",
            30,
            30,
            0,
            &[("NO_CODE", 30)],
        ),
        (
            "schools.csv",
            "organisations",
            "UTF-8",
            36,
            32,
            4,
            &[("NO_CODE", 36)],
        ),
        (
            "hospitals.xlsx",
            "organisations",
            "UTF-8",
            35,
            35,
            0,
            &[("NO_CODE", 35)],
        ),
    ] {
        let list = fixture(name);
        let mut register = Register::default();
        let summary = register.import(&list).summary;
        let found = (
            summary.read_as.as_str(),
            summary.encoding.as_str(),
            summary.rows_read,
            summary.new,
            summary.duplicate,
        );
        assert_eq!(
            found,
            (read_as, encoding, rows, new, duplicate),
            "{name}: {:?}",
            summary.problems
        );
        for (reason, count) in scope {
            assert_eq!(summary.scope.get(*reason), Some(count), "{name}");
        }
        let again = register.import(&list).summary;
        assert_eq!((again.new, again.updated, again.unchanged), (0, 0, new), "{name}");
    }
}

#[test]
fn a_refused_row_names_its_legacy_number() {
    let list = fixture("legacy_registration_numbers.csv");
    let summary = Register::default().plan(&list).summary;
    let first = &summary.problems[0];
    assert_eq!(
        (first.row, first.column.as_deref(), first.code.as_str()),
        (Some(2), Some("统一社会信用代码"), "V01")
    );
    assert!(first.message.contains("320722NA000624X"), "{}", first.message);
}

#[test]
fn places_are_told_from_names_address_or_code() {
    for (list, name, expected) in [
        ("schools.csv", "北京市第二中学", Some("110101")),
        (
            "hospitals.xlsx",
            "北京市隆福医院(北京市东城区老年病医院)",
            Some("110101"),
        ),
        ("kindergartens_gb18030.csv", "爱华幼儿园", Some("440105")),
        ("kindergartens_gb18030.csv", "95107部队幼儿园", Some("440100")),
        (
            "for_profit_schools_hospitals.csv",
            "大同煤矿一医院实业公司",
            Some("140200"),
        ),
    ] {
        let list_read = fixture(list);
        let plan = Register::default().plan(&list_read);
        let record = plan
            .candidates(&list_read)
            .find_map(|row| match row.record {
                Record::Organisation(record) => {
                    let text = serde_json::to_value(&record).expect("plain data");
                    (text["name"] == name).then(|| text["location"].as_str().map(str::to_owned))
                }
                _ => None,
            })
            .unwrap_or_else(|| panic!("{list} has {name}"));
        assert_eq!(record.as_deref(), expected, "{name}");
    }
}

#[test]
fn a_union_says_its_form_and_the_federation_above() {
    let list = fixture("unions.csv");
    let plan = Register::default().plan(&list);
    let Some(Record::Union(first)) = plan.candidates(&list).next().map(|row| row.record) else {
        panic!("the list holds unions");
    };
    let text = serde_json::to_value(&first).expect("plain data");
    assert_eq!(text["code"], "81530400560076062A");
    assert_eq!(text["form"], "own");
    assert_eq!(text["higher_union"], "530400");
}
