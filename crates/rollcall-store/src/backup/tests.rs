//! Backups: whole while others write, marked, a new epoch on first opening, the replaced store kept.

use std::sync::atomic::{AtomicBool, Ordering};

use rollcall_core::id::StoreId;

use super::*;
use crate::testing::{Draft, Fixture, options};
use crate::{CreateOptions, Hash, Role};

/// Restores the backup of an aggregator.
fn put_back(from: &Path, to: &Path, now_ms: i64) -> Result<Option<PathBuf>, Error> {
    let place = Place {
        role: Role::Aggregator,
        ..Place::default()
    };
    restore(from, to, &place, now_ms)
}

#[test]
fn a_backup_made_while_others_write_is_whole_and_begins_its_own_epoch_once() {
    let fixture = Fixture::new(Role::Node);
    for n in 0..50 {
        fixture
            .commit(Draft::new(n).edit_sized(&[330106], 2_000))
            .expect("commit");
    }
    let copy = fixture.folder.path().join("backup.db");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 100.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                fixture
                    .commit(Draft::new(n).edit_sized(&[330106], 2_000))
                    .expect("commit");
            }
        });
        fixture.store.backup(&copy).expect("backup");
        stop.store(true, Ordering::Relaxed);
    });
    assert!(matches!(fixture.store.backup(&copy), Err(Error::FileExists(_))));
    let before = fixture.store.identity();
    let opened = Store::open(&copy).expect("open");
    let identity = opened.identity();
    assert_eq!(identity.store_id, before.store_id);
    assert_ne!(identity.log_epoch, before.log_epoch);
    assert_eq!(opened.read(|reader| reader.verify()).expect("verify"), []);
    let (documents, end) = opened
        .read(|reader| Ok((reader.documents_count()?, reader.origin_end()?)))
        .expect("read");
    assert!(documents >= 50 && end.position == documents && end.chain != Hash::default());
    opened.close();
    assert_eq!(
        Store::open(&copy).expect("open again").identity(),
        identity,
        "the epoch rotates once"
    );
    assert_eq!(fixture.store.identity(), before);
    fixture.store.integrity_check().expect("sound");
}

#[test]
fn restoring_keeps_the_replaced_store_beside_the_restored_one() {
    for role in [Role::Aggregator, Role::Node] {
        restore_twice(role);
    }
}

fn restore_twice(role: Role) {
    let fixture = Fixture::new(role);
    fixture.commit(Draft::new(1).edit(&[330106])).expect("commit");
    let copy = fixture.folder.path().join("backup.db");
    fixture.store.backup(&copy).expect("backup");
    fixture.commit(Draft::new(2).edit(&[330106])).expect("commit");
    let put_back = |to: &Path| {
        let place = Place {
            role,
            ..Place::default()
        };
        restore(&copy, to, &place, 1_700_000_000_000)
    };
    assert!(
        matches!(put_back(&fixture.path()), Err(Error::InUse(_))),
        "the store is open"
    );
    fixture.store.clone().close();
    let Fixture { store, folder } = fixture;
    let (path, epoch) = (store.path().to_owned(), store.identity().log_epoch);
    drop(store);
    for (round, expected) in [(1, 2), (2, 1)] {
        let replaced = put_back(&path).expect("restore").expect("there was a store");
        assert!(
            replaced
                .to_string_lossy()
                .ends_with(&format!(".replaced-{round}"))
        );
        let restored = Store::open(&path).expect("open");
        assert_ne!(restored.identity().log_epoch, epoch, "{role:?}");
        assert_eq!(restored.read(|reader| reader.documents_count()).expect("read"), 1);
        let old = Store::open(&replaced).expect("open the replaced one");
        assert_eq!(
            old.read(|reader| reader.documents_count()).expect("read"),
            expected
        );
    }
    let elsewhere = folder.path().join("elsewhere.db");
    assert_eq!(put_back(&elsewhere).expect("restore"), None);
    assert!(Store::open(&elsewhere).is_ok());
}

