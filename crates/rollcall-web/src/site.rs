//! The web face of one program: its settings, what it remembers between requests, and the router around its pages.
//! Owns putting the parts together; the programs own their pages and their accounts.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use sha2::{Digest, Sha256};

use crate::csrf::TokenKey;
use crate::form::OnceTable;
use crate::headers::HostList;
use crate::layout::NavigationItem;
use crate::login::{Accounts, Hashing, Sessions, Tries};
use crate::{Error, asset, login, respond};

/// Bytes in the body of a request, unless its route sets another limit.
pub const BODY_SIZE_BYTES_MAX: usize = 1024 * 1024;

/// Gives the present moment in Unix milliseconds; the program reads the clock.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Which of the two programs this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The local node.
    Node,
    /// The national aggregator.
    Aggregator,
}

impl Program {
    /// Key of its name.
    pub const fn text_key(self) -> &'static str {
        match self {
            Self::Node => "program.node",
            Self::Aggregator => "program.aggregator",
        }
    }
}

/// What a program says about its web face.
#[derive(Clone)]
pub struct SiteConfig {
    /// Which program it is.
    pub program: Program,
    /// Whose register or console it is, shown beside the name: 杭州市西湖区总工会.
    pub place: String,
    /// Version of the program, shown in the footer.
    pub version: String,
    /// What tells this installation from others on the same machine (its store id): browsers share cookies between
    /// ports of one host, so the name of the login cookie is made from it.
    pub instance: String,
    /// Names with port that it answers to.
    pub hosts: HostList,
    /// Whether browsers reach it by TLS, so that cookies can be marked.
    pub tls: bool,
    /// Main navigation after sign-in.
    pub navigation: Vec<NavigationItem>,
    /// The clock.
    pub clock: Clock,
}

/// The web face; cheap to clone.
#[derive(Clone)]
pub struct Site(Arc<Inner>);

struct Inner {
    config: SiteConfig,
    cookie_name: String,
    accounts: Arc<dyn Accounts>,
    token_key: TokenKey,
    sessions: Sessions,
    tries: Tries,
    hashing: Hashing,
    once: OnceTable,
}

impl Site {
    /// A site whose accounts are kept by the program.
    pub fn new(config: SiteConfig, accounts: Arc<dyn Accounts>) -> Self {
        let digest = Sha256::digest(config.instance.as_bytes());
        let instance: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        // Browsers keep others from setting a cookie with this prefix, but take it by TLS only.
        let prefix = if config.tls { "__Host-" } else { "" };
        Self(Arc::new(Inner {
            cookie_name: format!("{prefix}rollcall-{instance}"),
            config,
            accounts,
            token_key: TokenKey::new(),
            sessions: Sessions::default(),
            tries: Tries::default(),
            hashing: Hashing::default(),
            once: OnceTable::default(),
        }))
    }

    /// The program's pages with sign-in, files, checks, headers and error pages around them.
    /// The pages must not route `/login`, `/logout`, `/password` or anything under `/static`.
    pub fn wrap(&self, pages: Router) -> Router {
        pages
            .merge(login::routes())
            .merge(asset::routes())
            .layer(DefaultBodyLimit::max(BODY_SIZE_BYTES_MAX))
            .layer(axum::middleware::from_fn_with_state(
                self.clone(),
                respond::answer,
            ))
    }

    /// The settings.
    pub fn config(&self) -> &SiteConfig {
        &self.0.config
    }

    /// The present moment by the program's clock, Unix milliseconds.
    pub fn now_unix_ms(&self) -> i64 {
        (self.0.config.clock)()
    }

    /// Ends every login session of an account, for when it is disabled or its role changes.
    pub fn end_login_sessions(&self, account_id: &str) {
        self.0.sessions.close_all(account_id);
    }

    pub(crate) fn cookie_name(&self) -> &str {
        &self.0.cookie_name
    }

    pub(crate) fn token_key(&self) -> &TokenKey {
        &self.0.token_key
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    pub(crate) fn tries(&self) -> &Tries {
        &self.0.tries
    }

    pub(crate) fn hashing(&self) -> &Hashing {
        &self.0.hashing
    }

    pub(crate) fn once(&self) -> &OnceTable {
        &self.0.once
    }

    /// Asks the program's accounts on a thread that may block.
    pub(crate) async fn ask_accounts<T, F>(&self, question: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Accounts) -> Result<T, crate::error::Source> + Send + 'static,
    {
        let accounts = Arc::clone(&self.0.accounts);
        tokio::task::spawn_blocking(move || question(&*accounts))
            .await
            .map_err(Error::internal)?
            .map_err(Error::Accounts)
    }
}
