//! The unified social credit code (GB 32100-2015), `domain.md` section 9.
//! Owns normalisation and both check characters; leaves the division tables to `division`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const WEIGHTS_18: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
const WEIGHTS_17: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// A code whose form and both check characters are right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreditCode([u8; 18]);

/// Why a text is not a credit code; each names its validation rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CreditCodeError {
    /// V01: not 18 characters of the alphabet, or positions 3 to 8 are not digits.
    #[error("V01: not 18 characters of the credit code alphabet with digits at 3 to 8")]
    Form,
    /// V02: the last character does not fit the others.
    #[error("V02: check character 18 is wrong")]
    Check18,
    /// V03: the check character of the organisation code does not fit.
    #[error("V03: check character 17 is wrong")]
    Check17,
}

impl CreditCodeError {
    /// The validation rule of `domain.md` 12 that failed.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Form => "V01",
            Self::Check18 => "V02",
            Self::Check17 => "V03",
        }
    }
}

/// Trims, maps full-width to half-width, raises to upper case, drops spaces and hyphens.
/// Never replaces a letter by a digit: that is for a person to confirm.
pub fn normalise(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            other => other,
        })
        .filter(|c| !c.is_whitespace() && *c != '-' && *c != '\u{2010}' && *c != '\u{2013}')
        .flat_map(char::to_uppercase)
        .collect()
}

impl CreditCode {
    /// Reads a code, normalising it first.
    ///
    /// # Errors
    /// The first of V01, V02, V03 that fails.
    pub fn parse(text: &str) -> Result<Self, CreditCodeError> {
        let text = normalise(text);
        let bytes: [u8; 18] = text.as_bytes().try_into().map_err(|_| CreditCodeError::Form)?;
        let mut sum = 0;
        for (index, byte) in bytes.iter().enumerate() {
            let value = value_31(*byte).ok_or(CreditCodeError::Form)?;
            if (2..8).contains(&index) && !byte.is_ascii_digit() {
                return Err(CreditCodeError::Form);
            }
            if index < 17 {
                sum += value * WEIGHTS_18[index];
            }
        }
        let check = ((31 - sum % 31) % 31) as usize;
        if ALPHABET[check] != bytes[17] {
            return Err(CreditCodeError::Check18);
        }
        if check_17(&bytes[8..16]) != Some(bytes[16]) {
            return Err(CreditCodeError::Check17);
        }
        Ok(Self(bytes))
    }

    /// Completes 16 characters (positions 1 to 16) by both check characters; for generated data.
    /// `None` where the 16 are not of the alphabet.
    pub fn complete(first_16: &str) -> Option<Self> {
        let bytes = first_16.as_bytes();
        if bytes.len() != 16 {
            return None;
        }
        let mut code = [0; 18];
        code[..16].copy_from_slice(bytes);
        code[16] = check_17(&bytes[8..16])?;
        let mut sum = 0;
        for (index, byte) in code[..17].iter().enumerate() {
            sum += value_31(*byte)? * WEIGHTS_18[index];
        }
        code[17] = ALPHABET[((31 - sum % 31) % 31) as usize];
        Self::parse(std::str::from_utf8(&code).ok()?).ok()
    }

    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }

    /// The code as a number below 31¹⁶: its first 16 characters, of which the others follow.
    pub fn to_number(&self) -> u128 {
        let digits = self.0[..16].iter().filter_map(|byte| value_31(*byte));
        digits.fold(0, |number, digit| number * 31 + u128::from(digit))
    }

    /// The code of such a number; `None` where there is none.
    pub fn from_number(mut number: u128) -> Option<Self> {
        let mut code = [0; 18];
        for byte in code[..16].iter_mut().rev() {
            *byte = ALPHABET[(number % 31) as usize];
            number /= 31;
        }
        if number > 0 || !code[2..8].iter().all(u8::is_ascii_digit) {
            return None;
        }
        code[16] = check_17(&code[8..16])?;
        let mut sum = 0;
        for (byte, weight) in code.iter().zip(WEIGHTS_18) {
            sum += value_31(*byte)? * weight;
        }
        code[17] = ALPHABET[((31 - sum % 31) % 31) as usize];
        Some(Self(code))
    }

    /// Registering department and type, positions 1 and 2.
    pub fn prefix(&self) -> &str {
        &self.as_str()[..2]
    }

    /// Division code of the registering authority at registration, positions 3 to 8.
    pub fn division(&self) -> u32 {
        self.as_str()[2..8].parse().expect("positions 3 to 8 are digits")
    }
}

fn value_31(byte: u8) -> Option<u32> {
    ALPHABET.iter().position(|c| *c == byte).map(|index| index as u32)
}

fn check_17(organisation_code: &[u8]) -> Option<u8> {
    let mut sum = 0;
    for (byte, weight) in organisation_code.iter().zip(WEIGHTS_17) {
        sum += (*byte as char).to_digit(36)? * weight;
    }
    Some(match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + digit as u8,
    })
}

impl fmt::Display for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CreditCode({self})")
    }
}

impl FromStr for CreditCode {
    type Err = CreditCodeError;

    fn from_str(text: &str) -> Result<Self, CreditCodeError> {
        Self::parse(text)
    }
}

impl Serialize for CreditCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CreditCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_examples_of_the_domain_pass_and_fail_as_listed() {
        for code in [
            "51100000500002862F",
            "53100000500021676K",
            "523607325918361088",
            "52140829MJ1938921G",
            "81420103931213071P",
            "12100000400009127B",
            "51330000XXXX00019Q",
            "91330106XXXX0006XK",
        ] {
            let parsed = CreditCode::parse(code).expect(code);
            assert_eq!(CreditCode::complete(&code[..16]), Some(parsed));
            assert_eq!(CreditCode::from_number(parsed.to_number()), Some(parsed));
        }
        assert_eq!(CreditCode::from_number(31_u128.pow(16)), None);
        for (code, error) in [
            ("53100000500020462H", CreditCodeError::Check18),
            ("531000005000074012", CreditCodeError::Check18),
            ("51310000MJ4900264B", CreditCodeError::Check18),
            ("51100000500000024G", CreditCodeError::Check18),
            ("52100000500000784G", CreditCodeError::Check17),
            ("无", CreditCodeError::Form),
            ("66195133-X", CreditCodeError::Form),
            ("5110000O500002862F", CreditCodeError::Form),
        ] {
            assert_eq!(CreditCode::parse(code), Err(error), "{code}");
        }
    }
}
