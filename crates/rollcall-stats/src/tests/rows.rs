//! Laws of the rows of an answer, on small random worlds: what stands beside them is what is found without them, and
//! they come in order.

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use rollcall_core::date::Day;
use rollcall_core::figure::Dimension;
use rollcall_core::term::{Category, Stage};

use super::cube_of;
use super::laws::{build, heard, world};
use crate::{Cube, FiguresQuery, Heard};

#[test]
fn a_cube_without_documents_has_no_rows_and_a_total_of_nothing() {
    let day = |year, month, day| Day::from_ymd(year, month, day).expect("a day");
    let cube = cube_of([]);
    let query = FiguresQuery {
        by: vec![Dimension::Size, Dimension::Province],
        ..FiguresQuery::at(day(2024, 12, 31))
    };
    let series = FiguresQuery {
        series: Some((day(2024, 1, 1), day(2024, 12, 31))),
        ..query.clone()
    };
    let alone = FiguresQuery::at(day(2024, 12, 31));
    for (query, rows) in [(query, 0), (series, 0), (alone, 1)] {
        let answer = cube.figures(&query, &Heard::default()).expect("a plain question");
        assert_eq!((answer.rows.len(), answer.total.figures.in_scope), (rows, 0));
        assert_eq!(answer.total.figures.establishment_rate.rate.percent(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_total_beside_rows_is_that_of_its_day_alone(seed in any::<u64>()) {
        let cube = || build(&world(seed, 1, true), 0);
        let day = |year, month, day| Day::from_ymd(year, month, day).expect("a day");
        // The targets' days are among those of the series, and so is the day itself.
        let alone = FiguresQuery::at(day(2025, 1, 31));
        let by = vec![Dimension::Stage, Dimension::County, Dimension::Size];
        let rows = FiguresQuery { by: by.clone(), ..alone.clone() };
        let series = FiguresQuery { series: Some((day(2023, 6, 1), day(2025, 3, 31))), ..rows.clone() };
        let ask = |cube: &Cube, query: &FiguresQuery| cube.figures(query, &heard()).expect("a plain question");
        let expected = ask(&cube(), &alone);
        for query in [rows, series.clone()] {
            let answer = ask(&cube(), &query);
            prop_assert_eq!(&answer.total, &expected.total);
            prop_assert_eq!(&answer.targets, &expected.targets);
        }
        // Headlines alone are those of the rows, and what was found of the targets' days is what the next question shows.
        let (cube, series) = (cube(), FiguresQuery { by: Vec::new(), ..series });
        let headlines = cube.headlines(&series, &heard()).expect("a plain question");
        let rows = ask(&cube, &series).rows;
        let of_rows = rows.iter().map(|row| (row.as_of.expect("dated"), row.figures.establishment_rate));
        prop_assert_eq!(headlines, of_rows.collect());
        prop_assert_eq!(&ask(&cube, &alone), &expected);
        // A row has the rate that a question for its value alone has.
        let of_a = FiguresQuery { filters: vec![(Dimension::Group, "A".to_owned())], ..alone.clone() };
        let of_a = cube.headlines(&of_a, &heard()).expect("a plain question").remove(&alone.as_of);
        let groups = ask(&cube, &FiguresQuery { by: vec![Dimension::Group], ..alone }).rows;
        let row = groups.iter().find(|row| row.key.value(Dimension::Group) == Some("A"));
        let row = row.map(|row| row.figures.establishment_rate);
        prop_assert_eq!(of_a.filter(|_| row.is_some()), row);
    }

    #[test]
    fn by_each_dimension_the_answer_is_that_of_the_question_by_it_alone(seed in any::<u64>(), on in 19_000..20_200_i32) {
        let (cube, alone) = (build(&world(seed, 1, true), 0), build(&world(seed, 1, true), 0));
        let by = [Dimension::Province, Dimension::Stage, Dimension::County, Dimension::Size];
        let in_nation = FiguresQuery { by: by.to_vec(), ..FiguresQuery::at(Day(on)) };
        let in_area = FiguresQuery { area: "330000".parse().ok(), ..in_nation.clone() };
        let of_b = FiguresQuery { filters: vec![(Dimension::Group, "B".to_owned())], ..in_nation.clone() };
        for query in [in_nation, in_area, of_b] {
            let each = cube.figures_by_each(&query, &heard()).expect("a plain question");
            prop_assert_eq!(each.len(), by.len());
            for (dimension, answer) in by.into_iter().zip(each) {
                let query = FiguresQuery { by: vec![dimension], ..query.clone() };
                prop_assert_eq!(answer, alone.figures(&query, &heard()).expect("a plain question"));
            }
        }
    }

    #[test]
    fn rows_come_in_the_order_of_their_values(seed in any::<u64>(), on in 19_000..20_200_i32) {
        let cube = build(&world(seed, 1, true), 0);
        let by = [Dimension::Stage, Dimension::County, Dimension::Category, Dimension::Province];
        let query = FiguresQuery { by: by.to_vec(), ..FiguresQuery::at(Day(on)) };
        let answer = cube.figures(&query, &heard()).expect("a plain question");
        let rank = |dimension: Dimension, value: Option<&str>| {
            let term = match dimension {
                Dimension::Stage => value.and_then(Stage::from_name).map(|stage| stage as usize),
                Dimension::Category => value.and_then(Category::from_name).map(|category| category as usize),
                _ => None,
            };
            // The remainder comes last.
            (value.is_none(), term, if term.is_none() { value.map(str::to_owned) } else { None })
        };
        let keys: Vec<_> = answer
            .rows
            .iter()
            .map(|row| by.map(|dimension| rank(dimension, row.key.value(dimension))))
            .collect();
        prop_assert!(keys.is_sorted_by(|one, next| one < next), "{:?}", keys);
    }
}
