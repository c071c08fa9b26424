//! Edge rules of `domain.md` 6 that need more than one document.

use rollcall_core::date::Day;
use rollcall_core::fact::{
    CampaignFacts, Disputed, Facts, LinkFact, OrganisationFacts, SameAsFacts, UnionEventFact, UnionFacts,
};
use rollcall_core::figure::{Dimension, Figures};
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::ratio::Ratio;
use rollcall_core::term::{Category, RegistrationStatus, UnionEvent, UnionForm};

use super::{
    cube_of, dated, day, established, event, federation, headline, link, organisation, organisation_id,
    own_union, union_id, workers,
};
use crate::{Cube, FiguresQuery, Heard};

const SCHOOL: &str = "52330106XXXX000432";
const OTHER_SCHOOL: &str = "52330106XXXX000357";

fn document(code: &str, facts: OrganisationFacts) -> (DocumentId, Facts) {
    (organisation_id(code), Facts::Organisation(Box::new(facts)))
}

fn school(code: &str) -> OrganisationFacts {
    organisation(code, Category::School, "330106", "2015-01-01")
}

fn shared(key: &str, form: UnionForm, on: &str) -> (DocumentId, Facts) {
    (
        union_id(key),
        Facts::Union(Box::new(established(key, form, "330106", on, 5))),
    )
}

fn total(cube: &Cube, as_of: &str) -> Figures {
    cube.figures(&FiguresQuery::at(day(as_of)), &Heard::default())
        .expect("a plain question")
        .total
        .figures
}

#[test]
fn a_link_to_a_union_not_held_raises_only_the_high_bound() {
    let mut facts = school(SCHOOL);
    facts.coverage = vec![link("J9", "2023-01-01")];
    let mut cube = cube_of([document(SCHOOL, facts)]);
    let figures = total(&cube, "2024-01-01");
    assert_eq!(figures.unresolved_links, 1);
    let rate = &figures.establishment_rate;
    assert_eq!((rate.low, rate.high), (Ratio::new(0, 1), Ratio::new(1, 1)));
    let (id, union) = shared("J9", UnionForm::Joint, "2023-06-01");
    cube.upsert(id, union);
    let figures = total(&cube, "2024-01-01");
    assert_eq!((figures.covered, figures.unresolved_links), (1, 0));
    assert_eq!(headline(&cube, "2023-05-31"), (0, 1));
}

#[test]
fn targets_are_judged_by_what_is_held_now_and_by_the_question_s_own_filters() {
    let mut facts = school(SCHOOL);
    facts.coverage = vec![link("J9", "2023-01-01")];
    let mut cube = cube_of([document(SCHOOL, facts)]);
    let at_target = |cube: &Cube, filters: &[(Dimension, &str)]| {
        let query = FiguresQuery {
            filters: filters
                .iter()
                .map(|(dimension, value)| (*dimension, (*value).to_owned()))
                .collect(),
            ..FiguresQuery::at(day("2024-06-01"))
        };
        let ask = || {
            let answer = cube.figures(&query, &Heard::default()).expect("a question");
            let target = answer
                .targets
                .into_iter()
                .find(|target| target.date == day("2023-12-31"));
            target.map(|target| (target.numerator, target.denominator))
        };
        let first = ask();
        assert_eq!(ask(), first, "asked again");
        first.expect("a target of the campaign")
    };
    let hospitals = [(Dimension::Category, "hospital")];
    assert_eq!(at_target(&cube, &[]), (Some(0), Some(1)));
    assert_eq!(at_target(&cube, &hospitals), (Some(0), Some(0)));
    let (id, union) = shared("J9", UnionForm::Joint, "2023-06-01");
    cube.upsert(id, union);
    assert_eq!(at_target(&cube, &[]), (Some(1), Some(1)));
    assert_eq!(at_target(&cube, &hospitals), (Some(0), Some(0)));
}

