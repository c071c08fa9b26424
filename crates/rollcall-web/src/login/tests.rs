//! The door through the router: who gets in, for how long, and what is written down.

use axum::Router;
use axum::routing::get;
use http::{StatusCode, header};

use super::*;
use crate::testing::{Browser, PASSWORD};

fn pages() -> Router {
    Router::new()
        .route(
            "/organisations",
            get(|signed_in: SignedIn| async move { signed_in.account.name }),
        )
        .route(
            "/import",
            get(|Clerk(signed_in): Clerk| async move { signed_in.account.name }),
        )
        .route(
            "/accounts",
            get(|Administrator(signed_in): Administrator| async move { signed_in.account.name }),
        )
}

fn kinds(browser: &Browser) -> Vec<LoginEventKind> {
    browser
        .accounts
        .events
        .lock()
        .unwrap()
        .iter()
        .map(|event| event.kind)
        .collect()
}

#[tokio::test]
async fn visitor_is_led_to_the_door_and_back() {
    let mut browser = Browser::new(pages());
    let answer = browser.get("/organisations?q=x&lang=en").await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "/login?next=/organisations%3Fq%3Dx")
    );
    let door = browser.get(answer.location()).await;
    assert_eq!(door.hidden("next"), "/organisations?q=x");
    let before = browser.cookie.clone();
    let fields = [
        ("name", " li "),
        ("password", PASSWORD),
        ("next", "/organisations?q=x"),
        ("form_token", &door.hidden("form_token")),
    ];
    let answer = browser.post("/login", &fields).await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "/organisations?q=x")
    );
    assert_ne!(
        browser.cookie, before,
        "the cookie is new, so that one planted before is worth nothing"
    );
    assert_eq!(browser.get("/organisations").await.body, "li");
    assert_eq!(kinds(&browser), [LoginEventKind::SignedIn]);
}

#[tokio::test]
async fn cookie_is_marked_for_its_transport() {
    for (tls, prefix, secure) in [(false, "rollcall-", false), (true, "__Host-rollcall-", true)] {
        let mut browser = Browser::with_tls(pages(), tls);
        let answer = browser.sign_in("li", PASSWORD).await;
        let line = answer.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap();
        assert!(line.starts_with(prefix), "{line}");
        for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
            assert!(line.contains(part), "{line}");
        }
        assert_eq!(line.contains("; Secure"), secure, "{line}");
        assert_eq!(browser.get("/organisations").await.body, "li");
    }
}

#[tokio::test]
async fn wrong_name_wrong_password_and_disabled_account_look_the_same() {
    let mut bodies = Vec::new();
    for (name, password) in [
        ("li", "wrong wrong wrong"),
        ("nobody", PASSWORD),
        ("gone", PASSWORD),
    ] {
        let mut browser = Browser::new(pages());
        let answer = browser.sign_in(name, password).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
        let token = answer.hidden("form_token");
        let once = answer.hidden("form_once");
        let shown = format!("value=\"{name}\"");
        bodies.push(
            answer
                .body
                .replace(&token, "")
                .replace(&once, "")
                .replace(&shown, ""),
        );
        assert_eq!(browser.get("/organisations").await.status, StatusCode::SEE_OTHER);
        assert_eq!(kinds(&browser), [LoginEventKind::Refused]);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[0], bodies[2]);
}

#[tokio::test]
async fn sixth_try_is_not_looked_at_until_its_time_has_come() {
    let mut browser = Browser::new(pages());
    for _ in 0..5 {
        assert_eq!(
            browser.sign_in("li", "wrong wrong wrong").await.status,
            StatusCode::FORBIDDEN
        );
    }
    let answer = browser.sign_in("li", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers.get(header::RETRY_AFTER).unwrap(), "2");
    assert!(answer.body.contains("TOO_MANY_TRIES"));
    browser.pass(2000);
    assert_eq!(
        browser.sign_in("li", PASSWORD).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        kinds(&browser)[4..],
        [
            LoginEventKind::Refused,
            LoginEventKind::Delayed,
            LoginEventKind::SignedIn
        ]
    );
}

