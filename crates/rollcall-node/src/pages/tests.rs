//! The workspace through its router: what clerks and heads do, and what others may not.

mod batch_file;
mod browser;
mod doubts;
mod entries;
mod forms;
mod handover;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use browser::{Answer, Browser, Node};
use rollcall_core::id::{DocumentId, DocumentKind};

use super::import;

/// The country's county 330106 with a union, covered and uncovered organisations.
const RECORDS: &str = include_str!("../../../../tests/fixtures/country/330106.jsonl");
const SCHOOL: &str = "52330106XXXX000432";
const HOSPITAL_FOR_PROFIT: &str = "91330106XXXX0006XK";

/// A list with a new kindergarten, the school under another address, a company that is out of scope and a wrong code.
const LIST: &str = "社会组织名称,统一社会信用代码,成立登记日期,住所\n\
    杭州市西湖区文鼎苑幼儿园,52330106MJ8745671P,2016-03-01,文一西路1号\n\
    杭州市西湖区求知学校,52330106XXXX000432,2015-01-01,学院路77号\n\
    杭州市西湖区错码学校,52330106XXXX000439,2015-01-01,学院路78号\n";

fn page_of(code: &str) -> String {
    format!(
        "/organisations/{}",
        DocumentId::derive(DocumentKind::Organisation, code)
    )
}

async fn edit_form(browser: &Browser<'_>) -> Answer {
    let form = browser.get(&format!("{}/edit", page_of(SCHOOL))).await;
    assert_eq!(form.status, StatusCode::OK, "{}", form.body);
    form
}

async fn save_address(browser: &Browser<'_>, form: &Answer, address: &str) -> Answer {
    let heads = form.hidden("heads");
    let fields = [
        ("heads", heads.as_str()),
        ("address", address),
        ("reason", "实地核查"),
    ];
    browser
        .submit(form, &format!("{}/edit", page_of(SCHOOL)), &fields)
        .await
}

