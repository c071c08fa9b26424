//! A problem: what is odd about a value that was read all the same, or why an entry was refused.
//! Owns the shape; the rules that raise problems are in `rule`.

use serde::{Deserialize, Serialize};

/// How bad (`domain.md` 12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Row refused or field held.
    Error,
    /// Odd, carried on.
    Warning,
    /// Someone should look.
    Alert,
}

/// One finding about one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// Stable code: `V01` to `V38`, or a code of `reliability.md` 4 such as `DATE_INVALID`.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// Field, column or entry it is about; empty for the whole.
    pub place: String,
    /// A plain sentence with the remedy.
    pub message: String,
}

impl Problem {
    /// An error.
    pub fn error(code: &str, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            severity: Severity::Error,
            place: place.into(),
            message: message.into(),
        }
    }

    /// A warning.
    pub fn warning(code: &str, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            severity: Severity::Warning,
            place: place.into(),
            message: message.into(),
        }
    }

    /// An alert to a person.
    pub fn alert(code: &str, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            severity: Severity::Alert,
            place: place.into(),
            message: message.into(),
        }
    }
}
