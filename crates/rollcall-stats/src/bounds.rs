//! What open conflicts could change (`domain.md` 6, edge rule 8): per organisation the possible pairs of (counts
//! below the line, counts above it), the least favourable one for the figure, the most favourable for its high bound.

use rollcall_core::figure::{Share, ShareBounds};

/// Which pairs are possible for one organisation in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Possible {
    /// (0, 0): it does not count.
    pub(crate) outside: bool,
    /// (1, 0): it counts and is not covered.
    pub(crate) uncovered: bool,
    /// (1, 1): it counts and is covered.
    pub(crate) covered: bool,
}

/// A pair of an organisation: in the denominator, in the numerator.
pub(crate) type Pair = (bool, bool);

impl Possible {
    pub(crate) const ALL: Self = Self {
        outside: true,
        uncovered: true,
        covered: true,
    };

    pub(crate) fn add(&mut self, pair: Pair) {
        match pair {
            (false, _) => self.outside = true,
            (true, false) => self.uncovered = true,
            (true, true) => self.covered = true,
        }
    }

    /// What either holds possible.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            outside: self.outside || other.outside,
            uncovered: self.uncovered || other.uncovered,
            covered: self.covered || other.covered,
        }
    }

    /// (1, 0) if possible, else (0, 0), else (1, 1).
    pub(crate) fn low(self) -> Pair {
        if self.uncovered {
            (true, false)
        } else if self.outside || !self.covered {
            (false, false)
        } else {
            (true, true)
        }
    }

    /// (1, 1) if possible, else (0, 0), else (1, 0).
    pub(crate) fn high(self) -> Pair {
        if self.covered {
            (true, true)
        } else if self.outside || !self.uncovered {
            (false, false)
        } else {
            (true, false)
        }
    }
}

/// The least and the most favourable pair of a way of counting.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ends {
    pub(crate) low: Pair,
    high: Pair,
}

impl From<Possible> for Ends {
    fn from(possible: Possible) -> Self {
        Self {
            low: possible.low(),
            high: possible.high(),
        }
    }
}

impl Ends {
    /// Adds organisations that all have these ends.
    pub(crate) fn add_to(self, bounds: &mut ShareBounds, organisations: u32) {
        add(&mut bounds.low, self.low, organisations);
        add(&mut bounds.high, self.high, organisations);
    }
}

/// Adds organisations that all have this pair.
pub(crate) fn add(share: &mut Share, (denominator, numerator): Pair, organisations: u32) {
    share.denominator += u32::from(denominator) * organisations;
    share.numerator += u32::from(numerator) * organisations;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_is_the_least_favourable_pair() {
        for (outside, uncovered, covered, low, high) in [
            (false, true, true, (true, false), (true, true)),
            (true, false, true, (false, false), (true, true)),
            (true, true, false, (true, false), (false, false)),
            (true, true, true, (true, false), (true, true)),
            (false, false, true, (true, true), (true, true)),
            (true, false, false, (false, false), (false, false)),
            (false, true, false, (true, false), (true, false)),
        ] {
            let possible = Possible {
                outside,
                uncovered,
                covered,
            };
            assert_eq!((possible.low(), possible.high()), (low, high), "{possible:?}");
        }
    }
}
