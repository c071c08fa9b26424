//! Lists: what a query finds, in which order and how fast.

use std::time::Instant;

use super::*;
use crate::testing::{Draft, Fixture, federation, id};
use crate::{Role, UNSENT};

fn listing(n: u32) -> Listing {
    Listing {
        code: n.is_multiple_of(3).then(|| format!("5233{n:014}")),
        name: format!("杭州市第{n:05}学校"),
        search: format!("杭州市第{n:05}学校 hzsd{n:05}xx 5233{n:014} 浙江省杭州市西湖区文三路{n}号"),
        home: Some(federation(330100 + n % 10)),
        conflicts: u32::from(n.is_multiple_of(100)),
        updated_at_ms: i64::from(n) * 10,
        columns: "{}".to_owned(),
    }
}

fn fill(fixture: &Fixture, count: u32) {
    for from in (0..count).step_by(1_000) {
        let write = fixture.store.write("fill", move |writer| {
            (from..(from + 1_000).min(count))
                .try_for_each(|n| writer.save_listing(id(n), DocumentKind::Organisation, &listing(n)))
        });
        write.wait().expect("filled");
    }
}

#[test]
fn a_query_finds_what_it_says_in_the_order_it_says() {
    let fixture = Fixture::new(Role::Aggregator);
    fill(&fixture, 300);
    let union = Listing {
        name: "工会".to_owned(),
        ..Listing::default()
    };
    let write = fixture.store.write("union", move |w| {
        w.save_listing(id(9_999), DocumentKind::Union, &union)
    });
    write.wait().expect("saved");
    let organisations = ListingQuery {
        kind: Some(DocumentKind::Organisation),
        limit: 2,
        ..Default::default()
    };
    let text = |text: &str| ListingQuery {
        text: text.to_owned(),
        ..organisations.clone()
    };
    let ordered = |order| ListingQuery {
        order,
        ..organisations.clone()
    };
    let cases: Vec<(ListingQuery, u64, Vec<u32>)> = vec![
        (
            ListingQuery {
                limit: 1,
                ..Default::default()
            },
            301,
            vec![9_999],
        ),
        (organisations.clone(), 300, vec![0, 1]),
        (
            ListingQuery {
                offset: 299,
                ..organisations.clone()
            },
            300,
            vec![299],
        ),
        (text("第00042"), 1, vec![42]),
        (text("hzsd0004"), 10, vec![40, 41]),
        (text("校 hzsd00042 文三"), 1, vec![42]),
        (text("100%_"), 0, vec![]),
        (
            ListingQuery {
                home: Some(federation(330103)),
                ..organisations.clone()
            },
            30,
            vec![3, 13],
        ),
        (
            ListingQuery {
                with_conflicts: true,
                ..organisations.clone()
            },
            3,
            vec![0, 100],
        ),
        (
            ListingQuery {
                unsent: true,
                ..organisations.clone()
            },
            0,
            vec![],
        ),
        (
            ListingQuery {
                scope: Some(federation(330103)),
                ..organisations.clone()
            },
            0,
            vec![],
        ),
        (ordered(ListingOrder::Code), 300, vec![0, 3]),
        (ordered(ListingOrder::Updated), 300, vec![299, 298]),
        (ordered(ListingOrder::Conflicts), 300, vec![0, 100]),
    ];
    for (query, total, first) in cases {
        let page = fixture
            .store
            .read(|reader| reader.listings(&query))
            .expect("read");
        let found: Vec<DocumentId> = page.rows.iter().map(|row| row.document_id).collect();
        assert_eq!(
            (page.total, found),
            (total, first.into_iter().map(id).collect()),
            "{query:?}"
        );
    }
    let row = fixture
        .store
        .read(|reader| reader.listing(id(42)))
        .expect("read")
        .expect("a row");
    assert_eq!(
        (row.listing.clone(), row.kind),
        (listing(42), DocumentKind::Organisation)
    );
    let by_code = |code: &str| {
        fixture
            .store
            .read(|reader| reader.listings_by_code(code))
            .expect("read")
    };
    assert_eq!(by_code(&format!("5233{:014}", 42)), std::slice::from_ref(&row));
    let some = fixture
        .store
        .read(|reader| reader.listings_of(&[id(7_000), id(42)]))
        .expect("read");
    assert_eq!(some, std::slice::from_ref(&row));
    let total = |fixture: &Fixture| {
        let page = fixture.store.read(|reader| reader.listings(&organisations));
        page.expect("read").total
    };
    let before = total(&fixture);
    assert_eq!(
        fixture
            .store
            .read(|reader| reader.conflicts_count())
            .expect("read"),
        3
    );
    fixture
        .store
        .write("drop", move |writer| writer.drop_listing(row.document_id))
        .wait()
        .expect("dropped");
    assert_eq!(total(&fixture), before - 1);
}

