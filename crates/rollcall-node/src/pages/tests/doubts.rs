//! Forms that tell what they found before they save: second records of one thing, money that is not there.

use axum::http::StatusCode;

use super::browser::{Answer, Browser, Node};
use super::entries::{KINDERGARTEN, entries_of, fill, joint_union, link_of, saved};
use super::forms::send;
use super::{RECORDS, SCHOOL, page_of};

const JOINT: &str = "西湖区社会组织联合工会";

/// Sends the form at an address; it asks about this code and saves nothing.
async fn asked(browser: &Browser<'_>, address: &str, fields: &[(&str, &str)], code: &str) -> Answer {
    let told = fill(browser, address, fields).await;
    assert_eq!(
        told.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{address} {code}: {}",
        told.body
    );
    for text in ["[SAVE_ASKED]", &format!("[{code}]"), "仍然保存"] {
        assert!(told.has(text), "{text}: {}", told.body);
    }
    for english in ["already", "There is", "More goes", "The payments"] {
        assert!(!told.has(english), "{code} is said in Chinese, not {english:?}");
    }
    told
}

/// The same, and saves it when the form is sent once more as it is then.
async fn saved_when_told(
    browser: &Browser<'_>,
    address: &str,
    fields: &[(&str, &str)],
    code: &str,
) -> Answer {
    let told = asked(browser, address, fields, code).await;
    let answer = send(browser, &told, address, fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{address}: {}", answer.body);
    browser.get(answer.path()).await
}

#[tokio::test]
async fn organisation_of_a_name_that_is_held_is_entered_when_it_is_meant() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let named = |name| [("name", name), ("responsible", "330106"), ("reason", "来电")];
    let school = named("杭州市西湖区 求知学校");
    let told = asked(&li, "/organisations/new", &school, "V28").await;
    assert!(
        told.has(&format!("href=\"{}\"", page_of(SCHOOL))),
        "{}",
        told.body
    );
    let other = send(&li, &told, "/organisations/new", &named("杭州市西湖区茶业协会")).await;
    assert!(
        other.has("[V28]") && other.has("茶业协会"),
        "what was not told is asked about: {}",
        other.body
    );
    saved_when_told(&li, "/organisations/new", &school, "V28").await;
    let apart = [
        ("name", "杭州市西湖区求知学校"),
        ("location", "330105"),
        ("responsible", "330106"),
        ("reason", "来电"),
    ];
    let told = fill(&li, "/organisations/new", &apart).await;
    assert!(
        told.has("[V28]") && !told.has(&page_of(SCHOOL)),
        "the one just entered has no place, the school lies in another county: {}",
        told.body
    );
}

#[tokio::test]
async fn second_union_of_an_organisation_is_told() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let own = |name, organisation| {
        [
            ("name", name),
            ("form", "own"),
            ("higher_union", "330106"),
            ("organisation", organisation),
            ("reason", "批复"),
        ]
    };
    let told = asked(&li, "/unions/new", &own("求知学校工会", SCHOOL), "V26").await;
    assert!(told.has("求知学校工会委员会"), "it says which: {}", told.body);
    saved_when_told(&li, "/unions/new", &own("求知学校工会", SCHOOL), "V26").await;

    joint_union(&li, JOINT, "2024-03-10").await;
    let joint = [
        ("name", JOINT),
        ("form", "joint"),
        ("higher_union", "330106"),
        ("reason", "批复"),
    ];
    asked(&li, "/unions/new", &joint, "UNION_HELD").await;
    joint_union(&li, "西湖区第二联合工会", "2024-03-10").await;

    let coverage = format!("{}/coverage", entries_of(KINDERGARTEN));
    let link = |union| [("union", union), ("from", "2024-04-01"), ("reason", "列入名单")];
    saved(&li, &coverage, &link(JOINT)).await;
    asked(&li, &coverage, &link(JOINT), "COVERED_ALREADY").await;
    saved_when_told(&li, &coverage, &link("西湖区第二联合工会"), "COVERED_ALREADY").await;
    let told = asked(
        &li,
        "/unions/new",
        &own("小草幼儿园工会", KINDERGARTEN),
        "COVERED_ALREADY",
    )
    .await;
    assert!(told.has(JOINT) && told.has("西湖区第二联合工会"), "{}", told.body);
}

#[tokio::test]
async fn money_that_is_not_there_is_told_before_it_is_booked() {
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
    let ledger = link_of(&page, "/entries/");
    let told = asked(&li, "/funds/new", &fund, "FUND_HELD").await;
    assert!(told.has("330106 西湖区, 2024"), "{}", told.body);
    let passed = |amount| {
        [
            ("entry", "passed_down"),
            ("on", "2024-02-01"),
            ("amount_fen", amount),
            ("reason", "下拨"),
        ]
    };
    saved(&li, &ledger, &passed("10000")).await;
    saved_when_told(&li, &ledger, &passed("0.01"), "FUND_SHORT").await;

    joint_union(&li, JOINT, "2024-03-10").await;
    let case = [
        ("federation", "330106"),
        ("payee_union", JOINT),
        ("kind", "project_subsidy"),
        ("applied_on", "2024-04-01"),
        ("amount_fen", "500"),
        ("reason", "活动经费"),
    ];
    let page = saved(&li, "/subsidies/new", &case).await;
    let steps = link_of(&page, "/entries/");
    let step = |entry, amount| {
        [
            ("entry", entry),
            ("on", "2024-04-20"),
            ("amount_fen", amount),
            ("reason", "付款"),
        ]
    };
    asked(&li, &steps, &step("disbursed", "500"), "V36").await;
    saved(&zhao, &steps, &step("approved", "500")).await;
    saved(&li, &steps, &step("disbursed", "500")).await;
    saved_when_told(&li, &steps, &step("disbursed", "1"), "V36").await;
    saved_when_told(&li, &steps, &step("disbursed", "2"), "V36").await;
}
