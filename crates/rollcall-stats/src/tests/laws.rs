//! Laws, on small random worlds: figures do not depend on the order of arrival, parts add up to the whole, columns
//! say what the rule says, a series is its dates one by one.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use rollcall_core::campaign::Settings;
use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::Day;
use rollcall_core::fact::{
    CampaignFacts, CountFact, DatedFact, Disputed, DisputedEntries, ExclusionFact, Facts, FederationFacts,
    LinkFact, OrganisationFacts, SameAsFacts, UnionEventFact, UnionFacts,
};
use rollcall_core::figure::{Dimension, Figures, RowKey};
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::term::{
    Category, ExclusionReason, Level, RegistrationStatus, Source, Stage, UnionEvent, UnionForm,
};

use super::{date, federation, union_id};
use crate::{Cube, FiguresQuery, Heard, Set};

/// Numbers that look random and follow from a seed.
#[derive(Clone)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// A day of 2022 to 2025; few, so that days coincide.
    fn day(&mut self) -> Day {
        Day::from_ymd(
            2022 + self.below(4) as i32,
            1 + self.below(12) as u8,
            self.pick(&[1, 15, 28]),
        )
        .expect("a day")
    }
}

fn dated_fact<T>(from: Day, value: T) -> DatedFact<T> {
    DatedFact {
        from,
        source: Source::Registry,
        value,
    }
}

const PLACES: [&str; 8] = [
    "330000",
    "330100",
    "330105",
    "330106",
    "110101",
    "100000",
    "330000/education",
    "341402",
];

fn code(index: u64, numbers: &mut Numbers) -> CreditCode {
    let prefix = numbers.pick(&[51, 52, 52, 52, 53, 91, 12, 31]);
    let authority = numbers.pick(&[100_000, 330_000, 330_100, 330_106, 330_106, 110_101, 330_190]);
    CreditCode::complete(&format!("{prefix}{authority:06}{index:08}")).expect("digits")
}

fn organisation(index: u64, numbers: &mut Numbers, conflicts: bool) -> (DocumentId, OrganisationFacts) {
    let code = (!numbers.one_in(10)).then(|| code(index, numbers));
    let record_id = format!("R{index}");
    let id = match &code {
        // A record made before its code was known keeps its id.
        Some(code) if !numbers.one_in(6) => DocumentId::derive(DocumentKind::Organisation, code.as_str()),
        _ => DocumentId::derive(DocumentKind::Organisation, &record_id),
    };
    let mut facts = OrganisationFacts {
        code,
        record_id: Some(record_id),
        ..OrganisationFacts::default()
    };
    facts.category = vec![dated_fact(Day::MIN, numbers.pick(Category::ALL))];
    if numbers.one_in(4) {
        facts
            .category
            .push(dated_fact(numbers.day(), numbers.pick(Category::ALL)));
    }
    if !numbers.one_in(8) {
        facts.registered_on = vec![date(numbers.pick(&[
            "2015-01-01",
            "2022",
            "2023-06",
            "2024-03-15",
        ]))];
    }
    for _ in 0..numbers.below(3) {
        facts.status.push(DatedFact {
            from: numbers.day(),
            source: numbers.pick(Source::ALL),
            value: numbers.pick(&[RegistrationStatus::Registered, RegistrationStatus::Deregistered]),
        });
    }
    for _ in 0..numbers.below(3) {
        facts
            .responsible
            .push(dated_fact(numbers.day(), federation(numbers.pick(&PLACES))));
    }
    if numbers.one_in(2) {
        facts.location = vec![dated_fact(
            Day::MIN,
            numbers.pick(&[330_106, 330_105, 110_101, 330_199]),
        )];
    }
    for _ in 0..numbers.below(4) {
        let workers = numbers.below(250) as u32;
        facts.counts.push(CountFact {
            on: numbers.day(),
            source: numbers.pick(Source::ALL),
            workers: Some(workers),
            members: numbers.one_in(2).then_some(workers / 2),
            female_members: None,
        });
    }
    for _ in 0..numbers.below(3) {
        let from = numbers.day();
        facts.exclusions.push(ExclusionFact {
            reason: numbers.pick(ExclusionReason::ALL),
            from,
            until: numbers.one_in(2).then(|| numbers.day()),
            approved_on: numbers.one_in(2).then(|| numbers.day()),
            refused_on: numbers.one_in(4).then(|| numbers.day()),
            has_evidence: true,
        });
    }
    for _ in 0..numbers.below(3) {
        facts.coverage.push(LinkFact {
            union: union_id(&format!("U{}", numbers.below(8))),
            from: numbers.day(),
            until: numbers.one_in(3).then(|| numbers.day()),
            consent_on: (!numbers.one_in(4)).then(|| numbers.day()),
        });
    }
    if numbers.one_in(4) {
        facts.organisers.push((numbers.day(), None));
    }
    if numbers.one_in(5)
        && let Some(shown) = facts.coverage.first().copied()
    {
        let ended = LinkFact {
            until: Some(numbers.day()),
            ..shown
        };
        facts.disputed.coverage.push(disputed(shown, ended));
    }
    if numbers.one_in(5)
        && let Some(shown) = facts.exclusions.first().copied()
    {
        let approved = ExclusionFact {
            approved_on: Some(numbers.day()),
            ..shown
        };
        facts.disputed.exclusions.push(disputed(shown, approved));
    }
    facts.stages = vec![(Stage::Mapped, numbers.day())];
    facts.mistaken = numbers.one_in(25);
    if !conflicts {
        one_value_a_day(&mut facts);
    }
    (id, facts)
}

