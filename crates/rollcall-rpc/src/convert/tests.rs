//! Every message comes back as it was; nothing that is not one gets through.

use prost::Message;
use rollcall_core::id::DocumentId;
use rollcall_sync::fingerprint::{bucket_of, bucket_sums, buckets_for};
use rollcall_sync::limits::{
    BATCH_DOCUMENTS_MAX, BATCH_RAW_BYTES_MAX, BATCH_RAW_BYTES_TARGET, BATCH_WIRE_BYTES_MAX,
};
use rollcall_sync::message::{
    Ack, Batch, ClientFrame, DigestAnswer, DigestEntry, DigestRequest, DocumentOutcome, Hello, HelloAck,
    Outcome, ResolveAnswer, ResolveRequest, ServerFrame,
};

use super::samples::{Noise, client_frames, hello, hello_ack, scopes, server_frames};
use super::*;

/// There and back, through the bytes.
fn check<W>(message: &W)
where
    W: Wire<Pb: Message + Default> + PartialEq + std::fmt::Debug,
{
    let bytes = sized(message.to_wire().expect("fits"))
        .expect("fits")
        .encode_to_vec();
    let back = W::from_wire(W::Pb::decode(bytes.as_slice()).expect("decodes")).expect("is well-formed");
    assert_eq!(back, *message);
}

#[test]
fn every_message_comes_back_as_it_was() {
    client_frames().iter().for_each(check);
    server_frames().iter().for_each(check);
    check(&hello());
    check(&hello_ack());

    let mut noise = Noise::new(7);
    let sums = |noise: &mut Noise, count| (0..count).map(|_| noise.bytes()).collect::<Vec<[u8; 8]>>();
    check(&DigestRequest {
        scopes: vec![],
        short: true,
    });
    check(&DigestRequest {
        scopes: vec![(FederationId::national(), vec![[0; 8]; 2048])],
        short: false,
    });
    check(&DigestRequest {
        scopes: scopes()
            .into_iter()
            .map(|scope| (scope, sums(&mut noise, 2048)))
            .collect(),
        short: false,
    });

    let order = [0, 0, 1, 0, 2, 2].map(|index| scopes()[index].clone());
    let entries = order.map(|scope| DigestEntry {
        scope,
        document_id: DocumentId(noise.bytes()),
        digest: noise.bytes(),
    });
    check(&DigestAnswer {
        position: 5,
        buckets: vec![],
        entries: vec![],
        short: false,
    });
    check(&DigestAnswer {
        position: 5,
        buckets: vec![
            (scopes()[1].clone(), vec![0, 2047]),
            (scopes()[0].clone(), vec![]),
        ],
        entries: entries.to_vec(),
        short: false,
    });

    let lists = |noise: &mut Noise| {
        let list = |noise: &mut Noise, count| (DocumentId(noise.bytes()), vec![noise.bytes(); count]);
        vec![list(noise, 0), list(noise, 3), list(noise, 1)]
    };
    check(&ResolveRequest { documents: vec![] });
    check(&ResolveRequest {
        documents: lists(&mut noise),
    });
    let changes = (0..700).map(|_| noise.document(1, 66)).collect();
    check(&ResolveAnswer {
        changes,
        wanted: lists(&mut noise),
        placed: vec![
            (
                DocumentId(noise.bytes()),
                vec![(9, 1_790_000_000_000), (0, 0), (u64::MAX, i64::MIN)],
            ),
            (DocumentId(noise.bytes()), Vec::new()),
        ],
    });
}

#[test]
fn hello_and_its_answer_stay_small() {
    let mut settled = hello();
    settled.acknowledged = settled.origin_end;
    // Said once in the life of a store, or after a loss.
    settled.takes_place = false;
    settled.digest_first = false;
    let hello = settled.to_wire().expect("fits").encoded_len();
    let answer = hello_ack().to_wire().expect("fits").encoded_len();
    assert!(hello <= 280, "Hello takes {hello} bytes");
    assert!(answer <= 200, "HelloAck takes {answer} bytes");
}

