//! Opening and closing: who may, what is refused, what a clean and an unclean end leave.

use super::*;
use crate::testing::{Draft, Fixture, options};

#[test]
fn a_store_is_created_once_and_opened_as_what_it_is() {
    let fixture = Fixture::new(Role::Aggregator);
    let path = fixture.path();
    assert!(matches!(
        Store::create(&path, &options(Role::Node)),
        Err(Error::FileExists(_))
    ));
    let expected = options(Role::Aggregator);
    fixture.store.clone().close();
    let identity = Store::open(&path).expect("open").identity();
    assert_eq!(
        (identity.store_id, identity.log_epoch),
        (expected.store_id, expected.log_epoch)
    );
    assert_eq!(
        (identity.role, identity.name),
        (Role::Aggregator, "test".to_owned())
    );
}

#[test]
fn a_closed_store_answers_closed() {
    let fixture = Fixture::new(Role::Node);
    let other = fixture.store.clone();
    fixture.store.clone().close();
    assert!(matches!(
        other.write("late", |_| Ok(())).wait(),
        Err(Error::Closed)
    ));
}

#[test]
fn what_is_not_a_store_of_this_version_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.db");
    assert!(matches!(Store::open(&path), Err(Error::FileMissing(_))));
    std::fs::write(&path, "this is a text and no database, however long it may be").expect("write");
    assert!(matches!(Store::open(&path), Err(Error::NotAStore(_))));
    std::fs::remove_file(&path).expect("remove");
    Connection::open(&path)
        .expect("a database")
        .execute_batch("CREATE TABLE t (x)")
        .expect("a table");
    assert!(matches!(Store::open(&path), Err(Error::NotAStore(_))));

    let fixture = Fixture::new(Role::Node);
    fixture.store.clone().close();
    Connection::open(fixture.path())
        .expect("open")
        .execute_batch("PRAGMA user_version = 99")
        .expect("set");
    let refused = Store::open(&fixture.path()).expect_err("newer");
    assert!(matches!(refused, Error::Newer { found: 99 }));
    assert_eq!(refused.code(), Some("STORE_NEWER"));
}

#[test]
fn every_connection_has_the_settings_of_a_live_store() {
    let fixture = Fixture::new(Role::Node);
    let expected = [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("busy_timeout", "5000"),
        ("wal_autocheckpoint", "0"),
        ("journal_size_limit", "67108864"),
        ("foreign_keys", "1"),
        ("trusted_schema", "0"),
        ("cell_size_check", "1"),
        ("mmap_size", "0"),
    ];
    let values = move |reader: &Reader| {
        let value = |name: &str| {
            let read = |row: &rusqlite::Row<'_>| {
                row.get_ref(0).map(|value| match value {
                    rusqlite::types::ValueRef::Integer(n) => n.to_string(),
                    other => other.as_str().unwrap_or_default().to_owned(),
                })
            };
            reader
                .db()
                .query_row(&format!("PRAGMA {name}"), [], read)
                .map_err(engine)
        };
        expected
            .iter()
            .map(|(name, _)| value(name))
            .collect::<Result<Vec<_>, _>>()
    };
    let wanted: Vec<&str> = expected.iter().map(|(_, value)| *value).collect();
    assert_eq!(fixture.store.read(values).expect("read"), wanted);
    assert_eq!(
        fixture
            .store
            .write("settings", move |writer| values(writer))
            .wait()
            .expect("write"),
        wanted
    );
}

#[test]
fn a_reader_cannot_write() {
    let fixture = Fixture::new(Role::Node);
    let refused = fixture.store.read(|reader| reader.run("DELETE FROM meta", []));
    assert!(matches!(refused, Err(Error::ReadOnly)));
}

#[test]
fn a_snapshot_does_not_move_while_others_write() {
    let fixture = Fixture::new(Role::Aggregator);
    let store = fixture.store.clone();
    let counts = store.read(|reader| {
        let before = reader.documents_count()?;
        fixture.commit(Draft::new(1).edit(&[330106]))?;
        Ok((before, reader.documents_count()?))
    });
    assert_eq!(counts.expect("read"), (0, 0));
    assert_eq!(store.read(|reader| reader.documents_count()).expect("read"), 1);
}

#[test]
fn two_handles_on_one_file_see_each_other_and_take_turns() {
    let fixture = Fixture::new(Role::Aggregator);
    let second = Store::open(&fixture.path()).expect("open again");
    let commit = |store: &Store, number: u32| {
        let commit = Draft::new(number).edit(&[330106]);
        let committed = store.write("half", move |writer| writer.commit_document(&commit));
        committed.wait().expect("commit");
    };
    // One after the other, so that each has known a position that is not the last any more; then both at once.
    for n in 0..10 {
        commit(&fixture.store, n);
        commit(&second, 1_000 + n);
    }
    let writers: Vec<_> = [fixture.store.clone(), second.clone()]
        .into_iter()
        .enumerate()
        .map(|(half, store)| {
            std::thread::spawn(move || (10..50).for_each(|n| commit(&store, half as u32 * 1_000 + n)))
        })
        .collect();
    for writer in writers {
        writer.join().expect("no panic");
    }
    for store in [&fixture.store, &second] {
        let (documents, position) = store
            .read(|reader| Ok((reader.documents_count()?, reader.position()?)))
            .expect("read");
        assert_eq!((documents, position), (100, 100));
    }
    assert_eq!(fixture.faults(), []);
}

