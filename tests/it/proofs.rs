//! Each proof can fail: one byte flipped in a store that nobody has open is found by `verify`, and named.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Aggregator, Said, database, fixture, sync_all};

/// Flips a bit in the middle of the first value of a column.
fn flip(store: &Path, table: &str, column: &str, rows: &str) {
    let database = database(store);
    let select = format!("SELECT {column} FROM {table} WHERE {rows} LIMIT 1");
    let before: Vec<u8> = database
        .query_row(&select, [], |row| match row.get_ref(0)? {
            rusqlite::types::ValueRef::Text(text) => Ok(text.to_vec()),
            other => Ok(other.as_blob()?.to_vec()),
        })
        .unwrap_or_else(|error| panic!("{select}: {error}"));
    let mut after = before.clone();
    let middle = after.len() / 2;
    after[middle] ^= 1;
    let update = format!("UPDATE {table} SET {column} = ?1 WHERE {column} = ?2 AND {rows}");
    let changed = match String::from_utf8(before.clone()) {
        Ok(text) if column == "detail" => {
            let after = String::from_utf8(after).expect("still text");
            database.execute(&update, (after, text))
        }
        _ => database.execute(&update, (after, before)),
    };
    assert!(changed.expect("the flip is written") >= 1, "{update}");
}

/// A store as it was, to be put back before each flip.
struct Kept {
    store: PathBuf,
    bytes: Vec<u8>,
}

impl Kept {
    fn of(store: PathBuf) -> Self {
        let database = database(&store);
        database
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .expect("the log is folded in");
        drop(database);
        let bytes = std::fs::read(&store).expect("the store");
        Self { store, bytes }
    }

    fn put_back(&self) {
        for tail in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{tail}", self.store.display()));
        }
        std::fs::write(&self.store, &self.bytes).expect("the store");
    }
}

/// The faults that `verify` names, as (kind, place).
fn faults(said: &Said) -> Vec<(String, String)> {
    let answer = said.json();
    let text = |fault: &Value, key: &str| fault[key].as_str().expect("text").to_owned();
    let faults = answer["faults"].as_array().expect("faults");
    for fault in faults {
        assert!(
            !text(fault, "message").is_empty() && !text(fault, "place").is_empty(),
            "{fault}"
        );
    }
    faults
        .iter()
        .map(|fault| (text(fault, "kind"), text(fault, "place")))
        .collect()
}

