//! Sync by file from the page: what is saved can be read by the aggregator, and its answer is taken.

use axum::http::StatusCode;
use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_rpc::authority::{Authority, CertificateRequest};
use rollcall_rpc::{SealKey, SealedFile, SealedWriter, SigningKey};
use rollcall_sync::batch_file::{DownHead, DownPart, UpHead, UpPart};
use rollcall_sync::message::{Cursor, HelloAck, ScopeGrant, SetSum, Verdict};

use super::browser::Node;
use crate::files::Files;

const NOW_MS: i64 = 1_735_870_269_000;

const RECORDS: &str = r#"{"type":"union","id":"F1","name":"第一联合工会委员会","form":"joint","higher_union":"330106"}
{"type":"union","id":"F2","name":"第二联合工会委员会","form":"joint","higher_union":"330106"}
"#;

/// The keys of an aggregator that never runs.
struct Aggregator {
    seal: SealKey,
    sign: SigningKey,
}

impl Aggregator {
    /// Enrols a node with it, as its answer would.
    fn enrol(node: &Node) -> (Self, Files, SigningKey) {
        let aggregator = Self {
            seal: SealKey::generate(),
            sign: SigningKey::generate().expect("random"),
        };
        let files = Files::new(node.replica.store().path().parent().expect("a folder"));
        std::fs::create_dir_all(files.folder().join("keys")).expect("a folder");
        let authority = Authority::create("test", NOW_MS).expect("an authority");
        let request = CertificateRequest::generate().expect("a request");
        let certificate = authority
            .issue_client(&request.csr_der, "330106-1", NOW_MS)
            .expect("a certificate");
        files
            .save_certificate(&certificate, authority.certificate_pem(), &request.key_pem)
            .expect("saved");
        let own = SigningKey::generate().expect("random");
        files.save_signing_key(&own).expect("saved");
        let mut config = files.load_config().expect("settings");
        config.aggregator = Some("https://localhost:1".to_owned());
        let key = aggregator.sign.verifying_key().0;
        config.receipt_key = Some(key.iter().map(|byte| format!("{byte:02x}")).collect());
        config.batch_key = Some(aggregator.seal.recipient().to_string());
        files.save_config(&config).expect("saved");
        (aggregator, files, own)
    }

    /// An answer without a receipt.
    fn answer(&self, head: &UpHead) -> Vec<u8> {
        let hello = &head.hello;
        let answer = DownHead {
            file_id: head.file_id,
            node: (hello.store_id, hello.log_epoch),
            known_peer: hello.known_peer,
            whole: false,
            acks_from: Cursor::default(),
            down_from: 0,
            ack: HelloAck {
                store_id: StoreId([9; 16]),
                log_epoch: LogEpoch([9; 8]),
                verdict: Verdict::CatchUp,
                cursor: Cursor::default(),
                position: 0,
                time_ms: NOW_MS,
                scopes: vec![ScopeGrant {
                    scope: "330106".parse().expect("a federation"),
                    write: true,
                }],
                set: SetSum::default(),
                receipt_hash: [0; 32],
                rebuilding: false,
                live: false,
                cluster_epoch: 0,
                wants_proof: false,
            },
            refusal: None,
        };
        let recipient = rollcall_rpc::Recipient(head.answer_to);
        let mut out = SealedWriter::begin(Vec::new(), &recipient).expect("begins");
        out.add(&DownPart::Head(Box::new(answer))).expect("fits");
        out.finish(&self.sign).expect("ends")
    }
}

#[tokio::test]
async fn a_file_is_saved_for_the_aggregator_and_its_answer_taken() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    assert!(!li.get("/sync").await.has("/sync/answer"), "not before enrolment");
    let (aggregator, files, own) = Aggregator::enrol(&node);

    let page = li.get("/sync").await;
    assert!(page.has("/sync/file") && page.has("/sync/answer"));
    assert!(
        !node.sign_in("wang").await.get("/sync").await.has("/sync/answer"),
        "a viewer sends nothing"
    );
    let saved = li.submit(&page, "/sync/file", &[]).await;
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.body);
    let place = files.folder().join("as saved");
    std::fs::write(&place, &saved.bytes).expect("saved");
    let file = SealedFile::<UpPart>::open(&place, &aggregator.seal).expect("for the aggregator");
    file.check_signature(&own.verifying_key())
        .expect("from this node");
    let UpPart::Head(head) = file.head() else {
        panic!("a head comes first")
    };
    let parts = file
        .parts()
        .expect("opens")
        .collect::<Result<Vec<_>, _>>()
        .expect("whole");
    let documents = parts.iter().map(|part| match part {
        UpPart::Batch(batch) => batch.documents.len(),
        UpPart::Head(_) => panic!("one head"),
    });
    assert_eq!(documents.sum::<usize>(), 2);

    let answer = aggregator.answer(head);
    let cut = &answer[..answer.len() - 1];
    let refused = li
        .upload_to(&li.get("/sync").await, "/sync/answer", "answer", cut)
        .await;
    assert!(
        refused.status.is_client_error() && refused.has("ENVELOPE_DAMAGED"),
        "{}",
        refused.body
    );
    let taken = li
        .upload_to(&li.get("/sync").await, "/sync/answer", "answer", &answer)
        .await;
    assert!(
        taken.location.starts_with("/sync") && taken.location.ends_with("answer_continue"),
        "{} {}",
        taken.location,
        taken.body
    );
    let page = li.get_in_english("/sync").await;
    assert!(
        page.has("another file is needed") && page.has("ENVELOPE_DAMAGED"),
        "both are remembered: {}",
        page.body
    );
    let uploads = files.folder().join("uploads");
    assert_eq!(
        std::fs::read_dir(uploads).expect("the folder").count(),
        0,
        "nothing is left"
    );
}
