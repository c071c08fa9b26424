//! Rates as figures show them: a pair of numbers, its percentage, and the least and most that it can be.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::ratio::Ratio;

/// A rate, which shows its percentage wherever it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    /// Counted at the least favourable where conflicts are open.
    pub ratio: Ratio,
}

impl Rate {
    /// Two decimals, half up; `None`: no data.
    pub fn percent(&self) -> Option<String> {
        self.ratio.percent_half_up()
    }
}

impl From<Ratio> for Rate {
    fn from(ratio: Ratio) -> Self {
        Self { ratio }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rate = serializer.serialize_struct("Rate", 3)?;
        rate.serialize_field("numerator", &self.ratio.numerator)?;
        rate.serialize_field("denominator", &self.ratio.denominator)?;
        rate.serialize_field("percent", &self.percent())?;
        rate.end()
    }
}

/// A rate and the least and most it can be, whichever way open conflicts are settled.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BoundedRate {
    /// The figure, which is its own low bound.
    #[serde(flatten)]
    pub rate: Rate,
    /// The least.
    pub low: Ratio,
    /// The most.
    pub high: Ratio,
}

impl BoundedRate {
    /// From both bounds.
    pub fn new(low: Ratio, high: Ratio) -> Self {
        Self {
            rate: low.into(),
            low,
            high,
        }
    }
}

/// Members over workers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct MembershipRate {
    /// Members over workers of the units counted.
    #[serde(flatten)]
    pub rate: Rate,
    /// Covered units left out because their members are not known.
    pub units_unknown: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_rate_reads_like_the_contract() {
        let rate = BoundedRate::new(Ratio::new(6, 7), Ratio::new(7, 7));
        let json = serde_json::to_string(&rate).expect("plain data");
        assert_eq!(
            json,
            r#"{"numerator":6,"denominator":7,"percent":"85.71","low":{"numerator":6,"denominator":7},"high":{"numerator":7,"denominator":7}}"#
        );
        let none = serde_json::to_string(&Rate::from(Ratio::default())).expect("plain data");
        assert_eq!(none, r#"{"numerator":0,"denominator":0,"percent":null}"#);
    }
}