#[test]
fn a_commit_writes_its_row_with_the_position_of_the_last_change() {
    for (role, expected) in [(Role::Aggregator, [1, 2]), (Role::Node, [UNSENT, UNSENT])] {
        let fixture = Fixture::new(role);
        let mut draft = Draft::new(1);
        for expected in expected {
            let mut commit = draft.edit(&[330106]);
            commit.listing = Some(listing(1));
            fixture.commit(commit).expect("commit");
            let row = fixture
                .store
                .read(|reader| reader.listing(id(1)))
                .expect("read")
                .expect("a row");
            assert_eq!(row.position, expected);
        }
        let query = ListingQuery {
            scope: Some(federation(330106)),
            limit: 9,
            ..Default::default()
        };
        assert_eq!(
            fixture
                .store
                .read(|reader| reader.listings(&query))
                .expect("read")
                .total,
            1
        );
    }
}

/// Rows of the measurement below: a large node.
const MEASURED: u32 = 50_000;

#[test]
fn typing_finds_rows_fast_enough() {
    let fixture = Fixture::new(Role::Node);
    fill(&fixture, MEASURED);
    for text in ["", "杭州", "文三路4999", "第04999学", "没有的", "hzsd0499 学校"] {
        let kind = Some(DocumentKind::Organisation);
        let query = ListingQuery {
            kind,
            text: text.to_owned(),
            limit: 50,
            ..Default::default()
        };
        let mut best = u128::MAX;
        let mut total = 0;
        for _ in 0..5 {
            let begun = Instant::now();
            total = fixture
                .store
                .read(|reader| reader.listings(&query))
                .expect("read")
                .total;
            best = best.min(begun.elapsed().as_micros());
        }
        crate::testing::tell(&format!(
            "search of {MEASURED} rows for {text:?}: {total} found, {best} µs"
        ));
    }
}

#[test]
fn names_of_a_kind_are_streamed_whole() {
    let fixture = Fixture::new(Role::Node);
    fill(&fixture, 30);
    let union = Listing {
        name: "工会".to_owned(),
        search: "工会".to_owned(),
        ..Listing::default()
    };
    let write = fixture.store.write("union", move |w| {
        w.save_listing(id(9_999), DocumentKind::Union, &union)
    });
    write.wait().expect("saved");
    let names = |kind| {
        let mut names = Vec::new();
        let read = fixture.store.read(|reader| {
            reader.listed_names(kind, |listed| {
                let (name, search) = (listed.name.to_owned(), listed.search.to_owned());
                names.push((listed.document_id, name, search, listed.conflicts));
                Ok(())
            })
        });
        read.expect("read");
        names.sort();
        names
    };
    let mut expected: Vec<_> = (0..30)
        .map(|n| (id(n), listing(n).name, listing(n).search, listing(n).conflicts))
        .collect();
    expected.sort();
    assert_eq!(names(DocumentKind::Organisation), expected);
    let union = (id(9_999), "工会".to_owned(), "工会".to_owned(), 0);
    assert_eq!(names(DocumentKind::Union), [union]);
}
