//! Recovery paths R2 to R8 with the real programs (`protocol.md` 4.7): what an operator sees and does, and what is held after.

use std::path::Path;

use rollcall_core::id::{ActorId, LogEpoch};
use rollcall_core::record::Record;
use rollcall_doc::{Document, EditBy};
use rollcall_sync::fingerprint::change_hash;
use rollcall_sync::limits::{PENDING_CHANGES_MAX, PENDING_MS_MAX};
use rollcall_sync::message::{ChangeEntry, DocumentChanges, ServerFrame};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Aggregator, Node, count, database, fixture, sync_all};
use crate::peer::{Hostile, code_of, written, written_on};

const SCHOOL: &str = "51330000XXXX00019Q";
const OTHER: &str = "53330000XXXX00027D";

fn province(aggregator: &Aggregator) -> Node {
    let node = aggregator.node("330000", &["--replicas", "330000"]);
    node.import(&fixture("country/second.jsonl"));
    node
}

fn exported(aggregator: &Aggregator, name: &str) -> String {
    let file = aggregator.beside(name);
    aggregator.ok(&["export", file.to_str().expect("a path")]);
    std::fs::read_to_string(file).expect("an export")
}

fn assert_whole(aggregator: &Aggregator, nodes: &[&Node]) {
    for node in nodes {
        assert_eq!(node.json(&["verify"])["faults"], json!([]));
    }
    assert_eq!(aggregator.json(&["verify"])["faults"], json!([]));
}

