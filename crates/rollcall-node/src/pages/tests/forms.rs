//! Forms that come twice, late or for nothing: what was entered is never lost, and never saved unseen.

use axum::http::StatusCode;
use rollcall_web::login::IDLE_MS_MAX;

use super::browser::{Answer, Browser, Node, PASSWORD};
use super::{RECORDS, SCHOOL, edit_form, page_of, save_address};

/// Sends the form that an answer is, with its hidden fields and these.
pub(super) async fn send(
    browser: &Browser<'_>,
    page: &Answer,
    action: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let hidden = page.hidden_of(action);
    let mut all: Vec<(&str, &str)> = hidden
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    all.extend(fields);
    browser.post(action, &all).await
}

#[tokio::test]
async fn form_sent_again_with_other_content_is_shown_again_and_saved_without_a_conflict() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let form = edit_form(&li).await;
    save_address(&li, &form, "学院路1号").await;
    let same = save_address(&li, &form, "学院路1号").await;
    assert!(
        same.location.ends_with("?notice=already_done"),
        "one notice, and a true one: {}",
        same.location
    );
    let other = save_address(&li, &form, "学院路2号").await;
    assert_eq!(other.status, StatusCode::CONFLICT, "{}", other.body);
    assert!(other.has("FORM_SENT") && other.has("value=\"学院路2号\""));
    assert!(
        !li.get(&page_of(SCHOOL)).await.has("学院路2号"),
        "nothing is saved unseen"
    );
    let action = format!("{}/edit", page_of(SCHOOL));
    let fields = [("address", "学院路2号"), ("reason", "更正")];
    let saved = send(&li, &other, &action, &fields).await;
    assert!(saved.location.ends_with("?notice=saved"), "{}", saved.body);
    let page = li.get(&page_of(SCHOOL)).await;
    assert!(
        page.has("学院路2号") && page.choices().is_empty(),
        "no conflict with oneself"
    );
}

#[tokio::test]
async fn new_record_sent_again_with_other_content_is_not_entered_twice() {
    let node = Node::new();
    let li = node.sign_in("li").await;
    let form = li.get("/organisations/new").await;
    let fields = |name| [("name", name), ("responsible", "330106"), ("reason", "来电")];
    let first = send(&li, &form, "/organisations/new", &fields("求知学校")).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.body);
    let second = send(&li, &form, "/organisations/new", &fields("求知中学")).await;
    assert_eq!(second.status, StatusCode::CONFLICT);
    assert!(second.has("FORM_SENT_NEW") && second.has("求知中学") && second.has(first.path()));
    assert!(!li.get("/organisations").await.has("求知中学"));
}

#[tokio::test]
async fn code_that_is_held_keeps_the_form_and_leads_to_its_record() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let form = li.get("/organisations/new").await;
    let fields = [
        ("name", "另一所学校"),
        ("code", SCHOOL),
        ("responsible", "330106"),
        ("reason", "来电"),
    ];
    let answer = send(&li, &form, "/organisations/new", &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.has("CODE_HELD") && answer.has("value=\"另一所学校\""));
    assert!(answer.has(&format!("href=\"{}\"", page_of(SCHOOL))));
    let code = answer.body.find("id=\"field-code\"").expect("the field");
    assert!(
        answer.body[code..]
            .split('>')
            .next()
            .is_some_and(|input| input.contains("autofocus")),
        "the cursor begins at the first faulty field"
    );
}

#[tokio::test]
async fn form_left_as_it_is_says_that_nothing_changed() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let form = edit_form(&li).await;
    let action = format!("{}/edit", page_of(SCHOOL));
    let saved = send(&li, &form, &action, &[("reason", "核查")]).await;
    assert!(
        saved.location.ends_with("?notice=unchanged"),
        "{}",
        saved.location
    );
    assert!(li.get(&saved.location).await.has("没有改动"));
}

#[tokio::test]
async fn form_sent_after_the_session_ended_waits_behind_the_door() {
    let node = Node::new();
    node.import(RECORDS);
    let mut li = node.sign_in("li").await;
    let form = edit_form(&li).await;
    let action = format!("{}/edit", page_of(SCHOOL));
    node.pass(IDLE_MS_MAX);
    let fields = [("address", "学院路<9>号 \"东\""), ("reason", "更正")];
    let door = send(&li, &form, &action, &fields).await;
    assert_eq!(door.status, StatusCode::FORBIDDEN);
    assert!(door.has("SESSION_OLD") && door.has("action=\"/login\""));
    let wrong = li.sign_in_at(&door, "li", "wrong wrong wrong").await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    let inside = li.sign_in_at(&wrong, "li", PASSWORD).await;
    assert_eq!(inside.status, StatusCode::OK, "{}", inside.body);
    let shown = send(&li, &inside, &action, &[]).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
    assert!(shown.has("FORM_KEPT") && shown.has("value=\"学院路&#60;9&#62;号 &#34;东&#34;\""));
    assert!(
        !li.get(&page_of(SCHOOL)).await.has("学院路"),
        "nothing is saved unseen"
    );
    let saved = send(&li, &shown, &action, &fields).await;
    assert!(saved.location.ends_with("?notice=saved"), "{}", saved.body);
    assert!(li.get(&page_of(SCHOOL)).await.has("学院路"));
}

