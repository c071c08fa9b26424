//! Who does not belong is refused with a code, what is foreign or broken is kept apart, the rest is applied, the service lives.

use rollcall_core::id::DocumentId;
use rollcall_sync::limits::CHANGE_BYTES_MAX;
use rollcall_sync::message::ServerFrame;
use serde_json::json;

use crate::harness::{Aggregator, Node, sync_all};
use crate::peer::{Hostile, code_of, written};

#[test]
fn a_token_serves_once_in_time_and_for_one_authority_only() {
    let aggregator = Aggregator::start();
    let other = Aggregator::start();
    let token = aggregator.token("330106", &[]);
    assert_eq!(other.init(&token, "mismatch").code(), "CA_MISMATCH");
    assert_eq!(aggregator.init(&token, "first").status, Some(0));
    assert_eq!(aggregator.init(&token, "again").code(), "TOKEN_USED");
    assert!(
        !aggregator.beside("again").exists(),
        "a refused node leaves nothing behind"
    );
    let late = aggregator.token("330106", &["--expires-in", "0s"]);
    assert_eq!(aggregator.init(&late, "late").code(), "TOKEN_EXPIRED");
    let forged = other.token("330106", &[]);
    let mut forged: rollcall_rpc::EnrolmentToken = forged.parse().expect("a token");
    forged.ca_fingerprint = token
        .parse::<rollcall_rpc::EnrolmentToken>()
        .expect("a token")
        .ca_fingerprint;
    assert_eq!(
        aggregator.init(&forged.to_string(), "forged").code(),
        "TOKEN_UNKNOWN"
    );
    let peers = aggregator.json(&["peers"]);
    assert_eq!(peers.as_array().map(Vec::len), Some(1), "{peers}");
}

#[test]
fn a_certificate_of_another_authority_and_a_revoked_one_get_nothing() {
    let aggregator = Aggregator::start();
    let other = Aggregator::start();
    let node = aggregator.node("330106", &[]);
    let stranger = other.node("330106", &[]);
    // It trusts the server, but shows the other authority's certificate.
    std::fs::copy(
        node.data().join("keys").join("authority.pem"),
        stranger.data().join("keys").join("authority.pem"),
    )
    .expect("a copy");
    let config = stranger.data().join("node.toml");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, text.replace(&other.url(), &aggregator.url())).expect("a configuration");
    let said = stranger.said(&["sync", "--json"]);
    assert_eq!(said.status, Some(1), "{}", said.out);
    assert_eq!(node.sync()["outcome"], "in_sync", "the service lives");

    let peer = aggregator.json(&["peers"])[0]["peer"]
        .as_str()
        .expect("a peer")
        .to_owned();
    aggregator.ok(&["revoke", &peer, "--reason", "lost"]);
    let refused = node.said(&["sync", "--json"]);
    assert_eq!(
        (refused.status, refused.code()),
        (Some(1), "KEY_REVOKED"),
        "{}",
        refused.out
    );
}

#[test]
fn a_node_takes_in_nothing_that_another_federation_keeps() {
    let node = Node::offline("330106");
    let records = [
        json!({"type": "organisation", "code": "52330106XXXX000357", "name": "甲幼儿园", "responsible": "330105"}),
        json!({"type": "organisation", "code": "52330106XXXX000432", "name": "乙学校", "responsible": "330106"}),
    ];
    let file = node.beside("records.jsonl");
    let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    std::fs::write(&file, lines.join("\n")).expect("a file");
    let summary = node.json(&["import", file.to_str().expect("a path"), "--as", "records"]);
    assert_eq!(
        (&summary["new"], &summary["refused"]),
        (&json!(1), &json!(1)),
        "{summary}"
    );
    assert_eq!(summary["problems"][0]["code"], "FOREIGN_JURISDICTION");
}

