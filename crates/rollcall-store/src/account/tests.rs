//! Accounts: one name each, changed but never gone, silent in logs.

use super::*;
use crate::Role;
use crate::testing::Fixture;

fn account(id: &str, name: &str) -> AccountRow {
    AccountRow {
        account_id: id.to_owned(),
        name: name.to_owned(),
        password_hash: "$argon2id$secret".to_owned(),
        role: "editor".to_owned(),
        must_change: true,
        disabled: false,
        created_ms: 5,
    }
}

#[test]
fn ids_and_names_are_taken_once() {
    let fixture = Fixture::new(Role::Node);
    let create = |row: AccountRow| {
        fixture
            .store
            .write("create", move |w| w.create_account(&row))
            .wait()
    };
    let save = |row: AccountRow| fixture.store.write("save", move |w| w.save_account(&row)).wait();
    create(account("330106/1", "li")).expect("created");
    create(account("330106/2", "wang")).expect("created");
    assert!(matches!(
        create(account("330106/1", "zhao")),
        Err(Error::Exists("account"))
    ));
    assert!(matches!(
        create(account("330106/3", "li")),
        Err(Error::Exists("account name"))
    ));
    assert!(matches!(
        save(account("330106/2", "li")),
        Err(Error::Exists("account name"))
    ));
    assert!(matches!(
        save(account("330106/9", "qian")),
        Err(Error::Missing(_))
    ));
    save(AccountRow {
        disabled: true,
        created_ms: 77,
        ..account("330106/2", "wang")
    })
    .expect("saved");
    let set = |id: &'static str| {
        fixture
            .store
            .write("set", move |w| w.set_password(id, "$new", false))
            .wait()
    };
    set("330106/1").expect("set");
    assert!(matches!(set("330106/9"), Err(Error::Missing(_))));
    let by_name = |name: &str| fixture.store.read(|r| r.account_by_name(name)).expect("read");
    let li = by_name("li").expect("li");
    assert_eq!((li.password_hash.as_str(), li.must_change), ("$new", false));
    let wang = fixture
        .store
        .read(|r| r.account("330106/2"))
        .expect("read")
        .expect("wang");
    assert_eq!((wang.disabled, wang.created_ms), (true, 5));
    assert_eq!(fixture.store.read(|r| r.accounts()).expect("read"), [li, wang]);
    assert_eq!(by_name("zhao"), None);
}

#[test]
fn an_account_shows_neither_name_nor_hash() {
    let shown = format!("{:?}", account("330106/1", "liwei"));
    assert!(!shown.contains("liwei") && !shown.contains("argon2id"), "{shown}");
}
