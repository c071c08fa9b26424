//! Two aggregators with one identity, and one whose file was put back by hand (`protocol.md` R2, L8; `reliability.md` 2.4):
//! nodes tell them apart, and only what an aggregator has signed itself makes it stop or begin anew.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::id::LogEpoch;
use rollcall_sync::message::{Hello, ServerFrame};
use serde_json::{Value, json};

use crate::harness::{Aggregator, Node, count, database, placements, sync_all};
use crate::peer::{Hostile, written};

fn code(county: &str) -> CreditCode {
    CreditCode::complete(&format!("52{county}MJ000001")).expect("a code")
}

/// An office with a school of its own.
fn office(aggregator: &Aggregator, county: &str) -> Node {
    let node = aggregator.node(county, &[]);
    node.enter(&[
        json!({"type": "organisation", "code": code(county), "name": "实验学校", "location": county,
        "responsible": county}),
    ]);
    node
}

fn set(node: &Node, county: &str, address: &str) {
    node.set(code(county).as_str(), "address", address);
}

fn position(aggregator: &Aggregator) -> u64 {
    count(
        &database(&aggregator.store()),
        "SELECT coalesce(max(position), 0) FROM log",
    )
}

fn assert_whole(aggregator: &Aggregator, nodes: &[&Node]) {
    assert_eq!(aggregator.json(&["verify"])["faults"], json!([]));
    let all = placements(&aggregator.store());
    for node in nodes {
        assert_eq!(node.json(&["verify"])["faults"], json!([]));
        for row in placements(&node.store()) {
            assert!(all.contains(&row), "both ends know the same positions");
        }
    }
}

#[test]
fn of_two_aggregators_the_one_restored_later_counts_and_the_other_fences_itself() {
    let mut old = Aggregator::start();
    let (met_both, met_old) = (office(&old, "330106"), office(&old, "330105"));
    sync_all(&[&met_both, &met_old]);
    let backup = old.beside("backup.db");
    let backup = backup.to_str().expect("a path");
    old.ok(&["backup", backup]);

    // The machine is thought to be lost, and another one takes its place.
    old.stop();
    let mut new = old.copy();
    new.ok(&["restore", backup]);
    new.serve();
    set(&met_both, "330106", "一");
    sync_all(&[&met_both]);
    new.stop();

    // It comes back, and serves where the nodes look for it.
    old.serve();
    // Nobody's word makes it stop.
    let mut hostile = Hostile::with_keys_of(&met_old, &old);
    hostile.epoch = LogEpoch([9; 8]);
    let other = CreditCode::complete("52330105MJ000002").expect("a code");
    let record = json!({"type": "organisation", "code": other, "name": "第二学校", "location": "330105",
        "responsible": "330105"});
    let batch = hostile.batch(vec![written(&record)]);
    let claim = Hello {
        cluster_epoch: u64::MAX,
        ..hostile.hello(&batch)
    };
    let answers = hostile.converse(claim, vec![batch]);
    assert!(matches!(&answers[..], [ServerFrame::Ack(_)]), "{answers:?}");
    assert_eq!(old.json(&["recovery", "show"])["replaced_since"], Value::Null);
    set(&met_old, "330105", "二");
    sync_all(&[&met_old]);

    set(&met_both, "330106", "三");
    let before = position(&old);
    assert_eq!(met_both.said(&["sync"]).code(), "AGGREGATOR_REPLACED");
    assert_ne!(old.json(&["recovery", "show"])["replaced_since"], Value::Null);
    set(&met_old, "330105", "四");
    let refused = met_old.said(&["sync"]).code().to_owned();
    assert_eq!(refused, "AGGREGATOR_REPLACED", "it takes nothing of anybody");
    old.stop();
    old.serve();
    assert_eq!(
        met_old.said(&["sync"]).code(),
        "AGGREGATOR_REPLACED",
        "nor after a start"
    );
    let token = old.token("330108", &[]);
    for attempt in ["newcomer", "again"] {
        let refused = old.init(&token, attempt);
        assert_eq!(refused.code(), "AGGREGATOR_REPLACED", "nor is anybody enrolled");
        assert!(!old.beside(attempt).exists());
    }
    assert_eq!(position(&old), before);
    for args in [
        &["figures", "--json"][..],
        &["subsidies", "--json"],
        &["findings", "--json"],
        &["peers", "--json"],
    ] {
        let said = old.said(args);
        assert!(
            said.status == Some(0) && said.err.contains("AGGREGATOR_REPLACED"),
            "{args:?}: {}",
            said.err
        );
        said.json();
    }
    let stale = old.beside("stale.jsonl");
    let said = old.said(&["export", stale.to_str().expect("a path")]);
    assert!(said.err.contains("AGGREGATOR_REPLACED"), "{}", said.err);
    assert_eq!(new.said(&["figures"]).err, "", "the other one has nothing to say");
    old.stop();

    // What the old one had taken comes to the new one with the node that brought it.
    new.serve();
    sync_all(&[&met_both, &met_old]);
    let file = new.beside("all.jsonl");
    new.ok(&["export", file.to_str().expect("a path")]);
    let records = std::fs::read_to_string(file).expect("an export");
    assert!(records.contains("三") && records.contains("四"), "{records}");
    assert_whole(&new, &[&met_both, &met_old]);
    new.stop();

    // Restored once more, the old machine is the one that counts.
    old.ok(&["restore", backup]);
    old.serve();
    sync_all(&[&met_both, &met_old]);
    assert_eq!(old.json(&["recovery", "show"])["replaced_since"], Value::Null);
    assert_whole(&old, &[&met_both, &met_old]);
}

