//! What a single value may hold: text, date, number, flag, one word of a closed list.
//! Owns the check of values from documents, records and people's input.

use rollcall_core::date::PartialDate;
use rollcall_core::id::FederationId;
use serde_json::Value;

use crate::members::Member;
use crate::scalar::ScalarRef;

/// What a single value may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Type {
    /// Any text.
    Text,
    /// A date, perhaps known only to the month or year.
    Date,
    /// 0 to 4,294,967,295.
    Count,
    /// Fen, or another whole number.
    Integer,
    /// A calendar year.
    Year,
    /// Yes or no.
    Flag,
    /// A federation's code.
    Federation,
    /// One word of a closed list.
    Term(fn(&str) -> bool),
    /// Taken back: `{"at":..,"reason":..}`.
    Withdrawn,
}

impl Type {
    /// Whether a JSON value fits.
    pub(crate) fn check(self, value: &Value) -> bool {
        match self {
            Self::Count => value.as_u64().is_some_and(|number| number <= u64::from(u32::MAX)),
            Self::Integer => value.is_i64(),
            Self::Year => value.as_i64().is_some_and(|year| (1000..=9999).contains(&year)),
            Self::Flag => value.is_boolean(),
            Self::Withdrawn => {
                let member = |name: &str| value.get(name).and_then(Value::as_str);
                value.as_object().is_some_and(|members| members.len() == 2)
                    && member("at").is_some_and(|at| at.parse::<PartialDate>().is_ok())
                    && member("reason").is_some()
            }
            Self::Text | Self::Date | Self::Federation | Self::Term(_) => {
                value.as_str().is_some_and(|text| self.check_text(text))
            }
        }
    }

    /// Whether a member of an entry fits.
    pub(super) fn check_member(self, member: &Member<'_>) -> bool {
        match member {
            Member::Text(text) => self.check_text(text),
            Member::Other(value) => self.check(value),
        }
    }

    fn check_text(self, text: &str) -> bool {
        match self {
            Self::Text => true,
            Self::Date => text.parse::<PartialDate>().is_ok(),
            Self::Federation => text.parse::<FederationId>().is_ok(),
            Self::Term(known) => known(text),
            Self::Count | Self::Integer | Self::Year | Self::Flag | Self::Withdrawn => false,
        }
    }

    /// Whether a value as it stands in a document fits; nothing (null) always does.
    pub(crate) fn check_scalar(self, value: ScalarRef<'_>) -> Result<(), &'static str> {
        let fits = match (self, value) {
            (_, ScalarRef::Null) => true,
            (Self::Withdrawn, ScalarRef::Text(text)) => {
                serde_json::from_str(text).is_ok_and(|value: Value| self.check(&value))
            }
            (Self::Count, ScalarRef::Integer(number)) => u32::try_from(number).is_ok(),
            (Self::Year, ScalarRef::Integer(year)) => (1000..=9999).contains(&year),
            (Self::Integer, ScalarRef::Integer(_)) | (Self::Flag, ScalarRef::Flag(_)) => true,
            (_, ScalarRef::Text(text)) => self.check_text(text),
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.expected()) }
    }

    /// The value that a person's text means, if it is one.
    pub(crate) fn parse(self, text: &str) -> Option<Value> {
        let value = match self {
            Self::Count | Self::Integer | Self::Year => Value::from(text.trim().parse::<i64>().ok()?),
            Self::Flag => match text.trim() {
                "true" | "yes" => Value::Bool(true),
                "false" | "no" => Value::Bool(false),
                _ => return None,
            },
            Self::Withdrawn => {
                let (at, reason) = text.trim().split_once(' ')?;
                serde_json::json!({ "at": at, "reason": reason.trim() })
            }
            Self::Text => Value::from(text),
            Self::Date | Self::Federation | Self::Term(_) => Value::from(text.trim()),
        };
        self.check(&value).then_some(value)
    }

    /// What it may hold, in words.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Date => "a date such as 2024-12-31, 2024-12 or 2024",
            Self::Count => "a whole number from 0 to 4294967295",
            Self::Integer => "a whole number",
            Self::Year => "a year such as 2024",
            Self::Flag => "true or false",
            Self::Federation => "a federation code such as 330106 or 330000/education",
            Self::Term(_) => "one of the words of its list",
            Self::Withdrawn => "a date and a reason",
        }
    }
}