#[test]
fn a_restored_aggregator_says_that_it_is_rebuilding_until_everybody_was_heard_or_somebody_signs() {
    let mut aggregator = Aggregator::start();
    let node = province(&aggregator);
    sync_all(&[&node]);
    let county = aggregator.node("330106", &[]);
    sync_all(&[&node, &county]);
    assert_eq!(aggregator.json(&["recovery", "show"])["rebuilding"], false);
    let (backup, old) = (aggregator.beside("backup.db"), node.beside("backup.db"));
    let (backup, old) = (backup.to_str().expect("a path"), old.to_str().expect("a path"));
    aggregator.ok(&["backup", backup]);
    node.ok(&["backup", old]);
    node.set(SCHOOL, "address", "一");
    county.set("52330106XXXX000357", "address", "二");
    sync_all(&[&node, &county]);

    // Both at once: the aggregator and one of its nodes come back from backups.
    aggregator.stop();
    aggregator.ok(&["restore", backup]);
    node.ok(&["restore", old]);
    let shown = aggregator.json(&["recovery", "show"]);
    assert_eq!(
        (&shown["rebuilding"], shown["missing"].as_array().map(Vec::len)),
        (&json!(true), Some(2)),
        "{shown}"
    );
    assert_eq!(aggregator.json(&["figures"])["rebuilding"]["missing"], 2);
    aggregator.serve();
    let first = county.sync();
    assert_eq!(first["rebuilding"], true, "{first}");
    assert_eq!(county.json(&["status"])["rebuilding"], true);
    let peers = aggregator.json(&["peers"]);
    let heard: Vec<_> = peers
        .as_array()
        .expect("peers")
        .iter()
        .map(|peer| (&peer["federation"], &peer["heard_since_restore"]))
        .collect();
    assert!(heard.contains(&(&json!("330106"), &json!(true))), "{peers}");
    assert!(heard.contains(&(&json!("330000"), &json!(false))), "{peers}");
    sync_all(&[&node, &county]);
    let shown = aggregator.json(&["recovery", "show"]);
    assert_eq!(
        (&shown["rebuilding"], &shown["ended_by"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(county.json(&["status"])["rebuilding"], false);
    assert_eq!(aggregator.json(&["figures"])["rebuilding"], Value::Null);
    assert!(exported(&aggregator, "both.jsonl").contains(r#""address":"二""#));
    assert_eq!(county.address("52330106XXXX000357"), "二");

    // The same again, and the county's machine is gone for good.
    aggregator.stop();
    aggregator.ok(&["restore", backup]);
    aggregator.serve();
    sync_all(&[&node]);
    assert_eq!(node.json(&["status"])["rebuilding"], true);
    assert_eq!(
        aggregator.said(&["recovery", "sign-off"]).status,
        Some(2),
        "a reason is asked for"
    );
    aggregator.ok(&["recovery", "sign-off", "--reason", "机器报废"]);
    let shown = aggregator.json(&["recovery", "show"]);
    assert_eq!(shown["rebuilding"], false);
    assert!(
        shown["ended_by"]
            .as_str()
            .is_some_and(|by| by.contains("机器报废")),
        "{shown}"
    );
    assert_eq!(
        shown["missing"][0]["federation"], "330106",
        "and it stays on record"
    );
    sync_all(&[&node]);
    assert_eq!(node.json(&["status"])["rebuilding"], false);
    assert_eq!(
        aggregator.said(&["recovery", "sign-off", "--reason", "x"]).code(),
        "NOT_FOUND"
    );
    assert_whole(&aggregator, &[&node]);
}

#[test]
fn two_copies_of_a_node_are_fenced_with_everything_kept_until_one_enrols_anew() {
    let aggregator = Aggregator::start();
    let node = province(&aggregator);
    sync_all(&[&node]);
    let twin = node.copy();
    let mut refusals = Vec::new();
    for round in 0..4 {
        for (office, code) in [(&node, SCHOOL), (&twin, OTHER)] {
            office.set(code, "address", &format!("第{round}次"));
            let said = office.said(&["sync", "--json"]);
            if said.status != Some(0) {
                refusals.push(said.code().to_owned());
            }
        }
    }
    assert!(
        refusals.len() >= 2 && refusals.iter().all(|code| code == "CLONED"),
        "{refusals:?}"
    );
    for office in [&node, &twin] {
        assert_eq!(office.json(&["status"])["fenced"], true);
    }
    assert_ne!(aggregator.json(&["peers"])[0]["fenced"], Value::Null);
    let records = exported(&aggregator, "fenced.jsonl");
    assert_eq!(
        records.matches("第3次").count(),
        2,
        "what both wrote is held: {records}"
    );

    twin.set(OTHER, "supervising_unit", "民政局");
    let token = aggregator.token("330000", &["--replicas", "330000"]);
    twin.ok(&["enrol", "--token", &token, "--aggregator", &aggregator.url()]);
    sync_all(&[&node, &twin]);
    for office in [&node, &twin] {
        assert_eq!(office.json(&["status"])["fenced"], false);
        assert_eq!(office.address(SCHOOL), "第3次");
        assert_eq!(office.address(OTHER), "第3次");
        let record = office.json(&["organisation", "show", OTHER]);
        assert_eq!(record["record"]["supervising_unit"], "民政局");
    }
    assert_eq!(aggregator.json(&["quarantine", "list"]), json!([]));
    assert_whole(&aggregator, &[&node, &twin]);
}

/// Another change under the actor and number of a node's own unsent change of a document.
fn fork_of(node: &Node, record: &Value) -> DocumentChanges {
    let record: Record = serde_json::from_value(record.clone()).expect("a record");
    let id = record.document_id().expect("a key");
    let database = database(&node.store());
    let chunks = |sql: &str| -> Vec<Vec<u8>> {
        let mut rows = database.prepare(sql).expect("a query");
        let rows = rows.query_map([&id.0[..]], |row| row.get(0)).expect("rows");
        rows.collect::<Result<_, _>>().expect("chunks")
    };
    let own = "WHERE document_id = ?1 AND position = 0";
    let actor = chunks(&format!("SELECT actor FROM change {own}")).remove(0);
    let before = chunks("SELECT bytes FROM change WHERE document_id = ?1 AND position > 0 ORDER BY ordinal");
    let document = Document::load(record.kind(), id, before.iter().map(Vec::as_slice)).expect("it loads");
    let actor = ActorId(actor.try_into().expect("16 bytes"));
    written_on(document, &record, actor, "330000/7")
}

#[test]
fn an_edit_that_lost_its_number_to_a_copy_is_written_again_and_both_are_kept() {
    let aggregator = Aggregator::start();
    let node = province(&aggregator);
    sync_all(&[&node]);
    node.set(SCHOOL, "address", "输的一方");
    let record = json!({"type": "organisation", "code": SCHOOL, "address": "赢的一方"});
    let mut twin = Hostile::with_keys_of(&node, &aggregator);
    twin.epoch = LogEpoch([9; 8]);
    let ServerFrame::Ack(ack) = twin.send(twin.batch(vec![fork_of(&node, &record)])) else {
        panic!("an ack")
    };
    assert_eq!(code_of(&ack.outcomes[0].outcome), "applied");
    node.set(SCHOOL, "supervising_unit", "民政局");

    sync_all(&[&node]);
    let conflicts = node.json(&["conflicts", "list"]);
    let text = conflicts.to_string();
    assert!(
        text.contains("输的一方") && text.contains("赢的一方"),
        "both are kept: {conflicts}"
    );
    let shown = node.json(&["organisation", "show", SCHOOL]);
    assert_eq!(shown["record"]["supervising_unit"], "民政局", "and what followed");
    let history = node.json(&["organisation", "history", SCHOOL]).to_string();
    assert!(history.contains("fork rescue "), "{history}");
    for office in ["node", "aggregator"] {
        let json = |args: &[&str]| match office {
            "node" => node.json(args),
            _ => aggregator.json(args),
        };
        assert_eq!(
            json(&["quarantine", "list"]),
            json!([]),
            "nothing is open at the {office}"
        );
        let kept = json(&["quarantine", "list", "--all"]);
        assert!(
            kept.as_array()
                .expect("rows")
                .iter()
                .any(|row| row["outcome"] == "rescued"),
            "the branch is archived at the {office}: {kept}"
        );
        let findings = json(&["findings"]).to_string();
        assert!(
            findings.contains("FORKED"),
            "and somebody is told at the {office}: {findings}"
        );
    }
    assert_whole(&aggregator, &[&node]);
}

#[test]
fn cursors_that_are_lost_at_either_end_cost_a_repair_and_nothing_else() {
    let mut aggregator = Aggregator::start();
    let node = province(&aggregator);
    sync_all(&[&node]);
    for lost_at_node in [false, true] {
        node.set(SCHOOL, "address", &format!("之前 {lost_at_node}"));
        aggregator.stop();
        let (store, table) = if lost_at_node {
            (node.store(), "upstream")
        } else {
            (aggregator.store(), "peer_cursor")
        };
        database(&store)
            .execute(&format!("DELETE FROM {table}"), [])
            .expect("the cursor is lost");
        aggregator.serve();
        assert!(sync_all(&[&node]) <= 3, "three sessions are enough");
        assert_eq!(node.sync()["outcome"], "in_sync");
        assert!(exported(&aggregator, &format!("{table}.jsonl")).contains(&format!("之前 {lost_at_node}")));
    }
    let evidence = aggregator.json(&["verify"])["faults"].clone();
    assert_eq!(evidence, json!([]));
}

#[test]
fn what_is_kept_apart_is_listed_tried_again_by_a_newer_program_and_set_aside_with_a_reason() {
    let mut aggregator = Aggregator::start();
    let _keeper = aggregator.node("330105", &[]);
    let node = aggregator.node("330106", &[]);
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let foreign = json!({"type": "organisation", "code": "52330106XXXX000357", "name": "甲幼儿园", "location": "330105",
        "responsible": "330105"});
    let sound = json!({"type": "organisation", "code": "52330106XXXX000432", "name": "乙学校", "location": "330106",
        "responsible": "330106"});
    let sound = written(&sound);
    let batch = hostile.batch(vec![written(&foreign), sound.clone()]);
    assert!(matches!(hostile.send(batch), ServerFrame::Ack(_)));
    let listed = aggregator.json(&["quarantine", "list"]);
    let id = listed[0]["id"].to_string();
    assert_eq!(
        (listed.as_array().map(Vec::len), &listed[0]["code"]),
        (Some(1), &json!("FOREIGN_JURISDICTION")),
        "{listed}"
    );
    let shown = aggregator.json(&["quarantine", "show", &id]);
    assert!(
        shown["bytes"]
            .as_str()
            .is_some_and(|bytes| bytes.starts_with("856f4a83")),
        "{shown}"
    );
    let released = aggregator.said(&["quarantine", "release", &id]);
    assert_eq!(released.code(), "FOREIGN_JURISDICTION");

    // What a program before this one refused is tried once more at the next start.
    aggregator.stop();
    let chunk = again(&sound);
    let content: [u8; 32] = Sha256::digest(&chunk).into();
    database(&aggregator.store())
        .execute(
            "INSERT INTO quarantine (document_id, content_hash, hash, kind, code, message, origin_store, attempts, \
             first_seen_ms, program, bytes) SELECT ?1, ?2, ?3, kind, 'SCHEMA', 'of a newer release', origin_store, 1, \
             1, '0.0.0', ?4 FROM quarantine",
            (
                &sound.document_id.0[..],
                &content[..],
                &change_hash(&chunk)[..],
                &chunk,
            ),
        )
        .expect("a row that an older program left");
    aggregator.serve();
    let all = aggregator.json(&["quarantine", "list", "--all"]);
    let row = |code: &str| {
        let rows = all.as_array().expect("rows");
        rows.iter()
            .find(|row| row["code"] == code)
            .cloned()
            .unwrap_or_default()
    };
    assert_eq!(row("SCHEMA")["outcome"], "taken", "{all}");
    assert_eq!(row("FOREIGN_JURISDICTION")["outcome"], "", "{all}");
    assert!(exported(&aggregator, "taken.jsonl").contains("西溪路"));

    assert_eq!(
        node.json(&["status"])["quarantined"],
        0,
        "it has not heard of it yet"
    );
    node.sync();
    assert_eq!(
        node.json(&["status"])["quarantined"],
        1,
        "the receipt names the document"
    );
    assert_eq!(aggregator.said(&["quarantine", "discard", &id]).status, Some(2));
    aggregator.ok(&["quarantine", "discard", &id, "--reason", "不是本辖区"]);
    assert_eq!(aggregator.json(&["quarantine", "list"]), json!([]));
    assert_eq!(
        aggregator.said(&["quarantine", "release", &id]).code(),
        "ALREADY_DONE"
    );
    assert_eq!(aggregator.json(&["verify"])["faults"], json!([]));
}

/// A further change of the document that a first one made.
fn again(first: &DocumentChanges) -> Vec<u8> {
    let chunk = first.changes[0].bytes.as_slice();
    let mut document = Document::load(first.kind, first.document_id, [chunk]).expect("it loads");
    let edits = document.set("address", "西溪路").expect("a field");
    let by = EditBy {
        actor: ActorId([77; 16]),
        author: "330106/7".to_owned(),
        reason: String::new(),
        time_ms: 1_700_000_000_000,
        heads: None,
    };
    let change = document
        .apply_edits(&edits, &by)
        .expect("an edit")
        .expect("a change");
    change.bytes
}

/// Damages the page of an index that only figures need, and leaves a write-ahead log as an unclean stop does.
fn damage(store: &Path) {
    let database = database(store);
    database
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .expect("folded in");
    let page = count(
        &database,
        "SELECT rootpage FROM sqlite_schema WHERE name = 'change_by_position'",
    );
    let size = count(&database, "PRAGMA page_size");
    drop(database);
    let mut bytes = std::fs::read(store).expect("the store");
    let start = usize::try_from((page - 1) * size).expect("small");
    bytes[start..start + 64].fill(0xee);
    std::fs::write(store, bytes).expect("the store");
    std::fs::write(format!("{}-wal", store.display()), b"left behind").expect("a log");
}

#[test]
fn a_damaged_store_is_read_only_and_rebuilt_from_the_aggregator_with_what_was_not_sent_saved() {
    let aggregator = Aggregator::start();
    let node = province(&aggregator);
    sync_all(&[&node]);
    let before = node.json(&["organisation", "list"]);
    node.set(SCHOOL, "address", "还没有发送");
    let accounts = count(&database(&node.store()), "SELECT count(*) FROM account");
    damage(&node.store());

    let status = node.said(&["status", "--json"]);
    assert_eq!(status.json()["damaged"], true);
    assert!(status.err.contains("STORE_DAMAGED") && status.err.contains("rebuild --from-centre"));
    assert_eq!(node.address(SCHOOL), "还没有发送", "it can be read");
    let refused = node.said(&["organisation", "set", OTHER, "address=x", "--reason", "x"]);
    assert_eq!(refused.code(), "STORE_READONLY");
    assert_eq!(node.said(&["sync"]).code(), "STORE_DAMAGED");

    let rebuilt = node.json(&["rebuild", "--from-centre"]);
    assert_eq!(
        (&rebuilt["outcome"], &rebuilt["unreadable"]),
        (&json!("rebuilt"), &json!(0))
    );
    assert_eq!(rebuilt["unsent"].as_array().map(Vec::len), Some(1), "{rebuilt}");
    assert!(Path::new(rebuilt["set_aside"].as_str().expect("a path")).is_file());
    let file = rebuilt["unsent_file"].as_str().expect("a file").to_owned();
    assert_eq!(
        count(&database(&node.store()), "SELECT count(*) FROM account"),
        accounts
    );
    assert_eq!(node.address(SCHOOL), Value::Null, "the aggregator never had it");
    let taken = node.json(&["take-back", &file]);
    assert_eq!(
        (&taken["written"], &taken["refused"]),
        (&json!(1), &json!(0)),
        "{taken}"
    );
    assert_eq!(node.json(&["take-back", &file])["written"], 0, "once");
    sync_all(&[&node]);
    assert_eq!(node.address(SCHOOL), "还没有发送");
    assert!(exported(&aggregator, "back.jsonl").contains("还没有发送"));
    let after = node.json(&["organisation", "list"]);
    assert_eq!(
        after.as_array().map(Vec::len),
        before.as_array().map(Vec::len),
        "everything else is back"
    );
    assert_whole(&aggregator, &[&node]);

    // Of a file without a head nothing can be said; of none at all, nothing is lost.
    let mut bytes = std::fs::read(node.store()).expect("the store");
    bytes[..100].fill(0);
    std::fs::write(node.store(), bytes).expect("the store");
    let told = node.said(&["rebuild", "--from-centre"]);
    assert!(
        told.out.contains("could not be read; keep the store"),
        "{}",
        told.out
    );
    for tail in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{tail}", node.store().display()));
    }
    let told = node.said(&["rebuild", "--from-centre"]);
    assert!(told.out.contains("a new one is made"), "{}", told.out);
    assert_whole(&aggregator, &[&node]);
}

#[test]
fn a_receipt_is_checked_with_the_file_and_the_key_and_a_flipped_byte_is_found() {
    let aggregator = Aggregator::start();
    let node = province(&aggregator);
    sync_all(&[&node]);
    let held = count(&database(&node.store()), "SELECT count(*) FROM document");
    assert_eq!(
        node.json(&["status"])["last_receipt"]["documents"],
        held,
        "a visitor of several scopes counts once"
    );
    let (file, other) = (node.beside("receipt.json"), node.beside("other.json"));
    let (path, other_path) = (file.to_str().expect("a path"), other.to_str().expect("a path"));
    node.ok(&["receipt", "export", path]);
    assert_eq!(
        node.said(&["receipt", "export", path]).code(),
        "FILE",
        "nothing is replaced"
    );
    let peer = aggregator.json(&["peers"])[0]["peer"]
        .as_str()
        .expect("a peer")
        .to_owned();
    aggregator.ok(&["receipt", "export", &peer, other_path]);
    let bytes = std::fs::read(&file).expect("the receipt");
    assert_eq!(
        bytes,
        std::fs::read(&other).expect("the receipt"),
        "both ends keep the same"
    );

    let key = aggregator.ok(&["receipt", "key"]).trim().to_owned();
    let verify = |program: &str, file: &str, key: &str| {
        crate::harness::run(program, &["receipt", "verify", file, "--key", key, "--json"])
    };
    for program in ["rollcall-node", "rollcall-aggregator"] {
        let said = verify(program, path, &key);
        assert_eq!(
            (said.status, &said.json()["documents"]),
            (Some(0), &json!(held)),
            "{}",
            said.err
        );
    }
    let stranger = Aggregator::start().ok(&["receipt", "key"]).trim().to_owned();
    assert_eq!(verify("rollcall-node", path, &stranger).code(), "BAD_RECEIPT");
    for index in (0..bytes.len()).step_by(bytes.len() / 24) {
        let mut flipped = bytes.clone();
        flipped[index] ^= 1;
        std::fs::write(&other, flipped).expect("a file");
        assert_eq!(
            verify("rollcall-node", other_path, &key).code(),
            "BAD_RECEIPT",
            "byte {index}"
        );
    }
}

#[test]
fn a_change_whose_dependency_never_comes_waits_within_limits_and_is_then_kept_apart() {
    let aggregator = Aggregator::start();
    let node = aggregator.node("330106", &[]);
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let base = json!({"type": "organisation", "code": "52330106XXXX000432", "name": "乙学校", "location": "330106",
        "responsible": "330106"});
    let mut changes = written(&base);
    let chunk = changes.changes.remove(0).bytes;
    let document = Document::load(changes.kind, changes.document_id, [chunk.as_slice()]).expect("it loads");
    for number in 0..=PENDING_CHANGES_MAX {
        let mut one = document.clone();
        let edits = one.set("address", &number.to_string()).expect("a field");
        let mut actor = [7; 16];
        actor[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let by = EditBy {
            actor: ActorId(actor),
            author: "330106/7".to_owned(),
            reason: String::new(),
            time_ms: 1_700_000_000_000,
            heads: None,
        };
        let change = one.apply_edits(&edits, &by).expect("an edit").expect("a change");
        changes.changes.push(ChangeEntry {
            position: 0,
            committed_at_ms: 0,
            bytes: change.bytes,
        });
    }
    let ServerFrame::Ack(ack) = hostile.send(hostile.batch(vec![changes])) else {
        panic!("an ack")
    };
    assert_eq!(code_of(&ack.outcomes[0].outcome), "TOO_MANY_PENDING");
    let waiting = "SELECT count(*) FROM pending_change";
    assert_eq!(
        count(&database(&aggregator.store()), waiting),
        PENDING_CHANGES_MAX as u64
    );
    let apart = || aggregator.json(&["quarantine", "list"]);
    assert_eq!(
        apart().as_array().map(Vec::len),
        Some(1),
        "one more than may wait"
    );
    let aged = database(&aggregator.store())
        .execute(
            "UPDATE pending_change SET first_seen_ms = first_seen_ms - ?1 \
             WHERE pending_id = (SELECT min(pending_id) FROM pending_change)",
            [PENDING_MS_MAX + 1_000],
        )
        .expect("time passes for one of them");
    assert_eq!(aged, 1);
    node.sync();
    node.sync();
    let rows = apart();
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{rows}");
    let mut codes: Vec<&str> = rows
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|row| row["code"].as_str())
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, ["DEPENDENCY_MISSING", "TOO_MANY_PENDING"]);
    assert_eq!(aggregator.json(&["verify"])["faults"], json!([]));
}

#[test]
fn damage_that_a_session_meets_is_remembered_and_nothing_more_is_written() {
    let aggregator = Aggregator::start();
    let node = province(&aggregator);
    let sister = aggregator.node("330000", &["--replicas", "330000"]);
    sync_all(&[&node, &sister]);
    let is_damaged = || node.said(&["status", "--json"]).json()["damaged"].clone();

    // A page that only taking an answer needs; the file was closed as it should be.
    node.set(SCHOOL, "address", "一");
    damage(&node.store());
    std::fs::remove_file(format!("{}-wal", node.store().display())).expect("no unclean stop");
    assert_eq!(is_damaged(), false, "nobody has met it");
    assert_eq!(node.said(&["sync"]).code(), "STORE_DAMAGED");
    assert_eq!(is_damaged(), true);
    let refused = node.said(&["organisation", "set", OTHER, "address=x", "--reason", "x"]);
    assert_eq!(refused.code(), "STORE_READONLY");
    node.json(&["rebuild", "--from-centre"]);
    sync_all(&[&node, &sister]);
    assert_eq!(is_damaged(), false);

    // A document whose bytes are gone, which somebody else edits.
    let spoilt = database(&node.store())
        .execute(
            "UPDATE change SET bytes = zeroblob(length(bytes)) WHERE ordinal = 0",
            [],
        )
        .expect("spoilt");
    assert!(spoilt > 0);
    sister.set(SCHOOL, "address", "二");
    sister.sync();
    assert_eq!(node.said(&["sync"]).code(), "DOCUMENT_DAMAGED");
    assert_eq!(is_damaged(), true);
    node.json(&["rebuild", "--from-centre"]);
    sync_all(&[&node, &sister]);
    assert_eq!(node.address(SCHOOL), "二");
    assert_whole(&aggregator, &[&node, &sister]);
}

#[test]
fn a_node_enrolled_after_the_backup_is_named_when_it_calls_until_it_is_enrolled_again() {
    let mut aggregator = Aggregator::start();
    let node = province(&aggregator);
    sync_all(&[&node]);
    let backup = aggregator.beside("backup.db");
    aggregator.ok(&["backup", backup.to_str().expect("a path")]);
    let late = aggregator.node("330106", &[]);
    late.enter(&[
        json!({"type": "organisation", "code": "52330106XXXX000432", "name": "求知学校",
        "location": "330106", "responsible": "330106"}),
    ]);
    sync_all(&[&node, &late]);
    let peers = aggregator.json(&["peers"]);
    let known = peers.as_array().expect("peers").iter();
    let named = known
        .filter(|peer| peer["federation"] == "330106")
        .map(|peer| peer["peer"].clone());
    let named: Vec<Value> = named.collect();
    aggregator.stop();
    aggregator.ok(&["restore", backup.to_str().expect("a path")]);
    aggregator.serve();
    let unknown = || aggregator.json(&["recovery", "show"])["unknown"].clone();
    assert_eq!(unknown(), json!([]), "it has not called");
    for _ in 0..2 {
        assert_eq!(late.said(&["sync"]).code(), "PEER_UNKNOWN");
    }
    let shown = unknown();
    assert_eq!(
        (
            shown.as_array().map(Vec::len),
            &shown[0]["peer"],
            &shown[0]["first_refused"]
        ),
        (Some(1), &named[0], &shown[0]["last_refused"]),
        "noted once: {shown}"
    );
    let told = aggregator.ok(&["recovery", "show"]);
    assert!(told.contains(named[0].as_str().expect("a name")), "{told}");
    let token = aggregator.token("330106", &[]);
    late.ok(&["enrol", "--token", &token, "--aggregator", &aggregator.url()]);
    sync_all(&[&node, &late]);
    assert_eq!(unknown(), json!([]));
    assert_whole(&aggregator, &[&node, &late]);
}

#[test]
fn status_says_the_digest_peers_the_machine_and_both_what_is_large() {
    let aggregator = Aggregator::start();
    let token = aggregator.token("330106", &[]);
    let data = aggregator.beside("named");
    let data = data.to_str().expect("a path");
    let node = |args: &[&str]| crate::harness::run("rollcall-node", &[args, &["--data", data]].concat());
    let url = aggregator.url();
    let made = node(&[
        "init",
        "--token",
        &token,
        "--aggregator",
        &url,
        "--name",
        "西湖区 二号机",
    ]);
    assert_eq!(made.status, Some(0), "{}", made.err);
    assert_eq!(aggregator.json(&["peers"])[0]["name"], "西湖区 二号机");
    assert!(aggregator.ok(&["peers"]).contains("西湖区 二号机"));
    let file = aggregator.beside("large.jsonl");
    for number in 0..10 {
        let record = json!({"type": "organisation", "code": "52330106XXXX000432", "name": "求知学校",
            "location": "330106", "responsible": "330106", "address": format!("{number}{}", "x".repeat(28_000))});
        std::fs::write(&file, record.to_string()).expect("written");
        let said = node(&["import", file.to_str().expect("a path"), "--as", "records"]);
        assert_eq!(said.status, Some(0), "{}", said.err);
    }
    assert_eq!(node(&["sync"]).status, Some(0));
    let status = node(&["status", "--json"]).json();
    let digest = status["last_receipt"]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    let told = node(&["status"]).out;
    assert!(told.contains(&format!("digest {digest}")), "{told}");
    assert_eq!(status["large_documents"], 1);
    assert!(told.contains("1 documents are large"), "{told}");
    for verified in [node(&["verify", "--json"]).json(), aggregator.json(&["verify"])] {
        assert_eq!(
            (&verified["faults"], &verified["large"][0]["name"]),
            (&json!([]), &json!("求知学校"))
        );
        assert!(
            verified["large"][0]["bytes"].as_u64() >= Some(262_144),
            "{verified}"
        );
    }
}
