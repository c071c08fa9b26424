//! Imports: found by id and file, taken back once.

use super::*;
use crate::Role;
use crate::testing::Fixture;

fn import(n: u8, file: u8) -> ImportRow {
    ImportRow {
        import_id: format!("import-{n}"),
        file_sha256: [file; 32],
        file_name: "list.csv".to_owned(),
        account: "330106/7".to_owned(),
        at_ms: i64::from(n),
        summary: "{}".to_owned(),
        undo: vec![n],
        undone_ms: None,
    }
}

#[test]
fn an_import_is_found_until_it_is_taken_back_and_then_still_listed() {
    let fixture = Fixture::new(Role::Node);
    for import in [import(1, 7), import(2, 7), import(3, 8)] {
        fixture
            .store
            .write("save", move |w| w.save_import(&import))
            .wait()
            .expect("saved");
    }
    let ids = |rows: Vec<ImportRow>| rows.into_iter().map(|row| row.import_id).collect::<Vec<_>>();
    let of_file = |file: u8| {
        ids(fixture
            .store
            .read(|r| r.imports_of_file(&[file; 32]))
            .expect("read"))
    };
    assert_eq!((of_file(7).len(), of_file(8).len(), of_file(9).len()), (2, 1, 0));
    let undo = |id: &'static str| {
        fixture
            .store
            .write("undo", move |w| w.mark_import_undone(id, 99))
            .wait()
    };
    undo("import-2").expect("taken back");
    assert!(matches!(undo("import-2"), Err(Error::Missing(_))));
    assert!(matches!(undo("import-9"), Err(Error::Missing(_))));
    assert_eq!(of_file(7), ["import-1"]);
    let all = ids(fixture.store.read(|r| r.imports(9)).expect("read"));
    assert_eq!(all, ["import-3", "import-2", "import-1"]);
    let grown = ImportRow {
        summary: "{\"new\":2}".to_owned(),
        undo: vec![1, 2],
        ..import(1, 7)
    };
    let saved = grown.clone();
    fixture
        .store
        .write("save", move |w| w.save_import(&saved))
        .wait()
        .expect("saved");
    assert_eq!(
        fixture.store.read(|r| r.import("import-1")).expect("read"),
        Some(grown)
    );
}
