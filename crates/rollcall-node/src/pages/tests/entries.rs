//! Entries of records as clerks make them: coverage, counts, exclusions, stages; unions; subsidies and funds.

use axum::http::StatusCode;
use rollcall_core::id::{DocumentId, DocumentKind};
use rollcall_core::record::Record;

use super::browser::{Answer, Browser, Node};
use super::{RECORDS, page_of};

pub(super) const KINDERGARTEN: &str = "52330106XXXX000357";

pub(super) fn entries_of(code: &str) -> String {
    format!(
        "/entries/{}",
        DocumentId::derive(DocumentKind::Organisation, code)
    )
}

/// Opens the form at an address and sends it with these fields.
pub(super) async fn fill(browser: &Browser<'_>, address: &str, fields: &[(&str, &str)]) -> Answer {
    let form = browser.get(address).await;
    assert_eq!(form.status, StatusCode::OK, "{address}: {}", form.body);
    let heads = if form.has("name=\"heads\" value=\"") {
        form.hidden("heads")
    } else {
        String::new()
    };
    let mut all = vec![("heads", heads.as_str())];
    all.extend(fields);
    browser
        .submit(&form, address.split('?').next().unwrap_or_default(), &all)
        .await
}

pub(super) async fn saved(browser: &Browser<'_>, address: &str, fields: &[(&str, &str)]) -> Answer {
    let answer = fill(browser, address, fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{address}: {}", answer.body);
    browser.get(answer.path()).await
}

pub(super) async fn refused(browser: &Browser<'_>, address: &str, fields: &[(&str, &str)], code: &str) {
    let answer = fill(browser, address, fields).await;
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{address} {code}"
    );
    assert!(
        answer.has(&format!("[{code}]")),
        "{code} is quoted: {}",
        answer.body
    );
    for english in ["There is", "is not", "This is", "A whole"] {
        assert!(!answer.has(english), "{code} is said in Chinese, not {english:?}");
    }
}

/// The first address on the page that has this part.
pub(super) fn link_of(page: &Answer, part: &str) -> String {
    let start = page.body.find(part).expect("a link");
    let from = page.body[..start].rfind('"').expect("an address") + 1;
    page.body[from..].split('"').next().unwrap_or_default().to_owned()
}

fn record(node: &Node, kind: DocumentKind, reference: &str) -> Record {
    let id = node.replica.find(reference, &[kind]).expect("it is held");
    node.replica.record(id).expect("it can be read").0
}

/// Enters a joint union and leads to its page.
pub(super) async fn joint_union(browser: &Browser<'_>, name: &str, established_on: &str) -> Answer {
    let fields = [
        ("name", name),
        ("form", "joint"),
        ("higher_union", "330106"),
        ("elected_on", "2024-03-01"),
        ("established_on", established_on),
        ("founding_number", "西工发〔2024〕3号"),
        ("term_years", "5"),
        ("reason", "批复"),
    ];
    saved(browser, "/unions/new", &fields).await
}

#[tokio::test]
async fn kindergarten_becomes_covered_by_a_link_with_consent_and_stops_when_it_is_withdrawn() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let union = joint_union(&li, "西湖区社会组织联合工会", "2024-03-10").await;
    assert!(union.has("西湖区社会组织联合工会") && union.has("已成立") && union.has("2024年3月10日"));
    assert!(li.get("/unions?q=社会组织联合").await.has("联合工会"));

    let coverage = format!("{}/coverage", entries_of(KINDERGARTEN));
    let link = [
        ("union", "西湖区社会组织联合工会"),
        ("from", "2024-04-01"),
        ("reason", "列入联合工会"),
    ];
    let page = saved(&li, &coverage, &link).await;
    assert!(page.has("西湖区社会组织联合工会") && page.has("待同意") && page.has("待建会"));
    let entry = link_of(&page, "/coverage/");
    let page = saved(
        &li,
        &entry,
        &[("consent_on", "2024-04-02"), ("reason", "工会同意")],
    )
    .await;
    assert!(page.has("今日有效") && page.has("已建会"), "{}", page.body);
    assert!(li.get("/organisations?standing=covered").await.has("小草幼儿园"));
    let union = li.get(&link_of(&page, "/unions/")).await;
    assert!(union.has("小草幼儿园"), "the union lists it: {}", union.body);

    refused(
        &li,
        &entry,
        &[
            ("until", "2024-01-01"),
            ("consent_on", "2024-04-02"),
            ("reason", "改"),
        ],
        "V25",
    )
    .await;
    refused(
        &li,
        &entry,
        &[("act", "withdraw"), ("reason", " ")],
        "REASON_MISSING",
    )
    .await;
    let page = saved(&li, &entry, &[("act", "withdraw"), ("reason", "登记有误")]).await;
    assert!(
        page.has("待建会") && !page.has("西湖区社会组织联合工会</a>"),
        "{}",
        page.body
    );
    assert_eq!(
        li.get(&entry).await.status,
        StatusCode::NOT_FOUND,
        "a withdrawn entry has no form"
    );
    let Record::Organisation(record) = record(&node, DocumentKind::Organisation, KINDERGARTEN) else {
        panic!("it is an organisation");
    };
    // Beside the one that came with the records; the id of this one, and so its place, is drawn.
    let link = record.coverage.iter().find(|link| link.id != "c1");
    let link = link.expect("the link is held");
    let withdrawn = link.withdrawn.as_ref().expect("it is withdrawn, not gone");
    assert_eq!(withdrawn.reason, "登记有误");
    assert_eq!(link.by.as_deref(), Some("330106/li"));
}

