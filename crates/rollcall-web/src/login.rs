//! Who is signed in and what the role allows.
//! Owns passwords, login sessions, the delay after failed tries and the pages for signing in and out; the programs
//! keep the accounts and give them through [`Accounts`].

mod pages;
mod password;
mod session;
#[cfg(test)]
mod tests;
mod tries;

use std::net::IpAddr;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use crate::error::Source;
use crate::form::see_other;
use crate::layout::Frame;
use crate::visit::Visit;
use crate::{Error, Site};

pub(crate) use pages::{ended, page_before, password_due, routes};
pub(crate) use password::Hashing;
pub use password::{
    PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, PasswordProblem, check_password, hash_password,
};
pub use session::{IDLE_MS_MAX, LIFETIME_MS_MAX};
pub(crate) use session::{Session, Sessions};
pub(crate) use tries::Tries;

/// What an account may do. Each includes what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Edits and imports.
    Clerk,
    /// Approves, settles conflicts, signs off.
    Head,
    /// Keeps accounts, enrolment and backups.
    Administrator,
}

impl Role {
    /// Every role, least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Clerk, Self::Head, Self::Administrator];

    /// The name in tables and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Clerk => "clerk",
            Self::Head => "head",
            Self::Administrator => "administrator",
        }
    }

    /// The role of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Key of its text.
    pub const fn text_key(self) -> &'static str {
        match self {
            Self::Viewer => "role.viewer",
            Self::Clerk => "role.clerk",
            Self::Head => "role.head",
            Self::Administrator => "role.administrator",
        }
    }
}

/// An account as the program's store holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    /// The id that stands in documents, such as `330106/7`.
    pub id: String,
    /// Sign-in name.
    pub name: String,
    /// As [`hash_password`] made it.
    pub password_hash: String,
    /// What it may do.
    pub role: Role,
    /// The password was given by somebody else and must be changed first.
    pub must_change: bool,
    /// Nobody may sign in with it.
    pub disabled: bool,
}

/// Something the audit trail keeps about signing in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginEvent {
    /// What happened.
    pub kind: LoginEventKind,
    /// The account; `None` where the name is unknown.
    pub account_id: Option<String>,
    /// Where the request came from.
    pub address: IpAddr,
    /// When, by the site's clock.
    pub unix_ms: i64,
}

/// What happened at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginEventKind {
    /// Signed in.
    SignedIn,
    /// Wrong name or password, or a disabled account.
    Refused,
    /// Not even looked at, after too many tries.
    Delayed,
    /// Signed out.
    SignedOut,
    /// Changed the password.
    PasswordChanged,
}

impl LoginEventKind {
    /// The name in the audit trail.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SignedIn => "signed_in",
            Self::Refused => "sign_in_refused",
            Self::Delayed => "sign_in_delayed",
            Self::SignedOut => "signed_out",
            Self::PasswordChanged => "password_changed",
        }
    }
}

/// The accounts of a program. Every function is called on a thread that may block.
pub trait Accounts: Send + Sync + 'static {
    /// The account with this sign-in name, as entered but for blanks at its ends.
    fn find_by_name(&self, name: &str) -> Result<Option<AccountView>, Source>;
    /// The account with this id; asked again for every page, so that disabling takes effect at once.
    fn find_by_id(&self, id: &str) -> Result<Option<AccountView>, Source>;
    /// Keeps a new password, chosen by the account itself: it need not be changed again.
    fn set_password(&self, id: &str, password_hash: &str) -> Result<(), Source>;
    /// Writes to the audit trail.
    fn audit(&self, event: &LoginEvent) -> Result<(), Source>;
}

/// An account without what only the door needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The id that stands in documents.
    pub id: String,
    /// Sign-in name.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// The account behind a request; without one the visitor is led to sign in.
#[derive(Clone)]
pub struct SignedIn {
    /// Who it is.
    pub account: Account,
    /// The request.
    pub visit: Visit,
}

impl SignedIn {
    /// The frame of a page in a section of the navigation.
    pub fn frame(&self, section: &'static str) -> Frame {
        self.visit.frame(section)
    }
}

/// Why there is no account: a redirect to a page at the door, or an error.
pub enum NotSignedIn {
    /// Go there first.
    Redirect(String),
    /// Refused or failed.
    Error(Error),
}

impl IntoResponse for NotSignedIn {
    fn into_response(self) -> Response {
        match self {
            Self::Redirect(address) => see_other(&address),
            Self::Error(error) => error.into_response(),
        }
    }
}

impl From<Error> for NotSignedIn {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// The account behind a request as the store has it now, if its login session stands.
async fn present_account(visit: &Visit) -> Result<Option<AccountView>, Error> {
    let (Some(session), Some(cookie)) = (&visit.session, &visit.cookie) else {
        return Ok(None);
    };
    let id = session.account_id.clone();
    let account = visit
        .site
        .ask_accounts(move |accounts| accounts.find_by_id(&id))
        .await?;
    let Some(account) = account.filter(|account| !account.disabled) else {
        visit.site.sessions().close(cookie);
        return Ok(None);
    };
    visit.site.sessions().touch(cookie, visit.site.now_unix_ms());
    Ok(Some(account))
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = NotSignedIn;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NotSignedIn> {
        let visit = Visit::from_request_parts(parts, state).await?;
        let Some(account) = present_account(&visit).await? else {
            if !parts.method.is_safe() {
                return Err(Error::SessionOld.into());
            }
            return Err(NotSignedIn::Redirect(pages::login_address(visit.address())));
        };
        if account.must_change {
            return Err(if parts.method.is_safe() {
                NotSignedIn::Redirect(pages::PASSWORD_PATH.to_owned())
            } else {
                Error::PasswordDue.into()
            });
        }
        Ok(Self {
            account: Account {
                id: account.id,
                name: account.name,
                role: account.role,
            },
            visit,
        })
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Error> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(signed_in) => Ok(Some(signed_in)),
            Err(NotSignedIn::Error(error)) => Err(error),
            Err(NotSignedIn::Redirect(_)) => Ok(None),
        }
    }
}

macro_rules! at_least {
    ($($(#[$doc:meta])* $name:ident = $role:expr;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone)]
            pub struct $name(pub SignedIn);

            impl<S: Send + Sync> FromRequestParts<S> for $name {
                type Rejection = NotSignedIn;

                async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, NotSignedIn> {
                    let signed_in = <SignedIn as FromRequestParts<S>>::from_request_parts(parts, state).await?;
                    if signed_in.account.role < $role {
                        return Err(Error::NotAllowed.into());
                    }
                    Ok(Self(signed_in))
                }
            }
        )+
    };
}

at_least! {
    /// A signed-in account that may edit and import; others get `NOT_ALLOWED`.
    Clerk = Role::Clerk;
    /// A signed-in account that may approve and settle; others get `NOT_ALLOWED`.
    Head = Role::Head;
    /// A signed-in account that keeps accounts and enrolment; others get `NOT_ALLOWED`.
    Administrator = Role::Administrator;
}

/// Writes to the program's audit trail.
async fn audit(visit: &Visit, kind: LoginEventKind, account_id: Option<String>) -> Result<(), Error> {
    let site: &Site = &visit.site;
    let event = LoginEvent {
        kind,
        account_id,
        address: visit.client,
        unix_ms: site.now_unix_ms(),
    };
    site.ask_accounts(move |accounts| accounts.audit(&event)).await
}
