//! Verify: silent on a sound store, and each kind of damage is named, one flipped byte at a time.

use super::*;
use crate::audit::AuditEntry;
use crate::quarantine::Refused;
use crate::receipt::ReceiptRow;
use crate::testing::{Draft, Fixture, id};
use rollcall_core::id::{DocumentKind, StoreId};

/// A store with something in every table that is checked.
fn full(role: Role) -> Fixture {
    let fixture = Fixture::new(role);
    let mut drafts: Vec<Draft> = (0..4).map(Draft::new).collect();
    for n in 0..8 {
        let mut commit = drafts[n % 4].edit(&[330106 + (n as u32 % 2)]);
        commit.names.insert(id((n as u32 + 1) % 4));
        fixture.commit(commit).expect("commit");
    }
    let write = fixture.store.write("office", |writer| {
        for n in 1..=3 {
            let (account, action) = ("330106/7".to_owned(), "sign in".to_owned());
            writer.append_audit(&AuditEntry {
                at_ms: n,
                account,
                action,
                detail: String::new(),
            })?;
        }
        writer.save_receipt(&ReceiptRow {
            hash: [1; 32],
            origin_store: StoreId([5; 16]),
            position: 1,
            time_ms: 1,
            set: SetSum::default(),
            bytes: vec![7; 50],
            verified: true,
        })?;
        let refused = Refused {
            document_id: id(1),
            kind: DocumentKind::Organisation,
            hash: None,
            bytes: vec![8; 50],
            code: "SCHEMA".to_owned(),
            message: String::new(),
            origin_store: StoreId([5; 16]),
            program: String::new(),
        };
        writer.save_quarantine(&refused, 1).map(drop)
    });
    write.wait().expect("filled");
    fixture
}

/// One byte of a blob becomes another.
fn flipped(column: &str, at: usize) -> String {
    format!(
        "{column} = unhex(hex(substr({column}, 1, {at})) || \
         CASE hex(substr({column}, {at} + 1, 1)) WHEN 'AA' THEN 'AB' ELSE 'AA' END || \
         hex(substr({column}, {at} + 2)))"
    )
}

fn one_of(table: &str, key: &str) -> String {
    format!("WHERE {key} = (SELECT min({key}) FROM {table})")
}

#[test]
fn a_sound_store_has_no_faults() {
    for role in [Role::Node, Role::Aggregator] {
        assert_eq!(full(role).faults(), [], "{role:?}");
    }
}

