//! Peers with a good certificate and bad intentions against the real aggregator (`reliability.md` 3.4, H2 to H5, H7, H8,
//! H12, H13): each gets its code, nothing of it reaches a document, what is right beside it is taken, the service lives.

use std::time::{Duration, Instant};

use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_doc::{Document, fuzz};
use rollcall_rpc::Client;
use rollcall_sync::limits::{KEPT_APART_CHANGES_MAX, PENDING_CHANGES_MAX};
use rollcall_sync::message::{
    Batch, ChangeEntry, ClientFrame, Cursor, DocumentChanges, Hello, ServerFrame, SetSum,
};
use serde_json::json;

use crate::harness::{Aggregator, count, database, full};
use crate::peer::{Hostile, code_of, runtime, written};

/// A union as its federation writes it, and the document.
fn union(id: &str) -> (DocumentChanges, Document) {
    let sent = written(&json!({"type": "union", "id": id, "name": "工会", "form": "own",
        "higher_union": "330106", "events": [{"id": "e0", "event": "established", "on": "2023-05-04"}]}));
    let bytes = [sent.changes[0].bytes.as_slice()];
    let document = Document::load(sent.kind, sent.document_id, bytes).expect("a document");
    (sent, document)
}

/// Changes of a document, to be chained and signed.
fn changes(of: &DocumentChanges, chunks: Vec<Vec<u8>>) -> DocumentChanges {
    let entry = |bytes| ChangeEntry {
        position: 0,
        committed_at_ms: 0,
        bytes,
    };
    DocumentChanges {
        changes: chunks.into_iter().map(entry).collect(),
        ..of.clone()
    }
}

fn end_of(batch: &Batch) -> Cursor {
    Cursor {
        position: batch.to,
        chain: batch.end_chain,
    }
}

/// The outcomes that a batch was answered with; the code where the session ended instead.
fn outcomes(answer: &ServerFrame) -> Vec<String> {
    match answer {
        ServerFrame::Ack(ack) => ack
            .outcomes
            .iter()
            .map(|outcome| code_of(&outcome.outcome).to_owned())
            .collect(),
        ServerFrame::Goaway { code, .. } => vec![code.clone()],
        other => panic!("no answer to a batch: {other:?}"),
    }
}

/// H7 and H12: every measured attack in a batch of its own document, beside one that is right.
#[test]
fn the_measured_attacks_are_kept_apart_and_what_is_beside_them_is_taken() {
    let aggregator = Aggregator::start();
    let node = aggregator.node("330106", &[]);
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let attacks = fuzz::attacks(&union("victim").1).len();
    let mut first = Vec::new();
    let mut second = Vec::new();
    let mut expected = Vec::new();
    for number in 0..attacks {
        let (sent, document) = union(&format!("victim-{number}"));
        let attack = fuzz::attacks(&document).swap_remove(number);
        let beside = fuzz::rival(&document, [6; 16], "beside");
        let rival = fuzz::rival(&document, [6; 16], "rival");
        expected.push((attack.name, attack.code.unwrap_or("pending")));
        second.push(changes(&sent, vec![attack.bytes, beside, rival]));
        first.push(sent);
    }
    let resident = aggregator.resident_kib();
    let first = hostile.batch(first);
    let second = hostile.batch_after(end_of(&first), second);
    let begun = Instant::now();
    let answers = hostile.converse(hostile.hello(&second), vec![first.clone(), second.clone()]);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    let grown = aggregator.resident_kib().saturating_sub(resident);
    assert!(grown < 256 * 1024, "the service grew by {grown} KiB");
    assert!(
        outcomes(&answers[0]).iter().all(|code| code == "applied"),
        "{answers:?}"
    );
    let found = outcomes(&answers[1]);
    for ((name, code), found) in expected.iter().zip(&found) {
        // A fork is named before everything else; the attack itself is in quarantine under its code.
        assert!(
            found == code || found == "forked",
            "{name}: {found} where {code} is due"
        );
    }
    let store = database(&aggregator.store());
    for (name, code) in expected.iter().filter(|(_, code)| *code != "pending") {
        let sql = format!("SELECT count(*) FROM quarantine WHERE code = '{code}'");
        assert!(count(&store, &sql) > 0, "{name}: no {code} is kept apart");
    }
    // Equivocation (I13): of two changes under one number one is in the document and the other is kept.
    let forks = count(&store, "SELECT count(*) FROM quarantine WHERE code = 'FORKED'");
    assert_eq!(forks, attacks as u64);
    let beside = count(
        &store,
        "SELECT count(*) FROM change WHERE actor = x'06060606060606060606060606060606'",
    );
    assert_eq!(beside, attacks as u64, "what was right in each bundle is taken");
    let verdict = aggregator.json(&["verify"]);
    assert_eq!(verdict["faults"], json!([]), "every row can be loaded");

    // H5: the same again is answered again, and nothing is kept twice.
    let rows = count(&store, "SELECT count(*) FROM change");
    let again = hostile.converse(hostile.hello(&second), vec![first, second]);
    assert!(!again.is_empty(), "a replay is answered");
    assert_eq!(count(&store, "SELECT count(*) FROM change"), rows);
    let neighbour = aggregator.node("330105", &[]);
    assert_eq!(neighbour.sync()["outcome"], "in_sync", "the service lives");
}