#[test]
fn an_edit_and_its_ack_cost_little_beside_the_change() {
    let mut noise = Noise::new(8);
    let mut batch = noise.batch(1, 1, 120);
    batch.documents[0].changes[0].position = 4711;
    batch.documents[0].changes[0].committed_at_ms = 0;
    batch.documents[0].scopes.clear();
    let up = batch.to_wire().expect("fits").encoded_len();
    assert!(
        up - 120 - 96 <= 50,
        "{up} bytes for a change of 120, a chain and a signature"
    );
    let outcome = DocumentOutcome {
        document_id: batch.documents[0].document_id,
        outcome: Outcome::Applied,
        positions: vec![(1_000_000, 1_795_000_000_000)],
        scopes: vec![scopes()[0].clone()],
    };
    let ack = Ack {
        cursor: Cursor {
            position: 5,
            chain: [5; 32],
        },
        outcomes: vec![outcome],
    };
    let down = ack.to_wire().expect("fits").encoded_len();
    assert!(down <= 100, "Ack takes {down} bytes");
}

#[test]
fn limits_hold_when_sending_and_when_receiving() {
    let mut noise = Noise::new(9);
    let too_many = noise.batch(BATCH_DOCUMENTS_MAX + 1, 1, 66);
    let too_long = noise.batch(5, 1, BATCH_RAW_BYTES_MAX / 4);
    let too_fine = noise.batch(2, BATCH_RAW_BYTES_MAX / 128 + 1, 1);
    assert!(matches!(too_many.to_wire(), Err(RpcError::TooLarge { .. })));
    assert!(matches!(too_long.to_wire(), Err(RpcError::TooLarge { .. })));
    for batch in [too_many, too_long, too_fine] {
        let documents = packed::pack(
            &documents::documents_to_wire(&batch.documents),
            "test",
            usize::MAX,
        );
        let rest = Batch {
            documents: vec![],
            ..batch
        }
        .to_wire()
        .expect("fits");
        let wire = pb::Batch {
            documents: documents.expect("packs"),
            ..rest
        };
        assert!(matches!(Batch::from_wire(wire), Err(RpcError::TooLarge { .. })));
    }
}

#[test]
fn a_batch_that_a_sender_closes_fits_the_wire_whatever_is_in_it() {
    let mut noise = Noise::new(12);
    for changes in [1, 4] {
        let batch = noise.batch(500, changes, BATCH_RAW_BYTES_TARGET / (500 * changes));
        let bytes = batch.to_wire().expect("fits").encoded_len();
        assert!(bytes < BATCH_WIRE_BYTES_MAX + 256, "{bytes}");
        check(&ClientFrame::Batch(Box::new(batch)));
    }
    // One document is never split: the largest there is fits a message.
    check(&ClientFrame::Batch(Box::new(noise.batch(1, 4, 225 * 1024))));
    match noise.batch(2, 1, 150 * 1024).to_wire().map(drop) {
        Err(RpcError::TooLarge { what, limit, .. }) => {
            assert_eq!((what, limit), ("batch on the wire", BATCH_WIRE_BYTES_MAX));
        }
        other => panic!("two documents of 150 KiB are no batch: {other:?}"),
    }
}