#[test]
fn a_term_that_two_documents_give_together_ends_on_its_day_though_a_third_joins_them_later() {
    let event_of = |what: UnionEvent, on: &str, cycle: u32, years: Option<u32>| UnionEventFact {
        cycle,
        ..event(what, on, years)
    };
    let union = |key: &str, events: Vec<UnionEventFact>| {
        let facts = UnionFacts {
            events,
            ..established(key, UnionForm::Joint, "330106", "2019-05-10", 3)
        };
        (union_id(key), Facts::Union(Box::new(facts)))
    };
    let extended = UnionEventFact {
        until: Some(day("2023-06-30")),
        ..event_of(UnionEvent::TermExtended, "2022-01-01", 0, None)
    };
    let joined = |number: u8, a: &str, b: &str, from: &str| {
        let facts = SameAsFacts {
            a: union_id(a),
            b: union_id(b),
            from: day(from),
            until: None,
            withdrawn: false,
            open_conflicts: 0,
        };
        (DocumentId([number; 16]), Facts::SameAs(facts))
    };
    let mut facts = school(SCHOOL);
    facts.coverage = vec![link("A", "2020-01-01")];
    let first = event_of(UnionEvent::Established, "2019-05-10", 0, Some(3));
    let later = event_of(UnionEvent::ResultApproved, "2021-01-01", 1, Some(5));
    let cube = cube_of([
        document(SCHOOL, facts),
        union("A", vec![first]),
        union("B", vec![extended]),
        union("C", vec![later]),
        joined(1, "A", "B", "2019-01-01"),
        joined(2, "B", "C", "2030-01-01"),
    ]);
    let strict = |as_of: &str| total(&cube, as_of).strict_rate.rate.ratio;
    assert_eq!(strict("2023-06-30"), Ratio::new(1, 1));
    assert_eq!(strict("2025-06-30"), Ratio::new(0, 1));
}

#[test]
fn what_counts_nowhere_leaves_everything_as_it_was_counted() {
    let versions = |cube: &Cube| -> Vec<u64> {
        cube.segments
            .blocks()
            .iter()
            .map(|block| block.version())
            .collect()
    };
    let mut facts = school(SCHOOL);
    let mut cube = cube_of([
        document(SCHOOL, facts.clone()),
        document(OTHER_SCHOOL, school(OTHER_SCHOOL)),
    ]);
    let before = versions(&cube);
    facts.contacts = vec![day("2024-03-01")];
    let (id, contacted) = document(SCHOOL, facts.clone());
    cube.upsert(id, contacted);
    assert_eq!(versions(&cube), before);
    facts.category = vec![dated("2015-01-01", Category::Hospital)];
    let (id, reclassified) = document(SCHOOL, facts);
    cube.upsert(id, reclassified);
    assert_ne!(versions(&cube), before);
}

#[test]
fn a_union_is_found_by_its_record_id_and_by_its_later_code() {
    let mut first = school(SCHOOL);
    first.coverage = vec![link("J1", "2023-01-01")];
    let mut second = school(OTHER_SCHOOL);
    second.coverage = vec![link("81420103931213071P", "2023-01-01")];
    let mut union = established("J1", UnionForm::Joint, "330106", "2022-01-01", 5);
    union.code = "81420103931213071P".parse().ok();
    let cube = cube_of([
        document(SCHOOL, first),
        document(OTHER_SCHOOL, second),
        (union_id("J1"), Facts::Union(Box::new(union))),
    ]);
    let figures = total(&cube, "2024-01-01");
    assert_eq!(
        (
            figures.covered,
            figures.unions.joint,
            figures.unions_all.expect("by places").joint
        ),
        (2, 1, 1)
    );
}

#[test]
fn a_link_to_an_own_union_is_ignored() {
    let mut facts = school(SCHOOL);
    facts.coverage = vec![link("J1", "2023-01-01")];
    let cube = cube_of([
        document(SCHOOL, facts),
        shared("J1", UnionForm::Own, "2022-01-01"),
    ]);
    assert_eq!(headline(&cube, "2024-01-01"), (0, 1));
}

#[test]
fn two_unions_make_one_covered_unit_and_two_unions() {
    let mut facts = school(SCHOOL);
    facts.coverage = vec![link("J1", "2023-01-01")];
    let cube = cube_of([
        document(SCHOOL, facts),
        own_union(SCHOOL, "330106", "2022-01-01", 3),
        shared("J1", UnionForm::Joint, "2022-01-01"),
    ]);
    let figures = total(&cube, "2026-01-01");
    assert_eq!(
        (figures.covered, figures.unions.own, figures.unions.joint),
        (1, 1, 1)
    );
    assert_eq!(
        figures.strict_rate.rate.ratio,
        Ratio::new(1, 1),
        "the joint union's term still runs"
    );
    let by_form = FiguresQuery {
        by: vec![Dimension::Form],
        ..FiguresQuery::at(day("2026-01-01"))
    };
    let rows = cube
        .figures(&by_form, &Heard::default())
        .expect("a plain question")
        .rows;
    assert_eq!(rows.iter().map(|row| row.name).collect::<Vec<_>>(), ["own"]);
}

