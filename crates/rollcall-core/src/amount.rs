//! Money in fen, CNY only (`domain.md` 7). Owns sums that cannot overflow and the two computations of union funds;
//! leaves ledgers to `subsidy`.
#![deny(clippy::arithmetic_side_effects)]

use serde::{Deserialize, Serialize};

/// An amount or a total in fen; 128 bits, so that a sum of 64-bit entries cannot overflow in any real ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fen(pub i128);

impl Fen {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Sum; at the ends of 128 bits it stays there.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference; at the ends of 128 bits it stays there.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Itself, or nothing where it is below.
    #[must_use]
    pub fn at_least_zero(self) -> Self {
        self.max(Self::ZERO)
    }
}

impl From<i64> for Fen {
    fn from(fen: i64) -> Self {
        Self(i128::from(fen))
    }
}

impl std::iter::Sum for Fen {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::plus)
    }
}

/// Union funds due for a month: 2% of the wages of the month before, half a fen up (rule 7; Trade Union Law Art. 43).
/// `None` for wages below 0 or beyond 64 bits.
pub fn union_funds_due(wages_fen: i64) -> Option<i64> {
    let doubled = i128::from(wages_fen).checked_mul(2)?;
    let due = doubled.checked_add(50)?.checked_div(100)?;
    if wages_fen < 0 {
        None
    } else {
        i64::try_from(due).ok()
    }
}

/// Union funds divided into the base share (60%, rounded down) and the rest that goes up; the parts add to the whole.
pub fn split_union_funds(due_fen: i64) -> Option<(i64, i64)> {
    let base = i128::from(due_fen).checked_mul(60)?.checked_div_euclid(100)?;
    let base = i64::try_from(base).ok()?;
    Some((base, due_fen.checked_sub(base)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_domain_comes_out_to_the_fen() {
        assert_eq!(union_funds_due(12_345_678), Some(246_914));
        assert_eq!(split_union_funds(246_914), Some((148_148, 98_766)));
    }

    #[test]
    fn half_a_fen_goes_up_and_the_parts_add_to_the_whole() {
        for (wages, due) in [
            (0, 0),
            (24, 0),
            (25, 1),
            (74, 1),
            (75, 2),
            (i64::MAX, 184_467_440_737_095_516),
        ] {
            assert_eq!(union_funds_due(wages), Some(due), "{wages}");
            let (base, up) = split_union_funds(due).expect("a share");
            assert_eq!(base + up, due);
        }
        assert_eq!(union_funds_due(-1), None);
    }

    #[test]
    fn a_sum_of_the_largest_entries_does_not_wrap() {
        let total: Fen = std::iter::repeat_n(Fen::from(i64::MAX), 1000).sum();
        assert_eq!(total.0, i128::from(i64::MAX) * 1000);
    }
}
