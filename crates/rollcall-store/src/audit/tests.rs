//! The audit trail: without gaps, paged backwards, gone with a transaction that is rolled back.

use super::*;
use crate::Role;
use crate::testing::Fixture;

#[test]
fn entries_are_numbered_without_gaps_and_paged_newest_first() {
    let fixture = Fixture::new(Role::Node);
    let entry = |n: i64| AuditEntry {
        at_ms: n,
        account: "330106/7".to_owned(),
        action: "sign in".to_owned(),
        detail: format!("{n}"),
    };
    for n in 1..=5 {
        let refused = fixture.store.write::<()>("refused", move |w| {
            w.append_audit(&entry(99))?;
            Err(Error::Missing("nothing"))
        });
        assert!(refused.wait().is_err());
        let seq = fixture
            .store
            .write("append", move |w| w.append_audit(&entry(n)))
            .wait()
            .expect("appended");
        assert_eq!(seq, n as u64);
    }
    let page = |before| {
        let rows = fixture.store.read(|r| r.audit(before, 2)).expect("read");
        rows.into_iter()
            .map(|row| (row.seq, row.entry.at_ms))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (page(None), page(Some(4)), page(Some(1))),
        (vec![(5, 5), (4, 4)], vec![(3, 3), (2, 2)], vec![])
    );
    assert_eq!(fixture.faults(), []);
}

#[test]
fn where_one_text_ends_and_the_next_begins_is_part_of_the_chain() {
    let entry = |account: &str, action: &str| AuditEntry {
        at_ms: 1,
        account: account.to_owned(),
        action: action.to_owned(),
        detail: String::new(),
    };
    assert_ne!(
        next_chain(&[0; 32], 1, &entry("ab", "c")),
        next_chain(&[0; 32], 1, &entry("a", "bc"))
    );
}