#[tokio::test]
async fn form_waits_until_a_password_that_was_given_is_changed() {
    for ended in [false, true] {
        let node = Node::new();
        node.import(RECORDS);
        let mut li = node.sign_in("li").await;
        let form = edit_form(&li).await;
        let action = format!("{}/edit", page_of(SCHOOL));
        node.reset_password("li");
        if ended {
            node.pass(IDLE_MS_MAX);
        }
        let address = format!("学院路{ended}号");
        let fields = [("address", address.as_str()), ("reason", "更正")];
        let mut door = send(&li, &form, &action, &fields).await;
        assert_eq!(door.status, StatusCode::FORBIDDEN, "{}", door.body);
        if ended {
            door = li.sign_in_at(&door, "li", PASSWORD).await;
        }
        assert!(door.has("action=\"/password\""), "{}", door.body);
        let change = |new: &'static str| [("present", PASSWORD), ("new", new), ("again", new)];
        let short = send(&li, &door, "/password", &change("short")).await;
        assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
        let inside = send(&li, &short, "/password", &change("eight calm lakes")).await;
        li.take_cookie(&inside);
        assert_eq!(inside.status, StatusCode::OK, "{}", inside.body);
        let shown = send(&li, &inside, &action, &[]).await;
        assert!(shown.has("FORM_KEPT") && shown.has(&address), "{}", shown.body);
        let saved = send(&li, &shown, &action, &fields).await;
        assert!(saved.location.ends_with("?notice=saved"), "{}", saved.body);
    }
}

#[tokio::test]
async fn form_that_cannot_be_shown_again_is_never_carried_out_for_it() {
    let node = Node::new();
    node.import(RECORDS);
    let mut li = node.sign_in("li").await;
    let form = li.get("/sync").await;
    let asked = li.submit(&form, "/sync", &[("form_again", "asked")]).await;
    assert!(asked.has("FORM_NOT_OURS"), "{}", asked.body);
    node.pass(IDLE_MS_MAX);
    let door = li.submit(&form, "/sync", &[]).await;
    assert_eq!(door.status, StatusCode::FORBIDDEN);
    let inside = li.sign_in_at(&door, "li", PASSWORD).await;
    assert_eq!(inside.location, "/", "nothing is carried");
}

#[tokio::test]
async fn dates_and_counts_are_taken_as_lists_write_them() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let form = edit_form(&li).await;
    let action = format!("{}/edit", page_of(SCHOOL));
    let fields = [
        ("counted_on", "2024年12月30日"),
        ("workers", "１,234"),
        ("members", "1,200"),
        ("reason", "核查"),
    ];
    let saved = send(&li, &form, &action, &fields).await;
    assert!(saved.location.ends_with("?notice=saved"), "{}", saved.body);
    let page = li.get(&page_of(SCHOOL)).await;
    assert!(page.has("2024年12月30日") && page.has("1,234"), "{}", page.body);
}

#[tokio::test]
async fn what_is_wrong_is_said_once() {
    let node = Node::new();
    let li = node.sign_in("li").await;
    let form = li.get("/unions/new").await;
    let fields = [
        ("name", "某工会"),
        ("form", "joint"),
        ("higher_union", "330106"),
        ("applied_on", "2024-03-12"),
        ("elected_on", "2024-03-11"),
        ("established_on", "2024-03-10"),
        ("founding_number", "3号"),
        ("reason", "批复"),
    ];
    let answer = send(&li, &form, "/unions/new", &fields).await;
    assert_eq!(answer.body.matches("[V19]").count(), 1, "{}", answer.body);
    let form = li.get("/organisations/new").await;
    let fields = [
        ("name", "一所学校"),
        ("code", "52330106XXXX000350"),
        ("reason", "来电"),
    ];
    let answer = send(&li, &form, "/organisations/new", &fields).await;
    assert!(answer.has("[V02]") && !answer.has("统一社会信用代码: 统一社会信用代码"));
}

#[tokio::test]
async fn columns_and_reasons_of_imports_are_in_words() {
    let node = Node::new();
    node.import(RECORDS);
    let li = node.sign_in("li").await;
    let record = r#"{"type":"organisation","id":"far","name":"宁波某校","responsible":"330203"}"#;
    let form = li.get("/import").await;
    let sorted = li.upload(&form, "记录.jsonl", record.as_bytes()).await;
    assert_eq!(sorted.status, StatusCode::SEE_OTHER, "{}", sorted.body);
    let plan = li.get(&sorted.location).await;
    assert!(plan.has("<td>责任工会</td>"), "{}", plan.body);
}
