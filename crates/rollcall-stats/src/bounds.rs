//! What open conflicts could change (`domain.md` 6, edge rule 8): per organisation the possible pairs of (counts
//! below the line, counts above it), the least favourable one for the figure, the most favourable for its high bound.

use rollcall_core::ratio::Ratio;

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

/// Both bounds of a rate while it is summed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bounds {
    pub(crate) low: Ratio,
    pub(crate) high: Ratio,
}

impl Bounds {
    /// Organisations of which these pairs are possible; one, where nothing is open.
    pub(crate) fn add_possible(&mut self, possible: Possible, organisations: u64) {
        self.low = self.low.plus(ratio(possible.low(), organisations));
        self.high = self.high.plus(ratio(possible.high(), organisations));
    }
}

fn ratio((denominator, numerator): Pair, organisations: u64) -> Ratio {
    Ratio::new(
        u64::from(numerator) * organisations,
        u64::from(denominator) * organisations,
    )
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
