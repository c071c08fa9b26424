//! Committing: what is refused, who joins which scope, what both logs say, and how fast it goes.

use std::time::Instant;

use super::*;
use crate::cursor::{AcknowledgedChange, Acknowledgement, Upstream};
use crate::testing::{Draft, Fixture, federation, id};
use crate::{Error, Store};

fn scopes(store: &Store, document: u32) -> Vec<String> {
    let scopes = store.read(|reader| reader.scopes_of(id(document))).expect("read");
    scopes.iter().map(ToString::to_string).collect()
}

/// (position, document, whole) of a scope's log.
fn log(store: &Store, code: u32) -> Vec<(u64, DocumentId, bool)> {
    let log = store.read(|reader| reader.scope_rows(&[federation(code)], 0, u64::MAX >> 1, 1_000));
    log.expect("read")
        .rows
        .iter()
        .map(|row| (row.position, row.document_id, row.whole))
        .collect()
}

#[test]
fn a_commit_is_read_back_as_it_was_given() {
    let fixture = Fixture::new(Role::Aggregator);
    let mut draft = Draft::new(1);
    let first = draft.edit(&[330106]);
    let second = draft.edit(&[330106]);
    assert_eq!(fixture.commit(first.clone()).expect("first").position, 1);
    let outcome = fixture.commit(second.clone()).expect("second");
    assert_eq!((outcome.position, outcome.committed_at_ms), (2, 1_002));
    assert_eq!(
        (outcome.scopes, outcome.joined),
        (vec![federation(330106)], vec![])
    );
    let (row, changes) = fixture
        .store
        .read(|reader| reader.load(id(1)))
        .expect("read")
        .expect("the document is there");
    assert_eq!(
        (row.heads, row.digest, row.changes_count),
        (second.heads.clone(), second.digest, 2)
    );
    let bytes: usize = [&first, &second]
        .iter()
        .map(|commit| commit.new_changes[0].bytes.len())
        .sum();
    assert_eq!(row.bytes_total, bytes as u64);
    for (ordinal, (stored, commit)) in changes.iter().zip([&first, &second]).enumerate() {
        let given = &commit.new_changes[0];
        assert_eq!(
            (stored.ordinal, stored.position),
            (ordinal as u64, ordinal as u64 + 1)
        );
        assert_eq!(
            (stored.hash, &stored.bytes, stored.seq),
            (given.hash, &given.bytes, given.seq)
        );
        assert_eq!(
            (stored.actor, stored.origin_store),
            (given.actor, given.origin_store)
        );
    }
    let between = |after, until| {
        let changes = fixture
            .store
            .read(|reader| reader.changes_between(id(1), after, until))
            .expect("read");
        changes.iter().map(|change| change.position).collect::<Vec<_>>()
    };
    assert_eq!(
        (between(0, 2), between(1, 2), between(0, 1), between(2, 9)),
        (vec![1, 2], vec![2], vec![1], vec![])
    );
    assert_eq!(
        fixture
            .store
            .read(|reader| reader.actor_store(ActorId([9; 16])))
            .expect("read"),
        Some(StoreId([7; 16]))
    );
    assert_eq!(fixture.faults(), []);
}

#[test]
fn a_commit_prepared_for_another_state_is_stale() {
    let fixture = Fixture::new(Role::Aggregator);
    let mut draft = Draft::new(1);
    let (first, second) = (draft.edit(&[330106]), draft.edit(&[330106]));
    let is_stale = |commit: &DocumentCommit| matches!(fixture.commit(commit.clone()), Err(Error::Stale(_)));
    assert!(is_stale(&second), "before the first");
    fixture.commit(first.clone()).expect("first");
    assert!(is_stale(&first), "new again");
    fixture.commit(second.clone()).expect("second");
    assert!(is_stale(&second), "twice");
    let again = DocumentCommit {
        expected_digest: draft.digest,
        ..first
    };
    assert!(matches!(fixture.commit(again.clone()), Err(Error::ChangeHeld(_))));
    let other_kind = DocumentCommit {
        kind: DocumentKind::Union,
        ..again.clone()
    };
    assert!(matches!(fixture.commit(other_kind), Err(Error::KindDiffers(_))));
    let empty = DocumentCommit {
        new_changes: Vec::new(),
        ..again
    };
    assert!(matches!(fixture.commit(empty), Err(Error::EmptyCommit(_))));
    assert_eq!(fixture.store.read(|reader| reader.position()).expect("read"), 2);
    assert_eq!(fixture.faults(), []);
}

