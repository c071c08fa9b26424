//! The test vector of `domain.md` 6: twelve organisations and two shared unions, every figure at three dates.

use std::collections::BTreeMap;

use rollcall_core::fact::{Facts, OrganisationFacts};
use rollcall_core::figure::{Dimension, FiguresAnswer, FiguresRow};
use rollcall_core::id::DocumentId;
use rollcall_core::scope::OutReason;
use rollcall_core::term::{Category, ExclusionReason, RegistrationStatus, UnionEvent, UnionForm};

use super::{
    cube_of, date, dated, day, established, event, exclusion, federation, link, organisation,
    organisation_id, own_union, union_id, workers,
};
use crate::{Cube, FiguresQuery, Heard, Set};

const O1: &str = "51330000XXXX00019Q";
const O2: &str = "53330000XXXX00027D";
const O3: &str = "52330106XXXX000357";
const O4: &str = "52330106XXXX000432";
const O5: &str = "52330100XXXX000516";
const O6: &str = "91330106XXXX0006XK";
const O7: &str = "51330106XXXX00078P";
const O8: &str = "51330000XXXX00086N";
const O9: &str = "52330000XXXX00094E";
const O10: &str = "52330106XXXX001070";
const O11: &str = "53330000XXXX00115U";
const O12: &str = "51330000XXXX00123W";
const O13: &str = "52330000XXXX00131L";

/// The documents of the vector.
pub(crate) fn documents() -> Vec<(DocumentId, Facts)> {
    let mut documents = Vec::new();
    let mut add = |code: &str, category, responsible, headcount, change: &dyn Fn(&mut OrganisationFacts)| {
        let mut facts = organisation(code, category, responsible, "2015-01-01");
        facts.counts = vec![workers("2022-12-31", headcount)];
        change(&mut facts);
        documents.push((organisation_id(code), Facts::Organisation(Box::new(facts))));
    };
    let other = Category::Other;
    add(O1, other, "330000", 40, &|_| {});
    add(O2, other, "330000", 6, &|facts| {
        facts.coverage = vec![link("J1", "2023-11-01")]
    });
    add(O3, Category::Kindergarten, "330106", 19, &|facts| {
        facts.coverage = vec![link("J1", "2024-03-01")]
    });
    add(O4, Category::School, "330106", 120, &|_| {});
    add(O5, Category::Hospital, "330100", 260, &|_| {});
    add(O6, Category::Hospital, "330106", 300, &|_| {});
    add(O7, other, "330106", 10, &|_| {});
    add(O8, other, "330000", 0, &|facts| {
        facts.exclusions = vec![exclusion(ExclusionReason::NoWorkers, "2023-05-01")];
    });
    add(O9, other, "330000", 30, &|facts| {
        facts
            .status
            .push(dated("2024-06-30", RegistrationStatus::Deregistered));
    });
    add(O10, Category::Kindergarten, "330106", 8, &|facts| {
        facts.organisers = vec![(day("2023-09-01"), None)];
        facts.coverage = vec![link("F1", "2024-05-01")];
    });
    add(O11, other, "330000", 12, &|facts| {
        facts.registered_on = vec![date("2024-01-10")];
        facts.counts = vec![workers("2024-01-10", 12)];
    });
    add(O12, other, "330000", 15, &|facts| {
        facts.exclusions = vec![exclusion(ExclusionReason::HostStaff, "2023-05-01")];
    });
    documents.push(own_union(O1, "330000", "2023-06-30", 5));
    documents.push(own_union(O5, "330100", "2019-05-10", 3));
    documents.push(own_union(O6, "330106", "2020-01-01", 5));
    documents.push(own_union(O9, "330000", "2023-03-01", 5));
    let (id, mut o4) = own_union(O4, "330106", "2023-12-20", 5);
    if let Facts::Union(facts) = &mut o4 {
        facts.events[2] = event(UnionEvent::Elected, "2024-01-12", Some(5));
        facts.events[3] = event(UnionEvent::Established, "2024-01-15", None);
    }
    documents.push((id, o4));
    let shared = |key: &str, form, on: &str| {
        (
            union_id(key),
            Facts::Union(Box::new(established(key, form, "330105", on, 5))),
        )
    };
    documents.push(shared("J1", UnionForm::Joint, "2023-10-20"));
    documents.push(shared("F1", UnionForm::Federation, "2023-08-01"));
    documents
}

