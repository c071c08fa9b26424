//! Passwords: which are taken, how they are kept, how they are compared.
//! Owns argon2id and the list of common passwords; no rules about composition (`reliability.md` 5.2).

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::{Error, random};

/// Characters at least.
pub const PASSWORD_LENGTH_MIN: usize = 12;
/// Characters at most.
pub const PASSWORD_LENGTH_MAX: usize = 128;

/// Memory of one hash, KiB.
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over it.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Hashes computed at once; each takes [`MEMORY_KIB`].
const AT_ONCE_MAX: usize = 2;

/// Passwords of at least twelve characters that are tried first; compared without case, blanks and ends of digits.
const COMMON: &[&str] = &[
    "password",
    "passwordpassword",
    "passw0rd",
    "p@ssw0rd",
    "p@ssword",
    "qwertyuiop",
    "qwertyuiop[]",
    "qwertyqwerty",
    "qazwsxedcrfv",
    "1qaz2wsx3edc",
    "1q2w3e4r5t6y",
    "q1w2e3r4t5y6",
    "asdfghjkl",
    "asdfghjkl;",
    "zxcvbnm",
    "zxcvbnm,./",
    "abcdefghijkl",
    "abcdefg",
    "abcabcabcabc",
    "abcdabcdabcd",
    "administrator",
    "adminadmin",
    "adminadminadmin",
    "admin",
    "admin@",
    "root",
    "rootroot",
    "welcome",
    "welcomewelcome",
    "letmein",
    "letmeinletmein",
    "changeme",
    "changemechangeme",
    "iloveyou",
    "iloveyouiloveyou",
    "woaini",
    "woaini5201314",
    "woainiwoaini",
    "5201314",
    "zhongguo",
    "zhonghua",
    "beijing",
    "gonghui",
    "gonghuigonghui",
    "zonggonghui",
    "rollcall",
    "rollcallrollcall",
    "correcthorsebatterystaple",
    "test",
    "testtesttest",
    "user",
    "useruseruser",
    "guest",
    "default",
    "secret",
    "monkey",
    "dragon",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "trustno1",
    "computer",
    "internet",
    "google",
    "a1b2c3d4e5f6",
    "aa123456",
    "a123456",
];

/// Why a new password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    /// Fewer characters than [`PASSWORD_LENGTH_MIN`].
    #[error("shorter than {PASSWORD_LENGTH_MIN} characters")]
    TooShort,
    /// More characters than [`PASSWORD_LENGTH_MAX`].
    #[error("longer than {PASSWORD_LENGTH_MAX} characters")]
    TooLong,
    /// Among those that are tried first.
    #[error("too common")]
    Common,
    /// Holds the sign-in name.
    #[error("contains the sign-in name")]
    HoldsName,
}

impl PasswordProblem {
    /// Key of its sentence.
    pub const fn text_key(self) -> &'static str {
        match self {
            Self::TooShort => "password.too_short",
            Self::TooLong => "password.too_long",
            Self::Common => "password.common",
            Self::HoldsName => "password.holds_name",
        }
    }
}

/// Whether a new password may be taken for the account with this sign-in name.
pub fn check_password(name: &str, password: &str) -> Result<(), PasswordProblem> {
    let length = password.chars().count();
    if length < PASSWORD_LENGTH_MIN {
        return Err(PasswordProblem::TooShort);
    }
    if length > PASSWORD_LENGTH_MAX {
        return Err(PasswordProblem::TooLong);
    }
    let plain = password.to_lowercase().replace(char::is_whitespace, "");
    let word = plain.trim_matches(|end: char| end.is_ascii_digit() || "!@#$.*_-".contains(end));
    let listed = COMMON.contains(&plain.as_str()) || word.is_empty() || COMMON.contains(&word);
    if listed || is_repetition(&plain) || is_run(&plain) {
        return Err(PasswordProblem::Common);
    }
    let name = name.trim().to_lowercase();
    if name.chars().count() >= 4 && plain.contains(&name) {
        return Err(PasswordProblem::HoldsName);
    }
    Ok(())
}

