//! A node in a temporary folder and browsers in front of its pages; requests go through the router without a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use rollcall_core::id::{LogEpoch, StoreId};
use rollcall_replica::Replica;
use rollcall_replica::import::ImportFile;
use rollcall_store::account::AccountRow;
use rollcall_store::cursor::Grant;
use rollcall_store::{CreateOptions, Store};
use rollcall_web::headers::HostList;
use rollcall_web::site::Program;
use rollcall_web::{Site, SiteConfig};
use tower::ServiceExt;

use crate::accounts::StoreAccounts;
use crate::app::App;
use crate::files::{Config, Files};
use crate::router;

pub(super) const PASSWORD: &str = "seven quiet rivers";
const BOUNDARY: &str = "----rollcall-test";

/// 3 January 2025, 10:11 in Beijing.
const NOW_MS: i64 = 1_735_870_269_000;

/// The node of 330106 with the accounts `wang` (viewer), `li` (clerk) and `zhao` (head).
pub(super) struct Node {
    pub(super) replica: Replica,
    router: Router,
    clock: Arc<AtomicI64>,
    pub(super) reach: crate::reach::Reach,
    folder: tempfile::TempDir,
}

/// An answer with its body read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) location: String,
    pub(super) body: String,
    pub(super) bytes: Vec<u8>,
    cookie: Option<String>,
}

/// Somebody signed in.
pub(super) struct Browser<'a> {
    node: &'a Node,
    cookie: String,
}

impl Node {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(folder.path());
        files
            .save_config(&Config::new("西湖区总工会".to_owned(), "330106".to_owned()))
            .expect("configuration");
        let options = CreateOptions {
            role: rollcall_store::Role::Node,
            store_id: StoreId([7; 16]),
            log_epoch: LogEpoch([2; 8]),
            name: "test".to_owned(),
        };
        let store = Store::create(&files.store(), &options).expect("a store");
        let hash = rollcall_web::login::hash_password(PASSWORD).expect("a hash");
        let scope = "330106".parse().expect("a federation");
        let accounts = store.write("accounts", move |writer| {
            for (name, role) in [("wang", "viewer"), ("li", "clerk"), ("zhao", "head")] {
                writer.create_account(&AccountRow {
                    account_id: format!("330106/{name}"),
                    name: name.to_owned(),
                    password_hash: hash.clone(),
                    role: role.to_owned(),
                    must_change: false,
                    disabled: false,
                    created_ms: 0,
                })?;
            }
            writer.save_grants(&[Grant { scope, write: true }])
        });
        accounts.wait().expect("accounts");
        let replica = Replica::new(store.clone());
        let clock = Arc::new(AtomicI64::new(NOW_MS));
        let hand = Arc::clone(&clock);
        let site = Site::new(
            SiteConfig {
                program: Program::Node,
                place: "西湖区总工会".to_owned(),
                version: "0.1.0".to_owned(),
                instance: "test".to_owned(),
                hosts: HostList::loopback(8080),
                tls: false,
                navigation: router::navigation(),
                clock: Arc::new(move || hand.load(Ordering::SeqCst)),
            },
            Arc::new(StoreAccounts(store)),
        );
        let app = App::new(replica.clone(), files);
        Self {
            replica,
            reach: app.reach.clone(),
            router: site.wrap(router::pages(app)),
            clock,
            folder,
        }
    }

    /// Takes records in behind the pages' back, as the command line would.
    pub(super) fn import(&self, records: &str) {
        let file = ImportFile {
            import_id: "test".to_owned(),
            file_name: "records.jsonl".to_owned(),
            sha256: [0; 32],
        };
        let by = rollcall_replica::edit::Editing {
            author: "330106/command-line".to_owned(),
            reason: "test".to_owned(),
            now_ms: self.clock.fetch_add(1000, Ordering::SeqCst),
            heads: None,
        };
        let open = || Ok(records.as_bytes());
        let summary = self
            .replica
            .import_records(&file, open, &by, false)
            .expect("an import");
        assert_eq!(summary.refused, 0, "{:?}", summary.problems);
    }

    /// Has an account change its password, as the command line's `account reset` does.
    pub(super) fn reset_password(&self, name: &str) {
        let store = self.replica.store();
        let account = store
            .read(|reader| reader.account_by_name(name))
            .expect("the accounts");
        let account = account.expect("there is one of this name");
        let work = move |writer: &mut rollcall_store::Writer| {
            writer.set_password(&account.account_id, &account.password_hash, true)
        };
        store.write("reset password", work).wait().expect("a reset");
    }

    /// Names an aggregator in the configuration, as an enrolment does.
    pub(super) fn name_aggregator(&self) {
        let files = Files::new(self.folder.path());
        let mut config = files.load_config().expect("a configuration");
        config.aggregator = Some("https://127.0.0.1:1".to_owned());
        files.save_config(&config).expect("saved");
    }

    /// Lets time pass.
    pub(super) fn pass(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Ordering::SeqCst);
    }

    pub(super) async fn send(&self, mut request: Request<Body>) -> Answer {
        request
            .headers_mut()
            .entry(header::HOST)
            .or_insert("localhost:8080".parse().expect("a header"));
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        let text = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let cookie = text(header::SET_COOKIE)
            .split(';')
            .next()
            .map(str::to_owned)
            .filter(|pair| !pair.is_empty());
        let bytes = body.collect().await.expect("a body").to_bytes().to_vec();
        Answer {
            status: parts.status,
            location: text(header::LOCATION),
            body: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
            cookie,
        }
    }

    pub(super) async fn sign_in(&self, name: &str) -> Browser<'_> {
        let door = self
            .send(Request::get("/login").body(Body::empty()).expect("a request"))
            .await;
        let token = door.hidden("form_token");
        let mut browser = Browser {
            node: self,
            cookie: door.cookie.expect("a cookie"),
        };
        let answer = browser
            .post(
                "/login",
                &[("name", name), ("password", PASSWORD), ("form_token", &token)],
            )
            .await;
        assert_eq!(
            (answer.status, answer.location.as_str()),
            (StatusCode::SEE_OTHER, "/"),
            "{}",
            answer.body
        );
        browser.cookie = answer.cookie.expect("a cookie");
        browser
    }
}