fn second() -> Vec<(DocumentId, Facts)> {
    let mut documents = documents();
    let mut facts = organisation(O13, Category::Hospital, "330000", "2024-10-01");
    facts.counts = vec![workers("2024-10-01", 50)];
    documents.push((organisation_id(O13), Facts::Organisation(Box::new(facts))));
    documents
}

fn answer(cube: &Cube, as_of: &str, by: &[Dimension]) -> FiguresAnswer {
    let query = FiguresQuery {
        by: by.to_vec(),
        ..FiguresQuery::at(day(as_of))
    };
    cube.figures(&query, &Heard::default()).expect("a plain question")
}

/// Headline, identified, strict as text; S, E, C.
fn shown(answer: &FiguresAnswer) -> String {
    let figures = &answer.total.figures;
    let rate = |rate: &rollcall_core::figure::BoundedRate| {
        let ratio = rate.rate.ratio;
        assert_eq!((rate.low, rate.high), (ratio, ratio), "nothing is in conflict");
        let percent = rate.rate.percent().unwrap_or_else(|| "none".to_owned());
        format!("{}/{} {percent}", ratio.numerator, ratio.denominator)
    };
    format!(
        "S{} E{} C{} headline {} identified {} strict {}",
        figures.in_scope,
        figures.eligible,
        figures.covered,
        rate(&figures.establishment_rate),
        rate(&figures.identified_rate),
        rate(&figures.strict_rate)
    )
}

#[test]
fn the_rates_are_those_worked_out_by_hand() {
    let cube = cube_of(documents());
    for (as_of, expected) in [
        (
            "2023-12-31",
            "S9 E7 C4 headline 4/7 57.14 identified 4/9 44.44 strict 3/7 42.86",
        ),
        (
            "2024-06-30",
            "S9 E7 C6 headline 6/7 85.71 identified 6/9 66.67 strict 5/7 71.43",
        ),
        (
            "2024-12-31",
            "S9 E7 C6 headline 6/7 85.71 identified 6/9 66.67 strict 5/7 71.43",
        ),
    ] {
        assert_eq!(shown(&answer(&cube, as_of, &[])), expected, "{as_of}");
    }
}

#[test]
fn unions_membership_and_reasons_are_those_worked_out_by_hand() {
    let cube = cube_of(documents());
    let counts = |counts: rollcall_core::figure::UnionCounts| (counts.own, counts.joint, counts.federation);
    for (as_of, unions, all, members, unknown, out) in [
        (
            "2023-12-31",
            (3, 1, 0),
            (4, 1, 1),
            (0, 147),
            4,
            vec![("NOT_REGISTERED", 1)],
        ),
        (
            "2024-12-31",
            (3, 1, 1),
            (4, 1, 1),
            (0, 12),
            6,
            vec![("NOT_REGISTERED", 1)],
        ),
    ] {
        let figures = answer(&cube, as_of, &[]).total.figures;
        assert_eq!(counts(figures.unions), unions, "{as_of}");
        assert_eq!(counts(figures.unions_all.expect("by places")), all, "{as_of}");
        let ratio = figures.membership_rate_all.rate.ratio;
        assert_eq!((ratio.numerator, ratio.denominator), members, "{as_of}");
        assert_eq!(figures.membership_rate_all.units_unknown, unknown);
        assert_eq!(figures.membership_rate.rate.percent(), None);
        let mut expected = BTreeMap::from([("OUT_FOR_PROFIT", 1), ("OUT_LEVEL", 1)]);
        expected.extend(out);
        assert_eq!(figures.out_of_scope, expected, "{as_of}");
        assert_eq!(
            figures.excluded,
            BTreeMap::from([("HOST_STAFF", 1), ("NO_WORKERS", 1)])
        );
    }
}

