//! Subsidy totals of `domain.md` 7: duplicates, transfers in transit, months, and what a closed year keeps.

use rollcall_core::amount::Fen;
use rollcall_core::fact::{Facts, FundEntryFact, FundFacts, SubsidyEntryFact, SubsidyFacts};
use rollcall_core::figure::{SubsidiesAnswer, SubsidyDimension};
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::term::{FundEntryKind, SubsidyEntryKind, SubsidyKind, UnionForm};

use super::{cube_of, day, established, federation, union_id};
use crate::{Cube, SubsidiesQuery};

fn case(
    key: &str,
    payer: &str,
    union: &str,
    entries: &[(SubsidyEntryKind, &str, i64)],
) -> (DocumentId, Facts) {
    let entries = (1..)
        .zip(entries)
        .map(|(number, (entry, on, amount_fen))| SubsidyEntryFact {
            id: format!("p{number}"),
            entry: *entry,
            on: day(on),
            amount_fen: *amount_fen,
            by: Some(format!("{payer}/{number}")),
            of: None,
        });
    let facts = SubsidyFacts {
        record_id: Some(key.to_owned()),
        federation: vec![federation(payer)],
        payee_union: vec![union_id(union)],
        payee_federation: Vec::new(),
        kind: vec![SubsidyKind::FixedSubsidy],
        rule: vec!["new-union".to_owned()],
        period: vec!["2023".to_owned()],
        fund: Vec::new(),
        entries: entries.collect(),
        open_conflicts: 0,
    };
    (
        DocumentId::derive(DocumentKind::Subsidy, key),
        Facts::Subsidy(Box::new(facts)),
    )
}

fn fund(payer: &str, entries: &[(FundEntryKind, &str, i64, Option<&str>)]) -> (DocumentId, Facts) {
    let entries = (1..)
        .zip(entries)
        .map(|(number, (entry, on, amount_fen, transfer))| FundEntryFact {
            id: format!("m{number}"),
            entry: *entry,
            on: day(on),
            amount_fen: *amount_fen,
            counterparty: None,
            transfer: transfer.map(str::to_owned),
            of: None,
        });
    let facts = FundFacts {
        record_id: Some(format!("F{payer}")),
        federation: vec![federation(payer)],
        year: vec![2023],
        entries: entries.collect(),
        open_conflicts: 0,
    };
    (
        DocumentId::derive(DocumentKind::Fund, &format!("F{payer}")),
        Facts::Fund(facts),
    )
}

fn world() -> Cube {
    use FundEntryKind::{PassedDown, Received, SetAside};
    use SubsidyEntryKind::{Applied, Approved, Disbursed, Recovered};
    cube_of([
        (
            union_id("J1"),
            Facts::Union(Box::new(established(
                "J1",
                UnionForm::Joint,
                "330106",
                "2023-01-01",
                5,
            ))),
        ),
        case(
            "S1",
            "330106",
            "J1",
            &[
                (Applied, "2023-11-01", 0),
                (Approved, "2023-11-05", 500),
                (Disbursed, "2023-11-20", 300),
                (Disbursed, "2024-01-10", 100),
            ],
        ),
        // The province granted the same without knowing: a day later, so it is the duplicate.
        case(
            "S2",
            "330000",
            "J1",
            &[
                (Approved, "2023-11-06", 500),
                (Disbursed, "2023-12-01", 500),
                (Recovered, "2024-02-01", 200),
            ],
        ),
        fund(
            "330000",
            &[
                (SetAside, "2023-06-01", 10_000, None),
                (PassedDown, "2023-06-02", 4_000, Some("t1")),
                (PassedDown, "2023-06-03", 1_000, Some("t2")),
            ],
        ),
        fund(
            "330106",
            &[
                (Received, "2023-06-05", 4_000, Some("t1")),
                (SetAside, "2023-06-01", 700, None),
            ],
        ),
    ])
}

fn ask(cube: &Cube, query: &SubsidiesQuery) -> SubsidiesAnswer {
    cube.subsidies(query).expect("a plain question")
}

#[test]
fn a_year_has_what_was_booked_in_it() {
    let total = ask(&world(), &SubsidiesQuery::year(2023)).total;
    assert_eq!(total.approved_fen, Fen(1000));
    assert_eq!(total.disbursed_fen, Fen(800));
    assert_eq!(total.duplicate_fen, Fen(500));
    assert_eq!(total.net_fen, Fen(300));
    assert_eq!(total.outstanding_fen, Fen(200));
    assert_eq!((total.cases, total.payees), (2, 1));
}

#[test]
fn money_paid_back_by_a_duplicate_is_taken_off_once() {
    let total = ask(&world(), &SubsidiesQuery::default()).total;
    assert_eq!(
        (total.disbursed_fen, total.recovered_fen, total.duplicate_fen),
        (Fen(900), Fen(200), Fen(500))
    );
    // 900 paid, 200 back, 300 of the duplicate still out.
    assert_eq!(total.net_fen, Fen(400));
    assert_eq!(total.outstanding_fen, Fen(100));
}

#[test]
fn a_transfer_is_no_spending_and_is_in_transit_until_received() {
    let answer = ask(&world(), &SubsidiesQuery::year(2023));
    let total = &answer.total;
    assert_eq!(total.set_aside_fen, Fen(10_700), "own money of both");
    assert_eq!(
        (total.passed_down_fen, total.received_fen),
        (Fen(5_000), Fen(4_000))
    );
    assert_eq!(total.in_transit_fen, Fen(1_000));
    let open: Vec<_> = answer
        .in_transit
        .iter()
        .map(|transit| transit.transfer.as_deref())
        .collect();
    assert_eq!(open, [Some("t2")]);
}

#[test]
fn rows_add_up_and_are_named() {
    let cube = world();
    for by in SubsidyDimension::ALL {
        let answer = ask(
            &cube,
            &SubsidiesQuery {
                by: Some(by),
                ..SubsidiesQuery::year(2023)
            },
        );
        for column in [
            |figures: &rollcall_core::figure::SubsidyFigures| figures.disbursed_fen,
            |figures: &rollcall_core::figure::SubsidyFigures| figures.approved_fen,
            |figures: &rollcall_core::figure::SubsidyFigures| figures.set_aside_fen,
            |figures: &rollcall_core::figure::SubsidyFigures| figures.in_transit_fen,
        ] {
            let sum: Fen = answer.rows.iter().map(|row| column(&row.figures)).sum();
            assert_eq!(sum, column(&answer.total), "{}", by.name());
        }
    }
    let months = ask(
        &cube,
        &SubsidiesQuery {
            by: Some(SubsidyDimension::Month),
            ..SubsidiesQuery::year(2023)
        },
    );
    let names: Vec<_> = months.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["2023-06", "2023-11", "2023-12"]);
    let json = serde_json::to_value(&months).expect("plain data");
    assert_eq!(json["rows"][1]["key"], serde_json::json!({ "month": "2023-11" }));
    assert_eq!(json["rows"][1]["disbursed_fen"], 300);
}

#[test]
fn duplicates_are_findings_too() {
    let findings = world().findings(day("2023-12-31"));
    let duplicates: Vec<_> = findings.iter().filter(|finding| finding.rule == "V33").collect();
    assert_eq!(duplicates.len(), 1);
    assert_eq!(
        duplicates[0].document,
        DocumentId::derive(DocumentKind::Subsidy, "S2")
    );
    assert_eq!(
        duplicates[0].other,
        Some(DocumentId::derive(DocumentKind::Subsidy, "S1"))
    );
}