fn disputed<T: PartialEq>(shown: T, other: T) -> Disputed<T> {
    Disputed {
        shown: Some(shown),
        others: vec![Some(other)],
    }
}

/// Takes out what would be an open conflict.
fn one_value_a_day(facts: &mut OrganisationFacts) {
    facts.disputed = DisputedEntries::default();
    let mut days = BTreeSet::new();
    facts.responsible.retain(|entry| days.insert(entry.from));
    days.clear();
    facts.status.retain(|entry| days.insert(entry.from));
    facts.coverage.retain(|link| link.union != union_id("U7"));
}

fn union(
    index: u64,
    numbers: &mut Numbers,
    employers: &[DocumentId],
    conflicts: bool,
) -> (DocumentId, UnionFacts) {
    let key = format!("U{index}");
    let mut form = vec![numbers.pick(UnionForm::ALL)];
    if conflicts && numbers.one_in(6) {
        form = UnionForm::ALL.to_vec();
    }
    let mut facts = UnionFacts {
        record_id: Some(key.clone()),
        higher_union: vec![federation(numbers.pick(&PLACES))],
        organisation: if form.contains(&UnionForm::Own) {
            vec![numbers.pick(employers)]
        } else {
            Vec::new()
        },
        form,
        ..UnionFacts::default()
    };
    for _ in 0..numbers.below(6) {
        facts.events.push(UnionEventFact {
            event: numbers.pick(UnionEvent::ALL),
            on: numbers.day().into(),
            cycle: numbers.below(2) as u32,
            has_number: true,
            approved_by: None,
            term_years: numbers.one_in(2).then(|| numbers.pick(&[1, 3, 5])),
            until: numbers.one_in(2).then(|| numbers.day()),
            months: numbers.one_in(4).then(|| 1 + numbers.below(6) as u32),
        });
    }
    facts.events.push(UnionEventFact {
        event: UnionEvent::Established,
        on: date(numbers.pick(&["2021-05-01", "2023-02", "2024"])),
        cycle: 0,
        has_number: true,
        approved_by: None,
        term_years: Some(numbers.pick(&[1, 3, 5])),
        until: None,
        months: None,
    });
    if conflicts && numbers.one_in(4) {
        let shown = facts.events[0].clone();
        let later = UnionEventFact {
            term_years: Some(numbers.pick(&[3, 5])),
            until: Some(numbers.day()),
            ..shown.clone()
        };
        facts.disputed_events.push(disputed(shown, later));
    }
    (union_id(&key), facts)
}

type Documents = BTreeMap<DocumentId, Facts>;