#[tokio::test]
async fn counts_exclusions_stages_and_dated_values_are_entered_and_checked() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let at = |list: &str| format!("{}/{list}", entries_of(KINDERGARTEN));
    let count = [
        ("on", "2024-12-31"),
        ("source", "check"),
        ("workers", "31"),
        ("reason", "核查"),
    ];
    let page = saved(&li, &at("counts"), &count).await;
    assert!(page.has("2024年12月31日") && page.has("31"));
    let entry = format!("{}/2024%2D12%2D31%7Ccheck", at("counts"));
    assert!(page.has(&entry), "the count leads to its form");
    let page = saved(
        &li,
        &entry,
        &[("workers", "31"), ("members", "20"), ("reason", "补录")],
    )
    .await;
    assert!(page.has(">20<"), "{}", page.body);
    refused(
        &li,
        &entry,
        &[("workers", "31"), ("members", "32"), ("reason", "补录")],
        "V12",
    )
    .await;
    let future = [
        ("on", "2025-12-31"),
        ("source", "check"),
        ("workers", "3"),
        ("reason", "核查"),
    ];
    refused(&li, &at("counts"), &future, "V13").await;
    let wrong = [
        ("on", "31.13.2024"),
        ("source", "check"),
        ("workers", "三十"),
        ("reason", "核查"),
    ];
    refused(&li, &at("counts"), &wrong, "DATE_INVALID").await;
    refused(&li, &at("counts"), &wrong, "NUMBER_INVALID").await;

    let excluded = [
        ("entry_reason", "DORMANT"),
        ("from", "2024-06"),
        ("evidence", "实地核查无人办公"),
        ("approved_on", "2024-06-30"),
        ("reason", "停止活动"),
    ];
    refused(
        &li,
        &at("exclusions"),
        &[&excluded[..2], &excluded[4..]].concat(),
        "V29",
    )
    .await;
    let page = saved(&li, &at("exclusions"), &excluded).await;
    assert!(page.has("实地核查无人办公") && page.has("暂不计入") && page.has("2024年6月30日"));

    let stage = [("stage", "contacted"), ("on", "2024-05-06"), ("reason", "走访")];
    assert!(saved(&li, &at("stages"), &stage).await.has("2024年5月6日"));
    let contact = [
        ("on", "2024-05-06"),
        ("channel", "visit"),
        ("result", "愿意建会"),
        ("reason", "走访"),
    ];
    let page = saved(&li, &at("contacts"), &contact).await;
    assert!(page.has("走访") && page.has("愿意建会"));
    let personal = [
        ("on", "2024-05-06"),
        ("result", "联系人 13812345678"),
        ("reason", "走访"),
    ];
    refused(&li, &at("contacts"), &personal, "V37").await;

    let name = [
        ("value", "西湖区大树幼儿园"),
        ("from", "2024-09-01"),
        ("source", "registry"),
        ("document", "民变〔2024〕9号"),
        ("reason", "更名"),
    ];
    let page = saved(&li, &at("name"), &name).await;
    assert!(page.has("<h1>西湖区大树幼儿园</h1>") && page.has("小草幼儿园") && page.has("民变〔2024〕9号"));
    for (list, status) in [("code", StatusCode::NOT_FOUND), ("events", StatusCode::NOT_FOUND)] {
        assert_eq!(li.get(&at(list)).await.status, status, "{list}");
    }
    let wang = node.sign_in("wang").await;
    assert_eq!(wang.get(&at("counts")).await.status, StatusCode::FORBIDDEN);
    assert!(!wang.get(&page_of(KINDERGARTEN)).await.has("/entries/"));
}