#[tokio::test]
async fn organisations_are_found_by_text_and_by_how_they_stand() {
    let node = Node::new();
    node.import(RECORDS);
    let browser = node.sign_in("wang").await;
    assert_eq!(browser.get("/").await.location, "/organisations");
    for (query, found, missing) in [
        ("", "求知学校", "nothing that is missing"),
        ("?q=小草", "小草幼儿园", "求知学校"),
        ("?q=５２３３０１０６xxxx000432", "求知学校", "小草幼儿园"),
        ("?standing=covered", "求知学校", "安和医院"),
        ("?standing=uncovered", "小草幼儿园", "求知学校"),
        ("?standing=out_of_scope", "安和医院", "小草幼儿园"),
        ("?category=school", "求知学校", "小草幼儿园"),
        ("?category=school&q=求知", "求知学校", "小草幼儿园"),
        ("?kind=enterprise", "安和医院", "求知学校"),
        ("?form=own", "求知学校", "小草幼儿园"),
        ("?area=330106", "求知学校", "nothing that is missing"),
    ] {
        let query: String = query
            .chars()
            .map(|character| match character {
                '?' | '&' | '=' | '_' => character.to_string(),
                other => other
                    .to_string()
                    .bytes()
                    .map(|byte| format!("%{byte:02X}"))
                    .collect(),
            })
            .collect();
        let page = browser.get(&format!("/organisations{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        assert!(page.has(found), "{query} finds {found}");
        assert!(!page.has(missing), "{query} leaves {missing} out");
    }
    let first = browser.get("/organisations?size=1").await;
    let second = browser.get("/organisations?size=1&page=2").await;
    assert!(first.has("page=2") && first.body != second.body);
    let beyond = browser.get("/organisations?page=99999").await;
    assert!(
        beyond.has("求知学校") && !beyond.has("还没有登记任何组织"),
        "beyond the last page is the last page"
    );
    for bad in ["page=0", "size=100000", "standing=flying", "kind=%27"] {
        assert_eq!(
            browser.get(&format!("/organisations?{bad}")).await.status,
            StatusCode::BAD_REQUEST,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn filter_follows_what_another_process_writes() {
    let node = Node::new();
    node.import(RECORDS);
    let browser = node.sign_in("wang").await;
    assert!(
        !browser
            .get("/organisations?q=%E6%96%B0%E8%8B%97")
            .await
            .has("新苗学校")
    );
    node.import(
        r#"{"type":"organisation","code":"52330106XXXX000432","name":[{"value":"杭州市西湖区新苗学校","from":"2024-01-01"}]}"#,
    );
    assert!(
        browser
            .get("/organisations?q=%E6%96%B0%E8%8B%97")
            .await
            .has("新苗学校")
    );
}

#[tokio::test]
async fn organisation_is_shown_by_code_and_id_with_everything_recorded() {
    let node = Node::new();
    node.import(RECORDS);
    let browser = node.sign_in("wang").await;
    let page = browser.get("/organisations/52330106XXXX000357").await;
    assert_eq!(page.status, StatusCode::OK);
    for text in [
        "小草幼儿园",
        "2015年1月1日",
        "330106 西湖区",
        "19",
        "2024年3月1日",
        "330106 西湖区 命令行",
    ] {
        assert!(page.has(text), "{text}");
    }
    let english = browser.get_in_english(&page_of("52330106XXXX000357")).await;
    assert!(english.has("1 Jan 2015") && english.has("kindergarten"));
    assert!(!page.has("/edit\""), "a viewer is offered no edit");
    for absent in ["52330106XXXX000000", "../keys", "%00"] {
        assert_eq!(
            browser.get(&format!("/organisations/{absent}")).await.status,
            StatusCode::NOT_FOUND,
            "{absent}"
        );
    }
    assert!(
        browser
            .get_in_english(&page_of(HOSPITAL_FOR_PROFIT))
            .await
            .has("registered for profit")
    );
}

#[tokio::test]
async fn edit_from_stale_heads_keeps_both_values_until_a_head_settles() {
    let node = Node::new();
    node.import(RECORDS);
    let (li, zhao) = (node.sign_in("li").await, node.sign_in("zhao").await);
    let (first, second) = (edit_form(&li).await, edit_form(&zhao).await);
    let saved = save_address(&li, &first, "学院路1号").await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    assert!(saved.location.ends_with("notice=saved"));
    save_address(&zhao, &second, "学院路2号").await;
    let page = li.get(&page_of(SCHOOL)).await;
    assert!(page.has("学院路1号") && page.has("学院路2号"));
    let values = page.choices();
    assert_eq!(values.len(), 2);
    assert!(li.get("/organisations?standing=conflict").await.has("求知学校"));

    let settle = format!("{}/settle?field=address", page_of(SCHOOL));
    let fields = [("take", values[0].as_str()), ("reason", "按证书")];
    assert_eq!(
        li.submit(&page, &settle, &fields).await.status,
        StatusCode::FORBIDDEN,
        "a clerk may not settle"
    );
    let page = zhao.get(&page_of(SCHOOL)).await;
    let without_reason = [("take", values[0].as_str()), ("reason", " ")];
    assert!(
        zhao.submit(&page, &settle, &without_reason)
            .await
            .has("REASON_MISSING")
    );
    let settled = zhao.submit(&page, &settle, &fields).await;
    assert!(settled.location.ends_with("notice=settled"), "{}", settled.body);
    let page = zhao.get(&page_of(SCHOOL)).await;
    assert!(page.choices().is_empty());
    let record = node
        .replica
        .find(SCHOOL, &[DocumentKind::Organisation])
        .and_then(|id| node.replica.record(id));
    let rollcall_core::record::Record::Organisation(record) = record.expect("it is held").0 else {
        panic!("it is an organisation");
    };
    assert_eq!(record.address.as_deref(), Some("学院路1号"));
    let audited = node
        .replica
        .store()
        .read(|reader| reader.audit(None, 10))
        .expect("the audit trail");
    let actions: Vec<&str> = audited.iter().map(|row| row.entry.action.as_str()).collect();
    assert_eq!(
        actions
            .iter()
            .filter(|action| **action == "organisation_edited")
            .count(),
        2
    );
    assert!(actions.contains(&"conflict_settled"));
}

#[tokio::test]
async fn field_that_a_stale_form_only_repeats_is_not_put_back() {
    let node = Node::new();
    node.import(RECORDS);
    let (li, zhao) = (node.sign_in("li").await, node.sign_in("zhao").await);
    let stale = edit_form(&zhao).await;
    save_address(&li, &edit_form(&li).await, "学院路1号").await;
    let heads = stale.hidden("heads");
    let fields = [
        ("heads", heads.as_str()),
        ("address", ""),
        ("supervising_unit", "西湖区教育局"),
        ("reason", "补录"),
    ];
    zhao.submit(&stale, &format!("{}/edit", page_of(SCHOOL)), &fields)
        .await;
    let page = li.get(&page_of(SCHOOL)).await;
    assert!(page.has("学院路1号") && page.has("西湖区教育局") && page.choices().is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_an_edit_is_said_on_the_form_and_nothing_is_saved() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let form = edit_form(&li).await;
    let heads = form.hidden("heads");
    let address = format!("{}/edit", page_of(SCHOOL));
    for (field, value, reason, code) in [
        ("address", "学院路3号", "", "REASON_MISSING"),
        ("workers", "十九", "核查", "NUMBER_INVALID"),
        ("registered_on", "2026-02-30", "核查", "DATE_INVALID"),
        ("name", "", "核查", "FIELD_EMPTY"),
        ("location", "西湖区", "核查", "PLACE_UNKNOWN"),
        ("registered_on", "2131-01-01", "核查", "V11"),
        ("responsible", "330105", "核查", "HANDOVER_NEEDED"),
    ] {
        let fields = [("heads", heads.as_str()), (field, value), ("reason", reason)];
        let answer = li.submit(&form, &address, &fields).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        assert!(answer.has(code), "{field}: {code}");
    }
    for heads in ["", "ff", &"0".repeat(64)] {
        let fields = [("heads", heads), ("address", "学院路3号"), ("reason", "核查")];
        assert!(
            li.submit(&form, &address, &fields).await.has("HEADS_UNKNOWN"),
            "{heads}"
        );
    }
    assert!(!li.get(&page_of(SCHOOL)).await.has("学院路3号"));
    let without_token = [
        ("heads", heads.as_str()),
        ("address", "学院路3号"),
        ("reason", "核查"),
    ];
    assert!(li.post(&address, &without_token).await.has("FORM_NOT_OURS"));
}

#[tokio::test]
async fn organisation_is_entered_by_hand_once() {
    let node = Node::new();
    let li = node.sign_in("li").await;
    let form = li.get("/organisations/new").await;
    let fields = [
        ("name", "杭州市西湖区求知学校"),
        ("code", "52330106XXXX000432"),
        ("kind", "private_non_enterprise"),
        ("category", "school"),
        ("registered_on", "2015-01-01"),
        ("registration_status", "registered"),
        ("location", "330106"),
        ("responsible", "330106"),
        ("workers", "25"),
        ("members", "20"),
        ("counted_on", "2024-12-31"),
        ("reason", "来电登记"),
    ];
    let saved = li.submit(&form, "/organisations/new", &fields).await;
    assert_eq!(saved.path(), page_of(SCHOOL), "{}", saved.body);
    let page = li.get(saved.path()).await;
    assert!(page.has("求知学校") && page.has("2024年12月31日") && page.has("25") && page.has("20"));
    let again = li.submit(&form, "/organisations/new", &fields).await;
    assert!(
        again.location.ends_with("notice=already_done"),
        "the same form again is not a second act"
    );
    let other = li.get("/organisations/new").await;
    assert!(
        li.submit(&other, "/organisations/new", &fields)
            .await
            .has("CODE_HELD")
    );
    let foreign = li.get("/organisations/new").await;
    let fields = [
        ("name", "宁波某校"),
        ("responsible", "330203"),
        ("reason", "来电"),
    ];
    assert!(
        li.submit(&foreign, "/organisations/new", &fields)
            .await
            .has("FOREIGN_JURISDICTION")
    );
    let unnamed = li.get("/organisations/new").await;
    let answer = li
        .submit(
            &unnamed,
            "/organisations/new",
            &[("name", ""), ("reason", "来电")],
        )
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.has("NAME_MISSING"));
}

#[tokio::test]
async fn list_is_sorted_committed_and_taken_back() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let form = li.get("/import").await;
    let sorted = li.upload(&form, "名单.csv", LIST.as_bytes()).await;
    assert_eq!(sorted.status, StatusCode::SEE_OTHER, "{}", sorted.body);
    let plan = li.get(&sorted.location).await;
    assert!(
        plan.has("名单.csv") && plan.has("ID_CHECK") && plan.has("校验位不对"),
        "{}",
        plan.body
    );
    let refused = li.get(&format!("{}/rejects", sorted.location)).await;
    assert_eq!(refused.status, StatusCode::OK);
    assert!(refused.bytes.starts_with(b"PK"), "a workbook");
    assert!(
        !li.get("/organisations").await.has("文鼎苑"),
        "a dry run writes nothing"
    );

    let done = li
        .submit(&plan, &format!("{}/commit", sorted.location), &[])
        .await;
    assert!(done.location.ends_with("notice=imported"), "{}", done.body);
    assert!(li.get("/organisations").await.has("文鼎苑"));
    assert!(li.get(&page_of(SCHOOL)).await.has("学院路77号"));
    let page = li.get(done.path()).await;
    let again = li
        .submit(&page, &format!("{}/commit", sorted.location), &[])
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT, "nothing is imported twice");
    assert!(li.get("/import").await.has("名单.csv"));

    let undone = li.submit(&page, &format!("{}/undo", sorted.location), &[]).await;
    assert!(
        undone.location.ends_with("notice=import_undone"),
        "{}",
        undone.body
    );
    let closed = li.get(&page_of("52330106MJ8745671P")).await;
    assert!(closed.has("误登，已关闭") && closed.has("撤销导入 名单.csv"));
    assert!(!closed.has("undo import"), "{}", closed.body);
    let id = node
        .replica
        .find(SCHOOL, &[DocumentKind::Organisation])
        .expect("it is held");
    let rollcall_core::record::Record::Organisation(school) = node.replica.record(id).expect("it is held").0
    else {
        panic!("it is an organisation");
    };
    assert_eq!(school.address, None, "what the import changed is put back");
    let page = li.get(done.path()).await;
    assert!(!page.has("/undo\""));
    let again = li
        .submit(&li.get("/import").await, &format!("{}/undo", done.path()), &[])
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT, "nothing is taken back twice");
}

#[tokio::test]
async fn unreadable_file_is_refused_and_leaves_nothing() {
    let node = Node::new();
    let li = node.sign_in("li").await;
    for (name, content) in [
        ("empty.csv", b"".as_slice()),
        ("no-head.csv", b"a,b\n1,2\n"),
        ("broken.xlsx", b"PK\x03\x04 broken"),
    ] {
        let form = li.get("/import").await;
        let answer = li.upload(&form, name, content).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        assert!(
            answer.has("class=\"refusal\"") && answer.has("id=\"file\""),
            "{name}: the form stays and says why"
        );
    }
    let uploads = node.replica.store().path().with_file_name("uploads");
    assert_eq!(std::fs::read_dir(uploads).expect("the folder").count(), 0);
}

#[tokio::test]
async fn import_that_is_refused_says_so_on_its_own_page() {
    let node = Node::new();
    let li = node.sign_in("li").await;
    let sorted = li
        .upload(&li.get("/import").await, "名单.csv", LIST.as_bytes())
        .await;
    let plan = li.get(&sorted.location).await;
    let uploads = node.replica.store().path().with_file_name("uploads");
    let id = sorted.location.rsplit('/').next().expect("an id");
    std::fs::write(uploads.join(format!("{id}.data")), b"").expect("the file is damaged");
    let answer = li
        .submit(&plan, &format!("{}/commit", sorted.location), &[])
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
    assert!(answer.has("[FILE_EMPTY]") && answer.has("<h1>名单.csv</h1>") && answer.has("href=\"/import\""));
    assert!(
        !li.get("/organisations").await.has("文鼎苑"),
        "nothing is taken in"
    );
}

#[tokio::test]
async fn file_that_is_too_big_or_cut_leaves_the_form_with_the_reason() {
    let node = Node::new();
    let li = node.sign_in("li").await;
    let form = li.get("/import").await;
    let big = vec![b'x'; import::LIST_SIZE_BYTES_MAX + 1];
    let answer = li.upload(&form, "名单.csv", &big).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(
        answer.has("[TOO_BIG]") && answer.has("id=\"file\""),
        "{}",
        answer.body
    );
    let cut = li.upload_cut(&form, "/import", "名单.csv", LIST.as_bytes()).await;
    assert_eq!(cut.status, StatusCode::BAD_REQUEST);
    assert!(cut.has("[UPLOAD_CUT]") && cut.has("id=\"file\""), "{}", cut.body);
    let uploads = node.replica.store().path().with_file_name("uploads");
    assert_eq!(std::fs::read_dir(uploads).expect("the folder").count(), 0);
}

#[tokio::test]
async fn dry_run_can_be_dropped() {
    let node = Node::new();
    let li = node.sign_in("li").await;
    let sorted = li
        .upload(&li.get("/import").await, "名单.csv", LIST.as_bytes())
        .await;
    let plan = li.get(&sorted.location).await;
    let dropped = li.submit(&plan, &format!("{}/drop", sorted.location), &[]).await;
    assert!(
        dropped.location.ends_with("notice=import_dropped"),
        "{}",
        dropped.body
    );
    assert_eq!(li.get(&sorted.location).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn viewer_reads_and_changes_nothing() {
    let node = Node::new();
    node.import(RECORDS);
    let wang = node.sign_in("wang").await;
    for (address, status) in [
        ("/organisations".to_owned(), StatusCode::OK),
        (page_of(SCHOOL), StatusCode::OK),
        ("/sync".to_owned(), StatusCode::OK),
        (format!("{}/edit", page_of(SCHOOL)), StatusCode::FORBIDDEN),
        ("/organisations/new".to_owned(), StatusCode::FORBIDDEN),
        (
            "/organisations/export?format=csv".to_owned(),
            StatusCode::FORBIDDEN,
        ),
        ("/import".to_owned(), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(wang.get(&address).await.status, status, "{address}");
    }
    for address in [
        format!("{}/edit", page_of(SCHOOL)),
        format!("{}/settle?field=address", page_of(SCHOOL)),
        "/organisations/new".to_owned(),
        "/import/0123456789abcdef/commit".to_owned(),
        "/import/0123456789abcdef/undo".to_owned(),
        "/sync".to_owned(),
        "/sync/file".to_owned(),
    ] {
        assert_eq!(
            wang.post(&address, &[]).await.status,
            StatusCode::FORBIDDEN,
            "{address}"
        );
    }
}

#[tokio::test]
async fn stranger_is_led_to_the_door_and_a_foreign_host_is_refused() {
    let node = Node::new();
    for address in ["/organisations", "/organisations/x", "/import", "/sync"] {
        let answer = node
            .send(Request::get(address).body(Body::empty()).expect("a request"))
            .await;
        assert!(answer.location.starts_with("/login"), "{address}");
    }
    let request = Request::get("/organisations").header(header::HOST, "rollcall.evil.example:8080");
    let answer = node.send(request.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.has("HOST_NOT_ALLOWED"));
}

#[tokio::test]
async fn sync_page_says_what_waits_and_that_the_node_is_not_enrolled() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let page = li.get_in_english("/sync").await;
    assert!(page.has("Not enrolled") && page.has("求知学校") && page.has("330106 西湖区, command line"));
    let answer = li.submit(&li.get("/import").await, "/sync", &[]).await;
    assert_eq!(answer.location, "/sync?notice=sync_failed", "{}", answer.body);
    let page = li.get(&answer.location).await;
    assert!(
        page.has("NOT_ENROLLED") && page.has("同步没有完成"),
        "why stands on the page: {}",
        page.body
    );
}

#[tokio::test]
async fn register_is_exported_in_three_forms() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    for (format, beginning) in [
        ("xlsx", b"PK".as_slice()),
        ("csv", "\u{feff}".as_bytes()),
        ("records", br#"{"type":"organisation""#),
    ] {
        let answer = li.get(&format!("/organisations/export?format={format}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(
            answer.bytes.starts_with(beginning),
            "{format}: {}",
            answer.body.chars().take(40).collect::<String>()
        );
        assert!(format == "xlsx" || answer.has("求知学校"), "{format}");
    }
    let list = li.get("/organisations?standing=covered").await;
    assert!(
        list.has("/organisations/export?format=xlsx&#38;standing=covered"),
        "the link carries the filter"
    );
    let filtered = li.get("/organisations/export?format=csv&standing=covered").await;
    assert!(filtered.has("求知学校") && !filtered.has("安和医院"));
    assert_eq!(
        li.get("/organisations/export?format=pdf").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn sync_page_says_since_when_the_background_reaches_nobody() {
    let node = Node::new();
    node.name_aggregator();
    let wang = node.sign_in("wang").await;
    assert!(!wang.get_in_english("/sync").await.has("not been reached"));
    // 3 January 2025, 9:00 in Beijing.
    node.reach.failed(1_735_866_000_000, "CANNOT_CONNECT", "");
    node.reach.failed(1_735_866_060_000, "CANNOT_CONNECT", "");
    let page = wang.get_in_english("/sync").await;
    assert!(
        page.has("has not been reached since 3 Jan 2025 09:00") && page.has("CANNOT_CONNECT"),
        "{}",
        page.body
    );
    node.reach.failed(1_735_866_120_000, "KEY_REVOKED", "");
    let page = wang.get("/sync").await;
    assert!(page.has("未能同步") && page.has("KEY_REVOKED"), "{}", page.body);
    node.reach.reached();
    assert!(!wang.get("/sync").await.has("未能同步"));
}

#[tokio::test]
async fn a_large_record_says_so_on_its_page() {
    let node = Node::new();
    node.import(RECORDS);
    let wang = node.sign_in("wang").await;
    assert!(!wang.get(&page_of(SCHOOL)).await.has("DOCUMENT_LARGE"));
    for number in 0..10 {
        let address = format!("{number}{}", "x".repeat(28_000));
        let record = serde_json::json!({"type": "organisation", "code": SCHOOL, "address": address});
        node.import(&record.to_string());
    }
    assert!(wang.get(&page_of(SCHOOL)).await.has("DOCUMENT_LARGE"));
}
