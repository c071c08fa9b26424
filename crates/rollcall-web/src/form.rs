//! Forms and queries as typed values, checked before a handler sees them.
//! Owns the extractors and carrying a form out once; tokens are in `csrf`, files in `form::upload`.

mod kept;
mod once;
mod standing;
#[cfg(test)]
mod tests;
mod upload;

use axum::body::Bytes;
use axum::extract::{Form, FromRequest, FromRequestParts, Query, Request};
use axum::response::{IntoResponse, Redirect, Response};
use http::Method;
use http::request::Parts;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::visit::{NOTICE_PARAMETER, Visit};

pub use kept::AGAIN_FIELD;
pub(crate) use kept::{ASKED, KeptForm, keep_body};
pub use once::Outcome;
pub(crate) use once::{OnceTable, Sent};
pub use standing::{Again, Standing};
pub use upload::{Upload, UploadRequest, upload_limit};

/// Name of the hidden idempotency field.
pub const ONCE_FIELD: &str = "form_once";

/// A query string as `T`; anything unreadable is `PARAM_INVALID`.
#[derive(Debug, Clone)]
pub struct CheckedQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for CheckedQuery<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Error::ParamInvalid {
                detail: rejection.body_text(),
            }),
        }
    }
}

/// Page number and page size of a list's query, with their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawPaging")]
pub struct Paging {
    /// From 1.
    pub page: u64,
    /// Rows on a page.
    pub size: u64,
}

impl Paging {
    /// Rows on a page unless asked otherwise.
    pub const SIZE_DEFAULT: u64 = 50;
    /// Rows on a page at most.
    pub const SIZE_MAX: u64 = 500;
    /// The last page number that is looked at.
    pub const PAGE_MAX: u64 = 1_000_000;

    /// This page, or the last one of so many rows where they end before it.
    #[must_use]
    pub fn within(self, total: u64) -> Self {
        Self {
            page: self.page.min(total.div_ceil(self.size).max(1)),
            ..self
        }
    }

    /// Rows before this page.
    pub const fn offset(self) -> u64 {
        (self.page - 1) * self.size
    }
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            page: 1,
            size: Self::SIZE_DEFAULT,
        }
    }
}

/// As text, because a flattened query hands numbers on as text.
#[derive(Deserialize)]
struct RawPaging {
    page: Option<String>,
    size: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is outside its bounds")]
struct OutOfBounds(&'static str);

impl TryFrom<RawPaging> for Paging {
    type Error = OutOfBounds;

    fn try_from(raw: RawPaging) -> Result<Self, OutOfBounds> {
        let read = |text: Option<String>, name, default, max| match text.as_deref() {
            None | Some("") => Ok(default),
            Some(text) => text
                .parse::<u64>()
                .ok()
                .filter(|value| (1..=max).contains(value))
                .ok_or(OutOfBounds(name)),
        };
        Ok(Self {
            page: read(raw.page, "page", 1, Self::PAGE_MAX)?,
            size: read(raw.size, "size", Self::SIZE_DEFAULT, Self::SIZE_MAX)?,
        })
    }
}

/// Reads an empty field as none: `#[serde(default, deserialize_with = "rollcall_web::form::empty_is_none")]`.
pub fn empty_is_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    match text.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

/// A posted form as `T`, taken only with the hidden token of this login session.
pub struct CheckedForm<T> {
    /// What was entered.
    pub value: T,
    visit: Visit,
    once: Option<String>,
    content: [u8; 32],
    shown_again: bool,
}

/// Its fields are named like [`crate::csrf::FIELD`], [`ONCE_FIELD`] and [`AGAIN_FIELD`].
#[derive(Deserialize)]
struct Hidden {
    form_token: Option<String>,
    form_once: Option<String>,
    form_again: Option<String>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for CheckedForm<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        if request.method() != Method::POST {
            return Err(Error::MethodNotAllowed);
        }
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, state).await?;
        let body = Bytes::from_request(Request::from_parts(parts.clone(), body), state)
            .await
            .map_err(|rejection| {
                if rejection.status() == http::StatusCode::PAYLOAD_TOO_LARGE {
                    Error::TooBig {
                        size_bytes_max: crate::site::BODY_SIZE_BYTES_MAX as u64,
                    }
                } else {
                    Error::UploadCut
                }
            })?;
        let hidden: Hidden = read_form(&parts, &body, state).await?;
        visit
            .site
            .token_key()
            .check(visit.cookie.as_ref(), hidden.form_token.as_deref())?;
        Ok(Self {
            value: read_form(&parts, &body, state).await?,
            visit,
            once: hidden.form_once,
            content: Sha256::digest(&body).into(),
            shown_again: hidden.form_again.as_deref() == Some(ASKED),
        })
    }
}

