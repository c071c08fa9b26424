//! A look at speed on 200,000 generated organisations: printed, not asserted (`cargo test speed -- --nocapture`).

use std::io::Write;
use std::time::Instant;

use rollcall_core::campaign::Settings;
use rollcall_core::credit_code::CreditCode;
use rollcall_core::date::{Day, PartialDate};
use rollcall_core::division::Divisions;
use rollcall_core::fact::{CountFact, Facts, LinkFact, OrganisationFacts};
use rollcall_core::figure::{Dimension, FiguresRow};
use rollcall_core::id::{DocumentId, DocumentKind, FederationId};
use rollcall_core::term::{Category, Source, Stage, UnionForm};

use super::{dated, day, established, federation, union_id};
use crate::{Cube, FiguresQuery, Heard};

const ORGANISATIONS: u64 = 200_000;

/// A row of numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Organisations of one county after the other; of six, one has its own union and two share a joint one.
fn country(mut take: impl FnMut(DocumentId, Facts)) {
    let counties: Vec<u32> = Divisions::get()
        .in_use()
        .filter(|d| d.level == rollcall_core::term::Level::County)
        .map(|d| d.code)
        .collect();
    let mut numbers = Numbers(7);
    for index in 0..ORGANISATIONS {
        let county = counties[(index * counties.len() as u64 / ORGANISATIONS) as usize];
        let place = FederationId::of_division(county);
        let prefix = [51, 52, 52, 52, 53, 52][numbers.below(6) as usize];
        let authority = if numbers.below(20) == 0 {
            county / 10_000 * 10_000
        } else {
            county
        };
        let code = CreditCode::complete(&format!("{prefix}{authority:06}{index:08}")).expect("digits");
        let id = DocumentId::derive(DocumentKind::Organisation, code.as_str());
        let since = Day(12_000 + numbers.below(7_000) as i32);
        let category = Category::ALL[numbers.below(6) as usize];
        let mut facts = OrganisationFacts {
            code: Some(code),
            category: vec![dated("2015-01-01", category)],
            registered_on: vec![PartialDate::Day(since)],
            location: vec![dated("2015-01-01", county)],
            responsible: vec![dated("2015-01-01", place.clone())],
            ..OrganisationFacts::default()
        };
        for on in ["2022-12-31", "2023-12-31", "2024-12-31"] {
            let workers = numbers.below(80) as u32;
            facts.counts.push(CountFact {
                on: day(on),
                source: Source::Registry,
                workers: Some(workers),
                members: Some(workers / 2),
                female_members: None,
            });
        }
        let months = numbers.below(20) as i32;
        let on = day("2023-05-15").plus_months(months);
        facts.stages = vec![
            (Stage::Mapped, day("2023-06-01")),
            (Stage::Contacted, on.plus_months(-1)),
        ];
        match numbers.below(6) {
            0 => {
                let key = format!("own-{index}");
                let union = rollcall_core::fact::UnionFacts {
                    organisation: vec![id],
                    ..established(&key, UnionForm::Own, place.as_str(), &on.to_string(), 5)
                };
                take(union_id(&key), Facts::Union(Box::new(union)));
            }
            1 | 2 => {
                let key = format!("J{county}-{}", numbers.below(8));
                let from = on.plus_months(1);
                facts.coverage = vec![LinkFact {
                    union: union_id(&key),
                    from,
                    until: None,
                    consent_on: Some(from),
                }];
            }
            _ => {}
        }
        take(id, Facts::Organisation(Box::new(facts)));
    }
    for county in counties {
        for number in 0..8 {
            let key = format!("J{county}-{number}");
            let union = established(&key, UnionForm::Joint, &format!("{county:06}"), "2023-05-01", 5);
            take(union_id(&key), Facts::Union(Box::new(union)));
        }
    }
}

#[test]
fn speed_of_questions_on_a_generated_country() {
    let mut out = std::io::stderr();
    let mut say = |what: &str, start: Instant| {
        writeln!(out, "{what}: {} us", start.elapsed().as_micros()).expect("written");
    };
    let mut cube = Cube::new(Settings::default());
    let start = Instant::now();
    country(|id, facts| cube.upsert(id, facts));
    say("load 200,000 organisations and their unions", start);
    let heard = Heard::default();
    let ask = |query: &FiguresQuery| cube.figures(query, &heard).expect("a plain question");
    let total = ask(&FiguresQuery::at(day("2024-12-31"))).total.figures;
    assert!(total.covered > 10_000 && total.covered < total.eligible);
    let questions = [
        ("total", FiguresQuery::at(day("2024-12-31"))),
        (
            "by province and category",
            FiguresQuery {
                by: vec![Dimension::Province, Dimension::Category],
                ..FiguresQuery::at(day("2024-12-31"))
            },
        ),
        (
            "by county",
            FiguresQuery {
                by: vec![Dimension::County],
                ..FiguresQuery::at(day("2024-11-30"))
            },
        ),
        (
            "schools of a province by prefecture",
            FiguresQuery {
                by: vec![Dimension::Prefecture],
                area: Some(federation("330000")),
                filters: vec![(Dimension::Category, "school".to_owned())],
                ..FiguresQuery::at(day("2024-10-31"))
            },
        ),
        (
            "24 month ends by province and category",
            FiguresQuery {
                by: vec![Dimension::Province, Dimension::Category],
                series: Some((day("2023-01-01"), day("2024-12-31"))),
                ..FiguresQuery::at(day("2024-12-31"))
            },
        ),
    ];
    for (what, query) in &questions {
        for run in ["first", "again"] {
            let start = Instant::now();
            let answer = ask(query);
            say(&format!("{what}, {} rows, {run}", answer.rows.len()), start);
        }
    }
    let series = FiguresQuery {
        by: Vec::new(),
        ..questions[4].1.clone()
    };
    let start = Instant::now();
    let headlines = cube.headlines(&series, &heard).expect("a plain question");
    say(&format!("{} headlines alone", headlines.len()), start);
    let start = Instant::now();
    let rows = ask(&series).rows.len();
    say(&format!("{rows} rows at the same days"), start);
    // What two threads find side by side is what one finds in a part of the country.
    let country = ask(&questions[2].1);
    let province = FiguresQuery {
        area: Some(federation("330000")),
        ..questions[2].1.clone()
    };
    let of_province = |row: &FiguresRow| {
        row.key
            .value(Dimension::County)
            .is_some_and(|code| code.starts_with("33"))
    };
    let alone: Vec<FiguresRow> = ask(&province).rows.iter().filter(of_province).collect();
    let together: Vec<FiguresRow> = country.rows.iter().filter(of_province).collect();
    assert!(alone.len() > 50 && alone == together);
    let start = Instant::now();
    let found = cube.findings(day("2024-12-31")).len();
    say(&format!("{found} findings"), start);
    let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in memory
        .lines()
        .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
    {
        writeln!(out, "{line}").expect("written");
    }
    writeln!(out, "{}", cube.describe()).expect("written");
}
