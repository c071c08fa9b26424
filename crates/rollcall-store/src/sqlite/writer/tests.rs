//! Group commit: who fails fails alone, who is answered is durable, who was refused left nothing behind.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Waker};

use rollcall_core::id::LogEpoch;

use crate::testing::{Draft, Fixture};
use crate::{Error, Role, Store};

#[derive(Debug, thiserror::Error)]
#[error("my own reason")]
struct MyReason;

fn count(store: &Store) -> u64 {
    store.read(|reader| reader.documents_count()).expect("read")
}

/// Holds the writer thread until the sender is used, so that what follows waits together.
fn hold(store: &Store) -> (mpsc::Sender<()>, super::Pending<()>) {
    let (release, held) = mpsc::channel();
    let (started, running) = mpsc::channel();
    let pending = store.write("hold", move |_| {
        started.send(()).expect("the test listens");
        held.recv().expect("the test releases");
        Ok(())
    });
    running.recv().expect("it runs");
    (release, pending)
}

#[test]
fn a_refusal_and_a_panic_in_a_group_leave_the_others() {
    let fixture = Fixture::new(Role::Aggregator);
    let (release, first) = hold(&fixture.store);
    let commit = |n| {
        let commit = Draft::new(n).edit(&[330106]);
        move |writer: &mut crate::Writer| writer.commit_document(&commit).map(|outcome| outcome.position)
    };
    let before = fixture.store.write("before", commit(1));
    let refused = fixture.store.write::<u64>("refused", {
        let commit = commit(2);
        move |writer| {
            commit(writer)?;
            Err(Error::refused(MyReason))
        }
    });
    let panicked = fixture.store.write::<u64>("panicked", {
        let commit = commit(3);
        move |writer| {
            commit(writer)?;
            panic!("on purpose")
        }
    });
    let after = fixture.store.write("after", commit(4));
    release.send(()).expect("held");
    first.wait().expect("first");
    assert_eq!(before.wait().expect("before"), 1);
    match refused.wait() {
        Err(Error::Refused(reason)) => assert!(reason.downcast_ref::<MyReason>().is_some()),
        other => panic!("{other:?}"),
    }
    assert!(matches!(panicked.wait(), Err(Error::Panicked("panicked"))));
    // Positions of rolled back closures are given again: the sequence has no holes.
    assert_eq!(after.wait().expect("after"), 2);
    assert_eq!(count(&fixture.store), 2);
    assert_eq!(fixture.faults(), []);
}

#[test]
fn what_can_be_done_again_outlives_a_failure_after_it() {
    let fixture = Fixture::new(Role::Aggregator);
    let store = Store::open_stepped(&fixture.path(), LogEpoch([9; 8])).expect("open");
    let runs = Arc::new(Mutex::new(Vec::new()));
    let commit = |n: u32| {
        let (commit, runs) = (Draft::new(n).edit(&[330106]), Arc::clone(&runs));
        move |writer: &mut crate::Writer| {
            runs.lock().unwrap_or_else(PoisonError::into_inner).push(n);
            writer.commit_document(&commit).map(|outcome| outcome.position)
        }
    };
    let repeated = store.write_repeatable("repeated", commit(1));
    let refused = store.write_repeatable::<u64>("refused", {
        let commit = commit(2);
        move |writer| {
            commit(writer)?;
            Err(Error::refused(MyReason))
        }
    });
    let once = store.write("once", commit(3));
    let panicked = store.write_repeatable::<u64>("panicked", {
        let commit = commit(4);
        move |writer| {
            commit(writer)?;
            panic!("on purpose")
        }
    });
    let last = store.write_repeatable("last", commit(5));
    assert_eq!(store.step(5), 5);
    assert_eq!(repeated.wait().expect("repeated"), 1);
    assert!(matches!(refused.wait(), Err(Error::Refused(_))));
    assert_eq!(once.wait().expect("once"), 2);
    assert!(matches!(panicked.wait(), Err(Error::Panicked("panicked"))));
    assert_eq!(last.wait().expect("last"), 3);
    // Only what stood without a savepoint when another failed was done again.
    assert_eq!(
        *runs.lock().unwrap_or_else(PoisonError::into_inner),
        [1, 2, 1, 3, 4, 5]
    );
    assert_eq!(count(&fixture.store), 3);
    assert_eq!(fixture.faults(), []);
}

#[test]
fn a_transaction_is_held_open_for_what_is_announced() {
    let fixture = Fixture::new(Role::Aggregator);
    let store = &fixture.store;
    let write = |n| {
        let commit = Draft::new(n).edit(&[330106]);
        store.write_repeatable("one of two", move |writer| writer.commit_document(&commit))
    };
    // The second may come too late on a machine that is very busy, but not every time.
    let together = (0..5).any(|attempt| {
        // Asked on the writer's thread, before the group that asks has been counted itself.
        let groups_before = |name| {
            let groups = store.commits();
            let asked = store.write(name, move |_| Ok(*groups.borrow()));
            asked.wait().expect("asked")
        };
        let before = groups_before("before");
        let announced = store.announce();
        let first = write(2 * attempt);
        std::thread::sleep(super::HOLD / 8);
        let second = write(2 * attempt + 1);
        drop(announced);
        first.wait().expect("first");
        second.wait().expect("second");
        // That of the question before, and one of both.
        groups_before("after") - before == 2
    });
    assert!(together, "each was committed by itself");
    assert_eq!(fixture.faults(), []);
}

