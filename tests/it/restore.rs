//! A backup goes where its store is, or where its keys are, and nowhere else (`reliability.md` 4, row 85).

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::{Aggregator, Node, sync_all};

const SCHOOL: &str = "52330106XXXX000432";

fn school(node: &Node, address: &str) {
    node.enter(&[
        json!({"type": "organisation", "code": SCHOOL, "name": "求知学校", "location": "330106",
        "responsible": "330106", "address": address}),
    ]);
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// Takes the store away as with a disk, and leaves keys and configuration.
fn empty_disk(store: &Path) {
    for tail in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{tail}", store.display()));
    }
}

#[test]
fn the_backup_of_another_store_is_refused_and_nothing_is_replaced() {
    let mut aggregator = Aggregator::start();
    let node = aggregator.node("330106", &[]);
    let sister = aggregator.node("330106", &[]);
    let neighbour = aggregator.node("330105", &[]);
    school(&node, "一");
    sync_all(&[&node, &sister]);
    let mut stranger = Aggregator::start();
    aggregator.stop();
    stranger.stop();
    let backup = |name: &str, take: &dyn Fn(&[&str]) -> String| -> PathBuf {
        let file = node.beside(name);
        take(&["backup", text(&file)]);
        file
    };
    let of_node = backup("node.db", &|args| node.ok(args));
    let of_sister = backup("sister.db", &|args| sister.ok(args));
    let of_aggregator = backup("aggregator.db", &|args| aggregator.ok(args));
    let refused = |said: crate::harness::Said, words: &str| {
        assert_eq!(said.code(), "BACKUP_OTHER_NODE", "{}", said.err);
        assert!(said.err.contains(words), "{words}: {}", said.err);
    };
    let from = ["restore", text(&of_node)];
    let national = ["restore", text(&of_aggregator)];

    // Over a store.
    refused(sister.said(&from), "--take-over");
    refused(neighbour.said(&from), "330105");
    refused(neighbour.said(&national), "backup of the aggregator");
    refused(aggregator.said(&from), "backup of the node");
    refused(stranger.said(&national), "made here");
    assert!(!node.data().join("store.db.replaced-1").exists());
    assert_eq!(sister.json(&["verify"])["faults"], json!([]));

    // On an empty disk the keys say whose it is.
    for store in [
        sister.store(),
        neighbour.store(),
        aggregator.store(),
        stranger.store(),
    ] {
        empty_disk(&store);
    }
    refused(sister.said(&from), "other keys");
    refused(neighbour.said(&from), "330105");
    refused(sister.said(&national), "backup of the aggregator");
    refused(stranger.said(&national), "other keys");
    assert!(!sister.store().exists() && !stranger.store().exists());
    sister.ok(&["restore", text(&of_sister)]);
    aggregator.ok(&national);
    aggregator.serve();
    sync_all(&[&node, &sister]);
    assert_eq!(sister.json(&["verify"])["faults"], json!([]));
}

#[test]
fn a_node_whose_keys_are_gone_is_taken_over_by_new_ones_with_what_it_had_not_sent() {
    let aggregator = Aggregator::start();
    let lost = aggregator.node("330106", &[]);
    school(&lost, "一");
    sync_all(&[&lost]);
    lost.set(SCHOOL, "address", "还没有发送");
    let backup = lost.beside("lost.db");
    lost.ok(&["backup", text(&backup)]);

    let node = Node::offline("330106");
    let from = ["restore", text(&backup)];
    assert_eq!(node.said(&from).code(), "BACKUP_OTHER_NODE");
    let elsewhere = Node::offline("330105");
    let over = ["restore", text(&backup), "--take-over"];
    assert_eq!(
        elsewhere.said(&over).code(),
        "BACKUP_OTHER_NODE",
        "not that of another federation"
    );
    node.ok(&over);
    let token = aggregator.token("330106", &[]);
    node.ok(&["enrol", "--token", &token, "--aggregator", &aggregator.url()]);
    sync_all(&[&node]);
    let file = aggregator.beside("all.jsonl");
    aggregator.ok(&["export", text(&file)]);
    let records = std::fs::read_to_string(file).expect("an export");
    assert!(records.contains("还没有发送"), "{records}");

    // From now on its backups are those of the new keys.
    let own = node.beside("own.db");
    node.ok(&["backup", text(&own)]);
    empty_disk(&node.store());
    node.ok(&["restore", text(&own)]);
    sync_all(&[&node]);
    assert_eq!(node.json(&["verify"])["faults"], json!([]));
}