/// `protocol.md` 4.8: what it costs to know which of 30,000 documents differ, both directions.
#[test]
fn knowing_what_differs_in_30000_documents_costs_tens_of_kilobytes() {
    let mut noise = Noise::new(14);
    let own: Vec<(DocumentId, Hash)> = (0..30_000)
        .map(|_| (DocumentId(noise.bytes()), noise.bytes()))
        .collect();
    let buckets = buckets_for(own.len() as u64);
    let sums = |entries: &[(DocumentId, Hash)]| {
        bucket_sums(entries.iter().map(|(id, digest)| (id, digest)), buckets)
    };
    let scope = FederationId::national();
    let request = DigestRequest {
        scopes: vec![(scope.clone(), sums(&own))],
        short: true,
    };
    let asked = request.to_wire().expect("fits").encoded_len();
    for (differing, limit) in [(1, 18_000), (100, 60_000), (1_000, 330_000)] {
        let mut theirs = own.clone();
        for (_, digest) in theirs.iter_mut().step_by(own.len() / differing) {
            *digest = noise.bytes();
        }
        let (ours, theirs_sums) = (sums(&own), sums(&theirs));
        let wanted: Vec<u32> = (0..buckets)
            .filter(|index| ours[*index] != theirs_sums[*index])
            .map(|index| u32::try_from(index).expect("small"))
            .collect();
        let entries = theirs.iter().filter(|(id, _)| {
            let bucket = u32::try_from(bucket_of(*id, buckets)).expect("small");
            wanted.contains(&bucket)
        });
        let answer = DigestAnswer {
            position: 1,
            entries: entries
                .map(|(document_id, digest)| DigestEntry {
                    scope: scope.clone(),
                    document_id: *document_id,
                    digest: *digest,
                })
                .collect(),
            buckets: vec![(scope.clone(), wanted)],
            short: true,
        };
        let wire = answer.to_wire().expect("fits");
        let bytes = asked + wire.encoded_len();
        let back = DigestAnswer::from_wire(wire).expect("reads");
        assert!(
            back.short
                && back
                    .entries
                    .iter()
                    .zip(&answer.entries)
                    .all(|(entry, sent)| entry.is_of(&sent.digest))
        );
        // The figure is wanted on the way: run with --nocapture.
        #[allow(clippy::print_stderr)]
        {
            eprintln!("{differing} of 30,000 documents differ: {bytes} bytes to know which");
        }
        assert!(bytes < limit, "{differing} differ: {bytes} bytes");
    }
}

#[test]
fn an_answer_travels_in_pieces_and_is_bounded() {
    let mut noise = Noise::new(13);
    let mut entry = || DigestEntry {
        scope: scopes()[0].clone(),
        document_id: DocumentId(noise.bytes()),
        digest: noise.bytes(),
    };
    let entries = (0..30_000).map(|_| entry()).collect();
    let answer = DigestAnswer {
        position: 1,
        buckets: vec![(scopes()[0].clone(), (0..2048).collect())],
        entries,
        short: false,
    };
    let sent = into_pieces(&answer.to_wire().expect("fits"));
    assert!(
        sent.len() > 4
            && sent
                .iter()
                .all(|piece| piece.encoded_len() < MESSAGE_BYTES_MAX / 2)
    );
    let mut received = Pieces::default();
    sent.iter()
        .try_for_each(|piece| received.push(piece))
        .expect("within the limit");
    assert_eq!(received.read::<DigestAnswer>().expect("reads"), answer);

    let mut endless = Pieces::default();
    let piece = pb::Piece {
        part: vec![0; 1024 * 1024],
    };
    let taken = (0..100).take_while(|_| endless.push(&piece).is_ok()).count();
    assert_eq!(taken, 16);
    let mut cut = Pieces::default();
    sent[1..]
        .iter()
        .try_for_each(|piece| cut.push(piece))
        .expect("within the limit");
    assert!(cut.read::<DigestAnswer>().is_err());
}

/// Makes a good message a bad one.
type Spoil<M> = fn(&mut M);

