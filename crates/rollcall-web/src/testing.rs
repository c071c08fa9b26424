//! A site with accounts in memory and a clock that tests move; requests go through the router without a socket.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::error::Source;
use crate::headers::HostList;
use crate::layout::NavigationItem;
use crate::login::{AccountView, Accounts, LoginEvent, Role, hash_password};
use crate::site::{Program, Site, SiteConfig};

pub(crate) const HOST: &str = "localhost:8080";
pub(crate) const PASSWORD: &str = "seven quiet rivers";

/// Accounts in memory: `li` is a clerk, `wang` a viewer, `new` must change the password, `gone` is disabled.
pub(crate) struct Memory {
    accounts: Mutex<Vec<AccountView>>,
    pub(crate) events: Mutex<Vec<LoginEvent>>,
}

impl Memory {
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut AccountView)) {
        change(
            self.accounts
                .lock()
                .unwrap()
                .iter_mut()
                .find(|account| account.name == name)
                .unwrap(),
        );
    }
}

impl Accounts for Memory {
    fn find_by_name(&self, name: &str) -> Result<Option<AccountView>, Source> {
        Ok(self
            .accounts
            .lock()
            .unwrap()
            .iter()
            .find(|account| account.name == name)
            .cloned())
    }

    fn find_by_id(&self, id: &str) -> Result<Option<AccountView>, Source> {
        Ok(self
            .accounts
            .lock()
            .unwrap()
            .iter()
            .find(|account| account.id == id)
            .cloned())
    }

    fn set_password(&self, id: &str, password_hash: &str) -> Result<(), Source> {
        let mut accounts = self.accounts.lock().unwrap();
        let account = accounts
            .iter_mut()
            .find(|account| account.id == id)
            .ok_or("no such account")?;
        account.password_hash = password_hash.to_owned();
        account.must_change = false;
        Ok(())
    }

    fn audit(&self, event: &LoginEvent) -> Result<(), Source> {
        self.events.lock().unwrap().push(event.clone());
        Ok(())
    }
}

/// An answer with its body read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers
            .get(header::LOCATION)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The value of a hidden field.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let start = self
            .body
            .find(&format!("name=\"{name}\" value=\""))
            .expect("the page has the field");
        self.body[start..].split('"').nth(3).unwrap().to_owned()
    }
}

/// One browser in front of one site.
pub(crate) struct Browser {
    pub(crate) router: Router,
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) accounts: Arc<Memory>,
    pub(crate) cookie: Option<String>,
}

impl Browser {
    pub(crate) fn new(pages: Router) -> Self {
        Self::with_tls(pages, false)
    }

    pub(crate) fn with_tls(pages: Router, tls: bool) -> Self {
        let hash = hash_password(PASSWORD).unwrap();
        let account = |name: &str, role, must_change, disabled| AccountView {
            id: format!("330106/{name}"),
            name: name.to_owned(),
            password_hash: hash.clone(),
            role,
            must_change,
            disabled,
        };
        let accounts = Arc::new(Memory {
            accounts: Mutex::new(vec![
                account("li", Role::Clerk, false, false),
                account("wang", Role::Viewer, false, false),
                account("new", Role::Clerk, true, false),
                account("gone", Role::Clerk, false, true),
            ]),
            events: Mutex::default(),
        });
        let clock = Arc::new(AtomicI64::new(1_735_870_269_000));
        let hand = Arc::clone(&clock);
        let config = SiteConfig {
            program: Program::Node,
            place: "杭州市西湖区总工会".to_owned(),
            version: "0.1.0".to_owned(),
            instance: "store-1".to_owned(),
            hosts: HostList::loopback(8080),
            tls,
            navigation: vec![NavigationItem {
                text_key: "nav.organisations",
                href: "/organisations",
            }],
            clock: Arc::new(move || hand.load(Ordering::SeqCst)),
        };
        let router = Site::new(config, Arc::clone(&accounts) as Arc<dyn Accounts>).wrap(pages);
        Self {
            router,
            clock,
            accounts,
            cookie: None,
        }
    }

    pub(crate) fn pass(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Ordering::SeqCst);
    }

    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let headers = request.headers_mut();
        headers.entry(header::HOST).or_insert(HOST.parse().unwrap());
        if let Some(cookie) = &self.cookie {
            headers.append(header::COOKIE, cookie.parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let set = parts
            .headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|line| line.to_str().unwrap());
        for line in set.filter(|line| !line.starts_with("rollcall-language")) {
            let pair = line.split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        let body = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) async fn get(&mut self, address: &str) -> Answer {
        self.send(Request::get(address).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(post(address, fields)).await
    }

    /// Opens the sign-in page and sends its form.
    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        let token = self.get("/login").await.hidden("form_token");
        self.post(
            "/login",
            &[("name", name), ("password", password), ("form_token", &token)],
        )
        .await
    }
}

/// A posted form.
pub(crate) fn post(address: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect()
    };
    let pairs: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    Request::post(address)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(pairs.join("&")))
        .unwrap()
}
