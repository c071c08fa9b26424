//! Sync through a node above, for nodes that do not reach the aggregator (decision 16): real programs, the relay's folder
//! bent by hand where it is to be hostile.

use std::path::PathBuf;

use rollcall_sync::limits::RELAY_FILES_MAX;
use serde_json::{Value, json};

use crate::harness::{Aggregator, Node, fixture};

const SCHOOL: &str = "51330000XXXX00019Q";

fn set(node: &Node, value: &str) {
    let field = format!("address={value}");
    node.ok(&["organisation", "set", SCHOOL, &field, "--reason", "核实"]);
}

/// One run through the relay.
fn through(node: &Node, relay: &str, wait: &str) -> Value {
    node.json(&["sync", "--relay", relay, "--wait", wait])
}

fn held(aggregator: &Aggregator, name: &str) -> String {
    let file = aggregator.beside(name);
    aggregator.ok(&["export", file.to_str().expect("a path")]);
    std::fs::read_to_string(file).expect("an export")
}

/// A relay that serves, and a node below it that has never spoken to the aggregator but to be enrolled.
fn offices(aggregator: &Aggregator) -> (Node, String, Node) {
    let mut relay = aggregator.node("330100", &["--relay"]);
    let below = aggregator.node("330000", &["--replicas", "330000"]);
    below.import(&fixture("country/second.jsonl"));
    let address = relay.serve_relay();
    (relay, address, below)
}

/// Files of a kind that lie at a relay.
fn lying(relay: &Node, kind: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for owner in std::fs::read_dir(relay.data().join("relay")).expect("the folder") {
        let owner = owner.expect("an entry").path();
        let files = std::fs::read_dir(owner)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path());
        found.extend(files.filter(|path| path.extension().is_some_and(|found| found == kind)));
    }
    found
}

/// Waits until something of a kind lies at a relay.
fn wait_for(relay: &Node, kind: &str) -> PathBuf {
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(60) {
        if let Some(path) = lying(relay, kind).pop() {
            return path;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("no {kind} lies at the relay");
}

#[test]
fn a_relay_carries_files_and_receipts_while_the_aggregator_comes_and_goes() {
    let mut aggregator = Aggregator::start();
    let (mut relay, address, below) = offices(&aggregator);
    let said = through(&below, &address, "60");
    assert_eq!(
        (
            &said["outcome"],
            &said["receipt"]["verified"],
            &said["waiting"]["changes"]
        ),
        (&json!("caught_up"), &json!(true), &json!(0)),
        "{said}"
    );
    assert_eq!(below.json(&["status"])["last_receipt"]["by"], "file");

    // The aggregator is away: the relay keeps the file, and hands it on when it is back.
    aggregator.stop();
    set(&below, "文三路1号");
    let said = through(&below, &address, "0");
    assert_eq!(
        (&said["outcome"], &said["sent"]["changes"], &said["receipt"]),
        (&json!("underway"), &json!(1), &Value::Null),
        "{said}"
    );
    wait_for(&relay, "up");
    // And the relay is away in between.
    relay.stop();
    aggregator.serve();
    let address = relay.serve_relay();
    wait_for(&relay, "answer");
    let said = through(&below, &address, "60");
    assert_eq!(
        (&said["receipt"]["verified"], &said["waiting"]["changes"]),
        (&json!(true), &json!(0)),
        "{said}"
    );
    assert!(held(&aggregator, "held.jsonl").contains("文三路1号"));
    assert_eq!(
        below.sync()["outcome"],
        "in_sync",
        "a connection finds nothing to do"
    );
    for office in [below.json(&["verify"]), aggregator.json(&["verify"])] {
        assert_eq!(office["faults"], json!([]));
    }
}

#[test]
fn a_hostile_relay_can_only_delay() {
    let mut aggregator = Aggregator::start();
    let (relay, address, below) = offices(&aggregator);
    through(&below, &address, "60");
    set(&below, "一");
    through(&below, &address, "0");
    let answer = wait_for(&relay, "answer");
    let mut bytes = std::fs::read(&answer).expect("an answer");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&answer, &bytes).expect("bent");
    let bent = below.said(&["sync", "--relay", &address, "--wait", "60", "--json"]);
    assert_eq!(bent.status, Some(0), "{}{}", bent.out, bent.err);
    assert_eq!(
        bent.json()["receipt"]["verified"],
        true,
        "the next file brought it again: {}",
        bent.out
    );

    // What it drops is sent again; what it keeps for too long stops nothing.
    aggregator.stop();
    set(&below, "二");
    through(&below, &address, "0");
    std::fs::remove_file(wait_for(&relay, "up")).expect("dropped");
    for _ in 0..RELAY_FILES_MAX {
        assert_eq!(through(&below, &address, "0")["outcome"], "underway");
    }
    let said = below.said(&["sync", "--relay", &address, "--wait", "0"]);
    assert_eq!(said.code(), "RELAY_FULL");
    aggregator.serve();
    // Whoever calls makes the relay try at once.
    below.said(&["sync", "--relay", &address, "--wait", "0"]);
    wait_for(&relay, "answer");
    let said = through(&below, &address, "60");
    assert_eq!(said["receipt"]["verified"], true, "{said}");
    assert!(held(&aggregator, "held.jsonl").contains("\"二\""));
}

#[test]
fn who_is_not_enrolled_is_refused_and_who_may_not_relay_does_not() {
    let aggregator = Aggregator::start();
    let (relay, address, below) = offices(&aggregator);
    let said = below.said(&[
        "serve",
        "--web-addr",
        "127.0.0.1:0",
        "--relay-addr",
        "127.0.0.1:0",
    ]);
    assert_eq!(said.code(), "NOT_A_RELAY");
    let stranger = {
        let other = Aggregator::start();
        other.node("330000", &[])
    };
    let said = stranger.said(&["sync", "--relay", &address, "--wait", "0"]);
    assert_eq!(
        said.code(),
        "CA_MISMATCH",
        "it does not even trust the relay: {}",
        said.err
    );
    let config = stranger.data().join("keys/authority.pem");
    std::fs::copy(below.data().join("keys/authority.pem"), config).expect("a trusting stranger");
    let said = stranger.said(&["sync", "--relay", &address, "--wait", "0"]);
    assert_eq!(said.code(), "CERTIFICATE_REFUSED", "{}", said.err);
    assert!(lying(&relay, "up").is_empty());
    // An aggregator is no relay, and a relay no aggregator.
    let said = below.said(&["sync", "--relay", &aggregator.url(), "--wait", "0"]);
    assert_eq!(said.code(), "TLS_FAILED", "{}", said.err);

    let peers = aggregator.json(&["peers"]);
    let peers = peers.as_array().expect("peers");
    let peer = peers
        .iter()
        .find(|peer| peer["federation"] == "330000")
        .expect("enrolled");
    let peer = peer["peer"].as_str().expect("a name");
    aggregator.ok(&["revoke", peer, "--reason", "丢失"]);
    let said = below.said(&["sync", "--relay", &address, "--wait", "60"]);
    assert_eq!(said.code(), "KEY_REVOKED", "{}", said.err);
}
