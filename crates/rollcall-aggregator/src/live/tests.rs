//! Who is told what.

use std::collections::BTreeSet;

use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_replica::grants::{Access, Enrolled};
use rollcall_rpc::RefusalKind;

use super::*;

fn scope(text: &str) -> FederationId {
    text.parse().expect("a federation")
}

fn scopes(texts: &[&str]) -> BTreeSet<FederationId> {
    texts.iter().map(|text| scope(text)).collect()
}

fn identity(name: &str) -> PeerIdentity {
    PeerIdentity {
        serial: name.to_owned(),
        fingerprint: [0; 32],
        name: name.to_owned(),
        not_after_ms: i64::MAX,
        remote: ([127, 0, 0, 1], 1).into(),
    }
}

fn peer(write: &[&str], replicas: &[&str], writers: &[&str]) -> PeerContext {
    PeerContext {
        peer_id: "peer".to_owned(),
        store_id: StoreId([1; 16]),
        log_epoch: LogEpoch([1; 8]),
        signing_key: Vec::new(),
        access: Access {
            enrolled: Enrolled {
                write: scopes(write),
                replicas: scopes(replicas),
            },
            writers: Arc::new(scopes(writers)),
        },
        former_stores: Vec::new(),
    }
}

#[test]
fn only_those_who_read_a_scope_are_told_of_it_and_nobody_after_the_end() {
    let live = Live::default();
    let writers = ["330106", "330105", "330000"];
    let (county, county_told) = live.enter(identity("county"), peer(&["330106"], &[], &writers));
    let (_other, other_told) = live.enter(identity("other"), peer(&["330105"], &[], &writers));
    let (_province, province_told) =
        live.enter(identity("province"), peer(&["330000"], &["330000"], &writers));
    // A federation above without replicas reads what has no writer of its own.
    let (_above, above_told) = live.enter(identity("above"), peer(&["330000"], &[], &writers));
    let positions =
        || [&county_told, &other_told, &province_told, &above_told].map(|told| told.borrow().position);
    assert_eq!(live.announce(7, &[scope("330106")]), 2);
    assert_eq!(positions(), [7, 0, 7, 0]);
    assert_eq!(live.announce(8, &[scope("330109")]), 2);
    assert_eq!(positions(), [7, 0, 8, 8]);
    assert_eq!(
        live.announce(9, &[scope("440000"), scope("330105"), scope("330106")]),
        3
    );
    assert_eq!(positions(), [9, 9, 9, 8]);
    drop(county);
    assert_eq!((live.count(), live.announce(10, &[scope("330106")])), (3, 1));
}

#[test]
fn sessions_end_with_their_standing() {
    let live = Live::default();
    let before = ["330106", "330000"];
    let (_county, county) = live.enter(identity("county"), peer(&["330106"], &[], &before));
    let (_province, province) = live.enter(identity("province"), peer(&["330000"], &[], &before));
    let (_far, far) = live.enter(identity("far"), peer(&["440000"], &[], &before));
    let after = ["330106", "330000", "330105"];
    let leave = |told: &watch::Receiver<Told>| told.borrow().leave.clone();
    let (_copied, copied) = live.enter(identity("copied"), peer(&["450000"], &[], &before));
    let standing = |peer, fenced| Ok(PeerStanding { peer, fenced });
    live.review(|identity| match identity.name.as_str() {
        "county" => Err(Refusal::new(RefusalKind::Unauthenticated, "KEY_REVOKED", "Lost.")),
        "province" => standing(peer(&["330000"], &[], &after), false),
        "copied" => standing(peer(&["450000"], &[], &after), true),
        _ => standing(peer(&["440000"], &[], &after), false),
    });
    assert!(copied.borrow().fenced && !far.borrow().fenced);
    assert_eq!(leave(&copied), None, "what it sent is taken first");
    let cut = leave(&county).expect("revoked");
    assert_eq!((cut.code.as_str(), cut.drain), ("KEY_REVOKED", false));
    let drained = leave(&province).expect("a county below has a writer now");
    assert_eq!((drained.code.as_str(), drained.drain), ("ACCESS_CHANGED", true));
    assert_eq!(leave(&far), None, "writers elsewhere are no concern of theirs");
}
