//! An office over many scopes: what has not changed there costs nothing.

use rollcall_core::credit_code::CreditCode;
use rollcall_core::division::Divisions;
use serde_json::{Value, json};

use crate::harness::{Aggregator, Node, full, sync_all};

/// A record of a county's federation.
fn organisation(index: usize, county: u32, address: &str) -> Value {
    let code = CreditCode::complete(&format!("52{county:06}MJ{index:06}")).expect("a code");
    json!({"type": "organisation", "code": code.as_str(), "name": format!("第{index}幼儿园"),
        "registered_on": "2015-01-01", "registration_status": "registered", "location": format!("{county:06}"),
        "address": address, "responsible": format!("{county:06}")})
}

fn bytes(report: &Value) -> u64 {
    report["bytes_sent"].as_u64().expect("a count") + report["bytes_received"].as_u64().expect("a count")
}

#[test]
fn a_change_costs_an_office_over_many_scopes_what_it_costs_one_over_few() {
    let many = if full() { 2_500 } else { 120 };
    let counties: Vec<u32> = Divisions::get()
        .in_use()
        .map(|division| division.code)
        .filter(|code| code % 100 != 0)
        .take(many)
        .collect();
    let aggregator = Aggregator::start();
    let scopes: Vec<String> = counties.iter().map(|code| format!("{code:06}")).collect();
    let mut flags = Vec::new();
    for scope in &scopes[1..] {
        flags.extend(["--also", scope.as_str()]);
    }
    let writer = aggregator.node(&scopes[0], &flags);
    let office = aggregator.node("100000", &["--replicas", "100000"]);
    let records: Vec<Value> = counties
        .iter()
        .enumerate()
        .map(|(index, county)| organisation(index, *county, "文三路1号"))
        .collect();
    writer.enter(&records);
    sync_all(&[&writer, &office]);

    let cost = |changes: usize| {
        let changed: Vec<Value> = counties
            .iter()
            .enumerate()
            .take(changes)
            .map(|(index, county)| organisation(index, *county, &format!("文三路{changes}0号")))
            .collect();
        writer.enter(&changed);
        let up = writer.sync();
        let down = office.sync();
        for report in [&up, &down] {
            assert_eq!(report["outcome"], "caught_up", "{report}");
            assert_eq!(report["receipt"]["verified"], true);
        }
        (bytes(&up), bytes(&down))
    };
    let (one, ten) = (cost(1), cost(10));
    println!("{many} scopes: 1 change costs {one:?} bytes up and down, 10 cost {ten:?}");
    for bytes in [one.0, one.1] {
        assert!(bytes < 3_000, "{bytes} bytes for one change");
    }
    for bytes in [ten.0, ten.1] {
        assert!(bytes < 10_000, "{bytes} bytes for ten changes");
    }
    let unchanged = |node: &Node| {
        let report = node.sync();
        assert_eq!(
            (&report["outcome"], &report["round_trips"]),
            (&"in_sync".into(), &1.into())
        );
        bytes(&report)
    };
    assert!(unchanged(&writer) < 1_024 && unchanged(&office) < 1_024);
}
