//! What it costs when either end has lost how far it holds the other's log, with many documents (`protocol.md` 4.7, R1 to
//! R3): knowing the difference a digest, closing it what differs. Never a log again.

use rollcall_core::credit_code::CreditCode;
use serde_json::{Value, json};

use crate::harness::{Aggregator, Node, count, database, full, placements, sync_all};

/// Bytes of a session, both directions, in which hardly a document differs. The digest of 3,000 documents takes 2 KB.
const BYTES_MAX: u64 = 24 * 1024;
/// Flights there and back of such a session: a Hello that leads to another one, digest, changes, receipt.
const ROUND_TRIPS_MAX: u64 = 5;

fn documents() -> usize {
    if full() { 30_000 } else { 3_000 }
}

fn code(number: usize) -> CreditCode {
    CreditCode::complete(&format!("52330106MJ{number:06}")).expect("a code")
}

/// An office with many documents, all of them with the aggregator; and what it cost to bring them there, bytes.
fn large(aggregator: &Aggregator) -> (Node, u64) {
    let node = aggregator.node("330106", &[]);
    let records: Vec<Value> = (0..documents())
        .map(|number| {
            json!({"type": "organisation", "code": code(number), "name": format!("第{number}学校"),
                "location": "330106", "responsible": "330106"})
        })
        .collect();
    node.enter(&records);
    let first = bytes(&node.sync());
    sync_all(&[&node]);
    (node, first)
}

fn bytes(report: &Value) -> u64 {
    let number = |name: &str| report[name].as_u64().expect("a number");
    number("bytes_sent") + number("bytes_received")
}

fn set(node: &Node, number: usize, address: &str) {
    let (code, field) = (code(number).to_string(), format!("address={address}"));
    node.ok(&["organisation", "set", &code, &field, "--reason", "核实"]);
}

/// One session after a loss: few bytes, few round trips, this many changes up and down.
fn assert_cheap(node: &Node, loss: &str, pushed: u64, pulled: u64) {
    let report = node.sync();
    println!(
        "{loss}: {} of {} documents, {} bytes, {} round trips",
        report["outcome"],
        documents(),
        bytes(&report),
        report["round_trips"]
    );
    assert_eq!(report["outcome"], "repaired", "{loss}: {report}");
    let limit = BYTES_MAX * if full() { 4 } else { 1 };
    assert!(bytes(&report) <= limit, "{loss}: {report}");
    let round_trips = report["round_trips"].as_u64().expect("a number");
    assert!(round_trips <= ROUND_TRIPS_MAX, "{loss}: {report}");
    let changes = |way: &str| report[way]["changes"].as_u64().expect("a number");
    assert_eq!(
        (changes("pushed"), changes("pulled")),
        (pushed, pulled),
        "{loss}: {report}"
    );
    assert_eq!(node.sync()["outcome"], "in_sync", "{loss}: once");
}

fn faults(aggregator: &Aggregator) -> String {
    aggregator.said(&["verify", "--json"]).json()["faults"].to_string()
}

#[test]
fn a_lost_cursor_costs_a_digest_and_what_differs_and_the_chains_still_prove_everything() {
    let mut aggregator = Aggregator::start();
    let (node, whole) = large(&aggregator);
    assert!(whole > 10 * BYTES_MAX, "a log sent again would show: {whole}");
    let (backup, old) = (aggregator.beside("backup.db"), node.beside("backup.db"));
    let (backup, old) = (backup.to_str().expect("a path"), old.to_str().expect("a path"));

    // The aggregator no longer knows how far it holds the node's log.
    aggregator.stop();
    let lost = database(&aggregator.store()).execute("DELETE FROM peer_cursor", []);
    lost.expect("the cursor is lost");
    aggregator.serve();
    set(&node, 1, "一");
    assert_cheap(&node, "cursor lost at the aggregator", 1, 0);

    // The node no longer knows with whom it ever spoke, nor how far.
    let lost = database(&node.store()).execute("DELETE FROM upstream", []);
    lost.expect("the cursor is lost");
    set(&node, 2, "二");
    assert_cheap(&node, "cursor lost at the node", 1, 0);

    // Both come back from backups, one after the other.
    aggregator.ok(&["backup", backup]);
    node.ok(&["backup", old]);
    for number in 3..6 {
        set(&node, number, "三");
    }
    node.sync();
    aggregator.stop();
    aggregator.ok(&["restore", backup]);
    aggregator.serve();
    assert_cheap(&node, "aggregator restored", 3, 0);
    node.ok(&["restore", old]);
    set(&node, 6, "四");
    assert_cheap(&node, "node restored", 1, 3);

    assert_eq!(placements(&node.store()), placements(&aggregator.store()));
    assert_eq!(node.json(&["verify"])["faults"], json!([]));
    assert_eq!(faults(&aggregator), "[]");

    // A spell that begins with anything but a first change proves nothing, and whoever leaves one out is found.
    let evidence = "SELECT count(*) FROM batch_evidence WHERE to_position = 1";
    assert_ne!(count(&database(&aggregator.store()), evidence), 0);
    let sabotage = database(&aggregator.store());
    let skip = "UPDATE batch_evidence SET to_position = to_position + 3 WHERE (log_epoch, to_position) IN \
                (SELECT log_epoch, max(to_position) FROM batch_evidence GROUP BY log_epoch ORDER BY received_at_ms \
                DESC LIMIT 1)";
    assert_eq!(sabotage.execute(skip, []).expect("a forged step"), 1);
    let found = faults(&aggregator);
    assert!(
        found.contains("the changes before this batch are not on record")
            && found.contains("the kept signature is not that of the node's key"),
        "{found}"
    );
}