#[test]
fn commit_times_never_run_backwards() {
    let fixture = Fixture::new(Role::Aggregator);
    for (n, (now, expected)) in [(5_000, 5_000), (4_000, 5_000), (6_000, 6_000)]
        .into_iter()
        .enumerate()
    {
        let commit = DocumentCommit {
            now_ms: now,
            ..Draft::new(n as u32).edit(&[330106])
        };
        assert_eq!(fixture.commit(commit).expect("commit").committed_at_ms, expected);
    }
    let at = |time| {
        fixture
            .store
            .read(|reader| reader.position_by(time))
            .expect("read")
    };
    assert_eq!(
        (at(4_999), at(5_000), at(5_999), at(6_000), at(9_999)),
        (0, 2, 2, 3, 3)
    );
    let time = |position| {
        fixture
            .store
            .read(|reader| reader.time_of(position))
            .expect("read")
    };
    assert_eq!(
        (time(0), time(1), time(3), time(9)),
        (None, Some(5_000), Some(6_000), Some(6_000))
    );
}

#[test]
fn a_named_document_visits_the_homes_of_who_names_it_in_either_order() {
    for named_first in [true, false] {
        for by_alias in [true, false] {
            let fixture = Fixture::new(Role::Aggregator);
            let mut union = Draft::new(1).edit(&[330106]);
            let mut organisation = Draft::new(2).edit(&[330200]);
            organisation.names.insert(if by_alias { id(77) } else { id(1) });
            if by_alias {
                union.aliases.insert(id(77));
            }
            let commits = if named_first {
                [union, organisation]
            } else {
                [organisation, union]
            };
            for commit in commits {
                fixture.commit(commit).expect("commit");
            }
            let case = format!("named first {named_first}, by alias {by_alias}");
            assert_eq!(scopes(&fixture.store, 1), ["330106", "330200"], "{case}");
            assert_eq!(
                scopes(&fixture.store, 2),
                ["330200"],
                "{case}: not the other way round"
            );
            assert!(
                log(&fixture.store, 330200).contains(&(2, id(1), true)),
                "{case}: joined as a whole"
            );
            assert_eq!(fixture.faults(), [], "{case}");
        }
    }
}

#[test]
fn visiting_is_not_transitive_and_a_visitor_s_edit_reaches_its_hosts() {
    let fixture = Fixture::new(Role::Aggregator);
    let (mut first, mut second, mut third) = (Draft::new(1), Draft::new(2), Draft::new(3));
    let mut names_second = first.edit(&[330106]);
    names_second.names.insert(id(2));
    let mut names_third = second.edit(&[330200]);
    names_third.names.insert(id(3));
    for commit in [names_second, names_third, third.edit(&[330300])] {
        fixture.commit(commit).expect("commit");
    }
    assert_eq!(scopes(&fixture.store, 2), ["330106", "330200"]);
    assert_eq!(scopes(&fixture.store, 3), ["330200", "330300"]);
    let outcome = fixture.commit(second.edit(&[])).expect("an edit of the visitor");
    assert_eq!(outcome.scopes, [federation(330106), federation(330200)]);
    assert_eq!(log(&fixture.store, 330106), [(1, id(1), true), (4, id(2), true)]);
    // A further home takes along whom the document had named before.
    let outcome = fixture.commit(first.edit(&[340000])).expect("a handover");
    let joined: BTreeSet<_> = outcome.joined.into_iter().collect();
    assert_eq!(
        joined,
        BTreeSet::from([(federation(340000), id(1)), (federation(340000), id(2))])
    );
    assert_eq!(scopes(&fixture.store, 2), ["330106", "330200", "340000"]);
    assert_eq!(fixture.faults(), []);
}

#[test]
fn a_visitor_that_claims_a_home_is_at_home_and_joins_only_once() {
    let fixture = Fixture::new(Role::Aggregator);
    let (mut host, mut visitor) = (Draft::new(1), Draft::new(2));
    let mut naming = host.edit(&[330106]);
    naming.names.insert(id(2));
    fixture.commit(naming).expect("commit");
    fixture.commit(visitor.edit(&[330200])).expect("commit");
    let outcome = fixture.commit(visitor.edit(&[330106])).expect("commit");
    assert_eq!((outcome.joined.len(), outcome.scopes.len()), (0, 2));
    let homes = fixture.store.read(|reader| reader.homes_of(id(2))).expect("read");
    assert_eq!(homes, [federation(330106), federation(330200)]);
    assert_eq!(fixture.faults(), []);
}

