//! Login sessions, in memory: a restart ends them all.
//! Owns their ends (idle, absolute) and their number. Only a hash of each cookie is kept.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::{AccountView, Role};
use crate::random;

/// A login session ends this long after its last page.
pub const IDLE_MS_MAX: i64 = 15 * 60 * 1000;
/// A login session ends this long after sign-in, whatever happens.
pub const LIFETIME_MS_MAX: i64 = 12 * 60 * 60 * 1000;
/// Login sessions at once; the one unused for longest leaves first.
const SESSIONS_MAX: usize = 10_000;

/// One login session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// Whose it is.
    pub(crate) account_id: String,
    /// Sign-in name when it was opened.
    pub(crate) name: String,
    /// Role when it was opened; permission is decided by the store's present answer.
    pub(crate) role: Role,
    opened_unix_ms: i64,
    used_unix_ms: i64,
}

impl Session {
    fn stands(&self, now_unix_ms: i64) -> bool {
        now_unix_ms.saturating_sub(self.used_unix_ms) < IDLE_MS_MAX
            && now_unix_ms.saturating_sub(self.opened_unix_ms) < LIFETIME_MS_MAX
    }
}

/// All login sessions, by hash of their cookie.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

impl Sessions {
    /// Opens a login session and gives the cookie for it.
    pub(crate) fn open(&self, account: &AccountView, now_unix_ms: i64) -> [u8; 32] {
        let cookie = random::bytes();
        let mut sessions = self.lock();
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, session| session.stands(now_unix_ms));
        }
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions
                .iter()
                .min_by_key(|(_, session)| session.used_unix_ms)
                .map(|(name, _)| *name);
            oldest.and_then(|name| sessions.remove(&name));
        }
        let session = Session {
            account_id: account.id.clone(),
            name: account.name.clone(),
            role: account.role,
            opened_unix_ms: now_unix_ms,
            used_unix_ms: now_unix_ms,
        };
        sessions.insert(hash(&cookie), session);
        cookie
    }

    /// The login session of a cookie, if it stands.
    pub(crate) fn find(&self, cookie: &[u8; 32], now_unix_ms: i64) -> Option<Session> {
        let name = hash(cookie);
        let mut sessions = self.lock();
        if sessions.get(&name)?.stands(now_unix_ms) {
            return sessions.get(&name).cloned();
        }
        sessions.remove(&name);
        None
    }

    /// Says that a page of it was answered now.
    pub(crate) fn touch(&self, cookie: &[u8; 32], now_unix_ms: i64) {
        if let Some(session) = self.lock().get_mut(&hash(cookie)) {
            session.used_unix_ms = session.used_unix_ms.max(now_unix_ms);
        }
    }

    /// Ends one.
    pub(crate) fn close(&self, cookie: &[u8; 32]) {
        self.lock().remove(&hash(cookie));
    }

    /// Ends all of an account.
    pub(crate) fn close_all(&self, account_id: &str) {
        self.lock().retain(|_, session| session.account_id != account_id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(cookie: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(cookie).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str) -> AccountView {
        AccountView {
            id: id.into(),
            name: "li".into(),
            password_hash: String::new(),
            role: Role::Clerk,
            must_change: false,
            disabled: false,
        }
    }

    #[test]
    fn session_ends_when_idle_and_after_its_lifetime() {
        let sessions = Sessions::default();
        let cookie = sessions.open(&account("1"), 0);
        assert!(sessions.find(&cookie, IDLE_MS_MAX - 1).is_some());
        assert!(sessions.find(&[0; 32], 0).is_none());
        let mut now = 0;
        while now + IDLE_MS_MAX - 1 < LIFETIME_MS_MAX {
            now += IDLE_MS_MAX - 1;
            assert!(
                sessions.find(&cookie, now).is_some(),
                "used within the idle time, at {now}"
            );
            sessions.touch(&cookie, now);
        }
        assert!(sessions.find(&cookie, LIFETIME_MS_MAX).is_none());
        let idle = sessions.open(&account("1"), 0);
        assert!(sessions.find(&idle, IDLE_MS_MAX).is_none());
        assert!(
            sessions.find(&idle, 0).is_none(),
            "an ended one does not come back"
        );
    }

    #[test]
    fn closing_an_account_ends_all_of_its_sessions_only() {
        let sessions = Sessions::default();
        let (one, two, other) = (
            sessions.open(&account("1"), 0),
            sessions.open(&account("1"), 0),
            sessions.open(&account("2"), 0),
        );
        sessions.close_all("1");
        assert_eq!(
            [one, two, other].map(|cookie| sessions.find(&cookie, 1).is_some()),
            [false, false, true]
        );
    }

    #[test]
    fn number_of_sessions_is_limited() {
        let sessions = Sessions::default();
        let first = sessions.open(&account("1"), 0);
        for _ in 0..SESSIONS_MAX {
            sessions.open(&account("2"), 1);
        }
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
        assert!(sessions.find(&first, 1).is_none());
    }
}
