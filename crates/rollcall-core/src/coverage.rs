//! Covered and excluded at a date (`domain.md` 5, 6 and edge rules 1 and 3 to 6).
//! Owns when a link, an organiser and an exclusion count and which cover wins; `union` tells the unions' own state.

use serde::{Deserialize, Serialize};

use crate::date::Day;
use crate::fact::{ExclusionFact, LinkFact};
use crate::term::{ExclusionReason, UnionForm};
use crate::union::UnionState;

/// How an organisation is covered, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// By its own union.
    Own,
    /// By a joint union.
    Joint,
    /// By a union federation's list.
    Federation,
    /// By an organiser alone, where the switch says that this counts.
    Organiser,
    /// Not at all.
    None,
}

impl Form {
    /// Every form, best first.
    pub const ALL: [Self; 5] = [
        Self::Own,
        Self::Joint,
        Self::Federation,
        Self::Organiser,
        Self::None,
    ];

    /// The name in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Joint => "joint",
            Self::Federation => "federation",
            Self::Organiser => "organiser",
            Self::None => "none",
        }
    }
}

impl From<UnionForm> for Form {
    fn from(form: UnionForm) -> Self {
        match form {
            UnionForm::Own => Self::Own,
            UnionForm::Joint => Self::Joint,
            UnionForm::Federation => Self::Federation,
        }
    }
}

/// What a coverage link does at a date, whatever its union is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkStanding {
    /// Before its first day or after its last.
    Outside,
    /// The union has not consented: a task, no cover.
    WithoutConsent,
    /// Holds.
    Holds,
}

/// A link counts from the later of its first day and the union's consent, through its last day.
pub fn link_at(link: &LinkFact, on: Day) -> LinkStanding {
    if on < link.from || link.until.is_some_and(|until| until < on) {
        return LinkStanding::Outside;
    }
    match link.consent_on {
        Some(consent) if consent <= on => LinkStanding::Holds,
        Some(_) | None => LinkStanding::WithoutConsent,
    }
}

/// How the union reaches the organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The union's document names the organisation. An own union ends with its organisation's registration (T5):
    /// the last day up to now on which it was ended, if any.
    Names {
        /// Last day on which the organisation was not registered any more.
        ended_until: Option<Day>,
    },
    /// A link of the organisation that holds.
    Link,
}

/// The cover that a union gives at a date; `None` where it gives none. A link to an own union is ignored, and so is
/// an organisation named by a union that is not an own union.
pub fn cover_of(form: UnionForm, reach: Reach, union: &UnionState) -> Option<Coverage> {
    if !union.established {
        return None;
    }
    let reaches = match (form, reach) {
        (UnionForm::Own, Reach::Names { ended_until }) => outlives(union, ended_until),
        (UnionForm::Joint | UnionForm::Federation, Reach::Link) => true,
        (UnionForm::Own, Reach::Link) | (UnionForm::Joint | UnionForm::Federation, Reach::Names { .. }) => {
            false
        }
    };
    reaches.then(|| Coverage {
        form: form.into(),
        strict: !union.overdue,
        term_known: !union.overdue && !union.term_unknown,
    })
}

/// Whether an own union was established after its organisation last ended.
pub fn outlives(union: &UnionState, ended_until: Option<Day>) -> bool {
    ended_until.is_none_or(|ended| union.established_on.is_some_and(|since| since > ended))
}

/// The cover of an organisation at a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coverage {
    /// The best form.
    pub form: Form,
    /// Covered also when overdue terms do not count.
    pub strict: bool,
    /// By a term that is known and has not ended; an organiser has none.
    pub term_known: bool,
}

impl Coverage {
    /// Not covered.
    pub const NONE: Self = Self {
        form: Form::None,
        strict: false,
        term_known: false,
    };

    /// By an organiser alone.
    pub const ORGANISER: Self = Self {
        form: Form::Organiser,
        strict: true,
        term_known: true,
    };

    /// Whether there is any.
    pub fn covers(self) -> bool {
        self.form != Form::None
    }

    /// Both together: the better form, strict if either is.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            form: self.form.min(other.form),
            strict: self.strict || other.strict,
            term_known: self.term_known || other.term_known,
        }
    }

    /// Whether the strict rate counts it only because a term is unknown (edge rule 6): no other union covers it with
    /// a term that is known to run.
    pub fn term_unknown(self) -> bool {
        self.strict && !self.term_known
    }
}

/// Whether one of the organisers (election day, first day no longer) serves at a date.
pub fn organiser_at(organisers: &[(Day, Option<Day>)], on: Day) -> bool {
    organisers
        .iter()
        .any(|(elected, ended)| *elected <= on && ended.is_none_or(|ended| on < ended))
}

/// What the exclusions come to at a date. Covered beats excluded: that is the caller's to apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExclusionStanding {
    /// The approved reason that holds; the first in the list of reasons where several do.
    pub excluded: Option<ExclusionReason>,
    /// Another one is proposed.
    pub pending: bool,
}