#[test]
fn scope_logs_of_one_position_do_not_depend_on_how_commits_are_grouped() {
    let commits = || {
        let mut drafts: Vec<Draft> = (0..12).map(Draft::new).collect();
        (0..60usize)
            .map(|n| {
                let mut commit = drafts[n * 7 % 12].edit(&[330100 + (n as u32 % 3)]);
                commit.names.insert(id(n as u32 * 5 % 12));
                commit
            })
            .collect::<Vec<_>>()
    };
    let chains = |group: usize| {
        let fixture = Fixture::new(Role::Aggregator);
        for group in commits().chunks(group) {
            let group = group.to_vec();
            let write = fixture.store.write("group", move |writer| {
                group
                    .iter()
                    .try_for_each(|commit| writer.commit_document(commit).map(drop))
            });
            write.wait().expect("committed");
        }
        assert_eq!(fixture.faults(), []);
        fixture.store.read(|reader| reader.scopes()).expect("read")
    };
    let single = chains(1);
    assert_eq!(single.len(), 3);
    assert_eq!(single, chains(60));
    assert_eq!(single, chains(7));
}

#[test]
fn a_closure_sees_its_own_counted_up_numbers() {
    let fixture = Fixture::new(Role::Aggregator);
    let commits: Vec<_> = (0..5).map(|n| Draft::new(n).edit(&[330106])).collect();
    let write = fixture.store.write("look", move |writer| {
        for (n, commit) in commits.iter().enumerate() {
            writer.commit_document(commit)?;
            let count = n as u64 + 1;
            assert_eq!(writer.position()?, count);
            assert_eq!(writer.set_sum(&[federation(330106)])?.count, count);
            assert_eq!(writer.scopes()?[0].set.count, count);
        }
        Ok(())
    });
    write.wait().expect("committed");
}

fn node_with_upstream() -> Fixture {
    let fixture = Fixture::new(Role::Node);
    let upstream = Upstream {
        store_id: StoreId([1; 16]),
        log_epoch: LogEpoch([3; 8]),
        down_position: 0,
        scopes_hash: Hash::default(),
        acknowledged: Cursor::default(),
        receipt_hash: Hash::default(),
        last_heard_ms: 0,
    };
    fixture
        .store
        .write("upstream", move |writer| writer.save_upstream(&upstream))
        .wait()
        .expect("saved");
    fixture
}

fn facts(store: &Store, n: u32) -> Vec<(u64, u64)> {
    let facts = store.read(|reader| reader.facts_of(id(n))).expect("read");
    let number = |facts: Vec<u8>| u64::from_be_bytes(facts.try_into().expect("eight bytes"));
    facts
        .into_iter()
        .map(|(position, facts)| (position, number(facts)))
        .collect()
}

fn acknowledge(
    store: &Store,
    upto: u64,
    positions: &[(&DocumentCommit, u64)],
) -> Result<Vec<DocumentId>, Error> {
    let chain = store
        .read(|reader| reader.origin_chain_at(upto))
        .expect("read")
        .expect("a chain");
    let changes = positions.iter().map(|(commit, position)| AcknowledgedChange {
        document_id: commit.document_id,
        hash: commit.new_changes[0].hash,
        position: *position,
        committed_at_ms: *position as i64 * 10,
    });
    let answer = Acknowledgement {
        cursor: Cursor {
            position: upto,
            chain,
        },
        changes: changes.collect(),
        ..Acknowledgement::default()
    };
    store
        .write("acknowledge", move |writer| writer.acknowledge(&answer))
        .wait()
        .map(|outcome| outcome.facts_wanted)
}

