//! Sync by a file that somebody carries, with the real programs (`protocol.md` 1.21): the same proofs as over a connection,
//! whatever happens to the files and to both ends between two rounds.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Aggregator, Node, Said, count, database, fixture, full, program, sync_all};

const SCHOOL: &str = "51330000XXXX00019Q";
const OTHER: &str = "53330000XXXX00027D";

fn text(path: &Path) -> &str {
    path.to_str().expect("a path is text")
}

fn export(node: &Node, name: &str) -> PathBuf {
    let file = node.beside(name);
    node.ok(&["export-batches", text(&file)]);
    file
}

/// Takes a node's file; what the aggregator said, and the answer.
fn take(aggregator: &Aggregator, file: &Path) -> (Value, PathBuf) {
    let answer = file.with_extension(format!("answer{}", next_number()));
    let said = aggregator.json(&["import-batches", text(file), "--answer", text(&answer)]);
    assert!(answer.is_file(), "{said}");
    (said, answer)
}

/// Names of files never meet: a counter.
fn next_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// One round there and back; what the node said at its end.
fn round(aggregator: &Aggregator, node: &Node) -> Value {
    let file = export(node, &format!("up{}", next_number()));
    let (_, answer) = take(aggregator, &file);
    node.json(&["import-batches", text(&answer)])
}

/// Rounds until everything is proven; how many there were.
fn rounds(aggregator: &Aggregator, node: &Node) -> usize {
    for number in 1..=4 {
        let said = round(aggregator, node);
        if said["outcome"] != "continue" {
            assert_eq!(said["receipt"]["verified"], true, "{said}");
            assert_eq!(said["waiting"]["changes"], 0, "{said}");
            return number;
        }
    }
    panic!("nothing is proven after four rounds");
}

fn assert_whole(aggregator: &Aggregator, nodes: &[&Node]) {
    for node in nodes {
        assert_eq!(node.json(&["verify"])["faults"], json!([]));
    }
    assert_eq!(aggregator.json(&["verify"])["faults"], json!([]));
}

/// What the aggregator holds as records.
fn exported(aggregator: &Aggregator) -> String {
    let file = aggregator.beside(&format!("records{}", next_number()));
    aggregator.ok(&["export", text(&file)]);
    std::fs::read_to_string(file).expect("an export")
}

fn union(id: usize, federation: &str) -> Value {
    json!({"type": "union", "id": format!("F{federation}-{id}"), "name": format!("第{id}联合工会委员会"),
        "form": "joint", "higher_union": federation})
}

#[test]
fn files_alone_bring_both_ends_to_equal_digests_and_a_verified_receipt() {
    let mut aggregator = Aggregator::start();
    let province = aggregator.node("330000", &["--replicas", "330000"]);
    // Made without a network; the one thing that needs it once is enrolment.
    let county = Node::offline("330108");
    county.enter(&[union(1, "330108")]);
    let said = county.said(&["export-batches", text(&county.beside("too-early"))]);
    assert_eq!(said.code(), "NOT_ENROLLED");
    let token = aggregator.token("330108", &[]);
    county.ok(&["enrol", "--token", &token, "--aggregator", &aggregator.url()]);
    aggregator.stop();

    province.import(&fixture("country/second.jsonl"));
    let file = export(&province, "first");
    assert_eq!(province.json(&["status"])["last_receipt"], Value::Null);
    let (taken, answer) = take(&aggregator, &file);
    assert_eq!(
        (&taken["outcome"], &taken["quarantined"]),
        (&json!("taken"), &json!(0)),
        "{taken}"
    );
    let said = province.json(&["import-batches", text(&answer)]);
    assert_eq!(
        (&said["outcome"], &said["receipt"]["verified"]),
        (&json!("caught_up"), &json!(true)),
        "{said}"
    );
    assert_eq!(said["pushed"], taken["pushed"], "{said} {taken}");
    assert_eq!(said["receipt"]["digest"], taken["receipt"]["digest"]);
    let status = province.json(&["status"]);
    assert_eq!(
        (&status["last_receipt"]["by"], &status["waiting"]["changes"]),
        (&json!("file"), &json!(0)),
        "{status}"
    );
    assert_eq!(status["last_receipt"]["digest"], taken["receipt"]["digest"]);

    // An office does not stop while its file is on its way: the rest is proven, and what came later waits.
    province.set(SCHOOL, "address", "文三路1号");
    let file = export(&province, "second");
    province.set(SCHOOL, "address", "文三路2号");
    province.enter(&[union(2, "330000")]);
    assert_eq!(round(&aggregator, &county)["outcome"], "caught_up");
    let (_, answer) = take(&aggregator, &file);
    let said = province.json(&["import-batches", text(&answer)]);
    assert_eq!(
        (
            &said["outcome"],
            &said["receipt"]["verified"],
            &said["waiting"]["changes"]
        ),
        (&json!("caught_up"), &json!(true), &json!(2)),
        "{said}"
    );
    assert!(
        said["pulled"]["documents"].as_u64() > Some(0),
        "the county's union came down: {said}"
    );
    assert_eq!(rounds(&aggregator, &province), 1);
    let again = round(&aggregator, &province);
    assert_eq!(
        (&again["outcome"], &again["pulled"]["changes"]),
        (&json!("in_sync"), &json!(0)),
        "{again}"
    );

    // Mixed with connections, before and after.
    aggregator.serve();
    assert!(sync_all(&[&province, &county]) <= 2);
    province.set(SCHOOL, "address", "文三路3号");
    province.sync();
    assert_eq!(province.json(&["status"])["last_receipt"]["by"], "connection");
    province.set(OTHER, "address", "文三路4号");
    assert_eq!(rounds(&aggregator, &province), 1);
    assert_eq!(province.json(&["status"])["last_receipt"]["by"], "file");
    assert_eq!(province.sync()["outcome"], "in_sync");
    let records = exported(&aggregator);
    for address in ["文三路3号", "文三路4号"] {
        assert!(records.contains(address), "{address} is missing");
    }
    assert_whole(&aggregator, &[&province, &county]);
}

