//! The console through its router, over the country of the test vector.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_replica::Replica;
use rollcall_store::account::AccountRow;
use rollcall_store::enrolment::{EnrolmentRow, Jurisdiction};
use rollcall_store::{CreateOptions, Role, Store};
use rollcall_web::headers::HostList;
use rollcall_web::site::Program;
use rollcall_web::{Site, SiteConfig};
use tower::ServiceExt;

use crate::accounts::StoreAccounts;
use crate::app::App;
use crate::router;

const VECTOR: &str = include_str!("../../../../tests/fixtures/country/vector.jsonl");
const PASSWORD: &str = "seven quiet rivers";
const NOW_MS: i64 = 1_735_870_269_000;

struct Console {
    router: Router,
    cookie: String,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: String,
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router
        .clone()
        .oneshot(request)
        .await
        .expect("an answer")
        .into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

impl Answer {
    fn cookie(&self) -> String {
        let line = self.headers[header::SET_COOKIE].to_str().expect("text");
        line.split(';').next().expect("a pair").to_owned()
    }

    fn hidden(&self, name: &str) -> String {
        let start = self
            .body
            .find(&format!("name=\"{name}\" value=\""))
            .expect("the page has the field");
        self.body[start..]
            .split('"')
            .nth(3)
            .expect("it has a value")
            .to_owned()
    }

