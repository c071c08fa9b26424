//! One value as it stands in a document: text, whole number, flag or nothing. Nothing else ever stands there.
//! Owns the forms and the passage from and to JSON and Automerge.

use automerge::{ScalarValue, ScalarValueRef};
use serde_json::Value;

/// A value, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarRef<'a> {
    /// Text, or an object as canonical JSON text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Flag(bool),
    /// Nothing: taken out again.
    Null,
}

/// A value, owned. The order is that of conflicts in exports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scalar {
    /// Nothing.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
}

impl Scalar {
    /// The text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Flag(_) | Self::Integer(_) => None,
        }
    }

    /// Borrowed.
    pub(crate) fn as_ref(&self) -> ScalarRef<'_> {
        match self {
            Self::Text(text) => ScalarRef::Text(text),
            Self::Integer(number) => ScalarRef::Integer(*number),
            Self::Flag(flag) => ScalarRef::Flag(*flag),
            Self::Null => ScalarRef::Null,
        }
    }

    /// Owned.
    pub(crate) fn from_ref(value: ScalarRef<'_>) -> Self {
        match value {
            ScalarRef::Text(text) => Self::Text(text.to_owned()),
            ScalarRef::Integer(number) => Self::Integer(number),
            ScalarRef::Flag(flag) => Self::Flag(flag),
            ScalarRef::Null => Self::Null,
        }
    }

    /// As the value of an agreed field: objects become canonical JSON text. `None` for a fraction or a number
    /// above 63 bits, which no record holds.
    pub(crate) fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Self::Null),
            Value::Bool(flag) => Some(Self::Flag(*flag)),
            Value::Number(number) => number.as_i64().map(Self::Integer),
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Array(_) | Value::Object(_) => Some(Self::Text(value.to_string())),
        }
    }

    /// From Automerge; `None` for what the gate never lets in.
    pub(crate) fn from_automerge(value: &ScalarValueRef<'_>) -> Option<Self> {
        match value {
            ScalarValueRef::Str(text) => Some(Self::Text(text.to_string())),
            ScalarValueRef::Int(number) => Some(Self::Integer(*number)),
            ScalarValueRef::Boolean(flag) => Some(Self::Flag(*flag)),
            ScalarValueRef::Null => Some(Self::Null),
            _ => None,
        }
    }

    /// From Automerge's owned form; `None` for what the gate never lets in.
    pub(crate) fn from_owned(value: &ScalarValue) -> Option<Self> {
        match value {
            ScalarValue::Str(text) => Some(Self::Text(text.to_string())),
            ScalarValue::Int(number) => Some(Self::Integer(*number)),
            ScalarValue::Boolean(flag) => Some(Self::Flag(*flag)),
            ScalarValue::Null => Some(Self::Null),
            _ => None,
        }
    }

    /// For Automerge.
    pub(crate) fn to_automerge(&self) -> ScalarValue {
        match self {
            Self::Text(text) => ScalarValue::Str(text.as_str().into()),
            Self::Integer(number) => ScalarValue::Int(*number),
            Self::Flag(flag) => ScalarValue::Boolean(*flag),
            Self::Null => ScalarValue::Null,
        }
    }
}

impl ScalarRef<'_> {
    /// As JSON, a text that is an object opened: for places that hold objects.
    pub(crate) fn open(self) -> Value {
        match self {
            Self::Text(text) if text.starts_with('{') => {
                serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
            }
            _ => self.to_json(),
        }
    }

    /// As JSON, a text as it is.
    pub(crate) fn to_json(self) -> Value {
        match self {
            Self::Text(text) => Value::from(text),
            Self::Integer(number) => Value::from(number),
            Self::Flag(flag) => Value::from(flag),
            Self::Null => Value::Null,
        }
    }
}
