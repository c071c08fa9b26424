//! Keys of rows: what a place and a profile are called in each dimension, in what order, and whether they pass a
//! filter. Owns values and names; counts nothing.

use std::borrow::Cow;

use rollcall_core::coverage::Form;
use rollcall_core::date::Day;
use rollcall_core::federation::{Directory, Place};
use rollcall_core::figure::{Dimension, RowKey};
use rollcall_core::id::FederationId;
use rollcall_core::term::{Category, Kind, Level, Stage};

use crate::Error;
use crate::cube::profile::{Profile, Size, Standing};

/// A value of a dimension. The remainder comes last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Value {
    Place(FederationId),
    /// Rank within the dimension, and its name.
    Term(u8, &'static str),
    Remainder,
}

impl Value {
    fn text(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Place(federation) => Some(Cow::Owned(federation.to_string())),
            Self::Term(_, name) => Some(Cow::Borrowed(name)),
            Self::Remainder => None,
        }
    }

    /// What a reader sees: places by their names, the remainder as the caller calls it.
    pub(crate) fn name_at(
        &self,
        directory: &Directory,
        remainder: &'static str,
        on: Day,
    ) -> Cow<'static, str> {
        match self {
            Self::Place(federation) => Cow::Owned(directory.name_at(federation, on)),
            Self::Term(_, name) => Cow::Borrowed(name),
            Self::Remainder => Cow::Borrowed(remainder),
        }
    }

    /// The rank among the values of a dimension that does not go by places; the remainder is after all others.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Term(rank, _) => *rank,
            Self::Place(_) | Self::Remainder => u8::MAX,
        }
    }

    /// Whether a filter's text means this value; empty means the remainder.
    pub(crate) fn is_meant_by(&self, text: &str) -> bool {
        match self {
            Self::Place(federation) => federation.as_str() == text,
            Self::Term(_, name) => *name == text,
            Self::Remainder => text.is_empty(),
        }
    }
}

/// The value of a place in a place dimension.
pub(crate) fn of_place(dimension: Dimension, federation: &FederationId, place: &Place) -> Value {
    let above = match dimension {
        Dimension::Province => &place.province,
        Dimension::Prefecture => &place.prefecture,
        Dimension::County => &place.county,
        Dimension::Federation => return Value::Place(federation.clone()),
        Dimension::Kind
        | Dimension::Category
        | Dimension::Group
        | Dimension::Level
        | Dimension::Form
        | Dimension::Stage
        | Dimension::Size => return Value::Remainder,
    };
    above.clone().map_or(Value::Remainder, Value::Place)
}

/// The value of a profile in one of the other dimensions.
pub(crate) fn of_profile(dimension: Dimension, profile: &Profile) -> Value {
    match dimension {
        Dimension::Kind => Value::Term(profile.kind as u8, profile.kind.name()),
        Dimension::Category => Value::Term(profile.category as u8, profile.category.name()),
        Dimension::Level => Value::Term(profile.level as u8, profile.level.name()),
        Dimension::Form => Value::Term(profile.form as u8, profile.form.name()),
        Dimension::Stage => Value::Term(profile.stage as u8, profile.stage.name()),
        Dimension::Size => Value::Term(profile.size as u8, profile.size.name()),
        // Those in both groups are shown in A, so that the rows add up (edge rule 7).
        Dimension::Group => match profile.standing {
            Standing::In { a: true, .. } => Value::Term(0, "A"),
            Standing::In { .. } => Value::Term(1, "B"),
            Standing::Out(_) | Standing::Absent => Value::Remainder,
        },
        Dimension::Province | Dimension::Prefecture | Dimension::County | Dimension::Federation => {
            Value::Remainder
        }
    }
}

/// Refuses a filter for a value that its dimension cannot have.
pub(crate) fn check(dimension: Dimension, text: &str) -> Result<(), Error> {
    let known = match dimension {
        Dimension::Province | Dimension::Prefecture | Dimension::County | Dimension::Federation => {
            text.is_empty() || text.parse::<FederationId>().is_ok()
        }
        Dimension::Kind => Kind::from_name(text).is_some(),
        Dimension::Category => Category::from_name(text).is_some(),
        Dimension::Level => Level::from_name(text).is_some(),
        Dimension::Form => Form::ALL.iter().any(|form| form.name() == text),
        Dimension::Stage => Stage::from_name(text).is_some(),
        Dimension::Size => Size::ALL.iter().any(|size| size.name() == text),
        Dimension::Group => matches!(text, "A" | "B" | ""),
    };
    if known {
        Ok(())
    } else {
        Err(Error::UnknownValue {
            dimension,
            value: text.to_owned(),
        })
    }
}

/// The key of a row from the values of the dimensions asked for.
pub(crate) fn row_key(by: &[Dimension], values: &[&Value]) -> RowKey {
    RowKey(
        by.iter()
            .copied()
            .zip(values.iter().map(|value| value.text()))
            .collect(),
    )
}
