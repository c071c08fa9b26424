//! Leases: one holder at a time, free when given back or run out.

use super::*;
use crate::Role;
use crate::testing::Fixture;

#[test]
fn a_lease_has_one_holder_until_it_runs_out_or_is_given_back() {
    let fixture = Fixture::new(Role::Node);
    let acquire = |holder: &'static str, now, until| {
        fixture
            .store
            .write("acquire", move |w| w.acquire_lease("sync", holder, now, until))
            .wait()
    };
    let release = |holder: &'static str| {
        fixture
            .store
            .write("release", move |w| w.release_lease("sync", holder))
            .wait()
    };
    acquire("serve", 0, 100).expect("free");
    acquire("serve", 50, 150).expect("renewed");
    match acquire("cli", 149, 200) {
        Err(Error::LeaseHeld { holder, until_ms }) => assert_eq!((holder.as_str(), until_ms), ("serve", 150)),
        other => panic!("{other:?}"),
    }
    acquire("cli", 150, 200).expect("run out");
    release("serve").expect("not its own: nothing happens");
    let held = fixture.store.read(|r| r.lease("sync")).expect("read");
    assert_eq!(
        held,
        Some(LeaseRow {
            name: "sync".to_owned(),
            holder: "cli".to_owned(),
            until_ms: 200
        })
    );
    release("cli").expect("given back");
    acquire("serve", 160, 300).expect("free again");
}