#[test]
fn malformed_parts_are_refused_by_name() {
    let good = || hello().to_wire().expect("fits");
    let table: [(&str, Spoil<pb::Hello>); 10] = [
        ("session id", |h| h.session_id.truncate(15)),
        ("store id", |h| h.store_id.push(0)),
        ("log epoch", |h| h.log_epoch.clear()),
        ("boot id", |h| h.boot_id.clear()),
        ("origin end", |h| h.origin_end = None),
        ("known peer", |h| h.known_peer.truncate(23)),
        ("known peer", |h| h.known_peer.truncate(3)),
        ("scopes hash", |h| h.scopes_hash.truncate(31)),
        ("set", |h| h.set = None),
        ("receipt hash", |h| h.receipt_hash.push(1)),
    ];
    for (name, spoil) in table {
        let mut wire = good();
        spoil(&mut wire);
        match Hello::from_wire(wire) {
            Err(RpcError::Malformed { field }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    for verdict in [0, 8, -1] {
        let wire = pb::HelloAck {
            verdict,
            ..hello_ack().to_wire().expect("fits")
        };
        assert!(HelloAck::from_wire(wire).is_err(), "verdict {verdict}");
    }
    assert!(ClientFrame::from_wire(pb::ClientFrame { frame: None }).is_err());
    assert!(ServerFrame::from_wire(pb::ServerFrame { frame: None }).is_err());
}

#[test]
fn digests_of_one_answer_are_all_whole_or_all_heads() {
    let id = |byte: u8| vec![byte; 16];
    let whole = pb::Entries {
        scope: "330106".to_owned(),
        document_ids: id(1),
        digests: vec![7; 32],
        digest_heads: Vec::new(),
    };
    let heads = pb::Entries {
        document_ids: id(2),
        digests: Vec::new(),
        digest_heads: vec![7; 8],
        ..whole.clone()
    };
    let none = pb::Entries {
        document_ids: Vec::new(),
        digests: Vec::new(),
        ..whole.clone()
    };
    let read = |entries: &[&pb::Entries]| {
        let differences = pb::Differences {
            buckets: Vec::new(),
            entries: entries.iter().map(|entries| (*entries).clone()).collect(),
        };
        let differences =
            packed::pack(&differences, "digest answer", packed::ANSWER_RAW_BYTES_MAX).expect("fits");
        DigestAnswer::from_wire(pb::DigestAnswer {
            position: 1,
            differences,
        })
    };
    assert!(!read(&[&whole, &whole]).expect("reads").short);
    assert!(read(&[&heads, &heads]).expect("reads").short);
    for (mixed, named) in [
        ([&whole, &heads], "digests"),
        ([&heads, &whole], "digests"),
        ([&whole, &none], "document ids"),
    ] {
        match read(&mixed) {
            Err(RpcError::Malformed { field }) => assert_eq!(field, named),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn columns_that_do_not_fit_each_other_are_refused() {
    let documents = Noise::new(10).batch(3, 2, 70).documents;
    let good = || documents::documents_to_wire(&documents);
    assert!(documents::documents_from_wire(good(), 3).is_ok());
    assert!(
        documents::documents_from_wire(good(), 2).is_err(),
        "more documents than allowed"
    );
    let table: [(&str, Spoil<pb::Documents>); 14] = [
        ("half an id", |d| d.document_ids.truncate(40)),
        ("an id too many", |d| d.document_ids.extend([0; 16])),
        ("a kind too few", |d| d.kinds.truncate(2)),
        ("no such kind", |d| d.kinds[0] = 8),
        ("a count too few", |d| d.change_counts.truncate(2)),
        ("a change short", |d| d.change_counts[0] = 3),
        ("a change over", |d| d.change_counts[0] = 1),
        ("an empty change", |d| d.change_lengths[0] = 0),
        ("a length beyond the end", |d| d.change_lengths[5] = 71),
        ("a length of four gigabytes", |d| d.change_lengths[0] = u32::MAX),
        ("bytes left over", |d| d.changes.push(0)),
        ("a position too few", |d| d.position_deltas.truncate(5)),
        ("no such scope", |d| {
            d.scope_counts = vec![1, 0, 0];
            d.scopes = vec![9];
        }),
        ("a scope that is none", |d| {
            d.scope_names = vec!["Zhejiang".into()]
        }),
    ];
    for (name, spoil) in table {
        let mut wire = good();
        spoil(&mut wire);
        assert!(documents::documents_from_wire(wire, 500).is_err(), "{name}");
    }
}

#[test]
fn damaged_frames_never_panic() {
    let mut noise = Noise::new(11);
    let frames: Vec<_> = client_frames()
        .iter()
        .map(|frame| frame.to_wire().expect("fits").encode_to_vec())
        .collect();
    for _ in 0..4000 {
        let mut bytes = frames[noise.below(frames.len() - 3)].clone();
        for _ in 0..=noise.below(3) {
            let index = noise.below(bytes.len().max(1));
            if let Some(byte) = bytes.get_mut(index) {
                *byte = noise.bytes::<1>()[0];
            }
        }
        bytes.truncate(bytes.len() - noise.below(2).min(bytes.len()));
        if let Ok(wire) = pb::ClientFrame::decode(bytes.as_slice()) {
            // Either an error or a frame; what matters is that it returns.
            let _ = ClientFrame::from_wire(wire);
        }
    }
}