#[test]
fn what_waits_together_is_committed_together() {
    let fixture = Fixture::new(Role::Aggregator);
    let (release, first) = hold(&fixture.store);
    let version = || {
        let read = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        fixture.store.read(|reader| {
            reader
                .db()
                .query_row("PRAGMA data_version", [], read)
                .map_err(crate::error::engine)
        })
    };
    let pending: Vec<_> = (0..20)
        .map(|n| {
            let commit = Draft::new(n).edit(&[330106]);
            fixture
                .store
                .write("one of many", move |writer| writer.commit_document(&commit))
        })
        .collect();
    release.send(()).expect("held");
    first.wait().expect("first");
    let before = version().expect("version");
    for pending in pending {
        pending.wait().expect("committed");
    }
    let after = version().expect("version");
    assert_eq!(count(&fixture.store), 20);
    // The data version counts foreign commits that a reader came upon: one group, at most one more step.
    assert!(after - before <= 1, "{before} {after}");
}

#[test]
fn nobody_is_answered_before_the_group_is_committed() {
    let fixture = Fixture::new(Role::Aggregator);
    let store = Store::open_stepped(&fixture.path(), LogEpoch([9; 8])).expect("open");
    let commit = Draft::new(1).edit(&[330106]);
    let first = store.write("first", move |writer| writer.commit_document(&commit));
    let first = Arc::new(Mutex::new(first));
    let looked = Arc::clone(&first);
    // Runs in the same transaction after the first, which is not committed until both are done.
    let second = store.write("second", move |_| {
        let mut first = looked.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = Pin::new(&mut *first).poll(&mut Context::from_waker(Waker::noop()));
        Ok(answer.is_pending())
    });
    assert_eq!(store.step(2), 2);
    assert!(second.wait().expect("second"), "the first was answered too soon");
    let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = Pin::new(&mut *first).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(answer, std::task::Poll::Ready(Ok(_))));
    assert_eq!(count(&fixture.store), 1);
}

#[test]
fn an_answer_can_be_awaited_and_a_dropped_one_still_commits() {
    let fixture = Fixture::new(Role::Aggregator);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("runtime");
    let store = fixture.store.clone();
    runtime.block_on(async {
        let commit = Draft::new(1).edit(&[330106]);
        store
            .write("awaited", move |writer| writer.commit_document(&commit))
            .await
            .expect("committed");
        let commit = Draft::new(2).edit(&[330106]);
        drop(store.write("dropped", move |writer| writer.commit_document(&commit)));
        // Blocking for an answer works inside a runtime too.
        store.write("last", |_| Ok(())).wait().expect("last");
    });
    assert_eq!(count(&fixture.store), 2);
}

#[test]
fn the_last_handle_finishes_what_waits() {
    let fixture = Fixture::new(Role::Aggregator);
    let path = fixture.path();
    let Fixture { store, folder } = fixture;
    let pending: Vec<_> = (0..30)
        .map(|n| {
            let commit = Draft::new(n).edit(&[330106]);
            store.write("last", move |writer| writer.commit_document(&commit))
        })
        .collect();
    drop(store);
    drop(pending);
    let store = Store::open(&path).expect("open");
    assert_eq!(count(&store), 30);
    drop(folder);
}

#[test]
fn a_full_disk_loses_nothing_and_ends_by_itself() {
    let fixture = Fixture::new(Role::Aggregator);
    for n in 0..10 {
        fixture.commit(Draft::new(n).edit(&[330106])).expect("commit");
    }
    let limit = |pages: &'static str| {
        fixture.store.write("limit", move |writer| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            writer
                .db()
                .query_row(&sql, [], |row| row.get::<_, i64>(0))
                .map_err(crate::error::engine)
        })
    };
    let pages = limit("1").wait().expect("a limit at the present size");
    assert!(pages > 1);
    let mut full = 0;
    for n in 100..120 {
        match fixture.commit(Draft::new(n).edit_sized(&[330106], 100_000)) {
            Err(Error::DiskFull) => full += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((full, count(&fixture.store)), (20, 10));
    assert_eq!(fixture.faults(), []);
    limit("1073741823").wait().expect("space again");
    fixture
        .commit(Draft::new(100).edit_sized(&[330106], 100_000))
        .expect("commit");
    assert_eq!(count(&fixture.store), 11);
    assert_eq!(fixture.faults(), []);
}

#[test]
fn a_store_locked_by_another_for_too_long_is_busy_and_recovers() {
    let fixture = Fixture::new(Role::Aggregator);
    fixture
        .store
        .write("impatient", |writer| {
            writer
                .db()
                .busy_timeout(std::time::Duration::from_millis(10))
                .map_err(crate::error::engine)
        })
        .wait()
        .expect("set");
    let other = rusqlite::Connection::open(fixture.path()).expect("open");
    other.execute_batch("BEGIN IMMEDIATE").expect("lock");
    let refused = fixture.commit(Draft::new(1).edit(&[330106])).expect_err("busy");
    assert!(matches!(refused, Error::Busy) && refused.is_transient());
    other.execute_batch("ROLLBACK").expect("unlock");
    fixture.commit(Draft::new(1).edit(&[330106])).expect("committed");
}
