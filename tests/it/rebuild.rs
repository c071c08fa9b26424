//! What is derived can be thrown away; what is copied can be put back (`protocol.md` 4.7, R1).

use serde_json::{Value, json};

use crate::harness::{Aggregator, Node, database, fixture, sync_all};

fn answers(ask: impl Fn(&[&str]) -> Value) -> Vec<Value> {
    [
        ["figures", "--as-of", "2023-12-31", "--by", "federation"].as_slice(),
        &["figures", "--as-of", "2024-12-31", "--by", "county,group"],
        &["subsidies", "--year", "2024", "--by", "federation"],
        &["findings", "--as-of", "2024-12-31"],
    ]
    .into_iter()
    .map(ask)
    .collect()
}

fn province(aggregator: &Aggregator) -> Node {
    let node = aggregator.node("330000", &["--replicas", "330000"]);
    node.import(&fixture("country/second.jsonl"));
    node.import(&fixture("country/money.jsonl"));
    node
}

/// The figures without who has been heard, which each place knows for itself (`cli.md` Figures).
fn told(total: &Value) -> Value {
    let mut total = total.clone();
    total.as_object_mut().expect("figures").remove("completeness");
    total
}

#[test]
fn facts_dropped_and_rebuilt_give_the_same_figures() {
    let aggregator = Aggregator::start();
    let node = province(&aggregator);
    sync_all(&[&node]);
    node.enter(&[json!({"type": "union", "id": "J1", "name": "拱墅区社会组织联合工会"})]);
    let (before, national) = (
        answers(|args| node.json(args)),
        answers(|args| aggregator.json(args)),
    );
    let held =
        [node.json(&["verify"]), aggregator.json(&["verify"])].map(|verified| verified["documents"].clone());
    for store in [node.store(), aggregator.store()] {
        let dropped = database(&store)
            .execute("DELETE FROM fact", [])
            .expect("facts can be dropped");
        assert!(dropped >= 20, "{dropped} facts");
    }
    assert_ne!(
        answers(|args| node.json(args)),
        before,
        "without facts there is nothing to count"
    );
    assert_ne!(
        node.said(&["verify", "--json"]).json()["faults"],
        json!([]),
        "and it is noticed"
    );
    assert_eq!(node.json(&["rebuild"])["documents"], held[0]);
    assert_eq!(aggregator.json(&["rebuild"])["documents"], held[1]);
    assert_eq!(answers(|args| node.json(args)), before);
    assert_eq!(answers(|args| aggregator.json(args)), national);
    let position = national[0]["known_at"]["position"].to_string();
    let then = ["figures", "--as-of", "2024-12-31", "--known-at", &position];
    assert_eq!(
        told(&node.json(&then)["total"]),
        told(&aggregator.json(&then)["total"]),
        "facts of every position are back"
    );
    assert_eq!(node.json(&["verify"])["faults"], json!([]));
    assert_eq!(aggregator.json(&["verify"])["faults"], json!([]));
}

#[test]
fn a_node_restored_from_an_old_backup_gets_back_what_it_had_sent_and_keeps_what_it_writes() {
    let aggregator = Aggregator::start();
    let mut node = province(&aggregator);
    sync_all(&[&node]);
    node.serve();
    let backup = node.beside("backup.db");
    let path = backup.to_str().expect("a path");
    node.ok(&["backup", path]);
    let existing = node.said(&["backup", path]);
    assert_eq!(existing.status, Some(1), "a backup does not overwrite another");

    let address = |value: &str| format!("address={value}");
    let set = |code: &str, value: &str| {
        node.ok(&["organisation", "set", code, &address(value), "--reason", "检查"])
    };
    set("51330000XXXX00019Q", "备份之后");
    sync_all(&[&node]);
    let said = node.said(&["restore", path]);
    assert_eq!(said.status, Some(1), "not while it serves: {}", said.out);
    node.stop();
    node.ok(&["restore", path]);
    let kept: Vec<_> = std::fs::read_dir(node.data())
        .expect("the data directory")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("store") && name != "store.db" && !name.contains(".lock"))
        .collect();
    assert!(!kept.is_empty(), "the replaced store lies beside it");

    let shown = |code: &str| node.json(&["organisation", "show", code])["record"]["address"].clone();
    assert_eq!(shown("51330000XXXX00019Q"), Value::Null, "the copy is older");
    node.ok(&[
        "organisation",
        "set",
        "53330000XXXX00027D",
        &address("恢复之后"),
        "--reason",
        "检查",
    ]);
    let first = node.sync();
    let outcome = first["outcome"].as_str().unwrap_or_default();
    assert!(["repaired", "caught_up"].contains(&outcome), "{first}");
    assert!(
        first["pulled"]["changes"].as_u64() >= Some(1),
        "its own lost change comes back: {first}"
    );
    sync_all(&[&node]);
    assert_eq!(shown("51330000XXXX00019Q"), "备份之后");
    assert_eq!(shown("53330000XXXX00027D"), "恢复之后");
    assert_eq!(
        told(&answers(|args| node.json(args))[1]["total"]),
        told(&answers(|args| aggregator.json(args))[1]["total"])
    );
    assert_eq!(
        node.json(&["conflicts", "list"]),
        json!([]),
        "nothing was written twice"
    );
    assert_eq!(node.json(&["verify"])["faults"], json!([]));
    assert_eq!(aggregator.json(&["verify"])["faults"], json!([]));
}

#[test]
fn an_aggregator_restored_from_an_old_backup_is_given_everything_again() {
    let mut aggregator = Aggregator::start();
    let node = province(&aggregator);
    // What the province entered for the county goes up before the county has a node of its own.
    sync_all(&[&node]);
    let county = aggregator.node("330106", &[]);
    sync_all(&[&node, &county]);
    let backup = aggregator.beside("backup.db");
    let path = backup.to_str().expect("a path");
    aggregator.ok(&["backup", path]);
    for (office, code, value) in [
        (&node, "51330000XXXX00019Q", "一"),
        (&county, "52330106XXXX000357", "二"),
    ] {
        office.ok(&[
            "organisation",
            "set",
            code,
            &format!("address={value}"),
            "--reason",
            "检查",
        ]);
    }
    sync_all(&[&node, &county]);
    let before = answers(|args| node.json(args));
    aggregator.stop();
    aggregator.ok(&["restore", path]);
    aggregator.serve();
    let first = node.sync();
    assert!(
        ["repaired", "caught_up"].contains(&first["outcome"].as_str().unwrap_or_default()),
        "{first}"
    );
    sync_all(&[&node, &county]);
    let file = aggregator.beside("export.jsonl");
    aggregator.ok(&["export", file.to_str().expect("a path")]);
    let records = std::fs::read_to_string(file).expect("an export");
    assert!(
        records.contains(r#""address":"一""#) && records.contains(r#""address":"二""#),
        "both edits are back"
    );
    assert_eq!(
        told(&answers(|args| node.json(args))[1]["total"]),
        told(&before[1]["total"])
    );
    for faults in [
        node.json(&["verify"]),
        county.json(&["verify"]),
        aggregator.json(&["verify"]),
    ] {
        assert_eq!(faults["faults"], json!([]));
    }
}