#[test]
fn files_that_come_twice_late_or_in_another_order_change_nothing_and_say_so() {
    let mut aggregator = Aggregator::start();
    let node = aggregator.node("330000", &["--replicas", "330000"]);
    aggregator.stop();
    node.import(&fixture("country/second.jsonl"));
    let first = export(&node, "first");
    node.set(SCHOOL, "address", "一");
    let second = export(&node, "second");
    let (said, late) = take(&aggregator, &second);
    assert_eq!(said["outcome"], "taken", "{said}");
    let (said, _) = take(&aggregator, &first);
    assert_eq!(
        (&said["outcome"], &said["pushed"]["changes"]),
        (&json!("held"), &json!(0)),
        "{said}"
    );
    let (said, answer) = take(&aggregator, &second);
    assert_eq!(
        (&said["outcome"], &said["pushed"]["changes"]),
        (&json!("already_taken"), &json!(0)),
        "{said}"
    );
    assert_ne!(said["taken_before"], Value::Null);
    assert_eq!(
        node.json(&["import-batches", text(&answer)])["outcome"],
        "caught_up"
    );
    for answer in [&answer, &late] {
        let said = node.json(&["import-batches", text(answer)]);
        assert_eq!(
            (
                &said["outcome"],
                &said["pushed"]["changes"],
                &said["pulled"]["changes"]
            ),
            (&json!("in_sync"), &json!(0), &json!(0)),
            "{said}"
        );
    }

    // A connection was faster than the file and its answer.
    node.set(SCHOOL, "address", "二");
    let slow = export(&node, "slow");
    let (_, answer) = take(&aggregator, &slow);
    aggregator.serve();
    node.set(OTHER, "address", "三");
    sync_all(&[&node]);
    let receipt = node.json(&["status"])["last_receipt"].clone();
    let (said, _) = take(&aggregator, &slow);
    assert_eq!(said["outcome"], "already_taken", "{said}");
    let said = node.json(&["import-batches", text(&answer)]);
    assert_eq!(
        (&said["outcome"], &said["reason"], &said["receipt"]),
        (&json!("in_sync"), &json!("overtaken"), &Value::Null),
        "{said}"
    );
    assert_eq!(
        node.json(&["status"])["last_receipt"],
        receipt,
        "the newer one stays"
    );
    assert_eq!(node.sync()["outcome"], "in_sync");
    let peer = aggregator.json(&["peers"])[0]["peer"]
        .as_str()
        .expect("a peer")
        .to_owned();
    let later = node.beside("later");
    let said = aggregator.json(&["export-batches", &peer, text(&later)]);
    assert_eq!(said["outcome"], "answered", "{said}");
    assert_eq!(node.json(&["import-batches", text(&later)])["outcome"], "in_sync");
    assert_whole(&aggregator, &[&node]);
}

