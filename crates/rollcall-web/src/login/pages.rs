//! The pages at the door: sign in, sign out, change the password.
//! Owns their handlers and where they lead; rules are in `password`, `session` and `tries`.

use askama::Template;
use axum::Router;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::{
    AccountView, LoginEventKind, NotSignedIn, PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, audit,
    check_password, present_account,
};
use crate::form::{CheckedForm, CheckedQuery, KeptForm, see_other, with_notice};
use crate::layout::Frame;
use crate::respond::Page;
use crate::visit::Visit;
use crate::{Error, Site, random};

const LOGIN_PATH: &str = "/login";
pub(super) const PASSWORD_PATH: &str = "/password";

/// The routes at the door; [`Site::wrap`] adds them.
pub(crate) fn routes() -> Router {
    Router::new()
        .route(LOGIN_PATH, get(login_form).post(login_submit))
        .route("/logout", post(logout_submit))
        .route(PASSWORD_PATH, get(password_form).post(password_submit))
}

/// The sign-in page that leads back to `address` afterwards.
pub(super) fn login_address(address: &str) -> String {
    let mut next = String::new();
    for byte in address.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            next.push(char::from(byte));
        } else {
            next.push_str(&format!("%{byte:02X}"));
        }
    }
    if next == "/" {
        LOGIN_PATH.to_owned()
    } else {
        format!("{LOGIN_PATH}?next={next}")
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    /// Where to go after signing in.
    next: String,
    /// What was entered before.
    name: String,
    /// Why it was refused.
    problem: Option<String>,
    /// A form that was posted after the login session had ended, to be shown again after signing in; empty for none.
    kept: String,
}

/// What was entered before the login session ended, and the way back to its form.
#[derive(Template)]
#[template(path = "kept.html")]
struct KeptPage {
    frame: Frame,
    /// Where the form is.
    action: String,
    /// What was entered.
    fields: Vec<(String, String)>,
}

impl KeptPage {
    fn again_value(&self) -> &'static str {
        crate::form::ASKED
    }
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    /// The account must choose a new one before anything else.
    forced: bool,
    /// Why it was refused.
    problem: Option<String>,
    /// Characters at least and at most.
    length: (usize, usize),
    /// What waits until the password is changed.
    waiting: Waiting,
}

/// A form that waits behind the door, as the pages there carry it; empty for none.
#[derive(Debug, Clone, Default, Deserialize)]
struct Waiting {
    /// Where it is.
    #[serde(default)]
    next: String,
    /// What was entered in it.
    #[serde(default)]
    kept: String,
}