#[tokio::test]
async fn union_is_entered_edited_and_judged() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    for (fields, code) in [
        (
            vec![("name", "某工会"), ("form", "joint"), ("reason", "批复")],
            "FIELD_MISSING",
        ),
        (
            vec![
                ("name", "某工会"),
                ("form", "joint"),
                ("higher_union", "330106"),
                ("code", KINDERGARTEN),
                ("reason", "批复"),
            ],
            "V24",
        ),
        (
            vec![
                ("name", "某工会"),
                ("form", "joint"),
                ("higher_union", "330106"),
                ("established_on", "2024-03-10"),
                ("reason", "批复"),
            ],
            "V18",
        ),
        (
            vec![
                ("name", "某工会"),
                ("form", "joint"),
                ("higher_union", "330106"),
                ("elected_on", "2024-03-11"),
                ("established_on", "2024-03-10"),
                ("founding_number", "3号"),
                ("reason", "批复"),
            ],
            "V19",
        ),
        (
            vec![
                ("name", "某工会"),
                ("form", "own"),
                ("higher_union", "330106"),
                ("organisation", "查无此校"),
                ("reason", "批复"),
            ],
            "ORGANISATION_UNKNOWN",
        ),
        (
            vec![
                ("name", "某工会"),
                ("form", "joint"),
                ("higher_union", "330106"),
                ("elected_on", "2031-03-11"),
                ("reason", "批复"),
            ],
            "DATE_IMPLAUSIBLE",
        ),
        (
            vec![
                ("name", "某工会"),
                ("form", "own"),
                ("higher_union", "330106"),
                ("reason", "批复"),
            ],
            "FIELD_MISSING",
        ),
    ] {
        refused(&li, "/unions/new", &fields, code).await;
    }
    let own = [
        ("name", "小草幼儿园工会"),
        ("form", "own"),
        ("higher_union", "330106"),
        ("organisation", KINDERGARTEN),
        ("reason", "批复"),
    ];
    let page = saved(&li, "/unions/new", &own).await;
    assert!(page.has("筹建中") && page.has("小草幼儿园"));
    let address = link_of(&page, "/edit").trim_end_matches("/edit").to_owned();
    let changed = [
        ("name", "小草幼儿园工会委员会"),
        ("form", "own"),
        ("higher_union", "330106"),
        ("organisation", KINDERGARTEN),
        ("full_time_chair", "false"),
        ("reason", "更正"),
    ];
    let page = saved(&li, &format!("{address}/edit"), &changed).await;
    assert!(page.has("<h1>小草幼儿园工会委员会</h1>"));
    let events = link_of(&page, "/events");
    let future = [("event", "applied"), ("on", "2031-02-01"), ("reason", "申请")];
    refused(&li, &events, &future, "DATE_IMPLAUSIBLE").await;
    let event = [("event", "applied"), ("on", "2024-02-01"), ("reason", "申请")];
    assert!(saved(&li, &events, &event).await.has("2024年2月1日"));
}

#[tokio::test]
async fn edit_form_refuses_what_the_forms_of_entries_refuse() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let form = format!("/organisations/{KINDERGARTEN}/edit");
    for (fields, code) in [
        (vec![("workers", "5"), ("members", "9")], "V12"),
        (vec![("workers", "5"), ("counted_on", "2034-12-31")], "V13"),
        (vec![("registration_status", "revoked")], "DATE_MISSING"),
    ] {
        let mut fields = fields;
        fields.push(("reason", "更正"));
        refused(&li, &form, &fields, code).await;
    }
    let ended = [
        ("registration_status", "revoked"),
        ("status_on", "2024-12-01"),
        ("reason", "公告"),
    ];
    assert!(saved(&li, &form, &ended).await.has("2024年12月1日"));
}

