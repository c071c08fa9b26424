//! The numbers of one row as a table keeps them: a third of the size of the figures that a reader sees, because a
//! question by county and two more dimensions has a hundred thousand rows. Owns how they become figures.

use crate::ratio::Ratio;
use crate::scope::OutReason;
use crate::term::ExclusionReason;

use super::{BoundedRate, Completeness, Figures, MembershipRate, Rate, UnionCounts};

/// Organisations below and above the line of a rate. A cube numbers its organisations in 32 bits, so they are enough here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// Organisations that count.
    pub denominator: u32,
    /// Of them, those that are covered.
    pub numerator: u32,
}

impl From<Share> for Ratio {
    fn from(share: Share) -> Self {
        Self::new(share.numerator.into(), share.denominator.into())
    }
}

/// A rate's least and most, whichever way open conflicts are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShareBounds {
    /// The least, which is the figure.
    pub low: Share,
    /// The most.
    pub high: Share,
}

impl From<ShareBounds> for BoundedRate {
    fn from(bounds: ShareBounds) -> Self {
        Self::new(bounds.low.into(), bounds.high.into())
    }
}

/// The numbers of one row; what they mean is said at [`Figures`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowCounts {
    /// The headline.
    pub establishment: ShareBounds,
    /// On all identified organisations.
    pub identified: ShareBounds,
    /// Without overdue terms.
    pub strict: ShareBounds,
    /// Members over workers of the covered.
    pub covered_members: Ratio,
    /// Members over workers of all eligible.
    pub all_members: Ratio,
    /// Links of organisations in scope to unions that are not held here.
    pub unresolved_links: u64,
    /// Covered units left out of the membership rates.
    pub units_unknown: u32,
    /// In the order of `ExclusionReason::ALL`.
    pub excluded: [u32; ExclusionReason::ALL.len()],
    /// Organisations with an exclusion that is only proposed.
    pub exclusions_pending: u32,
    /// In the order of `OutReason::ALL`.
    pub out_of_scope: [u32; OutReason::ALL.len()],
    /// In scope with unknown registration date.
    pub date_unknown: u32,
    /// Counted by the strict rate only because a term is unknown.
    pub term_unknown: u32,
    /// Something about them waits for a decision.
    pub open_conflicts: u32,
    /// In scope, and their federation has not been heard.
    pub unheard: u32,
    /// Distinct unions that cover eligible organisations, in the order of `UnionForm::ALL`.
    pub unions: [u32; 3],
}

impl RowCounts {
    /// The figures, with what a row shares with others of its place.
    pub fn figures(&self, unions_all: Option<UnionCounts>, scopes: &Completeness) -> Figures {
        let membership = |ratio: Ratio| MembershipRate {
            rate: Rate::from(ratio),
            units_unknown: self.units_unknown.into(),
        };
        let known = |count: &u32| *count > 0;
        let excluded = ExclusionReason::ALL.iter().zip(&self.excluded);
        let out = OutReason::ALL.iter().zip(&self.out_of_scope);
        let [own, joint, federation] = self.unions.map(u64::from);
        Figures {
            in_scope: self.identified.low.denominator.into(),
            eligible: self.establishment.low.denominator.into(),
            covered: self.establishment.low.numerator.into(),
            establishment_rate: self.establishment.into(),
            identified_rate: self.identified.into(),
            strict_rate: self.strict.into(),
            membership_rate: membership(self.covered_members),
            membership_rate_all: membership(self.all_members),
            excluded: excluded
                .filter(|(_, count)| known(count))
                .map(|(reason, count)| (reason.name(), u64::from(*count)))
                .collect(),
            exclusions_pending: self.exclusions_pending.into(),
            out_of_scope: out
                .filter(|(_, count)| known(count))
                .map(|(reason, count)| (reason.name(), u64::from(*count)))
                .collect(),
            held: self.out_of_scope[OutReason::NoCode as usize].into(),
            date_unknown: self.date_unknown.into(),
            unresolved_links: self.unresolved_links,
            term_unknown: self.term_unknown.into(),
            unions: UnionCounts {
                own,
                joint,
                federation,
            },
            unions_all,
            open_conflicts: self.open_conflicts.into(),
            frame: None,
            completeness: Completeness {
                organisations_unheard: self.unheard.into(),
                ..scopes.clone()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_at_their_places_and_those_of_nobody_are_left_out() {
        let mut counts = RowCounts::default();
        for (index, reason) in OutReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
        }
        for (index, reason) in ExclusionReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
        }
        counts.out_of_scope[OutReason::NoCode as usize] = 3;
        counts.out_of_scope[OutReason::Level as usize] = 2;
        counts.excluded[ExclusionReason::Dormant as usize] = 1;
        let figures = counts.figures(None, &Completeness::default());
        assert_eq!(figures.held, 3);
        assert_eq!(
            figures.out_of_scope.into_iter().collect::<Vec<_>>(),
            [("NO_CODE", 3), ("OUT_LEVEL", 2)]
        );
        assert_eq!(figures.excluded.into_iter().collect::<Vec<_>>(), [("DORMANT", 1)]);
    }
}