#[test]
fn a_restored_aggregator_counts_before_the_one_it_replaces_and_before_its_successor() {
    let Fixture { store, folder } = Fixture::new(Role::Aggregator);
    let (path, copy) = (store.path().to_owned(), folder.path().join("backup.db"));
    store.backup(&copy).expect("a backup");
    // A clock far ahead, then one that is right: what was replaced says what has to be exceeded.
    let ahead = 4_000_000_000_000;
    store.close();
    for (now_ms, expected) in [(ahead, ahead as u64), (1_700_000_000_000, ahead as u64 + 1)] {
        put_back(&copy, &path, now_ms).expect("restored");
        let store = Store::open(&path).expect("open");
        assert_eq!(
            store.read(|reader| reader.cluster_epoch()).expect("read"),
            expected
        );
        store.close();
    }
    // Put back by hand, it learns from a receipt that another one came after it.
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(beside(&path, suffix));
    }
    std::fs::copy(&copy, &path).expect("put back");
    let store = Store::open(&path).expect("open");
    let noted = store.write("noted", move |writer| writer.note_replaced(ahead as u64 + 1));
    noted.wait().expect("noted");
    store.close();
    put_back(&copy, &path, 1_700_000_000_000).expect("restored");
    let store = Store::open(&path).expect("open");
    let numbers = store.read(|reader| Ok((reader.cluster_epoch()?, reader.replaced_by()?)));
    assert_eq!(numbers.expect("read"), (ahead as u64 + 2, None));
}

#[test]
fn a_store_that_cannot_be_read_or_is_another_raises_no_number() {
    let Fixture { store, folder } = Fixture::new(Role::Aggregator);
    let (path, copy) = (store.path().to_owned(), folder.path().join("backup.db"));
    store.backup(&copy).expect("a backup");
    store.close();
    let number = |path: &Path| {
        let store = Store::open(path).expect("open");
        let number = store.read(|reader| reader.cluster_epoch()).expect("read");
        store.close();
        number
    };
    std::fs::write(&path, "no database at all").expect("written");
    put_back(&copy, &path, 1_000).expect("restored");
    assert_eq!(number(&path), 1_000);
    let other = folder.path().join("other.db");
    let options = CreateOptions {
        store_id: StoreId([9; 16]),
        ..options(Role::Aggregator)
    };
    let store = Store::create(&other, &options).expect("another store");
    let noted = store.write("noted", |writer| writer.note_replaced(9_000));
    noted.wait().expect("noted");
    store.close();
    let refused = put_back(&copy, &other, 2_000).expect_err("another store");
    assert!(matches!(&refused, Error::OtherStore(_)), "{refused}");
    assert_eq!(refused.code(), Some("BACKUP_OTHER_NODE"));
    assert_eq!(number(&other), 0, "it is as it was");
    let place = Place {
        role: Role::Aggregator,
        takes_over: true,
        ..Place::default()
    };
    restore(&copy, &other, &place, 2_000).expect("taken over");
    assert_eq!(number(&other), 2_000);
}

#[test]
fn what_is_no_sound_backup_replaces_nothing() {
    let fixture = Fixture::new(Role::Aggregator);
    for n in 0..50 {
        fixture
            .commit(Draft::new(n).edit_sized(&[330106], 3_000))
            .expect("commit");
    }
    let copy = fixture.folder.path().join("backup.db");
    fixture.store.backup(&copy).expect("backup");
    let path = fixture.path();
    let Fixture { store, folder } = fixture;
    drop(store);
    let mut damaged = std::fs::read(&copy).expect("read");
    let half = damaged.len() / 2;
    damaged[half..half + 8_192].fill(0xee);
    std::fs::write(folder.path().join("damaged.db"), damaged).expect("write");
    std::fs::write(folder.path().join("text.db"), "no database at all").expect("write");
    let refused = |name: &str| put_back(&folder.path().join(name), &path, 0).expect_err("refused");
    assert!(matches!(refused("damaged.db"), Error::Corrupt(_)));
    assert!(matches!(refused("text.db"), Error::NotAStore(_)));
    assert!(matches!(refused("missing.db"), Error::FileMissing(_)));
    let store = Store::open(&path).expect("still there");
    assert_eq!(store.read(|reader| reader.documents_count()).expect("read"), 50);
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("list")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert!(
        !left.iter().any(|name| name.to_string_lossy().ends_with(".part")),
        "{left:?}"
    );
}
