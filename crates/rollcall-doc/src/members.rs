//! The members of an object of JSON text, as entries are written: read once, texts borrowed where they can be.
//! Reads what `serde_json::Value` reads and refuses what that refuses; of several members of one name the last holds.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The members of an object by name.
#[derive(Debug)]
pub(crate) struct Members<'a>(pub(crate) BTreeMap<Cow<'a, str>, Member<'a>>);

/// A member's value.
#[derive(Debug)]
pub(crate) enum Member<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// Anything else.
    Other(Value),
}

impl<'a> Members<'a> {
    /// Of a text that is an object and nothing else.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The text that one of them is.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_text()
    }
}

impl Member<'_> {
    /// The text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some(Text(name)) = access.next_key()? {
                    members.insert(name, access.next_value()?);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A text, borrowed where it holds no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Member::deserialize(deserializer)? {
            Member::Text(text) => Ok(Self(text)),
            Member::Other(_) => Err(Error::custom("a name is no text")),
        }
    }
}

impl<'de> Deserialize<'de> for Member<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Member<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("any value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Member::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Member::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(Member::Other(Value::from(flag)))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Member::Other(Value::from(number)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Member::Other(Value::from(number)))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Member::Other(Value::from(number)))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Member::Other(Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
                Value::deserialize(SeqAccessDeserializer::new(items)).map(Member::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                Value::deserialize(MapAccessDeserializer::new(members)).map(Member::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn as_value(text: &str) -> Option<Value> {
        let Members(members) = Members::read(text)?;
        let opened = members.into_iter().map(|(name, member)| {
            let value = match member {
                Member::Text(text) => Value::from(text.into_owned()),
                Member::Other(value) => value,
            };
            (name.into_owned(), value)
        });
        Some(Value::Object(opened.collect()))
    }

    fn by_the_library(text: &str) -> Option<Value> {
        serde_json::from_str(text).ok().filter(Value::is_object)
    }

    #[test]
    fn odd_objects_are_read_as_the_library_reads_them() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        for text in [
            "",
            "{",
            "{}",
            " {\n} ",
            "{} x",
            "[]",
            "\"a\"",
            "null",
            "7",
            r#"{"a":1,"a":"two"}"#,
            r#"{"a\u0062":"c\nd","值":"名"}"#,
            r#"{"a":-0,"b":-1,"c":18446744073709551615,"d":18446744073709551616,"e":1.5e3}"#,
            r#"{"a":1e999}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":[1,{"b":[null,true]}],"c":{"d":"e"}}"#,
            r#"{"a":01}"#,
            r#"{1:2}"#,
            deep.as_str(),
        ] {
            assert_eq!(as_value(text), by_the_library(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_the_library_reads_it(text in r#"\{("[a-c\\nu0"]{0,3}":("x?\\?n?"|[-0-9.e]{1,4}|null|\[1?\]|\{\}),?){0,3}\}?"#) {
            prop_assert_eq!(as_value(&text), by_the_library(&text));
        }
    }
}