/// The text to keep for a password. Slow on purpose: call it on a thread that may block.
pub fn hash_password(password: &str) -> Result<String, Error> {
    let salt = SaltString::encode_b64(&random::bytes::<16>()).expect("16 bytes are a salt of allowed length");
    match hasher().hash_password(password.as_bytes(), &salt) {
        Ok(hash) => Ok(hash.to_string()),
        Err(error) => Err(Error::internal(error.to_string())),
    }
}

/// Limits how many passwords are hashed at once.
pub(crate) struct Hashing(Semaphore);

impl Default for Hashing {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE_MAX))
    }
}

impl Hashing {
    /// Whether the password is the one kept. `None` for an unknown account takes as long and is never right.
    pub(crate) async fn verify(&self, password: String, kept: Option<String>) -> Result<bool, Error> {
        let _place = self.0.acquire().await.expect("the semaphore is never closed");
        tokio::task::spawn_blocking(move || match kept {
            Some(kept) => matches(&password, &kept),
            None => {
                // The same work, so that the time of the answer does not tell whether the name exists.
                let _ = hash_password(&password);
                false
            }
        })
        .await
        .map_err(Error::internal)
    }

    /// The text to keep for a password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Error> {
        let _place = self.0.acquire().await.expect("the semaphore is never closed");
        tokio::task::spawn_blocking(move || hash_password(&password))
            .await
            .map_err(Error::internal)?
    }
}

fn matches(password: &str, kept: &str) -> bool {
    PasswordHash::new(kept).is_ok_and(|kept| hasher().verify_password(password.as_bytes(), &kept).is_ok())
}

fn hasher() -> Argon2<'static> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the constants are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// One piece of up to four characters over and over.
fn is_repetition(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    (1..=4).any(|length| {
        characters
            .iter()
            .zip(characters.iter().skip(length))
            .all(|(left, right)| left == right)
    })
}

/// Characters in order, up or down, with 0 after 9: `123456789012`, `abcdefghijkl`.
fn is_run(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let steps = |step: fn(char, char) -> bool| characters.windows(2).all(|pair| step(pair[0], pair[1]));
    let follows = |left: char, right: char| right as u32 == left as u32 + 1 || (left == '9' && right == '0');
    steps(follows) || steps(|left, right| left as u32 == right as u32 + 1 || (left == '0' && right == '9'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_short_and_telling_passwords_are_refused() {
        let long = "长".repeat(129);
        let cases = [
            ("clerk1", "elf zeichen", Err(PasswordProblem::TooShort)),
            ("clerk1", &long, Err(PasswordProblem::TooLong)),
            ("clerk1", &long[3..][..12 * 3], Err(PasswordProblem::Common)),
            ("clerk1", "Password1234!", Err(PasswordProblem::Common)),
            ("clerk1", "123456789012", Err(PasswordProblem::Common)),
            ("clerk1", "210987654321", Err(PasswordProblem::Common)),
            ("clerk1", "abcdefghijklm", Err(PasswordProblem::Common)),
            ("clerk1", "xyxyxyxyxyxyxy", Err(PasswordProblem::Common)),
            ("clerk1", "woaini5201314", Err(PasswordProblem::Common)),
            ("clerk1", "198806041988", Err(PasswordProblem::Common)),
            ("clerk1", "my Clerk1 is here", Err(PasswordProblem::HoldsName)),
            ("li", "limpid river 7", Ok(())),
            ("clerk1", "seven quiet rivers", Ok(())),
            ("clerk1", "七条安静的河流向东海奔去", Ok(())),
        ];
        for (name, password, verdict) in cases {
            assert_eq!(check_password(name, password), verdict, "{password}");
        }
    }

    #[tokio::test]
    async fn kept_text_is_argon2id_of_the_set_strength_and_fits_its_password_only() {
        let kept = hash_password("seven quiet rivers").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        let hashing = Hashing::default();
        assert!(
            hashing
                .verify("seven quiet rivers".into(), Some(kept.clone()))
                .await
                .unwrap()
        );
        assert!(
            !hashing
                .verify("seven quiet river".into(), Some(kept))
                .await
                .unwrap()
        );
        assert!(
            !hashing
                .verify("seven quiet rivers".into(), Some("nonsense".into()))
                .await
                .unwrap()
        );
        assert!(!hashing.verify("seven quiet rivers".into(), None).await.unwrap());
    }
}