fn row(answer: &FiguresAnswer, value: Option<&str>) -> FiguresRow {
    answer
        .rows
        .iter()
        .find(|row| row.key.0[0].1.as_deref() == value)
        .expect("the row")
}

#[test]
fn groups_are_those_worked_out_by_hand() {
    let cube = cube_of(documents());
    for (as_of, a, b, strict_b) in [
        ("2023-12-31", (3, 3), (1, 4), (0, 4)),
        ("2024-12-31", (2, 3), (4, 4), (3, 4)),
    ] {
        let answer = answer(&cube, as_of, &[Dimension::Group]);
        let pair = |ratio: rollcall_core::ratio::Ratio| (ratio.numerator, ratio.denominator);
        let headline = |group| pair(row(&answer, Some(group)).figures.establishment_rate.rate.ratio);
        assert_eq!((headline("A"), headline("B")), (a, b), "{as_of}");
        let of_a = FiguresQuery {
            filters: vec![(Dimension::Group, "A".to_owned())],
            ..FiguresQuery::at(day(as_of))
        };
        let of_a = cube
            .headlines(&of_a, &Heard::default())
            .expect("a plain question");
        assert_eq!(pair(of_a[&day(as_of)].rate.ratio), a, "{as_of}");
        assert_eq!(
            pair(row(&answer, Some("B")).figures.strict_rate.rate.ratio),
            strict_b,
            "{as_of}"
        );
        assert_eq!(pair(answer.total.group_b_all.ratio), b, "{as_of}");
    }
}

#[test]
fn an_organisation_in_both_groups_is_shown_in_a_and_counted_in_b_in_full() {
    let cube = cube_of(second());
    let answer = answer(&cube, "2024-12-31", &[Dimension::Group]);
    let ratio =
        |rate: &rollcall_core::figure::BoundedRate| (rate.rate.ratio.numerator, rate.rate.ratio.denominator);
    assert_eq!(ratio(&answer.total.figures.establishment_rate), (6, 8));
    assert_eq!(ratio(&row(&answer, Some("A")).figures.establishment_rate), (2, 4));
    assert_eq!(ratio(&row(&answer, Some("B")).figures.establishment_rate), (4, 4));
    let full = answer.total.group_b_all.ratio;
    assert_eq!((full.numerator, full.denominator), (4, 5));
}

#[test]
fn targets_are_judged_on_their_own_dates() {
    let cube = cube_of(documents());
    let verdicts = |as_of| {
        let targets = answer(&cube, as_of, &[]).targets;
        targets
            .iter()
            .map(|target| (target.numerator, target.denominator, target.met))
            .collect::<Vec<_>>()
    };
    let first = (Some(4), Some(7), Some(false));
    assert_eq!(verdicts("2024-12-31"), [first, (Some(6), Some(7), Some(true))]);
    assert_eq!(verdicts("2024-06-30"), [first, (None, None, None)]);
}

#[test]
fn alerts_are_those_worked_out_by_hand() {
    let cube = cube_of(documents());
    let named: BTreeMap<DocumentId, &str> = [O4, O5, O9]
        .into_iter()
        .map(|code| (organisation_id(code), code))
        .chain([(union_id("J1"), "J1")])
        .collect();
    let found = |as_of| {
        let findings = cube.findings(day(as_of)).into_iter();
        let subject = |finding: &crate::Finding| {
            named
                .get(&finding.document)
                .or_else(|| named.get(&finding.other?))
                .copied()
                .unwrap_or("other")
        };
        findings
            .map(|finding| (finding.rule, subject(&finding)))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("2023-12-31"),
        [("V15", O4), ("V17", "J1"), ("V21", O5), ("V22", O5)]
    );
    assert_eq!(found("2024-12-31"), [("V21", O5), ("V22", O5), ("V27", O9)]);
}

