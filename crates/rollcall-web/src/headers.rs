//! What every answer carries and what every request must satisfy before anything looks at it.
//! Owns the security headers, the host allow-list and the check that an unsafe request comes from our own pages.
//!
//! A page in the clerk's browser can reach 127.0.0.1 (DNS rebinding, cross-site forms); these checks leave it nothing.

use std::collections::BTreeSet;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::Error;

/// Nothing but our own styles, scripts and pictures; no frames, no foreign forms.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const FIXED: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // With `no-referrer` browsers send `Origin: null` on our own forms; this keeps it and tells outsiders nothing.
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Puts the fixed headers on an answer; pages are never kept by caches unless the handler said otherwise.
pub(crate) fn apply(headers: &mut HeaderMap) {
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// The names (with port) this program answers to.
#[derive(Debug, Clone, Default)]
pub struct HostList(BTreeSet<String>);

impl HostList {
    /// The loopback names with the bound port.
    pub fn loopback(port: u16) -> Self {
        let mut hosts = Self::default();
        for name in ["localhost", "127.0.0.1", "[::1]"] {
            hosts = hosts.with(name, port);
        }
        hosts
    }

    /// One more name. Browsers leave the port out where it is the scheme's own, so both forms are taken then.
    #[must_use]
    pub fn with(mut self, name: &str, port: u16) -> Self {
        let name = name.to_ascii_lowercase();
        self.0.insert(format!("{name}:{port}"));
        if matches!(port, 80 | 443) {
            self.0.insert(name);
        }
        self
    }

    fn holds(&self, host: &str) -> bool {
        self.0.contains(&host.to_ascii_lowercase())
    }
}

/// Refuses a request that names none of our hosts, or several.
pub(crate) fn check_host(hosts: &HostList, parts: &Parts) -> Result<(), Error> {
    let host = single(&parts.headers, header::HOST)
        .filter(|host| hosts.holds(host))
        .ok_or(Error::HostNotAllowed)?;
    match parts.uri.authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => Err(Error::HostNotAllowed),
        _ => Ok(()),
    }
}

/// Refuses an unsafe request that another site's page sent. Every current browser sends at least one of the two
/// headers with a form; a program that sends neither still needs the form's token.
pub(crate) fn check_origin(parts: &Parts) -> Result<(), Error> {
    if parts.method.is_safe() {
        return Ok(());
    }
    if parts.headers.contains_key("sec-fetch-site") {
        match single(&parts.headers, HeaderName::from_static("sec-fetch-site")) {
            Some("same-origin" | "none") => {}
            _ => return Err(Error::FormNotOurs),
        }
    }
    if parts.headers.contains_key(header::ORIGIN) {
        let host = single(&parts.headers, header::HOST).ok_or(Error::HostNotAllowed)?;
        let origin = single(&parts.headers, header::ORIGIN).ok_or(Error::FormNotOurs)?;
        let named = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        if !named.is_some_and(|named| named.eq_ignore_ascii_case(host)) {
            return Err(Error::FormNotOurs);
        }
    }
    Ok(())
}

/// The value of a header that occurs exactly once.
fn single(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_our_own_host_names_are_answered() {
        let hosts = HostList::loopback(8080).with("Union.Example", 443);
        let taken = [
            "localhost:8080",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "union.example",
        ];
        for host in taken {
            assert!(
                check_host(&hosts, &parts("GET", "/", &[("host", host)])).is_ok(),
                "{host}"
            );
        }
        for host in [
            "localhost",
            "localhost:80",
            "0.0.0.0:8080",
            "127.0.0.1.evil.example:8080",
            "evil.example",
            "",
        ] {
            assert!(
                check_host(&hosts, &parts("GET", "/", &[("host", host)])).is_err(),
                "{host}"
            );
        }
        assert!(check_host(&hosts, &parts("GET", "/", &[])).is_err());
        let twice = [("host", "localhost:8080"), ("host", "localhost:8080")];
        assert!(check_host(&hosts, &parts("GET", "/", &twice)).is_err());
        let absolute = parts("GET", "http://evil.example/", &[("host", "localhost:8080")]);
        assert!(check_host(&hosts, &absolute).is_err());
    }

    #[test]
    fn unsafe_request_must_come_from_our_own_page() {
        const HOST: (&str, &str) = ("host", "localhost:8080");
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);
        let cases: &[Case<'_>] = &[
            ("GET", &[("origin", "http://evil.example")], true),
            ("POST", &[], true),
            ("POST", &[("origin", "http://localhost:8080")], true),
            ("POST", &[("origin", "http://localhost:8081")], false),
            ("POST", &[("origin", "http://evil.example")], false),
            ("POST", &[("origin", "null")], false),
            ("POST", &[("sec-fetch-site", "same-origin")], true),
            ("POST", &[("sec-fetch-site", "same-site")], false),
            ("POST", &[("sec-fetch-site", "cross-site")], false),
            (
                "DELETE",
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://localhost:8080"),
                ],
                false,
            ),
            (
                "PUT",
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "http://evil.example"),
                ],
                false,
            ),
        ];
        for (method, headers, taken) in cases {
            let headers: Vec<_> = [HOST].iter().chain(*headers).copied().collect();
            assert_eq!(
                check_origin(&parts(method, "/", &headers)).is_ok(),
                *taken,
                "{method} {headers:?}"
            );
        }
    }
}
