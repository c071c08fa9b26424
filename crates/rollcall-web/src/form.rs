//! Forms and queries as typed values, checked before a handler sees them.
//! Owns the extractors and carrying a form out once; tokens are in `csrf`, files in `form::upload`.

mod once;
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

use crate::Error;
use crate::visit::{NOTICE_PARAMETER, Visit};

pub(crate) use once::OnceTable;
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
}

/// Its fields are named like [`crate::csrf::FIELD`] and [`ONCE_FIELD`].
#[derive(Deserialize)]
struct Hidden {
    form_token: Option<String>,
    form_once: Option<String>,
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
        })
    }
}

impl<T> CheckedForm<T> {
    /// Carries the form out once. `action` returns the address to go to; the same form sent again (two tabs, a second
    /// click, the back button) waits for the first and goes to the same address with a notice.
    pub async fn submit_once<A, F>(self, action: A) -> Result<Response, Error>
    where
        A: FnOnce(T) -> F,
        F: Future<Output = Result<String, Error>>,
    {
        submit_once(&self.visit, self.once.as_deref(), || action(self.value)).await
    }
}

/// Carries out the action behind an idempotency key once and redirects to its result.
async fn submit_once<F>(
    visit: &Visit,
    key: Option<&str>,
    action: impl FnOnce() -> F,
) -> Result<Response, Error>
where
    F: Future<Output = Result<String, Error>>,
{
    let (Some(key), Some(cookie)) = (key, visit.cookie) else {
        return Err(Error::FormNotOurs);
    };
    let cell = visit.site.once().cell(&cookie, key, visit.site.now_unix_ms());
    let mut first = false;
    let address = cell
        .get_or_try_init(|| {
            first = true;
            action()
        })
        .await?;
    Ok(if first {
        see_other(address)
    } else {
        see_other(&with_notice(address, "already_done"))
    })
}

/// The address with a message to show: `name` is a text key without its `notice.`.
pub fn with_notice(address: &str, name: &str) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{NOTICE_PARAMETER}={name}")
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