#[tokio::test]
async fn subsidy_is_applied_for_approved_by_another_person_paid_and_reversed() {
    let node = Node::new();
    node.import(RECORDS);
    let (li, zhao) = (node.sign_in("li").await, node.sign_in("zhao").await);
    let fund = [
        ("federation", "330106"),
        ("year", "2024"),
        ("on", "2024-01-01"),
        ("set_aside_fen", "10,000"),
        ("reason", "年度预算"),
    ];
    let page = saved(&li, "/funds/new", &fund).await;
    assert!(
        page.has("2024 年专项资金") && page.has("10,000.00"),
        "{}",
        page.body
    );
    joint_union(&li, "西湖区社会组织联合工会", "2024-03-10").await;
    let fund_id = node
        .replica
        .store()
        .read(|reader| {
            reader.listings(&rollcall_store::listing::ListingQuery {
                kind: Some(DocumentKind::Fund),
                limit: 1,
                ..Default::default()
            })
        })
        .expect("the list")
        .rows[0]
        .listing
        .name
        .clone();
    let case = [
        ("federation", "330106"),
        ("payee_union", "西湖区社会组织联合工会"),
        ("kind", "fixed_subsidy"),
        ("rule", "new-union"),
        ("period", "2024"),
        ("fund", fund_id.as_str()),
        ("applied_on", "2024-04-01"),
        ("amount_fen", "5000.50"),
        ("reason", "新建工会"),
    ];
    refused(
        &li,
        "/subsidies/new",
        &[&case[..3], &case[5..]].concat(),
        "FIELD_MISSING",
    )
    .await;
    let page = saved(&li, "/subsidies/new", &case).await;
    assert!(page.has("已申请") && page.has("5,000.50") && page.has("西湖区社会组织联合工会"));
    let entries = link_of(&page, "/entries/");
    let step = |entry, on, amount| {
        [
            ("entry", entry),
            ("on", on),
            ("amount_fen", amount),
            ("reason", "会议纪要"),
        ]
    };
    refused(&li, &entries, &step("approved", "2024-04-05", "5000.50"), "V35").await;
    refused(&zhao, &entries, &step("approved", "2024-02-05", "5000.50"), "V34").await;
    refused(
        &zhao,
        &entries,
        &step("approved", "2024-04-05", "10000.01"),
        "V36",
    )
    .await;
    refused(&zhao, &entries, &step("approved", "2024-04-05", "0"), "V32").await;
    refused(&zhao, &entries, &step("approved", "2024-04-05", ""), "V32").await;
    let page = saved(&zhao, &entries, &step("approved", "2024-04-05", "5000.50")).await;
    assert!(page.has("已批准"));
    refused(
        &zhao,
        &entries,
        &step("disbursed", "2024-04-20", "5000.50"),
        "V35",
    )
    .await;
    let page = saved(&li, &entries, &step("disbursed", "2024-04-20", "5000.50")).await;
    assert!(page.has("已支付"));

    let second = saved(&li, "/subsidies/new", &case).await;
    let again = link_of(&second, "/entries/");
    refused(&zhao, &again, &step("approved", "2024-05-05", "100"), "V33").await;

    let payment = link_of(&page, &format!("{entries}/"));
    let form = li.get(&payment).await;
    assert!(form.has("账目不能更改"));
    let page = saved(&li, &payment, &[("on", "2024-04-21"), ("reason", "退票")]).await;
    assert!(page.has("cancelled") && page.has("已批准"), "{}", page.body);
    assert!(
        page.has("金额（元） 5,000.50"),
        "the history counts in yuan: {}",
        page.body
    );
    assert!(page.has("冲销") && !page.has("disbursed") && !page.has("fixed_subsidy"));
    let list = li.get("/subsidies").await;
    assert!(list.has("5,000.50") && list.has("西湖区社会组织联合工会"));
    assert!(li.get("/subsidies?q=没有这个").await.has("没有符合条件的补助"));
    assert!(
        li.get("/subsidies?q=社会组织")
            .await
            .has("西湖区社会组织联合工会")
    );
}

#[tokio::test]
async fn entry_made_from_a_stale_form_keeps_what_others_entered() {
    let node = Node::new();
    node.import(RECORDS);
    let (li, zhao) = (node.sign_in("li").await, node.sign_in("zhao").await);
    let address = format!("{}/contacts", entries_of(KINDERGARTEN));
    let stale = zhao.get(&address).await;
    saved(
        &li,
        &address,
        &[("on", "2024-05-06"), ("result", "首次走访"), ("reason", "走访")],
    )
    .await;
    let heads = stale.hidden("heads");
    let fields = [
        ("heads", heads.as_str()),
        ("on", "2024-05-07"),
        ("result", "再次走访"),
        ("reason", "走访"),
    ];
    let answer = zhao.submit(&stale, &address, &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let page = zhao.get(answer.path()).await;
    assert!(page.has("首次走访") && page.has("再次走访"));
    let fields = [("heads", "00"), ("on", "2024-05-07"), ("reason", "走访")];
    assert!(zhao.submit(&page, &address, &fields).await.has("HEADS_UNKNOWN"));
}