/// An exclusion counts from the later of its first day and its approval, through its last day; until it is approved
/// or refused it is pending.
pub fn exclusion_at(exclusions: &[ExclusionFact], on: Day) -> ExclusionStanding {
    let mut standing = ExclusionStanding::default();
    for exclusion in exclusions {
        if on < exclusion.from || exclusion.until.is_some_and(|until| until < on) {
            continue;
        }
        if exclusion.approved_on.is_some_and(|approved| approved <= on) {
            standing.excluded = Some(
                standing
                    .excluded
                    .map_or(exclusion.reason, |reason| reason.min(exclusion.reason)),
            );
        } else if exclusion.refused_on.is_none_or(|refused| on < refused) {
            standing.pending = true;
        }
    }
    standing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::DocumentId;

    fn day(text: &str) -> Day {
        text.parse().expect("a day")
    }

    fn established(on: &str, overdue: bool) -> UnionState {
        UnionState {
            established: true,
            established_on: Some(day(on)),
            overdue,
            term_unknown: false,
            term_end: None,
            dissolved: false,
            legal_person: false,
            stage: None,
        }
    }

    #[test]
    fn a_link_counts_from_the_later_of_start_and_consent_through_its_last_day() {
        let mut link = LinkFact {
            union: DocumentId::default(),
            from: day("2023-11-01"),
            until: Some(day("2024-05-31")),
            consent_on: Some(day("2023-11-10")),
        };
        for (on, standing) in [
            ("2023-10-31", LinkStanding::Outside),
            ("2023-11-09", LinkStanding::WithoutConsent),
            ("2023-11-10", LinkStanding::Holds),
            ("2024-05-31", LinkStanding::Holds),
            ("2024-06-01", LinkStanding::Outside),
        ] {
            assert_eq!(link_at(&link, day(on)), standing, "{on}");
        }
        link.consent_on = None;
        assert_eq!(link_at(&link, day("2024-01-01")), LinkStanding::WithoutConsent);
    }

    #[test]
    fn own_unions_cover_by_name_and_the_others_by_link() {
        let state = established("2020-01-01", false);
        let named = Reach::Names { ended_until: None };
        for (form, reach, covers) in [
            (UnionForm::Own, named, true),
            (UnionForm::Own, Reach::Link, false),
            (UnionForm::Joint, named, false),
            (UnionForm::Joint, Reach::Link, true),
            (UnionForm::Federation, Reach::Link, true),
            (
                UnionForm::Own,
                Reach::Names {
                    ended_until: Some(day("2021-01-01")),
                },
                false,
            ),
            (
                UnionForm::Own,
                Reach::Names {
                    ended_until: Some(day("2019-12-31")),
                },
                true,
            ),
        ] {
            assert_eq!(
                cover_of(form, reach, &state).is_some(),
                covers,
                "{form:?} {reach:?}"
            );
        }
        let never = UnionState {
            established: false,
            ..state
        };
        assert_eq!(cover_of(UnionForm::Joint, Reach::Link, &never), None);
    }

    #[test]
    fn the_better_form_is_kept_and_one_sound_term_is_enough() {
        let own = cover_of(
            UnionForm::Own,
            Reach::Names { ended_until: None },
            &established("2019-05-10", true),
        );
        let joint = cover_of(UnionForm::Joint, Reach::Link, &established("2023-10-20", false));
        let both = own.expect("covers").and(joint.expect("covers"));
        assert_eq!((both.form, both.strict), (Form::Own, true));
        assert!(!Coverage::NONE.and(own.expect("covers")).strict);
        let unknown = UnionState {
            term_unknown: true,
            ..established("2023-10-20", false)
        };
        let unknown = cover_of(UnionForm::Federation, Reach::Link, &unknown).expect("covers");
        assert!(unknown.and(own.expect("covers")).term_unknown());
        assert!(!unknown.and(both).term_unknown() && !own.expect("covers").term_unknown());
    }

    #[test]
    fn an_exclusion_is_pending_until_approved_or_refused() {
        let exclusion = ExclusionFact {
            reason: ExclusionReason::NoWorkers,
            from: day("2023-05-01"),
            until: Some(day("2023-10-31")),
            approved_on: Some(day("2023-06-15")),
            refused_on: None,
            has_evidence: true,
        };
        let refused = ExclusionFact {
            approved_on: None,
            refused_on: Some(day("2023-07-01")),
            ..exclusion
        };
        for (on, excluded, pending) in [
            ("2023-04-30", false, false),
            ("2023-05-01", false, true),
            ("2023-06-15", true, false),
            ("2023-10-31", true, false),
            ("2023-11-01", false, false),
        ] {
            let standing = exclusion_at(&[exclusion], day(on));
            assert_eq!(
                (standing.excluded.is_some(), standing.pending),
                (excluded, pending),
                "{on}"
            );
        }
        assert!(exclusion_at(&[refused], day("2023-06-30")).pending);
        assert_eq!(
            exclusion_at(&[refused], day("2023-07-01")),
            ExclusionStanding::default()
        );
    }

    #[test]
    fn an_organiser_serves_until_the_day_before_the_end() {
        let organisers = [(day("2023-09-01"), Some(day("2024-01-01")))];
        for (on, serves) in [
            ("2023-08-31", false),
            ("2023-09-01", true),
            ("2023-12-31", true),
            ("2024-01-01", false),
        ] {
            assert_eq!(organiser_at(&organisers, day(on)), serves, "{on}");
        }
    }
}
