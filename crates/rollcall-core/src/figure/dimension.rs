//! By what establishment figures are split and filtered, and the key of a row. Owns the names and their order.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

/// By what a table of establishment figures may be split or filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Province of the responsible federation.
    Province,
    /// Its prefecture.
    Prefecture,
    /// Its county.
    County,
    /// The responsible federation itself.
    Federation,
    /// Kind, by the code's prefix.
    Kind,
    /// Category.
    Category,
    /// Group A, then group B.
    Group,
    /// Registration level.
    Level,
    /// How it is covered.
    Form,
    /// Stage of founding.
    Stage,
    /// Band of the number of workers.
    Size,
}

impl Dimension {
    /// Every dimension.
    pub const ALL: [Self; 11] = [
        Self::Province,
        Self::Prefecture,
        Self::County,
        Self::Federation,
        Self::Kind,
        Self::Category,
        Self::Group,
        Self::Level,
        Self::Form,
        Self::Stage,
        Self::Size,
    ];

    /// The name on the command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::Prefecture => "prefecture",
            Self::County => "county",
            Self::Federation => "federation",
            Self::Kind => "kind",
            Self::Category => "category",
            Self::Group => "group",
            Self::Level => "level",
            Self::Form => "form",
            Self::Stage => "stage",
            Self::Size => "size",
        }
    }

    /// The dimension of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == name)
    }

    /// Whether it depends on the responsible federation alone.
    pub const fn is_place(self) -> bool {
        matches!(
            self,
            Self::Province | Self::Prefecture | Self::County | Self::Federation
        )
    }
}

/// Key of a row: each dimension asked for with its value, `None` for the remainder row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RowKey(pub Vec<(Dimension, Option<Cow<'static, str>>)>);

impl RowKey {
    /// The value of a dimension, if it is part of the key and no remainder.
    pub fn value(&self, dimension: Dimension) -> Option<&str> {
        self.0
            .iter()
            .find(|(of, _)| *of == dimension)
            .and_then(|(_, value)| value.as_deref())
    }
}

impl Serialize for RowKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(dimension, value)| (dimension.name(), value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remainder_row_has_a_null_key() {
        let key = RowKey(vec![
            (Dimension::Province, Some("330000".into())),
            (Dimension::Prefecture, None),
        ]);
        assert_eq!(
            serde_json::to_string(&key).expect("plain data"),
            r#"{"province":"330000","prefecture":null}"#
        );
    }
}