#[test]
fn another_process_s_change_of_identity_is_seen() {
    let fixture = Fixture::new(Role::Node);
    let second = Store::open(&fixture.path()).expect("open again");
    second
        .write("rename", |writer| writer.set_name("renamed"))
        .wait()
        .expect("rename");
    let name = fixture
        .store
        .read(|reader| Ok(reader.identity().name.clone()))
        .expect("read");
    assert_eq!(
        (name.as_str(), fixture.store.identity().name.as_str()),
        ("renamed", "renamed")
    );
}

/// A copy of the files while the store is open is what a power cut leaves.
fn crash_image(fixture: &Fixture, folder: &Path) -> PathBuf {
    let image = folder.join("store.db");
    for suffix in ["", "-wal"] {
        std::fs::copy(beside(&fixture.path(), suffix), beside(&image, suffix)).expect("copy");
    }
    image
}

#[test]
fn after_a_crash_every_answered_commit_is_there_and_no_batch_is_half_there() {
    let fixture = Fixture::new(Role::Aggregator);
    let folder = tempfile::tempdir().expect("a folder");
    for batch in 0..3u32 {
        let commits: Vec<_> = (0..10)
            .map(|n| Draft::new(batch * 10 + n).edit(&[330106]))
            .collect();
        let write = fixture.store.write("batch", move |writer| {
            commits
                .iter()
                .try_for_each(|commit| writer.commit_document(commit).map(drop))
        });
        write.wait().expect("committed");
    }
    let image = crash_image(&fixture, folder.path());
    let wal = beside(&image, "-wal");
    let whole = std::fs::read(&wal).expect("read");
    // Whatever was torn off the end of the log, batches are there as a whole or not at all, the last ones missing.
    for cut in (0..=whole.len()).rev().step_by(whole.len() / 23) {
        std::fs::copy(beside(&fixture.path(), ""), &image).expect("copy");
        std::fs::write(&wal, &whole[..cut]).expect("cut");
        let _ = std::fs::remove_file(beside(&image, "-shm"));
        match Store::open(&image) {
            Ok(store) => {
                let documents = store.read(|reader| reader.documents_count()).expect("read");
                assert_eq!(documents % 10, 0, "cut at {cut}");
                assert!(cut < whole.len() || documents == 30);
                assert_eq!(store.read(|reader| reader.verify()).expect("verify"), []);
            }
            // Cut before the tables themselves were durable: create had not returned.
            Err(error) => assert!(matches!(error, Error::NotAStore(_)), "cut at {cut}: {error}"),
        }
    }
}

#[test]
fn an_unclean_stop_leads_to_a_check_that_finds_damage() {
    let fixture = Fixture::new(Role::Aggregator);
    // More than the log holds before it is folded.
    for n in 0..100 {
        fixture
            .commit(Draft::new(n).edit_sized(&[330106], 400_000))
            .expect("commit");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let image = crash_image(&fixture, folder.path());
    let mut bytes = std::fs::read(&image).expect("read");
    let pages = bytes.len() / 4096;
    assert!(pages > 20, "the log was folded into the file at least once");
    for page in pages / 2..pages {
        bytes[page * 4096..page * 4096 + 64].fill(0xee);
    }
    std::fs::write(&image, &bytes).expect("write");
    assert!(matches!(Store::open(&image), Err(Error::Corrupt(_))));
    std::fs::write(beside(&image, "-wal"), []).expect("empty log");
    assert!(
        matches!(Store::open(&image), Err(Error::Corrupt(_))),
        "it is remembered when the log that led to the check is gone"
    );
    // Without either the stop was clean, and nothing is checked beyond what is read.
    std::fs::remove_file(beside(&image, DAMAGED)).expect("the note");
    assert!(Store::open(&image).is_ok());
}

#[test]
fn a_reader_that_panics_takes_nothing_with_it_and_many_readers_wait_for_their_turn() {
    let fixture = Fixture::new(Role::Aggregator);
    fixture.commit(Draft::new(1).edit(&[330106])).expect("commit");
    for _ in 0..20 {
        let read = || fixture.store.read::<()>(|_| panic!("on purpose"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).is_err());
    }
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                let counted = fixture.store.read(|reader| {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    reader.documents_count()
                });
                assert_eq!(counted.expect("read"), 1);
            });
        }
    });
}

#[test]
fn documents_are_paged_by_id_and_marked() {
    use crate::document::DocumentState;
    use crate::testing::id;
    let fixture = Fixture::new(Role::Aggregator);
    for n in 0..7 {
        fixture.commit(Draft::new(n).edit(&[330106])).expect("commit");
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = fixture
            .store
            .read(|reader| reader.documents(after, 3))
            .expect("read");
        let Some(last) = page.last() else { break };
        after = Some(last.document_id);
        seen.extend(page.iter().map(|row| row.document_id));
    }
    let mut expected: Vec<_> = (0..7).map(id).collect();
    expected.sort();
    assert_eq!(seen, expected);
    let mark = |n| {
        fixture
            .store
            .write("mark", move |w| {
                w.set_document_state(id(n), DocumentState::Forked)
            })
            .wait()
    };
    mark(3).expect("marked");
    assert!(matches!(mark(9), Err(Error::NoDocument(_))));
    let marked = fixture
        .store
        .read(|reader| reader.documents_not_clean())
        .expect("read");
    assert_eq!(
        marked
            .iter()
            .map(|row| (row.document_id, row.state))
            .collect::<Vec<_>>(),
        [(id(3), DocumentState::Forked)]
    );
    let of = |kind| {
        fixture
            .store
            .read(|reader| reader.documents_count_of(kind))
            .expect("read")
    };
    use rollcall_core::id::DocumentKind::{Organisation, Union};
    assert_eq!((of(Organisation), of(Union)), (7, 0));
}
