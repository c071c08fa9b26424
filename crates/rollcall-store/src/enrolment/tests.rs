//! Tokens and peers: used once, in the transaction that records the peer, and revoked for good.

use super::*;
use crate::testing::{Fixture, federation};
use crate::{Role, Writer};

fn jurisdiction() -> Jurisdiction {
    Jurisdiction {
        federation: federation(330106),
        also: vec![federation(330105)],
        replicas: vec![federation(330100), federation(330200)],
        node_name: "hangzhou-1".to_owned(),
    }
}

fn token(n: u8) -> TokenRow {
    TokenRow {
        token_hash: [n; 32],
        jurisdiction: jurisdiction(),
        expires_ms: 1_000 + i64::from(n),
        used_ms: None,
        relay: n % 2 == 1,
    }
}

fn peer(name: &str, serial: &str) -> EnrolmentRow {
    EnrolmentRow {
        peer_id: name.to_owned(),
        jurisdiction: jurisdiction(),
        store_id: StoreId([5; 16]),
        certificate_serial: serial.to_owned(),
        certificate_pem: "-----BEGIN CERTIFICATE-----".to_owned(),
        signing_key: vec![3; 32],
        enrolled_ms: 10,
        not_after_ms: 9_999,
        revoked: None,
        last_heard_ms: 0,
        version: String::new(),
        position: 0,
        fenced_ms: None,
    }
}

#[test]
fn a_token_is_used_once_and_only_together_with_its_peer() {
    let fixture = Fixture::new(Role::Aggregator);
    for n in [1, 2, 3] {
        fixture
            .store
            .write("token", move |w| w.save_token(&token(n)))
            .wait()
            .expect("saved");
    }
    let enrol = |hash: u8, name: &'static str, now| {
        fixture
            .store
            .write("enrol", move |w: &mut Writer| {
                w.enrol(&[hash; 32], &peer(name, name), now)
            })
            .wait()
    };
    let fault = |result: Result<(), Error>| match result {
        Err(Error::Token(fault)) => Some(fault),
        _ => None,
    };
    assert_eq!(fault(enrol(9, "a", 5)), Some(TokenFault::Unknown));
    assert_eq!(fault(enrol(1, "a", 1_001)), Some(TokenFault::Expired));
    enrol(1, "a", 5).expect("enrolled");
    assert_eq!(fault(enrol(1, "b", 6)), Some(TokenFault::Used));
    // A peer of that name exists: neither is anything recorded, nor the token used up.
    assert!(matches!(enrol(2, "a", 7), Err(Error::Exists("peer"))));
    let tokens = fixture.store.read(|r| r.tokens()).expect("read");
    assert_eq!(
        tokens.iter().map(|token| token.used_ms).collect::<Vec<_>>(),
        [None, None, Some(5)]
    );
    assert_eq!(
        fixture
            .store
            .read(|r| r.usable_token(&[2; 32], 7))
            .expect("usable"),
        token(2)
    );
    assert_eq!(
        fixture.store.read(|r| r.enrolments()).expect("read"),
        [peer("a", "a")]
    );
}

#[test]
fn a_peer_is_found_by_its_present_certificate_and_revoked_for_good() {
    let fixture = Fixture::new(Role::Aggregator);
    for serial in ["01", "02"] {
        fixture
            .store
            .write("save", move |w| w.save_enrolment(&peer("a", serial)))
            .wait()
            .expect("saved");
    }
    let by_serial = |serial: &str| {
        fixture
            .store
            .read(|r| r.enrolment_by_serial(serial))
            .expect("read")
    };
    assert_eq!((by_serial("01"), by_serial("02")), (None, Some(peer("a", "02"))));
    let heard = |name: &'static str, ms| {
        fixture
            .store
            .write("heard", move |w| w.save_enrolment_heard(name, ms, "0.1.0", 12))
            .wait()
    };
    heard("a", 50).expect("heard");
    heard("a", 40).expect("heard");
    let scopes = || fixture.store.read(|r| r.scopes_heard()).expect("read");
    let written = std::iter::once(jurisdiction().federation).chain(jurisdiction().also);
    let written: Vec<(FederationId, i64)> = written.map(|scope| (scope, 50)).collect();
    assert_eq!(scopes(), written);
    let fenced = || fixture.store.read(|r| r.fenced_count()).expect("read");
    assert_eq!(fenced(), 0);
    let fence = |w: &mut Writer| w.fence_enrolment("a", 55);
    fixture.store.write("fence", fence).wait().expect("fenced");
    assert_eq!(fenced(), 1);
    assert!(matches!(heard("b", 50), Err(Error::Missing("peer"))));
    for reason in ["lost", "found again"] {
        let revoke = move |w: &mut Writer| w.revoke_enrolment("a", reason, 60);
        fixture.store.write("revoke", revoke).wait().expect("revoked");
    }
    let row = fixture
        .store
        .read(|r| r.enrolment("a"))
        .expect("read")
        .expect("a peer");
    assert_eq!(
        (row.last_heard_ms, row.position, row.revoked),
        (50, 12, Some((60, "lost".to_owned())))
    );
    assert_eq!(scopes(), [], "who is revoked writes nothing");
    let unknown = fixture
        .store
        .write("revoke", |w| w.revoke_enrolment("b", "", 1))
        .wait();
    assert!(matches!(unknown, Err(Error::Missing("peer"))));
}