impl Answer {
    /// The value of a hidden field.
    pub(super) fn hidden(&self, name: &str) -> String {
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

    /// The hidden fields of the form that is posted to an address.
    pub(super) fn hidden_of(&self, action: &str) -> Vec<(String, String)> {
        let start = self
            .body
            .find(&format!("action=\"{action}\""))
            .expect("the page has the form");
        let form = self.body[start..].split("</form>").next().unwrap_or_default();
        let plain = |text: &str| {
            text.replace("&#34;", "\"")
                .replace("&#60;", "<")
                .replace("&#62;", ">")
                .replace("&#39;", "'")
                .replace("&#38;", "&")
        };
        let inputs = form.split("<input type=\"hidden\" name=\"").skip(1);
        inputs
            .filter_map(|input| {
                let mut parts = input.split('"');
                Some((parts.next()?.to_owned(), plain(parts.nth(1)?)))
            })
            .collect()
    }

    pub(super) fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    /// The path it leads to, without the notice.
    pub(super) fn path(&self) -> &str {
        self.location.split('?').next().unwrap_or_default()
    }

    /// Every value of the choices of a conflict.
    pub(super) fn choices(&self) -> Vec<String> {
        let starts = self.body.match_indices("name=\"take\" value=\"");
        starts
            .map(|(start, _)| {
                self.body[start..]
                    .split('"')
                    .nth(3)
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    }
}

impl Browser<'_> {
    pub(super) async fn get(&self, address: &str) -> Answer {
        let request = Request::get(address).header(header::COOKIE, &self.cookie);
        self.node
            .send(request.body(Body::empty()).expect("a request"))
            .await
    }

    pub(super) async fn get_in_english(&self, address: &str) -> Answer {
        let request = Request::get(address).header(header::COOKIE, &self.cookie);
        let request = request.header(header::ACCEPT_LANGUAGE, "en");
        self.node
            .send(request.body(Body::empty()).expect("a request"))
            .await
    }

    pub(super) async fn post(&self, address: &str, fields: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
        let pairs: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let request = Request::post(address)
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.node
            .send(request.body(Body::from(pairs.join("&"))).expect("a request"))
            .await
    }

    /// Signs in by the page at the door that an answer is, with all that it carries.
    pub(super) async fn sign_in_at(&mut self, door: &Answer, name: &str, password: &str) -> Answer {
        let carried = door.hidden_of("/login");
        let mut fields = vec![("name", name), ("password", password)];
        fields.extend(carried.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        let answer = self.post("/login", &fields).await;
        self.take_cookie(&answer);
        answer
    }

    /// Goes on with the cookie that an answer sets.
    pub(super) fn take_cookie(&mut self, answer: &Answer) {
        if let Some(cookie) = &answer.cookie {
            self.cookie.clone_from(cookie);
        }
    }

    /// Sends the form of a page with its hidden fields and these.
    pub(super) async fn submit(&self, page: &Answer, address: &str, fields: &[(&str, &str)]) -> Answer {
        let (token, once) = (page.hidden("form_token"), page.hidden("form_once"));
        let mut all = vec![("form_token", token.as_str()), ("form_once", once.as_str())];
        all.extend(fields);
        self.post(address, &all).await
    }

    /// Sends a list with the form of a page.
    pub(super) async fn upload(&self, page: &Answer, file_name: &str, content: &[u8]) -> Answer {
        self.upload_to(page, "/import", file_name, content).await
    }

    /// Sends a file with the form of a page to an address.
    pub(super) async fn upload_to(
        &self,
        page: &Answer,
        address: &str,
        file_name: &str,
        content: &[u8],
    ) -> Answer {
        let mut body = Self::file_form(page, file_name, content);
        body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
        self.send_file(address, body).await
    }

    /// The same, but the connection ends within the file.
    pub(super) async fn upload_cut(
        &self,
        page: &Answer,
        address: &str,
        file_name: &str,
        content: &[u8],
    ) -> Answer {
        self.send_file(address, Self::file_form(page, file_name, content))
            .await
    }

    /// A form with a file as it is sent, without its end.
    fn file_form(page: &Answer, file_name: &str, content: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in [
            ("form_token", page.hidden("form_token")),
            ("form_once", page.hidden("form_once")),
            ("as", String::new()),
        ] {
            body.extend(
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .into_bytes(),
            );
        }
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend(content);
        body
    }

    async fn send_file(&self, address: &str, body: Vec<u8>) -> Answer {
        let request = Request::post(address)
            .header(header::COOKIE, &self.cookie)
            .header(
                header::CONTENT_TYPE,
                format!("multipart/form-data; boundary={BOUNDARY}"),
            );
        self.node
            .send(request.body(Body::from(body)).expect("a request"))
            .await
    }
}
