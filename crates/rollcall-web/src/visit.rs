//! One request and its visitor: language, cookie, login session, request id; and the frame of the page it gets.
//! Owns reading these from a request once; who may do what is decided in `login`.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Uri, header};

use crate::layout::{AccountFace, Frame};
use crate::locale::Locale;
use crate::login::Session;
use crate::serve::ClientAddress;
use crate::site::Site;
use crate::{Error, random};

/// Cookie that remembers the chosen language.
const LANGUAGE_COOKIE: &str = "rollcall-language";
/// Query parameter that chooses the language.
const LANGUAGE_PARAMETER: &str = "lang";
/// Query parameter that names the message after a redirect.
pub(crate) const NOTICE_PARAMETER: &str = "notice";

/// What is known about a request before its handler runs; also an extractor for pages that need no sign-in.
#[derive(Clone)]
pub struct Visit {
    /// The site it came to.
    pub site: Site,
    /// Language of the answer.
    pub locale: Locale,
    /// Id on the error page and in the log.
    pub request_id: String,
    /// Where it came from; unspecified for a request without a socket.
    pub client: IpAddr,
    pub(crate) cookie: Option<[u8; 32]>,
    pub(crate) session: Option<Session>,
    pub(crate) chosen_locale: Option<Locale>,
    address: String,
    notice: Option<String>,
}

impl Visit {
    /// Reads a request's head.
    pub(crate) fn read(site: &Site, parts: &Parts) -> Self {
        let parameter = |name: &str| {
            let pairs = parts
                .uri
                .query()
                .unwrap_or_default()
                .split('&')
                .filter_map(|pair| pair.split_once('='));
            pairs
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
                .next()
        };
        let chosen_locale = parameter(LANGUAGE_PARAMETER).and_then(|tag| Locale::from_tag(&tag));
        let locale = chosen_locale
            .or_else(|| cookie(&parts.headers, LANGUAGE_COOKIE).and_then(Locale::from_tag))
            .or_else(|| {
                let line = parts.headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?;
                Some(Locale::from_accept_language(line))
            })
            .unwrap_or(Locale::Chinese);
        let cookie = cookie(&parts.headers, site.cookie_name()).and_then(random::from_text);
        let client = parts
            .extensions
            .get::<ClientAddress>()
            .map(|address| address.0.ip());
        Self {
            locale,
            request_id: random::bytes::<8>()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            client: client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            session: cookie.and_then(|cookie| site.sessions().find(&cookie, site.now_unix_ms())),
            cookie,
            chosen_locale,
            address: address_without(&parts.uri, &[LANGUAGE_PARAMETER, NOTICE_PARAMETER]),
            notice: parameter(NOTICE_PARAMETER),
            site: site.clone(),
        }
    }

    /// The frame of a page that belongs to `section` of the navigation (a text key; empty for none).
    pub fn frame(&self, section: &'static str) -> Frame {
        let config = self.site.config();
        let account = self.session.as_ref().map(|session| AccountFace {
            name: session.name.clone(),
            role_key: session.role.text_key(),
        });
        Frame {
            locale: self.locale,
            program_key: config.program.text_key(),
            place: config.place.clone(),
            version: config.version.clone(),
            navigation: if account.is_some() {
                config.navigation.clone()
            } else {
                Vec::new()
            },
            section,
            account,
            address: self.address.clone(),
            form_token: self
                .cookie
                .map(|cookie| self.site.token_key().token(&cookie))
                .unwrap_or_default(),
            once: random::to_text(&random::bytes::<16>()),
            notice_key: self
                .notice
                .as_ref()
                .map(|name| format!("notice.{name}"))
                .filter(|key| self.locale.lookup(key).is_some()),
            as_of: None,
            position: None,
            request_id: self.request_id.clone(),
        }
    }

    /// Path and query of this request, as the place to return to after sign-in.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The line that remembers a language chosen by this request.
    pub(crate) fn language_cookie(&self) -> Option<HeaderValue> {
        let tag = self.chosen_locale?.tag();
        let line = format!("{LANGUAGE_COOKIE}={tag}; Path=/; Max-Age=31536000; SameSite=Strict; HttpOnly");
        HeaderValue::try_from(line).ok()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        Ok(parts
            .extensions
            .get::<Self>()
            .expect("Site::wrap puts the visit on every request")
            .clone())
    }
}

/// The value of a cookie.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Path and query without some parameters.
fn address_without(uri: &Uri, parameters: &[&str]) -> String {
    let kept: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !parameters.contains(&pair.split('=').next().unwrap_or_default()))
        .collect();
    if kept.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{}", uri.path(), kept.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("ab=1; a=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("c=3"));
        let cases = [
            ("a", Some("2")),
            ("ab", Some("1")),
            ("c", Some("3")),
            ("b", None),
            ("", None),
        ];
        for (name, value) in cases {
            assert_eq!(cookie(&headers, name), value, "{name}");
        }
    }

    #[test]
    fn address_leaves_out_the_language_only() {
        let cases = [
            ("/a?lang=en", "/a"),
            ("/a?q=x&lang=en&page=2", "/a?q=x&page=2"),
            ("/a?language=x", "/a?language=x"),
            ("/a", "/a"),
        ];
        for (uri, address) in cases {
            assert_eq!(address_without(&uri.parse().unwrap(), &["lang"]), address);
        }
    }
}
