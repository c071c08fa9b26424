//! The values of profiles in the dimensions that do not go by places: their order, their names, and which of them a
//! filter means. Owns ranks and names; those of places are in `cube/located.rs`.

use rollcall_core::coverage::Form;
use rollcall_core::figure::Dimension;
use rollcall_core::id::FederationId;
use rollcall_core::term::{Category, Kind, Level, Stage};

use crate::Error;
use crate::cube::profile::{Profile, Size, Standing};

/// Dimensions that do not go by places.
pub(crate) const PROFILE_DIMENSIONS: [Dimension; 7] = [
    Dimension::Kind,
    Dimension::Category,
    Dimension::Group,
    Dimension::Level,
    Dimension::Form,
    Dimension::Stage,
    Dimension::Size,
];

/// The rank of the remainder, which comes last.
const REMAINDER: u8 = u8::MAX;

/// Ranks of a profile in [`PROFILE_DIMENSIONS`].
pub(crate) type ProfileRanks = [u8; PROFILE_DIMENSIONS.len()];

/// Which of a profile's ranks a dimension goes by.
pub(crate) fn profile_index(dimension: Dimension) -> Option<usize> {
    PROFILE_DIMENSIONS.iter().position(|of| *of == dimension)
}

/// The ranks of a profile among the values of each dimension.
pub(crate) fn ranks(profile: &Profile) -> ProfileRanks {
    [
        profile.kind as u8,
        profile.category as u8,
        // Those in both groups are shown in A, so that the rows add up (edge rule 7).
        match profile.standing {
            Standing::In { a: true, .. } => 0,
            Standing::In { .. } => 1,
            Standing::Out(_) | Standing::Absent => REMAINDER,
        },
        profile.level as u8,
        profile.form as u8,
        profile.stage as u8,
        profile.size as u8,
    ]
}

/// What a profile is called in a dimension; `None`: the remainder, or a dimension of places.
pub(crate) fn name(dimension: Dimension, profile: &Profile) -> Option<&'static str> {
    match dimension {
        Dimension::Kind => Some(profile.kind.name()),
        Dimension::Category => Some(profile.category.name()),
        Dimension::Level => Some(profile.level.name()),
        Dimension::Form => Some(profile.form.name()),
        Dimension::Stage => Some(profile.stage.name()),
        Dimension::Size => Some(profile.size.name()),
        Dimension::Group => match profile.standing {
            Standing::In { a: true, .. } => Some("A"),
            Standing::In { .. } => Some("B"),
            Standing::Out(_) | Standing::Absent => None,
        },
        Dimension::Province | Dimension::Prefecture | Dimension::County | Dimension::Federation => None,
    }
}

/// The rank that a filter's text means in a dimension that does not go by places; empty means the remainder.
pub(crate) fn rank_of(dimension: Dimension, text: &str) -> Option<u8> {
    match dimension {
        Dimension::Kind => Kind::from_name(text).map(|kind| kind as u8),
        Dimension::Category => Category::from_name(text).map(|category| category as u8),
        Dimension::Level => Level::from_name(text).map(|level| level as u8),
        Dimension::Form => {
            let form = Form::ALL.into_iter().find(|form| form.name() == text);
            form.map(|form| form as u8)
        }
        Dimension::Stage => Stage::from_name(text).map(|stage| stage as u8),
        Dimension::Size => {
            let size = Size::ALL.into_iter().find(|size| size.name() == text);
            size.map(|size| size as u8)
        }
        Dimension::Group => match text {
            "A" => Some(0),
            "B" => Some(1),
            "" => Some(REMAINDER),
            _ => None,
        },
        Dimension::Province | Dimension::Prefecture | Dimension::County | Dimension::Federation => None,
    }
}

/// Refuses a filter for a value that its dimension cannot have.
pub(crate) fn check(dimension: Dimension, text: &str) -> Result<(), Error> {
    let known = if dimension.is_place() {
        text.is_empty() || text.parse::<FederationId>().is_ok()
    } else {
        rank_of(dimension, text).is_some()
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
