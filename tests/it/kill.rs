//! `kill -9` of node and aggregator in the middle of a sync session, again and again, at random moments from a printed
//! seed. Whatever was acknowledged is there afterwards, and both ends prove the same content.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rollcall_core::credit_code::CreditCode;
use serde_json::{Value, json};

use crate::harness::{Aggregator, Node, count, database, full, program, sync_all};

/// New organisations in each round: a session of several batches.
const EACH: u64 = 1_500;

/// Where a session was cut, by what is durable at each end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The aggregator had not heard the Hello.
    BeforeHello,
    /// Hello heard, which is followed by the first batch at once; no batch durable.
    FirstBatch,
    /// Some batches durable.
    BetweenBatches,
    /// Every batch durable, no receipt kept at the node.
    BeforeReceipt,
    /// The receipt is kept: the session was over.
    AfterReceipt,
}

/// A generator of moments, so that a seed gives the same ones again.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

fn enter_new(node: &Node, round: u64) {
    let records: Vec<Value> = (0..EACH)
        .map(|index| {
            let code = CreditCode::complete(&format!("52330106MJ{:06}", round * EACH + index)).expect("a code");
            json!({"type": "organisation", "code": code.as_str(), "name": format!("西湖区第{round}-{index}幼儿园"),
                "registered_on": "2015-01-01", "registration_status": "registered", "location": "330106",
                "address": format!("文三路{index}号"), "responsible": "330106",
                "counts": [{"on": "2022-12-31", "source": "registry", "workers": index % 90, "members": null, "female_members": null}]})
        })
        .collect();
    let summary = node.enter(&records);
    assert_eq!(summary["new"], EACH, "{summary}");
}

/// What is durable: the aggregator's cursor for the node, when it last heard it, receipts at the node.
fn durable(aggregator: &Aggregator, node: &Node) -> (u64, u64, u64) {
    let at_aggregator = database(&aggregator.store());
    let cursor = count(
        &at_aggregator,
        "SELECT coalesce(max(position), 0) FROM peer_cursor",
    );
    let heard = count(
        &at_aggregator,
        "SELECT coalesce(max(last_heard_ms), 0) FROM peer_cursor",
    );
    (
        cursor,
        heard,
        count(&database(&node.store()), "SELECT count(*) FROM receipt"),
    )
}

/// Changes the node was told are at the aggregator that are not there, or not at that place.
fn lost(aggregator: &Aggregator, node: &Node) -> u64 {
    let at_node = database(&node.store());
    at_node
        .execute(
            "ATTACH ?1 AS aggregator",
            [aggregator.store().to_str().expect("a path")],
        )
        .expect("both stores open");
    let missing = "SELECT count(*) FROM change n WHERE n.position > 0 AND NOT EXISTS (SELECT 1 FROM aggregator.change a \
                   WHERE a.document_id = n.document_id AND a.hash = n.hash AND a.position = n.position \
                   AND a.bytes = n.bytes)";
    count(&at_node, missing)
}