/// H3: documents of others, of an office above, of nobody; and one moved into the own jurisdiction.
#[test]
fn nobody_writes_what_others_keep_nor_moves_it_to_themselves() {
    let aggregator = Aggregator::start();
    let keeper = aggregator.node("330105", &[]);
    let node = aggregator.node("330106", &[]);
    let theirs = json!({"type": "organisation", "id": "theirs", "name": "甲幼儿园", "location": "330105",
        "responsible": "330105"});
    keeper.enter(std::slice::from_ref(&theirs));
    keeper.sync();
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let organisation = |id: &str, responsible: &str| {
        written(&json!({"type": "organisation", "id": id, "name": "乙", "responsible": responsible}))
    };
    let mut moved = theirs.clone();
    moved["responsible"] = json!("330106");
    let batch = hostile.batch(vec![
        organisation("of another", "330105"),
        organisation("of the office above", "330100"),
        organisation("of the province", "330000"),
        organisation("of nobody", "659099"),
        written(&moved),
    ]);
    let found = outcomes(&hostile.send(batch));
    let refused = ["FOREIGN_JURISDICTION", "FOREIGN_AREA", "ACTOR_FOREIGN"];
    assert!(
        found.iter().all(|code| refused.contains(&code.as_str())),
        "{found:?}"
    );
    let store = database(&aggregator.store());
    let kept = count(
        &store,
        "SELECT count(*) FROM quarantine WHERE released_ms IS NULL",
    );
    assert_eq!(kept, 5, "each is kept apart, and nowhere else");
    let changes = count(
        &store,
        "SELECT count(*) FROM change WHERE position > 0 AND document_id IN (SELECT document_id FROM quarantine)",
    );
    assert_eq!(changes, 1, "only what the keeper wrote");
    assert_eq!(keeper.sync()["outcome"], "in_sync");
}

/// H4: signed by one node, sent over the connection of another. H13: a Hello full of lies.
#[test]
fn borrowed_signatures_and_lies_in_the_greeting_get_nothing() {
    let aggregator = Aggregator::start();
    let (one, other) = (aggregator.node("330106", &[]), aggregator.node("330105", &[]));
    let (one, other) = (
        Hostile::with_keys_of(&one, &aggregator),
        Hostile::with_keys_of(&other, &aggregator),
    );
    let batch = one.batch(vec![union("borrowed").0]);
    let answers = other.converse(other.hello(&batch), vec![batch.clone()]);
    assert_eq!(outcomes(&answers[0]), ["SIGNATURE_BAD"]);
    let stolen = Hello {
        store_id: one.store,
        ..other.hello(&batch)
    };
    let answers = other.converse(stolen, vec![batch.clone()]);
    assert_eq!(outcomes(&answers[0]), ["SENDER_MISMATCH"]);

    // Whatever a Hello claims, the session ends or goes on, and never waits for ever.
    let honest = one.hello(&batch);
    let lie = |edit: &dyn Fn(&mut Hello)| {
        let mut hello = honest.clone();
        edit(&mut hello);
        hello
    };
    let lies = [
        (
            "an end that it has not",
            lie(&|h| h.origin_end.position = u64::MAX),
        ),
        (
            "an acknowledgement never given",
            lie(&|h| h.acknowledged.position = 1 << 62),
        ),
        ("a position to come", lie(&|h| h.down_position = u64::MAX)),
        ("a receipt never given", lie(&|h| h.receipt_hash = [9; 32])),
        ("an epoch of zeros", lie(&|h| h.log_epoch = LogEpoch([0; 8]))),
        (
            "another aggregator",
            lie(&|h| h.known_peer = Some((StoreId([1; 16]), LogEpoch([2; 8])))),
        ),
        (
            "a sum of everything",
            lie(&|h| {
                h.set = SetSum {
                    count: u64::MAX,
                    sum: [255; 32],
                }
            }),
        ),
        ("a protocol to come", lie(&|h| h.protocol = u32::MAX)),
    ];
    for (name, hello) in lies {
        let begun = Instant::now();
        let answers = runtime().block_on(async {
            let client = Client::connect(&one.config).await.expect("a connection");
            let (frames, mut answers) = client.exchange();
            let sent = frames.send(ClientFrame::Hello(Box::new(hello))).await;
            sent.expect("sent");
            drop(frames);
            let mut count = 0;
            while let Ok(Some(_)) = tokio::time::timeout(Duration::from_secs(5), answers.recv()).await {
                count += 1;
            }
            count
        });
        assert!(answers > 0, "{name}: no answer at all");
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{name}: {:?}",
            begun.elapsed()
        );
    }
    // A position that was never sent, said to be held.
    let code = runtime().block_on(async {
        let client = Client::connect(&one.config).await.expect("a connection");
        let (frames, mut answers) = client.exchange();
        let lie = ClientFrame::Applied {
            position: u64::MAX,
            set: SetSum::default(),
        };
        for frame in [ClientFrame::Hello(Box::new(honest.clone())), lie] {
            frames.send(frame).await.expect("sent");
        }
        loop {
            match answers.recv().await {
                Some(Ok(ServerFrame::Goaway { code, .. })) => break code,
                Some(Ok(_)) => {}
                Some(Err(error)) => break error.code().to_owned(),
                None => break "the end".to_owned(),
            }
        }
    });
    assert_eq!(code, "PROTOCOL_ORDER");
    let answers = one.converse(one.hello(&batch), vec![batch]);
    assert_eq!(
        outcomes(&answers[0]),
        ["applied"],
        "the truth is taken after all of them"
    );
}

