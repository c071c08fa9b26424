//! The hidden token that proves a form came from a page of this login session.
//! Owns making and comparing it; `form::CheckedForm` refuses a form without it.
//!
//! The token is a keyed hash of the visitor's cookie. The key lives as long as the process; the cookie is replaced at
//! sign-in, so a form made before is refused.

use sha2::{Digest, Sha256};

use crate::Error;
use crate::random;

/// Name of the hidden field.
pub const FIELD: &str = "form_token";

/// The process's key for tokens.
pub(crate) struct TokenKey([u8; 32]);

impl TokenKey {
    /// A new key.
    pub(crate) fn new() -> Self {
        Self(random::bytes())
    }

    /// The token for the visitor with this cookie. Key and cookie have fixed lengths, so a plain hash is a sound
    /// keyed one: a longer input that continues this hash is never looked at.
    pub(crate) fn token(&self, cookie: &[u8; 32]) -> String {
        random::to_text(&self.digest(cookie))
    }

    /// Whether a form's token fits the visitor's cookie: none or nonsense is not ours, another visitor's is old.
    pub(crate) fn check(&self, cookie: Option<&[u8; 32]>, token: Option<&str>) -> Result<(), Error> {
        let given = token
            .and_then(random::from_text::<32>)
            .ok_or(Error::FormNotOurs)?;
        let expected = self.digest(cookie.ok_or(Error::SessionOld)?);
        let difference = given
            .iter()
            .zip(expected)
            .fold(0, |all, (left, right)| all | (left ^ right));
        if difference == 0 {
            Ok(())
        } else {
            Err(Error::SessionOld)
        }
    }

    fn digest(&self, cookie: &[u8; 32]) -> [u8; 32] {
        Sha256::new()
            .chain_update(b"rollcall form")
            .chain_update(self.0)
            .chain_update(cookie)
            .finalize()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_fits_its_own_cookie_and_key_only() {
        let (key, cookie) = (TokenKey::new(), [7; 32]);
        let token = key.token(&cookie);
        assert!(key.check(Some(&cookie), Some(&token)).is_ok());
        let cases = [
            (Some([8; 32]), Some(token.clone()), "SESSION_OLD"),
            (None, Some(token.clone()), "SESSION_OLD"),
            (Some(cookie), Some(TokenKey::new().token(&cookie)), "SESSION_OLD"),
            (Some(cookie), None, "FORM_NOT_OURS"),
            (Some(cookie), Some(String::new()), "FORM_NOT_OURS"),
            (Some(cookie), Some(format!("{token}A")), "FORM_NOT_OURS"),
        ];
        for (cookie, token, code) in cases {
            let refused = key.check(cookie.as_ref(), token.as_deref()).unwrap_err();
            assert_eq!(refused.code(), code, "{token:?}");
        }
    }
}
