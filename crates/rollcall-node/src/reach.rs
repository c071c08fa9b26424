//! Whether the background's calls reach the aggregator, and since when they do not. Shared by the dialer, which knows, and
//! the pages, which say so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Calls that fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// When the first of them failed, Unix milliseconds.
    pub since_ms: i64,
    /// When the last one did.
    pub last_ms: i64,
    /// Stable code of why the last one did.
    pub code: String,
    /// Plain sentence.
    pub message: String,
}

impl Failing {
    /// Whether nobody answered; else somebody did, and said no.
    pub fn is_out_of_reach(&self) -> bool {
        ["CANNOT_CONNECT", "TIMEOUT", "LINK_LOST"].contains(&self.code.as_str())
    }
}

/// What the last calls came to. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Reach(Arc<Mutex<Option<Failing>>>);

impl Reach {
    /// A call failed.
    pub fn failed(&self, now_ms: i64, code: impl Into<String>, message: impl Into<String>) {
        let mut failing = self.lock();
        let since_ms = failing.as_ref().map_or(now_ms, |failing| failing.since_ms);
        *failing = Some(Failing {
            since_ms,
            last_ms: now_ms,
            code: code.into(),
            message: message.into(),
        });
    }

    /// A call came to its end.
    pub fn reached(&self) {
        *self.lock() = None;
    }

    /// Since when calls fail, and why the last one did. A call of another process may have been answered since.
    pub fn failing(&self) -> Option<Failing> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Failing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fails_since_the_first_call_that_did_until_one_is_answered() {
        let reach = Reach::default();
        assert_eq!(reach.failing(), None);
        reach.failed(10, "CANNOT_CONNECT", "one");
        reach.failed(20, "KEY_REVOKED", "two");
        let failing = reach.failing().expect("failing");
        assert_eq!((failing.since_ms, failing.last_ms), (10, 20));
        assert!(failing.code == "KEY_REVOKED" && !failing.is_out_of_reach());
        reach.reached();
        assert_eq!(reach.failing(), None);
    }
}