/// H8: what waits and what is kept apart has an end.
#[test]
fn orphans_and_garbage_have_a_quota() {
    let aggregator = Aggregator::start();
    let node = aggregator.node("330106", &[]);
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let (sent, document) = union("orphanage");
    let orphans = |from: u64| {
        (from..from + 400)
            .map(|number| fuzz::orphan(&document, number))
            .collect()
    };
    let mut batches = vec![hostile.batch(vec![sent.clone()])];
    for round in 0..2 {
        let before = end_of(batches.last().expect("one"));
        batches.push(hostile.batch_after(before, vec![changes(&sent, orphans(round * 400))]));
    }
    // The same document twice in one batch is no batch of ours.
    let before = end_of(batches.last().expect("one"));
    batches.push(hostile.batch_after(before, vec![sent.clone(), sent.clone()]));
    let answers = hostile.converse(hostile.hello(&batches[2]), batches.clone());
    assert_eq!(
        outcomes(&answers[1]),
        ["TOO_MANY_PENDING"],
        "beyond the limit they are refused"
    );
    assert_eq!(outcomes(&answers[2]), ["TOO_MANY_PENDING"]);
    assert_eq!(outcomes(&answers[3]), ["ENVELOPE_FORMAT"]);
    let store = database(&aggregator.store());
    let waiting = count(&store, "SELECT count(*) FROM pending_change");
    assert_eq!(waiting, PENDING_CHANGES_MAX as u64);

    // Garbage by the thousand: kept apart until the quota is used up, then the peer is refused and nobody else.
    let mut rounds = 0;
    let mut cursor = end_of(&batches[2]);
    let code = loop {
        let garbage = (0..5_000_u64).map(|number| {
            let number = (rounds * 5_000 + number).to_be_bytes();
            [&[0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1][..], &number].concat()
        });
        let batch = hostile.batch_after(cursor, vec![changes(&sent, garbage.collect())]);
        let hello = Hello {
            acknowledged: cursor,
            ..hostile.hello(&batch)
        };
        let answer = hostile
            .converse(hello, vec![batch.clone()])
            .pop()
            .expect("an answer");
        let answer = outcomes(&answer).swap_remove(0);
        rounds += 1;
        if answer != "ENVELOPE_DAMAGED" {
            break answer;
        }
        cursor = end_of(&batch);
        assert!(rounds < 5, "the quota is reached");
    };
    assert_eq!(code, "QUOTA");
    let kept = count(&store, "SELECT count(*) FROM quarantine") + waiting;
    assert!(kept <= KEPT_APART_CHANGES_MAX, "{kept}");
    let neighbour = aggregator.node("330105", &[]);
    assert_eq!(neighbour.sync()["outcome"], "in_sync");
}

/// H2: whoever is revoked is cut off in the middle of a session and gets no other.
#[test]
fn an_open_session_is_cut_when_its_certificate_is_revoked() {
    let aggregator = Aggregator::start();
    let node = aggregator.node("330106", &[]);
    let hostile = Hostile::with_keys_of(&node, &aggregator);
    let batch = hostile.batch(Vec::new());
    let hello = hostile.hello(&batch);
    let peer = aggregator.json(&["peers"])[0]["peer"]
        .as_str()
        .expect("a peer")
        .to_owned();
    let (code, took) = runtime().block_on(async {
        let client = Client::connect(&hostile.config).await.expect("a connection");
        let (frames, mut answers) = client.exchange();
        let sent = frames.send(ClientFrame::Hello(Box::new(hello))).await;
        sent.expect("sent");
        answers.recv().await.expect("an answer").expect("a greeting");
        aggregator.ok(&["revoke", &peer, "--reason", "lost"]);
        let begun = Instant::now();
        let code = loop {
            let next = tokio::time::timeout(Duration::from_secs(60), answers.recv()).await;
            match next.expect("cut within a minute") {
                Some(Ok(ServerFrame::Goaway { code, .. })) => break code,
                Some(Ok(_)) => {}
                Some(Err(error)) => break error.code().to_owned(),
                None => break "the end".to_owned(),
            }
        };
        (code, begun.elapsed())
    });
    assert_eq!(code, "KEY_REVOKED", "after {took:?}");
    let refused = node.said(&["sync", "--json"]);
    assert_eq!(refused.code(), "KEY_REVOKED");
    if full() {
        println!("cut after {took:?}");
    }
}