/// A world; with `version` 0 of some documents as they were before.
pub(super) fn world(seed: u64, version: u64, conflicts: bool) -> Documents {
    let mut documents = Documents::new();
    let mut ids = Vec::new();
    for index in 0..10 {
        // What depends on the version comes from its own numbers, what a document is called does not.
        let mut numbers = Numbers(seed ^ (index << 32));
        let (id, facts) = organisation(index, &mut numbers, conflicts);
        ids.push(id);
        let facts = if version == 0 && index % 3 == 0 {
            let mut before = organisation(index, &mut Numbers(seed ^ 77 ^ (index << 32)), conflicts).1;
            before.code = if index % 2 == 0 { None } else { facts.code };
            before.record_id.clone_from(&facts.record_id);
            before
        } else {
            facts
        };
        documents.insert(id, Facts::Organisation(Box::new(facts)));
    }
    for index in 0..6 {
        let salt = if version == 0 && index % 2 == 0 { 55 } else { 0 };
        let (id, facts) = union(index, &mut Numbers(seed ^ salt ^ (index << 40)), &ids, conflicts);
        documents.insert(id, Facts::Union(Box::new(facts)));
    }
    let mut numbers = Numbers(seed ^ version ^ 99);
    for index in 0..3 {
        let unions = numbers.one_in(3);
        let end = |number: u64| {
            if unions {
                union_id(&format!("U{}", number % 6))
            } else {
                ids[number as usize]
            }
        };
        let (a, b) = (end(index), end(3 + numbers.below(6)));
        let facts = SameAsFacts {
            a,
            b,
            from: if numbers.one_in(2) {
                Day::MIN
            } else {
                numbers.day()
            },
            until: numbers.one_in(4).then(|| numbers.day()),
            withdrawn: numbers.one_in(4),
            open_conflicts: 0,
        };
        let id = DocumentId::derive(DocumentKind::SameAs, &format!("S{index}"));
        documents.insert(id, Facts::SameAs(facts));
    }
    let campaign = CampaignFacts {
        version: Some(1),
        organiser_counts: Some(numbers.one_in(2)),
        grace_months: Some(numbers.below(3) as u32),
        ..CampaignFacts::default()
    };
    documents.insert(
        DocumentId::derive(DocumentKind::Campaign, "campaign"),
        Facts::Campaign(campaign),
    );
    let moved = FederationFacts {
        id: federation("330105"),
        name: "拱墅区总工会".to_owned(),
        level: Level::County,
        parent: Some(federation("330200")),
        from: Some(numbers.day()),
        until: None,
        active: numbers.one_in(2),
    };
    documents.insert(
        DocumentId::derive(DocumentKind::Federation, "330105"),
        Facts::Federation(moved),
    );
    documents
}

pub(super) fn build(documents: &Documents, seed: u64) -> Cube {
    let mut order: Vec<&DocumentId> = documents.keys().collect();
    let mut numbers = Numbers(seed);
    for index in (1..order.len()).rev() {
        order.swap(index, numbers.below(index as u64 + 1) as usize);
    }
    let mut cube = Cube::new(Settings::default());
    for id in order {
        cube.upsert(*id, documents[id].clone());
    }
    cube
}

pub(super) fn heard() -> Heard {
    let node = federation("330106");
    Heard {
        enrolled: BTreeSet::from([node.clone(), federation("120101")]),
        last_heard_ms: BTreeMap::from([(node, 1_704_100_000_000)]),
        today: None,
    }
}

/// Everything a cube answers, as text.
fn everything(cube: &Cube) -> String {
    let mut text = String::new();
    for dimension in Dimension::ALL {
        let query = FiguresQuery {
            by: vec![dimension],
            series: Some((
                Day::from_ymd(2023, 1, 1).expect("a day"),
                Day::from_ymd(2024, 12, 31).expect("a day"),
            )),
            ..FiguresQuery::at(Day::from_ymd(2024, 12, 31).expect("a day"))
        };
        let answer = cube.figures(&query, &heard()).expect("a plain question");
        text.push_str(&serde_json::to_string(&answer).expect("plain data"));
        text.push('\n');
    }
    for finding in cube.findings(Day::from_ymd(2024, 6, 30).expect("a day")) {
        text.push_str(&format!("{finding:?}\n"));
    }
    text
}

