//! A damaged store: found at the start after an unclean stop, read from then on and never written, saved row by row.

use super::*;
use crate::owner::Place;
use crate::testing::{Draft, Fixture};
use crate::{Role, Store, backup};

/// Overwrites the root page of an index or table.
fn damage(path: &Path, name: &str) {
    let db = Connection::open(path).expect("opens");
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("folded in");
    let page: i64 = db
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?1",
            [name],
            |row| row.get(0),
        )
        .expect("a page");
    let size: i64 = db
        .query_row("PRAGMA page_size", [], |row| row.get(0))
        .expect("a size");
    db.close().expect("closed");
    let mut bytes = std::fs::read(path).expect("the file");
    let start = usize::try_from((page - 1) * size).expect("small");
    bytes[start..start + 64].fill(0xee);
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn a_damaged_store_is_read_only_until_it_is_replaced_and_what_was_not_sent_is_saved() {
    let fixture = Fixture::new(Role::Node);
    for n in 0..20 {
        fixture.commit(Draft::new(n).edit(&[330106])).expect("committed");
    }
    let copy = fixture.folder.path().join("backup.db");
    fixture.store.backup(&copy).expect("a backup");
    let path = fixture.path();
    let Fixture { store, folder } = fixture;
    assert!(matches!(salvage(&path), Err(Error::InUse(_))), "it is open");
    store.close();
    damage(&path, "listing_by_name");
    // As an unclean stop leaves it.
    std::fs::write(beside(&path, "-wal"), b"left behind").expect("written");
    assert!(matches!(Store::open(&path), Err(Error::Corrupt(_))));
    let _ = std::fs::remove_file(beside(&path, "-wal"));
    assert!(
        matches!(Store::open(&path), Err(Error::Corrupt(_))),
        "it is remembered without the write-ahead log"
    );
    let damaged = Store::open_damaged(&path).expect("it can be read");
    assert!(damaged.is_read_only());
    assert_eq!(damaged.read(|reader| reader.documents_count()).expect("read"), 20);
    let written = damaged.write("write", |writer| writer.set_name("other")).wait();
    assert!(matches!(written, Err(Error::ReadOnly)), "{written:?}");
    drop(damaged);

    let saved = salvage(&path).expect("saved");
    assert_eq!((saved.unsent.len(), saved.unreadable), (20, 0));
    assert_eq!(saved.store_id, Some(StoreId([7; 16])));
    backup::restore(&copy, &path, &Place::default(), 1_700_000_000_000).expect("restored");
    assert!(Store::open(&path).is_ok(), "whole again");

    damage(&path, "change");
    let saved = salvage(&path).expect("what can be read");
    assert_eq!(saved.store_id, Some(StoreId([7; 16])), "who it was is known");
    assert_eq!(
        saved.unsent.len(),
        0,
        "its changes are gone, and nothing stops at that"
    );
    drop(folder);
}