impl<T> CheckedForm<T> {
    /// Carries the form out once. `action` returns the address to go to; the same form sent again (two tabs, a second
    /// click, the back button) waits for the first and goes to the same address with a notice.
    ///
    /// # Errors
    /// What `action` refuses; `FORM_NOT_OURS` without an idempotency key, and for a form that was only to be shown again.
    pub async fn submit_once<A, F, O>(self, action: A) -> Result<Response, Error>
    where
        A: FnOnce(T) -> F,
        F: Future<Output = Result<O, Error>>,
        O: Into<Outcome>,
    {
        if self.shown_again {
            return Err(Error::FormNotOurs);
        }
        let (key, content) = (self.once, self.content);
        submit_once(&self.visit, key.as_deref(), content, || action(self.value)).await
    }
}

/// Carries out the action behind an idempotency key once and redirects to its result. The same key with other content
/// is not carried out either: the notice says that this content was not saved.
async fn submit_once<F, O>(
    visit: &Visit,
    key: Option<&str>,
    content: [u8; 32],
    action: impl FnOnce() -> F,
) -> Result<Response, Error>
where
    F: Future<Output = Result<O, Error>>,
    O: Into<Outcome>,
{
    let (Some(key), Some(cookie)) = (key, visit.cookie) else {
        return Err(Error::FormNotOurs);
    };
    let cell = visit.site.once().cell(&cookie, key, visit.site.now_unix_ms());
    let mut first = false;
    let sent = cell
        .get_or_try_init(|| {
            first = true;
            let done = action();
            async move {
                let outcome = done.await?.into();
                Ok::<_, Error>(Sent { outcome, content })
            }
        })
        .await?;
    Ok(if first {
        see_other(&sent.outcome.address)
    } else {
        sent_before(sent, &content)
    })
}

/// The answer to a form that was carried out before.
fn sent_before(sent: &Sent, content: &[u8; 32]) -> Response {
    let notice = if sent.content == *content {
        "already_done"
    } else {
        "not_saved"
    };
    see_other(&with_notice(&sent.outcome.address, notice))
}

/// The address with a message to show, in place of one that it has: `name` is a text key without its `notice.`.
pub fn with_notice(address: &str, name: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let is_notice = |pair: &str| pair.split('=').next() == Some(NOTICE_PARAMETER);
    let notice = format!("{NOTICE_PARAMETER}={name}");
    let others = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !is_notice(pair));
    let query: Vec<&str> = others.chain([notice.as_str()]).collect();
    format!("{path}?{}", query.join("&"))
}

/// A text as it stands in an address: everything but letters and digits of ASCII as `%XX`.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

/// Redirect after a post.
pub fn see_other(address: &str) -> Response {
    Redirect::to(address).into_response()
}

async fn read_form<S: Send + Sync, F: DeserializeOwned>(
    parts: &Parts,
    body: &Bytes,
    state: &S,
) -> Result<F, Error> {
    let request = Request::from_parts(parts.clone(), body.clone().into());
    match Form::<F>::from_request(request, state).await {
        Ok(Form(value)) => Ok(value),
        Err(rejection) => Err(Error::ParamInvalid {
            detail: rejection.body_text(),
        }),
    }
}