#[test]
fn an_aggregator_whose_file_was_put_back_by_hand_finds_out_and_rebuilds() {
    let mut aggregator = Aggregator::start();
    let (first, second) = (office(&aggregator, "330106"), office(&aggregator, "330105"));
    sync_all(&[&first, &second]);
    aggregator.stop();
    let copy = aggregator.beside("copy.db");
    std::fs::copy(aggregator.store(), &copy).expect("a copy of the file");
    aggregator.serve();
    for address in ["一", "二"] {
        set(&first, "330106", address);
        set(&second, "330105", address);
        sync_all(&[&first, &second]);
    }
    aggregator.stop();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", aggregator.store().display()));
    }
    std::fs::copy(&copy, aggregator.store()).expect("the file is put back");
    aggregator.serve();
    assert_eq!(
        aggregator.json(&["recovery", "show"])["rebuilding"],
        false,
        "it cannot know yet"
    );

    // Positions are given again, to other changes, before anybody with a receipt comes.
    let newcomer = office(&aggregator, "330108");
    newcomer.sync();
    let report = first.sync();
    assert_eq!(report["outcome"], "repaired", "{report}");
    let shown = aggregator.json(&["recovery", "show"]);
    assert_eq!(
        (&shown["rebuilding"], shown["missing"].as_array().map(Vec::len)),
        (&json!(true), Some(2)),
        "{shown}"
    );
    assert_eq!(first.json(&["status"])["rebuilding"], true);
    sync_all(&[&first, &second, &newcomer]);
    assert_eq!(aggregator.json(&["recovery", "show"])["rebuilding"], false);
    let audited = "SELECT count(*) FROM audit WHERE action = 'rewound'";
    assert_eq!(count(&database(&aggregator.store()), audited), 1, "once");
    let file = aggregator.beside("all.jsonl");
    aggregator.ok(&["export", file.to_str().expect("a path")]);
    let records = std::fs::read_to_string(file).expect("an export");
    assert_eq!(records.matches(r#""address":"二""#).count(), 2, "{records}");
    assert_whole(&aggregator, &[&first, &second, &newcomer]);
}
