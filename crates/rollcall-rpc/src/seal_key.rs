//! Keys that files are sealed for (RFC 9180, X25519): each end has one for life. The public one goes to the other end as
//! a line of text, by enrolment or by hand; where the private one is kept is the caller's.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, Serializable};

use crate::error::RpcError;
use crate::signing::sha256;

const VERSION: u8 = 1;

/// Bytes of a key, private or public.
const KEY_BYTES: usize = 32;

/// Bytes of the check at the end of a line.
const CHECK_BYTES: usize = 4;

/// Whom a file is sealed for: a public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Recipient(pub [u8; KEY_BYTES]);

impl Recipient {
    /// Enough of the key to tell whether a file is for it.
    pub(crate) fn tag(&self) -> [u8; 8] {
        let hash = sha256(&[b"rollcall-recipient-1", &self.0]);
        let mut tag = [0; 8];
        tag.copy_from_slice(&hash[..8]);
        tag
    }

    pub(crate) fn key(&self) -> Result<<X25519HkdfSha256 as Kem>::PublicKey, RpcError> {
        Deserializable::from_bytes(&self.0).map_err(|_| RpcError::Recipient)
    }
}

/// One line; the last four bytes find a slip of the pen.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.0);
        bytes.extend_from_slice(&sha256(&[&bytes])[..CHECK_BYTES]);
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

impl FromStr for Recipient {
    type Err = RpcError;

    fn from_str(text: &str) -> Result<Self, RpcError> {
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(text.trim())
            .map_err(|_| RpcError::Recipient)?;
        let (content, check) = bytes
            .split_last_chunk::<CHECK_BYTES>()
            .ok_or(RpcError::Recipient)?;
        match content.split_first() {
            Some((&VERSION, key)) if sha256(&[content])[..CHECK_BYTES] == *check => {
                key.try_into().map(Self).map_err(|_| RpcError::Recipient)
            }
            _ => Err(RpcError::Recipient),
        }
    }
}

/// Opens what was sealed for its public half. A secret.
pub struct SealKey(<X25519HkdfSha256 as Kem>::PrivateKey);

impl SealKey {
    /// A new key.
    pub fn generate() -> Self {
        Self(X25519HkdfSha256::gen_keypair().0)
    }

    /// A stored key.
    ///
    /// # Errors
    /// `KeyFormat` where the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RpcError> {
        Deserializable::from_bytes(bytes)
            .map(Self)
            .map_err(|_| RpcError::KeyFormat { what: "seal key" })
    }

    /// The key to store. It is a secret.
    pub fn to_bytes(&self) -> [u8; KEY_BYTES] {
        self.0.to_bytes().into()
    }

    /// Its public half.
    pub fn recipient(&self) -> Recipient {
        Recipient(X25519HkdfSha256::sk_to_pk(&self.0).to_bytes().into())
    }

    pub(crate) fn key(&self) -> &<X25519HkdfSha256 as Kem>::PrivateKey {
        &self.0
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKey(of {:?})", self.recipient())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_bytes_and_its_public_half_from_a_line() {
        let key = SealKey::generate();
        let again = SealKey::from_bytes(&key.to_bytes()).expect("reads");
        assert_eq!(again.recipient(), key.recipient());
        let line = key.recipient().to_string();
        assert_eq!(line.parse::<Recipient>().expect("reads"), key.recipient());
        assert_eq!(
            format!(" {line}\n").parse::<Recipient>().expect("reads"),
            key.recipient()
        );
        assert!(SealKey::from_bytes(&key.to_bytes()[1..]).is_err());
        assert_ne!(SealKey::generate().recipient(), key.recipient());
    }

    #[test]
    fn a_slip_of_the_pen_is_found() {
        let line = SealKey::generate().recipient().to_string();
        for index in 0..line.len() {
            let mut bytes = line.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let wrong = String::from_utf8(bytes).expect("text");
            let error = wrong.parse::<Recipient>().expect_err("found");
            assert_eq!(error.code(), "RECIPIENT_INVALID", "{wrong}");
        }
        assert!("".parse::<Recipient>().is_err());
    }
}
