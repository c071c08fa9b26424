//! Names of things: documents, peers, stores, actors, federations.
//! Owns how a document id is derived (`protocol.md` 1.7); does not know what a document holds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::credit_code::CreditCode;

/// What a document is about. The order is stable and reaches hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// An employer: social organisation, private school and the like.
    Organisation,
    /// A grassroots union.
    Union,
    /// A federation's special fund of one year.
    Fund,
    /// One subsidy case.
    Subsidy,
    /// Two documents that are one thing since a date.
    SameAs,
    /// A federation in the directory.
    Federation,
    /// The campaign's settings and targets.
    Campaign,
}

impl DocumentKind {
    /// Every kind, in stable order.
    pub const ALL: [Self; 7] = [
        Self::Organisation,
        Self::Union,
        Self::Fund,
        Self::Subsidy,
        Self::SameAs,
        Self::Federation,
        Self::Campaign,
    ];

    /// The name used in ids, records and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::Union => "union",
            Self::Fund => "fund",
            Self::Subsidy => "subsidy",
            Self::SameAs => "same_as",
            Self::Federation => "federation",
            Self::Campaign => "campaign",
        }
    }

    /// The number used on the wire and in tables; never reused.
    pub const fn number(self) -> u8 {
        match self {
            Self::Organisation => 1,
            Self::Union => 2,
            Self::Fund => 3,
            Self::Subsidy => 4,
            Self::SameAs => 5,
            Self::Federation => 6,
            Self::Campaign => 7,
        }
    }

    /// The kind with this number, if there is one.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// A text that is not the id it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not the right number of hexadecimal digits.
    #[error("{0:?} is not an id of {1} hexadecimal digits")]
    Hex(String, usize),
    /// Not six digits, or six digits, a slash and a line.
    #[error("{0:?} is not a federation code such as 330106 or 330000/education")]
    Federation(String),
}

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $len:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// The id in these bytes, if there are exactly as many as it has.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = || IdError::Hex(text.to_owned(), $len * 2);
                if text.len() != $len * 2 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(wrong());
                }
                let mut bytes = [0; $len];
                for (index, byte) in bytes.iter_mut().enumerate() {
                    *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16)
                        .map_err(|_| wrong())?;
                }
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; $len]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}

bytes_id!(
    /// A document, the same everywhere; 32 hexadecimal digits in text.
    DocumentId,
    16
);
bytes_id!(
    /// One store (a database file and what grew from it); rotates never, its log epoch does.
    StoreId,
    16
);
bytes_id!(
    /// One spell of a store's log; rotated after a restore (`protocol.md` L4).
    LogEpoch,
    8
);
bytes_id!(
    /// One writing replica as Automerge counts them: random per process start and account.
    ActorId,
    16
);

impl DocumentId {
    /// The id derived from a key: first 16 bytes of
    /// SHA-256("rollcall-1" ‖ 0 ‖ kind ‖ 0 ‖ key), `protocol.md` 1.7.
    pub fn derive(kind: DocumentKind, key: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"rollcall-1\0");
        hasher.update(kind.name().as_bytes());
        hasher.update(b"\0");
        hasher.update(key.as_bytes());
        let digest = hasher.finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }

    /// The document that a record means by `reference`: 32 hexadecimal digits are the id itself,
    /// a valid credit code is its key in normalised form, anything else is a record id.
    pub fn from_reference(kind: DocumentKind, reference: &str) -> Self {
        if let Ok(id) = reference.parse() {
            return id;
        }
        match CreditCode::parse(reference) {
            Ok(code) => Self::derive(kind, code.as_str()),
            Err(_) => Self::derive(kind, reference),
        }
    }
}

/// A federation and at once the scope it keeps: a division code and, for industrial unions, a line.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FederationId(Box<str>);

impl FederationId {
    /// The national level.
    pub fn national() -> Self {
        Self("100000".into())
    }

    /// The text, such as `330106` or `330000/education`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The division code before the slash.
    pub fn division(&self) -> u32 {
        self.0
            .get(..6)
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(0)
    }

    /// The line after the slash, if this is an industrial union.
    pub fn line(&self) -> Option<&str> {
        self.0.get(7..)
    }

    /// The territorial federation of a division.
    pub fn of_division(code: u32) -> Self {
        Self(format!("{code:06}").into())
    }
}

impl fmt::Display for FederationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FederationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FederationId({})", self.0)
    }
}

impl FromStr for FederationId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (division, line) = match text.split_once('/') {
            Some((division, line)) => (division, Some(line)),
            None => (text, None),
        };
        let digits = division.len() == 6 && division.bytes().all(|b| b.is_ascii_digit());
        let line_fits = line.is_none_or(|line| {
            !line.is_empty()
                && line.len() <= 32
                && line
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        });
        if digits && line_fits {
            Ok(Self(text.into()))
        } else {
            Err(IdError::Federation(text.to_owned()))
        }
    }
}

impl Serialize for FederationId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for FederationId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_in_full_width_means_the_same_document() {
        let plain = DocumentId::from_reference(DocumentKind::Organisation, "52140829MJ1938921G");
        let wide = DocumentId::from_reference(DocumentKind::Organisation, " ５２140829mj1938921g ");
        assert_eq!(plain, wide);
        assert_eq!(
            DocumentId::from_reference(DocumentKind::Union, &plain.to_string()),
            plain
        );
    }

    #[test]
    fn federation_codes_have_six_digits_and_perhaps_a_line() {
        for text in ["330106", "330000/education"] {
            assert_eq!(text.parse::<FederationId>().expect("a federation").as_str(), text);
        }
        for text in ["33010", "330106/", "330106/Education", "x30106", ""] {
            assert!(text.parse::<FederationId>().is_err(), "{text}");
        }
    }
}