#[test]
fn a_node_s_own_edits_wait_in_its_log_until_they_are_acknowledged() {
    let fixture = node_with_upstream();
    let (mut one, mut two) = (Draft::new(1), Draft::new(2));
    let commits = [one.edit(&[330106]), two.edit(&[330106]), one.edit(&[330106])];
    for commit in &commits {
        let outcome = fixture.commit(commit.clone()).expect("commit");
        assert_eq!((outcome.position, outcome.scopes.len()), (0, 1));
    }
    let waiting = |after| fixture.store.read(|reader| reader.waiting(after)).expect("read");
    assert_eq!((waiting(0).changes, waiting(0).since_ms), (3, Some(1_001)));
    let rows = fixture
        .store
        .read(|reader| reader.origin_rows(0, 10))
        .expect("read");
    let hashes: Vec<Hash> = rows.iter().map(|row| row.hash).collect();
    assert_eq!(
        hashes,
        commits
            .iter()
            .map(|commit| commit.new_changes[0].hash)
            .collect::<Vec<_>>()
    );
    let mut chain = Hash::default();
    for row in &rows {
        chain = Sha256::new()
            .chain_update(chain)
            .chain_update(row.document_id.0)
            .chain_update(row.hash)
            .finalize()
            .into();
        assert_eq!(row.cursor.chain, chain);
    }
    assert_eq!(
        fixture.store.read(|reader| reader.origin_end()).expect("read"),
        rows[2].cursor
    );
    assert_eq!(facts(&fixture.store, 1), [(UNSENT, 2)]);

    // The first answer: one's second edit is still unsent, so its facts in between are wanted.
    let wanted = acknowledge(&fixture.store, 2, &[(&commits[0], 10), (&commits[1], 11)]).expect("taken");
    assert_eq!(wanted, [id(1)]);
    assert_eq!(facts(&fixture.store, 2), [(11, 1)]);
    let write = fixture.store.write("facts", |writer| {
        writer.save_facts(
            id(1),
            &[
                (10, 1u64.to_be_bytes().to_vec()),
                (UNSENT, 2u64.to_be_bytes().to_vec()),
            ],
        )
    });
    write.wait().expect("saved");
    assert_eq!(
        (waiting(2).changes, facts(&fixture.store, 1)),
        (1, vec![(10, 1), (UNSENT, 2)])
    );
    assert_eq!(
        acknowledge(&fixture.store, 3, &[(&commits[2], 12)]).expect("taken"),
        []
    );
    assert_eq!(facts(&fixture.store, 1), [(10, 1), (12, 2)]);
    assert_eq!(
        fixture
            .store
            .read(|reader| reader.changes_unsent())
            .expect("read"),
        0
    );
    // An old answer once more moves nothing back, and a foreign chain is refused.
    acknowledge(&fixture.store, 1, &[]).expect("ignored");
    let upstream = fixture
        .store
        .read(|reader| reader.upstream())
        .expect("read")
        .expect("known");
    assert_eq!(upstream.acknowledged, rows[2].cursor);
    let foreign = Acknowledgement {
        cursor: Cursor {
            position: 2,
            chain: [1; 32],
        },
        ..Default::default()
    };
    let refused = fixture
        .store
        .write("foreign", move |writer| writer.acknowledge(&foreign))
        .wait();
    assert!(matches!(refused, Err(Error::ChainMismatch { position: 2 })));
    assert_eq!(fixture.faults(), []);
}

#[test]
fn facts_are_wanted_where_another_s_change_came_in_after_the_acknowledged_one() {
    let fixture = node_with_upstream();
    let mut draft = Draft::new(1);
    let own = draft.edit(&[330106]);
    fixture.commit(own.clone()).expect("own");
    let mut foreign = draft.edit(&[330106]);
    foreign.new_changes[0].position = 21;
    foreign.new_changes[0].committed_at_ms = 210;
    foreign.facts = vec![
        (21, 7u64.to_be_bytes().to_vec()),
        (UNSENT, 8u64.to_be_bytes().to_vec()),
    ];
    fixture.commit(foreign).expect("foreign");
    assert_eq!(facts(&fixture.store, 1), [(21, 7), (UNSENT, 8)]);
    assert_eq!(
        acknowledge(&fixture.store, 1, &[(&own, 20)]).expect("taken"),
        [id(1)]
    );
    assert_eq!(
        fixture
            .store
            .read(|reader| reader.position_by(200))
            .expect("read"),
        20
    );
}

#[test]
fn a_node_puts_documents_where_the_aggregator_says() {
    let fixture = Fixture::new(Role::Node);
    let mut commit = Draft::new(1).edit(&[330106]);
    commit.new_changes[0].position = 5;
    commit.scopes_given = vec![federation(330000)];
    let outcome = fixture.commit(commit).expect("commit");
    assert_eq!(outcome.scopes, [federation(330000), federation(330106)]);
    let end = fixture.store.read(|reader| reader.origin_end()).expect("read");
    assert_eq!(
        end,
        Cursor::default(),
        "what came from the aggregator is not this node's own"
    );
    assert_eq!(
        fixture.store.read(|reader| reader.homes_of(id(1))).expect("read"),
        [federation(330106)]
    );
    assert_eq!(fixture.faults(), []);
    let refused = fixture
        .store
        .write("positions", |writer| writer.allocate_positions(1))
        .wait();
    assert!(matches!(refused, Err(Error::WrongRole(_))));
}

