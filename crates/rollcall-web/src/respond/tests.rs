//! Every answer through the router: checks before, headers on, errors as pages.

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{Request, StatusCode, header};

use super::*;
use crate::asset;
use crate::testing::{Browser, HOST};

fn pages() -> Router {
    Router::new()
        .route("/plain", get(|| async { "text" }))
        .route("/send", post(|| async { "done" }))
        .route(
            "/broken",
            get(|| async { Err::<(), _>(Error::internal("disk gone")) }),
        )
        .route("/panics", get(panics))
        .route(
            "/kept",
            get(|| async { ([(header::CACHE_CONTROL, "private, max-age=60")], "text") }),
        )
}

async fn panics() {
    panic!("a broken invariant");
}

const PATHS: [(&str, StatusCode); 8] = [
    ("/plain", StatusCode::OK),
    ("/login", StatusCode::OK),
    ("/password", StatusCode::SEE_OTHER),
    ("/nowhere", StatusCode::NOT_FOUND),
    ("/send", StatusCode::METHOD_NOT_ALLOWED),
    ("/broken", StatusCode::INTERNAL_SERVER_ERROR),
    ("/panics", StatusCode::INTERNAL_SERVER_ERROR),
    ("/static/0000000000000000/rollcall.css", StatusCode::NOT_FOUND),
];

#[tokio::test]
async fn every_answer_carries_the_headers_and_its_own_request_id() {
    let mut browser = Browser::new(pages());
    let mut ids = std::collections::BTreeSet::new();
    for (path, status) in PATHS
        .into_iter()
        .chain([(asset::stylesheet_path(), StatusCode::OK)])
    {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        let policy = answer
            .headers
            .get(header::CONTENT_SECURITY_POLICY)
            .unwrap()
            .to_str()
            .unwrap();
        assert!(
            policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains("  "), "{policy}");
        assert_eq!(answer.headers.get("x-content-type-options").unwrap(), "nosniff");
        assert_eq!(answer.headers.get("referrer-policy").unwrap(), "same-origin");
        assert!(answer.headers.contains_key(header::CACHE_CONTROL), "{path}");
        let id = answer
            .headers
            .get(REQUEST_ID)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if status.is_client_error() || status.is_server_error() {
            assert!(answer.body.contains(&id), "{path} shows its request id");
        }
        assert!(ids.insert(id), "ids differ");
    }
}

#[tokio::test]
async fn error_pages_say_what_to_do_and_nothing_of_the_inside() {
    let mut browser = Browser::new(pages());
    let cases = [
        ("/nowhere", "NOT_FOUND"),
        ("/send", "METHOD_NOT_ALLOWED"),
        ("/broken", "INTERNAL"),
        ("/panics", "INTERNAL"),
    ];
    for (path, code) in cases {
        for lang in ["zh", "en"] {
            let answer = browser.get(&format!("{path}?lang={lang}")).await;
            assert!(answer.body.contains(&format!("<code>{code}</code>")), "{path}");
            assert!(answer.body.contains(&format!("<html lang=\"{lang}")), "{path}");
            assert!(
                !answer.body.contains("disk gone") && !answer.body.contains("invariant"),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn every_error_has_its_words_in_both_languages() {
    let errors = [
        Error::HostNotAllowed,
        Error::FormNotOurs,
        Error::SessionOld,
        Error::ParamInvalid {
            detail: String::new(),
        },
        Error::NotFound,
        Error::MethodNotAllowed,
        Error::NotAllowed,
        Error::AlreadyDone,
        Error::TooManyTries { wait_seconds: 2 },
        Error::TooBig { size_bytes_max: 2 },
        Error::UploadCut,
        Error::TookTooLong,
        Error::BeingCounted,
        Error::Panicked,
    ];
    for locale in crate::locale::Locale::ALL {
        for error in &errors {
            for part in ["title", "remedy"] {
                let key = format!("problem.{}.{part}", error.code());
                assert!(locale.lookup(&key).is_some(), "{key}");
            }
        }
    }
}

#[tokio::test]
async fn foreign_host_and_foreign_origin_are_refused_before_any_handler() {
    let mut browser = Browser::new(pages());
    for host in [
        "evil.example",
        "127.0.0.1.evil.example:8080",
        "localhost:9",
        "0.0.0.0:8080",
    ] {
        let answer = browser
            .send(
                Request::get("/plain")
                    .header(header::HOST, host)
                    .body(Body::empty())
                    .unwrap(),
            )
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{host}");
        assert!(answer.body.contains("HOST_NOT_ALLOWED"), "{host}");
    }
    let send = |name: &str, value: &str| {
        Request::post("/send")
            .header(name, value)
            .body(Body::empty())
            .unwrap()
    };
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let answer = browser.send(send(name, value)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}: {value}");
        assert!(answer.body.contains("FORM_NOT_OURS"), "{name}: {value}");
    }
    assert_eq!(
        browser.send(send("origin", &format!("http://{HOST}"))).await.body,
        "done"
    );
}

#[tokio::test]
async fn programs_get_errors_as_json_and_their_own_plain_answers() {
    let mut browser = Browser::new(pages());
    let request = Request::get("/nowhere")
        .header(header::ACCEPT, "application/json")
        .body(Body::empty())
        .unwrap();
    let answer = browser.send(request).await;
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["code"], "NOT_FOUND");
    assert_eq!(
        body["request_id"],
        answer.headers.get(REQUEST_ID).unwrap().to_str().unwrap()
    );
}

#[tokio::test]
async fn language_is_chosen_by_query_then_cookie_then_browser() {
    let mut browser = Browser::new(pages());
    let ask = |path: &str, cookie: &str, accept: &str| {
        let request = Request::get(path)
            .header(header::COOKIE, cookie)
            .header(header::ACCEPT_LANGUAGE, accept);
        request.body(Body::empty()).unwrap()
    };
    let cases = [
        ("/login", "", "", "zh-CN"),
        ("/login", "", "en-GB,en", "en"),
        ("/login", "rollcall-language=zh", "en", "zh-CN"),
        ("/login?lang=en", "rollcall-language=zh", "zh", "en"),
        ("/login?lang=xx", "rollcall-language=en", "zh", "en"),
    ];
    for (path, cookie, accept, page) in cases {
        let answer = browser.send(ask(path, cookie, accept)).await;
        assert!(
            answer.body.contains(&format!("<html lang=\"{page}\">")),
            "{path} {cookie} {accept}"
        );
        let mut lines = answer
            .headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|line| line.to_str().unwrap());
        assert_eq!(
            lines.any(|line| line.starts_with("rollcall-language=en;")),
            path.ends_with("=en"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn files_are_kept_for_good_and_pages_not_at_all() {
    let mut browser = Browser::new(pages());
    let cases = [
        (asset::stylesheet_path(), "public, max-age=31536000, immutable"),
        (asset::icon_path(), "public, max-age=31536000, immutable"),
        ("/login", "no-store"),
        ("/nowhere", "no-store"),
        ("/kept", "private, max-age=60"),
    ];
    for (path, caching) in cases {
        assert_eq!(
            browser
                .get(path)
                .await
                .headers
                .get(header::CACHE_CONTROL)
                .unwrap(),
            caching,
            "{path}"
        );
    }
    let page = browser.get("/login").await.body;
    assert!(page.contains(asset::stylesheet_path()) && page.contains(asset::icon_path()));
}