    /// Its words, each apart from the next by one blank.
    fn words(&self) -> String {
        let pieces = self
            .body
            .split('<')
            .map(|piece| piece.split_once('>').map_or("", |(_, text)| text));
        pieces
            .flat_map(str::split_whitespace)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Console {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options = CreateOptions {
            role: Role::Aggregator,
            store_id: StoreId([1; 16]),
            log_epoch: LogEpoch([2; 8]),
            name: "test".to_owned(),
        };
        let store = Store::create(&folder.path().join("store.db"), &options).expect("a store");
        let hash = rollcall_web::login::hash_password(PASSWORD).expect("a hash");
        let account = store.write("account", move |writer| {
            writer.create_account(&AccountRow {
                account_id: "100000/1".to_owned(),
                name: "sun".to_owned(),
                password_hash: hash,
                role: "viewer".to_owned(),
                must_change: false,
                disabled: false,
                created_ms: 0,
            })
        });
        account.wait().expect("an account");
        let replica = Replica::new(store.clone());
        let records = VECTOR
            .lines()
            .map(|line| serde_json::from_str(line).expect("a record"));
        replica.own_records(records, "100000/1", NOW_MS).expect("records");
        let site = Site::new(
            SiteConfig {
                program: Program::Aggregator,
                place: "全国总工会".to_owned(),
                version: "0.1.0".to_owned(),
                instance: "test".to_owned(),
                hosts: HostList::loopback(8080),
                tls: false,
                navigation: router::navigation(),
                clock: Arc::new(|| NOW_MS),
            },
            Arc::new(StoreAccounts(store)),
        );
        let router = site.wrap(router::pages(App::new(replica)));
        let cookie = sign_in(&router).await;
        Self {
            router,
            cookie,
            _folder: folder,
        }
    }

    async fn get(&self, address: &str) -> Answer {
        let request = Request::get(address)
            .header(header::HOST, "localhost:8080")
            .header(header::ACCEPT_LANGUAGE, "en")
            .header(header::COOKIE, &self.cookie);
        send(&self.router, request.body(Body::empty()).expect("a request")).await
    }
}

async fn sign_in(router: &Router) -> String {
    let request = |method: &str| {
        Request::builder()
            .method(method)
            .uri("/login")
            .header(header::HOST, "localhost:8080")
    };
    let door = send(router, request("GET").body(Body::empty()).expect("a request")).await;
    let body = format!(
        "name=sun&password={}&form_token={}",
        PASSWORD.replace(' ', "+"),
        door.hidden("form_token")
    );
    let post = request("POST")
        .header(header::COOKIE, door.cookie())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = send(router, post.body(Body::from(body)).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    answer.cookie()
}

#[tokio::test]
async fn overview_shows_the_figures_of_the_test_vector_with_their_basis() {
    let console = Console::open().await;
    let page = console.get("/?as_of=2024-12-31").await;
    assert_eq!(page.status, StatusCode::OK);
    let words = page.words();
    for text in [
        "6 / 7 = 85.71%",
        "Completeness",
        "Group A: registered at province or above 2 / 3 66.67%",
        "31 Oct 2023: 3 / 7 = 42.86% 30 Nov 2023: 4 / 7 = 57.14% 31 Dec 2023: 4 / 7 = 57.14%",
        "Membership rate",
    ] {
        assert!(words.contains(text), "{text}: {words}");
    }
    for key in ["figure.", "area.", "overview."] {
        assert!(!words.contains(key), "a text is missing: {words}");
    }
    assert!(
        console
            .get("/?as_of=2023-12-31")
            .await
            .words()
            .contains("4 / 7 = 57.14%")
    );
    assert!(page.body.contains(r#"href="/areas/330000?as_of=2024-12-31""#));
}

#[tokio::test]
async fn an_area_is_taken_apart_down_to_its_county() {
    let console = Console::open().await;
    for (area, name, part) in [
        ("330000", "浙江省", Some("/areas/330100")),
        ("330100", "杭州市", Some("/areas/330106")),
        ("330106", "西湖区", None),
    ] {
        let page = console.get(&format!("/areas/{area}?as_of=2024-12-31")).await;
        assert_eq!(page.status, StatusCode::OK, "{area}");
        assert!(page.words().contains(name), "{area}");
        match part {
            Some(part) => assert!(
                page.body.contains(&format!("href=\"{part}?as_of=2024-12-31\"")),
                "{area}"
            ),
            None => assert!(
                !page.body.contains("<th scope=\"row\"><a href=\"/areas/"),
                "{area}"
            ),
        }
    }
    let county = console.get("/areas/330106?as_of=2024-12-31").await.words();
    assert!(county.contains("3 / 3 = 100.00%"), "{county}");
}

#[tokio::test]
async fn what_is_no_area_no_date_and_no_host_of_ours_is_refused() {
    let console = Console::open().await;
    for (address, status) in [
        ("/areas/999999", StatusCode::NOT_FOUND),
        ("/areas/x", StatusCode::NOT_FOUND),
        ("/?as_of=2024-13-31", StatusCode::BAD_REQUEST),
        ("/?known_at=-1", StatusCode::BAD_REQUEST),
        ("/?as_of=&known_at=", StatusCode::OK),
    ] {
        assert_eq!(console.get(address).await.status, status, "{address}");
    }
    let request = Request::get("/")
        .header(header::HOST, "evil.example")
        .header(header::COOKIE, &console.cookie);
    let answer = send(&console.router, request.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let request = Request::get("/").header(header::HOST, "localhost:8080");
    let answer = send(&console.router, request.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.headers[header::LOCATION], "/login");
}

#[tokio::test]
async fn an_earlier_position_shows_what_was_known_then() {
    let console = Console::open().await;
    let page = console.get("/?as_of=2024-12-31&known_at=0").await;
    assert!(page.words().contains("0 / 0 = no data"), "{}", page.words());
    let reason = "not known for an earlier position";
    for (address, is_past) in [
        ("/?as_of=2024-12-31&known_at=1", true),
        ("/?as_of=2024-12-31&known_at=1000000", false),
        ("/?as_of=2024-12-31", false),
    ] {
        let words = console.get(address).await.words();
        assert_eq!(words.contains(reason), is_past, "{address}: {words}");
        assert_eq!(words.contains("scopes heard"), !is_past, "{address}: {words}");
    }
}

#[tokio::test]
async fn a_restored_aggregator_and_a_copied_node_are_told_on_the_overview() {
    let console = Console::open().await;
    let words = console.get("/").await.words();
    assert!(!words.contains("rebuilt") && !words.contains("fenced"), "{words}");
    let store = Store::open(&console._folder.path().join("store.db")).expect("a second process");
    let peer = EnrolmentRow {
        peer_id: "330106-1".to_owned(),
        jurisdiction: Jurisdiction {
            federation: "330106".parse().expect("a federation"),
            also: Vec::new(),
            replicas: Vec::new(),
            node_name: String::new(),
        },
        store_id: StoreId([5; 16]),
        certificate_serial: "1".to_owned(),
        certificate_pem: String::new(),
        signing_key: vec![3; 32],
        enrolled_ms: 1,
        not_after_ms: NOW_MS,
        revoked: None,
        last_heard_ms: 0,
        version: String::new(),
        position: 0,
        fenced_ms: Some(2),
    };
    let work = move |writer: &mut rollcall_store::Writer| {
        writer.save_enrolment(&peer)?;
        writer.begin_recovery()
    };
    store.write("restore", work).wait().expect("a recovery");
    let words = console.get("/").await.words();
    for text in ["is being rebuilt; 1 peer has", "1 node is fenced"] {
        assert!(words.contains(text), "{text}: {words}");
    }
}
