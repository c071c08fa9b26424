//! Scopes: sums, pieces of logs, chains.

use super::*;
use crate::Role;
use crate::testing::{Draft, Fixture, federation, id};

#[test]
fn sums_are_taken_modulo_two_to_the_256() {
    let cases: [(Hash, Hash, Hash); 3] = [
        ([0; 32], [0xff; 32], [0xff; 32]),
        ([0xff; 32], little(1), [0; 32]),
        (little(0xffff), little(1), little(0x1_0000)),
    ];
    for (a, b, expected) in cases {
        let mut sum = a;
        add(&mut sum, &b);
        assert_eq!(sum, expected);
        subtract(&mut sum, &b);
        assert_eq!(sum, a);
    }
}

fn little(value: u64) -> Hash {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&value.to_le_bytes());
    hash
}

#[test]
fn a_scope_s_sum_is_that_of_its_documents() {
    let fixture = Fixture::new(Role::Aggregator);
    let mut drafts: Vec<Draft> = (0..20).map(Draft::new).collect();
    for round in 0..3 {
        for (n, draft) in drafts.iter_mut().enumerate() {
            let home = if n % 2 == round % 2 { 330106 } else { 330200 };
            fixture.commit(draft.edit(&[home])).expect("commit");
        }
    }
    let both = [federation(330106), federation(330200)];
    let (entries, sum) = fixture
        .store
        .read(|reader| {
            let entries = [reader.scope_entries(&both[0])?, reader.scope_entries(&both[1])?];
            Ok((entries, reader.set_sum(&both)?))
        })
        .expect("read");
    assert!(
        entries
            .iter()
            .all(|entries| entries.is_sorted() && entries.len() == 20)
    );
    let mut expected = SetSum::default();
    entries
        .iter()
        .flatten()
        .for_each(|(_, digest)| expected.add(digest));
    assert_eq!(sum, expected);
}

#[test]
fn pieces_of_several_scopes_cover_the_log_once_whatever_their_size() {
    let fixture = Fixture::new(Role::Aggregator);
    let mut drafts: Vec<Draft> = (0..40).map(Draft::new).collect();
    for n in 0..300usize {
        let mut commit = drafts[n * 11 % 40].edit(&[330100 + (n as u32 % 4)]);
        commit.names.insert(id(n as u32 * 3 % 40));
        fixture.commit(commit).expect("commit");
    }
    let scopes: Vec<_> = [330100, 330101, 330103].map(federation).to_vec();
    let end = fixture.store.read(|reader| reader.position()).expect("read");
    let whole = fixture
        .store
        .read(|reader| reader.scope_rows(&scopes, 0, end, usize::MAX))
        .expect("read");
    assert!(whole.drained && whole.to == end);
    for limit in [1, 3, 10, 39] {
        let (mut after, mut seen, mut joined) = (0, BTreeMap::new(), std::collections::BTreeSet::new());
        loop {
            let piece = fixture
                .store
                .read(|reader| reader.scope_rows(&scopes, after, end, limit))
                .expect("read");
            assert!(piece.rows.is_sorted_by_key(|row| row.position));
            for row in &piece.rows {
                assert!(row.position > after && row.position <= piece.to);
                seen.insert(row.document_id, row.position);
                if row.whole {
                    joined.insert(row.document_id);
                }
            }
            assert!(piece.drained || piece.to > after, "it goes on");
            after = piece.to;
            if piece.drained {
                break;
            }
        }
        assert_eq!(after, end);
        let expected: BTreeMap<_, _> = whole
            .rows
            .iter()
            .map(|row| (row.document_id, row.position))
            .collect();
        assert_eq!(seen, expected, "limit {limit}");
        assert_eq!(joined.len(), whole.rows.iter().filter(|row| row.whole).count());
    }
}

#[test]
fn a_piece_of_an_idle_scope_reaches_to_where_was_asked() {
    let fixture = Fixture::new(Role::Aggregator);
    fixture.commit(Draft::new(1).edit(&[330106])).expect("commit");
    let read = |scope, after, until| {
        fixture
            .store
            .read(|reader| reader.scope_rows(&[federation(scope)], after, until, 10))
            .expect("read")
    };
    assert_eq!(
        read(440000, 0, 1),
        ScopeLog {
            rows: vec![],
            to: 1,
            drained: true
        }
    );
    assert_eq!(
        read(330106, 0, 0),
        ScopeLog {
            rows: vec![],
            to: 0,
            drained: true
        }
    );
    assert_eq!(read(330106, 0, 1).rows.len(), 1);
    assert_eq!(
        read(330106, 1, 1),
        ScopeLog {
            rows: vec![],
            to: 1,
            drained: true
        }
    );
}

#[test]
fn the_chain_at_a_position_is_that_of_the_last_row_before() {
    let fixture = Fixture::new(Role::Aggregator);
    let (mine, other) = (federation(330106), federation(330200));
    let mut chains = vec![Hash::default()];
    for n in 0..6 {
        let commit = Draft::new(n).edit(&[if n % 2 == 0 { 330106 } else { 330200 }]);
        let hash = commit.new_changes[0].hash;
        fixture.commit(commit).expect("commit");
        let last = *chains.last().expect("one");
        chains.push(if n % 2 == 0 {
            next_chain(&last, u64::from(n) + 1, id(n), &[hash])
        } else {
            last
        });
    }
    for (position, chain) in chains.iter().enumerate() {
        let read = fixture
            .store
            .read(|reader| reader.scope_chain_at(&mine, position as u64))
            .expect("read");
        assert_eq!(read, *chain, "position {position}");
    }
    let row = fixture.store.read(|reader| reader.scope(&mine)).expect("read");
    assert_eq!((row.chain, row.last_position), (chains[6], 5));
    assert_ne!(
        fixture
            .store
            .read(|reader| reader.scope(&other))
            .expect("read")
            .chain,
        row.chain
    );
}
