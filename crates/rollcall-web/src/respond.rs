//! Requests in, answers out: the one place where errors become pages, and where a request is logged, once.
//! Owns the layer around every page; what went wrong is listed in `error`.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tracing::Instrument;

use crate::form::{KeptForm, keep_body};
use crate::layout::Frame;
use crate::locale::Locale;
use crate::site::Site;
use crate::visit::Visit;
use crate::{Error, headers, login};

/// Time for a page.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for a request that carries a file.
pub const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// When a page asks again whose figures are being counted.
const COUNTED_AGAIN_SECONDS: u64 = 2;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A template as an answer.
#[derive(Debug, Clone)]
pub struct Page<T>(pub T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(html) => Html(html).into_response(),
            Err(error) => Error::from(error).into_response(),
        }
    }
}

/// An error on its way to [`answer`], which knows the language and the request id.
#[derive(Clone)]
struct Failure(Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Failure(Arc::new(self)));
        response
    }
}

/// The page of an error.
#[derive(Template)]
#[template(path = "problem.html")]
struct Problem {
    frame: Frame,
    /// The status line's number.
    status: u16,
    /// Stable code.
    code: String,
    /// What happened.
    title: String,
    /// What to do.
    remedy: String,
    /// The page of ours that led here.
    back: Option<String>,
}

/// The layer around every route: checks, the visit, a time limit, error pages, headers and the log line.
pub(crate) async fn answer(State(site): State<Site>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let (mut parts, body) = request.into_parts();
    let visit = Visit::read(&site, &parts);
    let span = tracing::info_span!(
        "request", request.id = %visit.request_id, request.method = %parts.method, request.path = parts.uri.path()
    );
    let prefers_json = prefers_json(&parts.headers);
    let head = parts.clone();
    let mut kept = None;
    let checked =
        headers::check_host(&site.config().hosts, &parts).and_then(|()| headers::check_origin(&parts));
    let response = match checked {
        Err(error) => error.into_response(),
        Ok(()) => {
            let limit = if carries_file(&parts.headers) {
                UPLOAD_TIMEOUT
            } else {
                ANSWER_TIMEOUT
            };
            parts.extensions.insert(visit.clone());
            let handled = async {
                match keep_body(&parts, body).await {
                    Ok((entered, body)) => {
                        kept = entered;
                        next.run(Request::from_parts(parts, body)).await
                    }
                    Err(error) => error.into_response(),
                }
            };
            let handled = AssertUnwindSafe(handled).catch_unwind();
            match tokio::time::timeout(limit, handled.instrument(span.clone())).await {
                Ok(Ok(response)) => response,
                Ok(Err(_)) => Error::Panicked.into_response(),
                Err(_) => Error::TookTooLong.into_response(),
            }
        }
    };
    let error = error_of(&response);
    let mut response = match &error {
        Some(error) if prefers_json => as_json(error, &visit),
        Some(error) if matches!(**error, Error::SessionOld | Error::PasswordDue) => {
            let kept = match &kept {
                Some(entered) => KeptForm::read(&head, entered).await,
                None => None,
            };
            if matches!(**error, Error::PasswordDue) {
                login::password_due(&visit, kept)
            } else {
                login::ended(&visit, &head, kept).unwrap_or_else(|| as_page(error, &visit, &head))
            }
        }
        Some(error) => as_page(error, &visit, &head),
        None => response,
    };
    headers::apply(response.headers_mut());
    if let Ok(value) = HeaderValue::try_from(&visit.request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(line) = visit.language_cookie() {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
    span.in_scope(|| log(response.status(), error.as_deref(), began.elapsed()));
    response
}

/// The error behind an answer: our own, or one that axum made of a request it could not route or read.
fn error_of(response: &Response) -> Option<Arc<Error>> {
    if let Some(Failure(error)) = response.extensions().get::<Failure>() {
        return Some(Arc::clone(error));
    }
    let plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|media_type| media_type.as_bytes().starts_with(b"text/plain"));
    let error = match response.status() {
        _ if !plain => return None,
        StatusCode::NOT_FOUND => Error::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Error::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooBig {
            size_bytes_max: crate::site::BODY_SIZE_BYTES_MAX as u64,
        },
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Error::ParamInvalid {
                detail: format!("status {}", response.status()),
            }
        }
        _ => return None,
    };
    Some(Arc::new(error))
}

