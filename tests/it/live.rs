//! Sessions that stay open, with the shipped programs: how soon an edit is everywhere, what the badge says, who lets go
//! when another process syncs, and how an open session ends.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Aggregator, Node, count, database, fixture, full, sync_all};
use crate::peer::{Held, Hostile};

const KINDERGARTEN: &str = "52330106XXXX000357";
/// The promise is one second; a machine that builds something beside may take longer.
const SOON: Duration = Duration::from_secs(5);

fn set(node: &Node, fields: &[&str]) {
    let mut args = vec!["organisation", "set", KINDERGARTEN];
    args.extend(fields);
    args.extend(["--reason", "下乡核实"]);
    node.ok(&args);
}

fn changes(store: &std::path::Path) -> u64 {
    count(&database(store), "SELECT count(*) FROM change")
}

/// Waits until something is so; how long it took.
fn until(what: &str, begun: Instant, mut is_so: impl FnMut() -> bool) -> Duration {
    while !is_so() {
        assert!(begun.elapsed() < SOON, "{what}: not within {} s", SOON.as_secs());
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}

/// Position of the last receipt, and whether nothing waits.
fn proven(node: &Node) -> (u64, bool) {
    let status = node.json(&["status"]);
    let position = status["last_receipt"]["position"].as_u64().unwrap_or_default();
    (position, status["waiting"]["changes"] == 0)
}

fn peer(aggregator: &Aggregator, name: &str) -> String {
    let peers = aggregator.json(&["peers"]);
    let peers: Vec<&Value> = peers.as_array().expect("a list").iter().collect();
    let found = peers.iter().find(|peer| peer.to_string().contains(name));
    found.expect("enrolled")["peer"]
        .as_str()
        .expect("a name")
        .to_owned()
}

#[test]
fn an_edit_is_at_the_aggregator_and_at_other_nodes_within_a_second() {
    let mut aggregator = Aggregator::start();
    let mut office = aggregator.node("330106", &["--name", "office"]);
    let office_peer = peer(&aggregator, "330106");
    let mut province = aggregator.node("330000", &["--replicas", "330000"]);
    office.import(&fixture("country/330106.jsonl"));
    sync_all(&[&office, &province]);
    office.serve_syncing();
    province.serve_syncing();
    for node in [&office, &province] {
        until("the first round", Instant::now(), || {
            node.serve_log().contains("in sync")
        });
    }

    // At the node by the command line beside `serve`, which is another process.
    for round in 0..3 {
        let (centre, other) = (changes(&aggregator.store()), changes(&province.store()));
        let before = proven(&office).0;
        set(&office, &[&format!("address=文三路{round}号")]);
        let begun = Instant::now();
        let there = until("at the aggregator", begun, || {
            changes(&aggregator.store()) > centre
        });
        let everywhere = until("at the other node", begun, || changes(&province.store()) > other);
        println!("at the aggregator after {there:?}, at the other node after {everywhere:?}");
        let badge = until("a new receipt", begun, || {
            let (position, is_sent) = proven(&office);
            position > before && is_sent
        });
        println!("proven again after {badge:?}");
    }
    let shown = province.json(&["organisation", "show", KINDERGARTEN]);
    assert_eq!(shown["record"]["address"], "文三路2号");

    // A session of another process: the open one lets go and comes back.
    let begun = Instant::now();
    let report = office.sync();
    println!("sync beside serve took {:?}", begun.elapsed());
    assert_eq!(
        (&report["outcome"], &report["round_trips"]),
        (&"in_sync".into(), &1.into())
    );
    assert_eq!(report["receipt"]["verified"], true);
    let other = changes(&province.store());
    set(&office, &["address=文二路1号"]);
    until("after the open session is back", Instant::now(), || {
        changes(&province.store()) > other
    });

    // The aggregator stops in order, says so, and is found again.
    let begun = Instant::now();
    aggregator.stop();
    println!(
        "the aggregator stopped in {:?} with two sessions open",
        begun.elapsed()
    );
    assert!(
        begun.elapsed() < SOON,
        "nobody is waited for that has nothing to say"
    );
    until("the reason", Instant::now(), || {
        office.serve_log().contains("STOPPING")
    });
    set(&office, &["address=文二路2号"]);
    aggregator.serve();
    let other = changes(&province.store());
    let begun = Instant::now();
    while changes(&province.store()) == other {
        assert!(begun.elapsed() < 4 * SOON, "nodes connect again");
        std::thread::sleep(Duration::from_millis(20));
    }

    // A revoked node's session is cut where it stands.
    aggregator.ok(&["revoke", &office_peer, "--reason", "lost laptop"]);
    let begun = Instant::now();
    let cut = until("the open session is cut", begun, || {
        office.serve_log().contains("KEY_REVOKED")
    });
    println!("a revoked node's session was cut after {cut:?}");
    let centre = changes(&aggregator.store());
    set(&office, &["address=文二路3号"]);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(
        changes(&aggregator.store()),
        centre,
        "nothing of a revoked node is taken"
    );

    office.stop();
    province.stop();
}

#[test]
fn copies_with_open_sessions_are_fenced_and_are_heard_all_the_same() {
    let aggregator = Aggregator::start();
    let mut node = aggregator.node("330106", &[]);
    node.import(&fixture("country/330106.jsonl"));
    sync_all(&[&node]);
    let mut twin = node.copy();
    node.serve_syncing();
    twin.serve_syncing();
    let begun = Instant::now();
    let is_told = |node: &Node| node.serve_log().contains("CLONED");
    let mut round = 0;
    while !(is_told(&node) && is_told(&twin)) {
        assert!(
            begun.elapsed() < 6 * SOON,
            "neither is fenced after {round} rounds"
        );
        round += 1;
        for office in [&node, &twin] {
            let before = changes(&aggregator.store());
            set(office, &[&format!("address=第{round}次")]);
            let written = Instant::now();
            while changes(&aggregator.store()) == before && written.elapsed() < SOON && !is_told(office) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    println!(
        "both open sessions ended in round {round}, after {:?}",
        begun.elapsed()
    );
    for (office, last) in [(&node, "address=甲的"), (&twin, "address=乙的")] {
        assert_eq!(office.json(&["status"])["fenced"], true);
        let before = changes(&aggregator.store());
        set(office, &[last]);
        let said = office.said(&["sync", "--json"]);
        assert_eq!(said.code(), "CLONED");
        assert!(changes(&aggregator.store()) > before, "what it sends is taken");
    }
    node.stop();
    twin.stop();
}

#[test]
fn what_differs_is_found_while_the_session_is_open_and_repaired() {
    let aggregator = Aggregator::start();
    let office = aggregator.node("330106", &[]);
    let mut province = aggregator.node("330000", &["--replicas", "330000"]);
    office.import(&fixture("country/330106.jsonl"));
    sync_all(&[&office, &province]);
    let config = province.data().join("node.toml");
    let text = std::fs::read_to_string(&config).expect("a configuration");
    std::fs::write(&config, text.replace("sync_seconds = 60", "sync_seconds = 1")).expect("a configuration");
    province.serve_syncing();
    until("the first round", Instant::now(), || {
        province.serve_log().contains("in sync")
    });

    // A document of somebody else's vanishes from the file, as from a bad disk.
    let lost = database(&province.store());
    let id: Vec<u8> = lost
        .query_row(
            "SELECT document_id FROM scope_document WHERE scope = '330106' ORDER BY document_id LIMIT 1",
            [],
            |row| row.get(0),
        )
        .expect("a document");
    lost.pragma_update(None, "foreign_keys", false)
        .expect("a setting");
    for table in [
        "fact",
        "listing",
        "name",
        "alias",
        "change",
        "scope_document",
        "document",
    ] {
        lost.execute(&format!("DELETE FROM {table} WHERE document_id = ?1"), [&id])
            .expect("deleted");
    }
    lost.execute(
        "UPDATE scope SET documents_count = documents_count - 1 WHERE scope = '330106'",
        [],
    )
    .expect("updated");
    drop(lost);

    let begun = Instant::now();
    let mut checked = Value::Null;
    while checked["repairs"] == 0 || checked["corrected_scopes"] == 0 || checked.is_null() {
        assert!(begun.elapsed() < 4 * SOON, "{checked}: {}", province.serve_log());
        std::thread::sleep(Duration::from_millis(50));
        checked = province.json(&["status"])["self_check"].clone();
    }
    println!("found and repaired after {:?}: {checked}", begun.elapsed());
    assert_eq!(
        (&checked["repairs"], &checked["repaired_documents"]),
        (&1.into(), &1.into())
    );
    let found = count(
        &database(&province.store()),
        &format!(
            "SELECT count(*) FROM document WHERE document_id = x'{}'",
            id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        ),
    );
    assert_eq!(found, 1, "it is back");
    province.stop();
    assert_eq!(province.sync()["outcome"], "in_sync");
    province.ok(&["verify"]);
}

#[test]
fn an_open_session_with_nothing_to_do_costs_little_memory() {
    let peers = if full() { 150 } else { 12 };
    let aggregator = Aggregator::start();
    let nodes: Vec<Node> = (0..peers).map(|_| aggregator.node("330106", &[])).collect();
    let hostile: Vec<Hostile> = nodes
        .iter()
        .map(|node| Hostile::with_keys_of(node, &aggregator))
        .collect();
    // What the first session costs the process is not each one's. Its place has to be free again before the next.
    drop(hostile[0].stay());
    std::thread::sleep(Duration::from_millis(300));
    let before = aggregator.memory_bytes();
    // As many connections as one certificate may have.
    let open: Vec<Held> = hostile
        .iter()
        .flat_map(|hostile| [hostile.stay(), hostile.stay()])
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    let each = aggregator.memory_bytes().saturating_sub(before) / open.len() as u64;
    println!("{} open sessions cost {} KiB each", open.len(), each / 1024);
    assert!(
        each < 256 * 1024,
        "{each} bytes: 3,000 would not fit 1.5 GB with what else there is"
    );
}