#[test]
fn a_flipped_byte_in_receipt_digest_chain_change_or_signature_is_found_and_named() {
    let mut aggregator = Aggregator::start();
    let node = aggregator.node("330000", &["--replicas", "330000"]);
    node.import(&fixture("country/second.jsonl"));
    sync_all(&[&node]);
    node.ok(&[
        "organisation",
        "set",
        "51330000XXXX00019Q",
        "address=文三路1号",
        "--reason",
        "核实",
    ]);
    sync_all(&[&node]);
    aggregator.stop();
    for said in [
        node.said(&["verify", "--json"]),
        aggregator.said(&["verify", "--json"]),
    ] {
        assert_eq!(
            (said.status, faults(&said)),
            (Some(0), Vec::new()),
            "whole before: {}",
            said.out
        );
    }
    let (at_node, at_aggregator) = (Kept::of(node.store()), Kept::of(aggregator.store()));
    // (store, table, column, rows, kind of fault)
    let table = [
        ("node", "receipt", "bytes", "1", "Receipt"),
        ("node", "receipt", "hash", "1", "Signature"),
        ("node", "document", "digest", "1", "Document"),
        ("node", "document", "heads", "1", "Document"),
        ("node", "scope", "digest_sum", "1", "ScopeSum"),
        ("node", "origin", "chain", "origin_position = 3", "OriginChain"),
        ("node", "origin", "hash", "origin_position = 3", "OriginChain"),
        ("node", "change", "bytes", "ordinal = 0", "Change"),
        ("node", "change", "hash", "ordinal = 0", "Change"),
        ("node", "fact", "facts", "current = 1", "Document"),
        ("node", "audit", "chain", "seq = 1", "AuditChain"),
        ("node", "audit", "detail", "seq = 1", "AuditChain"),
        ("aggregator", "receipt", "bytes", "1", "Receipt"),
        ("aggregator", "document", "digest", "1", "Document"),
        (
            "aggregator",
            "scope",
            "digest_sum",
            "scope = '330000'",
            "ScopeSum",
        ),
        ("aggregator", "scope", "chain", "scope = '330000'", "ScopeChain"),
        ("aggregator", "scope_log", "chain", "position = 2", "ScopeChain"),
        ("aggregator", "log", "document_id", "position = 2", "Log"),
        ("aggregator", "change", "bytes", "ordinal = 0", "Change"),
        ("aggregator", "batch_evidence", "signature", "1", "Signature"),
        ("aggregator", "batch_evidence", "end_chain", "1", "Signature"),
        ("aggregator", "audit", "chain", "seq = 2", "AuditChain"),
        ("aggregator", "peer_cursor", "chain", "1", "Signature"),
    ];
    let mut missed = Vec::new();
    for (office, name, column, rows, kind) in table {
        let (kept, verify): (&Kept, &dyn Fn() -> Said) = match office {
            "node" => (&at_node, &|| node.said(&["verify", "--json"])),
            _ => (&at_aggregator, &|| aggregator.said(&["verify", "--json"])),
        };
        kept.put_back();
        flip(&kept.store, name, column, rows);
        let said = verify();
        if said.status != Some(1)
            || said.code() != "VERIFY_FAULTS"
            || !faults(&said).iter().any(|(named, _)| named == kind)
        {
            missed.push(format!(
                "{office} {name}.{column}: {:?} {}{}",
                said.status, said.out, said.err
            ));
        }
        kept.put_back();
    }
    assert!(missed.is_empty(), "not found or not named: {}", missed.join("\n"));
    assert_eq!(node.json(&["verify"])["faults"], json!([]), "and whole again");

    // One who flips a byte of the statement and mends the checksum is found by the aggregator's signature.
    let database = database(&node.store());
    let (hash, mut bytes): (Vec<u8>, Vec<u8>) = database
        .query_row(
            "SELECT hash, bytes FROM receipt ORDER BY time_ms DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("a receipt");
    bytes[40] ^= 1;
    let checksum: [u8; 32] = Sha256::digest(&bytes).into();
    database
        .execute(
            "UPDATE receipt SET bytes = ?1, checksum = ?2 WHERE hash = ?3",
            (&bytes, &checksum[..], &hash),
        )
        .expect("the forgery is written");
    drop(database);
    let said = node.said(&["verify", "--json"]);
    assert_eq!(said.code(), "VERIFY_FAULTS");
    assert!(
        faults(&said)
            .iter()
            .any(|(kind, place)| kind == "Signature" && place.starts_with("receipt")),
        "{}",
        said.out
    );
}

#[test]
fn a_document_whose_digest_was_flipped_is_repaired_or_refused_never_taken_for_equal() {
    let aggregator = Aggregator::start();
    let node = aggregator.node("330000", &["--replicas", "330000"]);
    node.import(&fixture("country/second.jsonl"));
    sync_all(&[&node]);
    flip(
        &node.store(),
        "document",
        "digest",
        "document_id = (SELECT document_id FROM scope_document WHERE scope = '330000' LIMIT 1)",
    );
    let said = node.said(&["sync", "--json"]);
    let outcome = said.json()["outcome"].clone();
    assert_ne!(
        outcome, "in_sync",
        "the receipt is about other documents: {}",
        said.out
    );
}

#[test]
fn figures_keep_what_was_known_of_a_document_that_a_rebuild_cannot_read() {
    let aggregator = Aggregator::start();
    let node = aggregator.node("330000", &["--replicas", "330000"]);
    node.import(&fixture("country/second.jsonl"));
    sync_all(&[&node]);
    let asked = ["figures", "--as-of", "2024-12-31", "--by", "county"];
    let before = node.json(&asked)["rows"].clone();
    assert_ne!(before, json!([]));
    flip(&node.store(), "change", "bytes", "ordinal = 0");
    let said = node.said(&["rebuild", "--json"]);
    assert_eq!(
        (said.code(), &said.json()["unread"]),
        ("REBUILD_PARTIAL", &json!(1))
    );
    assert_eq!(node.json(&asked)["rows"], before);
}