/// The code of a refusal that changed nothing.
fn refused(said: &Said, place: &Path, before: u64, after: u64) -> String {
    assert_eq!(
        before,
        after,
        "nothing was taken of {}: {}{}",
        place.display(),
        said.out,
        said.err
    );
    said.code().to_owned()
}

#[test]
fn a_file_that_is_cut_flipped_forged_or_for_another_is_refused_with_its_code_and_nothing_is_taken() {
    let mut aggregator = Aggregator::start();
    let node = aggregator.node("330000", &[]);
    let other = aggregator.node("330108", &[]);
    let gone = aggregator.node("330109", &[]);
    aggregator.stop();
    node.import(&fixture("country/second.jsonl"));
    let file = export(&node, "file");
    let whole = std::fs::read(&file).expect("a file");
    let bent = |name: &str, bytes: &[u8]| {
        let path = node.beside(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let mut newer = whole.clone();
    newer[14] = 9;
    let stranger = {
        let stranger = Aggregator::start();
        let node = stranger.node("330000", &[]);
        export(&node, "stranger");
        std::fs::read(node.beside("stranger")).expect("a file")
    };
    // Another's signing key under the certificate that the file names.
    let forged = {
        let thief = node.copy();
        std::fs::copy(
            other.data().join("keys/signing.pk8"),
            thief.data().join("keys/signing.pk8"),
        )
        .expect("a key");
        export(&thief, "forged");
        std::fs::read(thief.beside("forged")).expect("a file")
    };
    let unknown = {
        let thief = other.copy();
        let certificate = std::fs::read_to_string(stranger_certificate(&aggregator)).expect("a certificate");
        std::fs::write(thief.data().join("keys/certificate.pem"), certificate).expect("written");
        export(&thief, "unknown");
        std::fs::read(thief.beside("unknown")).expect("a file")
    };
    let left = export(&gone, "left");
    let peers = aggregator.json(&["peers"]);
    let peer_of = |federation: &str| {
        let peers = peers.as_array().expect("peers");
        let peer = peers.iter().find(|peer| peer["federation"] == federation);
        peer.expect("it is enrolled")["peer"]
            .as_str()
            .expect("a name")
            .to_owned()
    };
    let (own_peer, gone_peer) = (peer_of("330000"), peer_of("330109"));
    aggregator.ok(&["revoke", &gone_peer, "--reason", "丢失"]);

    let held = || count(&database(&aggregator.store()), "SELECT count(*) FROM change");
    let table = [
        (bent("cut", &whole[..whole.len() - 1]), "ENVELOPE_DAMAGED"),
        (bent("halved", &whole[..whole.len() / 2]), "ENVELOPE_DAMAGED"),
        (bent("longer", &[&whole[..], b"x"].concat()), "ENVELOPE_DAMAGED"),
        (bent("flipped", &flipped), "ENVELOPE_DAMAGED"),
        (bent("newer", &newer), "ENVELOPE_NEWER"),
        (bent("empty", b""), "ENVELOPE_FORMAT"),
        (
            bent(
                "list",
                &std::fs::read(fixture("country/second.jsonl")).expect("a list"),
            ),
            "ENVELOPE_FORMAT",
        ),
        (bent("stranger", &stranger), "ENVELOPE_READER"),
        (bent("forged", &forged), "SIGNATURE_BAD"),
        (bent("unknown", &unknown), "PEER_UNKNOWN"),
        (left, "KEY_REVOKED"),
        (node.beside("no such file"), "FILE"),
    ];
    for (path, code) in &table {
        let (before, answer) = (held(), path.with_extension("answer"));
        let said = aggregator.said(&["import-batches", text(path), "--answer", text(&answer)]);
        assert_eq!(
            refused(&said, path, before, held()),
            *code,
            "{}: {}",
            path.display(),
            said.err
        );
        assert!(said.err.trim_end().ends_with('.'), "a sentence: {}", said.err);
        assert!(!answer.exists(), "no answer to {}", path.display());
    }
    let taken = aggregator.said(&["import-batches", text(&file), "--answer", text(&file)]);
    assert_eq!(taken.code(), "FILE_EXISTS");
    assert_eq!(held(), 0);
    let none = aggregator.said(&["export-batches", &own_peer, text(&node.beside("none"))]);
    assert_eq!(none.code(), "NOT_FOUND");

    let (_, answer) = take(&aggregator, &file);
    let whole = std::fs::read(&answer).expect("a file");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let held = || {
        count(
            &database(&node.store()),
            "SELECT count(*) FROM change WHERE position > 0",
        )
    };
    let table = [
        (bent("cut answer", &whole[..whole.len() / 2]), "ENVELOPE_DAMAGED"),
        (bent("flipped answer", &flipped), "ENVELOPE_DAMAGED"),
        (file.clone(), "ENVELOPE_KIND"),
        (take(&aggregator, &export(&other, "theirs")).1, "ENVELOPE_READER"),
    ];
    for (path, code) in &table {
        let before = held();
        let said = node.said(&["import-batches", text(path)]);
        assert_eq!(
            refused(&said, path, before, held()),
            *code,
            "{}: {}",
            path.display(),
            said.err
        );
        assert!(said.err.trim_end().ends_with('.'), "a sentence: {}", said.err);
    }
    // Signed by somebody whose key is not the aggregator's.
    let config = node.data().join("node.toml");
    let settings = std::fs::read_to_string(&config).expect("settings");
    let bent = settings
        .lines()
        .map(|line| match line.strip_prefix("receipt_key") {
            Some(_) => format!("receipt_key = \"{}\"", "07".repeat(32)),
            None => line.to_owned(),
        });
    std::fs::write(&config, bent.collect::<Vec<_>>().join("\n")).expect("settings");
    assert_eq!(
        node.said(&["import-batches", text(&answer)]).code(),
        "SIGNATURE_BAD"
    );
    std::fs::write(&config, &settings).expect("settings");
    assert_eq!(
        node.json(&["import-batches", text(&answer)])["outcome"],
        "caught_up"
    );

    // The key that files are sealed for: missing for nodes enrolled before there was one, given by hand then.
    let without: Vec<&str> = settings
        .lines()
        .filter(|line| !line.starts_with("batch_key"))
        .collect();
    std::fs::write(&config, without.join("\n")).expect("settings");
    let place = node.beside("by hand");
    assert_eq!(
        node.said(&["export-batches", text(&place)]).code(),
        "RECIPIENT_MISSING"
    );
    let key = aggregator.ok(&["batch-key"]);
    let wrong = node.said(&["export-batches", text(&place), "--recipient", &key.trim()[1..]]);
    assert_eq!(wrong.code(), "RECIPIENT_INVALID");
    assert!(!place.exists(), "no half a file");
    node.ok(&["export-batches", text(&place), "--recipient", key.trim()]);
    assert_eq!(node.said(&["export-batches", text(&place)]).code(), "FILE_EXISTS");
    assert_eq!(take(&aggregator, &place).0["outcome"], "taken");
    assert_whole(&aggregator, &[&node]);
}

/// A certificate that nobody is enrolled with: the authority's own.
fn stranger_certificate(aggregator: &Aggregator) -> PathBuf {
    aggregator.data().join("keys/authority.pem")
}

#[test]
fn an_aggregator_restored_between_two_files_asks_for_the_whole_log_and_gets_it() {
    let mut aggregator = Aggregator::start();
    let node = aggregator.node("330000", &["--replicas", "330000"]);
    aggregator.stop();
    node.import(&fixture("country/second.jsonl"));
    assert_eq!(rounds(&aggregator, &node), 1);
    let backup = aggregator.beside("backup.db");
    aggregator.ok(&["backup", text(&backup)]);
    node.set(SCHOOL, "address", "一");
    let before = export(&node, "before");
    let (_, overtaken) = take(&aggregator, &before);
    assert_eq!(rounds(&aggregator, &node), 1);
    node.set(OTHER, "address", "二");
    let underway = export(&node, "underway");

    aggregator.ok(&["restore", text(&backup)]);
    let (said, answer) = take(&aggregator, &underway);
    assert_eq!(
        (&said["outcome"], &said["receipt"]),
        (&json!("continue"), &Value::Null),
        "{said}"
    );
    let said = node.json(&["import-batches", text(&answer)]);
    assert_eq!(
        (&said["outcome"], &said["reason"], &said["rebuilding"]),
        (&json!("continue"), &json!("epoch_changed"), &json!(true)),
        "{said}"
    );
    assert!(
        said["waiting"]["changes"].as_u64() > Some(0),
        "and what it wrote waits again: {said}"
    );
    let old = node.said(&["import-batches", text(&overtaken)]);
    assert_eq!(old.code(), "ANSWER_OLD", "from before the restore");
    // A file from before the restore is no news of the node, whose log went on.
    let (said, _) = take(&aggregator, &before);
    assert_eq!(said["receipt"], Value::Null, "{said}");
    assert_eq!(aggregator.json(&["recovery", "show"])["rebuilding"], true);
    assert_eq!(rounds(&aggregator, &node), 1);
    assert_eq!(aggregator.json(&["recovery", "show"])["rebuilding"], false);
    let records = exported(&aggregator);
    assert!(
        records.contains("\"一\"") && records.contains("\"二\""),
        "{records}"
    );
    aggregator.serve();
    assert_eq!(sync_all(&[&node]), 1, "and a connection finds nothing to do");
    assert_whole(&aggregator, &[&node]);
}

#[test]
fn a_node_put_back_between_two_files_gets_back_what_it_had_sent() {
    let mut aggregator = Aggregator::start();
    let node = aggregator.node("330000", &["--replicas", "330000"]);
    aggregator.stop();
    node.import(&fixture("country/second.jsonl"));
    assert_eq!(rounds(&aggregator, &node), 1);
    let backup = node.beside("backup.db");
    node.ok(&["backup", text(&backup)]);
    let copied = node.copy();
    node.set(SCHOOL, "address", "一");
    node.set(SCHOOL, "supervising_unit", "民政局");
    assert_eq!(rounds(&aggregator, &node), 1);
    let (_, underway) = take(&aggregator, &export(&node, "underway"));

    // From a backup, by the book: a new spell of the log, and the answer under way is for the old one.
    node.ok(&["restore", text(&backup)]);
    node.set(OTHER, "address", "二");
    assert_eq!(
        node.said(&["import-batches", text(&underway)]).code(),
        "ANSWER_OLD"
    );
    assert_eq!(rounds(&aggregator, &node), 1);
    assert_eq!(
        (node.address(SCHOOL), node.address(OTHER)),
        (json!("一"), json!("二"))
    );

    // A folder put back by hand, and written to: its log parts from the one that is held.
    copied.set(OTHER, "supervising_unit", "教育局");
    let (said, answer) = take(&aggregator, &export(&copied, "parted"));
    assert_eq!(
        said["outcome"], "held",
        "its log ends before the one that is held: {said}"
    );
    let said = copied.json(&["import-batches", text(&answer)]);
    assert_eq!(
        (&said["outcome"], &said["reason"]),
        (&json!("continue"), &json!("chain_mismatch")),
        "{said}"
    );
    assert_eq!(rounds(&aggregator, &copied), 1);
    assert_eq!(
        (copied.address(SCHOOL), copied.address(OTHER)),
        (json!("一"), json!("二")),
        "what it had lost is back"
    );
    let shown = copied.json(&["organisation", "show", OTHER]);
    assert_eq!(
        shown["record"]["supervising_unit"], "教育局",
        "and what it wrote is kept"
    );
    assert!(exported(&aggregator).contains("教育局"));
    assert_whole(&aggregator, &[&copied]);
}

#[test]
fn ends_that_differ_without_either_log_showing_it_are_mended_by_a_file_that_holds_everything() {
    let aggregator = Aggregator::start();
    let province = aggregator.node("330000", &["--replicas", "330000"]);
    let county = aggregator.node("330108", &[]);
    province.import(&fixture("country/second.jsonl"));
    sync_all(&[&province, &county]);
    // A copy hears of the county's union; the province is made to believe that it did too.
    county.enter(&[union(1, "330108")]);
    county.sync();
    let copy = province.copy();
    copy.sync();
    let (position, hash): (i64, Vec<u8>) = database(&copy.store())
        .query_row("SELECT down_position, scopes_hash FROM upstream", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("a cursor");
    database(&province.store())
        .execute(
            "UPDATE upstream SET down_position = ?1, scopes_hash = ?2",
            (position, hash),
        )
        .expect("the cursor is moved");
    let said = round(&aggregator, &province);
    assert_eq!(
        (&said["outcome"], &said["reason"], &said["receipt"]),
        (&json!("continue"), &json!("digest_mismatch"), &Value::Null),
        "{said}"
    );
    let file = province.beside("everything");
    let exported = province.json(&["export-batches", text(&file)]);
    assert_eq!(exported["whole"], true, "{exported}");
    let (said, answer) = take(&aggregator, &file);
    assert_eq!(said["quarantined"], 0, "{said}");
    let said = province.json(&["import-batches", text(&answer)]);
    assert_eq!(
        (
            &said["outcome"],
            &said["receipt"]["verified"],
            &said["pulled"]["documents"]
        ),
        (&json!("repaired"), &json!(true), &json!(1)),
        "{said}"
    );
    let exported = province.json(&["export-batches", text(&province.beside("after"))]);
    assert_eq!(
        (&exported["whole"], &exported["changes"]),
        (&json!(false), &json!(0)),
        "{exported}"
    );
    assert_eq!(province.sync()["outcome"], "in_sync");
    assert_whole(&aggregator, &[&province]);
}

#[test]
fn two_copies_that_send_files_in_turns_are_fenced_with_everything_kept() {
    let mut aggregator = Aggregator::start();
    let node = aggregator.node("330000", &["--replicas", "330000"]);
    aggregator.stop();
    node.import(&fixture("country/second.jsonl"));
    assert_eq!(rounds(&aggregator, &node), 1);
    let twin = node.copy();
    let (mut refusals, mut last) = (Vec::new(), 0);
    // What either knows of the other's turn, its file after the next one says.
    for number in 0..10 {
        if refusals.len() >= 2 {
            break;
        }
        last = number;
        for (office, code) in [(&node, SCHOOL), (&twin, OTHER)] {
            office.set(code, "address", &format!("第{number}次"));
            let file = export(office, &format!("turn{number}"));
            let (_, answer) = take(&aggregator, &file);
            let said = office.said(&["import-batches", text(&answer), "--json"]);
            if said.status != Some(0) {
                refusals.push(said.code().to_owned());
            }
        }
    }
    assert!(
        refusals.len() >= 2 && refusals.iter().all(|code| code == "CLONED"),
        "{refusals:?}"
    );
    for office in [&node, &twin] {
        assert_eq!(office.json(&["status"])["fenced"], true);
    }
    let records = exported(&aggregator);
    assert_eq!(
        records.matches(&format!("第{last}次")).count(),
        2,
        "what both wrote is held: {records}"
    );
}

/// The most memory that a command took, KiB: asked again and again until it ends.
fn peak_kib(name: &str, data: &Path, args: &[&str]) -> u64 {
    let mut command = Command::new(program(name));
    command.args(args).args(["--data", text(data)]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let place = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let status = std::fs::read_to_string(&place).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        if let Some(ended) = child.try_wait().expect("it can be waited for") {
            assert!(ended.success(), "{args:?}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn memory_does_not_grow_with_the_file() {
    if !full() {
        println!("files of 30,000 documents: only with ROLLCALL_TEST_SCALE=full");
        return;
    }
    let mut aggregator = Aggregator::start();
    let offices = [("330108", 3_000), ("330109", 30_000)].map(|(federation, unions)| {
        let node = aggregator.node(federation, &[]);
        (node, federation, unions)
    });
    aggregator.stop();
    let [small, large] = offices.map(|(node, federation, unions)| {
        let records: Vec<Value> = (0..unions).map(|id| union(id, federation)).collect();
        node.enter(&records);
        let (file, answer) = (node.beside("file"), node.beside("answer"));
        let peaks = [
            peak_kib("rollcall-node", &node.data(), &["export-batches", text(&file)]),
            peak_kib(
                "rollcall-aggregator",
                &aggregator.data(),
                &["import-batches", text(&file), "--answer", text(&answer)],
            ),
            peak_kib("rollcall-node", &node.data(), &["import-batches", text(&answer)]),
        ];
        let status = node.json(&["status"]);
        assert_eq!(status["last_receipt"]["documents"], unions, "{status}");
        let bytes = std::fs::metadata(&file).expect("a file").len();
        println!(
            "{unions} documents, {bytes} bytes: export, import, import of the answer took {peaks:?} KiB"
        );
        peaks
    });
    // What is written out passes through; a receipt is about every document, and the engine keeps more pages.
    for ((small, large), more) in small.into_iter().zip(large).zip([4, 32, 32]) {
        assert!(large < small + more * 1024, "{large} KiB against {small} KiB");
    }
}