fn counts(figures: &Figures) -> Vec<u64> {
    let mut counts = vec![
        figures.in_scope,
        figures.eligible,
        figures.covered,
        figures.strict_rate.rate.ratio.numerator,
        figures.identified_rate.rate.ratio.numerator,
        figures.held,
        figures.date_unknown,
        figures.unresolved_links,
        figures.term_unknown,
        figures.exclusions_pending,
        figures.membership_rate.rate.ratio.numerator,
        figures.membership_rate.rate.ratio.denominator,
        figures.membership_rate_all.rate.ratio.denominator,
        figures.membership_rate.units_unknown,
        figures.open_conflicts,
        figures.completeness.organisations_unheard,
    ];
    for reason in ExclusionReason::ALL {
        counts.push(figures.excluded.get(reason.name()).copied().unwrap_or(0));
    }
    for reason in rollcall_core::scope::OutReason::ALL {
        counts.push(figures.out_of_scope.get(reason.name()).copied().unwrap_or(0));
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn figures_do_not_depend_on_the_order_of_arrival(seed in any::<u64>(), one in any::<u64>(), other in any::<u64>()) {
        let documents = world(seed, 1, true);
        prop_assert_eq!(everything(&build(&documents, one)), everything(&build(&documents, other)));
    }

    #[test]
    fn changes_one_by_one_end_where_a_fresh_build_does(seed in any::<u64>(), order in any::<u64>()) {
        let documents = world(seed, 1, true);
        let mut cube = build(&world(seed, 0, true), order);
        for (id, facts) in &documents {
            cube.upsert(*id, facts.clone());
        }
        prop_assert_eq!(everything(&cube), everything(&build(&documents, 0)));
    }

    #[test]
    fn headlines_that_were_asked_for_before_are_those_of_a_fresh_build(seed in any::<u64>(), order in any::<u64>()) {
        let documents = world(seed, 1, true);
        let mut cube = build(&world(seed, 0, true), order);
        let day = |year| Day::from_ymd(year, 12, 31).expect("a day");
        let mut queries = Vec::new();
        for (dimension, value) in [(Dimension::Group, "A"), (Dimension::Province, "330000")] {
            let filters = vec![(dimension, value.to_owned())];
            queries.push(FiguresQuery { filters, ..FiguresQuery::at(day(2024)) });
        }
        for area in [None, Some(federation("330100"))] {
            let series = Some((day(2021), day(2024)));
            queries.push(FiguresQuery { area, series, ..FiguresQuery::at(day(2024)) });
        }
        let ask = |cube: &Cube| {
            let ask = |query| cube.headlines(query, &heard()).expect("a plain question");
            queries.iter().map(ask).collect::<Vec<_>>()
        };
        for (id, facts) in &documents {
            ask(&cube);
            cube.upsert(*id, facts.clone());
        }
        prop_assert_eq!(ask(&cube), ask(&build(&documents, 0)));
        let figures = |query| cube.figures(query, &heard()).expect("a plain question").total.figures;
        for (query, headlines) in queries.iter().zip(ask(&cube)) {
            let last = headlines.get(&query.as_of);
            prop_assert_eq!(last, Some(&figures(query).establishment_rate));
        }
    }

    #[test]
    fn parts_add_up_to_the_whole(seed in any::<u64>(), on in 19_000..20_200_i32) {
        let documents = world(seed, 1, false);
        let cube = build(&documents, 0);
        let status = |id: &DocumentId| cube.organisation(*id, Day(on));
        if documents.keys().filter_map(status).any(|status| status.disputed) {
            return Ok(());
        }
        for dimension in Dimension::ALL {
            let query = FiguresQuery { by: vec![dimension], ..FiguresQuery::at(Day(on)) };
            let answer = cube.figures(&query, &heard()).expect("a plain question");
            let mut sums = vec![0; counts(&answer.total.figures).len()];
            for row in &answer.rows {
                for (sum, count) in sums.iter_mut().zip(counts(&row.figures)) {
                    *sum += count;
                }
            }
            prop_assert_eq!(sums, counts(&answer.total.figures), "{:?}", dimension);
            if dimension.is_place() {
                let all = |figures: &Figures| {
                    let all = figures.unions_all.expect("by places");
                    [all.own, all.joint, all.federation]
                };
                let mut sums = [0; 3];
                for row in &answer.rows {
                    for (sum, count) in sums.iter_mut().zip(all(&row.figures)) {
                        *sum += count;
                    }
                }
                prop_assert_eq!(sums, all(&answer.total.figures));
                let scopes: u64 = answer.rows.iter().map(|row| row.figures.completeness.scopes_expected).sum();
                prop_assert!(scopes <= answer.total.figures.completeness.scopes_expected);
            }
        }
    }

    #[test]
    fn columns_say_what_the_rule_says(seed in any::<u64>(), on in 19_000..20_200_i32) {
        let documents = world(seed, 1, true);
        let cube = build(&documents, 0);
        let query = FiguresQuery::at(Day(on));
        let covered = cube.members(&query, &RowKey::default(), &[Set::Covered]).expect("a plain question");
        let eligible = cube.members(&query, &RowKey::default(), &[Set::Eligible]).expect("a plain question");
        for (id, facts) in &documents {
            if !matches!(facts, Facts::Organisation(_)) {
                continue;
            }
            let status = cube.organisation(*id, Day(on)).expect("held");
            if status.disputed {
                continue;
            }
            let counts_here = status.counted_under.is_none() && !status.mistaken;
            prop_assert_eq!(eligible.contains(id), counts_here && status.eligible);
            prop_assert_eq!(covered.contains(id), counts_here && status.eligible && status.covered);
        }
        let figures = cube.figures(&query, &heard()).expect("a plain question").total.figures;
        prop_assert_eq!((figures.eligible, figures.covered), (eligible.len() as u64, covered.len() as u64));
    }

    #[test]
    fn bounds_hold_the_figure(seed in any::<u64>(), on in 19_000..20_200_i32) {
        let cube = build(&world(seed, 1, true), 0);
        let figures = cube.figures(&FiguresQuery::at(Day(on)), &heard()).expect("a plain question").total.figures;
        for rate in [&figures.establishment_rate, &figures.identified_rate, &figures.strict_rate] {
            prop_assert_eq!(rate.rate.ratio, rate.low);
            prop_assert!(rate.low.numerator <= rate.high.numerator);
            prop_assert!(rate.high.numerator <= rate.high.denominator);
            let cross = |a: rollcall_core::ratio::Ratio, b: rollcall_core::ratio::Ratio| a.numerator * b.denominator;
            prop_assert!(cross(rate.low, rate.high) <= cross(rate.high, rate.low) || rate.low.denominator == 0);
        }
        prop_assert!(figures.covered <= figures.eligible && figures.eligible <= figures.in_scope);
    }

    #[test]
    fn a_series_is_its_dates_one_by_one(seed in any::<u64>()) {
        let cube = build(&world(seed, 1, true), 0);
        let day = |year, month, day| Day::from_ymd(year, month, day).expect("a day");
        let by = vec![Dimension::Prefecture, Dimension::Form];
        let series = FiguresQuery {
            by: by.clone(),
            series: Some((day(2022, 6, 15), day(2025, 1, 30))),
            ..FiguresQuery::at(day(2025, 1, 30))
        };
        let rows = cube.figures(&series, &heard()).expect("a plain question").rows;
        let mut expected = Vec::new();
        let mut end = day(2022, 6, 30);
        while end <= day(2025, 1, 30) {
            let query = FiguresQuery { by: by.clone(), ..FiguresQuery::at(end) };
            for mut row in &cube.figures(&query, &heard()).expect("a plain question").rows {
                row.as_of = Some(end);
                expected.push(row);
            }
            end = end.next().month_end();
        }
        for (row, expected) in rows.iter().zip(&expected) {
            prop_assert_eq!(&row, expected);
        }
        prop_assert_eq!(rows.len(), expected.len());
    }
}

#[test]
fn worlds_are_not_trivial() {
    let (mut covered, mut disputed, mut joined) = (0, 0, 0);
    for seed in 0..60 {
        let documents = world(seed, 1, true);
        let cube = build(&documents, 0);
        let on = Day::from_ymd(2024, 12, 31).expect("a day");
        covered += cube
            .figures(&FiguresQuery::at(on), &heard())
            .expect("plain")
            .total
            .figures
            .covered;
        for id in documents.keys() {
            let status = cube.organisation(*id, on);
            disputed += u64::from(status.as_ref().is_some_and(|status| status.disputed));
            joined += u64::from(status.is_some_and(|status| status.counted_under.is_some()));
        }
    }
    assert!(
        covered > 20 && disputed > 10 && joined > 10,
        "{covered} {disputed} {joined}"
    );
}
