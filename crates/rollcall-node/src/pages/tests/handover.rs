//! An organisation that another federation hands over: its page offers the signature, and nothing else until it is given.

use axum::http::StatusCode;
use rollcall_core::id::{ActorId, DocumentId, DocumentKind};
use rollcall_core::record::Record;
use rollcall_doc::{Document, EditBy};
use rollcall_sync::message::{ChangeEntry, DocumentChanges};

use super::browser::Node;

/// Brings the organisation to the node as its aggregator would; its id.
fn hand_over(node: &Node) -> DocumentId {
    let record = r#"{"type":"organisation","id":"handed","name":"实验学校","location":"330105","responsible":"330105",
        "handovers":[{"id":"h1","to":"330106","on":"2024-01-10"},{"id":"h2","to":"330108","on":"2024-01-10"}]}"#;
    let record: Record = serde_json::from_str(record).expect("a record");
    let id = record.document_id().expect("a key");
    let mut document = Document::create(DocumentKind::Organisation, id);
    let edits = document.plan(&record).expect("a plan");
    let by = EditBy {
        actor: ActorId([5; 16]),
        author: "330105/1".to_owned(),
        reason: "移交".to_owned(),
        time_ms: 1_700_000_000_000,
        heads: None,
    };
    let change = document.apply_edits(&edits, &by).expect("an edit");
    let sent = DocumentChanges {
        document_id: id,
        kind: DocumentKind::Organisation,
        scopes: vec!["330106".parse().expect("a federation")],
        changes: vec![ChangeEntry {
            position: 1,
            committed_at_ms: 1_700_000_000_000,
            bytes: change.expect("a change").bytes,
        }],
    };
    node.replica
        .take_documents(&[sent], None, 1_700_000_000_000)
        .expect("taken");
    id
}

#[tokio::test]
async fn taker_signs_first_and_edits_afterwards() {
    let node = Node::new();
    let id = hand_over(&node);
    let (page, entries) = (format!("/organisations/{id}"), format!("/entries/{id}"));
    let li = node.sign_in("li").await;
    let shown = li.get(&page).await;
    assert!(shown.has("实验学校"));
    let own = format!("{entries}/handovers/h1");
    let start = li.get("/organisations").await;
    assert!(
        start.has("待接收：1") && start.has("330105 拱墅区移交") && start.has(&format!("\"{own}\"")),
        "the start page lists what waits for a signature: {}",
        start.body
    );
    let wang = node.sign_in("wang").await;
    assert!(
        !wang.get("/organisations").await.has(&own),
        "a viewer has nothing to sign"
    );
    assert!(shown.has(&format!("\"{own}\"")), "its own signature is offered");
    for other in [
        format!("\"{page}/edit\""),
        format!("\"{entries}/handovers\""),
        format!("\"{entries}/handovers/h2\""),
        format!("\"{entries}/name\""),
        format!("\"{entries}/coverage\""),
    ] {
        assert!(!shown.has(&other), "{other}");
    }
    for closed in ["handovers", "handovers/h2", "coverage"] {
        let form = li.get(&format!("{entries}/{closed}")).await;
        assert!(form.has("HANDOVER_OPEN"), "{closed}: {}", form.body);
    }
    // The whole form can be asked for by its address; nothing of it is saved.
    let form = li.get(&format!("{page}/edit")).await;
    let heads = form.hidden("heads");
    let fields = [
        ("heads", heads.as_str()),
        ("address", "学院路1号"),
        ("reason", "核查"),
    ];
    let answer = li.submit(&form, &format!("{page}/edit"), &fields).await;
    assert!(
        answer.has("HANDOVER_OPEN") && answer.has("接收日期"),
        "{}",
        answer.body
    );

    let form = li.get(&own).await;
    assert!(!form.has("value=\"withdraw\""), "it is the giver's to take back");
    let heads = form.hidden("heads");
    let sign = [
        ("heads", heads.as_str()),
        ("accepted_on", "2024-02-01"),
        ("reason", "同意接收"),
    ];
    let answer = li.submit(&form, &own, &sign).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let shown = li.get(&page).await;
    assert!(shown.has(&format!("\"{page}/edit\"")) && shown.has(&format!("\"{entries}/coverage\"")));
    assert!(
        !li.get("/organisations").await.has("待接收"),
        "what is signed waits no more"
    );
}