#[derive(Deserialize)]
struct LoginQuery {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct LoginForm {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
    #[serde(default)]
    kept: String,
}

#[derive(Deserialize)]
struct PasswordForm {
    present: String,
    new: String,
    again: String,
    #[serde(flatten)]
    waiting: Waiting,
}

async fn login_form(mut visit: Visit, CheckedQuery(query): CheckedQuery<LoginQuery>) -> Response {
    if visit.session.is_some() {
        return see_other(local(&query.next));
    }
    door(&mut visit, query.next, None, String::new())
}

/// The empty sign-in page.
fn door(visit: &mut Visit, next: String, problem: Option<String>, kept: String) -> Response {
    // The form's token hangs on the cookie, so a first visitor gets one before there is a login session.
    let fresh = visit.cookie.is_none();
    let cookie = *visit.cookie.get_or_insert_with(random::bytes);
    let page = LoginPage {
        frame: visit.frame(""),
        next,
        name: String::new(),
        problem,
        kept,
    };
    let response = Page(page).into_response();
    if fresh {
        with_cookie(&visit.site, &cookie, response)
    } else {
        response
    }
}

/// The answer to a form whose login session has ended: the door, which carries what was entered; where the visitor has
/// signed in anew meanwhile, the way back to the form. `None` where neither helps.
pub(crate) fn ended(visit: &Visit, head: &Parts, kept: Option<KeptForm>) -> Option<Response> {
    let mut visit = visit.clone();
    let now_unix_ms = visit.site.now_unix_ms();
    let session = visit
        .cookie
        .and_then(|cookie| visit.site.sessions().find(&cookie, now_unix_ms));
    let stands = session.is_some();
    visit.session = session;
    let mut response = match kept {
        Some(kept) if stands => kept_page(&visit, visit.address(), kept),
        None if stands => return None,
        kept => {
            let (next, key) = match &kept {
                Some(_) => (visit.address().to_owned(), "login.ended_kept"),
                None => (page_before(head).unwrap_or("/").to_owned(), "login.ended"),
            };
            let problem = format!("{} [{}]", visit.locale.text(key), Error::SessionOld.code());
            let kept = kept.map(|kept| kept.to_text()).unwrap_or_default();
            door(&mut visit, next, Some(problem), kept)
        }
    };
    *response.status_mut() = Error::SessionOld.status();
    Some(response)
}

/// Path and query of our own page that led to a request, such as the one that its form stood on.
pub(crate) fn page_before(head: &Parts) -> Option<&str> {
    let text = |name| head.headers.get(name)?.to_str().ok();
    let (_, rest) = text(header::REFERER)?.split_once("://")?;
    rest.strip_prefix(text(header::HOST)?).map(local)
}

/// The answer to a form of an account that must change its password first: the page where it does, which carries what was
/// entered.
pub(crate) fn password_due(visit: &Visit, kept: Option<KeptForm>) -> Response {
    let waiting = kept.map(|kept| Waiting {
        next: visit.address().to_owned(),
        kept: kept.to_text(),
    });
    let page = password_page(visit, true, None, waiting.unwrap_or_default());
    (Error::PasswordDue.status(), Page(page)).into_response()
}

fn kept_page(visit: &Visit, action: &str, kept: KeptForm) -> Response {
    let page = KeptPage {
        frame: visit.frame(""),
        action: action.to_owned(),
        fields: kept.into_fields(),
    };
    Page(page).into_response()
}

async fn login_submit(visit: Visit, form: CheckedForm<LoginForm>) -> Result<Response, Error> {
    let LoginForm {
        name,
        password,
        next,
        kept: entered,
    } = form.value;
    let name = name.trim().to_owned();
    let now_unix_ms = visit.site.now_unix_ms();
    let refused = |status: StatusCode, problem: String| {
        let page = LoginPage {
            frame: visit.frame(""),
            next: next.clone(),
            name: name.clone(),
            problem: Some(problem),
            kept: entered.clone(),
        };
        (status, Page(page)).into_response()
    };
    if let Err(wait_seconds) = visit.site.tries().begin(&name, visit.client, now_unix_ms) {
        audit(&visit, LoginEventKind::Delayed, None).await?;
        return Err(Error::TooManyTries { wait_seconds });
    }
    let asked = name.clone();
    let account = visit
        .site
        .ask_accounts(move |accounts| accounts.find_by_name(&asked))
        .await?;
    let account =
        account.filter(|account| !account.disabled && password.chars().count() <= PASSWORD_LENGTH_MAX);
    let kept = account.as_ref().map(|account| account.password_hash.clone());
    let right = visit.site.hashing().verify(limited(password), kept).await?;
    let Some(account) = account.as_ref().filter(|_| right) else {
        audit(&visit, LoginEventKind::Refused, account.map(|account| account.id)).await?;
        return Ok(refused(
            StatusCode::FORBIDDEN,
            visit.locale.text("login.wrong").to_owned(),
        ));
    };
    visit.site.tries().clear(&name, visit.client);
    audit(&visit, LoginEventKind::SignedIn, Some(account.id.clone())).await?;
    if account.must_change {
        let waiting = Waiting { next, kept: entered };
        return Ok(open_session(&visit, account, |inside| {
            if KeptForm::from_text(&waiting.kept).is_none() {
                return see_other(PASSWORD_PATH);
            }
            Page(password_page(inside, true, None, waiting)).into_response()
        }));
    }
    Ok(open_session(
        &visit,
        account,
        |inside| match KeptForm::from_text(&entered) {
            Some(kept) => kept_page(inside, local(&next), kept),
            None => see_other(local(&next)),
        },
    ))
}

async fn logout_submit(visit: Visit, _form: CheckedForm<Empty>) -> Result<Response, Error> {
    if let (Some(cookie), Some(session)) = (&visit.cookie, &visit.session) {
        visit.site.sessions().close(cookie);
        audit(
            &visit,
            LoginEventKind::SignedOut,
            Some(session.account_id.clone()),
        )
        .await?;
    }
    Ok(with_cookie_line(
        &visit.site,
        "",
        "; Max-Age=0",
        see_other(&with_notice(LOGIN_PATH, "signed_out")),
    ))
}

/// A form with nothing in it but the hidden fields.
#[derive(Deserialize)]
struct Empty {}

/// The account at the door, also one that must change its password first.
struct AtTheDoor(AccountView, Visit);

impl<S: Send + Sync> FromRequestParts<S> for AtTheDoor {
    type Rejection = NotSignedIn;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NotSignedIn> {
        let visit = Visit::from_request_parts(parts, state).await?;
        match present_account(&visit).await? {
            Some(account) => Ok(Self(account, visit)),
            None if parts.method.is_safe() => Err(NotSignedIn::Redirect(login_address(PASSWORD_PATH))),
            None => Err(Error::SessionOld.into()),
        }
    }
}

async fn password_form(AtTheDoor(account, visit): AtTheDoor) -> Response {
    Page(password_page(
        &visit,
        account.must_change,
        None,
        Waiting::default(),
    ))
    .into_response()
}

async fn password_submit(
    AtTheDoor(account, visit): AtTheDoor,
    form: CheckedForm<PasswordForm>,
) -> Result<Response, Error> {
    let PasswordForm {
        present,
        new,
        again,
        waiting,
    } = form.value;
    let refused = |key: &str| {
        let problem = visit.locale.fill(
            key,
            &[&PASSWORD_LENGTH_MIN.to_string(), &PASSWORD_LENGTH_MAX.to_string()],
        );
        let page = password_page(&visit, account.must_change, Some(problem), waiting.clone());
        Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response())
    };
    if new != again {
        return refused("password.not_repeated");
    }
    if new == present {
        return refused("password.same");
    }
    if let Err(problem) = check_password(&account.name, &new) {
        return refused(problem.text_key());
    }
    if let Err(wait_seconds) = visit
        .site
        .tries()
        .begin(&account.name, visit.client, visit.site.now_unix_ms())
    {
        return Err(Error::TooManyTries { wait_seconds });
    }
    if !visit
        .site
        .hashing()
        .verify(limited(present), Some(account.password_hash.clone()))
        .await?
    {
        return refused("password.wrong");
    }
    visit.site.tries().clear(&account.name, visit.client);
    let hash = visit.site.hashing().hash(new).await?;
    let id = account.id.clone();
    visit
        .site
        .ask_accounts(move |accounts| accounts.set_password(&id, &hash))
        .await?;
    audit(&visit, LoginEventKind::PasswordChanged, Some(account.id.clone())).await?;
    // Whoever knew the old password is out.
    visit.site.end_login_sessions(&account.id);
    Ok(open_session(
        &visit,
        &account,
        |inside| match KeptForm::from_text(&waiting.kept) {
            Some(kept) => kept_page(inside, local(&waiting.next), kept),
            None => see_other(&with_notice("/", "password_changed")),
        },
    ))
}

