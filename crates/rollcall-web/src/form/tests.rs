//! Forms through the router: what is taken, what is refused, what happens twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{Request, StatusCode, header};

use super::*;
use crate::testing::{Answer, Browser, PASSWORD};

#[derive(Deserialize)]
struct Name {
    name: String,
    #[serde(default, deserialize_with = "empty_is_none")]
    workers: Option<u32>,
}

const FILE_SIZE_BYTES_MAX: usize = 3 * 1024 * 1024;

async fn save(form: CheckedForm<Name>) -> Result<Response, Error> {
    form.submit_once(|Name { name, workers }| async move {
        match name.as_str() {
            "refused" => Err(Error::refused(
                "FOREIGN_JURISDICTION",
                "\"<b>\" is kept elsewhere.",
            )),
            _ => Ok(format!("/saved?name={name}&workers={workers:?}")),
        }
    })
    .await
}

async fn upload(request: UploadRequest) -> Result<String, Error> {
    let mut sink = Vec::new();
    let upload = request.read(&mut sink, FILE_SIZE_BYTES_MAX as u64).await?;
    assert_eq!(sink.len() as u64, upload.size_bytes);
    Ok(format!(
        "{} {} {:?}",
        upload.file_name, upload.size_bytes, upload.fields
    ))
}

fn pages() -> Router {
    Router::new()
        .route("/save", post(save))
        .route("/upload", post(upload).layer(upload_limit(FILE_SIZE_BYTES_MAX)))
        .route(
            "/list",
            get(|CheckedQuery(paging): CheckedQuery<Paging>| async move { paging.offset().to_string() }),
        )
}

async fn signed_in() -> (Browser, String) {
    let mut browser = Browser::new(pages());
    browser.sign_in("li", PASSWORD).await;
    let token = browser.get("/password").await.hidden("form_token");
    (browser, token)
}

#[tokio::test]
async fn form_without_the_token_of_its_session_is_refused() {
    let (mut browser, token) = signed_in().await;
    let (other, old) = signed_in().await;
    drop(other);
    let cases = [
        (
            vec![("name", "x"), ("form_once", "1")],
            StatusCode::FORBIDDEN,
            "FORM_NOT_OURS",
        ),
        (
            vec![("name", "x"), ("form_once", "1"), ("form_token", "nonsense")],
            StatusCode::FORBIDDEN,
            "FORM_NOT_OURS",
        ),
        (
            vec![("name", "x"), ("form_once", "1"), ("form_token", &old)],
            StatusCode::FORBIDDEN,
            "SESSION_OLD",
        ),
        (
            vec![("name", "x"), ("form_token", &token)],
            StatusCode::FORBIDDEN,
            "FORM_NOT_OURS",
        ),
        (
            vec![("form_once", "1"), ("form_token", &token)],
            StatusCode::BAD_REQUEST,
            "PARAM_INVALID",
        ),
        (
            vec![("name", "x"), ("workers", "many"), ("form_token", &token)],
            StatusCode::BAD_REQUEST,
            "PARAM_INVALID",
        ),
        (
            vec![("name", "x"), ("name", "y"), ("form_token", &token)],
            StatusCode::BAD_REQUEST,
            "PARAM_INVALID",
        ),
    ];
    for (fields, status, code) in cases {
        let answer = browser.post("/save", &fields).await;
        assert_eq!(answer.status, status, "{fields:?}");
        assert!(answer.body.contains(code), "{fields:?}");
    }
    let fields = [
        ("name", "x"),
        ("workers", ""),
        ("form_once", "1"),
        ("form_token", &token),
    ];
    let taken = browser.post("/save", &fields).await;
    assert_eq!(
        (taken.status, taken.location()),
        (StatusCode::SEE_OTHER, "/saved?name=x&workers=None")
    );
}

#[tokio::test]
async fn same_form_sent_twice_is_carried_out_once_and_shows_its_result() {
    let (mut browser, token) = signed_in().await;
    let mut send = async |name: &str, once: &str| {
        let fields = [
            ("name", name),
            ("form_once", once),
            ("form_token", token.as_str()),
        ];
        browser.post("/save", &fields).await.location().to_owned()
    };
    assert_eq!(send("one", "k1").await, "/saved?name=one&workers=None");
    assert_eq!(
        send("one", "k1").await,
        "/saved?name=one&workers=None&notice=already_done"
    );
    assert_eq!(
        send("two", "k1").await,
        "/saved?name=one&workers=None&notice=not_saved",
        "what is in it now was not carried out, and it says so"
    );
    assert_eq!(send("two", "k2").await, "/saved?name=two&workers=None");
    assert_eq!(send("refused", "k3").await, "", "a refusal is not a result");
    assert_eq!(send("three", "k3").await, "/saved?name=three&workers=None");
}