#[test]
fn the_list_behind_each_number_has_as_many_organisations() {
    let cube = cube_of(second());
    let query = FiguresQuery {
        by: vec![Dimension::County],
        ..FiguresQuery::at(day("2024-12-31"))
    };
    let answer = cube.figures(&query, &Heard::default()).expect("a plain question");
    for row in &answer.rows {
        let listed = |set| {
            cube.members(&query, &row.key, &[set])
                .expect("a plain question")
                .len() as u64
        };
        let figures = &row.figures;
        assert_eq!(listed(Set::InScope), figures.in_scope);
        assert_eq!(listed(Set::Eligible), figures.eligible);
        assert_eq!(listed(Set::Covered), figures.covered);
        assert_eq!(listed(Set::Uncovered), figures.eligible - figures.covered);
        assert_eq!(listed(Set::Excluded), figures.excluded.values().sum::<u64>());
        let out = figures.out_of_scope.get("OUT_LEVEL").copied().unwrap_or(0);
        assert_eq!(listed(Set::Out(OutReason::Level)), out);
        let either = cube.members(
            &query,
            &row.key,
            &[Set::Covered, Set::Eligible, Set::Out(OutReason::Level)],
        );
        let either = either.expect("a plain question").len() as u64;
        assert_eq!(
            either,
            figures.eligible + out,
            "who is in two sets is listed once"
        );
    }
    let excluded = cube.members(
        &FiguresQuery::at(day("2024-12-31")),
        &rollcall_core::figure::RowKey::default(),
        &[Set::ExcludedFor(ExclusionReason::NoWorkers)],
    );
    assert_eq!(excluded, Ok(vec![organisation_id(O8)]));
}

#[test]
fn one_organisation_shows_why_it_counts() {
    let cube = cube_of(documents());
    let status = |code, as_of| {
        cube.organisation(organisation_id(code), day(as_of))
            .expect("held")
    };
    let o2 = status(O2, "2023-12-31");
    assert_eq!(
        (o2.covered, o2.form.name(), o2.unions),
        (true, "joint", vec![union_id("J1")])
    );
    let o5 = status(O5, "2023-12-31");
    assert!(o5.covered && !o5.strict && o5.group_b && !o5.group_a);
    assert_eq!(status(O9, "2024-06-30").out, Some(OutReason::NotRegistered));
    assert_eq!(
        status(O12, "2024-06-30").excluded,
        Some(ExclusionReason::HostStaff)
    );
    assert_eq!(status(O4, "2023-12-31").stage.name(), "founding_approved");
    assert_eq!(status(O5, "2023-12-31").responsible, federation("330100"));
}

#[test]
fn the_answer_is_shaped_like_the_contract() {
    let cube = cube_of(documents());
    let answer = answer(&cube, "2024-12-31", &[Dimension::Province]);
    let json: serde_json::Value = serde_json::to_value(&answer).expect("plain data");
    let row = &json["rows"][0];
    assert_eq!(row["key"], serde_json::json!({ "province": "330000" }));
    assert_eq!(row["name"], "浙江省");
    assert_eq!(row["establishment_rate"]["percent"], "85.71");
    assert_eq!(
        row["establishment_rate"]["high"],
        serde_json::json!({ "numerator": 6, "denominator": 7 })
    );
    assert_eq!(row["membership_rate"]["units_unknown"], 6);
    assert_eq!(json["total"]["group_b_all"]["percent"], "100.00");
    assert_eq!(json["targets"][1]["met"], true);
    assert_eq!(json["settings"]["grace_months"], 0);
    assert_eq!(json["by"], serde_json::json!(["province"]));
    assert!(row.get("as_of").is_none());
    assert_eq!(row["completeness"]["scopes_expected"], 3);
}
