//! A rate as a pair of integers (`domain.md` 6 rule 3). Owns exact comparison and the one rounding for display;
//! a rounded value is never compared.
#![deny(clippy::arithmetic_side_effects)]

use serde::{Deserialize, Serialize};

/// Numerator and denominator, kept as counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Ratio {
    /// The counted part.
    pub numerator: u64,
    /// What it is a part of; 0: no data.
    pub denominator: u64,
}

impl Ratio {
    /// A pair.
    pub const fn new(numerator: u64, denominator: u64) -> Self {
        Self {
            numerator,
            denominator,
        }
    }

    /// Numerators and denominators added; never the mean of percentages.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            numerator: self.numerator.saturating_add(other.numerator),
            denominator: self.denominator.saturating_add(other.denominator),
        }
    }

    /// Percent with two decimals, half up, such as `85.71`; `None` where there is no data.
    pub fn percent_half_up(self) -> Option<String> {
        let denominator = u128::from(self.denominator);
        let doubled = u128::from(self.numerator)
            .checked_mul(20_000)?
            .checked_add(denominator)?;
        let hundredths = doubled.checked_div(denominator.checked_mul(2)?)?;
        Some(format!(
            "{}.{:02}",
            hundredths.checked_div(100)?,
            hundredths.checked_rem(100)?
        ))
    }

    /// Whether it reaches a percentage, exactly: 100·n ≥ percent·d. `None` where there is no data.
    pub fn reaches(self, percent: u32) -> Option<bool> {
        if self.denominator == 0 {
            return None;
        }
        let counted = u128::from(self.numerator).checked_mul(100)?;
        let needed = u128::from(self.denominator).checked_mul(u128::from(percent))?;
        Some(counted >= needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_is_rounded_half_up_to_two_decimals() {
        for (numerator, denominator, percent) in [
            (6, 7, Some("85.71")),
            (4, 7, Some("57.14")),
            (1, 3, Some("33.33")),
            (2, 3, Some("66.67")),
            (1, 20_000, Some("0.01")),
            (1, 20_001, Some("0.00")),
            (84_996, 100_000, Some("85.00")),
            (5, 5, Some("100.00")),
            (0, 12, Some("0.00")),
            (0, 0, None),
            (u64::MAX, u64::MAX, Some("100.00")),
        ] {
            assert_eq!(
                Ratio::new(numerator, denominator).percent_half_up().as_deref(),
                percent
            );
        }
    }

    #[test]
    fn targets_are_compared_exactly_and_not_as_displayed() {
        assert_eq!(Ratio::new(84_996, 100_000).reaches(85), Some(false));
        assert_eq!(Ratio::new(60, 100).reaches(60), Some(true));
        assert_eq!(Ratio::new(0, 0).reaches(60), None);
        assert_eq!(Ratio::new(u64::MAX, u64::MAX).reaches(100), Some(true));
    }
}