#[test]
fn foreign_and_garbage_documents_are_kept_apart_and_the_rest_of_the_batch_is_applied() {
    let aggregator = Aggregator::start();
    let keeper = aggregator.node("330105", &[]);
    let node = aggregator.node("330106", &[]);
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let good = json!({"type": "organisation", "code": "52330106XXXX000432", "name": "乙学校", "location": "330106",
        "responsible": "330106"});
    let foreign = json!({"type": "organisation", "code": "52330106XXXX000357", "name": "甲幼儿园", "location": "330105",
        "responsible": "330105"});
    let far = json!({"type": "organisation", "id": "far", "name": "远方学校", "location": "440103",
        "responsible": "330106"});
    let mut garbage =
        written(&json!({"type": "organisation", "id": "garbage", "name": "丙", "responsible": "330106"}));
    let bytes = &mut garbage.changes[0].bytes;
    let last = bytes.len() - 1;
    bytes[last] ^= 0x55;
    let batch = hostile.batch(vec![written(&good), written(&foreign), garbage, written(&far)]);
    let ServerFrame::Ack(ack) = hostile.send(batch.clone()) else {
        panic!("an ack")
    };
    let codes: Vec<&str> = ack
        .outcomes
        .iter()
        .map(|outcome| code_of(&outcome.outcome))
        .collect();
    assert_eq!(
        (codes[0], codes[1], codes[3]),
        ("applied", "FOREIGN_JURISDICTION", "FOREIGN_AREA"),
        "{codes:?}"
    );
    assert!(
        !["applied", "duplicate", "pending"].contains(&codes[2]),
        "garbage is refused: {codes:?}"
    );
    assert_eq!(
        ack.cursor.position, 4,
        "everything is kept durably, so the log goes on"
    );

    let again = hostile.send(batch);
    let ServerFrame::Ack(ack) = again else {
        panic!("a replay is answered: {again:?}")
    };
    assert_eq!(code_of(&ack.outcomes[0].outcome), "duplicate");
    let file = aggregator.beside("export.jsonl");
    aggregator.ok(&["export", file.to_str().expect("a path")]);
    let records = std::fs::read_to_string(&file).expect("an export");
    assert!(
        records.contains("乙学校") && !records.contains("甲幼儿园") && !records.contains("远方学校"),
        "{records}"
    );
    sync_all(&[&keeper]);
    assert_eq!(aggregator.json(&["verify"])["faults"], json!([]));
}

#[test]
fn a_change_above_the_limit_is_kept_apart_by_name() {
    let aggregator = Aggregator::start();
    for (length, is_too_big) in [(CHANGE_BYTES_MAX + 1, true), (CHANGE_BYTES_MAX, false)] {
        let node = aggregator.node("330106", &[]);
        let hostile = Hostile::with_keys_of(&node, &aggregator);
        let mut document =
            written(&json!({"type": "organisation", "id": "large", "name": "丙", "responsible": "330106"}));
        document.changes[0].bytes = vec![0; length];
        let answer = hostile.send(hostile.batch(vec![document]));
        let ServerFrame::Ack(ack) = answer else {
            panic!("an ack: {answer:?}")
        };
        let code = code_of(&ack.outcomes[0].outcome);
        assert_ne!(code, "applied");
        assert_eq!(code == "CHANGE_TOO_BIG", is_too_big, "{length} bytes: {code}");
    }
}

#[test]
fn a_batch_with_a_wrong_chain_or_signature_is_refused_whole() {
    let aggregator = Aggregator::start();
    let node = aggregator.node("330106", &[]);
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let good = json!({"type": "organisation", "code": "52330106XXXX000432", "name": "乙学校", "location": "330106",
        "responsible": "330106"});
    let batch = hostile.batch(vec![written(&good)]);
    let mut unsigned = batch.clone();
    unsigned.signature[10] ^= 1;
    let mut unchained = batch.clone();
    unchained.end_chain[3] ^= 1;
    hostile
        .key
        .sign_batch(hostile.store, hostile.epoch, &mut unchained);
    let mut short = batch.clone();
    short.documents.clear();
    let mut renamed = batch.clone();
    renamed.documents[0].document_id = DocumentId([9; 16]);
    for (wrong, expected) in [
        (unsigned, "SIGNATURE_BAD"),
        (unchained, "CHAIN_MISMATCH"),
        (short, "ENVELOPE_DAMAGED"),
        (renamed, "CHAIN_MISMATCH"),
    ] {
        match hostile.send(wrong) {
            ServerFrame::Goaway { code, .. } => assert_eq!(code, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    assert!(
        matches!(hostile.send(batch), ServerFrame::Ack(_)),
        "the service lives and takes the good one"
    );
}

#[test]
fn above_its_limit_the_aggregator_says_when_to_come_back_and_nodes_do() {
    let mut aggregator = Aggregator::start();
    let slow = aggregator.node("330106", &[]);
    let mut other = aggregator.node("330105", &[]);
    aggregator.stop();
    let config = aggregator.data().join("aggregator.toml");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    let setting = text.lines().find(|line| line.starts_with("sessions_max = "));
    let limited = text.replace(setting.expect("written with its default"), "sessions_max = 1");
    std::fs::write(&config, limited).expect("a configuration");
    aggregator.serve();

    let held = Hostile::with_keys_of(&slow, &aggregator).hold();
    let refused = other.said(&["sync", "--json"]);
    assert_eq!(
        (refused.status, refused.code()),
        (Some(1), "BUSY"),
        "{}",
        refused.out
    );
    other.serve_syncing();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(!other.serve_log().contains("in sync"), "there is no place yet");
    drop(held);
    let begun = std::time::Instant::now();
    while !other.serve_log().contains("in sync") {
        assert!(begun.elapsed().as_secs() < 10, "{}", other.serve_log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    other.stop();
}