#[test]
fn the_organiser_covers_only_with_the_switch() {
    let mut facts = school(SCHOOL);
    facts.organisers = vec![(day("2023-09-01"), None)];
    let mut cube = cube_of([document(SCHOOL, facts)]);
    assert_eq!(headline(&cube, "2024-01-01"), (0, 1));
    let campaign = CampaignFacts {
        version: Some(2),
        organiser_counts: Some(true),
        ..CampaignFacts::default()
    };
    cube.upsert(
        DocumentId::derive(DocumentKind::Campaign, "campaign"),
        Facts::Campaign(campaign),
    );
    assert_eq!(headline(&cube, "2024-01-01"), (1, 1));
    assert_eq!(headline(&cube, "2023-08-31"), (0, 1));
}

#[test]
fn a_new_code_continues_the_organisation_from_its_date() {
    let mut old = school(SCHOOL);
    old.status
        .push(dated("2024-02-01", RegistrationStatus::Deregistered));
    let new = organisation(OTHER_SCHOOL, Category::School, "330106", "2024-02-01");
    let same_as = SameAsFacts {
        a: organisation_id(SCHOOL),
        b: organisation_id(OTHER_SCHOOL),
        from: day("2024-02-01"),
        until: None,
        withdrawn: false,
        open_conflicts: 0,
    };
    let mut documents = vec![
        document(SCHOOL, old),
        document(OTHER_SCHOOL, new),
        own_union(SCHOOL, "330106", "2023-01-01", 5),
    ];
    let apart = cube_of(documents.clone());
    assert_eq!(
        headline(&apart, "2024-03-01"),
        (0, 1),
        "the old union ended with the old registration"
    );
    documents.push((
        DocumentId::derive(DocumentKind::SameAs, "s"),
        Facts::SameAs(same_as),
    ));
    let joined = cube_of(documents);
    assert_eq!(headline(&joined, "2024-01-31"), (1, 1));
    assert_eq!(headline(&joined, "2024-02-01"), (1, 1));
    assert_eq!(total(&joined, "2024-03-01").out_of_scope.values().sum::<u64>(), 0);
}

#[test]
fn a_suspended_union_does_not_cover_until_it_is_resumed() {
    let mut facts = school(SCHOOL);
    facts.coverage = vec![link("J1", "2023-01-01")];
    let mut union = established("J1", UnionForm::Joint, "330106", "2022-01-01", 5);
    union
        .events
        .push(event(UnionEvent::Suspended, "2024-01-01", None));
    union.events.push(event(UnionEvent::Resumed, "2024-03-01", None));
    let cube = cube_of([
        document(SCHOOL, facts),
        (union_id("J1"), Facts::Union(Box::new(union))),
    ]);
    for (as_of, covered) in [
        ("2023-12-31", 1),
        ("2024-01-01", 0),
        ("2024-02-29", 0),
        ("2024-03-01", 1),
    ] {
        assert_eq!(headline(&cube, as_of), (covered, 1), "{as_of}");
    }
}

#[test]
fn a_dispute_about_the_place_is_counted_once_by_the_nation() {
    let mut facts = school(SCHOOL);
    facts.counts = vec![workers("2023-01-01", 30)];
    facts.responsible = vec![
        dated("2015-01-01", federation("330105")),
        dated("2015-01-01", federation("330106")),
    ];
    let cube = cube_of([
        document(SCHOOL, facts),
        own_union(SCHOOL, "330106", "2022-01-01", 5),
    ]);
    let query = FiguresQuery {
        by: vec![Dimension::County],
        ..FiguresQuery::at(day("2024-01-01"))
    };
    let answer = cube.figures(&query, &Heard::default()).expect("a plain question");
    let bounds = |figures: &Figures| (figures.establishment_rate.low, figures.establishment_rate.high);
    let (none, one) = (Ratio::new(0, 0), Ratio::new(1, 1));
    assert_eq!(
        answer
            .rows
            .iter()
            .map(|row| bounds(&row.figures))
            .collect::<Vec<_>>(),
        [(none, one), (none, one)]
    );
    assert_eq!(bounds(&answer.total.figures), (one, one));
}