#[tokio::test]
async fn session_ends_when_idle_and_after_twelve_hours() {
    let mut browser = Browser::new(pages());
    browser.sign_in("li", PASSWORD).await;
    browser.pass(IDLE_MS_MAX - 1);
    assert_eq!(browser.get("/organisations").await.status, StatusCode::OK);
    browser.pass(IDLE_MS_MAX);
    assert_eq!(browser.get("/organisations").await.status, StatusCode::SEE_OTHER);
    browser.sign_in("li", PASSWORD).await;
    let mut answered = 0;
    while browser.get("/organisations").await.status == StatusCode::OK {
        browser.pass(IDLE_MS_MAX / 3);
        answered += 1;
    }
    assert_eq!(answered, LIFETIME_MS_MAX / (IDLE_MS_MAX / 3));
}

#[tokio::test]
async fn disabling_an_account_takes_effect_at_the_next_page() {
    let mut browser = Browser::new(pages());
    browser.sign_in("li", PASSWORD).await;
    browser.accounts.change("li", |account| account.disabled = true);
    assert_eq!(browser.get("/organisations").await.status, StatusCode::SEE_OTHER);
    browser.accounts.change("li", |account| account.disabled = false);
    assert_eq!(
        browser.get("/organisations").await.status,
        StatusCode::SEE_OTHER,
        "the login session is gone"
    );
}

#[tokio::test]
async fn role_decides_by_the_present_answer_of_the_store() {
    let mut browser = Browser::new(pages());
    browser.sign_in("wang", PASSWORD).await;
    assert_eq!(browser.get("/organisations").await.status, StatusCode::OK);
    let refused = browser.get("/import").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.body.contains("NOT_ALLOWED"));
    browser
        .accounts
        .change("wang", |account| account.role = Role::Head);
    assert_eq!(browser.get("/import").await.status, StatusCode::OK);
    assert_eq!(browser.get("/accounts").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn given_password_must_be_changed_before_anything_else() {
    let mut browser = Browser::new(pages());
    let answer = browser.sign_in("new", PASSWORD).await;
    assert_eq!(answer.location(), "/password");
    assert_eq!(browser.get("/organisations").await.location(), "/password");
    let cases = [
        (
            PASSWORD,
            "eight calm lakes",
            "eight calm seas",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (PASSWORD, PASSWORD, PASSWORD, StatusCode::UNPROCESSABLE_ENTITY),
        (PASSWORD, "short", "short", StatusCode::UNPROCESSABLE_ENTITY),
        (
            PASSWORD,
            "123456789012",
            "123456789012",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "wrong wrong wrong",
            "eight calm lakes",
            "eight calm lakes",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            PASSWORD,
            "eight calm lakes",
            "eight calm lakes",
            StatusCode::SEE_OTHER,
        ),
    ];
    for (present, new, again, status) in cases {
        let token = browser.get("/password").await.hidden("form_token");
        let fields = [
            ("present", present),
            ("new", new),
            ("again", again),
            ("form_token", token.as_str()),
        ];
        assert_eq!(
            browser.post("/password", &fields).await.status,
            status,
            "{present} {new} {again}"
        );
    }
    assert_eq!(browser.get("/organisations").await.body, "new");
    browser.cookie = None;
    assert_eq!(
        browser.sign_in("new", PASSWORD).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(browser.sign_in("new", "eight calm lakes").await.location(), "/");
}

#[tokio::test]
async fn changing_the_password_ends_the_other_sessions() {
    let mut browser = Browser::new(pages());
    browser.sign_in("li", PASSWORD).await;
    let other = browser.cookie.take();
    browser.sign_in("li", PASSWORD).await;
    let token = browser.get("/password").await.hidden("form_token");
    let fields = [
        ("present", PASSWORD),
        ("new", "eight calm lakes"),
        ("again", "eight calm lakes"),
        ("form_token", &token),
    ];
    assert_eq!(
        browser.post("/password", &fields).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(browser.get("/organisations").await.status, StatusCode::OK);
    browser.cookie = other;
    assert_eq!(browser.get("/organisations").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_its_cookie() {
    let mut browser = Browser::new(pages());
    browser.sign_in("li", PASSWORD).await;
    let cookie = browser.cookie.clone();
    let token = browser.get("/password").await.hidden("form_token");
    let refused = browser.post("/logout", &[]).await;
    assert_eq!(
        refused.status,
        StatusCode::FORBIDDEN,
        "another page cannot sign somebody out"
    );
    let answer = browser.post("/logout", &[("form_token", &token)]).await;
    assert_eq!(answer.location(), "/login?notice=signed_out");
    assert_eq!(browser.cookie, None);
    browser.cookie = cookie;
    assert_eq!(browser.get("/organisations").await.status, StatusCode::SEE_OTHER);
}