fn password_page(visit: &Visit, forced: bool, problem: Option<String>, waiting: Waiting) -> PasswordPage {
    let mut frame = visit.frame("");
    if forced {
        // The other pages would only lead back here.
        frame.navigation.clear();
    }
    PasswordPage {
        frame,
        forced,
        problem,
        length: (PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX),
        waiting,
    }
}

/// No longer than a password can be, so that hashing nonsense stays cheap.
fn limited(password: String) -> String {
    password.chars().take(PASSWORD_LENGTH_MAX).collect()
}

/// An address of ours, or the start page: a link may not lead through the door to another site.
fn local(address: &str) -> &str {
    let inside = address.starts_with('/') && !address.starts_with("//");
    let plain = !address.contains(['\\', '\r', '\n', '\t']) && address.is_ascii();
    if inside && plain && !address.starts_with(LOGIN_PATH) {
        address
    } else {
        "/"
    }
}

/// A new cookie at every sign-in, so that one planted before is worth nothing. `answer` is given the visit with it.
fn open_session(visit: &Visit, account: &AccountView, answer: impl FnOnce(&Visit) -> Response) -> Response {
    if let Some(before) = &visit.cookie {
        visit.site.sessions().close(before);
    }
    let now_unix_ms = visit.site.now_unix_ms();
    let cookie = visit.site.sessions().open(account, now_unix_ms);
    let mut inside = visit.clone();
    inside.cookie = Some(cookie);
    inside.session = visit.site.sessions().find(&cookie, now_unix_ms);
    with_cookie(&visit.site, &cookie, answer(&inside))
}

fn with_cookie(site: &Site, cookie: &[u8; 32], response: Response) -> Response {
    with_cookie_line(site, &random::to_text(cookie), "", response)
}

fn with_cookie_line(site: &Site, value: &str, end: &str, mut response: Response) -> Response {
    let secure = if site.config().tls { "; Secure" } else { "" };
    let line = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{end}",
        site.cookie_name()
    );
    let line = HeaderValue::try_from(line).expect("the cookie is made of letters, digits and marks");
    response.headers_mut().append(header::SET_COOKIE, line);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_leads_to_our_own_pages_only() {
        let cases = [
            ("/organisations?q=x", "/organisations?q=x"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("", "/"),
            ("/login?next=/login", "/"),
            ("/a\r\nSet-Cookie: x", "/"),
        ];
        for (address, target) in cases {
            assert_eq!(local(address), target, "{address}");
        }
    }

    #[test]
    fn address_to_return_to_is_one_parameter() {
        assert_eq!(login_address("/"), "/login");
        assert_eq!(
            login_address("/a?q=1&b=%E5"),
            "/login?next=/a%3Fq%3D1%26b%3D%25E5"
        );
    }
}