#[test]
fn a_change_that_somebody_else_hands_in_does_not_bind_its_actor() {
    let fixture = Fixture::new(Role::Aggregator);
    let mut draft = Draft::new(1);
    let (mut loose, own) = (draft.edit(&[330106]), draft.edit(&[330106]));
    loose.new_changes[0].origin_store = StoreId([5; 16]);
    loose.new_changes[0].origin_epoch = LogEpoch::default();
    fixture.commit(loose).expect("commit");
    let owner = || {
        let actor = ActorId([9; 16]);
        fixture
            .store
            .read(|reader| reader.actor_store(actor))
            .expect("read")
    };
    assert_eq!(owner(), None);
    fixture.commit(own).expect("commit");
    assert_eq!(owner(), Some(StoreId([7; 16])));
}

#[test]
fn a_new_epoch_begins_with_what_has_no_position_and_positions_stay() {
    let fixture = node_with_upstream();
    let mut draft = Draft::new(1);
    let commits = [draft.edit(&[330106]), draft.edit(&[330106])];
    for commit in &commits {
        fixture.commit(commit.clone()).expect("commit");
    }
    acknowledge(&fixture.store, 1, &[(&commits[0], 10)]).expect("taken");
    let log = || {
        fixture
            .store
            .read(|reader| reader.origin_rows(0, 9))
            .expect("read")
    };
    let before = log();
    fixture
        .store
        .write("rotate", |writer| writer.rotate_log_epoch(LogEpoch([8; 8])))
        .wait()
        .expect("rotated");
    let rotated = log();
    let hashes: Vec<Hash> = rotated.iter().map(|row| row.hash).collect();
    assert_eq!(hashes, [commits[1].new_changes[0].hash]);
    assert_eq!(rotated[0].cursor.position, 1);
    assert_eq!(rotated[0].recorded_at_ms, before[1].recorded_at_ms);
    let upstream = fixture
        .store
        .read(|reader| reader.upstream())
        .expect("read")
        .expect("known");
    assert_eq!(upstream.acknowledged, Cursor::default());
    let changes = fixture.store.read(|reader| reader.changes(id(1))).expect("read");
    assert_eq!(
        (
            changes[0].position,
            changes[0].origin_epoch,
            changes[0].origin_position
        ),
        (10, LogEpoch([2; 8]), 0)
    );
    assert_eq!(changes[1].origin_epoch, LogEpoch([8; 8]));
    fixture
        .store
        .read(|reader| Ok(reader.identity().log_epoch))
        .expect("read");
    assert_eq!(fixture.store.identity().log_epoch, LogEpoch([8; 8]));
    assert_eq!(fixture.faults(), []);

    // The aggregator turns out to lack the first one.
    let wanted = [(id(1), commits[0].new_changes[0].hash), (id(1), [3; 32])];
    let appended = fixture
        .store
        .write("again", move |writer| writer.append_again(&wanted, 77))
        .wait();
    assert_eq!(appended.expect("appended"), 1, "what is not held is passed over");
    let again = log();
    assert_eq!(again.len(), 2);
    assert_eq!(again[1].hash, commits[0].new_changes[0].hash);
    let changes = fixture.store.read(|reader| reader.changes(id(1))).expect("read");
    assert_eq!((changes[0].position, changes[0].origin_position), (10, 2));
    assert_eq!(fixture.faults(), []);
}

/// Documents of the measurement below.
const MEASURED: u32 = 15_000;
/// Documents of one batch, the protocol's limit.
const BATCH: usize = 500;

#[test]
fn committing_is_fast_enough() {
    let fixture = Fixture::new(Role::Aggregator);
    let commits: Vec<DocumentCommit> = (0..MEASURED)
        .map(|n| {
            let mut commit = Draft::new(n).edit_sized(&[330000 + n % 90], 780);
            commit.aliases.insert(id(n + 10_000_000));
            commit.names.insert(id(n / 10 + 20_000_000));
            commit.facts = vec![(UNSENT, vec![5; 300])];
            commit
        })
        .collect();
    let batches: Vec<Vec<DocumentCommit>> = commits.chunks(BATCH).map(<[_]>::to_vec).collect();
    let begun = Instant::now();
    for batch in batches {
        let write = fixture.store.write("batch", move |writer| {
            batch
                .iter()
                .try_for_each(|commit| writer.commit_document(commit).map(drop))
        });
        write.wait().expect("committed");
    }
    let elapsed = begun.elapsed();
    let rate = u128::from(MEASURED) * 1_000_000 / elapsed.as_micros().max(1);
    let pages = crate::store::beside(&fixture.path(), "")
        .metadata()
        .map_or(0, |file| file.len());
    crate::testing::tell(&format!(
        "{MEASURED} documents in batches of {BATCH}: {rate} a second, {} bytes each",
        pages / u64::from(MEASURED)
    ));
    assert_eq!(
        fixture.store.read(|reader| reader.position()).expect("read"),
        u64::from(MEASURED)
    );
}
