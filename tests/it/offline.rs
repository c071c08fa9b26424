//! The aggregator away for the whole edit: two nodes that both write one scope change the same and different fields.
//! Nothing is lost, both values are kept and listed, figures say what they could be until somebody settles it.

use serde_json::{Value, json};

use crate::harness::{Aggregator, Node, fixture, sync_all};

const KINDERGARTEN: &str = "52330106XXXX000357";
const SCHOOL: &str = "52330106XXXX000432";

fn set(node: &Node, code: &str, fields: &[&str]) {
    let mut args = vec!["organisation", "set", code];
    args.extend(fields);
    args.extend(["--reason", "下乡核实"]);
    node.ok(&args);
}

fn record(node: &Node, code: &str) -> Value {
    node.json(&["organisation", "show", code])["record"].clone()
}

/// Without the completeness: each place has its own time of hearing the others (`cli.md` Figures).
fn total(ask: impl Fn(&[&str]) -> Value) -> Value {
    let mut total = ask(&["figures", "--as-of", "2024-12-31"])["total"].take();
    total.as_object_mut().expect("figures").remove("completeness");
    total
}

#[test]
fn edits_made_apart_are_all_kept_and_a_conflict_bounds_the_figures_until_it_is_settled() {
    let mut aggregator = Aggregator::start();
    let office = aggregator.node("330106", &["--name", "office"]);
    let field = aggregator.node("330106", &["--name", "field"]);
    let province = aggregator.node("330000", &["--replicas", "330000"]);
    office.import(&fixture("country/330106.jsonl"));
    province.import(&fixture("country/330000.jsonl"));
    let keeper = aggregator.node("330105", &[]);
    keeper.import(&fixture("country/330105.jsonl"));
    sync_all(&[&office, &field, &province, &keeper]);
    let before = total(|args| office.json(args));
    assert_eq!(before, total(|args| field.json(args)));
    assert_eq!(before["open_conflicts"], 0);

    aggregator.kill();
    let down = office.said(&["sync"]);
    assert_eq!(down.status, Some(1), "nobody answers");
    // The same agreed field, different fields of one document, and a status that decides whether it counts at all.
    set(&office, KINDERGARTEN, &["address=文三路1号"]);
    set(
        &field,
        KINDERGARTEN,
        &["address=文三路2号", "supervising_unit=西湖区教育局"],
    );
    set(
        &office,
        SCHOOL,
        &["registration_status@2024-06-01=registered", "address=求是路9号"],
    );
    set(
        &field,
        SCHOOL,
        &[
            "registration_status@2024-06-01=deregistered",
            "supervising_unit=西湖区教育局",
        ],
    );
    office.enter(&[json!({"type": "organisation", "code": SCHOOL,
        "counts": [{"on": "2024-10-01", "source": "check", "workers": 121, "members": null, "female_members": null}]})]);
    field.enter(&[json!({"type": "organisation", "code": SCHOOL,
        "counts": [{"on": "2024-11-01", "source": "check", "workers": 130, "members": 90, "female_members": 60}]})]);
    for node in [&office, &field] {
        assert!(
            node.json(&["status"])["waiting"]["changes"].as_u64() >= Some(3),
            "edits wait"
        );
    }

    aggregator.serve();
    let rounds = sync_all(&[&office, &field, &province]);
    println!("in sync after {rounds} rounds");
    for node in [&office, &field, &province] {
        assert_eq!(node.json(&["status"])["waiting"]["changes"], 0);
        let kindergarten = record(node, KINDERGARTEN);
        assert_eq!(
            kindergarten["supervising_unit"], "西湖区教育局",
            "the other field of the same document"
        );
        let school = record(node, SCHOOL);
        assert_eq!(
            (&school["address"], &school["supervising_unit"]),
            (&json!("求是路9号"), &json!("西湖区教育局"))
        );
        let days: Vec<&Value> = school["counts"]
            .as_array()
            .expect("counts")
            .iter()
            .map(|count| &count["on"])
            .collect();
        assert!(
            days.contains(&&json!("2024-10-01")) && days.contains(&&json!("2024-11-01")),
            "{days:?}"
        );
        let history = node.json(&["organisation", "history", KINDERGARTEN]).to_string();
        assert!(
            history.contains("文三路1号") && history.contains("文三路2号"),
            "both edits stand in the history"
        );
    }
    let conflicts = office.json(&["conflicts", "list"]);
    assert_eq!(conflicts, field.json(&["conflicts", "list"]), "both see the same");
    assert_eq!(
        conflicts,
        province.json(&["conflicts", "list"]),
        "so does the office above"
    );
    let values = |code: &str, field: &str| -> Vec<Value> {
        let all = conflicts.as_array().expect("conflicts");
        let conflict = all.iter().find(|conflict| {
            conflict["code"] == code
                && conflict["field"]
                    .as_str()
                    .is_some_and(|name| name.starts_with(field))
        });
        conflict.unwrap_or_else(|| panic!("no conflict about {field} of {code}: {conflicts}"))["values"]
            .as_array()
            .expect("values")
            .clone()
    };
    let mut addresses: Vec<String> = values(KINDERGARTEN, "address")
        .iter()
        .map(|value| value["value"].to_string())
        .collect();
    addresses.sort();
    assert_eq!(addresses, ["\"文三路1号\"", "\"文三路2号\""]);
    assert!(
        values(KINDERGARTEN, "address")
            .iter()
            .all(|value| value["reason"] == "下乡核实")
    );
    assert_eq!(values(SCHOOL, "registration_status").len(), 2);
    assert_eq!(conflicts.as_array().map(Vec::len), Some(2), "{conflicts}");

    // O4 is covered by its own union if it is registered, and out otherwise: the least favourable is said, the other bounded.
    for (place, figures) in [
        ("aggregator", total(|args| aggregator.json(args))),
        ("office", total(|args| office.json(args))),
        ("province", total(|args| province.json(args))),
    ] {
        let rate = &figures["establishment_rate"];
        assert_eq!(figures["open_conflicts"], 2, "{place}: {figures}");
        assert_eq!(
            rate["numerator"], rate["low"]["numerator"],
            "{place}: the figure is its own low bound"
        );
        assert_eq!(rate["denominator"], rate["low"]["denominator"], "{place}");
        assert_ne!(rate["low"], rate["high"], "{place}: high says what it could be");
        let pair = |bound: &str, part: &str| rate[bound][part].as_u64().expect("a number");
        assert_eq!(pair("high", "numerator"), pair("low", "numerator") + 1, "{place}");
        assert_eq!(
            pair("high", "denominator"),
            pair("low", "denominator") + 1,
            "{place}"
        );
    }

    let wanted = |code: &str, field: &str, value: &str| -> (String, String) {
        let all = conflicts.as_array().expect("conflicts");
        let conflict = all
            .iter()
            .find(|conflict| {
                conflict["code"] == code
                    && conflict["field"]
                        .as_str()
                        .is_some_and(|name| name.starts_with(field))
            })
            .expect("the conflict");
        let values = conflict["values"].as_array().expect("values");
        let chosen = values
            .iter()
            .find(|one| one["value"].to_string().contains(value))
            .expect("the value");
        (
            conflict["field"].as_str().expect("a field").to_owned(),
            chosen["id"].as_str().expect("an id").to_owned(),
        )
    };
    let settle = |node: &Node, code: &str, (field, take): (String, String)| {
        node.ok(&[
            "conflicts",
            "settle",
            code,
            &field,
            "--take",
            &take,
            "--reason",
            "电话核实",
        ]);
    };
    let unknown = office.said(&[
        "conflicts",
        "settle",
        SCHOOL,
        "address",
        "--take",
        "1@00",
        "--reason",
        "x",
    ]);
    assert_eq!(
        unknown.status,
        Some(1),
        "there is no such conflict: {}",
        unknown.err
    );
    settle(
        &office,
        SCHOOL,
        wanted(SCHOOL, "registration_status", "\"registered"),
    );
    settle(&field, KINDERGARTEN, wanted(KINDERGARTEN, "address", "2号"));
    sync_all(&[&office, &field, &province]);
    for node in [&office, &field, &province] {
        assert_eq!(node.json(&["conflicts", "list"]), json!([]));
        assert_eq!(record(node, KINDERGARTEN)["address"], "文三路2号");
    }
    for figures in [
        total(|args| aggregator.json(args)),
        total(|args| province.json(args)),
    ] {
        let rate = &figures["establishment_rate"];
        assert_eq!(rate["low"], rate["high"], "settled: {figures}");
        assert_eq!(figures["open_conflicts"], 0);
    }
    assert_eq!(
        total(|args| office.json(args))["establishment_rate"],
        before["establishment_rate"]
    );
    for faults in [
        office.json(&["verify"]),
        field.json(&["verify"]),
        aggregator.json(&["verify"]),
    ] {
        assert_eq!(faults["faults"], json!([]));
    }
}

#[test]
fn the_same_new_organisation_entered_apart_becomes_one_document() {
    let mut aggregator = Aggregator::start();
    let office = aggregator.node("330106", &[]);
    let field = aggregator.node("330106", &[]);
    sync_all(&[&office, &field]);
    aggregator.stop();
    let entered = |name: &str| {
        json!({"type": "organisation", "code": KINDERGARTEN, "name": name, "registered_on": "2015-01-01",
               "registration_status": "registered", "location": "330106", "responsible": "330106"})
    };
    office.enter(&[entered("杭州市西湖区小草幼儿园")]);
    field.enter(&[entered("西湖区小草幼儿园")]);
    aggregator.serve();
    sync_all(&[&office, &field]);
    for node in [&office, &field] {
        assert_eq!(node.json(&["status"])["documents"], 1);
        let conflicts = node.json(&["conflicts", "list"]);
        assert_eq!(
            conflicts.as_array().map(Vec::len),
            Some(1),
            "the names differ, nothing else does: {conflicts}"
        );
        assert_eq!(total(|args| node.json(args))["in_scope"], 1, "it counts once");
    }
    assert_eq!(total(|args| aggregator.json(args))["in_scope"], 1);
}