#[test]
fn an_unregistered_day_has_no_data_and_not_zero_percent() {
    let cube = cube_of([document(SCHOOL, school(SCHOOL))]);
    let figures = total(&cube, "2014-12-31");
    assert_eq!(figures.establishment_rate.rate.percent(), None);
    assert_eq!(figures.out_of_scope.get("NOT_REGISTERED"), Some(&1));
    assert_eq!(cube.organisation(organisation_id(OTHER_SCHOOL), Day(0)), None);
}

#[test]
fn a_link_whose_end_is_disputed_counts_least_favourably_and_has_a_bound() {
    let shown = link("J1", "2023-11-01");
    let ended = LinkFact {
        until: Some(day("2024-05-31")),
        ..shown
    };
    let mut facts = school(SCHOOL);
    facts.coverage = vec![shown];
    facts.disputed.coverage = vec![Disputed {
        shown: Some(shown),
        others: vec![Some(ended)],
    }];
    let cube = cube_of([
        document(SCHOOL, facts),
        shared("J1", UnionForm::Joint, "2023-01-01"),
    ]);
    for (as_of, low, high, conflicts) in [
        ("2024-05-31", (1, 1), (1, 1), 0),
        ("2024-06-01", (0, 1), (1, 1), 1),
    ] {
        let figures = total(&cube, as_of);
        let rate = &figures.establishment_rate;
        assert_eq!(
            (rate.low, rate.high),
            (Ratio::new(low.0, low.1), Ratio::new(high.0, high.1)),
            "{as_of}"
        );
        assert_eq!(rate.rate.ratio, rate.low);
        assert_eq!(
            (figures.unions.joint, figures.open_conflicts),
            (low.0, conflicts),
            "{as_of}"
        );
    }
}

#[test]
fn a_term_that_is_disputed_moves_only_the_strict_rate() {
    let elected = event(UnionEvent::Elected, "2021-01-01", Some(3));
    let longer = event(UnionEvent::Elected, "2021-01-01", Some(5));
    let mut union = established("J1", UnionForm::Joint, "330106", "2021-01-01", 3);
    assert!(union.events.contains(&elected));
    union.disputed_events = vec![Disputed {
        shown: Some(elected),
        others: vec![Some(longer)],
    }];
    let mut facts = school(SCHOOL);
    facts.coverage = vec![link("J1", "2021-01-01")];
    let cube = cube_of([
        document(SCHOOL, facts),
        (union_id("J1"), Facts::Union(Box::new(union))),
    ]);
    let figures = total(&cube, "2024-12-31");
    assert_eq!(figures.establishment_rate.low, Ratio::new(1, 1));
    assert_eq!(
        (figures.strict_rate.low, figures.strict_rate.high),
        (Ratio::new(0, 1), Ratio::new(1, 1))
    );
    assert_eq!(figures.unions_all.map(|all| all.joint), Some(1));
}

#[test]
fn after_the_last_target_its_line_is_checked_at_every_month_end() {
    let mut covered = school(SCHOOL);
    covered.coverage = vec![link("J1", "2024-12-01")];
    let ended = LinkFact {
        until: Some(day("2025-02-27")),
        ..covered.coverage[0]
    };
    covered.coverage = vec![ended];
    let cube = cube_of([
        document(SCHOOL, covered),
        shared("J1", UnionForm::Joint, "2023-01-01"),
    ]);
    let answer = cube
        .figures(&FiguresQuery::at(day("2025-03-30")), &Heard::default())
        .expect("a plain question");
    let verdicts: Vec<_> = answer
        .targets
        .iter()
        .map(|target| (target.date.to_string(), target.percent, target.met))
        .collect();
    let expected = [
        ("2023-12-31", 60, Some(false)),
        ("2024-12-31", 85, Some(true)),
        ("2025-01-31", 85, Some(true)),
        ("2025-02-28", 85, Some(false)),
    ];
    assert_eq!(
        verdicts,
        expected.map(|(date, percent, met)| (date.to_owned(), percent, met))
    );
}
