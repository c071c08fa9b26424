//! What can be wrong with a question. Content never is: odd facts are counted or reported, not refused.

use rollcall_core::date::Day;
use rollcall_core::figure::Dimension;

/// A question that cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value that the dimension does not have.
    #[error("{} has no value {value:?}", dimension.name())]
    UnknownValue {
        /// Which dimension.
        dimension: Dimension,
        /// The value asked for.
        value: String,
    },
    /// One dimension twice among those to split by.
    #[error("{} is asked for twice", .0.name())]
    DimensionTwice(Dimension),
    /// A period that ends before it begins.
    #[error("the period ends on {to}, before it begins on {from}")]
    PeriodBackwards {
        /// First day.
        from: Day,
        /// Last day.
        to: Day,
    },
    /// A series of more dates than one answer holds.
    #[error("the series has {dates} dates, at most {max} fit one answer")]
    SeriesTooLong {
        /// How many it would have.
        dates: usize,
        /// The most.
        max: usize,
    },
}