#[test]
fn each_damage_is_named() {
    use FaultKind::{
        AuditChain, Change, Document, Facts, Log, OriginChain, Quarantine, Receipt, ScopeChain, ScopeSum,
    };
    let aggregator = Role::Aggregator;
    let last_row = "WHERE (scope, position) = (SELECT scope, max(position) FROM scope_log WHERE scope = '330106') \
                    AND document_id = (SELECT min(document_id) FROM scope_log s WHERE s.scope = scope_log.scope \
                    AND s.position = scope_log.position)";
    let cases: Vec<(Role, String, FaultKind)> = vec![
        (
            aggregator,
            format!(
                "UPDATE change SET {} {}",
                flipped("bytes", 30),
                one_of("change", "change_id")
            ),
            Change,
        ),
        (
            aggregator,
            format!(
                "UPDATE change SET {} {}",
                flipped("bytes", 4),
                one_of("change", "change_id")
            ),
            Change,
        ),
        (
            aggregator,
            format!(
                "UPDATE change SET {} {}",
                flipped("hash", 9),
                one_of("change", "change_id")
            ),
            Change,
        ),
        (
            aggregator,
            format!("DELETE FROM change {}", one_of("change", "change_id")),
            Document,
        ),
        (
            aggregator,
            format!(
                "UPDATE document SET {} {}",
                flipped("heads", 0),
                one_of("document", "document_id")
            ),
            Document,
        ),
        (
            aggregator,
            format!(
                "UPDATE document SET {} {}",
                flipped("digest", 0),
                one_of("document", "document_id")
            ),
            Document,
        ),
        (
            aggregator,
            format!(
                "UPDATE document SET bytes_total = 1 {}",
                one_of("document", "document_id")
            ),
            Document,
        ),
        (
            aggregator,
            format!(
                "UPDATE scope SET {} WHERE scope = '330106'",
                flipped("digest_sum", 31)
            ),
            ScopeSum,
        ),
        (
            aggregator,
            "UPDATE scope SET documents_count = 1 WHERE scope = '330106'".to_owned(),
            ScopeSum,
        ),
        (
            aggregator,
            "DELETE FROM scope WHERE scope = '330106'".to_owned(),
            ScopeSum,
        ),
        (
            aggregator,
            format!("UPDATE scope SET {} WHERE scope = '330106'", flipped("chain", 5)),
            ScopeChain,
        ),
        (
            aggregator,
            "UPDATE scope SET last_position = 3 WHERE scope = '330106'".to_owned(),
            ScopeChain,
        ),
        (
            aggregator,
            format!("UPDATE scope_log SET {} {last_row}", flipped("chain", 5)),
            ScopeChain,
        ),
        (
            aggregator,
            "UPDATE log SET committed_at_ms = 0 WHERE position = 5".to_owned(),
            Log,
        ),
        (aggregator, "DELETE FROM log WHERE position = 5".to_owned(), Log),
        (
            aggregator,
            "UPDATE counter SET value = 3 WHERE name = 'position'".to_owned(),
            Log,
        ),
        (
            Role::Node,
            format!(
                "UPDATE origin SET {} WHERE origin_position = 4",
                flipped("chain", 0)
            ),
            OriginChain,
        ),
        (
            Role::Node,
            format!(
                "UPDATE origin SET {} WHERE origin_position = 4",
                flipped("hash", 0)
            ),
            OriginChain,
        ),
        (
            Role::Node,
            "DELETE FROM origin WHERE origin_position = 4".to_owned(),
            OriginChain,
        ),
        (
            aggregator,
            "UPDATE audit SET detail = 'something else' WHERE seq = 2".to_owned(),
            AuditChain,
        ),
        (
            aggregator,
            "UPDATE audit SET at_ms = 9 WHERE seq = 3".to_owned(),
            AuditChain,
        ),
        (
            aggregator,
            "DELETE FROM audit WHERE seq = 1".to_owned(),
            AuditChain,
        ),
        (
            aggregator,
            format!("UPDATE receipt SET {}", flipped("bytes", 11)),
            Receipt,
        ),
        (
            aggregator,
            format!("UPDATE quarantine SET {}", flipped("bytes", 11)),
            Quarantine,
        ),
        (
            aggregator,
            format!("UPDATE fact SET current = 1 {}", one_of("fact", "revision")),
            Facts,
        ),
    ];
    for (role, sql, expected) in cases {
        let faults = full(role).sabotage(&sql);
        assert!(faults.contains(&expected), "{sql}: {faults:?}");
    }
}

#[test]
fn a_fault_says_where_it_is() {
    let fixture = full(Role::Aggregator);
    fixture.sabotage("UPDATE scope SET documents_count = 9 WHERE scope = '330107'");
    let faults = fixture.store.read(|reader| reader.verify()).expect("verify");
    let expected = Fault {
        kind: FaultKind::ScopeSum,
        place: "330107".to_owned(),
        message: "holds 4 documents, 9 are noted".to_owned(),
    };
    assert_eq!(faults, [expected]);
}

#[test]
fn a_value_that_cannot_be_read_is_a_fault_and_ends_only_its_check() {
    let fixture = full(Role::Aggregator);
    let mut faults = fixture.sabotage("UPDATE receipt SET bytes = x'00'");
    faults.extend(fixture.sabotage(
        "UPDATE document SET heads = x'0102' WHERE document_id = (SELECT min(document_id) FROM document)",
    ));
    assert!(
        faults.contains(&FaultKind::Value) && faults.contains(&FaultKind::Receipt),
        "{faults:?}"
    );
}