fn spawn_sync(node: &Node) -> Child {
    Command::new(program("rollcall-node"))
        .args(["sync", "--data", node.data().to_str().expect("a path")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

#[test]
fn whatever_was_acknowledged_survives_kill_9_of_either_end_in_the_middle_of_sync() {
    let rounds: u64 = if full() { 200 } else { 20 };
    let given = std::env::var("ROLLCALL_KILL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = given.unwrap_or_else(|| u64::from(std::process::id()) * 7_919 + 1);
    println!("ROLLCALL_KILL_SEED={seed}");
    let mut moments = Moments(seed.max(1));
    let mut aggregator = Aggregator::start();
    let node = aggregator.node("330106", &[]);
    let reader = aggregator.node("330000", &["--replicas", "330000"]);

    // How long a session of this size takes, from the start of the process.
    enter_new(&node, 0);
    let begun = Instant::now();
    assert!(spawn_sync(&node).wait().expect("it ends").success());
    let mut whole = begun.elapsed();
    sync_all(&[&node]);
    println!("a whole session of {EACH} documents: {} ms", whole.as_millis());

    let mut histogram: BTreeMap<(Phase, &str), u64> = BTreeMap::new();
    for round in 1..=rounds {
        enter_new(&node, round);
        let before = durable(&aggregator, &node);
        let total = node.json(&["status"])["waiting"]["changes"]
            .as_u64()
            .expect("a number");
        assert!(total >= EACH, "{total} wait");
        let begun = Instant::now();
        let mut sync = spawn_sync(&node);
        let share = moments.below(1_000) as u32;
        let moment = whole * share / 1_000;
        while begun.elapsed() < moment {
            if sync.try_wait().expect("it can be asked").is_some() {
                // The machine is faster than it was; the moments follow.
                whole = begun.elapsed();
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let victim = if moments.below(2) == 0 {
            "node"
        } else {
            "aggregator"
        };
        if victim == "node" {
            sync.kill().expect("it can be killed");
        } else {
            aggregator.kill();
        }
        // A node whose aggregator has gone ends by itself.
        let ended = sync.wait().expect("it ends");
        let after = durable(&aggregator, &node);
        let phase = if after.2 > before.2 || (victim == "node" && ended.success()) {
            Phase::AfterReceipt
        } else if after.0 >= before.0 + total {
            Phase::BeforeReceipt
        } else if after.0 > before.0 {
            Phase::BetweenBatches
        } else if after.1 > before.1 {
            Phase::FirstBatch
        } else {
            Phase::BeforeHello
        };
        *histogram.entry((phase, victim)).or_default() += 1;
        assert_eq!(
            lost(&aggregator, &node),
            0,
            "seed {seed}, round {round}: acknowledged changes are missing"
        );
        if victim == "aggregator" {
            aggregator.serve();
            assert_eq!(
                lost(&aggregator, &node),
                0,
                "seed {seed}, round {round}: and after the restart"
            );
        }
        let again = Instant::now();
        let resumed = node.sync();
        assert!(
            ["caught_up", "in_sync"].contains(&resumed["outcome"].as_str().unwrap_or_default()),
            "seed {seed}, round {round} ({victim}, {phase:?}): the log goes on where it was: {resumed}"
        );
        if phase == Phase::BeforeHello {
            // It may be slower as well.
            whole = again.elapsed().max(Duration::from_millis(50));
        }
        assert_eq!(
            node.json(&["status"])["waiting"]["changes"],
            0,
            "seed {seed}, round {round}"
        );
    }
    for ((phase, victim), count) in &histogram {
        println!("{phase:?} {victim}: {count} {}", "#".repeat(*count as usize));
    }
    let within: u64 = histogram
        .iter()
        .filter(|((phase, _), _)| {
            [Phase::FirstBatch, Phase::BetweenBatches, Phase::BeforeReceipt].contains(phase)
        })
        .map(|(_, count)| count)
        .sum();
    println!("{within} of {rounds} between first batch sent and receipt");
    assert!(
        within * 100 >= rounds * 40,
        "{within} of {rounds} kills were in the middle"
    );

    sync_all(&[&node, &reader]);
    assert_eq!(lost(&aggregator, &node), 0);
    let documents = (rounds + 1) * EACH;
    for (place, store) in [
        ("node", node.store()),
        ("aggregator", aggregator.store()),
        ("reader", reader.store()),
    ] {
        assert_eq!(
            count(&database(&store), "SELECT count(*) FROM document"),
            documents,
            "{place}"
        );
    }
    let status = node.json(&["status"]);
    let receipt = node.sync()["receipt"].clone();
    assert_eq!(receipt["digest"], status["last_receipt"]["digest"]);
    assert_eq!(receipt["verified"], true);
    assert_eq!(receipt["documents"], documents);
    assert_eq!(node.json(&["status"])["quarantined"], 0);
    for office in [
        node.json(&["verify"]),
        reader.json(&["verify"]),
        aggregator.json(&["verify"]),
    ] {
        assert_eq!(office["faults"], json!([]));
    }
    // When a scope was last heard is each place's own (`cli.md`): a session ends at the two ends a moment apart.
    let total = |mut answer: Value| {
        let mut total = answer["total"].take();
        let heard = total["completeness"]["oldest_heard"].take();
        assert!(heard.is_string(), "{heard}");
        total
    };
    let question = ["figures", "--as-of", "2024-12-31"];
    assert_eq!(total(reader.json(&question)), total(aggregator.json(&question)));
}
