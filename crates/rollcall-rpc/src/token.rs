//! The enrolment token as one line of text: a secret, and which authority to trust with it.
//! Only the SHA-256 of the secret is kept by whoever gave it out.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::error::RpcError;
use crate::signing::sha256;

const VERSION: u8 = 1;

/// What an administrator hands to a node.
#[derive(Clone, PartialEq, Eq)]
pub struct EnrolmentToken {
    /// 128 random bits, shown once.
    pub secret: [u8; 16],
    /// SHA-256 of the authority's root certificate (DER): the node refuses any other server.
    pub ca_fingerprint: [u8; 32],
}

impl EnrolmentToken {
    /// A new token for this authority.
    pub fn generate(ca_fingerprint: [u8; 32]) -> Result<Self, RpcError> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(|_| RpcError::Random)?;
        Ok(Self {
            secret,
            ca_fingerprint,
        })
    }

    /// What is stored of the secret.
    pub fn secret_hash(&self) -> [u8; 32] {
        secret_hash(&self.secret)
    }
}

/// What is stored of a token's secret.
pub fn secret_hash(secret: &[u8; 16]) -> [u8; 32] {
    sha256(&[b"rollcall-token-1", secret])
}

/// The line itself. The last four bytes let a slip of the pen be told from an unknown token.
impl fmt::Display for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.secret);
        bytes.extend_from_slice(&self.ca_fingerprint);
        bytes.extend_from_slice(&sha256(&[&bytes])[..4]);
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for EnrolmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentToken(secret)")
    }
}

impl FromStr for EnrolmentToken {
    type Err = RpcError;

    fn from_str(text: &str) -> Result<Self, RpcError> {
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(text.trim())
            .map_err(|_| RpcError::Token)?;
        let (content, check) = bytes.split_last_chunk::<4>().ok_or(RpcError::Token)?;
        let (version, rest) = content.split_first().ok_or(RpcError::Token)?;
        let (secret, ca_fingerprint) = rest.split_first_chunk::<16>().ok_or(RpcError::Token)?;
        if *version != VERSION || sha256(&[content])[..4] != *check {
            return Err(RpcError::Token);
        }
        let ca_fingerprint = ca_fingerprint.try_into().map_err(|_| RpcError::Token)?;
        Ok(Self {
            secret: *secret,
            ca_fingerprint,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_and_comes_back() {
        let token = EnrolmentToken::generate([7; 32]).expect("random");
        let text = token.to_string();
        assert!(
            text.len() < 80
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
        assert_eq!(
            format!(" {text}\n").parse::<EnrolmentToken>().expect("reads"),
            token
        );
        assert!(!format!("{token:?}").contains(&text));
    }

    #[test]
    fn a_slip_of_the_pen_is_found() {
        let text = EnrolmentToken {
            secret: [1; 16],
            ca_fingerprint: [2; 32],
        }
        .to_string();
        for index in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[index] = if wrong[index] == b'A' { b'B' } else { b'A' };
            let wrong = String::from_utf8(wrong).expect("ascii");
            assert!(wrong.parse::<EnrolmentToken>().is_err(), "{index}");
            assert!(text[..index].parse::<EnrolmentToken>().is_err(), "cut at {index}");
        }
    }
}