#[test]
fn page_beyond_the_last_is_the_last() {
    let page = |page, size, total| Paging { page, size }.within(total).page;
    assert_eq!(page(99_999, 50, 101), 3);
    assert_eq!(page(2, 50, 101), 2);
    assert_eq!(page(7, 50, 0), 1);
}

#[test]
fn address_carries_one_notice() {
    for (address, notice) in [
        ("/a", "/a?notice=saved"),
        ("/a?q=x", "/a?q=x&notice=saved"),
        ("/a?notice=unchanged", "/a?notice=saved"),
        ("/a?notice=unchanged&q=x", "/a?q=x&notice=saved"),
    ] {
        assert_eq!(with_notice(address, "saved"), notice);
    }
}

#[tokio::test]
async fn second_tab_waits_for_the_first() {
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let slow = move |form: CheckedForm<Name>| {
        let count = Arc::clone(&count);
        async move {
            form.submit_once(|_| async move {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                Ok(format!("/saved/{}", count.fetch_add(1, Ordering::SeqCst)))
            })
            .await
        }
    };
    let mut browser = Browser::new(Router::new().route("/save", post(slow)));
    browser.sign_in("li", PASSWORD).await;
    let token = browser.get("/password").await.hidden("form_token");
    let fields = [("name", "x"), ("form_once", "1"), ("form_token", token.as_str())];
    let mut tab = Browser {
        cookie: browser.cookie.clone(),
        ..Browser::new(Router::new())
    };
    tab.router = browser.router.clone();
    let (first, second) = tokio::join!(browser.post("/save", &fields), tab.post("/save", &fields));
    assert_eq!(done.load(Ordering::SeqCst), 1);
    let mut places = [first.location(), second.location()];
    places.sort_unstable();
    assert_eq!(places, ["/saved/0", "/saved/0?notice=already_done"]);
}

#[tokio::test]
async fn refusal_of_the_field_is_told_by_its_code_in_the_language_of_the_page() {
    let (mut browser, token) = signed_in().await;
    let fields = [
        ("name", "refused"),
        ("form_once", "1"),
        ("form_token", token.as_str()),
    ];
    let answer = browser.post("/save", &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer.body.contains("FOREIGN_JURISDICTION") && answer.body.contains("先办理移交。（&#60;b&#62;）")
    );
}

#[tokio::test]
async fn paging_outside_its_bounds_is_refused() {
    let mut browser = Browser::new(pages());
    for (query, offset) in [
        ("", "0"),
        ("?page=3", "100"),
        ("?page=2&size=500", "500"),
        ("?page=&size=", "0"),
    ] {
        assert_eq!(
            browser.get(&format!("/list{query}")).await.body,
            offset,
            "{query}"
        );
    }
    for query in [
        "page=-1",
        "page=0",
        "size=1e9",
        "size=1000000000",
        "page=1000001",
        "page=1;drop",
        "page=%27",
    ] {
        let answer = browser.get(&format!("/list?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.body.contains("PARAM_INVALID"), "{query}");
    }
}

async fn send_file(browser: &mut Browser, fields: &[(&str, &str)], file: &[u8], end: &str) -> Answer {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(
            format!("--cut\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").as_bytes(),
        );
    }
    let head = "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"名单.csv\"\r\n\r\n";
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(end.as_bytes());
    let request = Request::post("/upload").header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut");
    browser.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn upload_is_streamed_limited_and_guarded() {
    const END: &str = "\r\n--cut--\r\n";
    let (mut browser, token) = signed_in().await;
    let fields = [
        ("form_token", token.as_str()),
        ("form_once", "1"),
        ("as", "unions"),
    ];
    let file = vec![b'x'; 2 * 1024 * 1024 + 1];
    let taken = send_file(&mut browser, &fields, &file, END).await;
    assert_eq!(taken.body, "名单.csv 2097153 {\"as\": \"unions\"}");
    let cases = [
        (&fields[1..], &b"x"[..], END, "FORM_NOT_OURS"),
        (
            &fields[..],
            &vec![b'x'; FILE_SIZE_BYTES_MAX + 1][..],
            END,
            "TOO_BIG",
        ),
        (
            &fields[..],
            &vec![b'x'; FILE_SIZE_BYTES_MAX * 2][..],
            END,
            "TOO_BIG",
        ),
        (&fields[..], &b"x"[..], "", "UPLOAD_CUT"),
    ];
    for (fields, file, end, code) in cases {
        let answer = send_file(&mut browser, fields, file, end).await;
        assert!(
            answer.body.contains(code),
            "{code}: {} {}",
            answer.status,
            answer.body.len()
        );
    }
}

#[tokio::test]
async fn form_above_the_limit_is_refused() {
    let (mut browser, token) = signed_in().await;
    let long = "x".repeat(crate::site::BODY_SIZE_BYTES_MAX);
    let answer = browser
        .post("/save", &[("name", &long), ("form_token", &token)])
        .await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.body.contains("TOO_BIG"));
}