fn as_page(error: &Error, visit: &Visit, head: &Parts) -> Response {
    let (title, remedy) = words(error, visit.locale);
    let before = login::page_before(head).filter(|before| *before != visit.address());
    let page = Problem {
        frame: visit.frame(""),
        status: error.status().as_u16(),
        code: error.code().to_owned(),
        title,
        remedy,
        back: before.map(str::to_owned),
    };
    // Only a defect in the template itself can fail here; the code alone is still an answer.
    let html = page.render().unwrap_or_else(|_| error.code().to_owned());
    let mut response = with_retry(error, (error.status(), Html(html)).into_response());
    if matches!(error, Error::BeingCounted) {
        let again = HeaderValue::from(COUNTED_AGAIN_SECONDS);
        response.headers_mut().insert(header::REFRESH, again);
    }
    response
}

fn as_json(error: &Error, visit: &Visit) -> Response {
    let (title, remedy) = words(error, visit.locale);
    let body = serde_json::json!({
        "code": error.code(), "message": title, "remedy": remedy, "request_id": visit.request_id,
    });
    let media_type = [(header::CONTENT_TYPE, "application/json")];
    with_retry(
        error,
        (error.status(), media_type, body.to_string()).into_response(),
    )
}

fn with_retry(error: &Error, mut response: Response) -> Response {
    let again_seconds = match error {
        Error::TooManyTries { wait_seconds } => Some(*wait_seconds),
        Error::BeingCounted => Some(COUNTED_AGAIN_SECONDS),
        _ => None,
    };
    if let Some(seconds) = again_seconds {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

impl Error {
    /// What happened, what to do and the code, for a page that says it in its own place.
    pub fn told(&self, locale: Locale) -> String {
        let (title, remedy) = words(self, locale);
        let pause = match locale {
            Locale::Chinese => "：",
            Locale::English => ": ",
        };
        format!("{title}{pause}{remedy} [{}]", self.code())
    }
}

/// What happened and what to do, in a language.
fn words(error: &Error, locale: Locale) -> (String, String) {
    let code = error.code();
    let text = |part: &str| locale.lookup(&format!("problem.{code}.{part}"));
    match error {
        Error::Refused { message, .. } => {
            let title = text("title").unwrap_or_else(|| locale.text("problem.refused.title"));
            (title.to_owned(), locale.sentence(code, message))
        }
        Error::TooManyTries { wait_seconds } => {
            let remedy = locale.fill("problem.TOO_MANY_TRIES.remedy", &[&wait_seconds.to_string()]);
            (locale.text("problem.TOO_MANY_TRIES.title").to_owned(), remedy)
        }
        Error::TooBig { size_bytes_max } => {
            let remedy = locale.fill("problem.TOO_BIG.remedy", &[&locale.size(*size_bytes_max)]);
            (locale.text("problem.TOO_BIG.title").to_owned(), remedy)
        }
        _ => {
            let part = |name: &str| text(name).unwrap_or(code).to_owned();
            (part("title"), part("remedy"))
        }
    }
}

/// Programs ask for JSON by name; browsers name HTML first.
fn prefers_json(headers: &http::HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|line| line.to_str().ok())
        .unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

fn carries_file(headers: &http::HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|media_type| media_type.as_bytes().starts_with(b"multipart/"))
}

/// One line per request. Never the query, which may hold a name somebody searched for.
fn log(status: StatusCode, error: Option<&Error>, duration: Duration) {
    let (status, duration_ms) = (status.as_u16(), duration.as_millis() as u64);
    match error {
        None | Some(Error::BeingCounted) => {
            tracing::debug!(response.status = status, duration_ms, "request answered");
        }
        Some(error) if status >= 500 => {
            let chain = chain(error);
            tracing::error!(
                response.status = status,
                duration_ms,
                error.code = error.code(),
                chain,
                "request failed"
            );
        }
        Some(error @ (Error::HostNotAllowed | Error::FormNotOurs | Error::TooManyTries { .. })) => {
            tracing::warn!(
                response.status = status,
                duration_ms,
                error.code = error.code(),
                "request refused"
            );
        }
        Some(error) => {
            tracing::debug!(
                response.status = status,
                duration_ms,
                error.code = error.code(),
                "request refused"
            );
        }
    }
}

/// An error with its sources, as one sentence.
fn chain(error: &dyn std::error::Error) -> String {
    let mut sentence = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        sentence.push_str(": ");
        sentence.push_str(&error.to_string());
        source = error.source();
    }
    sentence
}

#[cfg(test)]
mod tests;
