//! The edge rules of reading, each as a case.

use rollcall_core::date::Day;
use rollcall_core::fact::{Facts, OrganisationFacts};
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::term::{RegistrationStatus, Source};

use crate::document::Document;
use crate::samples::{by, empty, import, parse, sample, write};

fn day(text: &str) -> Day {
    text.parse().expect("a day")
}

fn organisation(document: &Document) -> OrganisationFacts {
    match document.facts().0 {
        Facts::Organisation(facts) => *facts,
        other => panic!("an organisation's facts: {other:?}"),
    }
}

/// Facts of an organisation with these further members in its record.
fn read(members: &str) -> OrganisationFacts {
    let record = parse(&format!(r#"{{"type":"organisation","id":"O1",{members}}}"#));
    let mut document = empty(&record);
    import(&mut document, &record, &by(1));
    organisation(&document)
}

#[test]
fn every_kind_has_facts_without_problems() {
    for kind in DocumentKind::ALL {
        let (document, _) = sample(kind);
        let (facts, problems) = document.facts();
        assert_eq!(problems, [], "{kind:?}");
        let open = match facts {
            Facts::Organisation(facts) => facts.open_conflicts,
            Facts::Union(facts) => facts.open_conflicts,
            Facts::Fund(facts) => facts.open_conflicts,
            Facts::Subsidy(facts) => facts.open_conflicts,
            Facts::SameAs(facts) => facts.open_conflicts,
            Facts::Federation(facts) => u32::from(facts.id.as_str() != "330000/education"),
            Facts::Campaign(facts) => {
                u32::from(facts.targets != [(day("2023-12-31"), 60), (day("2024-12-31"), 85)])
            }
        };
        assert_eq!(open, 0, "{kind:?}");
    }
}

#[test]
fn a_start_counts_from_the_last_day_it_could_be_and_an_ending_from_the_first() {
    let facts = read(
        r#""registered_on":"2015","location":"330106001","registration_status":"revoked","status_on":"2024-02",
        "exclusions":[{"id":"x","reason":"DORMANT","from":"2023-05","until":"2023-10","approved_on":"2023"}],
        "coverage":[{"id":"c","union":"J1","from":"2023-11","until":"2024","consent_on":"2023-12"}],
        "organisers":[{"id":"o","elected_on":"2023-09","ended_on":"2024-03"}]"#,
    );
    assert_eq!(
        (facts.location[0].from, facts.location[0].value),
        (day("2015-12-31"), 330_106)
    );
    let status: Vec<_> = facts.status.iter().map(|fact| (fact.from, fact.value)).collect();
    assert_eq!(
        status,
        [
            (day("2015-12-31"), RegistrationStatus::Registered),
            (day("2024-02-01"), RegistrationStatus::Revoked)
        ]
    );
    let exclusion = facts.exclusions[0];
    assert_eq!(
        (exclusion.from, exclusion.until, exclusion.approved_on),
        (
            day("2023-05-31"),
            Some(day("2023-10-01")),
            Some(day("2023-12-31"))
        )
    );
    let link = facts.coverage[0];
    assert_eq!(link.union, DocumentId::derive(DocumentKind::Union, "J1"));
    assert_eq!(
        (link.from, link.until, link.consent_on),
        (
            day("2023-11-30"),
            Some(day("2024-01-01")),
            Some(day("2023-12-31"))
        )
    );
    assert_eq!(facts.organisers, [(day("2023-09-30"), Some(day("2024-03-01")))]);
}

#[test]
fn on_one_date_the_better_source_of_the_status_holds() {
    let facts = read(
        r#""registration_status":[{"value":"deregistered","from":"2024-06-01","source":"registry"},
        {"value":"registered","from":"2024-06-01","source":"self_report"},
        {"value":"registered","from":"2015-01-01","source":"import"}]"#,
    );
    let status: Vec<_> = facts
        .status
        .iter()
        .map(|fact| (fact.from, fact.source, fact.value))
        .collect();
    assert_eq!(
        status,
        [
            (day("2015-01-01"), Source::Import, RegistrationStatus::Registered),
            (
                day("2024-06-01"),
                Source::Registry,
                RegistrationStatus::Deregistered
            ),
        ]
    );
}

#[test]
fn a_handover_counts_from_the_second_signature_and_not_before() {
    let facts = read(
        r#""registered_on":"2015-01-01","responsible":"330106",
        "handovers":[{"id":"h1","to":"330105","on":"2024-01-10","accepted_on":"2024-01-20"},{"id":"h2","to":"330108","on":"2024-05-01"}]"#,
    );
    let held: Vec<_> = facts
        .responsible
        .iter()
        .map(|fact| (fact.from, fact.value.as_str()))
        .collect();
    assert_eq!(
        held,
        [(day("2015-01-01"), "330106"), (day("2024-01-20"), "330105")]
    );
    assert_eq!(read(r#""location":"330106""#).responsible, []);
}

#[test]
fn only_an_authority_with_a_document_of_its_own_beats_the_code() {
    let facts = read(
        r#""registration_authority":[{"value":"330100","from":"2015-01-01","source":"registry"},
        {"value":"330000","from":"2020-01-01","source":"registry","document":"No. 7"}]"#,
    );
    assert_eq!(
        facts.authority.iter().map(|fact| fact.value).collect::<Vec<_>>(),
        [330_000]
    );
}

#[test]
fn what_was_withdrawn_is_no_fact() {
    let (mut document, _) = sample(DocumentKind::Organisation);
    let before = organisation(&document);
    assert!(!before.exclusions.is_empty() && before.counts.len() == 2 && !before.names.is_empty());
    for field in [
        "exclusions/x1/withdrawn",
        "counts/2022-12-31|registry/withdrawn",
        "name@2009-08-12|registry/withdrawn",
    ] {
        let field = field.replace('@', "/");
        let edits = document
            .set(&field, "2024-05-01 entered by mistake")
            .expect("it can be withdrawn");
        write(&mut document, &edits, &by(2));
    }
    let after = organisation(&document);
    assert_eq!(
        (after.exclusions.len(), after.counts.len(), after.names.len()),
        (0, 1, 0)
    );
    let (record, problems) = document.record();
    assert_eq!(problems, []);
    assert_eq!(document.plan(&record).expect("an export can be imported"), []);
}

#[test]
fn values_set_apart_stay_side_by_side() {
    let (base, _) = sample(DocumentKind::Organisation);
    let heads = base.heads();
    let mut document = base.clone();
    for (actor, field, value) in [
        (2, "registered_on", "2010-01-01"),
        (3, "registered_on", "2011-01-01"),
        (4, "location", "330106"),
        (5, "location", "330105"),
    ] {
        let edits = base.set(field, value).expect("a field");
        write(
            &mut document,
            &edits,
            &crate::EditBy {
                heads: Some(heads.clone()),
                ..by(actor)
            },
        );
    }
    let facts = organisation(&document);
    assert_eq!(
        facts
            .registered_on
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["2010-01-01", "2011-01-01"]
    );
    let places: Vec<_> = facts
        .location
        .iter()
        .map(|fact| (fact.from, fact.value))
        .collect();
    assert_eq!(
        places,
        [(day("2009-08-12"), 330_106), (day("2009-08-12"), 330_105)]
    );
    assert_eq!(facts.open_conflicts, 2);
}

#[test]
fn an_entry_amended_apart_has_a_reading_for_each_value() {
    let record = parse(
        r#"{"type":"organisation","id":"O1","coverage":[{"id":"c","union":"J1","from":"2023-11-01","consent_on":"2023-11-01"}],
        "handovers":[{"id":"h","to":"330105","on":"2024-01-10"}],
        "exclusions":[{"id":"x","reason":"DORMANT","from":"2023-05-01","evidence":"no"}]}"#,
    );
    let mut base = empty(&record);
    import(&mut base, &record, &by(1));
    let mut document = base.clone();
    for (actor, field, value) in [
        (2, "coverage/c/until", "2024-06-30"),
        (3, "coverage/c/until", "2024"),
        (4, "handovers/h/accepted_on", "2024-02-01"),
        (5, "handovers/h/accepted_on", "2024-03-01"),
        // Different words about the evidence change nothing that is counted.
        (6, "exclusions/x/evidence", "one"),
        (7, "exclusions/x/evidence", "two"),
    ] {
        let edits = base.set(field, value).expect("a field");
        write(
            &mut document,
            &edits,
            &crate::EditBy {
                heads: Some(base.heads()),
                ..by(actor)
            },
        );
    }
    let facts = organisation(&document);
    let [link] = &facts.disputed.coverage[..] else {
        panic!("one disputed link: {facts:?}")
    };
    assert_eq!(link.shown.as_ref(), facts.coverage.first());
    let readings = link.others.iter().chain([&link.shown]).flatten();
    let mut ends: Vec<_> = readings.filter_map(|reading| reading.until).collect();
    ends.sort_unstable();
    assert_eq!(ends, [day("2024-01-01"), day("2024-06-30")]);
    let [handover] = &facts.disputed.responsible[..] else {
        panic!("one disputed handover: {facts:?}")
    };
    assert_eq!(handover.readings(), 2);
    assert_eq!((facts.responsible.len(), facts.disputed.exclusions.len()), (1, 0));
    assert_eq!(facts.open_conflicts, 3);
    let mut links = facts.coverage.clone();
    link.put(&mut links, 1);
    assert_eq!(links.first().copied(), link.others[0]);
}

#[test]
fn entries_made_apart_under_one_id_are_two() {
    let base = sample(DocumentKind::Fund).0;
    let with = |amount: u32| {
        parse(&format!(
            r#"{{"type":"fund","id":"F2023","federation":"140829","year":2023,
            "entries":[{{"id":"m2","entry":"spent","on":"2023-07-01","amount_fen":{amount}}}]}}"#
        ))
    };
    let heads = base.heads();
    let mut document = base.clone();
    for (actor, amount) in [(2, 100), (3, 100), (4, 250)] {
        let edits = base.plan(&with(amount)).expect("a record");
        write(
            &mut document,
            &edits,
            &crate::EditBy {
                heads: Some(heads.clone()),
                ..by(actor)
            },
        );
    }
    let (facts, problems) = document.facts();
    let Facts::Fund(facts) = facts else {
        panic!("a fund's facts")
    };
    let amounts: Vec<i64> = facts.entries.iter().map(|entry| entry.amount_fen).collect();
    assert_eq!(amounts, [20_000_000, 100, 250]);
    assert!(facts.entries[2].id.starts_with("m2~"));
    assert_eq!(
        problems
            .iter()
            .map(|problem| problem.code.as_str())
            .collect::<Vec<_>>(),
        ["ENTRY_TWICE"]
    );
    assert_eq!(facts.open_conflicts, 0);
    let (record, _) = document.record();
    assert_eq!(document.plan(&record).expect("an export can be imported"), []);
    assert_eq!(
        document.plan(&with(250)).expect_err("another amount for m2")[0].code,
        "LEDGER_FIXED"
    );
}
